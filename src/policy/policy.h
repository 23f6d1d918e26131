/*
 * policy.h - what decides: one question, one decision.
 *
 * A policy is asked with one JSON object and answers with one. The words are the same for
 * rules, programs and services; this file knows the vocabulary, policy/rules.h and its peers
 * know how to ask.
 */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include <json-c/json.h>

#include "base/err.h"
#include "event/object_class.h"

#define POLICY_VERSION        1
#define POLICY_RESCHEDULE_MIN 30      /* s; Connect's own extensions may not ask for less */
#define POLICY_RESCHEDULE_MAX 2592000 /* s; 30 days */
#define POLICY_MESSAGE_MAX    4000    /* bytes of a conversation message */
#define POLICY_PARAMS_MAX     1000    /* parameters of one decision */

enum policy_kind { POLICY_PROCESS, POLICY_VALIDATE };

struct policy_question {
    enum policy_kind kind;
    enum object_class object_class;
    enum side side;
    const char *webhook_id;
    enum webhook_type webhook_type;
    struct json_object *webhook_data; /* the claim `data`, or NULL; borrowed */
    struct json_object *claims;       /* NULL when polling found the object; borrowed */
    struct json_object *object;       /* borrowed */
    int attempt;                      /* 1 for the first */
    int64_t deadline;                 /* clk_mono_ms */
};

/* The question as the JSON that programs and services get; owned by the caller. */
enum err policy_question_json(const struct policy_question *q, int64_t id,
                              struct json_object **ret);

/* A decision that has been checked; strings are borrowed from `json`. */
struct decision {
    struct json_object *json;   /* the answer as given; owned */
    const char *action;         /* a verb of the class, "skip" or "reschedule" */
    int64_t after_s;            /* reschedule only */
    const char *reason;         /* NULL if none */
    const char *message;        /* NULL if none */
    struct json_object *params; /* an array, or NULL */
    char rule[128];             /* which rule matched, "rules.yaml:12"; "" if not rules */
};

/*
 * Check an answer against the vocabulary: an action of the class, fields of the right types and
 * only those that the action takes; a field that is null counts as absent. `json` stays the
 * caller's, the decision keeps a reference of its own. ERR_POLICY tells what is wrong, and never
 * a value.
 */
enum err decision_parse(struct json_object *json, enum object_class c, struct decision *ret,
                        struct why *why);
/* The same check of an answer in the making, in which a text with "${" stands for any text. */
enum err decision_check_draft(const struct json_object *json, enum object_class c, struct why *why);
/* Is the action allowed to this side in the object's state? ERR_STATE if not, with the ones
 * that are. `skip` and `reschedule` always are. */
enum err decision_allowed(const struct decision *d, enum object_class c, enum side s,
                          const struct json_object *object, struct why *why);
void decision_free(struct decision *d);

/* ------------------------------------------------------------------ asking */

struct policy;

/* What a kind of policy implements; each is one file (rules.c; later exec.c, remote.c). */
struct policy_ops {
    const char *name; /* "rules" */
    enum err (*ask)(struct policy *p, const struct policy_question *q,
                    struct json_object **ret_answer, char ret_rule[128], struct why *why);
    void (*free)(struct policy *p);
};

/* The head of every policy. */
struct policy {
    const struct policy_ops *ops;
};

/* The answer that leaves the object alone; owned by the caller. */
enum err policy_skip(const char *reason, struct json_object **ret);

/* The policy that every webhook without one has: skips everything and says so. Static. */
struct policy *policy_none(void);

/* Ask, parse the answer, check it against the vocabulary (not against the state). */
enum err policy_ask(struct policy *p, const struct policy_question *q, struct decision *ret,
                    struct why *why);
void policy_free(struct policy *p); /* NULL and policy_none() are fine */

#endif
