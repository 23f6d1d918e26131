/* keeper.c - looking after one program. */
#include "spawner/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/proc.h"
#include "spawner/program.h"

struct keeper {
    const struct spawn_terms *terms;
    pid_t program;
    int leash;
    bool let_go; /* of the leash, by who holds the other end */
    int failure; /* where a program that could not be run says so */
    bool ended;
    int status;               /* as waitpid() has it */
    int64_t term_at, kill_at; /* clk_mono_ms: when the next signal is due */
};

static void send_report(int leash, const struct spawn_report *r)
{
    send(leash, r, sizeof *r, MSG_NOSIGNAL);
}

void keeper_refuse(int leash, enum spawn_step step, int error)
{
    const struct spawn_report r = {SPAWN_FAILED, error, (int32_t)step};
    send_report(leash, &r);
}

static void report(const struct keeper *k)
{
    struct program_failure f;
    struct spawn_report r = {.how = SPAWN_EXITED, .value = WEXITSTATUS(k->status)};
    if (WIFSIGNALED(k->status))
        r = (struct spawn_report){.how = SPAWN_KILLED, .value = WTERMSIG(k->status)};
    if (read(k->failure, &f, sizeof f) == sizeof f)
        keeper_refuse(k->leash, f.step, f.error);
    else
        send_report(k->leash, &r);
}

/* The program, and what it has left to us. */
static void reap(struct keeper *k)
{
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        if (pid != k->program)
            continue;
        k->ended = true;
        k->status = status;
    }
}

/* The signal that is due, if one is. */
static void signal_program(struct keeper *k)
{
    int64_t now = clk_mono_ms();
    if (now >= k->kill_at) {
        kill(k->program, SIGKILL); /* it may not have a session of its own yet */
        kill(-k->program, SIGKILL);
        k->kill_at = CLK_NEVER;
    } else if (now >= k->term_at) {
        kill(-k->program, SIGTERM);
        k->term_at = CLK_NEVER;
    }
}

/* The time until the next signal is due; NULL: none is. */
static const struct timespec *time_left(const struct keeper *k, struct timespec *at)
{
    int64_t next = k->term_at < k->kill_at ? k->term_at : k->kill_at;
    if (next == CLK_NEVER)
        return NULL;
    int left = clk_left_ms(next);
    *at = (struct timespec){left / 1000, left % 1000 * 1000000L};
    return at;
}

/* Wait for SIGCHLD (which is blocked elsewhere), the end of the leash, or the next signal. */
static void watch(struct keeper *k)
{
    struct pollfd leash = {.fd = k->let_go ? -1 : k->leash, .events = POLLIN};
    struct timespec left;
    sigset_t none;
    sigemptyset(&none);
    if (ppoll(&leash, 1, time_left(k, &left), &none) <= 0)
        return;
    k->let_go = true;
    k->term_at = clk_mono_ms() + k->terms->patience_ms;
    k->kill_at = k->term_at + SPAWN_GRACE_MS;
}

static bool start(struct keeper *k, const int fds[SPAWN__FDS])
{
    int failure[2];
    pid_t me = getpid();
    if (pipe2(failure, O_CLOEXEC | O_NONBLOCK) != 0 || (k->program = fork()) < 0) {
        keeper_refuse(k->leash, SPAWN_FORK, errno);
        return false;
    }
    if (k->program == 0)
        program_become(k->terms, fds, failure[1], me);
    k->failure = failure[0];
    close(failure[1]);
    for (int i = SPAWN_STDIN; i <= SPAWN_STDERR; i++)
        close(fds[i]); /* so that they end with the program */
    return true;
}

_Noreturn void keeper_run(const struct spawn_terms *t, const int fds[SPAWN__FDS])
{
    struct keeper k = {
        .terms = t, .leash = fds[SPAWN_LEASH], .term_at = CLK_NEVER, .kill_at = CLK_NEVER};
    prctl(PR_SET_NAME, "policy-keeper", 0, 0, 0);
    proc_adopt_orphans();
    dup2(STDOUT_FILENO, SPAWN_SOCKET); /* who looks after one program takes no orders */
    if (!start(&k, fds))
        _exit(0);
    while (!k.ended) {
        watch(&k);
        reap(&k);
        if (!k.ended)
            signal_program(&k);
    }
    if (proc_has_children()) /* something of it is left */
        proc_kill_strays(CLK_NEVER);
    report(&k);
    _exit(0);
}
