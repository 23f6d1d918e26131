/*
 * worker.h - one worker: what it does with what it has claimed, a sweep or an object's task.
 */
#ifndef TASKS_WORKER_H
#define TASKS_WORKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "inbox/inbox.h"
#include "processors/template.h"
#include "tasks/hold.h"
#include "tasks/object_task.h"
#include "tasks/queues.h"

/* Of one thread. Everything is borrowed. */
struct worker {
    struct inbox *inbox;
    struct holds *holds;     /* among which its leases are kept */
    const atomic_bool *stop; /* once it is true nothing further is begun */
    object_report_fn *fn;    /* told of each object */
    void *ctx;

    /* worker.c's: the templates of the product that it worked for last. */
    struct template_lists templates;
    char account_id[OBJECT_ID_MAX], product_id[OBJECT_ID_MAX];
    int64_t templates_until; /* clk_mono_ms */
};
void worker_free(struct worker *w);

/*
 * Do what was claimed, as its queue says, and end it. What no queue is for, or one whose account's
 * key is not here, is left for later: another program may know it. False: that, or a list that
 * could not be read.
 */
bool worker_do(struct worker *w, const struct queues *queues, const struct inbox_claimed *c);

#endif
