/* dispatch.c - clients and policies, made once from a configuration. */
#include "tasks/dispatch.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "policy/rules.h"

/* A policy that webhooks of one class share, because they name the same file. */
struct shared_policy {
    const char *path; /* borrowed from the configuration */
    const struct object_class *object_class;
    struct policy *policy; /* owned */
};

struct dispatch {
    atomic_int refs;
    struct conf *conf;              /* a reference */
    struct inbox *inbox;            /* borrowed */
    struct api **apis;              /* one an account, in the configuration's order; owned */
    struct shared_policy *policies; /* at most one a webhook */
    size_t policies_count;
};

static enum err make_api(const struct conf_account *a, struct api **ret, struct why *why)
{
    const struct api_options options = {.account_id = a->id,
                                        .url = a->api_url,
                                        .key = a->api_key.value,
                                        .proxy = a->proxy,
                                        .ca_file = a->ca_file,
                                        .connect_timeout_ms = a->connect_timeout_ms,
                                        .timeout_ms = a->timeout_ms,
                                        .rate_limit = a->rate_limit};
    if (options.key == NULL)
        return why_set(why, ERR_CONFIG, "account %s: its API key is not loaded", a->id);
    return api_new(&options, ret, why);
}

/* NULL if no webhook before had the same. */
static struct policy *find_shared(const struct dispatch *d, const struct conf_webhook *w)
{
    for (size_t i = 0; i < d->policies_count; i++)
        if (d->policies[i].object_class == w->object_class &&
            strcmp(d->policies[i].path, w->policy.path) == 0)
            return d->policies[i].policy;
    return NULL;
}

/* Borrowed; NULL only for one that has not been made yet. */
static struct policy *policy_of(const struct dispatch *d, const struct conf_webhook *w)
{
    switch (w->policy.kind) {
    case CONF_POLICY_RULES:
        return find_shared(d, w);
    case CONF_POLICY_NONE:
        break;
    }
    return policy_none();
}

static enum err make_policy(struct dispatch *d, const struct conf_webhook *w, struct why *why)
{
    struct shared_policy *p = &d->policies[d->policies_count];
    if (w->type != TYPE_EVENT || policy_of(d, w) != NULL)
        return ERR_OK;
    enum err e = rules_load(w->policy.path, w->object_class, &p->policy, why);
    if (e != ERR_OK)
        return why_prefix(why, e, "webhook %s", w->id);
    p->path = w->policy.path;
    p->object_class = w->object_class;
    d->policies_count++;
    return ERR_OK;
}

static enum err fill(struct dispatch *d, struct why *why)
{
    const struct conf *c = d->conf;
    enum err e = ERR_OK;
    d->apis = calloc(c->accounts_count + 1, sizeof(struct api *));
    d->policies = calloc(c->webhooks_count + 1, sizeof *d->policies);
    if (d->apis == NULL || d->policies == NULL)
        return why_no_memory(why);
    for (size_t i = 0; e == ERR_OK && i < c->accounts_count; i++)
        e = make_api(&c->accounts[i], &d->apis[i], why);
    for (size_t i = 0; e == ERR_OK && i < c->webhooks_count; i++)
        e = make_policy(d, &c->webhooks[i], why);
    return e;
}

enum err dispatch_new(struct conf *conf, struct inbox *inbox, struct dispatch **ret,
                      struct why *why)
{
    struct dispatch *d = calloc(1, sizeof *d);
    if (d == NULL)
        return why_no_memory(why);
    atomic_init(&d->refs, 1);
    d->conf = conf_ref(conf);
    d->inbox = inbox;
    enum err e = fill(d, why);
    if (e != ERR_OK) {
        dispatch_unref(d);
        return e;
    }
    *ret = d;
    return ERR_OK;
}

struct dispatch *dispatch_ref(struct dispatch *d)
{
    atomic_fetch_add(&d->refs, 1);
    return d;
}

void dispatch_unref(struct dispatch *d)
{
    if (d == NULL || atomic_fetch_sub(&d->refs, 1) > 1)
        return;
    for (size_t i = 0; d->apis != NULL && i < d->conf->accounts_count; i++)
        api_free(d->apis[i]);
    for (size_t i = 0; i < d->policies_count; i++)
        policy_free(d->policies[i].policy);
    free(d->apis);
    free(d->policies);
    conf_unref(d->conf);
    free(d);
}

void dispatch_stop(struct dispatch *d)
{
    for (size_t i = 0; i < d->conf->accounts_count; i++)
        api_stop(d->apis[i]);
}

bool dispatch_serves(const struct conf_webhook *w, struct why *why)
{
    if (w->type != TYPE_EVENT)
        why_set(why, ERR_CONFIG, "this version does not answer %s webhooks",
                webhook_type_name(w->type));
    else if (w->object_class->list == NULL)
        why_set(why, ERR_CONFIG, "this version does not handle a %s", w->object_class->name);
    else
        return true;
    return false;
}

enum err dispatch_sweep(struct dispatch *d, const struct conf_webhook *w,
                        const struct sweep_terms *terms, swept_fn *fn, void *ctx,
                        struct sweep_result *ret, struct why *why)
{
    *ret = (struct sweep_result){.retry_after_s = -1};
    /* The caller's may be of another snapshot. */
    w = conf_webhook(d->conf, w->id);
    if (w == NULL)
        return why_set(why, ERR_NOT_FOUND, "the webhook is no longer configured");
    if (w->type != TYPE_EVENT)
        return why_set(why, ERR_INVALID, "webhook %s validates: it has no queue", w->id);
    const struct sweep s = {.api = d->apis[w->account - d->conf->accounts],
                            .inbox = d->inbox,
                            .policy = policy_of(d, w),
                            .webhook_id = w->id,
                            .product_id = w->product,
                            .object_class = w->object_class,
                            .webhook_type = w->type,
                            .side = w->account->side,
                            .states = w->states,
                            .terms = *terms};
    return sweep_run(&s, fn, ctx, ret, why);
}
