/*
 * job.h - carrying a decision out: the one way, for objects of all classes.
 *
 * Parameters first (only those that change), then the verb, then the message. What is particular
 * to a class stands in its descriptor (event/object_class.h). It runs under the object's lease, on
 * an object that has just been read, with a decision that the class, our side and the object's
 * state allow. Each change is sent once; after an outcome that is not known, or a refusal, the
 * object is read again instead. So a job may be run again for the same object.
 */
#ifndef PROCESSORS_JOB_H
#define PROCESSORS_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include <json-c/json.h>

#include "api/api.h"
#include "base/err.h"
#include "event/object_class.h"
#include "policy/decision.h"

/* How a task ended: what happens next, not what went wrong. */
#define OUTCOME_LIST(X)                                                          \
    X(OUTCOME_DONE, "done")             /* carried out, or already so */         \
    X(OUTCOME_SKIP, "skip")             /* left as it is, on purpose */          \
    X(OUTCOME_RETRY, "retry")           /* transient: again later */             \
    X(OUTCOME_RESCHEDULE, "reschedule") /* the policy asked to be asked again */ \
    X(OUTCOME_BUSY, "busy")             /* somebody else is at it */             \
    X(OUTCOME_REJECT, "dead")           /* permanent: for a person to look at */

enum outcome {
#define X(code, name) code,
    OUTCOME_LIST(X)
#undef X
        OUTCOME__COUNT,
    OUTCOME_GO_ON /* of a step: not the end, the next one comes */
};
const char *outcome_name(enum outcome o); /* "done"; static */
/* `other` if there is none of the name. */
enum outcome outcome_of_name(const char *name, enum outcome other);

struct template_lists;

/* One decision about one object. */
struct job {
    struct api *api;
    struct template_lists *templates; /* of the product, as far as they are known; borrowed */
    const struct object_class *object_class;
    const char *product_id;
    const char *object_id;
    struct json_object *object;      /* as just read; borrowed */
    const struct decision *decision; /* borrowed */
    bool dry_run;                    /* say what would be done, and change nothing */
    int64_t deadline;                /* clk_mono_ms: for what reads and changes */
    int64_t recheck_by;              /* later: for reading what became of a change */
    struct buf *trace;               /* of what is asked of Connect, as struct api_call has it */
    int64_t patience_ms;             /* ditto */
    const struct api_fence *fence;   /* ditto */

    /* Filled in. */
    char state[32];       /* the object's afterwards, "" if not known */
    struct result result; /* what failed, though it be the message alone; else the reason of a skip
                             or a reschedule, or what was cut of a text */
};

/* Never OUTCOME_GO_ON. */
enum outcome job_carry_out(struct job *job);

/* A call to Connect, until then (clk_mono_ms). */
struct api_call job_call(const struct job *job, int64_t deadline);

/* End a step whose story is told: transient failures are tried again, others are for a person. */
enum outcome job_fail(enum err e);
/* ... with what a call to the API came to. */
enum outcome job_fail_call(struct job *job, const struct api_call *call);

#endif
