/* memory_delivery.c - deliveries of an inbox in memory. */
#include <stdlib.h>
#include <string.h>

#include "inbox/memory.h"

struct delivery_row {
    int64_t id;
    struct delivery d; /* its texts are owned */
    int64_t seen, last_received_us, stored_us;
};

void memory_drop_delivery(struct table *t, size_t index)
{
    const struct delivery *d = &((const struct delivery_row *)t->list[index])->d;
    free((char *)d->webhook_id);
    free((char *)d->account_id);
    free((char *)d->product_id);
    free((char *)d->triggered_at);
    free((char *)d->claims);
    free((char *)d->body);
    memory_drop_row(t, index);
}

static char *copy_bytes(const char *bytes, size_t len)
{
    char *copy = malloc(len + 1);
    if (copy != NULL) {
        memcpy(copy, bytes, len);
        copy[len] = '\0';
    }
    return copy;
}

static struct delivery_row *find_token(struct memory *m, const struct delivery *d)
{
    for (size_t n = 0; n < m->deliveries.count; n++) {
        struct delivery_row *row = m->deliveries.list[n];
        if (row->d.exp == d->exp &&
            memcmp(row->d.token_sha256, d->token_sha256, sizeof d->token_sha256) == 0)
            return row;
    }
    return NULL;
}

/* NULL: out of memory. */
static struct delivery_row *add_delivery(struct memory *m, const struct delivery *d)
{
    struct delivery_row *row = memory_add_row(&m->deliveries, sizeof *row);
    if (row == NULL)
        return NULL;
    row->id = ++m->last_id;
    row->d = *d;
    row->d.webhook_id = strdup(d->webhook_id);
    row->d.account_id = strdup(d->account_id);
    row->d.product_id = strdup(d->product_id);
    row->d.triggered_at = d->triggered_at != NULL ? strdup(d->triggered_at) : NULL;
    row->d.claims = copy_bytes(d->claims, d->claims_len);
    row->d.body = copy_bytes(d->body, d->body_len);
    if (row->d.webhook_id != NULL && row->d.account_id != NULL && row->d.product_id != NULL &&
        (row->d.triggered_at != NULL) == (d->triggered_at != NULL) && row->d.claims != NULL &&
        row->d.body != NULL)
        return row;
    memory_drop_delivery(&m->deliveries, m->deliveries.count - 1);
    return NULL;
}

static enum err wake_sweep(struct inbox *i, const struct delivery_row *row, struct why *why)
{
    const struct delivery *d = &row->d;
    const struct inbox_queue q = {d->account_id, d->product_id, d->object_class};
    struct sweep_row s;
    if (memory_sweep_find(i, &q, &s, why) != ERR_OK)
        sweep_row_init(&s, &q);
    sweep_row_wake(&s, row->id, row->stored_us);
    return memory_sweep_put(i, &s, why);
}

static enum err store(struct inbox *i, const struct delivery *d, struct inbox_receipt *ret)
{
    struct memory *m = memory_of(i);
    struct delivery_row *row = find_token(m, d);
    if (row == NULL && (row = add_delivery(m, d)) == NULL)
        return why_no_memory(&ret->why);
    row->d.state = d->state;
    row->seen++;
    row->last_received_us = d->received_us;
    row->stored_us = memory_now_us(i);
    ret->id = row->id;
    ret->seen = row->seen;
    return d->state == DELIVERY_STORED ? wake_sweep(i, row, &ret->why) : ERR_OK;
}

void memory_append(struct inbox *i, const struct delivery *d, inbox_appended_fn *fn, void *ctx)
{
    struct memory *m = memory_of(i);
    struct inbox_receipt receipt = {.err = ERR_OK};
    pthread_mutex_lock(&m->lock);
    receipt.err = store(i, d, &receipt);
    pthread_mutex_unlock(&m->lock);
    memory_tell(i);
    fn(ctx, &receipt);
}

static struct delivery_row *delivery_at(struct memory *m, int64_t id)
{
    for (size_t n = 0; n < m->deliveries.count; n++) {
        struct delivery_row *row = m->deliveries.list[n];
        if (row->id == id)
            return row;
    }
    return NULL;
}

enum err memory_set_state(struct inbox *i, int64_t id, enum delivery_state s, struct why *why)
{
    struct memory *m = memory_of(i);
    pthread_mutex_lock(&m->lock);
    struct delivery_row *row = delivery_at(m, id);
    if (row != NULL)
        row->d.state = s;
    pthread_mutex_unlock(&m->lock);
    return row != NULL ? ERR_OK
                       : why_set(why, ERR_NOT_FOUND, "inbox: no delivery %lld", (long long)id);
}

enum err memory_delivery_renew(struct inbox *i, int64_t id, struct sweep_row *ret, struct why *why)
{
    struct delivery_row *row = delivery_at(memory_of(i), id);
    if (row == NULL)
        return ERR_NOT_FOUND;
    const struct inbox_queue q = {row->d.account_id, row->d.product_id, row->d.object_class};
    row->d.state = DELIVERY_STORED;
    row->stored_us = memory_now_us(i);
    if (memory_sweep_find(i, &q, ret, why) != ERR_OK)
        sweep_row_init(ret, &q);
    return ERR_OK;
}

static bool is_covered(struct inbox *i, const struct delivery_row *row)
{
    const struct inbox_queue q = {row->d.account_id, row->d.product_id, row->d.object_class};
    struct sweep_row s;
    return memory_sweep_find(i, &q, &s, NULL) == ERR_OK && row->stored_us <= s.covered_us;
}

static enum delivery_state state_now(struct inbox *i, const struct delivery_row *row)
{
    bool done = row->d.state == DELIVERY_STORED && is_covered(i, row);
    return done ? DELIVERY_DONE : row->d.state;
}

static void pass_delivery(struct inbox *i, const struct delivery_row *row, inbox_delivery_fn *fn,
                          void *ctx)
{
    const struct delivery *d = &row->d;
    struct inbox_delivery one = {.id = row->id,
                                 .state = state_now(i, row),
                                 .webhook_id = d->webhook_id,
                                 .account_id = d->account_id,
                                 .product_id = d->product_id,
                                 .object_class = d->object_class->name,
                                 .triggered_at = d->triggered_at,
                                 .received_us = d->received_us,
                                 .last_received_us = row->last_received_us,
                                 .seen = row->seen,
                                 .claims = d->claims,
                                 .claims_len = d->claims_len,
                                 .body = d->body,
                                 .body_len = d->body_len};
    memcpy(one.token_sha256, d->token_sha256, sizeof one.token_sha256);
    fn(ctx, &one);
}

enum err memory_delivery_page(struct inbox *i, const struct inbox_filter *f, inbox_delivery_fn *fn,
                              void *ctx, struct why *why)
{
    const struct table *t = &memory_of(i)->deliveries;
    int left = f->limit;
    (void)why;
    for (size_t n = t->count; n-- > 0 && left > 0;) {
        const struct delivery_row *row = t->list[n];
        const struct delivery *d = &row->d;
        if (!memory_fits_filter(f, row->id, d->account_id, d->product_id, d->object_class) ||
            !memory_fits(f->webhook_id, d->webhook_id) ||
            !memory_is_wanted(i, f, state_now(i, row), row->stored_us))
            continue;
        left--;
        pass_delivery(i, row, fn, ctx);
    }
    return ERR_OK;
}

enum err memory_delivery_newest(struct inbox *i, int64_t *ret_id, struct why *why)
{
    return memory_task_newest(i, ret_id, why); /* they share their ids */
}

enum err memory_prune_deliveries(struct inbox *i, int64_t before_us, int64_t limit, int64_t *last,
                                 int64_t *ret_count, struct why *why)
{
    struct memory *m = memory_of(i);
    int64_t looked_at = 0, young = 0, newest = m->last_id;
    (void)why;
    *ret_count = 0;
    for (size_t n = 0; n < m->deliveries.count; n++)
        newest = ((const struct delivery_row *)m->deliveries.list[n])->id;
    for (size_t n = 0; n < m->deliveries.count && looked_at < limit;) {
        const struct delivery_row *row = m->deliveries.list[n];
        bool waits = row->d.state == DELIVERY_STORED && !is_covered(i, row);
        bool behind = row->id > *last, old = row->stored_us < before_us;
        looked_at += behind;
        young += behind && !old;
        *last = behind ? row->id : *last;
        if (!behind || waits || !old || row->id == newest) {
            n++;
            continue;
        }
        memory_drop_delivery(&m->deliveries, n);
        ++*ret_count;
    }
    if (looked_at == young)
        *last = 0;
    return ERR_OK;
}
