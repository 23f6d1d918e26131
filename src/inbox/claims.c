/* claims.c - what is due next, of whom; who waits for it; what nobody holds any more. */
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/clk.h"
#include "base/waits.h"
#include "inbox/backend.h"
#include "inbox/verbs.h"

#define RECOVER_STEP 64 /* rows that are looked at in one transaction */

/* ------------------------------------------------------------------ whatever is due */

/* What may be claimed of one account. */
struct candidate {
    enum inbox_kind kind;
    int64_t id;
    int rank; /* ROW_RANKS: nothing is due */
    int64_t due_us;
    int64_t held;
    bool has_work; /* held, or due */
};

struct choosing {
    const struct inbox_claim_terms *terms;
    bool just_look; /* hold nothing */
    bool sweeps_wait;
    int64_t now_us;
    struct candidate *list; /* owned */
    size_t count, cap;
    bool is_due;      /* something may be claimed */
    int64_t later_us; /* if not: when something may be, if nobody tells of anything before */
    struct inbox_claimed claimed;
};

static void consider(struct choosing *c, struct candidate *best, enum inbox_kind kind, int64_t id,
                     int rank, int64_t due_us)
{
    if (due_us > c->now_us) {
        c->later_us = clk_earlier(c->later_us, due_us);
    } else if (rank < best->rank || (rank == best->rank && due_us < best->due_us)) {
        best->kind = kind;
        best->id = id;
        best->rank = rank;
        best->due_us = due_us;
    }
}

/* Who waits for the call that has told of it goes first. */
static int64_t sweep_due(const struct choosing *c, const struct sweep_row *s)
{
    int64_t due_us = sweep_row_due(s), grace_us = s->failures == 0 ? c->terms->grace_ms * 1000 : 0;
    if (c->sweeps_wait)
        return ROW_NEVER;
    return due_us == s->poll_us || due_us > c->now_us ? due_us : due_us + grace_us;
}

static enum err look_at_account(struct inbox *i, struct choosing *c, const struct account_row *a,
                                struct candidate *best, struct why *why)
{
    int64_t fresh_us = c->now_us - c->terms->grace_ms * 1000;
    enum err e = i->backend->held_count(i, a->account_id, &best->held, why);
    for (int rank = 0; e == ERR_OK && rank < ROW_RANKS && best->rank == ROW_RANKS; rank++) {
        struct sweep_row s;
        struct task_row t = {.id = 0};
        e = i->backend->sweep_first(i, a->account_id, rank, &s, why);
        if (e == ERR_OK)
            consider(c, best, INBOX_SWEEP, s.id, rank, sweep_due(c, &s));
        if (e == ERR_OK || e == ERR_NOT_FOUND)
            e = i->backend->task_first(i, a->account_id, rank, fresh_us, &t, why);
        if (e == ERR_OK)
            consider(c, best, INBOX_TASK, t.id, rank, t.due_us);
        if (e == ERR_NOT_FOUND)
            e = ERR_OK;
    }
    if (a->halted_until_us > c->now_us && best->rank < ROW_RANKS) {
        c->later_us = clk_earlier(c->later_us, a->halted_until_us);
        best->rank = ROW_RANKS;
    }
    best->has_work = best->held > 0 || best->rank < ROW_RANKS;
    return e;
}

static enum err look_at_all(struct inbox *i, struct choosing *c, struct why *why)
{
    struct account_row a = {.account_id = ""};
    enum err e;
    while ((e = i->backend->account_next(i, a.account_id, &a, why)) == ERR_OK) {
        struct candidate *list = array_room(c->list, c->count, &c->cap, sizeof *list);
        if (list == NULL)
            return why_no_memory(why);
        c->list = list;
        struct candidate *best = &c->list[c->count++];
        *best = (struct candidate){.rank = ROW_RANKS};
        e = look_at_account(i, c, &a, best, why);
        if (e != ERR_OK)
            return e;
    }
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

/* NULL: none that is below its share. */
static const struct candidate *choose(const struct choosing *c)
{
    const struct candidate *best = NULL;
    int64_t accounts = 0;
    for (size_t n = 0; n < c->count; n++)
        accounts += c->list[n].has_work;
    int64_t workers = c->terms->workers;
    int64_t share = accounts > 0 && workers / accounts > 1 ? workers / accounts : 1;
    for (size_t n = 0; n < c->count; n++) {
        const struct candidate *one = &c->list[n];
        if (one->rank == ROW_RANKS || (workers > 0 && one->held >= share))
            continue;
        if (best == NULL || one->rank < best->rank ||
            (one->rank == best->rank && one->due_us < best->due_us))
            best = one;
    }
    return best;
}

static void take_event(void *ctx, const struct inbox_delivery *d)
{
    struct inbox_claimed *claimed = ctx;
    claimed->event = strndup(d->claims, d->claims_len);
}

static enum err read_event(struct inbox *i, const struct sweep_row *s, struct inbox_claimed *ret,
                           struct why *why)
{
    const struct inbox_filter last = {.before_id = s->delivery_id + 1,
                                      .limit = 1,
                                      .states = ~0U,
                                      .account_id = s->account_id,
                                      .product_id = s->product_id,
                                      .object_class = s->object_class};
    return s->delivery_id > 0 ? i->backend->delivery_page(i, &last, take_event, ret, why) : ERR_OK;
}

static enum err hold_sweep(struct inbox *i, struct choosing *c, int64_t id, struct why *why)
{
    struct sweep_row s;
    enum err e = i->backend->sweep_get(i, id, &s, why);
    if (e == ERR_OK)
        e = sweep_hold(i, &s, c->terms->lease_ms, &c->claimed.sweep, why);
    return e == ERR_OK && s.for_call ? read_event(i, &s, &c->claimed, why) : e;
}

static enum err hold_task(struct inbox *i, struct choosing *c, int64_t id, struct why *why)
{
    struct sweep_row s;
    struct task_row t;
    enum err e = i->backend->task_get(i, id, &t, why);
    if (e == ERR_OK)
        e = task_hold(i, &t, c->terms->lease_ms, &c->claimed.task, why);
    if (e != ERR_OK || !t.called)
        return e;
    const struct inbox_queue q = {t.account_id, t.product_id, t.object_class};
    e = sweep_of_queue(i, &q, &s, why);
    return e == ERR_OK ? read_event(i, &s, &c->claimed, why) : e;
}

enum err backlog_full(struct inbox *i, bool *ret, struct why *why)
{
    int64_t count = 0;
    enum err e = i->max_backlog > 0 ? i->backend->backlog(i, &count, why) : ERR_OK;
    *ret = i->max_backlog > 0 && count >= i->max_backlog;
    return e;
}

static enum err claim(struct inbox *i, void *work, struct why *why)
{
    struct choosing *c = work;
    c->now_us = i->backend->now_us(i);
    c->later_us = ROW_NEVER;
    enum err e = backlog_full(i, &c->sweeps_wait, why);
    if (e == ERR_OK)
        e = look_at_all(i, c, why);
    const struct candidate *best = e == ERR_OK ? choose(c) : NULL;
    c->is_due = best != NULL;
    if (c->is_due && !c->just_look) {
        c->claimed.kind = best->kind;
        e = best->kind == INBOX_SWEEP ? hold_sweep(i, c, best->id, why)
                                      : hold_task(i, c, best->id, why);
    }
    free(c->list);
    c->list = NULL;
    c->count = c->cap = 0;
    return e;
}

enum err inbox_claim(struct inbox *i, const struct inbox_claim_terms *terms,
                     struct inbox_claimed *ret, struct why *why)
{
    struct choosing c = {.terms = terms};
    enum err e = i->backend->transact(i, claim, &c, why);
    if (e == ERR_OK && !c.is_due)
        e = why_set(why, ERR_NOT_FOUND, "nothing is due");
    if (e == ERR_OK)
        *ret = c.claimed;
    else
        free(c.claimed.event);
    return e;
}

static bool is_stopped(const struct inbox_claim_terms *terms)
{
    return terms->stop != NULL && *terms->stop;
}

/* Why there is nothing to claim before *ret_until (clk_mono_ms); ERR_OK: there is. */
static enum err look(struct inbox *i, const struct inbox_claim_terms *terms, int64_t *ret_until,
                     struct why *why)
{
    struct choosing c = {.terms = terms, .just_look = true};
    enum err e = i->backend->transact(i, claim, &c, why);
    if (e != ERR_OK || c.is_due)
        return e;
    int64_t now = clk_mono_ms();
    *ret_until = now + waits_ms(WAITS_MISSED_TELL);
    if (c.later_us != ROW_NEVER)
        *ret_until = clk_earlier(*ret_until, now + (c.later_us - c.now_us) / 1000 + 1);
    return ERR_NOT_FOUND;
}

enum err inbox_wait(struct inbox *i, const struct inbox_claim_terms *terms, int64_t deadline,
                    struct why *why)
{
    for (;;) {
        uint64_t heard = i->backend->heard(i);
        int64_t until = deadline;
        if (is_stopped(terms))
            return why_set(why, ERR_STOPPED, "inbox: %s", err_text(ERR_STOPPED));
        enum err e = look(i, terms, &until, why);
        if (e != ERR_NOT_FOUND)
            return e;
        e = i->backend->wait(i, heard, clk_earlier(until, deadline));
        if (e == ERR_STOPPED || (e == ERR_TIMEOUT && clk_mono_ms() >= deadline))
            return why_set(why, e, "inbox: %s", err_text(e));
    }
}

void inbox_notify(struct inbox *i)
{
    i->backend->tell(i);
}

/* --------------------------------------------------------------------- heartbeats */

struct beat {
    const struct inbox_lease *lease;
    int64_t lease_ms;
};

static enum err beat(struct inbox *i, void *work, struct why *why)
{
    const struct beat *b = work;
    int64_t until_us = i->backend->now_us(i) + b->lease_ms * 1000;
    struct sweep_row s;
    struct task_row t;
    if (b->lease->kind == INBOX_SWEEP) {
        enum err e = sweep_of_lease(i, b->lease, &s, why);
        if (e != ERR_OK)
            return e;
        s.lease.until_us = until_us;
        return i->backend->sweep_put(i, &s, why);
    }
    enum err e = task_of_lease(i, b->lease, &t, why);
    if (e != ERR_OK)
        return e;
    t.lease.until_us = until_us;
    return i->backend->task_put(i, &t, why);
}

enum err inbox_heartbeat(struct inbox *i, const struct inbox_lease *lease, int64_t lease_ms,
                         struct why *why)
{
    struct beat b = {lease, lease_ms};
    return i->backend->transact(i, beat, &b, why);
}

static enum err check_lease(struct inbox *i, void *work, struct why *why)
{
    const struct inbox_lease *lease = work;
    bool is_sweep = lease->kind == INBOX_SWEEP;
    struct sweep_row s;
    struct task_row t;
    enum err e = is_sweep ? sweep_of_lease(i, lease, &s, why) : task_of_lease(i, lease, &t, why);
    if (e != ERR_OK)
        return e;
    int64_t until_us = is_sweep ? s.lease.until_us : t.lease.until_us;
    return until_us > i->backend->now_us(i) ? ERR_OK
                                            : why_set(why, ERR_FENCED, "%s", err_text(ERR_FENCED));
}

enum err inbox_check_lease(struct inbox *i, const struct inbox_lease *lease, struct why *why)
{
    struct inbox_lease copy = *lease;
    return i->backend->transact(i, check_lease, &copy, why);
}

/* ------------------------------------------------------------------------ recovery */

struct recovery {
    enum inbox_kind kind;
    int64_t after; /* the last id that was looked at */
    bool over;
    int64_t count;
};

static enum err recover_sweep(struct inbox *i, struct recovery *r, int64_t id, struct why *why)
{
    struct sweep_row s;
    int64_t now_us = i->backend->now_us(i);
    enum err e = i->backend->sweep_get(i, id, &s, why);
    if (e != ERR_OK || !lease_lost(&s.lease, now_us, &i->taker))
        return e;
    r->count++;
    sweep_row_lose(&s, now_us);
    return i->backend->sweep_put(i, &s, why);
}

static enum err recover_task(struct inbox *i, struct recovery *r, int64_t id, struct why *why)
{
    struct task_row t;
    int64_t now_us = i->backend->now_us(i);
    enum err e = i->backend->task_get(i, id, &t, why);
    if (e != ERR_OK || !lease_lost(&t.lease, now_us, &i->taker))
        return e;
    r->count++;
    task_row_lose(&t, now_us);
    return i->backend->task_put(i, &t, why);
}

static enum err recover_some(struct inbox *i, void *work, struct why *why)
{
    struct recovery *r = work;
    int64_t ids[RECOVER_STEP];
    size_t n = 0;
    enum err e = i->backend->held(i, r->kind, r->after, ids, RECOVER_STEP, &n, why);
    for (size_t k = 0; e == ERR_OK && k < n; k++)
        e = r->kind == INBOX_SWEEP ? recover_sweep(i, r, ids[k], why)
                                   : recover_task(i, r, ids[k], why);
    r->over = n < RECOVER_STEP;
    if (n > 0)
        r->after = ids[n - 1];
    return e;
}

enum err inbox_recover(struct inbox *i, int64_t *ret_count, struct why *why)
{
    enum err e = ERR_OK;
    *ret_count = 0;
    for (int kind = INBOX_SWEEP; e == ERR_OK && kind <= INBOX_TASK; kind++) {
        struct recovery r = {.kind = (enum inbox_kind)kind};
        while (e == ERR_OK && !r.over) {
            e = i->backend->transact(i, recover_some, &r, why);
            *ret_count += e == ERR_OK ? r.count : 0;
            r.count = 0;
        }
    }
    if (*ret_count > 0)
        i->backend->tell(i);
    return e;
}
