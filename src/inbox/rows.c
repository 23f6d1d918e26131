/* rows.c - how sweeps and tasks change. */
#include "inbox/rows.h"

#include <stdio.h>
#include <string.h>

#include "base/clk.h"

#define GONE "its runner is gone"

static int64_t later(int64_t now_us, int64_t ms)
{
    return now_us + ms * 1000;
}

int row_rank(const struct object_class *c)
{
    int rank = 0;
    while (rank < ROW_RANKS - 1 && object_classes[rank] != c)
        rank++;
    return rank;
}

/* ------------------------------------------------------------------------- sweeps */

void sweep_row_init(struct sweep_row *s, const struct inbox_queue *q)
{
    *s = (struct sweep_row){.object_class = q->object_class,
                            .due_us = ROW_NEVER,
                            .poll_us = ROW_NEVER,
                            .again_us = ROW_NEVER};
    snprintf(s->account_id, sizeof s->account_id, "%s", q->account_id);
    snprintf(s->product_id, sizeof s->product_id, "%s", q->product_id);
}

int64_t sweep_row_due(const struct sweep_row *s)
{
    if (lease_held(&s->lease))
        return ROW_NEVER;
    return clk_earlier(s->again_us, clk_earlier(s->due_us, s->poll_us));
}

void sweep_row_wake(struct sweep_row *s, int64_t delivery_id, int64_t now_us)
{
    s->due_us = clk_earlier(s->due_us, now_us);
    s->called = true;
    s->delivery_id = delivery_id;
}

/* Connect takes a while to make others pending: looks that come too early are made up for. */
static const int64_t looks_ms[] = {0, 5000, 30000};

static int64_t next_look(const struct sweep_row *s, int64_t after_us)
{
    for (size_t n = 0; n < sizeof looks_ms / sizeof *looks_ms; n++)
        if (later(s->freed_us, looks_ms[n]) > after_us)
            return later(s->freed_us, looks_ms[n]);
    return ROW_NEVER;
}

void sweep_row_free(struct sweep_row *s, int64_t now_us)
{
    s->freed_us = now_us;
    s->again_us = now_us;
}

void sweep_row_begin(struct sweep_row *s, int64_t now_us)
{
    s->for_call = s->called || s->again_us <= now_us;
    s->called = false;
    s->started_us = now_us;
    s->due_us = ROW_NEVER;
    s->poll_us = ROW_NEVER;
    s->again_us = s->freed_us > 0 ? next_look(s, now_us) : ROW_NEVER;
}

/* What it was for is not done. */
static void sweep_row_fail(struct sweep_row *s, int64_t due_us, const char *error)
{
    s->due_us = clk_earlier(s->due_us, due_us);
    s->called = s->called || s->for_call;
    s->failures++;
    snprintf(s->error, sizeof s->error, "%s", error);
}

void sweep_row_end(struct sweep_row *s, const struct inbox_sweep_end *end, int64_t now_us)
{
    s->ended_us = now_us;
    lease_give(&s->lease);
    if (end->poll_ms >= 0)
        s->poll_us = clk_earlier(s->poll_us, later(now_us, end->poll_ms));
    if (end->error != NULL) {
        sweep_row_fail(s, end->retry_ms >= 0 ? later(now_us, end->retry_ms) : ROW_NEVER,
                       end->error);
        return;
    }
    s->covered_us = s->started_us;
    s->failures = 0;
    s->error[0] = '\0';
}

void sweep_row_lose(struct sweep_row *s, int64_t now_us)
{
    s->ended_us = now_us;
    lease_give(&s->lease);
    sweep_row_fail(s, now_us, GONE);
}

/* -------------------------------------------------------------------------- tasks */

void task_row_init(struct task_row *t, const struct sweep_row *s, const char *object_id,
                   int64_t now_us)
{
    *t = (struct task_row){.object_class = s->object_class,
                           .state = TASK_READY,
                           .due_us = now_us,
                           .created_us = now_us,
                           .updated_us = now_us};
    snprintf(t->account_id, sizeof t->account_id, "%s", s->account_id);
    snprintf(t->product_id, sizeof t->product_id, "%s", s->product_id);
    snprintf(t->object_id, sizeof t->object_id, "%s", object_id);
}

static void make_ready(struct task_row *t, int64_t now_us)
{
    if (t->state == TASK_DONE) /* what comes back begins a new life */
        t->asked = 0;
    if (t->state != TASK_READY)
        t->failures = 0;
    t->due_us = t->state == TASK_READY ? clk_earlier(t->due_us, now_us) : now_us;
    t->state = TASK_READY;
    t->updated_us = now_us;
}

static void note_listed(struct task_row *t, const struct inbox_found *f)
{
    snprintf(t->story.type, sizeof t->story.type, "%s", f->type);
    snprintf(t->story.before, sizeof t->story.before, "%s", f->state);
}

static bool has_failed_and_waits(const struct task_row *t, int64_t now_us)
{
    return t->state == TASK_READY && t->failures > 0 && t->due_us > now_us;
}

bool task_row_find(struct task_row *t, const struct inbox_found *f, struct sweep_row *s,
                   bool retry_now, int64_t now_us)
{
    bool is_new = t->id == 0, was_called = t->called;
    bool changed = memcmp(t->fingerprint, f->fingerprint, sizeof t->fingerprint) != 0;
    t->called = was_called || s->for_call;
    memcpy(t->fingerprint, f->fingerprint, sizeof t->fingerprint);
    if (!is_new && t->state == TASK_RUNNING) {
        t->again = t->again || changed;
        return true;
    }
    bool early = !is_new && retry_now && has_failed_and_waits(t, now_us);
    bool over = t->state == TASK_SKIPPED && t->due_us <= now_us;
    if (!is_new && !changed && !early && !over)
        return t->called != was_called;
    t->failures -= early;
    t->delivery_id = s->for_call ? s->delivery_id : 0;
    s->polled += (is_new || changed) && !s->for_call;
    make_ready(t, now_us);
    note_listed(t, f);
    return true;
}

void task_row_begin(struct task_row *t, int64_t now_us)
{
    t->state = TASK_RUNNING;
    t->asked++;
    t->started_us = now_us;
    t->updated_us = now_us;
    t->again = false;
}

void task_row_end(struct task_row *t, const struct inbox_task_end *end, int64_t now_us)
{
    bool waits = end->state == TASK_READY || end->state == TASK_SKIPPED;
    t->state = end->state;
    t->due_us = waits ? later(now_us, end->after_ms) : ROW_NEVER;
    t->failures = end->failed ? t->failures + 1 : 0;
    t->story = *end->story;
    t->updated_us = now_us;
    if (t->again)
        make_ready(t, now_us);
    t->again = false;
    lease_give(&t->lease);
}

void task_row_give_back(struct task_row *t, int64_t after_ms, int64_t now_us)
{
    t->state = TASK_READY;
    t->due_us = later(now_us, after_ms);
    t->asked--;
    lease_give(&t->lease);
}

void task_row_lose(struct task_row *t, int64_t now_us)
{
    t->state = TASK_READY;
    t->due_us = now_us;
    t->failures++;
    t->updated_us = now_us;
    snprintf(t->story.reason, sizeof t->story.reason, "%s", GONE);
    lease_give(&t->lease);
}

void task_row_retry(struct task_row *t, int64_t now_us)
{
    make_ready(t, now_us);
    t->failures = 0;
}

void task_row_discard(struct task_row *t, int64_t now_us)
{
    t->state = TASK_DONE;
    t->due_us = ROW_NEVER;
    t->failures = 0;
    t->updated_us = now_us;
    snprintf(t->story.result, sizeof t->story.result, "%s", "discarded");
}
