/*
 * sweep.h - what is pending in a queue.
 */
#ifndef TASKS_SWEEP_H
#define TASKS_SWEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clk.h"
#include "base/err.h"
#include "tasks/queues.h"

/* An object as it was listed; everything is borrowed. */
struct swept {
    const char *id;       /* "#7" for the seventh of the list, if it has none */
    const char *type;     /* of the request: "purchase"; "" if it has none */
    const char *state;    /* "" if it has none */
    const char *unusable; /* why it can be neither read nor changed; NULL if it can */
    int64_t created_us;   /* when it was made; of classes without states; CLK_UNKNOWN if it does not
                             say */
};

typedef bool swept_fn(void *ctx, const struct swept *s);

/* A sweep, as it is asked for. */
struct sweep {
    int64_t since_us;    /* of classes without states: what was made then or later */
    int64_t deadline;    /* clk_mono_ms */
    swept_fn *is_wanted; /* asked as each is listed: false leaves it out */
    swept_fn *fn;        /* called for each that is wanted; false stops the sweep */
    void *ctx;
};

struct sweep_count {
    int64_t listed; /* and wanted */
    int64_t left;   /* of these, not passed: the deadline came, or `fn` stopped */
};

/*
 * Pass each pending object of the queue, none after the deadline. The list is read to
 * its end first, as it would shift while its objects change; only what stands in it and cannot be
 * used is passed while it is read. Another product's objects are not passed at all. *ret_count and
 * *ret_result are filled whatever is returned: why the list could not be read.
 */
enum err sweep_queue(const struct queue *q, const struct sweep *sweep,
                     struct sweep_count *ret_count, struct result *ret_result);

#endif
