/*
 * spawner.h - programs, run by connect-webhook-spawner: the handler's end.
 *
 * The spawner's process is started with the first program, and again when it has died; what it ran
 * then is gone, and what it left is killed, at once if spawner_reap() is called. Nothing waits here
 * but for the start itself: who runs a program polls its descriptors.
 */
#ifndef POLICY_SPAWNER_H
#define POLICY_SPAWNER_H

#include "base/buf.h"
#include "base/err.h"
#include "policy/spawn.h"

#define SPAWNER_PROGRAM "connect-webhook-spawner"
#define SPAWNER_STOP_MS 5000 /* longest wait for programs to end when all is over */

struct spawner;

/* `program` is the spawner's path; NULL: beside the program that runs, else where it was installed.
 * NULL: out of memory. Starts nothing. */
struct spawner *spawner_new(const char *program);
/* When no program is run any more: waits, a little, until the last has ended. NULL is fine. */
void spawner_free(struct spawner *s);

/*
 * A child of this process has ended (SIGCHLD): if it is the spawner's process, kill what that has
 * left; any other is an orphan that was left to us, as PID 1 or the nearest reaper, and is reaped.
 * Any thread.
 */
void spawner_reap(struct spawner *s);

/* A program's ends that are ours; each may be closed (-1). All but the leash do not block. */
struct spawned {
    int in;    /* its standard input */
    int out;   /* its standard output */
    int err;   /* its standard error */
    int leash; /* readable when it has ended, see spawned_end(); close it to have it ended */
};

/* Run what spawn_write() has written. ERR_IO: `why` tells what is to be done. Any thread. */
enum err spawner_run(struct spawner *s, const struct buf *order, struct spawned *ret,
                     struct why *why);
/*
 * Read, from a leash that is readable, how the program ended. False: nobody can tell, as the
 * spawner, or what it had look after the program, has died: the program has, too, and may be run
 * again. Then the spawner's process is looked after before this returns.
 */
bool spawner_end(struct spawner *s, const struct spawned *p, struct spawn_report *ret);

/* Close one end, if it is not closed. */
void spawned_close_end(int *fd);
/* Let go of a program: it is ended, if it has not. */
void spawned_close(struct spawned *p);

#endif
