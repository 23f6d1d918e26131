/* fcgi_listen.c - listening sockets: handed over by whoever started us, or our own. */
#include "transport/fcgi_listen.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clk.h"

#define LISTEN_FDS_START 3           /* sd_listen_fds(3) */
#define LISTEN_FDS_MAX   16          /* more make no sense */
#define GROUP_BUFFER_MAX (64 * 1024) /* bytes that getgrnam_r() may need */
#define FOLDER_WAIT_MS   5000        /* for another program that starts in the same folder */
#define FOLDER_PAUSE_MS  10

static bool is_listening(int fd)
{
    int yes = 0, type = 0;
    socklen_t len = sizeof yes;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &len) != 0 || yes == 0)
        return false;
    len = sizeof type;
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM;
}

/* A whole decimal number in the environment, or 0. */
static long env_number(const char *name)
{
    const char *s = getenv(name);
    char *end;
    if (s == NULL || *s < '0' || *s > '9')
        return 0;
    errno = 0;
    long n = strtol(s, &end, 10);
    return *end == '\0' && errno == 0 ? n : 0;
}

size_t fcgi_inherited(int *ret_first)
{
    if (is_listening(STDIN_FILENO)) {
        *ret_first = STDIN_FILENO;
        return 1;
    }
    long fds = env_number("LISTEN_FDS");
    if (fds < 1 || fds > LISTEN_FDS_MAX || env_number("LISTEN_PID") != (long)getpid())
        return 0;
    *ret_first = LISTEN_FDS_START;
    return (size_t)fds;
}

/* What an address is called in the log. */
static void set_name(struct fcgi_listener *l)
{
    union {
        struct sockaddr sa;
        struct sockaddr_un un;
        struct sockaddr_storage any;
    } a = {.any = {.ss_family = AF_UNSPEC}};
    socklen_t len = sizeof a;
    char host[NI_MAXHOST], port[NI_MAXSERV];
    snprintf(l->name, sizeof l->name, "fd:%d", l->fd);
    if (getsockname(l->fd, &a.sa, &len) != 0)
        return;
    if (a.sa.sa_family == AF_UNIX && len > offsetof(struct sockaddr_un, sun_path))
        snprintf(l->name, sizeof l->name, "unix:%.*s", (int)sizeof a.un.sun_path, a.un.sun_path);
    else if (getnameinfo(&a.sa, len, host, sizeof host, port, sizeof port,
                         NI_NUMERICHOST | NI_NUMERICSERV) == 0)
        snprintf(l->name, sizeof l->name,
                 strchr(host, ':') != NULL ? "tcp:[%.64s]:%.8s" : "tcp:%.64s:%.8s", host, port);
}

enum err listener_adopt(int fd, struct fcgi_listener *ret, struct why *why)
{
    if (!is_listening(fd))
        return why_set(why, ERR_INVALID, "descriptor %d is not a listening stream socket", fd);
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
        return why_set(why, ERR_IO, "descriptor %d: %s", fd, strerror(errno));
    *ret = (struct fcgi_listener){.fd = fd};
    set_name(ret);
    return ERR_OK;
}

/*
 * Whoever makes room for its socket must not find one that another program, which started at the
 * same time, has made but does not listen at yet. So one at a time looks, binds and listens: who
 * has the folder locked. The lock ends with the descriptor.
 */
static enum err lock_folder(const char *path, int *ret_fd, struct why *why)
{
    char folder[sizeof((struct sockaddr_un *)NULL)->sun_path];
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path) + 1, path);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return why_set(why, ERR_IO, "%s: %s", folder, strerror(errno));
    int64_t deadline = clk_mono_ms() + FOLDER_WAIT_MS;
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EINTR && (errno != EWOULDBLOCK || clk_left_ms(deadline) == 0)) {
            enum err e = errno == EWOULDBLOCK ? ERR_BUSY : ERR_IO;
            why_set(why, e, "%s: cannot be locked: %s", folder, strerror(errno));
            close(fd);
            return e;
        }
        poll(NULL, 0, FOLDER_PAUSE_MS);
    }
    *ret_fd = fd;
    return ERR_OK;
}

/* Is anybody listening on this socket file? An answer that is not clear counts as yes. */
static bool is_answered(const struct sockaddr_un *un)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return true;
    int rc = connect(fd, (const struct sockaddr *)un, sizeof *un);
    bool refused = rc != 0 && errno == ECONNREFUSED;
    close(fd);
    return !refused;
}

/* Make room for our socket file, without taking anything away that is not a dead socket. */
static enum err clear_path(const struct sockaddr_un *un, struct why *why)
{
    struct stat st;
    if (lstat(un->sun_path, &st) != 0)
        return errno == ENOENT ? ERR_OK
                               : why_set(why, ERR_IO, "%s: %s", un->sun_path, strerror(errno));
    if (!S_ISSOCK(st.st_mode))
        return why_set(why, ERR_INVALID,
                       "%s exists and is not a socket: remove it or listen elsewhere",
                       un->sun_path);
    if (is_answered(un))
        return why_set(why, ERR_BUSY, "%s: another program listens there", un->sun_path);
    if (unlink(un->sun_path) != 0 && errno != ENOENT)
        return why_set(why, ERR_IO, "%s: cannot remove the stale socket: %s", un->sun_path,
                       strerror(errno));
    return ERR_OK;
}

static enum err find_group(const char *name, gid_t *ret, struct why *why)
{
    char *scratch = malloc(GROUP_BUFFER_MAX);
    if (scratch == NULL)
        return why_no_memory(why);
    struct group entry, *found = NULL;
    int rc = getgrnam_r(name, &entry, scratch, GROUP_BUFFER_MAX, &found);
    enum err e = ERR_OK;
    if (found != NULL)
        *ret = entry.gr_gid;
    else
        e = why_set(why, ERR_NOT_FOUND, "group %s: %s", name,
                    rc != 0 ? strerror(rc) : "no such group");
    free(scratch);
    return e;
}

/* Nobody can connect before listen(), so nobody does with the rights that bind() gave. */
static enum err bind_unix(struct fcgi_listener *l, const struct sockaddr_un *un, unsigned mode,
                          const char *group, struct why *why)
{
    const char *path = un->sun_path;
    gid_t gid = (gid_t)-1;
    if (group != NULL) {
        enum err e = find_group(group, &gid, why);
        if (e != ERR_OK)
            return e;
    }
    if (bind(l->fd, (const struct sockaddr *)un, sizeof *un) != 0)
        return why_set(why, ERR_IO, "%s: %s", path, strerror(errno));
    struct stat st;
    if (lstat(path, &st) == 0) {
        l->owned = true;
        l->dev = st.st_dev;
        l->ino = st.st_ino;
    }
    if (group != NULL && lchown(path, (uid_t)-1, gid) != 0)
        return why_set(why, ERR_IO, "%s: cannot give it to group %s: %s", path, group,
                       strerror(errno));
    if (chmod(path, mode) != 0)
        return why_set(why, ERR_IO, "%s: %s", path, strerror(errno));
    return ERR_OK;
}

static enum err start_listening(const struct fcgi_listener *l, const char *address, struct why *why)
{
    return listen(l->fd, SOMAXCONN) == 0 ? ERR_OK
                                         : why_set(why, ERR_IO, "%s: %s", address, strerror(errno));
}

static enum err open_locked(const struct sockaddr_un *un, unsigned mode, const char *group,
                            struct fcgi_listener *l, struct why *why)
{
    enum err e = clear_path(un, why);
    if (e != ERR_OK)
        return e;
    l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (l->fd < 0)
        return why_set(why, ERR_IO, "socket: %s", strerror(errno));
    e = bind_unix(l, un, mode, group, why);
    return e == ERR_OK ? start_listening(l, un->sun_path, why) : e;
}

static enum err open_unix(const char *path, unsigned mode, const char *group,
                          struct fcgi_listener *l, struct why *why)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    if (*path != '/')
        return why_set(why, ERR_INVALID, "unix:%s: the path must begin with /", path);
    size_t len = strlen(path);
    if (len >= sizeof un.sun_path)
        return why_set(why, ERR_INVALID, "unix:%s: a socket's path has at most %zu bytes", path,
                       sizeof un.sun_path - 1);
    memcpy(un.sun_path, path, len + 1);
    int folder = -1;
    enum err e = lock_folder(path, &folder, why);
    if (e != ERR_OK)
        return e;
    e = open_locked(&un, mode, group, l, why);
    close(folder);
    return e;
}

/* "HOST:PORT" or "[HOST]:PORT" in two. */
static enum err split_host_port(const char *text, char *host, size_t size, const char **ret_port)
{
    const char *colon = strrchr(text, ':');
    if (colon == NULL || colon == text || colon[1] == '\0')
        return ERR_INVALID;
    size_t len = (size_t)(colon - text);
    if (text[0] == '[' && colon[-1] == ']') {
        text++;
        len -= 2;
    } else if (memchr(text, ':', len) != NULL) {
        return ERR_INVALID;
    }
    if (len == 0 || len >= size || colon[1 + strspn(colon + 1, "0123456789")] != '\0' ||
        strtoul(colon + 1, NULL, 10) > UINT16_MAX)
        return ERR_INVALID;
    memcpy(host, text, len);
    host[len] = '\0';
    *ret_port = colon + 1;
    return ERR_OK;
}

static enum err open_tcp(const char *text, struct fcgi_listener *l, struct why *why)
{
    char host[NI_MAXHOST];
    const char *port;
    if (split_host_port(text, host, sizeof host, &port) != ERR_OK)
        return why_set(why, ERR_INVALID, "tcp:%s is not tcp:HOST:PORT", text);
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found;
    int rc = getaddrinfo(host, port, &hints, &found);
    if (rc != 0)
        return why_set(why, ERR_NOT_FOUND, "tcp:%s: %s", text, gai_strerror(rc));

    enum err e = ERR_OK;
    const int yes = 1;
    l->fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (l->fd < 0 || setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
        bind(l->fd, found->ai_addr, found->ai_addrlen) != 0)
        e = why_set(why, errno == EADDRINUSE ? ERR_BUSY : ERR_IO, "tcp:%s: %s", text,
                    strerror(errno));
    freeaddrinfo(found);
    return e == ERR_OK ? start_listening(l, text, why) : e;
}

enum err listener_open(const char *address, unsigned mode, const char *group,
                       struct fcgi_listener *ret, struct why *why)
{
    struct fcgi_listener l = {.fd = -1};
    enum err e;
    if (strncmp(address, "unix:", 5) == 0)
        e = open_unix(address + 5, mode, group, &l, why);
    else if (strncmp(address, "tcp:", 4) == 0)
        e = open_tcp(address + 4, &l, why);
    else
        e = why_set(why, ERR_INVALID, "%s is neither unix:PATH nor tcp:HOST:PORT", address);
    set_name(&l);
    if (e != ERR_OK) {
        listener_unlink(&l);
        listener_close(&l);
        return e;
    }
    *ret = l;
    return ERR_OK;
}

void listener_unlink(struct fcgi_listener *l)
{
    struct stat st;
    const char *path = l->name + strlen("unix:");
    if (l->owned && lstat(path, &st) == 0 && st.st_dev == l->dev && st.st_ino == l->ino)
        unlink(path);
    l->owned = false;
}

void listener_close(struct fcgi_listener *l)
{
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
}
