/*
 * sweep.h - list what is pending in one queue, and have each object decided and dealt with.
 *
 * A sweep belongs to an account, a product and a class. One at a time runs, across all
 * processes (inbox_lock_sweep()).
 */
#ifndef TASKS_SWEEP_H
#define TASKS_SWEEP_H

#include <stdbool.h>
#include <stdint.h>

#include <json-c/json.h>

#include "api/api.h"
#include "base/err.h"
#include "inbox/inbox.h"
#include "policy/policy.h"
#include "processors/job.h"

#define SWEEP_LOCK_MS 30000 /* longest wait for another runner of the same queue */
#define SWEEP_OBJECT_MS                                                         \
    400000 /* for one object, where nobody waits for the sweep: Connect's calls \
              may take 300 s, and a look at what one did comes after it */

/* How one sweep is to be made. */
struct sweep_terms {
    struct json_object *claims; /* of the event, NULL when polling; borrowed */
    int64_t deadline;           /* clk_mono_ms: after it no new object is begun */
    int64_t object_ms;          /* what one object that was begun may take */
    bool dry_run;
};

/* What to sweep, for whom; everything is borrowed. */
struct sweep {
    struct api *api;
    struct inbox *inbox;
    struct policy *policy;
    const char *webhook_id;
    const char *product_id;
    const struct object_class *object_class;
    enum webhook_type webhook_type;
    enum side side;
    const char *const *states; /* what is pending, NULL-terminated */
    struct sweep_terms terms;
};

/* What became of one object. */
struct swept {
    const char *webhook_id;
    const struct object_class *object_class;
    const char *id;     /* "#7" for the seventh of the list, if it has none */
    const char *type;   /* of the request: "purchase"; "" if it has none */
    const char *before; /* its state when read */
    const char *after;  /* its state afterwards; "" if not known */
    const char *action; /* decided; "" if none */
    const char *rule;   /* which rule said so; "" if none */
    enum outcome outcome;
    const char *reason;    /* for anything but done, and for a message that was not posted, without
                              the object's passwords; or "" */
    int64_t retry_after_s; /* retry or reschedule: how long to wait; -1 if not said */
};

/* The same for programs, wherever an object is reported: every key is always there, `retry_after`
 * may be null. NULL: out of memory. Owned by the caller. */
struct json_object *swept_json(const struct swept *s);

/* Called for each object as it ends; everything is borrowed for the call. */
typedef void swept_fn(void *ctx, const struct swept *s);

struct sweep_result {
    int64_t objects;               /* listed */
    int64_t ended[OUTCOME__COUNT]; /* of them, by how they ended */
    int64_t left;                  /* not begun: the deadline came */
    int64_t retry_after_s;         /* the shortest wait that anybody asked for; -1 if none */
};

/*
 * Run a sweep now, in this thread. What is pending is listed to its end first, as the list would
 * shift while its objects change; then each object is read again, decided, and dealt with. One
 * that is no longer pending has been dealt with elsewhere: a skip that says so. What stands in the
 * list and cannot be used (it cannot be read, is too big, or its id is none of Connect's) is
 * reported as dead, and keeps nobody from the others.
 *
 * ERR_OK if each object was dealt with in some way or the deadline came (see `result`); ERR_BUSY
 * if another runner has the queue; ERR_INVALID if nothing handles the class; else why the list
 * could not be read, or why no further object was begun: our key is not accepted, Connect asked
 * us to pause, or the program stops. *ret is filled whatever is returned.
 */
enum err sweep_run(const struct sweep *s, swept_fn *fn, void *ctx, struct sweep_result *ret,
                   struct why *why);

#endif
