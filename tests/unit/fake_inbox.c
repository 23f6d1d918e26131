/* fake_inbox.c - an inbox that keeps nothing. */
#include "fake_inbox.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

struct fake_lock {
    struct inbox_lock head;
    struct fake_inbox *inbox;
};

static void append(struct inbox *i, const struct delivery *d, inbox_appended_fn *fn, void *ctx)
{
    struct fake_inbox *f = (struct fake_inbox *)i;
    f->delivery = *d;
    f->appends++;
    f->fn = fn;
    f->ctx = ctx;
    if (!f->held)
        fake_inbox_release(f);
}

void fake_inbox_release(struct fake_inbox *f)
{
    f->fn(f->ctx, &f->receipt);
}

static enum err set_state(struct inbox *i, int64_t id, enum delivery_state s, struct why *why)
{
    struct fake_inbox *f = (struct fake_inbox *)i;
    size_t n = strlen(f->states);
    (void)why;
    snprintf(f->states + n, sizeof f->states - n, "%s%lld %s", n > 0 ? ", " : "", (long long)id,
             delivery_state_name(s));
    return ERR_OK;
}

static enum err lock(struct inbox *i, const char *name, int64_t deadline, struct inbox_lock **ret,
                     struct why *why)
{
    struct fake_inbox *f = (struct fake_inbox *)i;
    snprintf(f->locked, sizeof f->locked, "%s", name);
    f->lock_deadline = deadline;
    f->locks++;
    if (f->lock_answer != ERR_OK)
        return why_set(why, f->lock_answer, "held by somebody else");
    struct fake_lock *l = malloc(sizeof *l);
    assert_non_null(l);
    l->inbox = f;
    *ret = &l->head;
    return ERR_OK;
}

static void unlock(struct inbox_lock *l)
{
    ((struct fake_lock *)l)->inbox->unlocks++;
    free(l);
}

static void stop(struct inbox *i)
{
    ((struct fake_inbox *)i)->lock_answer = ERR_STOPPED;
}

static enum err mark_read(struct inbox *i, const struct inbox_queue *q, struct inbox_mark *ret,
                          inbox_seen_fn *fn, void *ctx, struct why *why)
{
    struct fake_inbox *f = (struct fake_inbox *)i;
    (void)q;
    if (!f->is_marked)
        return why_set(why, ERR_NOT_FOUND, "no mark");
    *ret = f->mark;
    for (int n = 0; n < f->seen_count; n++)
        fn(ctx, f->seen[n].id, f->seen[n].created_us);
    return ERR_OK;
}

static enum err mark_write(struct inbox *i, const struct inbox_queue *q, const struct inbox_mark *m,
                           struct why *why)
{
    struct fake_inbox *f = (struct fake_inbox *)i;
    int kept = 0;
    (void)q;
    if (f->mark_answer != ERR_OK)
        return why_set(why, f->mark_answer, "no room");
    f->is_marked = true;
    f->mark = *m;
    for (int n = 0; n < f->seen_count; n++)
        if (f->seen[n].created_us >= m->from_us)
            f->seen[kept++] = f->seen[n];
    f->seen_count = kept;
    return ERR_OK;
}

static enum err mark_seen(struct inbox *i, const struct inbox_queue *q, const char *object_id,
                          int64_t created_us, struct why *why)
{
    struct fake_inbox *f = (struct fake_inbox *)i;
    (void)q;
    if (f->mark_answer != ERR_OK)
        return why_set(why, f->mark_answer, "no room");
    assert_true(f->seen_count < (int)(sizeof f->seen / sizeof *f->seen));
    snprintf(f->seen[f->seen_count].id, sizeof f->seen->id, "%s", object_id);
    f->seen[f->seen_count++].created_us = created_us;
    return ERR_OK;
}

static void tally_add(struct inbox *i, const char *webhook_id, bool success)
{
    struct inbox_tally *t = &((struct fake_inbox *)i)->tally;
    (void)webhook_id;
    t->success += success;
    t->failure += !success;
}

void fake_inbox_init(struct fake_inbox *f)
{
    static const struct inbox_backend backend = {.scheme = "fake",
                                                 .stop = stop,
                                                 .append = append,
                                                 .set_state = set_state,
                                                 .lock = lock,
                                                 .unlock = unlock,
                                                 .mark_read = mark_read,
                                                 .mark_write = mark_write,
                                                 .mark_seen = mark_seen,
                                                 .tally_add = tally_add};
    *f = (struct fake_inbox){.head = {&backend}, .receipt = {.id = 1, .seen = 1}};
}
