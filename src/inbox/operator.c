/* operator.c - what the operator sees, has done again, and has forgotten. */
#include "base/clk.h"
#include "inbox/backend.h"
#include "inbox/verbs.h"

/* --------------------------------------------------------------------------------- looks */

struct looking {
    struct inbox_filter filter;
    int64_t task_id;
    int64_t now_us;
    int64_t newest; /* id that there is */
    int passed;     /* rows */
    inbox_sweep_status_fn *sweep_fn;
    inbox_task_fn *task_fn;
    inbox_delivery_fn *delivery_fn;
    inbox_attempt_fn *attempt_fn;
    void *ctx;
};

#define WINDOW 20000 /* ids that are looked through in one transaction */

static struct inbox_filter within_limits(const struct inbox_filter *f)
{
    struct inbox_filter own = *f;
    if (own.limit <= 0 || own.limit > INBOX_PAGE_MAX)
        own.limit = INBOX_PAGE_MAX;
    if (own.before_id <= 0)
        own.before_id = INT64_MAX;
    if (own.states == 0)
        own.states = ~0U;
    return own;
}

/*
 * Tasks and deliveries may be many, and those that fit few: they are looked through part by part,
 * so that no transaction takes long. What is left to look through is what the filter says.
 */
static bool next_window(struct looking *l, struct inbox_filter *ret)
{
    struct inbox_filter *left = &l->filter;
    *ret = *left;
    if (left->before_id > l->newest)
        ret->before_id = l->newest + 1;
    if (ret->before_id - WINDOW > left->after_id)
        ret->after_id = ret->before_id - WINDOW;
    left->before_id = ret->after_id + 1;
    return ret->before_id - ret->after_id > 1;
}

/* Is there something left to look through? */
static bool any_left(const struct looking *l)
{
    return l->filter.before_id - l->filter.after_id > 1;
}

static enum err look_through(struct inbox *i, inbox_work_fn *fn, struct looking *l, struct why *why)
{
    int limit = l->filter.limit;
    enum err e = ERR_OK;
    while (e == ERR_OK && l->passed < limit && any_left(l)) {
        l->filter.limit = limit - l->passed;
        e = i->backend->transact(i, fn, l, why);
    }
    return e;
}

static int64_t left_ms_or_never(int64_t due_us, int64_t now_us)
{
    return due_us != ROW_NEVER ? left_ms(due_us, now_us) : -1;
}

static void pass_sweep(void *ctx, const struct sweep_row *s)
{
    const struct looking *l = ctx;
    const struct inbox_sweep_status status = {
        .id = s->id,
        .account_id = s->account_id,
        .product_id = s->product_id,
        .object_class = s->object_class,
        .running = lease_held(&s->lease),
        .called = s->called,
        .due_ms = left_ms_or_never(clk_earlier(s->due_us, s->again_us), l->now_us),
        .poll_ms = left_ms_or_never(s->poll_us, l->now_us),
        .started_s = s->started_us != 0 ? wall_s(s->started_us, l->now_us) : 0,
        .ended_s = s->ended_us != 0 ? wall_s(s->ended_us, l->now_us) : 0,
        .failures = s->failures,
        .error = s->error,
        .delivery_id = s->delivery_id,
        .polled = s->polled};
    l->sweep_fn(l->ctx, &status);
}

static enum err each_sweep(struct inbox *i, void *work, struct why *why)
{
    struct looking *l = work;
    l->now_us = i->backend->now_us(i);
    return i->backend->sweep_page(i, &l->filter, pass_sweep, l, why);
}

enum err inbox_each_sweep(struct inbox *i, const struct inbox_filter *f, inbox_sweep_status_fn *fn,
                          void *ctx, struct why *why)
{
    struct looking l = {.filter = within_limits(f), .sweep_fn = fn, .ctx = ctx};
    return i->backend->transact(i, each_sweep, &l, why);
}

static void pass_task(void *ctx, const struct task_row *t)
{
    struct looking *l = ctx;
    const struct inbox_task task = task_of_row(t, l->now_us);
    l->passed++;
    l->task_fn(l->ctx, &task);
}

static enum err each_task(struct inbox *i, void *work, struct why *why)
{
    struct looking *l = work;
    struct inbox_filter f;
    l->now_us = i->backend->now_us(i);
    enum err e = i->backend->task_newest(i, &l->newest, why);
    return e == ERR_OK && next_window(l, &f) ? i->backend->task_page(i, &f, pass_task, l, why) : e;
}

enum err inbox_each_task(struct inbox *i, const struct inbox_filter *f, inbox_task_fn *fn,
                         void *ctx, struct why *why)
{
    struct looking l = {.filter = within_limits(f), .task_fn = fn, .ctx = ctx};
    return look_through(i, each_task, &l, why);
}

static void pass_delivery(void *ctx, const struct inbox_delivery *d)
{
    struct looking *l = ctx;
    l->passed++;
    l->delivery_fn(l->ctx, d);
}

static enum err each_delivery(struct inbox *i, void *work, struct why *why)
{
    struct looking *l = work;
    struct inbox_filter f;
    enum err e = i->backend->delivery_newest(i, &l->newest, why);
    return e == ERR_OK && next_window(l, &f)
               ? i->backend->delivery_page(i, &f, pass_delivery, l, why)
               : e;
}

enum err inbox_each_delivery(struct inbox *i, const struct inbox_filter *f, inbox_delivery_fn *fn,
                             void *ctx, struct why *why)
{
    struct looking l = {.filter = within_limits(f), .delivery_fn = fn, .ctx = ctx};
    return look_through(i, each_delivery, &l, why);
}

static void pass_attempt(void *ctx, const struct attempt_row *a)
{
    const struct looking *l = ctx;
    const struct inbox_attempt attempt = {wall_s(a->started_us, l->now_us),
                                          wall_s(a->ended_us, l->now_us), a->result, a->reason,
                                          a->calls};
    l->attempt_fn(l->ctx, &attempt);
}

static enum err each_attempt(struct inbox *i, void *work, struct why *why)
{
    struct looking *l = work;
    l->now_us = i->backend->now_us(i);
    return i->backend->attempt_each(i, l->task_id, pass_attempt, l, why);
}

enum err inbox_each_attempt(struct inbox *i, int64_t task_id, inbox_attempt_fn *fn, void *ctx,
                            struct why *why)
{
    struct looking l = {.task_id = task_id, .attempt_fn = fn, .ctx = ctx};
    return i->backend->transact(i, each_attempt, &l, why);
}

struct weighing {
    const struct inbox_queue *queue;
    struct inbox_load load;
};

static enum err weigh(struct inbox *i, void *work, struct why *why)
{
    struct weighing *w = work;
    struct inbox_load *l = &w->load;
    int64_t now_us = i->backend->now_us(i), due_us, no_due_us;
    struct sweep_row s;
    enum err e = i->backend->task_count(i, w->queue, TASK_READY, &l->ready, &due_us, why);
    if (e == ERR_OK)
        e = i->backend->task_count(i, w->queue, TASK_DEAD, &l->dead, &no_due_us, why);
    if (e == ERR_OK)
        e = sweep_of_queue(i, w->queue, &s, why);
    if (e != ERR_OK)
        return e;
    l->due_ms = left_ms_or_never(clk_earlier(due_us, sweep_row_due(&s)), now_us);
    l->polled = s.polled;
    l->late_ms = due_us < now_us ? (now_us - due_us) / 1000 : 0;
    return ERR_OK;
}

enum err inbox_load_of(struct inbox *i, const struct inbox_queue *q, struct inbox_load *ret,
                       struct why *why)
{
    struct weighing w = {.queue = q};
    enum err e = inbox_check_queue(q, why);
    if (e == ERR_OK)
        e = i->backend->transact(i, weigh, &w, why);
    *ret = w.load;
    return e;
}

struct halt_of {
    const char *account_id;
    int64_t ms;
};

static enum err read_halt(struct inbox *i, void *work, struct why *why)
{
    struct halt_of *h = work;
    struct account_row a;
    enum err e = i->backend->account_find(i, h->account_id, &a, why);
    if (e == ERR_OK)
        h->ms = left_ms(a.halted_until_us, i->backend->now_us(i));
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

enum err inbox_halted(struct inbox *i, const char *account_id, int64_t *ret_ms, struct why *why)
{
    struct halt_of h = {.account_id = account_id};
    enum err e = i->backend->transact(i, read_halt, &h, why);
    *ret_ms = h.ms;
    return e;
}

/* -------------------------------------------------------------------------------- orders */

#define ORDER_TASKS 200 /* of one transaction: calls wait meanwhile */

typedef void change_fn(struct task_row *t, int64_t now_us);

/* The tasks of one transaction. */
struct order {
    struct looking looking; /* what is left */
    change_fn *change;
    int64_t ids[ORDER_TASKS];
    int count;
    struct inbox_ordered done;
};

static void note_id(void *ctx, const struct inbox_task *t)
{
    struct order *o = ctx;
    o->ids[o->count++] = t->id;
}

static enum err change_part(struct inbox *i, void *work, struct why *why)
{
    struct order *o = work;
    struct task_row t;
    o->count = 0;
    o->done = (struct inbox_ordered){0};
    enum err e = each_task(i, &o->looking, why);
    if (o->count == ORDER_TASKS) /* there may be more in this window */
        o->looking.filter.before_id = o->ids[o->count - 1];
    for (int n = 0; e == ERR_OK && n < o->count; n++) {
        e = i->backend->task_get(i, o->ids[n], &t, why);
        if (e == ERR_OK && t.state == TASK_RUNNING) {
            o->done.held++;
        } else if (e == ERR_OK) {
            o->change(&t, i->backend->now_us(i));
            e = i->backend->task_put(i, &t, why);
            o->done.changed++;
        }
    }
    return e;
}

static enum err change_all(struct inbox *i, const struct inbox_filter *f, change_fn *fn,
                           struct inbox_ordered *ret, struct why *why)
{
    struct order o = {.change = fn};
    o.looking = (struct looking){.filter = within_limits(f), .task_fn = note_id, .ctx = &o};
    enum err e = ERR_OK;
    o.looking.filter.limit = ORDER_TASKS;
    *ret = (struct inbox_ordered){0};
    while (e == ERR_OK && any_left(&o.looking)) {
        e = transact_and_tell(i, change_part, &o, why);
        if (e == ERR_OK) {
            ret->changed += o.done.changed;
            ret->held += o.done.held;
        }
    }
    return e;
}

enum err inbox_retry_tasks(struct inbox *i, const struct inbox_filter *f, struct inbox_ordered *ret,
                           struct why *why)
{
    return change_all(i, f, task_row_retry, ret, why);
}

enum err inbox_discard_tasks(struct inbox *i, const struct inbox_filter *f,
                             struct inbox_ordered *ret, struct why *why)
{
    return change_all(i, f, task_row_discard, ret, why);
}

static enum err replay(struct inbox *i, void *work, struct why *why)
{
    const int64_t *id = work;
    struct sweep_row s;
    enum err e = i->backend->delivery_renew(i, *id, &s, why);
    if (e == ERR_NOT_FOUND)
        return why_set(why, e, "inbox: no delivery %lld", (long long)*id);
    if (e != ERR_OK)
        return e;
    sweep_row_wake(&s, *id, i->backend->now_us(i));
    return i->backend->sweep_put(i, &s, why);
}

enum err inbox_replay(struct inbox *i, int64_t delivery, struct why *why)
{
    return transact_and_tell(i, replay, &delivery, why);
}

/* ------------------------------------------------------------------------------- pruning */

struct pruning {
    int64_t age_ms, limit, last, count;
    bool more;
};

static enum err prune(struct inbox *i, void *work, struct why *why)
{
    struct pruning *p = work;
    int64_t before_us = i->backend->now_us(i) - p->age_ms * 1000, deliveries = 0, tasks = 0;
    p->last = i->pruned_to;
    enum err e = i->backend->prune_deliveries(i, before_us, p->limit, &p->last, &deliveries, why);
    if (e == ERR_OK)
        e = i->backend->prune_tasks(i, before_us, p->limit, &tasks, why);
    p->count = deliveries + tasks;
    p->more = p->last != 0 || tasks == p->limit;
    if (e == ERR_OK)
        i->pruned_to = p->last;
    return e;
}

enum err inbox_prune(struct inbox *i, int64_t age_ms, int64_t limit, int64_t *ret_count,
                     bool *ret_more, struct why *why)
{
    struct pruning p = {.age_ms = age_ms, .limit = limit};
    enum err e = i->backend->transact(i, prune, &p, why);
    *ret_count = e == ERR_OK ? p.count : 0;
    *ret_more = e == ERR_OK && p.more;
    return e;
}

static enum err read_room(struct inbox *i, void *work, struct why *why)
{
    return i->backend->room(i, work, why);
}

enum err inbox_room_of(struct inbox *i, struct inbox_room *ret, struct why *why)
{
    return i->backend->transact(i, read_room, ret, why);
}
