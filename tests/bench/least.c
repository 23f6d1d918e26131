/*
 * least.c - the least that can stand behind nginx, as the measure of everything else: one thread,
 * no library, kept connections, and the same answer to whatever comes, of which it looks for the
 * end only.
 *
 *     least unix:PATH
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define EVENTS 64
#define BYTES  65536 /* read at once: nginx sends a call of this size as one piece */
#define TEXT   "Status: 200\r\nContent-Type: text/plain\r\n\r\nhello\n"

static int listen_at(const char *path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    snprintf(un.sun_path, sizeof un.sun_path, "%s", path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&un, sizeof un) != 0 || chmod(path, 0666) != 0 ||
        listen(fd, SOMAXCONN) != 0) {
        perror(path);
        exit(1);
    }
    return fd;
}

/* The end of the standard input stream: a record without content. */
static int is_end(const uint8_t *data, ssize_t len)
{
    return len >= 8 && data[len - 7] == 5 && data[len - 4] == 0 && data[len - 3] == 0;
}

static void answer(int fd)
{
    static const uint8_t end[] = {1, 6, 0, 1, 0, 0, 0, 0, 1, 3, 0, 1,
                                  0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    uint8_t out[256] = {1, 6, 0, 1, 0, sizeof TEXT - 1};
    memcpy(out + 8, TEXT, sizeof TEXT - 1);
    memcpy(out + 8 + sizeof TEXT - 1, end, sizeof end);
    if (write(fd, out, 8 + sizeof TEXT - 1 + sizeof end) < 0)
        close(fd);
}

int main(int argc, char **argv)
{
    static uint8_t data[BYTES];
    struct epoll_event events[EVENTS], ev = {.events = EPOLLIN};
    if (argc != 2 || strncmp(argv[1], "unix:", 5) != 0)
        return 2;
    signal(SIGPIPE, SIG_IGN);
    int listener = listen_at(argv[1] + 5), epoll = epoll_create1(0);
    ev.data.fd = listener;
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &ev);
    for (;;) {
        int n = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) {
                ev.data.fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
                if (ev.data.fd >= 0)
                    epoll_ctl(epoll, EPOLL_CTL_ADD, ev.data.fd, &ev);
                continue;
            }
            ssize_t len = read(fd, data, sizeof data);
            if (len <= 0)
                close(fd);
            else if (is_end(data, len))
                answer(fd);
        }
    }
}
