/* inbox.c - checks what is asked of the inbox, and chooses the backend that does it. */
#include "inbox/inbox.h"

#include <stdio.h>
#include <string.h>

#include "inbox/backend.h"
#include "inbox/verbs.h"

static const struct inbox_backend *const backends[] = {
    &inbox_backend_sqlite,
};

static const char *const state_names[] = {
#define X(code, name) [code] = name,
    DELIVERY_STATE_LIST(X)
#undef X
};

static const char *const task_state_names[] = {
#define X(code, name) [code] = name,
    TASK_STATE_LIST(X)
#undef X
};

const char *task_state_name(enum task_state s)
{
    return task_state_names[s];
}

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
        if (e == ERR_OK) {
            (*ret)->backend = backends[i];
            (*ret)->max_backlog = options->max_backlog;
            (*ret)->looks = options->looks;
        }
        return e;
    }
    return why_set(why, ERR_INVALID, "inbox.url: no backend for this kind of URL; use sqlite:PATH");
}

void inbox_close(struct inbox *i)
{
    if (i == NULL)
        return;
    if (!i->looks)
        i->backend->counters_put(i);
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

enum err inbox_check_queue(const struct inbox_queue *q, struct why *why)
{
    if (!object_id_valid(q->account_id) || !object_id_valid(q->product_id))
        return why_set(why, ERR_INVALID, "queue: an id that is not one of Connect's");
    return ERR_OK;
}

enum err transact_and_tell(struct inbox *i, inbox_work_fn *fn, void *work, struct why *why)
{
    enum err e = i->backend->transact(i, fn, work, why);
    if (e == ERR_OK)
        i->backend->tell(i);
    return e;
}

enum err transact_with_lease(struct inbox *i, const struct inbox_lease *lease, inbox_work_fn *fn,
                             void *work, struct why *why)
{
    enum err e = transact_and_tell(i, fn, work, why);
    if (e != ERR_OK && e != ERR_FENCED)
        lease_drop(&i->taker, lease);
    return e;
}

struct inbox_lease lease_of(enum inbox_kind kind, int64_t id, const struct lease_row *l,
                            int64_t until)
{
    struct inbox_lease lease = {.kind = kind, .id = id, .until = until};
    memcpy(lease.token, l->token, sizeof lease.token);
    return lease;
}

enum err inbox_mark_read(struct inbox *i, const struct inbox_queue *q, struct inbox_mark *ret,
                         inbox_seen_fn *fn, void *ctx, struct why *why)
{
    enum err e = inbox_check_queue(q, why);
    return e == ERR_OK ? i->backend->mark_read(i, q, ret, fn, ctx, why) : e;
}

enum err inbox_mark_write(struct inbox *i, const struct inbox_queue *q, const struct inbox_mark *m,
                          struct why *why)
{
    enum err e = inbox_check_queue(q, why);
    return e == ERR_OK ? i->backend->mark_write(i, q, m, why) : e;
}

enum err inbox_mark_seen(struct inbox *i, const struct inbox_queue *q, const char *object_id,
                         int64_t created_us, struct why *why)
{
    enum err e = inbox_check_queue(q, why);
    if (e == ERR_OK && !object_id_valid(object_id))
        e = why_set(why, ERR_INVALID, "an object's id that is not one of Connect's");
    return e == ERR_OK ? i->backend->mark_seen(i, q, object_id, created_us, why) : e;
}

void inbox_tally_add(struct inbox *i, const char *webhook_id, bool success)
{
    i->backend->tally_add(i, webhook_id, success);
}

enum err inbox_tally_read(struct inbox *i, const char *webhook_id, struct inbox_tally *ret,
                          struct why *why)
{
    return i->backend->tally_read(i, webhook_id, ret, why);
}
