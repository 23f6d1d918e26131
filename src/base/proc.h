/*
 * proc.h - processes below this one that have lost whoever looked after them.
 *
 * The programs that run programs (the handler, its spawner, the keepers of that) each keep what is
 * theirs in a session of its own kind. So for all of them the same holds: a child in another
 * session than one's own is a stray, left to us as the nearest reaper by somebody who has died.
 */
#ifndef BASE_PROC_H
#define BASE_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The first line of one of the kernel's files, without its end; "" if there is none. */
void proc_line(const char *path, char *ret, size_t size);

/* Become the parent of all below us whose own has died. */
void proc_adopt_orphans(void);

/* Does any child still run, or wait to be reaped? */
bool proc_has_children(void);

/*
 * Kill every child that is in another session, and all that is below it, until none is left; they
 * are reaped. False if some were left at `deadline` (clk_mono_ms), or /proc cannot be read.
 */
bool proc_kill_strays(int64_t deadline);

/* Wait until a child has ended, and reap it; *ret_status as waitpid() has it. False if it runs on
 * at `deadline`, or is no child. */
bool proc_wait(pid_t child, int64_t deadline, int *ret_status);

#endif
