/* sqlite_counter.c - the metrics of all programs, in an SQLite inbox. */
#include "inbox/sqlite_counter.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/metric.h"
#include "inbox/sqlite_bind.h"
#include "inbox/sqlite_db.h"
#include "inbox/sqlite_tally.h"

static const char add_sql[] = "INSERT INTO counter (name, labels, part, n) VALUES (?1, ?2, ?3, ?4)"
                              " ON CONFLICT (name, labels, part) DO UPDATE SET n = n + ?4";
static const char each_sql[] =
    "SELECT name, labels, part, n FROM counter ORDER BY name, labels, part";

struct sqlite_counters {
    struct sqlite_item head; /* adds what has gathered to the table */
    struct sqlite_db *db;
    atomic_bool is_put; /* it is with the writer */
};

struct adding {
    struct sqlite_db *db;
    struct why *why;
};

static enum err add_one(void *ctx, const char *name, const char *labels, int part, int64_t n)
{
    const struct adding *a = ctx;
    sqlite3_stmt *q = sqlite_db_statement(a->db, add_sql, a->why);
    sqlite_bind_text(q, 1, name);
    sqlite_bind_text(q, 2, labels);
    sqlite3_bind_int(q, 3, part);
    sqlite3_bind_int64(q, 4, n);
    return sqlite_db_run(a->db, q, "add up metrics", a->why);
}

static enum err add_all(struct sqlite_db *db, struct sqlite_item *item, struct why *why)
{
    struct adding a = {db, why};
    (void)item;
    return metric_take(add_one, &a);
}

static void added(struct sqlite_item *item)
{
    struct sqlite_counters *c = (struct sqlite_counters *)item;
    metric_settle(item->err == ERR_OK);
    if (item->err != ERR_OK)
        log_warn("metrics are not added up yet: %s", item->why.text);
    atomic_store(&c->is_put, false);
}

struct sqlite_counters *sqlite_counters_new(struct sqlite_db *d)
{
    struct sqlite_counters *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    c->head = (struct sqlite_item){.apply = add_all, .done = added};
    c->db = d;
    return c;
}

void sqlite_counters_free(struct sqlite_counters *c)
{
    free(c);
}

void sqlite_counters_put(struct inbox *i)
{
    struct sqlite_db *d = (struct sqlite_db *)i;
    struct sqlite_counters *c = sqlite_db_counters(d);
    sqlite_tallies_put(sqlite_db_tallies(d));
    if (metric_any() && !atomic_exchange(&c->is_put, true))
        sqlite_db_put_later(c->db, &c->head);
}

struct passing {
    inbox_counter_fn *fn;
    void *ctx;
};

static void pass(void *ctx, sqlite3_stmt *row)
{
    const struct passing *p = ctx;
    p->fn(p->ctx, (const char *)sqlite3_column_text(row, 0),
          (const char *)sqlite3_column_text(row, 1), sqlite3_column_int(row, 2),
          sqlite3_column_int64(row, 3));
}

enum err sqlite_counters_each(struct inbox *i, inbox_counter_fn *fn, void *ctx, struct why *why)
{
    struct sqlite_db *d = (struct sqlite_db *)i;
    struct passing p = {fn, ctx};
    return sqlite_db_each(d, sqlite_db_statement(d, each_sql, why), pass, &p, "read metrics", why);
}
