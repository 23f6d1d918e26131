/* health.c - can calls be stored, does somebody work, and how late is what waits? */
#include "inbox/backend.h"
#include "inbox/verbs.h"

/* A program that has worked, and has not said that it stopped. */
#define FORGET_US (3600 * CLK_S_US)

static enum err probe(struct inbox *i, void *work, struct why *why)
{
    (void)work;
    return i->backend->probe(i, why);
}

enum err inbox_probe(struct inbox *i, struct why *why)
{
    return i->backend->transact(i, probe, NULL, why);
}

/* --------------------------------------------------------------------------- workers */

static enum err note_worker(struct inbox *i, void *work, struct why *why)
{
    const bool *works = work;
    int64_t now_us = i->backend->now_us(i);
    return *works ? i->backend->worker_put(i, i->taker.owner, now_us, now_us - FORGET_US, why)
                  : i->backend->worker_drop(i, i->taker.owner, why);
}

enum err inbox_note_worker(struct inbox *i, bool works, struct why *why)
{
    return i->backend->transact(i, note_worker, &works, why);
}

struct seen {
    int64_t within_ms, count;
};

static enum err count_workers(struct inbox *i, void *work, struct why *why)
{
    struct seen *s = work;
    int64_t since_us = i->backend->now_us(i) - s->within_ms * 1000;
    return i->backend->worker_count(i, since_us, &s->count, why);
}

enum err inbox_count_workers(struct inbox *i, int64_t within_ms, int64_t *ret_count,
                             struct why *why)
{
    struct seen s = {.within_ms = within_ms};
    enum err e = i->backend->transact(i, count_workers, &s, why);
    *ret_count = s.count;
    return e;
}

/* -------------------------------------------------------------------------- counters */

struct counting {
    inbox_counter_fn *fn;
    void *ctx;
};

static enum err each_counter(struct inbox *i, void *work, struct why *why)
{
    const struct counting *c = work;
    return i->backend->counters_each(i, c->fn, c->ctx, why);
}

enum err inbox_each_counter(struct inbox *i, inbox_counter_fn *fn, void *ctx, struct why *why)
{
    struct counting c = {fn, ctx};
    return i->backend->transact(i, each_counter, &c, why);
}

void inbox_put_counters(struct inbox *i)
{
    i->backend->counters_put(i);
}

/* -------------------------------------------------------------------------- what waits */

static void consider(struct inbox_backlog *b, int64_t due_us, int64_t now_us)
{
    int64_t late_ms = due_us < now_us ? (now_us - due_us) / 1000 : 0;
    b->late_ms = late_ms > b->late_ms ? late_ms : b->late_ms;
}

static enum err look_at_account(struct inbox *i, const char *account_id, int64_t now_us,
                                struct inbox_backlog *b, struct why *why)
{
    for (int rank = 0; rank < ROW_RANKS; rank++) {
        struct sweep_row s;
        struct task_row t = {.id = 0};
        enum err e = i->backend->sweep_first(i, account_id, rank, &s, why);
        if (e == ERR_OK)
            consider(b, sweep_row_due(&s), now_us);
        if (e == ERR_OK || e == ERR_NOT_FOUND)
            e = i->backend->task_first(i, account_id, rank, ROW_NEVER, &t, why);
        if (e == ERR_OK)
            consider(b, t.due_us, now_us);
        if (e != ERR_OK && e != ERR_NOT_FOUND)
            return e;
    }
    return ERR_OK;
}

static enum err read_backlog(struct inbox *i, void *work, struct why *why)
{
    struct inbox_backlog *b = work;
    struct account_row a = {.account_id = ""};
    int64_t now_us = i->backend->now_us(i);
    enum err e = i->backend->backlog(i, &b->ready, why);
    while (e == ERR_OK && (e = i->backend->account_next(i, a.account_id, &a, why)) == ERR_OK)
        e = look_at_account(i, a.account_id, now_us, b, why);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

enum err inbox_backlog_of(struct inbox *i, struct inbox_backlog *ret, struct why *why)
{
    *ret = (struct inbox_backlog){.ready = 0};
    return i->backend->transact(i, read_backlog, ret, why);
}
