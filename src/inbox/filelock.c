/* filelock.c - a lock between processes, with a bounded wait. */
#include "inbox/filelock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clk.h"

/* Of short waits a long one is made. us */
#define PAUSE_NEXT 200 /* who is next should not let the lock lie idle */
#define PAUSE_MIN  1000
#define PAUSE_MAX  10000
#define TURN_MS    50 /* who is next may have been stopped, and then its turn is over */

enum err filelock_open(const char *path, mode_t mode, int *ret_fd, struct why *why)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return why_set(why, ERR_STORE, "lock file %s: %s", path, strerror(errno));
    struct stat st;
    /* The umask may have taken rights away that the group needs; only the owner can restore them.
     */
    if (fstat(fd, &st) == 0 && st.st_uid == geteuid() && (st.st_mode & 0777) != mode &&
        fchmod(fd, mode) != 0) {
        close(fd);
        return why_set(why, ERR_STORE, "lock file %s: %s", path, strerror(errno));
    }
    *ret_fd = fd;
    return ERR_OK;
}

static struct flock record(short type, int64_t at, int64_t count)
{
    return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = at, .l_len = count};
}

/* False: another is next. Where there are no record locks everybody is. */
static bool set_turn(int fd, short type)
{
    struct flock turn = record(type, 0, 1);
    return fcntl(fd, F_OFD_SETLK, &turn) == 0 || (errno != EAGAIN && errno != EACCES);
}

static enum err try_lock(int fd)
{
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return ERR_OK;
    return errno == EWOULDBLOCK || errno == EINTR ? ERR_BUSY : ERR_STORE;
}

/* No event ends a wait in time: the kernel wakes only who waits for a lock for ever. */
static void sleep_us(int64_t us)
{
    const struct timespec t = {us / 1000000, us % 1000000 * 1000};
    nanosleep(&t, NULL);
}

enum err filelock_take(int fd, int64_t deadline, const atomic_bool *stop)
{
    int64_t turn_ends = clk_mono_ms() + TURN_MS;
    int64_t pause_us = PAUSE_MIN;
    bool next = false;
    enum err e;
    for (;;) {
        bool stopped = atomic_load(stop);
        int left = clk_left_ms(deadline);
        next = next || set_turn(fd, F_WRLCK);
        bool may_ask = next || stopped || left == 0 || clk_left_ms(turn_ends) == 0;
        e = may_ask ? try_lock(fd) : ERR_BUSY;
        if (e == ERR_BUSY && stopped)
            e = ERR_STOPPED;
        if (e != ERR_BUSY || left == 0)
            break;
        sleep_us(clk_earlier(next ? PAUSE_NEXT : pause_us, left * INT64_C(1000)));
        pause_us = clk_earlier(2 * pause_us, PAUSE_MAX);
    }
    if (next)
        set_turn(fd, F_UNLCK);
    return e;
}

void filelock_give(int fd)
{
    flock(fd, LOCK_UN);
}

bool filelock_mark(int fd, int64_t at)
{
    struct flock mark = record(F_WRLCK, at, 1);
    return fcntl(fd, F_OFD_SETLK, &mark) == 0;
}

bool filelock_unmarked(int fd, int64_t at, int64_t count)
{
    struct flock mark = record(F_WRLCK, at, count);
    return fcntl(fd, F_OFD_GETLK, &mark) == 0 && mark.l_type == F_UNLCK;
}
