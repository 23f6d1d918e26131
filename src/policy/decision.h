/*
 * decision.h - what a policy may answer: the words, and whether they make sense.
 *
 * A decision is one JSON object: an action, which is a verb of the object's class (its fields stand
 * in event/<class>.c), or "skip" or "reschedule"; and with any action `params` and `message`.
 */
#ifndef POLICY_DECISION_H
#define POLICY_DECISION_H

#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>

#include "base/err.h"
#include "event/object_class.h"

#define DECISION_AFTER_MIN   30      /* s; Connect's own extensions may not ask for less */
#define DECISION_AFTER_MAX   2592000 /* s; 30 days */
#define DECISION_MESSAGE_MAX 4000    /* bytes of a conversation message */
#define DECISION_PARAMS_MAX  1000    /* parameters of one decision */
#define DECISION_RULE_MAX    128     /* bytes of the name of a rule, with the NUL */

/* A decision that has been checked; strings are borrowed from `json`. */
struct decision {
    struct json_object *json;       /* the answer as given; owned */
    const char *action;             /* a verb of the class, "skip" or "reschedule" */
    const struct object_verb *verb; /* NULL for those two */
    int64_t after_s;                /* reschedule: from DECISION_AFTER_MIN; else 0 */
    const char *reason;             /* NULL if none */
    const char *message;            /* NULL if none */
    struct json_object *params;     /* an array, or NULL */
    char rule[DECISION_RULE_MAX];   /* which rule matched, "rules.yaml:12"; "" if not rules */
};

/*
 * Check an answer against the vocabulary: an action of the class, fields of the right types and
 * only those that the action takes; a field that is null counts as absent. `json` stays the
 * caller's, the decision keeps a reference of its own. ERR_POLICY tells what is wrong, and never
 * a value.
 */
enum err decision_parse(struct json_object *json, const struct object_class *c,
                        struct decision *ret, struct why *why);
/* The same check of an answer in the making, in which a text with "${" stands for any text. */
enum err decision_check_draft(const struct json_object *json, const struct object_class *c,
                              struct why *why);
/* May this be said about the parameters of a form? And about the i-th of them, in the making as
 * above? ERR_POLICY. */
enum err decision_check_form(const struct json_object *params, struct why *why);
enum err decision_check_form_draft(size_t i, const struct json_object *param, struct why *why);
/* Is the action allowed to this side in the object's state? ERR_STATE if not, with the ones
 * that are. `skip` and `reschedule` always are. */
enum err decision_allowed(const struct decision *d, const struct object_class *c, enum side s,
                          const struct json_object *object, struct why *why);
void decision_free(struct decision *d);

#endif
