/*
 * processor.h - what handles one class of Connect's objects.
 *
 * A processor is one constant and one file: processors/<object_class>.c defines
 * `processor_<object_class>`, and processors/list.h names it. It runs under the object's lease,
 * on an object that has just been read, with a decision that the class, our side and the
 * object's state allow. It may run again for the same object, so it looks before it writes.
 */
#ifndef PROCESSORS_PROCESSOR_H
#define PROCESSORS_PROCESSOR_H

#include <stdbool.h>
#include <stdint.h>

#include <json-c/json.h>

#include "api/api.h"
#include "base/err.h"
#include "event/object_class.h"
#include "policy/policy.h"

/* How a task ended: what happens next, not what went wrong. */
#define OUTCOME_LIST(X)                                                          \
    X(OUTCOME_DONE, "done")             /* carried out, or already so */         \
    X(OUTCOME_SKIP, "skip")             /* left as it is, on purpose */          \
    X(OUTCOME_RETRY, "retry")           /* transient: again later */             \
    X(OUTCOME_RESCHEDULE, "reschedule") /* the policy asked to be asked again */ \
    X(OUTCOME_REJECT, "dead")           /* permanent: for a person to look at */

enum outcome {
#define X(code, name) code,
    OUTCOME_LIST(X)
#undef X
        OUTCOME__COUNT
};
const char *outcome_name(enum outcome o); /* "done"; static */

struct template_lists;

/* One object task. */
struct job {
    struct api *api;
    struct template_lists *templates; /* of the product, as far as they are known; borrowed */
    enum object_class object_class;
    enum side side;
    const char *product_id;
    const char *object_id;
    struct json_object *object;      /* as just read; borrowed */
    const struct decision *decision; /* borrowed */
    bool dry_run;                    /* decide and record, change nothing */
    int64_t deadline;                /* clk_mono_ms: for what reads and changes */
    int64_t look_by;                 /* later: for looking at what became of a change */

    /* Filled by the processor. */
    int64_t retry_after_s; /* what the server asked for, -1 if nothing */
    char final_state[32];  /* the object's state afterwards, "" if not known */
    struct why why;        /* the story of anything but DONE, and of a message that was not posted;
                              "" for a skip without a reason */
    enum err err;          /* its code; ERR_OK where nothing failed */
};

struct processor {
    enum object_class object_class;
    const char *summary; /* one line */

    /* Carry the decision out: parameters first (only those that change), then the verb, then the
     * message. After an unknown outcome it re-reads instead of repeating. Never NULL. */
    enum outcome (*carry_out)(struct job *job);

    /* Is the object already what `action` would make it (approved, for approve)? Never NULL. */
    bool (*already)(const struct json_object *object, const char *action);

    /* The product that the object belongs to, borrowed; NULL if it does not say. Never NULL. */
    const char *(*product)(const struct json_object *object);
};

/* The processor for a class; NULL if none is built in. Static. */
const struct processor *processor_find(enum object_class c);

#endif
