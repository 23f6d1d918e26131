/*
 * powerloss.c - remembers what a loss of power would undo. For LD_PRELOAD, in tests.
 *
 * For every regular file whose path begins with $CW_POWERLOSS_PREFIX (absolute, without symbolic
 * links), whatever changes it first notes in FILE.undo what it is going to overwrite, and
 * fsync() or fdatasync() of the file empties that log. When all processes have been killed,
 * tests/integration/powerloss.py goes through the logs backwards: then the files hold what was
 * synced, and of the rest nothing or, as on real disks, a random part.
 *
 * All processes that write to the files must have this shim. Each change is made under flock() of
 * its log, so that the log's order is that of the changes.
 *
 * A log is its own used length (8 bytes), then records as `struct record`, each followed by the
 * bytes that were overwritten. The length is written last: a record that was cut off by SIGKILL
 * does not count, and its change was not made.
 *
 * Not emulated:
 *   - folders: that a file was made, renamed or removed is taken to be on the disk at once. A file
 *     made and not synced becomes empty. One removed loses its log; do not rename over one.
 *   - mmap(): SQLite's FILE-shm is left out here and removed afterwards; SQLite makes it anew.
 *     Do not set PRAGMA mmap_size.
 *   - other ways to change a file: open(O_TRUNC), writev(), pwritev(), fallocate(), copying by the
 *     kernel, stdio. SQLite, as it is used here, needs none of them.
 *
 * Without CW_POWERLOSS_PREFIX nothing happens. What cannot be noted aborts the process.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_SUFFIX ".undo"
#define LOG_PATH   (PATH_MAX + sizeof LOG_SUFFIX)

enum change { CHANGE_WRITE = 1, CHANGE_TRUNCATE = 2 };

struct record {
    uint64_t change;
    uint64_t offset;   /* of the write, or the new size */
    uint64_t len;      /* bytes written */
    uint64_t old_size; /* of the file */
    uint64_t old_len;  /* bytes that follow: what was at the offset */
};

/* The next definition of a function: the one that is wrapped here. */
#define REAL(name) (__extension__(__typeof__(&(name))) next_definition(#name))

static void *next_definition(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (found == NULL)
        abort();
    return found;
}

static void must(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "powerloss.so: %s: %s\n", what, strerror(errno));
    abort();
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* Does the file belong to us? Then the path of its log. */
static bool log_path(const char *path, char ret[LOG_PATH])
{
    const char *prefix = getenv("CW_POWERLOSS_PREFIX");
    if (prefix == NULL || *prefix == '\0' || strncmp(path, prefix, strlen(prefix)) != 0 ||
        ends_with(path, "-shm") || ends_with(path, LOG_SUFFIX))
        return false;
    return snprintf(ret, LOG_PATH, "%s" LOG_SUFFIX, path) < (int)LOG_PATH;
}

/* Open the log of the file, and hold it; -1 if the file is none of ours. */
static int log_take(int fd)
{
    char link[64], path[PATH_MAX + 1], log[LOG_PATH];
    struct stat st;
    if (getenv("CW_POWERLOSS_PREFIX") == NULL || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) ||
        st.st_nlink == 0)
        return -1;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 0)
        return -1;
    path[n] = '\0';
    if (!log_path(path, log))
        return -1;
    int undo = open(log, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    must(undo >= 0, log);
    while (flock(undo, LOCK_EX) != 0)
        must(errno == EINTR, log);
    return undo;
}

static void log_give(int undo)
{
    if (undo >= 0)
        close(undo); /* and the lock goes with it */
}

static void put(int undo, const void *data, size_t len, uint64_t at)
{
    must(REAL(pwrite64)(undo, data, len, (off64_t)at) == (ssize_t)len, "undo log");
}

/* Note what the change is going to take away. */
static void log_add(int undo, int fd, enum change change, uint64_t offset, uint64_t len)
{
    struct stat st;
    must(fstat(fd, &st) == 0, "fstat");
    struct record r = {.change = change, .offset = offset, .len = len};
    r.old_size = (uint64_t)st.st_size;
    uint64_t gone = change == CHANGE_TRUNCATE ? UINT64_MAX : len;
    if (offset < r.old_size)
        r.old_len = r.old_size - offset < gone ? r.old_size - offset : gone;

    char *old = malloc(r.old_len + 1);
    must(old != NULL, "undo log");
    must(pread64(fd, old, r.old_len, (off64_t)offset) == (ssize_t)r.old_len,
         "a file that cannot be read");
    uint64_t used = sizeof used;
    ssize_t n = pread64(undo, &used, sizeof used, 0);
    must(n == 0 || n == (ssize_t)sizeof used, "undo log");
    put(undo, &r, sizeof r, used);
    put(undo, old, r.old_len, used + sizeof r);
    used += sizeof r + r.old_len;
    put(undo, &used, sizeof used, 0);
    free(old);
}

/* --------------------------------------------------------- what changes a file */

/* A write is where it says, or (`at` < 0) at the file's position, or at its end. */
static uint64_t place(int fd, off64_t at)
{
    if ((fcntl(fd, F_GETFL) & O_APPEND) != 0) {
        struct stat st;
        must(fstat(fd, &st) == 0, "fstat");
        return (uint64_t)st.st_size;
    }
    off64_t offset = at >= 0 ? at : lseek64(fd, 0, SEEK_CUR);
    must(offset >= 0, "lseek");
    return (uint64_t)offset;
}

ssize_t pwrite64(int fd, const void *data, size_t len, off64_t offset)
{
    int undo = offset >= 0 ? log_take(fd) : -1;
    if (undo >= 0)
        log_add(undo, fd, CHANGE_WRITE, place(fd, offset), len);
    ssize_t n = REAL(pwrite64)(fd, data, len, offset);
    log_give(undo);
    return n;
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t offset)
{
    return pwrite64(fd, data, len, offset);
}

ssize_t write(int fd, const void *data, size_t len)
{
    int undo = log_take(fd);
    if (undo >= 0)
        log_add(undo, fd, CHANGE_WRITE, place(fd, -1), len);
    ssize_t n = REAL(write)(fd, data, len);
    log_give(undo);
    return n;
}

int ftruncate64(int fd, off64_t size)
{
    int undo = size >= 0 ? log_take(fd) : -1;
    if (undo >= 0)
        log_add(undo, fd, CHANGE_TRUNCATE, (uint64_t)size, 0);
    int result = REAL(ftruncate64)(fd, size);
    log_give(undo);
    return result;
}

int ftruncate(int fd, off_t size)
{
    return ftruncate64(fd, size);
}

/* ------------------------------------------------------------ what makes it last */

static int sync_by(int (*real)(int), int fd)
{
    int undo = log_take(fd);
    int result = real(fd);
    if (undo >= 0 && result == 0)
        must(REAL(ftruncate64)(undo, 0) == 0, "undo log");
    log_give(undo);
    return result;
}

int fsync(int fd)
{
    return sync_by(REAL(fsync), fd);
}

int fdatasync(int fd)
{
    return sync_by(REAL(fdatasync), fd);
}

int unlink(const char *path)
{
    char log[LOG_PATH];
    int result = REAL(unlink)(path);
    if (result == 0 && log_path(path, log))
        REAL(unlink)(log);
    return result;
}
