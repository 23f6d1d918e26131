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

void fake_inbox_init(struct fake_inbox *f)
{
    static const struct inbox_backend backend = {.scheme = "fake",
                                                 .stop = stop,
                                                 .append = append,
                                                 .set_state = set_state,
                                                 .lock = lock,
                                                 .unlock = unlock};
    *f = (struct fake_inbox){.head = {&backend}, .receipt = {.id = 1, .seen = 1}};
}
