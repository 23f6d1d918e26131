/*
 * queues.h - the queues of a configuration, come to life: what each event webhook is about, and
 * what answers each validator.
 *
 * Immutable once made, so any number of threads may use them; whoever has the configuration's
 * snapshot has them. A configuration whose rules do not load makes none, so that it never replaces
 * a good one.
 */
#ifndef TASKS_QUEUES_H
#define TASKS_QUEUES_H

#include "api/clients.h"
#include "base/err.h"
#include "conf/conf.h"
#include "inbox/inbox.h"
#include "policy/policy.h"
#include "policy/spawner.h"

/* The objects of one class, of one product, that wait for one account, and a webhook that tells of
 * them. Everything is borrowed. */
struct queue {
    const struct conf *conf;
    const struct conf_webhook *webhook;
    struct api *api; /* NULL in a process that must not hold the account's key, and of a validator
                        whose policy cannot ask for it */
    struct policy *policy;
    /* Classes, NULL-terminated, that have a queue beside this one, in which what is decided here
     * may free something; perhaps its own. */
    const struct object_class *frees[INBOX_FREES_MAX + 1];
};

/* As the inbox knows it. */
struct inbox_queue queue_in_inbox(const struct queue *q);

struct queues;

/* Borrows all; clients are given back by queues_free(). `spawner` runs what is a program. */
enum err queues_new(const struct conf *conf, struct clients *clients, struct spawner *spawner,
                    struct queues **ret, struct why *why);
void queues_free(struct queues *q); /* NULL is fine */
/* End questions to policies under way, and those to come; any thread. */
void queues_stop(struct queues *q);

/*
 * The queue that a webhook tells of. ERR_NOT_FOUND if this configuration has no such webhook,
 * ERR_INVALID if it tells of none, being a validator. Borrowed.
 */
enum err queues_find(const struct queues *q, const char *webhook_id, const struct queue **ret,
                     struct why *why);

/* The queue of another class beside one: of the same account and product. NULL if no event webhook
 * of the configuration tells of it. Borrowed. */
const struct queue *queues_beside(const struct queues *q, const struct queue *one,
                                  const struct object_class *c);

/* The queue that the inbox names. NULL if no event webhook of the configuration tells of it.
 * Borrowed.
 */
const struct queue *queues_named(const struct queues *q, const struct inbox_queue *name);

/* Our side may have no work in its class at all. */
bool queue_has_work(const struct queue *q);

/* A validator of the configuration, which has a policy and no objects. Borrowed. */
const struct queue *queues_validator(const struct queues *q, const struct conf_webhook *w);

/* The first question to a queue's policy, but for what it is about and its deadline; a program may
 * have Connect read for it, if the account's key is here. */
struct policy_question queue_question(const struct queue *q);

#endif
