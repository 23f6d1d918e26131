/*
 * program.h - a policy's program while it runs: what it reads, says and complains of.
 *
 * One thread at a time. Its standard error goes into the log line by line; the last lines are kept
 * for the story of its failure. Passwords are hidden in both.
 */
#ifndef POLICY_PROGRAM_H
#define POLICY_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mask.h"
#include "policy/spawner.h"

#define PROGRAM_ANSWER_MAX (16 * 1024 * 1024)  /* bytes that it may have said and nobody taken */
#define PROGRAM_INPUT_MAX  (128 * 1024 * 1024) /* bytes that wait for it to read them */
#define PROGRAM_LINE_MAX                                                             \
    1024                       /* bytes of a line of standard error; longer ones are \
                                  broken */
#define PROGRAM_LINES_MAX 1000 /* of them that reach the log; of a session, for each question */
#define PROGRAM_LAST_MAX  256  /* bytes of the last lines that are told, with the NUL */

/* How a policy's program is run, every time. */
struct program_terms {
    const char *name; /* for people: its path's last part */
    struct spawner *spawner;
    struct buf order; /* spawn_write()'s */
    int stop;         /* a descriptor that is readable when all questions are to be ended */
};

struct program {
    const struct program_terms *terms;
    struct spawned ends;
    struct buf in; /* for it to read, from `read_` on */
    size_t read;
    bool last_in; /* nothing comes after that: its standard input ends */
    int wake;     /* an eventfd, closed with it: ends a wait of program_pump(); -1 is none */
    struct buf out;
    char line[PROGRAM_LINE_MAX + 1];
    size_t line_len;
    char last[PROGRAM_LAST_MAX];
    int lines;               /* of standard error, that were logged */
    const struct mask *mask; /* of passwords; NULL is none; borrowed */
    const char *about;       /* "webhook WH-1: PR-1", for the log; borrowed */
    bool ended, lost;        /* lost: nobody knows how it ended, so it may be run again */
    struct spawn_report end;
};

/* Not running; program_close() is fine. */
void program_init(struct program *p, const struct program_terms *terms);
enum err program_start(struct program *p, struct why *why);
/* Has it been started, and not been closed? */
bool program_runs(const struct program *p);
void program_close(struct program *p);

/*
 * Give it what it has still to read, take what it says, and see whether it has ended; wait until
 * something of that happens, or `deadline` (clk_mono_ms) or the terms' stop has come: ERR_TIMEOUT,
 * ERR_STOPPED. ERR_TOO_BIG: it says too much. ERR_NOMEM. Then it should be closed.
 */
enum err program_pump(struct program *p, int64_t deadline);

/* Tell how one that has ended did: ERR_OK for status 0, ERR_BUSY for EX_TEMPFAIL, else ERR_PROGRAM.
 */
enum err program_ending(const struct program *p, struct why *why);
/* Tell what program_pump() failed with; returns that, ERR_PROGRAM for one that says too much. */
enum err program_fail(const struct program *p, enum err e, struct why *why);
/* Its last words, appended to a story: ". It said: ...". Returns `e`. */
enum err program_blame(const struct program *p, enum err e, struct why *why);

#endif
