/*
 * fake_inbox.h - an inbox that fails where the test tells it to, and tells what it was
 * asked for.
 */
#ifndef FAKE_INBOX_H
#define FAKE_INBOX_H

#include <stdbool.h>

#include "inbox/backend.h"
#include "temp_folder.h"

struct fake_inbox {
    struct inbox *inbox; /* to be passed */
    char folder[TEMP_FOLDER_MAX];

    struct inbox_receipt receipt; /* what an append is told: at once, unless `held` is set */
    bool held;                    /* not before fake_inbox_release() */
    inbox_appended_fn *fn;
    void *ctx;
    struct delivery delivery; /* the last that was appended; its pointers are as borrowed */
    int appends;

    char states[128]; /* "1 done, 1 failed": what set_state was asked for */

    enum err store_answer;    /* of all that touches sweeps and tasks; ERR_OK: they are kept */
    struct inbox_tally tally; /* of any webhook; times are not kept */

    enum err mark_answer; /* of writing a mark, and of noting what was seen */
};

/* One at a time. */
void fake_inbox_open(struct fake_inbox *f);
void fake_inbox_close(struct fake_inbox *f);
void fake_inbox_release(struct fake_inbox *f); /* the last append is told now */

/* The mark of a queue; false if it has none. What was seen above it: "UF-1@5 ". */
bool fake_inbox_mark(struct fake_inbox *f, const struct inbox_queue *q, struct inbox_mark *ret,
                     char ret_seen[128]);

#endif
