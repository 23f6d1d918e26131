/*
 * spawner.c - connect-webhook-spawner: runs the programs that are policies.
 *
 * The handler starts it, and speaks to it as policy/spawn.h says. It is a program of its own so
 * that nothing of the handler, neither memory nor secrets nor descriptors, is there to be inherited
 * by the programs, and so that a process without threads forks. For each program it forks a keeper,
 * in its own session, which looks after the one program (keeper.c). What a keeper that was killed
 * has left is killed here; what the spawner has left, by the handler. It ends when its parent does,
 * after all programs have.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/proc.h"
#include "policy/spawn.h"
#include "spawner/keeper.h"

#define BY_HAND 64 /* exit status: a usage error (EX_USAGE) */

static void on_child(int signal)
{
    (void)signal; /* wakes ppoll() */
}

/* SIGCHLD is seen in ppoll() alone. A terminal's or service manager's signals are for the handler:
 * programs end when it lets go of them. */
static void set_signals(void)
{
    static const int ignored[] = {SIGHUP, SIGINT, SIGTERM, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2};
    struct sigaction child = {.sa_handler = on_child};
    sigset_t set;
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        signal(ignored[i], SIG_IGN);
    sigaction(SIGCHLD, &child, NULL);
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_SETMASK, &set, NULL);
}

static void reap(void)
{
    bool left_something = false;
    int status;
    while (waitpid(-1, &status, WNOHANG) > 0)
        left_something = left_something || WIFSIGNALED(status);
    if (left_something)
        proc_kill_strays(CLK_NEVER);
}

/* The descriptors that came with a message; false if there are not as many as there should be. */
static bool take_descriptors(struct msghdr *m, int ret[SPAWN__FDS])
{
    const struct cmsghdr *c = CMSG_FIRSTHDR(m);
    if (c == NULL || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
        return false;
    size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    memcpy(ret, CMSG_DATA(c), n * sizeof(int));
    for (size_t i = 0; n != SPAWN__FDS && i < n; i++)
        close(ret[i]);
    return n == SPAWN__FDS;
}

static void run(const char *message, size_t len, const int fds[SPAWN__FDS])
{
    static struct spawn_order order;
    if (!spawn_read(message, len, &order)) {
        keeper_refuse(fds[SPAWN_LEASH], SPAWN_ORDER, 0);
        return;
    }
    pid_t keeper = fork();
    if (keeper == 0)
        keeper_run(&order.terms, fds);
    if (keeper < 0)
        keeper_refuse(fds[SPAWN_LEASH], SPAWN_FORK, errno);
}

/* One order. False: the handler is gone. */
static bool take_order(void)
{
    static char message[SPAWN_ORDER_MAX];
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(SPAWN__FDS * sizeof(int))];
    } control;
    struct iovec data = {message, sizeof message};
    struct msghdr m = {.msg_iov = &data,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof control};
    int fds[SPAWN__FDS];
    ssize_t len = recvmsg(SPAWN_SOCKET, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (len <= 0)
        return len < 0 && (errno == EAGAIN || errno == EINTR);
    if (!take_descriptors(&m, fds))
        return true;
    run(message, (size_t)len, fds);
    for (int i = 0; i < SPAWN__FDS; i++)
        close(fds[i]);
    return true;
}

/* For an order; for ever, if `socket` is -1, for the next child to end. */
static bool wait_for(int socket)
{
    struct pollfd order = {.fd = socket, .events = POLLIN};
    sigset_t none;
    sigemptyset(&none);
    return ppoll(&order, 1, NULL, &none) > 0;
}

static int serve(void)
{
    bool has_parent = true;
    set_signals();
    proc_adopt_orphans();
    while (has_parent) {
        if (wait_for(SPAWN_SOCKET))
            has_parent = take_order();
        reap();
    }
    while (proc_has_children()) {
        wait_for(-1);
        reap();
    }
    return EXIT_SUCCESS;
}

static bool is_spoken_to(void)
{
    int type = 0;
    socklen_t len = sizeof type;
    return getsockopt(SPAWN_SOCKET, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
           type == SOCK_SEQPACKET;
}

int main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1 || !is_spoken_to()) {
        fputs("connect-webhook-spawner runs the programs that are policies. connect-webhook.fcgi\n"
              "and connect-webhook start it themselves; by hand there is nothing to do with it.\n"
              "See connect-webhook-policy(7).\n",
              stderr);
        return BY_HAND;
    }
    closefrom(STDERR_FILENO + 1);
    return serve();
}
