/*
 * act.h - the way that every decision takes: parameters, verb, message.
 *
 * A processor says what is its class's own, one row a verb; this file sends it once, and after
 * an outcome that is not known, or a refusal, looks at the object instead of sending it again.
 */
#ifndef PROCESSORS_ACT_H
#define PROCESSORS_ACT_H

#include <stdbool.h>

#include <json-c/json.h>

#include "base/err.h"
#include "processors/processor.h"

#define ACT_STATES_MAX 2 /* that one verb may lead to */

/* One verb of a class. */
struct act_verb {
    const char *name;                         /* the action in a decision, the verb in the API */
    const char *leads_to[ACT_STATES_MAX + 1]; /* states in which it has been done already */
    enum outcome (*body)(struct job *job, struct json_object *body); /* fills what is sent; NULL
                              for {}. DONE to go on, else the job's end, with its story */
};

struct act_way {
    const struct act_verb *verbs; /* ends with a NULL name */
    /* The object's parameters, borrowed; NULL if it has none. */
    struct json_object *(*params)(const struct json_object *object);
};

/* Carry the job's decision out. Fills the job's results. */
enum outcome act_carry_out(struct job *job, const struct act_way *way);

/* For processor.already. */
bool act_already(const struct act_way *way, enum object_class c, const struct json_object *object,
                 const char *action);

/* For `body`: a member that the decision has goes into what is sent, one that it lacks does not. */
enum outcome act_add(struct job *job, struct json_object *body, const char *key);
/* The same with a text of one's own. */
enum outcome act_add_text(struct job *job, struct json_object *body, const char *key,
                          const char *text);
/* End the job: the story goes to its `why`; transient failures are tried again, others are for a
 * person. */
enum outcome act_fail(struct job *job, enum err e, const struct why *why);
/* ... with what a call to the API came to. */
enum outcome act_fail_call(struct job *job, enum err e, const struct api_call *call);

#endif
