/* memory_task.c - tasks of an inbox in memory, their attempts, and what somebody holds. */
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "inbox/memory.h"

static struct task_row *task_at(struct memory *m, int64_t id)
{
    for (size_t n = 0; n < m->tasks.count; n++)
        if (((struct task_row *)m->tasks.list[n])->id == id)
            return m->tasks.list[n];
    return NULL;
}

static enum err give_task(const struct task_row *t, struct task_row *ret)
{
    if (t != NULL)
        *ret = *t;
    return t != NULL ? ERR_OK : ERR_NOT_FOUND;
}

enum err memory_task_find(struct inbox *i, const struct sweep_row *s, const char *object_id,
                          struct task_row *ret, struct why *why)
{
    const struct table *t = &memory_of(i)->tasks;
    (void)why;
    for (size_t n = 0; n < t->count; n++) {
        const struct task_row *one = t->list[n];
        if (one->object_class == s->object_class && strcmp(one->object_id, object_id) == 0 &&
            strcmp(one->account_id, s->account_id) == 0)
            return give_task(one, ret);
    }
    return ERR_NOT_FOUND;
}

enum err memory_task_get(struct inbox *i, int64_t id, struct task_row *ret, struct why *why)
{
    (void)why;
    return give_task(task_at(memory_of(i), id), ret);
}

enum err memory_task_put(struct inbox *i, struct task_row *t, struct why *why)
{
    struct memory *m = memory_of(i);
    struct task_row *row = t->id != 0 ? task_at(m, t->id) : memory_add_row(&m->tasks, sizeof *row);
    if (row == NULL)
        return why_no_memory(why);
    if (t->id == 0)
        t->id = ++m->last_id;
    *row = *t;
    return ERR_OK;
}

static const struct task_row *sooner(const struct task_row *best, const struct task_row *t)
{
    return t->state == TASK_READY && (best == NULL || t->due_us < best->due_us) ? t : best;
}

enum err memory_task_first(struct inbox *i, const char *account_id, int rank, int64_t fresh_us,
                           struct task_row *ret, struct why *why)
{
    const struct table *t = &memory_of(i)->tasks;
    const struct task_row *best = NULL;
    (void)why;
    for (size_t n = 0; n < t->count; n++) {
        const struct task_row *one = t->list[n];
        if (strcmp(one->account_id, account_id) == 0 && row_rank(one->object_class) == rank &&
            !task_row_fresh(one, fresh_us))
            best = sooner(best, one);
    }
    return give_task(best, ret);
}

enum err memory_task_next(struct inbox *i, const struct inbox_queue *q, struct task_row *ret,
                          struct why *why)
{
    const struct table *t = &memory_of(i)->tasks;
    const struct task_row *best = NULL;
    (void)why;
    for (size_t n = 0; n < t->count; n++) {
        const struct task_row *one = t->list[n];
        if (memory_is_of_queue(q, one->account_id, one->product_id, one->object_class))
            best = sooner(best, one);
    }
    return give_task(best, ret);
}

enum err memory_task_page(struct inbox *i, const struct inbox_filter *f, task_row_fn *fn, void *ctx,
                          struct why *why)
{
    const struct table *t = &memory_of(i)->tasks;
    int left = f->limit;
    (void)why;
    for (size_t n = t->count; n-- > 0 && left > 0;) {
        const struct task_row *one = t->list[n];
        if (!memory_fits_filter(f, one->id, one->account_id, one->product_id, one->object_class) ||
            !memory_fits(f->object_id, one->object_id) ||
            !memory_is_wanted(i, f, one->state, one->updated_us) ||
            (f->delivery_id != 0 && f->delivery_id != one->delivery_id))
            continue;
        left--;
        fn(ctx, one);
    }
    return ERR_OK;
}

/* Ids grow with time. */
enum err memory_task_newest(struct inbox *i, int64_t *ret_id, struct why *why)
{
    (void)why;
    *ret_id = memory_of(i)->last_id;
    return ERR_OK;
}

enum err memory_task_count(struct inbox *i, const struct inbox_queue *q, enum task_state state,
                           int64_t *ret_count, int64_t *ret_due_us, struct why *why)
{
    const struct table *t = &memory_of(i)->tasks;
    (void)why;
    *ret_count = 0;
    *ret_due_us = ROW_NEVER;
    for (size_t n = 0; n < t->count; n++) {
        const struct task_row *one = t->list[n];
        if (one->state != state ||
            !memory_is_of_queue(q, one->account_id, one->product_id, one->object_class))
            continue;
        ++*ret_count;
        *ret_due_us = clk_earlier(*ret_due_us, one->due_us);
    }
    return ERR_OK;
}

enum err memory_backlog(struct inbox *i, int64_t *ret, struct why *why)
{
    const struct table *t = &memory_of(i)->tasks;
    (void)why;
    *ret = 0;
    for (size_t n = 0; n < t->count; n++)
        *ret += ((const struct task_row *)t->list[n])->state == TASK_READY;
    return ERR_OK;
}

/* ------------------------------------------------------------------------------ attempts */

void memory_drop_attempt(struct table *t, size_t index)
{
    const struct attempt_row *a = t->list[index];
    free((char *)a->result);
    free((char *)a->reason);
    free((char *)a->calls);
    memory_drop_row(t, index);
}

/* All but the last `kept` of a task. */
static void drop_attempts(struct table *t, int64_t task_id, int kept)
{
    for (size_t n = t->count; n-- > 0;)
        if (((const struct attempt_row *)t->list[n])->task_id == task_id && kept-- <= 0)
            memory_drop_attempt(t, n);
}

enum err memory_attempt_add(struct inbox *i, const struct attempt_row *a, struct why *why)
{
    struct table *t = &memory_of(i)->attempts;
    struct attempt_row *row = memory_add_row(t, sizeof *row);
    if (row == NULL)
        return why_no_memory(why);
    *row = *a;
    row->result = strdup(a->result);
    row->reason = strdup(a->reason);
    row->calls = strdup(a->calls);
    if (row->result == NULL || row->reason == NULL || row->calls == NULL) {
        memory_drop_attempt(t, t->count - 1);
        return why_no_memory(why);
    }
    drop_attempts(t, a->task_id, INBOX_ATTEMPTS_KEPT);
    return ERR_OK;
}

enum err memory_attempt_each(struct inbox *i, int64_t task_id, attempt_row_fn *fn, void *ctx,
                             struct why *why)
{
    const struct table *t = &memory_of(i)->attempts;
    (void)why;
    for (size_t n = 0; n < t->count; n++) {
        const struct attempt_row *a = t->list[n];
        if (a->task_id == task_id)
            fn(ctx, a);
    }
    return ERR_OK;
}

/* ------------------------------------------------------------------------------- pruning */

enum err memory_prune_tasks(struct inbox *i, int64_t before_us, int64_t limit, int64_t *ret_count,
                            struct why *why)
{
    struct memory *m = memory_of(i);
    (void)why;
    *ret_count = 0;
    for (size_t n = 0; n < m->tasks.count && *ret_count < limit;) {
        const struct task_row *t = m->tasks.list[n];
        if (t->state == TASK_READY || t->state == TASK_RUNNING || t->updated_us >= before_us) {
            n++;
            continue;
        }
        drop_attempts(&m->attempts, t->id, 0);
        memory_drop_row(&m->tasks, n);
        ++*ret_count;
    }
    return ERR_OK;
}

/* -------------------------------------------------------------------------- what is held */

enum err memory_held(struct inbox *i, enum inbox_kind kind, int64_t after, int64_t *ret, size_t max,
                     size_t *ret_count, struct why *why)
{
    const struct memory *m = memory_of(i);
    const struct table *t = kind == INBOX_SWEEP ? &m->sweeps : &m->tasks;
    size_t count = 0;
    (void)why;
    for (size_t n = 0; n < t->count && count < max; n++) {
        const struct sweep_row *s = t->list[n];
        const struct task_row *one = t->list[n];
        int64_t id = kind == INBOX_SWEEP ? s->id : one->id;
        if (id > after && lease_held(kind == INBOX_SWEEP ? &s->lease : &one->lease))
            ret[count++] = id;
    }
    *ret_count = count;
    return ERR_OK;
}

enum err memory_held_count(struct inbox *i, const char *account_id, int64_t *ret, struct why *why)
{
    const struct memory *m = memory_of(i);
    int64_t count = 0;
    (void)why;
    for (size_t n = 0; n < m->sweeps.count; n++) {
        const struct sweep_row *s = m->sweeps.list[n];
        count += lease_held(&s->lease) && strcmp(s->account_id, account_id) == 0 &&
                 strcmp(s->lease.owner, i->taker.owner) == 0;
    }
    for (size_t n = 0; n < m->tasks.count; n++) {
        const struct task_row *t = m->tasks.list[n];
        count += lease_held(&t->lease) && strcmp(t->account_id, account_id) == 0 &&
                 strcmp(t->lease.owner, i->taker.owner) == 0;
    }
    *ret = count;
    return ERR_OK;
}
