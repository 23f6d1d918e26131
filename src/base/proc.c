/* proc.c - strays: found in /proc, killed, reaped. */
#include "base/proc.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/array.h"
#include "base/clk.h"

struct process {
    pid_t pid, parent, session;
    bool stray;
};

struct processes {
    struct process *list;
    size_t count, cap;
};

void proc_line(const char *path, char *ret, size_t size)
{
    FILE *f = fopen(path, "re");
    if (f == NULL || fgets(ret, (int)size, f) == NULL)
        ret[0] = '\0';
    ret[strcspn(ret, "\n")] = '\0';
    if (f != NULL)
        fclose(f);
}

void proc_adopt_orphans(void)
{
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

bool proc_has_children(void)
{
    siginfo_t info;
    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/* Of "PID (NAME) STATE PARENT GROUP SESSION ...", in which a name may be anything. */
static bool read_process(const char *pid, struct process *ret)
{
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false; /* it has ended meanwhile */
    ssize_t len = read(fd, text, sizeof text - 1);
    close(fd);
    text[len > 0 ? len : 0] = '\0';
    char *at = strrchr(text, ')');
    if (at == NULL || strlen(at) < sizeof ") S ")
        return false;
    at += sizeof ") S " - 1;
    pid_t parent = (pid_t)strtol(at, &at, 10);
    strtol(at, &at, 10); /* its group */
    *ret = (struct process){(pid_t)strtol(pid, NULL, 10), parent, (pid_t)strtol(at, NULL, 10),
                            false};
    return true;
}

static bool add(struct processes *all, const struct process *one)
{
    struct process *list = array_room(all->list, all->count, &all->cap, sizeof *list);
    if (list == NULL)
        return false;
    all->list = list;
    all->list[all->count++] = *one;
    return true;
}

static bool read_all(struct processes *all)
{
    DIR *folder = opendir("/proc");
    if (folder == NULL)
        return false;
    bool ok = true;
    for (const struct dirent *entry; ok && (entry = readdir(folder)) != NULL;) {
        struct process one;
        if (isdigit((unsigned char)entry->d_name[0]) && read_process(entry->d_name, &one))
            ok = add(all, &one);
    }
    closedir(folder);
    return ok;
}

static bool is_below_stray(const struct processes *all, const struct process *p)
{
    for (size_t i = 0; i < all->count; i++)
        if (all->list[i].pid == p->parent)
            return all->list[i].stray;
    return false;
}

/* Those that are left to us, and then, round by round, what is below them. */
static size_t find_strays(struct processes *all)
{
    size_t strays = 0, before = 0;
    pid_t me = getpid(), session = getsid(0);
    for (size_t i = 0; i < all->count; i++) {
        struct process *p = &all->list[i];
        p->stray = p->parent == me && p->session != session;
        strays += p->stray;
    }
    while (strays > before) {
        before = strays;
        for (size_t i = 0; i < all->count; i++) {
            struct process *p = &all->list[i];
            if (!p->stray && is_below_stray(all, p)) {
                p->stray = true;
                strays++;
            }
        }
    }
    return strays;
}

bool proc_wait(pid_t child, int64_t deadline, int *ret_status)
{
    struct pollfd end = {.fd = pidfd_open(child, 0), .events = POLLIN};
    if (end.fd >= 0) {
        while (poll(&end, 1, clk_left_ms(deadline)) < 0)
            continue;
        close(end.fd);
    }
    return waitpid(child, ret_status, WNOHANG) == child;
}

/* One round: true if there is none. Each that dies may leave us others. */
static bool kill_round(int64_t deadline, bool *ret_failed)
{
    struct processes all = {0};
    *ret_failed = !read_all(&all);
    size_t strays = find_strays(&all);
    for (size_t i = 0; i < all.count; i++)
        if (all.list[i].stray)
            kill(all.list[i].pid, SIGKILL);
    for (size_t i = 0; i < all.count; i++) {
        int status;
        if (all.list[i].stray && all.list[i].parent == getpid())
            proc_wait(all.list[i].pid, deadline, &status);
    }
    free(all.list);
    return strays == 0;
}

bool proc_kill_strays(int64_t deadline)
{
    bool failed = false;
    while (!kill_round(deadline, &failed) && !failed)
        if (clk_mono_ms() >= deadline)
            return false;
    return !failed;
}
