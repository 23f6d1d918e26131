/*
 * hold.h - what this program holds by leases, and keeps for as long as it works on it.
 *
 * A program may be stopped, or cut off from the inbox, past the end of a lease: then others have
 * what it held, and it must not change anything any more, though it cannot know. So a lease counts
 * as ours only until the end that it surely had, by a clock that goes on while a program, or the
 * whole machine, sleeps. And right before a verb is sent to Connect the inbox is asked, too: does
 * the row still have this lease, and has it time left? Somebody may have taken it over unnoticed.
 *
 * One window remains, from that look to the sending: a program that is stopped just there, until
 * its lease is over, sends when it goes on what another one may have sent meanwhile. Connect has
 * nothing that would close it, but refuses to decide what is decided.
 */
#ifndef TASKS_HOLD_H
#define TASKS_HOLD_H

#include <stdatomic.h>
#include <stdint.h>

#include "api/api.h"
#include "base/err.h"
#include "inbox/inbox.h"

/* All that is to be kept. Any thread. */
struct holds;

/* Borrows the inbox. NULL: out of memory. */
struct holds *holds_new(struct inbox *inbox);
void holds_free(struct holds *h); /* when nothing is held; NULL is fine */
/* Prolong what has used up a third of its lease; to be called again and again, well within a third
 * of the shortest. */
void holds_beat(struct holds *h);

/* One lease, in the memory of who works under it. */
struct hold {
    struct api_fence fence; /* for what is sent to Connect */
    _Atomic int64_t until;  /* clk_boot_ms: ours at least until then */
    struct inbox_lease lease;
    int64_t lease_ms;
    struct inbox *inbox; /* hold.c's, as what follows */
    struct holds *among;
    struct hold *next;
};

/* `among` may be NULL: then it ends when it ends. */
void hold_begin(struct hold *h, struct inbox *inbox, struct holds *among,
                const struct inbox_lease *lease, int64_t lease_ms);
void hold_end(struct hold *h);

#endif
