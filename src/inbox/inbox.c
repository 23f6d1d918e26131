/* inbox.c - checks what is asked of the inbox, and chooses the backend that does it. */
#include "inbox/inbox.h"

#include <stdio.h>
#include <string.h>

#include "inbox/backend.h"

static const struct inbox_backend *const backends[] = {
    &inbox_backend_sqlite,
};

static const char *const state_names[] = {
#define X(code, name) [code] = name,
    DELIVERY_STATE_LIST(X)
#undef X
};

const char *delivery_state_name(enum delivery_state s)
{
    return state_names[s];
}

enum err inbox_open(const struct inbox_options *options, struct inbox **ret, struct why *why)
{
    for (size_t i = 0; i < sizeof backends / sizeof backends[0]; i++) {
        size_t len = strlen(backends[i]->scheme);
        if (strncmp(options->url, backends[i]->scheme, len) != 0 || options->url[len] != ':')
            continue;
        enum err e = backends[i]->open(options, options->url + len + 1, ret, why);
        if (e == ERR_OK)
            (*ret)->backend = backends[i];
        return e;
    }
    return why_set(why, ERR_INVALID, "inbox.url: no backend for this kind of URL; use sqlite:PATH");
}

void inbox_close(struct inbox *i)
{
    if (i != NULL)
        i->backend->close(i);
}

void inbox_stop(struct inbox *i)
{
    i->backend->stop(i);
}

/* A delivery that could be stored nowhere is refused before it can hold others up. */
static enum err check(const struct delivery *d, struct why *why)
{
    if (!object_id_valid(d->webhook_id) || !object_id_valid(d->account_id) ||
        !object_id_valid(d->product_id))
        return why_set(why, ERR_INVALID, "delivery: an id that is not one of Connect's");
    if (d->claims_len > INBOX_CLAIMS_MAX || d->body_len > INBOX_BODY_MAX)
        return why_set(why, ERR_TOO_BIG,
                       "delivery: claims or body are larger than the inbox takes");
    return ERR_OK;
}

void inbox_append(struct inbox *i, const struct delivery *d, inbox_appended_fn *fn, void *ctx)
{
    struct inbox_receipt refused = {.err = ERR_OK};
    refused.err = check(d, &refused.why);
    if (refused.err == ERR_OK)
        i->backend->append(i, d, fn, ctx);
    else
        fn(ctx, &refused);
}

enum err inbox_set_state(struct inbox *i, int64_t id, enum delivery_state s, struct why *why)
{
    return i->backend->set_state(i, id, s, why);
}

enum err inbox_lock_sweep(struct inbox *i, const char *account_id, const char *product_id,
                          const struct object_class *c, int64_t deadline, struct inbox_lock **ret,
                          struct why *why)
{
    if (!object_id_valid(account_id) || !object_id_valid(product_id))
        return why_set(why, ERR_INVALID, "sweep: an id that is not one of Connect's");
    char name[256];
    snprintf(name, sizeof name, "%s.%s.%s", account_id, product_id, c->name);
    enum err e = i->backend->lock(i, name, deadline, ret, why);
    if (e == ERR_OK)
        (*ret)->backend = i->backend;
    return e;
}

void inbox_unlock_sweep(struct inbox_lock *lock)
{
    if (lock != NULL)
        lock->backend->unlock(lock);
}
