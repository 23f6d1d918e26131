/* spawner.c - the handler's end of the spawner. */
#include "policy/spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/log.h"
#include "base/proc.h"

#define PATH_LEN 4096 /* bytes of a path, with the NUL */
#define SEND_S   5    /* longest wait for a spawner that takes no order */

struct spawner {
    char *program;        /* NULL: to be found */
    pthread_mutex_t lock; /* guards what follows */
    pid_t pid;            /* 0: it does not run */
    int socket;
};

struct spawner *spawner_new(const char *program)
{
    struct spawner *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    pthread_mutex_init(&s->lock, NULL);
    s->socket = -1;
    if (program != NULL && (s->program = strdup(program)) == NULL) {
        spawner_free(s);
        return NULL;
    }
    return s;
}

/* ------------------------------------------------------------------- its process */

/* Beside the program that runs, as in a build folder, or as it was installed. */
static void find_program(const struct spawner *s, char ret[PATH_LEN])
{
    char self[PATH_LEN];
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    self[len > 0 ? len : 0] = '\0';
    const char *slash = strrchr(self, '/');
    int folder = slash != NULL ? (int)(slash - self) + 1 : 0;
    if (s->program != NULL)
        snprintf(ret, PATH_LEN, "%s", s->program);
    else if (snprintf(ret, PATH_LEN, "%.*s" SPAWNER_PROGRAM, folder, self) >= PATH_LEN ||
             access(ret, X_OK) != 0)
        snprintf(ret, PATH_LEN, "%s", LIBEXECDIR "/" SPAWNER_PROGRAM);
}

/* A session of its own, no signal blocked or ignored, no variable, and of descriptors only the
 * socket: whatever has none of ours cannot pass it on. */
static int spawn(const char *path, int socket, pid_t *ret_pid)
{
    char *const argv[] = {(char *)SPAWNER_PROGRAM, NULL}, *const no_variables[] = {NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, socket, SPAWN_SOCKET);
    posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_RDWR, 0);
    posix_spawn_file_actions_adddup2(&files, STDOUT_FILENO, STDERR_FILENO);
    int error = posix_spawn(ret_pid, path, &files, &attributes, argv, no_variables);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    return error;
}

static enum err start(struct spawner *s, struct why *why)
{
    char path[PATH_LEN];
    int ends[2];
    const struct timeval patience = {.tv_sec = SEND_S};
    find_program(s, path);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return why_set(why, ERR_IO, "socket to %s: %s", path, strerror(errno));
    setsockopt(ends[0], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    proc_adopt_orphans();
    int error = spawn(path, ends[1], &s->pid);
    close(ends[1]);
    if (error != 0) {
        close(ends[0]);
        s->pid = 0;
        return why_set(why, ERR_IO, "%s, which runs programs: %s", path, strerror(error));
    }
    s->socket = ends[0];
    return ERR_OK;
}

/* Its end of the socket is closed before there is a status of it. */
static bool has_died(const struct spawner *s)
{
    struct pollfd end = {.fd = s->socket};
    return s->pid != 0 && poll(&end, 1, 0) > 0;
}

/* What it ran has lost its parent, and come to us. */
static void bury_if_dead(struct spawner *s)
{
    int64_t patience = clk_mono_ms() + SPAWNER_STOP_MS;
    int status = 0;
    if (!has_died(s))
        return;
    kill(s->pid, SIGKILL);
    proc_wait(s->pid, patience, &status);
    log_warn("%s has died (%s %d): what it ran is run again", SPAWNER_PROGRAM,
             WIFSIGNALED(status) ? "signal" : "status",
             WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    close(s->socket);
    s->socket = -1;
    s->pid = 0;
    if (!proc_kill_strays(patience))
        log_error("%s: some of what it had run cannot be killed", SPAWNER_PROGRAM);
}

void spawner_reap(struct spawner *s)
{
    siginfo_t ended = {.si_pid = 0};
    pthread_mutex_lock(&s->lock);
    bury_if_dead(s);
    while (waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid != 0 &&
           ended.si_pid != s->pid) {
        waitpid(ended.si_pid, NULL, WNOHANG);
        ended.si_pid = 0;
    }
    pthread_mutex_unlock(&s->lock);
}

void spawner_free(struct spawner *s)
{
    int64_t patience = clk_mono_ms() + SPAWNER_STOP_MS;
    int status;
    if (s == NULL)
        return;
    if (s->pid != 0) {
        close(s->socket); /* which ends it */
        proc_wait(s->pid, patience, &status);
        proc_kill_strays(patience); /* it may have been killed, and nobody have noticed yet */
    }
    pthread_mutex_destroy(&s->lock);
    free(s->program);
    free(s);
}

/* --------------------------------------------------------------------- a program */

void spawned_close_end(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void spawned_close(struct spawned *p)
{
    spawned_close_end(&p->in);
    spawned_close_end(&p->out);
    spawned_close_end(&p->err);
    spawned_close_end(&p->leash);
}

static bool make_pipe(int *ret_read, int *ret_write)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    *ret_read = ends[0];
    *ret_write = ends[1];
    return true;
}

/* Ours, which do not block, and the program's, which do. */
static bool make_ends(struct spawned *ours, int theirs[SPAWN__FDS])
{
    int leash[2];
    if (!make_pipe(&theirs[SPAWN_STDIN], &ours->in) ||
        !make_pipe(&ours->out, &theirs[SPAWN_STDOUT]) ||
        !make_pipe(&ours->err, &theirs[SPAWN_STDERR]) ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, leash) != 0)
        return false;
    ours->leash = leash[0];
    theirs[SPAWN_LEASH] = leash[1];
    return fcntl(ours->in, F_SETFL, O_NONBLOCK) == 0 &&
           fcntl(ours->out, F_SETFL, O_NONBLOCK) == 0 && fcntl(ours->err, F_SETFL, O_NONBLOCK) == 0;
}

static bool send_order(int socket, const struct buf *order, const int fds[SPAWN__FDS])
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(SPAWN__FDS * sizeof(int))];
    } control = {.bytes = ""};
    struct iovec data = {order->data, order->len};
    struct msghdr m = {.msg_iov = &data,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof control};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    *c = (struct cmsghdr){.cmsg_len = CMSG_LEN(SPAWN__FDS * sizeof(int)),
                          .cmsg_level = SOL_SOCKET,
                          .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(c), fds, SPAWN__FDS * sizeof(int));
    return sendmsg(socket, &m, MSG_NOSIGNAL) >= 0;
}

/* To the process that is there; to another one, if it has died. */
static enum err order_run(struct spawner *s, const struct buf *order, const int fds[SPAWN__FDS],
                          struct why *why)
{
    enum err e = ERR_OK;
    for (int try = 0; try < 2; try++) {
        bury_if_dead(s);
        if (s->pid == 0)
            e = start(s, why);
        if (e != ERR_OK || send_order(s->socket, order, fds))
            return e;
    }
    return why_set(why, ERR_IO, "%s takes no order: %s", SPAWNER_PROGRAM, strerror(errno));
}

enum err spawner_run(struct spawner *s, const struct buf *order, struct spawned *ret,
                     struct why *why)
{
    struct spawned ours = {-1, -1, -1, -1};
    int theirs[SPAWN__FDS] = {-1, -1, -1, -1};
    enum err e = ERR_OK;
    if (!make_ends(&ours, theirs))
        e = why_set(why, ERR_IO, "pipes to a program: %s", strerror(errno));
    if (e == ERR_OK) {
        pthread_mutex_lock(&s->lock);
        e = order_run(s, order, theirs, why);
        pthread_mutex_unlock(&s->lock);
    }
    for (int i = 0; i < SPAWN__FDS; i++)
        spawned_close_end(&theirs[i]);
    if (e == ERR_OK)
        *ret = ours;
    else
        spawned_close(&ours);
    return e;
}

bool spawner_end(struct spawner *s, const struct spawned *p, struct spawn_report *ret)
{
    if (recv(p->leash, ret, sizeof *ret, MSG_DONTWAIT) == sizeof *ret)
        return true;
    pthread_mutex_lock(&s->lock);
    bury_if_dead(s);
    pthread_mutex_unlock(&s->lock);
    return false;
}
