/* fake_inbox.c - an inbox whose backend has some of its verbs replaced. */
#include "fake_inbox.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

static struct fake_inbox *fake;
static const struct inbox_backend *real;

static void append(struct inbox *i, const struct delivery *d, inbox_appended_fn *fn, void *ctx)
{
    (void)i;
    fake->delivery = *d;
    fake->appends++;
    fake->fn = fn;
    fake->ctx = ctx;
    if (!fake->held)
        fake_inbox_release(fake);
}

void fake_inbox_release(struct fake_inbox *f)
{
    f->fn(f->ctx, &f->receipt);
}

static enum err set_state(struct inbox *i, int64_t id, enum delivery_state s, struct why *why)
{
    size_t n = strlen(fake->states);
    (void)i;
    (void)why;
    snprintf(fake->states + n, sizeof fake->states - n, "%s%lld %s", n > 0 ? ", " : "",
             (long long)id, delivery_state_name(s));
    return ERR_OK;
}

static enum err transact(struct inbox *i, inbox_work_fn *fn, void *work, struct why *why)
{
    if (fake->store_answer != ERR_OK)
        return why_set(why, fake->store_answer, "inbox /var/lib/x: no room");
    return real->transact(i, fn, work, why);
}

static enum err mark_write(struct inbox *i, const struct inbox_queue *q, const struct inbox_mark *m,
                           struct why *why)
{
    if (fake->mark_answer != ERR_OK)
        return why_set(why, fake->mark_answer, "no room");
    return real->mark_write(i, q, m, why);
}

static enum err mark_seen(struct inbox *i, const struct inbox_queue *q, const char *object_id,
                          int64_t created_us, struct why *why)
{
    if (fake->mark_answer != ERR_OK)
        return why_set(why, fake->mark_answer, "no room");
    return real->mark_seen(i, q, object_id, created_us, why);
}

static void tally_add(struct inbox *i, const char *webhook_id, bool success)
{
    (void)i;
    (void)webhook_id;
    fake->tally.success += success;
    fake->tally.failure += !success;
}

void fake_inbox_open(struct fake_inbox *f)
{
    static struct inbox_backend backend;
    char url[TEMP_FOLDER_MAX + 32];
    const struct inbox_options options = {.url = url, .lock_timeout_ms = 20000, .max_wal = 1 << 28};
    *f = (struct fake_inbox){.receipt = {.id = 1, .seen = 1}};
    fake = f;
    temp_folder_make(f->folder);
    snprintf(url, sizeof url, "sqlite:%s/inbox.db", f->folder);
    assert_err(inbox_open(&options, &f->inbox, NULL), ERR_OK);
    real = f->inbox->backend;
    backend = *real;
    backend.append = append;
    backend.set_state = set_state;
    backend.transact = transact;
    backend.mark_write = mark_write;
    backend.mark_seen = mark_seen;
    backend.tally_add = tally_add;
    f->inbox->backend = &backend;
}

void fake_inbox_close(struct fake_inbox *f)
{
    inbox_close(f->inbox);
    temp_folder_remove(f->folder);
    f->inbox = NULL;
}

static void note_seen(void *ctx, const char *object_id, int64_t created_us)
{
    char *text = ctx;
    size_t n = strlen(text);
    snprintf(text + n, 128 - n, "%s@%lld ", object_id, (long long)created_us);
}

bool fake_inbox_mark(struct fake_inbox *f, const struct inbox_queue *q, struct inbox_mark *ret,
                     char ret_seen[128])
{
    ret_seen[0] = '\0';
    return inbox_mark_read(f->inbox, q, ret, note_seen, ret_seen, NULL) == ERR_OK;
}
