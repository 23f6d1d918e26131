/*
 * filelock.h - a lock that all processes of this machine respect, with a bounded wait; and marks,
 * by which they know of each other.
 *
 * flock(2) on a file of its own. The lock belongs to the descriptor: it excludes other threads
 * that opened the file themselves, too, and ends with the process, however that dies.
 *
 * One of those who wait is next: it holds a record lock on the file's first byte (fcntl(2),
 * F_OFD_SETLK), without which nobody asks for the lock. So who gives it and wants it again at once
 * comes after the next one, and nobody who works a lot keeps the others out.
 *
 * A mark is a record lock on another byte of the file, which need not be there. The kernel takes it
 * away when the process ends, however that happens, and tells of it across PID namespaces, users
 * and sandboxes. The child of a posix_spawn() has a copy of it until its exec.
 */
#ifndef INBOX_FILELOCK_H
#define INBOX_FILELOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/* Open (or create with `mode`, whatever the umask) a lock file. *ret_fd is the caller's. */
enum err filelock_open(const char *path, mode_t mode, int *ret_fd, struct why *why);

/*
 * Wait for the lock until `deadline` (clk_mono_ms): ERR_BUSY if others hold it that long. Until
 * `*stop`, whoever sets it: ERR_STOPPED; a lock that is free is taken all the same. ERR_STORE.
 */
enum err filelock_take(int fd, int64_t deadline, const atomic_bool *stop);
void filelock_give(int fd);

#define FILELOCK_MARKS 1 /* the first byte that may be a mark */

/* Hold a mark until the descriptor is closed. False: it cannot be held, or somebody else has it. */
bool filelock_mark(int fd, int64_t at);
/* Is it certain that nobody but `fd` holds any of these marks? `count` 0: any from `at` on. */
bool filelock_unmarked(int fd, int64_t at, int64_t count);

#endif
