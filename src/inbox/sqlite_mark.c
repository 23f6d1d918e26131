/* sqlite_mark.c - the marks of an SQLite inbox, and the ids above them. */
#include "inbox/sqlite_mark.h"

#include "inbox/sqlite_bind.h"
#include "inbox/sqlite_db.h"

#define OF_QUEUE " account_id = ?1 AND product_id = ?2 AND object_class = ?3"

static const char read_sql[] = "SELECT from_us, since_us, called FROM mark WHERE" OF_QUEUE;
static const char each_sql[] = "SELECT object_id, created_us FROM mark_seen WHERE" OF_QUEUE;
static const char write_sql[] =
    "INSERT INTO mark (account_id, product_id, object_class, from_us, since_us, called)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
    " ON CONFLICT (account_id, product_id, object_class) DO UPDATE SET"
    "  from_us = excluded.from_us, since_us = excluded.since_us, called = excluded.called";
static const char forget_sql[] = "DELETE FROM mark_seen WHERE" OF_QUEUE " AND created_us < ?4";
static const char seen_sql[] =
    "INSERT INTO mark_seen (account_id, product_id, object_class, object_id, created_us)"
    " VALUES (?1, ?2, ?3, ?4, ?5)"
    " ON CONFLICT (account_id, product_id, object_class, object_id)"
    " DO UPDATE SET created_us = excluded.created_us";

/* One of the three verbs. */
struct visit {
    struct sqlite_item head;
    const struct inbox_queue *queue;
    struct inbox_mark mark;
    const char *object_id;
    int64_t created_us;
    inbox_seen_fn *fn;
    void *ctx;
};

static sqlite3_stmt *of_queue(struct sqlite_db *db, const char *sql, const struct visit *v,
                              struct why *why)
{
    sqlite3_stmt *q = sqlite_db_statement(db, sql, why);
    sqlite_bind_queue(q, v->queue);
    return q;
}

static void pass_seen(void *ctx, sqlite3_stmt *row)
{
    const struct visit *v = ctx;
    v->fn(v->ctx, (const char *)sqlite3_column_text(row, 0), sqlite3_column_int64(row, 1));
}

static enum err read_mark(struct sqlite_db *db, struct sqlite_item *item, struct why *why)
{
    struct visit *v = (struct visit *)item;
    int64_t columns[3];
    sqlite3_stmt *q = of_queue(db, read_sql, v, why);
    enum err e = sqlite_db_step(db, q, columns, 3, "read a mark", why);
    if (e != ERR_OK)
        return e;
    v->mark = (struct inbox_mark){columns[0], columns[1], columns[2] != 0};
    q = of_queue(db, each_sql, v, why);
    return sqlite_db_each(db, q, pass_seen, v, "read what was seen", why);
}

static enum err write_mark(struct sqlite_db *db, struct sqlite_item *item, struct why *why)
{
    const struct visit *v = (const struct visit *)item;
    sqlite3_stmt *q = of_queue(db, write_sql, v, why);
    sqlite3_bind_int64(q, 4, v->mark.from_us);
    sqlite3_bind_int64(q, 5, v->mark.since_us);
    sqlite3_bind_int(q, 6, v->mark.called);
    enum err e = sqlite_db_run(db, q, "keep a mark", why);
    if (e != ERR_OK)
        return e;
    q = of_queue(db, forget_sql, v, why);
    sqlite3_bind_int64(q, 4, v->mark.from_us);
    return sqlite_db_run(db, q, "keep a mark", why);
}

static enum err note_seen(struct sqlite_db *db, struct sqlite_item *item, struct why *why)
{
    const struct visit *v = (const struct visit *)item;
    sqlite3_stmt *q = of_queue(db, seen_sql, v, why);
    sqlite_bind_text(q, 4, v->object_id);
    sqlite3_bind_int64(q, 5, v->created_us);
    return sqlite_db_run(db, q, "keep a mark", why);
}

enum err sqlite_mark_read(struct inbox *i, const struct inbox_queue *q, struct inbox_mark *ret,
                          inbox_seen_fn *fn, void *ctx, struct why *why)
{
    struct visit v = {.head = {.apply = read_mark}, .queue = q, .fn = fn, .ctx = ctx};
    enum err e = sqlite_db_do((struct sqlite_db *)i, &v.head, why);
    if (e == ERR_OK)
        *ret = v.mark;
    return e;
}

enum err sqlite_mark_write(struct inbox *i, const struct inbox_queue *q, const struct inbox_mark *m,
                           struct why *why)
{
    struct visit v = {.head = {.apply = write_mark}, .queue = q, .mark = *m};
    return sqlite_db_do((struct sqlite_db *)i, &v.head, why);
}

enum err sqlite_mark_seen(struct inbox *i, const struct inbox_queue *q, const char *object_id,
                          int64_t created_us, struct why *why)
{
    struct visit v = {
        .head = {.apply = note_seen}, .queue = q, .object_id = object_id, .created_us = created_us};
    return sqlite_db_do((struct sqlite_db *)i, &v.head, why);
}
