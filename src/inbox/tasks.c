/* tasks.c - tasks: found, held, ended. */
#include <stdio.h>

#include "base/clk.h"
#include "inbox/backend.h"
#include "inbox/verbs.h"

/* ------------------------------------------------------------------ as others see it */

int64_t wall_s(int64_t at_us, int64_t now_us)
{
    return clk_second(clk_wall_us() - (now_us - at_us));
}

int64_t left_ms(int64_t at_us, int64_t now_us)
{
    return at_us > now_us ? (at_us - now_us + 999) / 1000 : 0;
}

struct inbox_task task_of_row(const struct task_row *t, int64_t now_us)
{
    bool waits = t->state == TASK_READY || t->state == TASK_SKIPPED;
    struct inbox_task task = {.id = t->id,
                              .lease = lease_of(INBOX_TASK, t->id, &t->lease, 0),
                              .object_class = t->object_class,
                              .state = t->state,
                              .called = t->called,
                              .delivery_id = t->delivery_id,
                              .due_ms = waits ? left_ms(t->due_us, now_us) : 0,
                              .asked = t->asked,
                              .failures = t->failures,
                              .created_s = wall_s(t->created_us, now_us),
                              .updated_s = wall_s(t->updated_us, now_us),
                              .story = t->story};
    snprintf(task.account_id, sizeof task.account_id, "%s", t->account_id);
    snprintf(task.product_id, sizeof task.product_id, "%s", t->product_id);
    snprintf(task.object_id, sizeof task.object_id, "%s", t->object_id);
    return task;
}

enum err task_of_lease(struct inbox *i, const struct inbox_lease *lease, struct task_row *ret,
                       struct why *why)
{
    enum err e = i->backend->task_get(i, lease->id, ret, why);
    if (e == ERR_NOT_FOUND || (e == ERR_OK && !lease_matches(&ret->lease, lease)))
        return why_set(why, ERR_FENCED, "task %lld: %s", (long long)lease->id,
                       err_text(ERR_FENCED));
    return e;
}

enum err task_hold(struct inbox *i, struct task_row *t, int64_t lease_ms, struct inbox_task *ret,
                   struct why *why)
{
    int64_t now_us = i->backend->now_us(i);
    task_row_begin(t, now_us);
    lease_take(&t->lease, &i->taker, now_us, lease_ms);
    *ret = task_of_row(t, now_us);
    ret->lease.until = clk_boot_ms() + lease_ms;
    return i->backend->task_put(i, t, why);
}

/* -------------------------------------------------------------------------- found */

struct finding {
    const struct inbox_lease *sweep;
    const struct inbox_found *found;
    size_t count;
    bool retry_now;
    inbox_task_fn *fn;
    void *ctx;
};

static enum err find_one(struct inbox *i, struct sweep_row *s, const struct finding *w,
                         const struct inbox_found *f, struct why *why)
{
    const struct inbox_backend *b = i->backend;
    struct task_row t;
    int64_t now_us = b->now_us(i);
    enum err e = b->task_find(i, s, f->object_id, &t, why);
    if (e == ERR_NOT_FOUND) {
        task_row_init(&t, s, f->object_id, now_us);
        e = ERR_OK;
    }
    if (e != ERR_OK)
        return e;
    bool lost = lease_lost(&t.lease, now_us, &i->taker);
    if (lost)
        task_row_lose(&t, now_us);
    if (task_row_find(&t, f, s, w->retry_now, now_us) || lost)
        e = b->task_put(i, &t, why);
    if (e == ERR_OK) {
        const struct inbox_task task = task_of_row(&t, now_us);
        w->fn(w->ctx, &task);
    }
    return e;
}

static enum err check_backlog(struct inbox *i, struct why *why)
{
    bool full = false;
    enum err e = backlog_full(i, &full, why);
    if (e == ERR_OK && full)
        return why_set(why, ERR_BUSY, "inbox.max_backlog: %lld objects wait already",
                       (long long)i->max_backlog);
    return e;
}

static enum err find_all(struct inbox *i, void *work, struct why *why)
{
    const struct finding *w = work;
    struct sweep_row s;
    enum err e = sweep_of_lease(i, w->sweep, &s, why);
    int64_t polled = e == ERR_OK ? s.polled : 0;
    if (e == ERR_OK)
        e = check_backlog(i, why);
    for (size_t n = 0; e == ERR_OK && n < w->count; n++)
        e = find_one(i, &s, w, &w->found[n], why);
    return e == ERR_OK && s.polled > polled ? i->backend->sweep_put(i, &s, why) : e;
}

enum err inbox_found(struct inbox *i, const struct inbox_lease *sweep,
                     const struct inbox_found *found, size_t count, bool retry_now,
                     inbox_task_fn *fn, void *ctx, struct why *why)
{
    struct finding w = {sweep, found, count, retry_now, fn, ctx};
    if (count > INBOX_FOUND_MAX)
        return why_set(why, ERR_TOO_BIG, "more than %d objects at once", INBOX_FOUND_MAX);
    for (size_t n = 0; n < count; n++)
        if (!object_id_valid(found[n].object_id))
            return why_set(why, ERR_INVALID, "an object's id that is not one of Connect's");
    return transact_and_tell(i, find_all, &w, why);
}

/* -------------------------------------------------------------------------- claim */

struct next {
    const struct inbox_queue *queue;
    int64_t lease_ms;
    struct inbox_task task;
};

static enum err claim_next(struct inbox *i, void *work, struct why *why)
{
    struct next *n = work;
    struct task_row t;
    enum err e = i->backend->task_next(i, n->queue, &t, why);
    if (e == ERR_NOT_FOUND || (e == ERR_OK && t.due_us > i->backend->now_us(i)))
        return why_set(why, ERR_NOT_FOUND, "nothing is due");
    return e == ERR_OK ? task_hold(i, &t, n->lease_ms, &n->task, why) : e;
}

enum err inbox_claim_task(struct inbox *i, const struct inbox_queue *q, int64_t lease_ms,
                          struct inbox_task *ret, struct why *why)
{
    struct next n = {.queue = q, .lease_ms = lease_ms};
    enum err e = inbox_check_queue(q, why);
    if (e == ERR_OK)
        e = i->backend->transact(i, claim_next, &n, why);
    if (e == ERR_OK)
        *ret = n.task;
    return e;
}

/* -------------------------------------------------------------------------- await */

struct sight {
    const struct inbox_queue *queue;
    const char *object_id;
    struct inbox_task task;
};

static enum err look_at(struct inbox *i, void *work, struct why *why)
{
    struct sight *w = work;
    struct sweep_row s;
    struct task_row t;
    sweep_row_init(&s, w->queue);
    enum err e = i->backend->task_find(i, &s, w->object_id, &t, why);
    if (e == ERR_NOT_FOUND)
        return why_set(why, e, "inbox: no task of %s", w->object_id);
    if (e == ERR_OK)
        w->task = task_of_row(&t, i->backend->now_us(i));
    return e;
}

enum err inbox_await_task(struct inbox *i, const struct inbox_queue *q, const char *object_id,
                          int64_t deadline, struct inbox_task *ret, struct why *why)
{
    struct sight w = {.queue = q, .object_id = object_id};
    enum err e = inbox_check_queue(q, why);
    if (e == ERR_OK)
        e = i->backend->transact(i, look_at, &w, why);
    while (e == ERR_OK && w.task.state == TASK_RUNNING && clk_mono_ms() < deadline) {
        uint64_t heard = i->backend->heard(i);
        e = i->backend->transact(i, look_at, &w, why);
        if (e == ERR_OK && w.task.state == TASK_RUNNING)
            e = wait_for_holder(i, heard, deadline, why);
    }
    *ret = w.task;
    return e;
}

/* ---------------------------------------------------------------------------- end */

struct ending {
    const struct inbox_lease *lease;
    const struct inbox_task_end *end;
};

/* Their sweeps are due, whether a call has ever told of them or not. */
static enum err free_queues(struct inbox *i, const struct task_row *t,
                            const struct object_class *const *frees, int64_t now_us,
                            struct why *why)
{
    enum err e = ERR_OK;
    for (; e == ERR_OK && frees != NULL && *frees != NULL; frees++) {
        const struct inbox_queue q = {t->account_id, t->product_id, *frees};
        struct sweep_row s;
        e = sweep_of_queue(i, &q, &s, why);
        if (e != ERR_OK)
            return e;
        sweep_row_free(&s, now_us);
        e = i->backend->sweep_put(i, &s, why);
    }
    return e;
}

static enum err end_task(struct inbox *i, void *work, struct why *why)
{
    const struct ending *w = work;
    const struct inbox_story *story = w->end->story;
    struct task_row t;
    enum err e = task_of_lease(i, w->lease, &t, why);
    if (e != ERR_OK)
        return e;
    int64_t now_us = i->backend->now_us(i);
    const struct attempt_row a = {.task_id = t.id,
                                  .started_us = t.started_us,
                                  .ended_us = now_us,
                                  .result = story->result,
                                  .reason = story->reason,
                                  .calls = w->end->calls != NULL ? w->end->calls : ""};
    task_row_end(&t, w->end, now_us);
    e = i->backend->task_put(i, &t, why);
    if (e == ERR_OK)
        e = i->backend->attempt_add(i, &a, why);
    return e == ERR_OK ? free_queues(i, &t, w->end->frees, now_us, why) : e;
}

enum err inbox_end_task(struct inbox *i, const struct inbox_lease *lease,
                        const struct inbox_task_end *end, struct why *why)
{
    struct ending w = {lease, end};
    return transact_with_lease(i, lease, end_task, &w, why);
}

struct return_of {
    const struct inbox_lease *lease;
    int64_t after_ms;
};

static enum err give_back(struct inbox *i, void *work, struct why *why)
{
    const struct return_of *w = work;
    struct task_row t;
    enum err e = task_of_lease(i, w->lease, &t, why);
    if (e != ERR_OK)
        return e;
    task_row_give_back(&t, w->after_ms, i->backend->now_us(i));
    return i->backend->task_put(i, &t, why);
}

enum err inbox_give_back(struct inbox *i, const struct inbox_lease *task, int64_t after_ms,
                         struct why *why)
{
    struct return_of w = {task, after_ms};
    return transact_with_lease(i, task, give_back, &w, why);
}
