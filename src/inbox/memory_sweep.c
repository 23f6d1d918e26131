/* memory_sweep.c - sweeps of an inbox in memory, and the accounts they are of. */
#include <stdio.h>
#include <string.h>

#include "inbox/memory.h"

enum err memory_sweep_find(struct inbox *i, const struct inbox_queue *q, struct sweep_row *ret,
                           struct why *why)
{
    const struct table *t = &memory_of(i)->sweeps;
    (void)why;
    for (size_t n = 0; n < t->count; n++) {
        const struct sweep_row *s = t->list[n];
        if (!memory_is_of_queue(q, s->account_id, s->product_id, s->object_class))
            continue;
        *ret = *s;
        return ERR_OK;
    }
    return ERR_NOT_FOUND;
}

static struct sweep_row *sweep_at(struct memory *m, int64_t id)
{
    for (size_t n = 0; n < m->sweeps.count; n++)
        if (((struct sweep_row *)m->sweeps.list[n])->id == id)
            return m->sweeps.list[n];
    return NULL;
}

enum err memory_sweep_get(struct inbox *i, int64_t id, struct sweep_row *ret, struct why *why)
{
    const struct sweep_row *s = sweep_at(memory_of(i), id);
    (void)why;
    if (s != NULL)
        *ret = *s;
    return s != NULL ? ERR_OK : ERR_NOT_FOUND;
}

enum err memory_sweep_put(struct inbox *i, struct sweep_row *s, struct why *why)
{
    struct memory *m = memory_of(i);
    struct sweep_row *row = s->id != 0 ? sweep_at(m, s->id)
                                       : memory_add_row(&m->sweeps, sizeof *row);
    if (row == NULL)
        return why_no_memory(why);
    if (s->id == 0)
        s->id = ++m->last_id;
    *row = *s;
    return ERR_OK;
}

enum err memory_sweep_first(struct inbox *i, const char *account_id, int rank,
                            struct sweep_row *ret, struct why *why)
{
    const struct table *t = &memory_of(i)->sweeps;
    const struct sweep_row *best = NULL;
    (void)why;
    for (size_t n = 0; n < t->count; n++) {
        const struct sweep_row *s = t->list[n];
        if (strcmp(s->account_id, account_id) == 0 && row_rank(s->object_class) == rank &&
            !lease_held(&s->lease) && (best == NULL || sweep_row_due(s) < sweep_row_due(best)))
            best = s;
    }
    if (best != NULL)
        *ret = *best;
    return best != NULL ? ERR_OK : ERR_NOT_FOUND;
}

enum err memory_sweep_page(struct inbox *i, const struct inbox_filter *f, sweep_row_fn *fn,
                           void *ctx, struct why *why)
{
    const struct table *t = &memory_of(i)->sweeps;
    int left = f->limit;
    (void)why;
    for (size_t n = t->count; n-- > 0 && left > 0;) {
        const struct sweep_row *one = t->list[n];
        if (!memory_fits_filter(f, one->id, one->account_id, one->product_id, one->object_class))
            continue;
        left--;
        fn(ctx, one);
    }
    return ERR_OK;
}

/* ------------------------------------------------------------------------------ accounts */

static struct account_row *account_at(struct memory *m, const char *account_id)
{
    for (size_t n = 0; n < m->accounts.count; n++) {
        struct account_row *a = m->accounts.list[n];
        if (strcmp(a->account_id, account_id) == 0)
            return a;
    }
    return NULL;
}

enum err memory_account_find(struct inbox *i, const char *account_id, struct account_row *ret,
                             struct why *why)
{
    const struct account_row *a = account_at(memory_of(i), account_id);
    (void)why;
    if (a != NULL)
        *ret = *a;
    return a != NULL ? ERR_OK : ERR_NOT_FOUND;
}

enum err memory_account_put(struct inbox *i, const struct account_row *a, struct why *why)
{
    struct memory *m = memory_of(i);
    struct account_row *row = account_at(m, a->account_id);
    if (row == NULL && (row = memory_add_row(&m->accounts, sizeof *row)) == NULL)
        return why_no_memory(why);
    *row = *a;
    return ERR_OK;
}

enum err memory_account_next(struct inbox *i, const char *after, struct account_row *ret,
                             struct why *why)
{
    struct memory *m = memory_of(i);
    const char *next = NULL;
    for (size_t n = 0; n < m->sweeps.count; n++) {
        const struct sweep_row *s = m->sweeps.list[n];
        if (strcmp(s->account_id, after) > 0 && (next == NULL || strcmp(s->account_id, next) < 0))
            next = s->account_id;
    }
    if (next == NULL)
        return ERR_NOT_FOUND;
    if (memory_account_find(i, next, ret, why) == ERR_OK)
        return ERR_OK;
    *ret = (struct account_row){.halted_until_us = 0};
    snprintf(ret->account_id, sizeof ret->account_id, "%s", next);
    return ERR_OK;
}
