/* memory_mark.c - how far the queues of an inbox in memory have been worked off. */
#include <stdio.h>
#include <string.h>

#include "inbox/memory.h"

struct mark_row {
    char account_id[OBJECT_ID_MAX], product_id[OBJECT_ID_MAX];
    const struct object_class *object_class;
    bool is_set; /* else only what was seen is known */
    struct inbox_mark mark;
};

struct seen_row {
    const struct mark_row *mark; /* whose */
    char object_id[OBJECT_ID_MAX];
    int64_t created_us;
};

/* NULL: there is none. */
static struct mark_row *find_mark(const struct memory *m, const struct inbox_queue *q)
{
    for (size_t n = 0; n < m->marks.count; n++) {
        struct mark_row *row = m->marks.list[n];
        if (memory_is_of_queue(q, row->account_id, row->product_id, row->object_class))
            return row;
    }
    return NULL;
}

/* NULL: out of memory. */
static struct mark_row *make_mark(struct memory *m, const struct inbox_queue *q)
{
    struct mark_row *row = find_mark(m, q);
    if (row != NULL || (row = memory_add_row(&m->marks, sizeof *row)) == NULL)
        return row;
    snprintf(row->account_id, sizeof row->account_id, "%s", q->account_id);
    snprintf(row->product_id, sizeof row->product_id, "%s", q->product_id);
    row->object_class = q->object_class;
    return row;
}

enum err memory_mark_read(struct inbox *i, const struct inbox_queue *q, struct inbox_mark *ret,
                          inbox_seen_fn *fn, void *ctx, struct why *why)
{
    struct memory *m = memory_of(i);
    pthread_mutex_lock(&m->lock);
    const struct mark_row *mark = find_mark(m, q);
    bool found = mark != NULL && mark->is_set;
    if (found)
        *ret = mark->mark;
    for (size_t n = 0; found && n < m->seen.count; n++) {
        const struct seen_row *s = m->seen.list[n];
        if (s->mark == mark)
            fn(ctx, s->object_id, s->created_us);
    }
    pthread_mutex_unlock(&m->lock);
    return found ? ERR_OK : why_set(why, ERR_NOT_FOUND, "the queue has no mark");
}

static void forget_seen(struct memory *m, const struct mark_row *mark)
{
    for (size_t n = m->seen.count; n-- > 0;) {
        const struct seen_row *s = m->seen.list[n];
        if (s->mark == mark && s->created_us < mark->mark.from_us)
            memory_drop_row(&m->seen, n);
    }
}

enum err memory_mark_write(struct inbox *i, const struct inbox_queue *q,
                           const struct inbox_mark *mark, struct why *why)
{
    struct memory *m = memory_of(i);
    pthread_mutex_lock(&m->lock);
    struct mark_row *row = make_mark(m, q);
    if (row != NULL) {
        row->is_set = true;
        row->mark = *mark;
        forget_seen(m, row);
    }
    pthread_mutex_unlock(&m->lock);
    return row != NULL ? ERR_OK : why_no_memory(why);
}

/* NULL: there is none. */
static struct seen_row *find_seen(const struct memory *m, const struct mark_row *mark,
                                  const char *object_id)
{
    for (size_t n = 0; n < m->seen.count; n++) {
        struct seen_row *s = m->seen.list[n];
        if (s->mark == mark && strcmp(s->object_id, object_id) == 0)
            return s;
    }
    return NULL;
}

enum err memory_mark_seen(struct inbox *i, const struct inbox_queue *q, const char *object_id,
                          int64_t created_us, struct why *why)
{
    struct memory *m = memory_of(i);
    pthread_mutex_lock(&m->lock);
    const struct mark_row *mark = make_mark(m, q);
    struct seen_row *s = mark != NULL ? find_seen(m, mark, object_id) : NULL;
    if (mark != NULL && s == NULL && (s = memory_add_row(&m->seen, sizeof *s)) != NULL) {
        s->mark = mark;
        snprintf(s->object_id, sizeof s->object_id, "%s", object_id);
    }
    if (s != NULL)
        s->created_us = created_us;
    pthread_mutex_unlock(&m->lock);
    return s != NULL ? ERR_OK : why_no_memory(why);
}
