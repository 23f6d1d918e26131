/* filelock.c - a lock between processes, with a bounded wait. */
#include "inbox/filelock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clk.h"

/* flock() waits for ever or not at all; so the wait is made of short ones. ms */
#define PAUSE_MIN 1
#define PAUSE_MAX 20

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

enum err filelock_take(int fd, int64_t deadline, const atomic_bool *stop)
{
    int pause = PAUSE_MIN;
    for (;;) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return ERR_OK;
        if (errno != EWOULDBLOCK && errno != EINTR)
            return ERR_STORE;
        if (atomic_load(stop))
            return ERR_STOPPED;
        int left = clk_left_ms(deadline);
        if (left == 0)
            return ERR_BUSY;
        poll(NULL, 0, left < pause ? left : pause);
        pause = pause * 2 > PAUSE_MAX ? PAUSE_MAX : pause * 2;
    }
}

void filelock_give(int fd)
{
    flock(fd, LOCK_UN);
}
