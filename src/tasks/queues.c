/* queues.c - clients and policies for the webhooks of a configuration. */
#include "tasks/queues.h"

#include <stdlib.h>
#include <string.h>

struct queues {
    const struct conf *conf;
    struct clients *clients;
    struct spawner *spawner;
    size_t count;
    struct queue list[]; /* of the configuration's webhooks, in their order */
};

struct inbox_queue queue_in_inbox(const struct queue *q)
{
    const struct conf_webhook *w = q->webhook;
    return (struct inbox_queue){w->account->id, w->product, w->object_class};
}

/* Webhooks of one class that ask the same policy the same share it. NULL: nobody has it yet. */
static struct policy *find_shared(const struct queues *q, const struct conf_webhook *w)
{
    for (size_t i = 0; i < q->count; i++) {
        const struct conf_webhook *other = q->list[i].webhook;
        if (q->list[i].policy != NULL && other->object_class == w->object_class &&
            policy_kind_of(other->type) == policy_kind_of(w->type) &&
            conf_same_policy(&other->policy, &w->policy))
            return q->list[i].policy;
    }
    return NULL;
}

static bool is_shared(const struct queues *q, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (q->list[i].policy == q->list[index].policy)
            return true;
    return false;
}

static enum err fill(struct queues *q, struct queue *one, struct why *why)
{
    const struct conf_webhook *w = one->webhook;
    enum err e = ERR_OK;
    if ((w->type == TYPE_EVENT || w->policy.session) && w->account->api_key.value != NULL)
        e = clients_get(q->clients, w->account, &one->api, why);
    if (e == ERR_OK && (one->policy = find_shared(q, w)) == NULL) {
        e = policy_open(&w->policy, policy_kind_of(w->type), w->object_class, q->spawner,
                        &one->policy, why);
        if (e != ERR_OK)
            why_prefix(why, e, "webhook %s", w->id);
    }
    return e;
}

static void fill_frees(const struct queues *q, struct queue *one)
{
    size_t count = 0;
    const struct object_class *const *f = one->webhook->object_class->frees;
    for (; *f != NULL && count < INBOX_FREES_MAX; f++)
        if (queues_beside(q, one, *f) != NULL)
            one->frees[count++] = *f;
}

enum err queues_new(const struct conf *conf, struct clients *clients, struct spawner *spawner,
                    struct queues **ret, struct why *why)
{
    struct queues *q = calloc(1, sizeof *q + conf->webhooks_count * sizeof *q->list);
    if (q == NULL)
        return why_no_memory(why);
    q->conf = conf;
    q->clients = clients;
    q->spawner = spawner;
    for (size_t i = 0; i < conf->webhooks_count; i++) {
        struct queue *one = &q->list[q->count++];
        one->conf = conf;
        one->webhook = &conf->webhooks[i];
        enum err e = fill(q, one, why);
        if (e != ERR_OK) {
            queues_free(q);
            return e;
        }
    }
    for (size_t i = 0; i < q->count; i++)
        fill_frees(q, &q->list[i]);
    *ret = q;
    return ERR_OK;
}

void queues_free(struct queues *q)
{
    if (q == NULL)
        return;
    for (size_t i = q->count; i-- > 0;) {
        clients_release(q->clients, q->list[i].api);
        if (!is_shared(q, i))
            policy_free(q->list[i].policy);
    }
    free(q);
}

void queues_stop(struct queues *q)
{
    for (size_t i = 0; i < q->count; i++)
        policy_stop(q->list[i].policy);
}

enum err queues_find(const struct queues *q, const char *webhook_id, const struct queue **ret,
                     struct why *why)
{
    const struct conf_webhook *w = conf_webhook(q->conf, webhook_id);
    if (w == NULL)
        return why_set(why, ERR_NOT_FOUND, "the webhook is not configured");
    if (w->type != TYPE_EVENT)
        return why_set(why, ERR_INVALID, "a %s has no queue", webhook_type_name(w->type));
    *ret = &q->list[w - q->conf->webhooks];
    return ERR_OK;
}

const struct queue *queues_validator(const struct queues *q, const struct conf_webhook *w)
{
    return &q->list[w - q->conf->webhooks];
}

/* A policy_get_fn: `ctx` is the account's client. */
static void read_connect(void *ctx, const char *path, int64_t deadline, struct policy_got *ret)
{
    struct api_call call = {.deadline = deadline};
    *ret = (struct policy_got){.body = NULL};
    if (api_read(ctx, &call, path, &ret->body) != ERR_OK)
        ret->why = call.result.why;
    ret->status = call.status;
}

struct policy_question queue_question(const struct queue *q)
{
    struct policy_question question = policy_question_of(q->webhook);
    question.get = q->api != NULL ? read_connect : NULL;
    question.get_ctx = q->api;
    return question;
}

const struct queue *queues_named(const struct queues *q, const struct inbox_queue *name)
{
    for (size_t i = 0; i < q->count; i++) {
        const struct conf_webhook *w = q->list[i].webhook;
        if (w->type == TYPE_EVENT && w->object_class == name->object_class &&
            strcmp(w->account->id, name->account_id) == 0 &&
            strcmp(w->product, name->product_id) == 0)
            return &q->list[i];
    }
    return NULL;
}

const struct queue *queues_beside(const struct queues *q, const struct queue *one,
                                  const struct object_class *c)
{
    struct inbox_queue name = queue_in_inbox(one);
    name.object_class = c;
    return queues_named(q, &name);
}

bool queue_has_work(const struct queue *q)
{
    return q->webhook->object_class->state == NULL || q->webhook->states[0] != NULL;
}
