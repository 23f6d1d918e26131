/* sweeps.c - sweeps: held, woken, ended. */
#include <stdio.h>

#include "base/clk.h"
#include "inbox/backend.h"
#include "inbox/verbs.h"

#define LOOK_AGAIN_MS 1000 /* a holder that dies tells nobody */

enum err sweep_of_queue(struct inbox *i, const struct inbox_queue *q, struct sweep_row *ret,
                        struct why *why)
{
    enum err e = i->backend->sweep_find(i, q, ret, why);
    if (e != ERR_NOT_FOUND)
        return e;
    sweep_row_init(ret, q);
    return ERR_OK;
}

enum err sweep_of_lease(struct inbox *i, const struct inbox_lease *lease, struct sweep_row *ret,
                        struct why *why)
{
    enum err e = i->backend->sweep_get(i, lease->id, ret, why);
    if (e == ERR_NOT_FOUND || (e == ERR_OK && !lease_matches(&ret->lease, lease)))
        return why_set(why, ERR_FENCED, "sweep %lld: %s", (long long)lease->id,
                       err_text(ERR_FENCED));
    return e;
}

enum err sweep_hold(struct inbox *i, struct sweep_row *s, int64_t lease_ms, struct inbox_sweep *ret,
                    struct why *why)
{
    int64_t now_us = i->backend->now_us(i);
    sweep_row_begin(s, now_us);
    lease_take(&s->lease, &i->taker, now_us, lease_ms);
    int64_t until = clk_boot_ms() + lease_ms;
    enum err e = i->backend->sweep_put(i, s, why);
    *ret = (struct inbox_sweep){.lease = lease_of(INBOX_SWEEP, s->id, &s->lease, until),
                                .object_class = s->object_class,
                                .called = s->for_call,
                                .failures = s->failures};
    snprintf(ret->account_id, sizeof ret->account_id, "%s", s->account_id);
    snprintf(ret->product_id, sizeof ret->product_id, "%s", s->product_id);
    return e;
}

/* --------------------------------------------------------------------------- take */

struct take {
    const struct inbox_queue *queue;
    int64_t lease_ms;
    bool held; /* by somebody else */
    struct inbox_sweep sweep;
};

static enum err take(struct inbox *i, void *work, struct why *why)
{
    struct take *t = work;
    struct sweep_row s;
    enum err e = sweep_of_queue(i, t->queue, &s, why);
    if (e != ERR_OK)
        return e;
    int64_t now_us = i->backend->now_us(i);
    if (lease_lost(&s.lease, now_us, &i->taker))
        sweep_row_lose(&s, now_us);
    t->held = lease_held(&s.lease);
    return t->held ? ERR_OK : sweep_hold(i, &s, t->lease_ms, &t->sweep, why);
}

enum err wait_for_holder(struct inbox *i, uint64_t heard, int64_t until, struct why *why)
{
    enum err e = i->backend->wait(i, heard, until);
    return e == ERR_OK || e == ERR_TIMEOUT ? ERR_OK : why_set(why, e, "inbox: %s", err_text(e));
}

enum err inbox_take_sweep(struct inbox *i, const struct inbox_queue *q, int64_t lease_ms,
                          int64_t deadline, struct inbox_sweep *ret, struct why *why)
{
    struct take t = {.queue = q, .lease_ms = lease_ms};
    enum err e = inbox_check_queue(q, why);
    if (e == ERR_OK)
        e = i->backend->transact(i, take, &t, why);
    while (e == ERR_OK && t.held && clk_mono_ms() < deadline) {
        uint64_t heard = i->backend->heard(i);
        e = i->backend->transact(i, take, &t, why);
        if (e == ERR_OK && t.held)
            e = wait_for_holder(i, heard, clk_earlier(deadline, clk_mono_ms() + LOOK_AGAIN_MS),
                                why);
    }
    if (e == ERR_OK && t.held)
        return why_set(why, ERR_BUSY, "queue of %s, %s: another sweep has it", q->product_id,
                       q->object_class->name);
    *ret = t.sweep;
    return e;
}

/* ---------------------------------------------------------------------------- end */

struct ending {
    const struct inbox_lease *lease;
    const struct inbox_sweep_end *end;
};

static enum err end_sweep(struct inbox *i, void *work, struct why *why)
{
    const struct ending *w = work;
    struct sweep_row s;
    enum err e = sweep_of_lease(i, w->lease, &s, why);
    if (e != ERR_OK)
        return e;
    sweep_row_end(&s, w->end, i->backend->now_us(i));
    return i->backend->sweep_put(i, &s, why);
}

enum err inbox_end_sweep(struct inbox *i, const struct inbox_lease *lease,
                         const struct inbox_sweep_end *end, struct why *why)
{
    struct ending w = {lease, end};
    return transact_with_lease(i, lease, end_sweep, &w, why);
}

/* --------------------------------------------------------------------------- wake */

struct plan {
    const struct inbox_queue *queue;
    int64_t poll_ms;
};

static enum err plan_poll(struct inbox *i, void *work, struct why *why)
{
    const struct plan *p = work;
    struct sweep_row s;
    enum err e = sweep_of_queue(i, p->queue, &s, why);
    if (e != ERR_OK)
        return e;
    s.poll_us = clk_earlier(s.poll_us, i->backend->now_us(i) + p->poll_ms * 1000);
    return i->backend->sweep_put(i, &s, why);
}

enum err inbox_plan_poll(struct inbox *i, const struct inbox_queue *q, int64_t poll_ms,
                         struct why *why)
{
    struct plan p = {q, poll_ms};
    enum err e = inbox_check_queue(q, why);
    return e == ERR_OK ? transact_and_tell(i, plan_poll, &p, why) : e;
}
