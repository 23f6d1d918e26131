/*
 * kind.h - objects that have a life: listed, made, changed, and moved from state to state by verbs.
 *
 * A kind is a table, in the file that is named after it; kind.c serves them all alike. What a verb
 * does besides moving the object, to the objects that wait for it, is the kind's own.
 */
#ifndef SIM_KIND_H
#define SIM_KIND_H

#include <stddef.h>

#include "event/object_class.h"
#include "sim/reply.h"

#define KIND_TEXTS_MAX 3 /* members of a verb's body that the object keeps */

/* What a verb answers with. */
enum sim_answer {
    ANSWER_OBJECT,   /* 200 and the object */
    ANSWER_EMPTY,    /* 200 and nothing */
    ANSWER_NOTHING,  /* 204 */
    ANSWER_TEMPLATE, /* 200 and the object's template */
};

/* POST .../{id}/{name}. Lists of words are separated by spaces. */
struct sim_verb {
    const char *name;
    const char *from;     /* the states in which it may be done; NULL: any but the last ones */
    const char *to;       /* NULL: the state stays */
    const char *event;    /* the member of `events` that tells when; NULL: none */
    const char *needs[2]; /* one of these, by their paths, is a text that is not empty */
    struct {
        const char *name;
        size_t max; /* characters; 0: any */
    } keeps[KIND_TEXTS_MAX];
    enum sim_answer answer;
};

struct sim_kind {
    const char *path[2]; /* {"tier", "config-requests"}, {"requests", NULL} */
    enum store_name store;
    const char *code;                     /* that its errors begin with */
    const char *state;                    /* the member; NULL: they have none */
    const char *last;                     /* the states in which nothing more happens */
    const char *touched;                  /* the path of the time of the last change */
    const struct sim_verb *verbs;         /* ends with a NULL name; NULL: none */
    const struct object_class *validated; /* whose validators are asked about drafts and forms;
                                             NULL: none are */
    /* NULL: it is not done. All answer. */
    bool (*create)(struct sim_call *c);
    bool (*put)(struct sim_call *c, struct json_object *object);
    /* What is below an object and no verb: false if it is none of its. */
    bool (*below)(struct sim_call *c, struct json_object *object);
    /* May it be done, besides by the state? False, and the answer says why, if not. */
    bool (*check)(struct sim_call *c, struct json_object *object, const struct sim_verb *v);
    /* It has been done: c->body is what was sent. */
    void (*effect)(struct sim_call *c, struct json_object *object, const struct sim_verb *v);
};

/* requests.c, tier_configs.c, tier_accounts.c, listings.c, billing.c, usage.c, assets.c */
extern const struct sim_kind sim_kind_requests, sim_kind_tier_config_requests,
    sim_kind_tier_configs, sim_kind_tier_account_requests, sim_kind_tier_accounts,
    sim_kind_listing_requests, sim_kind_billing_requests, sim_kind_usage_files, sim_kind_assets,
    sim_kind_billed_assets, sim_kind_accounts;

/* The kind whose path this is (the parts behind /public/v1/), and how many of them are its own;
 * NULL: none's. */
const struct sim_kind *sim_kind_at(const char *const *parts, size_t *ret_own);
bool sim_kind_not_found(struct sim_call *c, const struct sim_kind *k); /* the answer says so */

const char *sim_state(const struct sim_kind *k, const struct json_object *object);
bool sim_is_over(const struct sim_kind *k, const struct json_object *object);
/* The object is in this state now, since `event` if that is not NULL. */
void sim_move(struct sim_call *c, const struct sim_kind *k, struct json_object *object,
              const char *to, const char *event);

/* Is the word among words separated by spaces? */
bool sim_has_word(const char *words, const char *word);

/* ------------------------------------------------------------------ parameters, items */

/* An object with these members of another, null where it has none; `names` ends with a NULL. */
extern const char *const sim_brief[]; /* id and name */
struct json_object *sim_members(const struct json_object *object, const char *const *names);
/* Each element of `given` names one of `known` by its id; false, and the answer says so with
 * `what`, if not. Both may be NULL. */
bool sim_all_known(struct sim_call *c, const char *what, struct json_object *given,
                   struct json_object *known);
/* Write what may be written of the parameters that are given, if all of them are there: as above.
 */
bool sim_write_params(struct sim_call *c, const char *what, struct json_object *given,
                      struct json_object *params);
/* Write all that a validator may say, of those that are there. Both may be NULL. */
void sim_take_params(struct json_object *said, struct json_object *params);
/* The id of a parameter of a phase that is required and empty; NULL if there is none. */
const char *sim_missing_param(const struct json_object *params, const char *phase);
/* For `check`: approving needs the parameters of the vendor. */
bool sim_may_approve(struct sim_call *c, const struct sim_verb *v, const char *what,
                     const struct json_object *params);

/* "PR-6990-1715-4162-001": the prefix, what comes behind the owner's, and which one it is. */
void sim_name_after(const struct sim_call *c, enum store_name n, const char *prefix,
                    const char *owner_id, char ret_id[80]);

#endif
