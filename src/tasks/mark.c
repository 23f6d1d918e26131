/* mark.c - a mark, and a table of the ids above it. */
#include "tasks/mark.h"

#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/jsonx.h"

#define DAY_US (24 * 3600 * CLK_S_US)

struct mark {
    struct inbox *inbox;
    struct inbox_queue queue;
    struct inbox_mark kept;
    struct json_object *seen; /* owned: its keys are the ids above the mark */
    int64_t newest_us;        /* of what is dealt with */
    int64_t oldest_us;        /* of what is not; INT64_MAX: all is */
    bool out_of_memory;
};

static void note_id(struct mark *m, const char *object_id, int64_t created_us)
{
    if (json_object_object_add(m->seen, object_id, NULL) != 0)
        m->out_of_memory = true;
    if (created_us > m->newest_us)
        m->newest_us = created_us;
}

static void on_seen(void *ctx, const char *object_id, int64_t created_us)
{
    note_id(ctx, object_id, created_us);
}

/* A day before the call that tells of it, by Connect's clock. */
static int64_t before_call(const struct json_object *claims)
{
    const char *text = jsonx_str(claims, "triggered_at", "");
    int64_t us = clk_wall_us();
    (void)clk_parse_iso(text, strlen(text), &us);
    return us - DAY_US;
}

/* Where the queue begins; in whole seconds, for Connect's times may be cut to them. */
static struct inbox_mark first_mark(int64_t since_us, const struct json_object *claims)
{
    int64_t from_us = clk_wall_s() * CLK_S_US;
    if (since_us != CLK_UNKNOWN)
        from_us = since_us;
    else if (claims != NULL)
        from_us = before_call(claims);
    return (struct inbox_mark){from_us, since_us, claims != NULL};
}

/* What the configuration, or a first call, makes of the mark. True: it is another now. */
static bool adapt(struct inbox_mark *kept, int64_t since_us, const struct json_object *claims)
{
    const struct inbox_mark was = *kept;
    if (since_us != CLK_UNKNOWN && since_us != kept->since_us) {
        kept->from_us = since_us;
    } else if (claims != NULL && !kept->called && since_us == CLK_UNKNOWN) {
        int64_t from_us = before_call(claims);
        kept->from_us = from_us < kept->from_us ? from_us : kept->from_us;
    }
    kept->since_us = since_us;
    kept->called = kept->called || claims != NULL;
    return kept->from_us != was.from_us || kept->since_us != was.since_us ||
           kept->called != was.called;
}

static enum err load(struct mark *m, int64_t since_us, const struct json_object *claims,
                     struct why *why)
{
    enum err e = inbox_mark_read(m->inbox, &m->queue, &m->kept, on_seen, m, why);
    if (m->out_of_memory)
        return why_no_memory(why);
    if (e != ERR_OK && e != ERR_NOT_FOUND)
        return e;
    if (e == ERR_OK && !adapt(&m->kept, since_us, claims))
        return ERR_OK;
    if (e == ERR_NOT_FOUND)
        m->kept = first_mark(since_us, claims);
    return inbox_mark_write(m->inbox, &m->queue, &m->kept, why);
}

static void forget(struct mark *m)
{
    json_object_put(m->seen);
    free(m);
}

enum err mark_open(const struct queue *q, struct inbox *inbox, struct json_object *claims,
                   struct mark **ret, struct why *why)
{
    struct mark *m = calloc(1, sizeof *m);
    if (m == NULL)
        return why_no_memory(why);
    m->inbox = inbox;
    m->queue = queue_in_inbox(q);
    m->newest_us = INT64_MIN;
    m->oldest_us = INT64_MAX;
    m->seen = json_object_new_object();
    enum err e = m->seen != NULL ? load(m, q->webhook->since_us, claims, why) : why_no_memory(why);
    if (e == ERR_OK)
        *ret = m;
    else
        forget(m);
    return e;
}

int64_t mark_since(const struct mark *m)
{
    return m->kept.from_us;
}

/* Filters of Connect's have been known to be ignored: what is older may be listed, too. An object
 * that does not say when it was made is held to be as old as any can be. */
bool mark_note(struct mark *m, const char *object_id, int64_t created_us)
{
    int64_t at_us = created_us != CLK_UNKNOWN ? created_us : m->kept.from_us;
    if (at_us < m->kept.from_us || json_object_object_get_ex(m->seen, object_id, NULL))
        return false;
    m->oldest_us = at_us < m->oldest_us ? at_us : m->oldest_us;
    return true;
}

enum err mark_close(struct mark *m, bool raise, struct why *why)
{
    if (m == NULL)
        return ERR_OK;
    enum err e = ERR_OK;
    int64_t from_us = m->newest_us > INT64_MIN + DAY_US ? m->newest_us - DAY_US : INT64_MIN;
    from_us = from_us < m->oldest_us ? from_us : m->oldest_us;
    if (raise && from_us > m->kept.from_us) {
        m->kept.from_us = from_us;
        e = inbox_mark_write(m->inbox, &m->queue, &m->kept, why);
    }
    forget(m);
    return e;
}

static void ignore_seen(void *ctx, const char *object_id, int64_t created_us)
{
    (void)ctx;
    (void)object_id;
    (void)created_us;
}

enum err mark_settle(const struct queue *q, struct inbox *inbox, const char *object_id,
                     int64_t created_us, struct why *why)
{
    const struct inbox_queue queue = queue_in_inbox(q);
    struct inbox_mark kept;
    if (created_us == CLK_UNKNOWN) {
        enum err e = inbox_mark_read(inbox, &queue, &kept, ignore_seen, NULL, why);
        if (e != ERR_OK)
            return e;
        created_us = kept.from_us;
    }
    return inbox_mark_seen(inbox, &queue, object_id, created_us, why);
}
