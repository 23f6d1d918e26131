/*
 * fake_inbox.h - an inbox that keeps nothing, says what the test tells it to, and tells what it
 * was asked for.
 */
#ifndef FAKE_INBOX_H
#define FAKE_INBOX_H

#include <stdbool.h>

#include "inbox/backend.h"

struct fake_inbox {
    struct inbox head; /* pass its address */

    struct inbox_receipt receipt; /* what an append is told: at once, unless `held` is set */
    bool held;                    /* not before fake_inbox_release() */
    inbox_appended_fn *fn;
    void *ctx;
    struct delivery delivery; /* the last that was appended; its pointers are as borrowed */
    int appends;

    char states[128]; /* "1 done, 1 failed": what set_state was asked for */

    enum err lock_answer;  /* ERR_OK: locks are free */
    char locked[128];      /* the name of the last */
    int64_t lock_deadline; /* how long it would have waited */
    int locks, unlocks;

    /* The mark of any queue. */
    bool is_marked;
    struct inbox_mark mark;
    struct {
        char id[32];
        int64_t created_us;
    } seen[8];
    int seen_count;
    struct inbox_tally tally; /* of any webhook; times are not kept */

    enum err mark_answer; /* of writing one, and of noting what was seen */
};

void fake_inbox_init(struct fake_inbox *f);
void fake_inbox_release(struct fake_inbox *f); /* the last append is told now */

#endif
