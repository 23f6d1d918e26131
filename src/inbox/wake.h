/*
 * wake.h - telling whoever waits, in this process and all others of the machine.
 *
 * Who waits has a datagram socket beside a file that all know, "<file>.wake.<something>"; who has
 * something to tell sends a byte to each. What a dead process has left is removed by the next who
 * tells. Any thread.
 */
#ifndef INBOX_WAKE_H
#define INBOX_WAKE_H

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct wake;

/* Sockets are made with `mode`, when somebody waits. */
enum err wake_new(const char *file, mode_t mode, struct wake **ret, struct why *why);
void wake_free(struct wake *w); /* NULL is fine; nobody waits any more */

/* How often somebody has told so far. What is told from now on ends a wait for this number. */
uint64_t wake_heard(struct wake *w);
/* Wait until that is another. ERR_TIMEOUT at `until` (clk_mono_ms), ERR_STOPPED. */
enum err wake_wait(struct wake *w, uint64_t heard, int64_t until);
void wake_tell(struct wake *w);
/* End all waits of this process, and those to come. */
void wake_stop(struct wake *w);

#endif
