/*
 * policy.h - what decides: one question, one answer.
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

#include "base/buf.h"
#include "base/err.h"
#include "conf/conf.h"
#include "policy/decision.h"

#define POLICY_VERSION 1

/* What is asked: what to do about an object, or what to say about a form. */
enum policy_kind { POLICY_PROCESS, POLICY_VALIDATE };

/* What reading Connect came to. */
struct policy_got {
    int status;               /* HTTP status; 0 if there was no answer */
    struct json_object *body; /* owned by who asked; NULL if it was no JSON */
    struct why why;           /* what went wrong; "" if nothing did */
};

/* GET a path of the webhook's account (it begins with a slash and may have a query), under the
 * account's rate and pause, until `deadline` (clk_mono_ms) at the latest. `ret` is filled in
 * whatever happens. */
typedef void policy_get_fn(void *ctx, const char *path, int64_t deadline, struct policy_got *ret);

struct policy_question {
    enum policy_kind kind;
    const struct object_class *object_class;
    enum side side;
    const char *webhook_id;
    enum webhook_type webhook_type;
    struct json_object *claims; /* of the event, NULL when polling found the object; borrowed */
    struct json_object *object; /* or the document of the form; borrowed */
    int attempt;                /* 1 for the first */
    bool dry_run;               /* nothing that is decided will be done */
    int64_t deadline;           /* clk_mono_ms */
    policy_get_fn *get;         /* for a program that wants to know more; NULL: nobody can */
    void *get_ctx;
};

/* What is asked for webhooks of this type. */
enum policy_kind policy_kind_of(enum webhook_type t);
/* The first question for a webhook, but for what it is about and its deadline. */
struct policy_question policy_question_of(const struct conf_webhook *w);

/* The question as the JSON that programs and services get; owned by the caller. */
enum err policy_question_json(const struct policy_question *q, int64_t id,
                              struct json_object **ret);

struct policy;

/* What a way to decide implements; each is one file (rules.c, exec.c; later remote.c). */
struct policy_ops {
    /* *ret_answer: owned by the caller; NULL if nothing is said about a form. */
    enum err (*ask)(struct policy *p, const struct policy_question *q,
                    struct json_object **ret_answer, char ret_rule[DECISION_RULE_MAX],
                    struct why *why);
    /* Append what its answers come of, besides the question; NULL: of nothing else. */
    enum err (*note)(const struct policy *p, struct buf *b);
    void (*stop)(struct policy *p); /* NULL for one that never waits; see policy_stop() */
    void (*free)(struct policy *p); /* NULL for one that owns nothing */
};

/* The head of every policy. */
struct policy {
    const struct policy_ops *ops;
};

/* The answer that leaves the object alone; owned by the caller. */
enum err policy_skip(const char *reason, struct json_object **ret);

struct spawner;

/* The policy that a configuration names, for questions of one kind about objects of one class; what
 * is a program is run by `spawner`. Both outlive it. *ret is owned: policy_free(). What the loader
 * says: rules_load(), exec_open(). Without one every object is skipped, and says so, and nothing is
 * said about a form. */
enum err policy_open(const struct conf_policy *conf, enum policy_kind kind,
                     const struct object_class *c, struct spawner *spawner, struct policy **ret,
                     struct why *why);

/* Ask what to do, parse the answer, check it against the vocabulary (not against the state). */
enum err policy_ask(struct policy *p, const struct policy_question *q, struct decision *ret,
                    struct why *why);

/*
 * Ask about a form. *ret_changes: what is said otherwise than in its document: one of the same
 * shape, of which most may be missing; owned by the caller, NULL if nothing is said. It comes of an
 * answer that is {"params":[...]} (a member that is null is none), or a whole document. What errors
 * quote of a password is hidden.
 * ERR_POLICY, ERR_TIMEOUT and others; `why` never tells a value.
 */
enum err policy_validate(struct policy *p, const struct policy_question *q,
                         struct json_object **ret_changes, char ret_rule[DECISION_RULE_MAX],
                         struct why *why);

/* Append what the answers come of, besides the questions: while that is the same, the same question
 * will have the same answer, as far as can be known. The buffer's error. */
enum err policy_note(const struct policy *p, struct buf *b);

/* End questions under way with ERR_STOPPED, and those to come: for a stop that cannot wait. Any
 * thread. NULL is fine here and below. */
void policy_stop(struct policy *p);
void policy_free(struct policy *p);

#endif
