/* program.c - from a forked process to the program. */
#include "spawner/program.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOT_RUN 127 /* as a shell has it */

static void reset_signals(void)
{
    sigset_t none;
    /* Not by signal(), which keeps its hands off those that the C library uses, and which the C
     * library has ignored on our way here. All zero is the default. */
    static const char by_default[64];
    for (int s = 1; s < NSIG; s++)
        syscall(SYS_rt_sigaction, s, by_default, NULL, (NSIG - 1) / 8);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* 0, 1 and 2, and our way to tell that it failed: 3, until the program runs. */
static int take_descriptors(const int fds[SPAWN__FDS], int failure)
{
    for (int i = SPAWN_STDIN; i <= SPAWN_STDERR; i++)
        dup2(fds[i], i);
    if (failure != STDERR_FILENO + 1) {
        dup2(failure, STDERR_FILENO + 1);
        failure = STDERR_FILENO + 1;
    }
    fcntl(failure, F_SETFD, FD_CLOEXEC);
    closefrom(failure + 1);
    return failure;
}

/* Never more than what holds already. */
static bool limit(int resource, int64_t most)
{
    struct rlimit now;
    if (most <= 0)
        return true;
    if (getrlimit((__rlimit_resource_t)resource, &now) != 0)
        return false;
    rlim_t wanted = (rlim_t)most < now.rlim_max ? (rlim_t)most : now.rlim_max;
    const struct rlimit both = {wanted, wanted};
    return setrlimit((__rlimit_resource_t)resource, &both) == 0;
}

static bool set_limits(const struct spawn_terms *t)
{
    const struct rlimit no_core = {0, 0};
    return limit(RLIMIT_CPU, t->cpu_s) && limit(RLIMIT_DATA, t->memory) &&
           limit(RLIMIT_FSIZE, t->file_size) && limit(RLIMIT_NOFILE, t->files) &&
           setrlimit(RLIMIT_CORE, &no_core) == 0;
}

/* Root is nobody's user here, whatever was ordered. */
static bool take_user(const struct spawn_terms *t)
{
    if (t->as_user && (setgroups(1, &t->gid) != 0 || setresgid(t->gid, t->gid, t->gid) != 0 ||
                       setresuid(t->uid, t->uid, t->uid) != 0))
        return false;
    errno = EPERM;
    return geteuid() != 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

_Noreturn static void fail(int failure, enum spawn_step step)
{
    const struct program_failure f = {step, errno};
    while (write(failure, &f, sizeof f) < 0 && errno == EINTR)
        continue;
    _exit(NOT_RUN);
}

_Noreturn void program_become(const struct spawn_terms *t, const int fds[SPAWN__FDS], int failure,
                              pid_t keeper)
{
    setsid();
    failure = take_descriptors(fds, failure);
    if (!set_limits(t))
        fail(failure, SPAWN_LIMITS);
    if (!take_user(t))
        fail(failure, SPAWN_USER);
    reset_signals(); /* after the user, for whose change the C library may need one */
    /* Likewise, as that would end it; the keeper may have died before. */
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != keeper)
        _exit(NOT_RUN);
    if (chdir(t->cwd) != 0)
        fail(failure, SPAWN_FOLDER);
    execve(t->argv[0], (char *const *)t->argv, (char *const *)t->env);
    fail(failure, SPAWN_EXEC);
}
