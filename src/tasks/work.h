/*
 * work.h - working a queue off: its sweep, and a task for each object.
 */
#ifndef TASKS_WORK_H
#define TASKS_WORK_H

#include <stdatomic.h>
#include <stdint.h>

#include <json-c/json.h>

#include "base/err.h"
#include "inbox/inbox.h"
#include "tasks/object_task.h"
#include "tasks/queues.h"
#include "tasks/sweep.h"

#define WORK_WAIT_MS 30000 /* longest wait for another sweep of the same queue */
#define WORK_BUSY_MS 1000  /* ... for objects that others hold, before they are told of as busy */

/* Of threads that calls are worked on in, some may wait for a sweep that another has. */
struct work_waits {
    atomic_int waiting;
    int max; /* at a time */
};

struct work_summary {
    int64_t ended[OUTCOME__COUNT]; /* objects, by how they ended, now or when it was last asked */
    int64_t left;                  /* objects that are due, and not begun */
    struct result result; /* why no further object was begun; and the shortest wait that any
                             asked for */
};
int64_t work_objects(const struct work_summary *s); /* all of them */

/*
 * Work a queue off now, in this thread: sweep it, and run the tasks that are due, those that others
 * have left first. No object is begun after `deadline` (clk_mono_ms). `fn` is told of each: of
 * those that were asked about, of those that need not be, with what they ended with, and of those
 * that somebody else holds (OUTCOME_BUSY). Where what is decided may free others of the same queue,
 * it is swept again as long as that goes on; none has two turns.
 *
 * `waits` may be NULL: any number may wait. ERR_OK if each object was dealt with in some way or the
 * deadline came; ERR_BUSY if another sweep of the queue goes on, and could not be waited for;
 * ERR_CONFIG if the account's key is not here; else why the list could not be read, or why no
 * further object was begun: our key is not accepted, Connect asked us to pause, the program stops,
 * or the inbox fails. *ret is filled whatever is returned, and its result is what is returned.
 */
enum err work_queue(const struct queue *q, struct inbox *inbox, const struct task_terms *terms,
                    struct work_waits *waits, int64_t deadline, object_report_fn *fn, void *ctx,
                    struct work_summary *ret);

/* Report what stands in a list and is no use, to the log and to `fn`. */
void work_report_unusable(const struct queue *q, const struct swept *s, object_report_fn *fn,
                          void *ctx);

/* Add one queue's to the sum of several; the last error counts. */
void work_add_up(struct work_summary *sum, const struct work_summary *one);

/* A call that waits for what it has told of; everything is borrowed. */
struct waiting_call {
    const char *webhook_id;
    struct json_object *claims;
    int64_t delivery; /* the inbox's */
    struct work_waits *waits;
    int64_t started; /* clk_mono_ms */
};

/*
 * Work its queue off, as `processing` of the configuration says, and then those that what was
 * decided may have freed something in, for what waits there waits for this call. The delivery's
 * state becomes how it went, which is in *ret: ERR_OK if every object came to an end that Connect's
 * calling again would not better, and besides the errors of work_queue() those of queues_find().
 * *ret_objects is an array of what became of each, owned; NULL if memory ran out.
 */
void work_for_call(const struct queues *queues, struct inbox *inbox,
                   const struct waiting_call *call, struct json_object **ret_objects,
                   struct result *ret);

#endif
