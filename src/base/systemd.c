/* systemd.c - datagrams to the service manager. */
#include "base/systemd.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

void systemd_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t len = path != NULL ? strlen(path) : 0;
    if (len == 0)
        return;
    if ((path[0] != '/' && path[0] != '@') || len >= sizeof to.sun_path) {
        log_warn("NOTIFY_SOCKET=%.100s is no address of a socket", path);
        return;
    }
    memcpy(to.sun_path, path, len);
    if (path[0] == '@') /* an abstract one */
        to.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    if (fd < 0 || sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to, size) < 0)
        log_warn("the service manager cannot be told %.40s: %s", state, strerror(errno));
    if (fd >= 0)
        close(fd);
}

void systemd_notify_reloading(void)
{
    char text[80];
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%" PRId64,
             (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    systemd_notify(text);
}

int64_t systemd_watchdog_ms(void)
{
    const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    if (usec == NULL || (pid != NULL && strtoll(pid, NULL, 10) != getpid()))
        return 0;
    int64_t us = strtoll(usec, NULL, 10);
    return us > 0 ? us / 2000 + 1 : 0;
}
