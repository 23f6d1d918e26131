/*
 * sweep.h - a queue's sweep: list what is pending, and hand it to the inbox.
 */
#ifndef TASKS_SWEEP_H
#define TASKS_SWEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>

#include "base/err.h"
#include "inbox/inbox.h"
#include "tasks/hold.h"
#include "tasks/queues.h"

#define SWEEP_MS 400000 /* a list that takes longer is none */

/* How a sweep is to be made. */
struct sweep_terms {
    struct json_object
        *claims; /* of the call that tells of the queue, NULL when polling; borrowed */
    bool dry_run;
    bool retry_now;      /* what waits to be tried again is due, too */
    int64_t deadline;    /* clk_mono_ms */
    int64_t patience_ms; /* as struct api_call has it */
    struct holds *holds; /* among which its lease is kept; NULL: it is not */
};

/* An object as it was listed. */
struct swept {
    char id[OBJECT_ID_MAX];   /* "#7" for the seventh of the list, if it has none */
    char type[24];            /* of the request: "purchase"; "" if it has none */
    char state[24];           /* "" if it has none */
    char *unusable;           /* why it can be neither read nor changed; NULL if it can. Owned */
    struct inbox_task *known; /* what is remembered of it, or that somebody else holds it; NULL: it
                                 is ready, and due. Owned */
    uint8_t fingerprint[INBOX_FINGERPRINT_LEN];
};

struct sweep_list {
    struct swept *list; /* in the list's order */
    size_t count, cap;
};
void sweep_list_free(struct sweep_list *l);

/* How long a sweep has to be held whose lease is not kept. */
int64_t sweep_lease_ms(const struct queue *q);

/*
 * Make the sweep of a queue that is held: its pending objects become tasks, and the lease is given
 * back. The list is read to its end first, as it would shift while its objects change. Another
 * product's objects are left out. *ret is filled in as far as it gets; why the list could not be
 * read, or kept, is in *ret_result.
 */
enum err sweep_queue(const struct queue *q, struct inbox *inbox, const struct inbox_sweep *held,
                     const struct sweep_terms *terms, struct sweep_list *ret,
                     struct result *ret_result);

#endif
