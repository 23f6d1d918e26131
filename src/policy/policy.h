/*
 * policy.h - what decides: one question, one decision.
 *
 * A policy is asked with one JSON object and answers with one. The words are the same for
 * rules, programs and services; policy/decision.h knows the vocabulary, policy/rules.h and
 * its peers know how to ask.
 */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include <json-c/json.h>

#include "base/err.h"
#include "conf/conf.h"
#include "policy/decision.h"

#define POLICY_VERSION 1

/* What is to be done about an object? */
struct policy_question {
    const struct object_class *object_class;
    enum side side;
    const char *webhook_id;
    enum webhook_type webhook_type;
    struct json_object *claims; /* of the event, NULL when polling found the object; borrowed */
    struct json_object *object; /* borrowed */
    int attempt;                /* 1 for the first */
    int64_t deadline;           /* clk_mono_ms */
};

/* What is asked: which function was called. */
enum policy_kind { POLICY_PROCESS, POLICY_VALIDATE };

/* The question as the JSON that programs and services get; owned by the caller. */
enum err policy_question_json(enum policy_kind kind, const struct policy_question *q, int64_t id,
                              struct json_object **ret);

struct policy;

/* What a kind of policy implements; each is one file (rules.c; later exec.c, remote.c). */
struct policy_ops {
    const char *name; /* "rules" */
    enum err (*ask)(struct policy *p, const struct policy_question *q,
                    struct json_object **ret_answer, char ret_rule[128], struct why *why);
    void (*stop)(struct policy *p); /* NULL for one that never waits; see policy_stop() */
    void (*free)(struct policy *p); /* NULL for one that owns nothing */
};

/* The head of every policy. */
struct policy {
    const struct policy_ops *ops;
};

/* The answer that leaves the object alone; owned by the caller. */
enum err policy_skip(const char *reason, struct json_object **ret);

/* The policy that a configuration names, for objects of one class. *ret is owned: policy_free().
 * What the kind's loader says: rules_load(). Without one everything is skipped, and says so. */
enum err policy_open(const struct conf_policy *conf, const struct object_class *c,
                     struct policy **ret, struct why *why);

/* Ask, parse the answer, check it against the vocabulary (not against the state). */
enum err policy_ask(struct policy *p, const struct policy_question *q, struct decision *ret,
                    struct why *why);
/* End questions under way with ERR_STOPPED, and those to come: for a stop that cannot wait. Any
 * thread. NULL is fine here and below. */
void policy_stop(struct policy *p);
void policy_free(struct policy *p);

#endif
