/*
 * inbox_memory.c - an inbox that ends with its program: "memory:". For tests, and to say by a
 * second backend what is asked of one.
 *
 * A transaction is a lock that is held; as its rows cannot fail to be written, nothing has to be
 * taken back.
 */
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/clk.h"
#include "inbox/memory.h"

/* -------------------------------------------------------------------------------- tables */

void *memory_add_row(struct table *t, size_t size)
{
    void **list = array_room(t->list, t->count, &t->cap, sizeof *list);
    if (list == NULL)
        return NULL;
    t->list = list;
    void *row = calloc(1, size);
    if (row != NULL)
        t->list[t->count++] = row;
    return row;
}

void memory_drop_row(struct table *t, size_t index)
{
    free(t->list[index]);
    memmove(&t->list[index], &t->list[index + 1], (--t->count - index) * sizeof *t->list);
}

static void free_table(struct table *t)
{
    while (t->count > 0)
        memory_drop_row(t, t->count - 1);
    free(t->list);
}

/* ----------------------------------------------------------------------- queues, pages */

bool memory_is_of_queue(const struct inbox_queue *q, const char *account_id, const char *product_id,
                        const struct object_class *c)
{
    return q->object_class == c && strcmp(q->account_id, account_id) == 0 &&
           strcmp(q->product_id, product_id) == 0;
}

bool memory_fits(const char *wanted, const char *is)
{
    return wanted == NULL || strcmp(wanted, is) == 0;
}

bool memory_fits_filter(const struct inbox_filter *f, int64_t id, const char *account_id,
                        const char *product_id, const struct object_class *c)
{
    return id < f->before_id && id > f->after_id && memory_fits(f->account_id, account_id) &&
           memory_fits(f->product_id, product_id) &&
           (f->object_class == NULL || f->object_class == c);
}

bool memory_is_wanted(struct inbox *i, const struct inbox_filter *f, unsigned state,
                      int64_t since_us)
{
    return (f->states >> state & 1) != 0 &&
           (f->age_ms == 0 || since_us >= memory_now_us(i) - f->age_ms * 1000);
}

/* -------------------------------------------------------------------------- transactions */

int64_t memory_now_us(struct inbox *i)
{
    struct memory *m = memory_of(i);
    int64_t now = clk_mono_ms() * 1000;
    m->last_us = now > m->last_us ? now : m->last_us + 1;
    return m->last_us;
}

static enum err transact(struct inbox *i, inbox_work_fn *fn, void *work, struct why *why)
{
    struct memory *m = memory_of(i);
    pthread_mutex_lock(&m->lock);
    enum err e = fn(i, work, why);
    pthread_mutex_unlock(&m->lock);
    return e;
}

static uint64_t heard(struct inbox *i)
{
    struct memory *m = memory_of(i);
    pthread_mutex_lock(&m->lock);
    uint64_t n = m->heard;
    pthread_mutex_unlock(&m->lock);
    return n;
}

static enum err wait(struct inbox *i, uint64_t n, int64_t until)
{
    struct memory *m = memory_of(i);
    pthread_mutex_lock(&m->lock);
    while (m->heard == n && !m->stopped && clk_mono_ms() < until)
        clk_cond_wait(&m->told, &m->lock, until);
    enum err e = m->stopped ? ERR_STOPPED : m->heard == n ? ERR_TIMEOUT : ERR_OK;
    pthread_mutex_unlock(&m->lock);
    return e;
}

void memory_tell(struct inbox *i)
{
    struct memory *m = memory_of(i);
    pthread_mutex_lock(&m->lock);
    m->heard++;
    pthread_cond_broadcast(&m->told);
    pthread_mutex_unlock(&m->lock);
}

static void stop(struct inbox *i)
{
    struct memory *m = memory_of(i);
    pthread_mutex_lock(&m->lock);
    m->stopped = true;
    pthread_mutex_unlock(&m->lock);
    memory_tell(i);
}

/* -------------------------------------------------------------------------------- health */

static enum err probe(struct inbox *i, struct why *why)
{
    (void)i;
    (void)why;
    return ERR_OK;
}

/* There is one program, so one row. */
static enum err worker_put(struct inbox *i, const char *owner, int64_t seen_us, int64_t forget_us,
                           struct why *why)
{
    (void)owner;
    (void)forget_us;
    (void)why;
    memory_of(i)->worked_us = seen_us;
    return ERR_OK;
}

static enum err worker_drop(struct inbox *i, const char *owner, struct why *why)
{
    return worker_put(i, owner, 0, 0, why);
}

static enum err worker_count(struct inbox *i, int64_t since_us, int64_t *ret, struct why *why)
{
    (void)why;
    *ret = memory_of(i)->worked_us != 0 && memory_of(i)->worked_us >= since_us;
    return ERR_OK;
}

static enum err room(struct inbox *i, struct inbox_room *ret, struct why *why)
{
    (void)i;
    (void)why;
    *ret = (struct inbox_room){.disk_free_bytes = -1};
    return ERR_OK;
}

/* ------------------------------------------------------------------------------ counters */

/* One program has them where they are. */
static void counters_put(struct inbox *i)
{
    (void)i;
}

static enum err counters_each(struct inbox *i, inbox_counter_fn *fn, void *ctx, struct why *why)
{
    (void)i;
    (void)fn;
    (void)ctx;
    (void)why;
    return ERR_OK;
}

/* -------------------------------------------------------------------------------- itself */

static void close_memory(struct inbox *i)
{
    struct memory *m = memory_of(i);
    while (m->deliveries.count > 0)
        memory_drop_delivery(&m->deliveries, m->deliveries.count - 1);
    while (m->attempts.count > 0)
        memory_drop_attempt(&m->attempts, m->attempts.count - 1);
    free_table(&m->deliveries);
    free_table(&m->sweeps);
    free_table(&m->tasks);
    free_table(&m->attempts);
    free_table(&m->accounts);
    free_table(&m->marks);
    free_table(&m->seen);
    free_table(&m->tallies);
    pthread_cond_destroy(&m->told);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

static enum err open_memory(const struct inbox_options *options, const char *address,
                            struct inbox **ret, struct why *why)
{
    struct memory *m = calloc(1, sizeof *m);
    (void)options;
    (void)address;
    if (m == NULL)
        return why_no_memory(why);
    pthread_mutex_init(&m->lock, NULL);
    clk_cond_init(&m->told);
    *ret = &m->head;
    return ERR_OK;
}

const struct inbox_backend inbox_backend_memory = {
    .scheme = "memory",
    .open = open_memory,
    .close = close_memory,
    .stop = stop,
    .append = memory_append,
    .set_state = memory_set_state,
    .transact = transact,
    .heard = heard,
    .wait = wait,
    .tell = memory_tell,
    .now_us = memory_now_us,
    .sweep_find = memory_sweep_find,
    .sweep_get = memory_sweep_get,
    .sweep_put = memory_sweep_put,
    .sweep_first = memory_sweep_first,
    .sweep_page = memory_sweep_page,
    .task_find = memory_task_find,
    .task_get = memory_task_get,
    .task_put = memory_task_put,
    .task_first = memory_task_first,
    .task_next = memory_task_next,
    .task_page = memory_task_page,
    .task_newest = memory_task_newest,
    .task_count = memory_task_count,
    .backlog = memory_backlog,
    .attempt_add = memory_attempt_add,
    .attempt_each = memory_attempt_each,
    .held = memory_held,
    .held_count = memory_held_count,
    .account_next = memory_account_next,
    .account_find = memory_account_find,
    .account_put = memory_account_put,
    .delivery_renew = memory_delivery_renew,
    .delivery_page = memory_delivery_page,
    .delivery_newest = memory_delivery_newest,
    .prune_deliveries = memory_prune_deliveries,
    .prune_tasks = memory_prune_tasks,
    .probe = probe,
    .worker_put = worker_put,
    .worker_drop = worker_drop,
    .worker_count = worker_count,
    .room = room,
    .mark_read = memory_mark_read,
    .mark_write = memory_mark_write,
    .mark_seen = memory_mark_seen,
    .counters_put = counters_put,
    .counters_each = counters_each,
    .tally_add = memory_tally_add,
    .tally_read = memory_tally_read,
};
