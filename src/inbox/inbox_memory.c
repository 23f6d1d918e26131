/*
 * inbox_memory.c - an inbox that ends with its program: "memory:". For tests, and to say by a
 * second backend what is asked of one.
 *
 * A transaction is a lock that is held; as its rows cannot fail to be written, nothing has to be
 * taken back.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/clk.h"
#include "inbox/backend.h"

struct delivery_row {
    int64_t id;
    struct delivery d; /* its texts are owned */
    int64_t seen, last_received_us, stored_us;
};

struct mark_row {
    char account_id[OBJECT_ID_MAX], product_id[OBJECT_ID_MAX];
    const struct object_class *object_class;
    bool is_set; /* else only what was seen is known */
    struct inbox_mark mark;
};

struct seen_row {
    const struct mark_row *mark; /* whose */
    char object_id[OBJECT_ID_MAX];
    int64_t created_us;
};

struct tally_row {
    char webhook_id[OBJECT_ID_MAX];
    struct inbox_tally tally;
};

/* An array of pointers, so that rows stay where they are. */
struct table {
    void **list;
    size_t count, cap;
};

struct memory {
    struct inbox head;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t told;
    uint64_t heard;
    bool stopped;
    int64_t last_us;
    int64_t last_id;
    int64_t worked_us; /* when somebody said so; 0: nobody does */
    struct table deliveries, sweeps, tasks, accounts, marks, seen, tallies;
    struct table attempts; /* whose texts are owned */
};

static struct memory *memory_of(struct inbox *i)
{
    return (struct memory *)i;
}

/* ------------------------------------------------------------------------- tables */

/* A row of its own, all zero; NULL: out of memory. */
static void *add_row(struct table *t, size_t size)
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

static void drop_row(struct table *t, size_t index)
{
    free(t->list[index]);
    memmove(&t->list[index], &t->list[index + 1], (--t->count - index) * sizeof *t->list);
}

static void free_table(struct table *t)
{
    while (t->count > 0)
        drop_row(t, t->count - 1);
    free(t->list);
}

/* ------------------------------------------------------------------- transactions */

static int64_t now_us(struct inbox *i)
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

static void tell(struct inbox *i)
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
    tell(i);
}

/* ------------------------------------------------------------------------- sweeps */

static bool is_of_queue(const struct inbox_queue *q, const char *account_id, const char *product_id,
                        const struct object_class *c)
{
    return q->object_class == c && strcmp(q->account_id, account_id) == 0 &&
           strcmp(q->product_id, product_id) == 0;
}

static enum err sweep_find(struct inbox *i, const struct inbox_queue *q, struct sweep_row *ret,
                           struct why *why)
{
    const struct table *t = &memory_of(i)->sweeps;
    (void)why;
    for (size_t n = 0; n < t->count; n++) {
        const struct sweep_row *s = t->list[n];
        if (!is_of_queue(q, s->account_id, s->product_id, s->object_class))
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

static enum err sweep_get(struct inbox *i, int64_t id, struct sweep_row *ret, struct why *why)
{
    const struct sweep_row *s = sweep_at(memory_of(i), id);
    (void)why;
    if (s != NULL)
        *ret = *s;
    return s != NULL ? ERR_OK : ERR_NOT_FOUND;
}

static enum err sweep_put(struct inbox *i, struct sweep_row *s, struct why *why)
{
    struct memory *m = memory_of(i);
    struct sweep_row *row = s->id != 0 ? sweep_at(m, s->id) : add_row(&m->sweeps, sizeof *row);
    if (row == NULL)
        return why_no_memory(why);
    if (s->id == 0)
        s->id = ++m->last_id;
    *row = *s;
    return ERR_OK;
}

static enum err sweep_first(struct inbox *i, const char *account_id, int rank,
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

static bool fits(const char *wanted, const char *is)
{
    return wanted == NULL || strcmp(wanted, is) == 0;
}

/* What a page of rows has in common. */
static bool fits_filter(const struct inbox_filter *f, int64_t id, const char *account_id,
                        const char *product_id, const struct object_class *c)
{
    return id < f->before_id && id > f->after_id && fits(f->account_id, account_id) &&
           fits(f->product_id, product_id) && (f->object_class == NULL || f->object_class == c);
}

/* ... and of tasks and deliveries. */
static bool is_wanted(struct inbox *i, const struct inbox_filter *f, unsigned state,
                      int64_t since_us)
{
    return (f->states >> state & 1) != 0 &&
           (f->age_ms == 0 || since_us >= now_us(i) - f->age_ms * 1000);
}

static enum err sweep_page(struct inbox *i, const struct inbox_filter *f, sweep_row_fn *fn,
                           void *ctx, struct why *why)
{
    const struct table *t = &memory_of(i)->sweeps;
    int left = f->limit;
    (void)why;
    for (size_t n = t->count; n-- > 0 && left > 0;) {
        const struct sweep_row *one = t->list[n];
        if (!fits_filter(f, one->id, one->account_id, one->product_id, one->object_class))
            continue;
        left--;
        fn(ctx, one);
    }
    return ERR_OK;
}

/* -------------------------------------------------------------------------- tasks */

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

static enum err task_find(struct inbox *i, const struct sweep_row *s, const char *object_id,
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

static enum err task_get(struct inbox *i, int64_t id, struct task_row *ret, struct why *why)
{
    (void)why;
    return give_task(task_at(memory_of(i), id), ret);
}

static enum err task_put(struct inbox *i, struct task_row *t, struct why *why)
{
    struct memory *m = memory_of(i);
    struct task_row *row = t->id != 0 ? task_at(m, t->id) : add_row(&m->tasks, sizeof *row);
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

static enum err task_first(struct inbox *i, const char *account_id, int rank, int64_t fresh_us,
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

static enum err task_next(struct inbox *i, const struct inbox_queue *q, struct task_row *ret,
                          struct why *why)
{
    const struct table *t = &memory_of(i)->tasks;
    const struct task_row *best = NULL;
    (void)why;
    for (size_t n = 0; n < t->count; n++) {
        const struct task_row *one = t->list[n];
        if (is_of_queue(q, one->account_id, one->product_id, one->object_class))
            best = sooner(best, one);
    }
    return give_task(best, ret);
}

static enum err task_page(struct inbox *i, const struct inbox_filter *f, task_row_fn *fn, void *ctx,
                          struct why *why)
{
    const struct table *t = &memory_of(i)->tasks;
    int left = f->limit;
    (void)why;
    for (size_t n = t->count; n-- > 0 && left > 0;) {
        const struct task_row *one = t->list[n];
        if (!fits_filter(f, one->id, one->account_id, one->product_id, one->object_class) ||
            !fits(f->object_id, one->object_id) || !is_wanted(i, f, one->state, one->updated_us) ||
            (f->delivery_id != 0 && f->delivery_id != one->delivery_id))
            continue;
        left--;
        fn(ctx, one);
    }
    return ERR_OK;
}

/* Ids grow with time. */
static enum err task_newest(struct inbox *i, int64_t *ret_id, struct why *why)
{
    (void)why;
    *ret_id = memory_of(i)->last_id;
    return ERR_OK;
}

static enum err task_count(struct inbox *i, const struct inbox_queue *q, enum task_state state,
                           int64_t *ret_count, int64_t *ret_due_us, struct why *why)
{
    const struct table *t = &memory_of(i)->tasks;
    (void)why;
    *ret_count = 0;
    *ret_due_us = ROW_NEVER;
    for (size_t n = 0; n < t->count; n++) {
        const struct task_row *one = t->list[n];
        if (one->state != state ||
            !is_of_queue(q, one->account_id, one->product_id, one->object_class))
            continue;
        ++*ret_count;
        *ret_due_us = clk_earlier(*ret_due_us, one->due_us);
    }
    return ERR_OK;
}

static enum err backlog(struct inbox *i, int64_t *ret, struct why *why)
{
    const struct table *t = &memory_of(i)->tasks;
    (void)why;
    *ret = 0;
    for (size_t n = 0; n < t->count; n++)
        *ret += ((const struct task_row *)t->list[n])->state == TASK_READY;
    return ERR_OK;
}

/* ----------------------------------------------------------------------- attempts */

static void drop_attempt(struct table *t, size_t index)
{
    const struct attempt_row *a = t->list[index];
    free((char *)a->result);
    free((char *)a->reason);
    free((char *)a->calls);
    drop_row(t, index);
}

/* All but the last `kept` of a task. */
static void drop_attempts(struct table *t, int64_t task_id, int kept)
{
    for (size_t n = t->count; n-- > 0;)
        if (((const struct attempt_row *)t->list[n])->task_id == task_id && kept-- <= 0)
            drop_attempt(t, n);
}

static enum err attempt_add(struct inbox *i, const struct attempt_row *a, struct why *why)
{
    struct table *t = &memory_of(i)->attempts;
    struct attempt_row *row = add_row(t, sizeof *row);
    if (row == NULL)
        return why_no_memory(why);
    *row = *a;
    row->result = strdup(a->result);
    row->reason = strdup(a->reason);
    row->calls = strdup(a->calls);
    if (row->result == NULL || row->reason == NULL || row->calls == NULL) {
        drop_attempt(t, t->count - 1);
        return why_no_memory(why);
    }
    drop_attempts(t, a->task_id, INBOX_ATTEMPTS_KEPT);
    return ERR_OK;
}

static enum err attempt_each(struct inbox *i, int64_t task_id, attempt_row_fn *fn, void *ctx,
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

/* -------------------------------------------------------------------- what is held */

static enum err held(struct inbox *i, enum inbox_kind kind, int64_t after, int64_t *ret, size_t max,
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

static enum err held_count(struct inbox *i, const char *account_id, int64_t *ret, struct why *why)
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

/* ------------------------------------------------------------------------ accounts */

static struct account_row *account_at(struct memory *m, const char *account_id)
{
    for (size_t n = 0; n < m->accounts.count; n++) {
        struct account_row *a = m->accounts.list[n];
        if (strcmp(a->account_id, account_id) == 0)
            return a;
    }
    return NULL;
}

static enum err account_find(struct inbox *i, const char *account_id, struct account_row *ret,
                             struct why *why)
{
    const struct account_row *a = account_at(memory_of(i), account_id);
    (void)why;
    if (a != NULL)
        *ret = *a;
    return a != NULL ? ERR_OK : ERR_NOT_FOUND;
}

static enum err account_put(struct inbox *i, const struct account_row *a, struct why *why)
{
    struct memory *m = memory_of(i);
    struct account_row *row = account_at(m, a->account_id);
    if (row == NULL && (row = add_row(&m->accounts, sizeof *row)) == NULL)
        return why_no_memory(why);
    *row = *a;
    return ERR_OK;
}

static enum err account_next(struct inbox *i, const char *after, struct account_row *ret,
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
    if (account_find(i, next, ret, why) == ERR_OK)
        return ERR_OK;
    *ret = (struct account_row){.halted_until_us = 0};
    snprintf(ret->account_id, sizeof ret->account_id, "%s", next);
    return ERR_OK;
}

/* --------------------------------------------------------------------- deliveries */

static void drop_delivery(struct table *t, size_t index)
{
    const struct delivery *d = &((const struct delivery_row *)t->list[index])->d;
    free((char *)d->webhook_id);
    free((char *)d->account_id);
    free((char *)d->product_id);
    free((char *)d->triggered_at);
    free((char *)d->claims);
    free((char *)d->body);
    drop_row(t, index);
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
    struct delivery_row *row = add_row(&m->deliveries, sizeof *row);
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
    drop_delivery(&m->deliveries, m->deliveries.count - 1);
    return NULL;
}

static enum err wake_sweep(struct inbox *i, const struct delivery_row *row, struct why *why)
{
    const struct delivery *d = &row->d;
    const struct inbox_queue q = {d->account_id, d->product_id, d->object_class};
    struct sweep_row s;
    if (sweep_find(i, &q, &s, why) != ERR_OK)
        sweep_row_init(&s, &q);
    sweep_row_wake(&s, row->id, row->stored_us);
    return sweep_put(i, &s, why);
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
    row->stored_us = now_us(i);
    ret->id = row->id;
    ret->seen = row->seen;
    return d->state == DELIVERY_STORED ? wake_sweep(i, row, &ret->why) : ERR_OK;
}

static void append(struct inbox *i, const struct delivery *d, inbox_appended_fn *fn, void *ctx)
{
    struct memory *m = memory_of(i);
    struct inbox_receipt receipt = {.err = ERR_OK};
    pthread_mutex_lock(&m->lock);
    receipt.err = store(i, d, &receipt);
    pthread_mutex_unlock(&m->lock);
    tell(i);
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

static enum err set_state(struct inbox *i, int64_t id, enum delivery_state s, struct why *why)
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

static enum err delivery_renew(struct inbox *i, int64_t id, struct sweep_row *ret, struct why *why)
{
    struct delivery_row *row = delivery_at(memory_of(i), id);
    if (row == NULL)
        return ERR_NOT_FOUND;
    const struct inbox_queue q = {row->d.account_id, row->d.product_id, row->d.object_class};
    row->d.state = DELIVERY_STORED;
    row->stored_us = now_us(i);
    if (sweep_find(i, &q, ret, why) != ERR_OK)
        sweep_row_init(ret, &q);
    return ERR_OK;
}

static bool is_covered(struct inbox *i, const struct delivery_row *row)
{
    const struct inbox_queue q = {row->d.account_id, row->d.product_id, row->d.object_class};
    struct sweep_row s;
    return sweep_find(i, &q, &s, NULL) == ERR_OK && row->stored_us <= s.covered_us;
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

static enum err delivery_page(struct inbox *i, const struct inbox_filter *f, inbox_delivery_fn *fn,
                              void *ctx, struct why *why)
{
    const struct table *t = &memory_of(i)->deliveries;
    int left = f->limit;
    (void)why;
    for (size_t n = t->count; n-- > 0 && left > 0;) {
        const struct delivery_row *row = t->list[n];
        const struct delivery *d = &row->d;
        if (!fits_filter(f, row->id, d->account_id, d->product_id, d->object_class) ||
            !fits(f->webhook_id, d->webhook_id) ||
            !is_wanted(i, f, state_now(i, row), row->stored_us))
            continue;
        left--;
        pass_delivery(i, row, fn, ctx);
    }
    return ERR_OK;
}

static enum err delivery_newest(struct inbox *i, int64_t *ret_id, struct why *why)
{
    return task_newest(i, ret_id, why); /* they share their ids */
}

static enum err prune_deliveries(struct inbox *i, int64_t before_us, int64_t limit, int64_t *last,
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
        drop_delivery(&m->deliveries, n);
        ++*ret_count;
    }
    if (looked_at == young)
        *last = 0;
    return ERR_OK;
}

static enum err prune_tasks(struct inbox *i, int64_t before_us, int64_t limit, int64_t *ret_count,
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
        drop_row(&m->tasks, n);
        ++*ret_count;
    }
    return ERR_OK;
}

static enum err room(struct inbox *i, struct inbox_room *ret, struct why *why)
{
    (void)i;
    (void)why;
    *ret = (struct inbox_room){.disk_free_bytes = -1};
    return ERR_OK;
}

/* -------------------------------------------------------------------------- health */

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

/* -------------------------------------------------------------------------- marks */

/* NULL: there is none. */
static struct mark_row *find_mark(const struct memory *m, const struct inbox_queue *q)
{
    for (size_t n = 0; n < m->marks.count; n++) {
        struct mark_row *row = m->marks.list[n];
        if (is_of_queue(q, row->account_id, row->product_id, row->object_class))
            return row;
    }
    return NULL;
}

/* NULL: out of memory. */
static struct mark_row *make_mark(struct memory *m, const struct inbox_queue *q)
{
    struct mark_row *row = find_mark(m, q);
    if (row != NULL || (row = add_row(&m->marks, sizeof *row)) == NULL)
        return row;
    snprintf(row->account_id, sizeof row->account_id, "%s", q->account_id);
    snprintf(row->product_id, sizeof row->product_id, "%s", q->product_id);
    row->object_class = q->object_class;
    return row;
}

static enum err mark_read(struct inbox *i, const struct inbox_queue *q, struct inbox_mark *ret,
                          inbox_seen_fn *fn, void *ctx, struct why *why)
{
    struct memory *m = memory_of(i);
    pthread_mutex_lock(&m->lock);
    const struct mark_row *mark = find_mark(m, q);
    bool found = mark != NULL && mark->is_set;
    if (found)
        *ret = mark->mark;
    for (size_t n = 0; found && n < m->seen.count; n++) {
        const struct seen_row *s = m->seen.list[n];
        if (s->mark == mark)
            fn(ctx, s->object_id, s->created_us);
    }
    pthread_mutex_unlock(&m->lock);
    return found ? ERR_OK : why_set(why, ERR_NOT_FOUND, "the queue has no mark");
}

static void forget_seen(struct memory *m, const struct mark_row *mark)
{
    for (size_t n = m->seen.count; n-- > 0;) {
        const struct seen_row *s = m->seen.list[n];
        if (s->mark == mark && s->created_us < mark->mark.from_us)
            drop_row(&m->seen, n);
    }
}

static enum err mark_write(struct inbox *i, const struct inbox_queue *q,
                           const struct inbox_mark *mark, struct why *why)
{
    struct memory *m = memory_of(i);
    pthread_mutex_lock(&m->lock);
    struct mark_row *row = make_mark(m, q);
    if (row != NULL) {
        row->is_set = true;
        row->mark = *mark;
        forget_seen(m, row);
    }
    pthread_mutex_unlock(&m->lock);
    return row != NULL ? ERR_OK : why_no_memory(why);
}

/* NULL: there is none. */
static struct seen_row *find_seen(const struct memory *m, const struct mark_row *mark,
                                  const char *object_id)
{
    for (size_t n = 0; n < m->seen.count; n++) {
        struct seen_row *s = m->seen.list[n];
        if (s->mark == mark && strcmp(s->object_id, object_id) == 0)
            return s;
    }
    return NULL;
}

static enum err mark_seen(struct inbox *i, const struct inbox_queue *q, const char *object_id,
                          int64_t created_us, struct why *why)
{
    struct memory *m = memory_of(i);
    pthread_mutex_lock(&m->lock);
    const struct mark_row *mark = make_mark(m, q);
    struct seen_row *s = mark != NULL ? find_seen(m, mark, object_id) : NULL;
    if (mark != NULL && s == NULL && (s = add_row(&m->seen, sizeof *s)) != NULL) {
        s->mark = mark;
        snprintf(s->object_id, sizeof s->object_id, "%s", object_id);
    }
    if (s != NULL)
        s->created_us = created_us;
    pthread_mutex_unlock(&m->lock);
    return s != NULL ? ERR_OK : why_no_memory(why);
}

/* ------------------------------------------------------------------------- tallies */

static struct tally_row *find_tally(const struct memory *m, const char *webhook_id)
{
    for (size_t n = 0; n < m->tallies.count; n++) {
        struct tally_row *row = m->tallies.list[n];
        if (strcmp(row->webhook_id, webhook_id) == 0)
            return row;
    }
    return NULL;
}

static void count_call(struct inbox_tally *t, bool success)
{
    int64_t at_us = clk_wall_us();
    t->success += success;
    t->failure += !success;
    t->failure_since_last_success = success ? 0 : t->failure_since_last_success + 1;
    *(success ? &t->last_success_us : &t->last_failure_us) = at_us;
}

static void tally_add(struct inbox *i, const char *webhook_id, bool success)
{
    struct memory *m = memory_of(i);
    pthread_mutex_lock(&m->lock);
    struct tally_row *row = find_tally(m, webhook_id);
    if (row == NULL && (row = add_row(&m->tallies, sizeof *row)) != NULL)
        snprintf(row->webhook_id, sizeof row->webhook_id, "%s", webhook_id);
    if (row != NULL)
        count_call(&row->tally, success);
    pthread_mutex_unlock(&m->lock);
}

static enum err tally_read(struct inbox *i, const char *webhook_id, struct inbox_tally *ret,
                           struct why *why)
{
    struct memory *m = memory_of(i);
    pthread_mutex_lock(&m->lock);
    const struct tally_row *row = find_tally(m, webhook_id);
    if (row != NULL)
        *ret = row->tally;
    pthread_mutex_unlock(&m->lock);
    return row != NULL ? ERR_OK : why_set(why, ERR_NOT_FOUND, "no call was counted");
}

/* ------------------------------------------------------------------------ counters */

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

/* ------------------------------------------------------------------------- itself */

static void close_memory(struct inbox *i)
{
    struct memory *m = memory_of(i);
    while (m->deliveries.count > 0)
        drop_delivery(&m->deliveries, m->deliveries.count - 1);
    while (m->attempts.count > 0)
        drop_attempt(&m->attempts, m->attempts.count - 1);
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
    .append = append,
    .set_state = set_state,
    .transact = transact,
    .heard = heard,
    .wait = wait,
    .tell = tell,
    .now_us = now_us,
    .sweep_find = sweep_find,
    .sweep_get = sweep_get,
    .sweep_put = sweep_put,
    .sweep_first = sweep_first,
    .sweep_page = sweep_page,
    .task_find = task_find,
    .task_get = task_get,
    .task_put = task_put,
    .task_first = task_first,
    .task_next = task_next,
    .task_page = task_page,
    .task_newest = task_newest,
    .task_count = task_count,
    .backlog = backlog,
    .attempt_add = attempt_add,
    .attempt_each = attempt_each,
    .held = held,
    .held_count = held_count,
    .account_next = account_next,
    .account_find = account_find,
    .account_put = account_put,
    .delivery_renew = delivery_renew,
    .delivery_page = delivery_page,
    .delivery_newest = delivery_newest,
    .prune_deliveries = prune_deliveries,
    .prune_tasks = prune_tasks,
    .probe = probe,
    .worker_put = worker_put,
    .worker_drop = worker_drop,
    .worker_count = worker_count,
    .room = room,
    .mark_read = mark_read,
    .mark_write = mark_write,
    .mark_seen = mark_seen,
    .counters_put = counters_put,
    .counters_each = counters_each,
    .tally_add = tally_add,
    .tally_read = tally_read,
};
