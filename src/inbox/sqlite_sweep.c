/* sqlite_sweep.c - the sweeps and accounts of an SQLite inbox. */
#include <stdio.h>
#include <string.h>

#include "inbox/sqlite_bind.h"
#include "inbox/sqlite_db.h"
#include "inbox/sqlite_work.h"

#define SWEEP_COLUMNS                                                                              \
    "id, account_id, product_id, object_class, due_us, poll_us, called, for_call,"                 \
    " started_us, ended_us, covered_us, failures, again_us, freed_us, delivery_id, polled, error," \
    " lease, lease_until_us, lease_owner"
#define SWEEP_OF_QUEUE " account_id = ?1 AND product_id = ?2 AND object_class = ?3"

static const char find_sql[] = "SELECT " SWEEP_COLUMNS " FROM sweep WHERE" SWEEP_OF_QUEUE;
static const char get_sql[] = "SELECT " SWEEP_COLUMNS " FROM sweep WHERE id = ?1";
static const char first_sql[] = "SELECT " SWEEP_COLUMNS " FROM sweep"
                                " WHERE account_id = ?1 AND rank = ?2 AND lease_until_us = 0"
                                " ORDER BY min(due_us, poll_us, again_us) LIMIT 1";
static const char page_sql[] = "SELECT " SWEEP_COLUMNS " FROM sweep WHERE" SQLITE_FITS SQLITE_PAGE;
static const char insert_sql[] =
    "INSERT INTO sweep (due_us, poll_us, called, for_call, started_us, ended_us, covered_us,"
    " failures, again_us, freed_us, delivery_id, polled, error, lease, lease_until_us,"
    " lease_owner, account_id, product_id, object_class, rank)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18,"
    "  ?19, ?20)";
static const char update_sql[] =
    "UPDATE sweep SET due_us = ?1, poll_us = ?2, called = ?3, for_call = ?4, started_us = ?5,"
    " ended_us = ?6, covered_us = ?7, failures = ?8, again_us = ?9, freed_us = ?10,"
    " delivery_id = ?11, polled = ?12, error = ?13, lease = ?14, lease_until_us = ?15,"
    " lease_owner = ?16 WHERE id = ?17";

/* Nothing changes where it is due already, for a call. */
static const char wake_sql[] = "UPDATE sweep SET due_us = min(due_us, ?4), called = 1,"
                               " delivery_id = ?5"
                               " WHERE" SWEEP_OF_QUEUE " AND (due_us > ?4 OR called = 0)";

static void read_sweep(sqlite3_stmt *row, struct sweep_row *s)
{
    *s = (struct sweep_row){.id = sqlite3_column_int64(row, 0),
                            .object_class = sqlite_row_class(row, 3),
                            .due_us = sqlite3_column_int64(row, 4),
                            .poll_us = sqlite3_column_int64(row, 5),
                            .called = sqlite3_column_int(row, 6) != 0,
                            .for_call = sqlite3_column_int(row, 7) != 0,
                            .started_us = sqlite3_column_int64(row, 8),
                            .ended_us = sqlite3_column_int64(row, 9),
                            .covered_us = sqlite3_column_int64(row, 10),
                            .failures = sqlite3_column_int64(row, 11),
                            .again_us = sqlite3_column_int64(row, 12),
                            .freed_us = sqlite3_column_int64(row, 13),
                            .delivery_id = sqlite3_column_int64(row, 14),
                            .polled = sqlite3_column_int64(row, 15)};
    sqlite_row_text(row, 1, s->account_id, sizeof s->account_id);
    sqlite_row_text(row, 2, s->product_id, sizeof s->product_id);
    sqlite_row_text(row, 16, s->error, sizeof s->error);
    sqlite_row_lease(row, 17, &s->lease);
}

struct sweep_reading {
    struct sweep_row *ret;
    bool found;
};

static void take_sweep(void *ctx, sqlite3_stmt *row)
{
    struct sweep_reading *r = ctx;
    r->found = true;
    read_sweep(row, r->ret);
}

/* The row that a statement gives. */
static enum err one_sweep(struct sqlite_db *d, sqlite3_stmt *q, struct sweep_row *ret,
                          struct why *why)
{
    struct sweep_reading r = {.ret = ret};
    enum err e = sqlite_db_each(d, q, take_sweep, &r, "read a sweep", why);
    return e == ERR_OK && !r.found ? ERR_NOT_FOUND : e;
}

enum err sqlite_sweep_find(struct inbox *i, const struct inbox_queue *queue, struct sweep_row *ret,
                           struct why *why)
{
    struct sqlite_db *d = (struct sqlite_db *)i;
    sqlite3_stmt *q = sqlite_db_statement(d, find_sql, why);
    sqlite_bind_queue(q, queue);
    return one_sweep(d, q, ret, why);
}

enum err sqlite_sweep_get(struct inbox *i, int64_t id, struct sweep_row *ret, struct why *why)
{
    struct sqlite_db *d = (struct sqlite_db *)i;
    sqlite3_stmt *q = sqlite_db_statement(d, get_sql, why);
    sqlite3_bind_int64(q, 1, id);
    return one_sweep(d, q, ret, why);
}

enum err sqlite_sweep_first(struct inbox *i, const char *account_id, int rank,
                            struct sweep_row *ret, struct why *why)
{
    struct sqlite_db *d = (struct sqlite_db *)i;
    sqlite3_stmt *q = sqlite_db_statement(d, first_sql, why);
    sqlite_bind_text(q, 1, account_id);
    sqlite3_bind_int(q, 2, rank);
    return one_sweep(d, q, ret, why);
}

struct sweep_passing {
    sweep_row_fn *fn;
    void *ctx;
};

static void pass_sweep(void *ctx, sqlite3_stmt *row)
{
    const struct sweep_passing *p = ctx;
    struct sweep_row s;
    read_sweep(row, &s);
    p->fn(p->ctx, &s);
}

enum err sqlite_sweep_page(struct inbox *i, const struct inbox_filter *f, sweep_row_fn *fn,
                           void *ctx, struct why *why)
{
    struct sqlite_db *d = (struct sqlite_db *)i;
    struct sweep_passing p = {fn, ctx};
    sqlite3_stmt *q = sqlite_db_statement(d, page_sql, why);
    sqlite_bind_filter(q, f);
    return sqlite_db_each(d, q, pass_sweep, &p, "read sweeps", why);
}

enum err sqlite_sweep_put(struct inbox *i, struct sweep_row *s, struct why *why)
{
    struct sqlite_db *d = (struct sqlite_db *)i;
    sqlite3_stmt *q = sqlite_db_statement(d, s->id == 0 ? insert_sql : update_sql, why);
    sqlite_db_awake(d)->transaction = 0; /* it may be held now */
    const int64_t numbers[] = {s->due_us,     s->poll_us,  s->called,      s->for_call,
                               s->started_us, s->ended_us, s->covered_us,  s->failures,
                               s->again_us,   s->freed_us, s->delivery_id, s->polled};
    sqlite_bind_ints(q, 1, numbers, sizeof numbers / sizeof *numbers);
    sqlite_bind_text(q, 13, s->error);
    sqlite_bind_lease(q, 14, &s->lease);
    if (s->id == 0) {
        sqlite_bind_text(q, 17, s->account_id);
        sqlite_bind_text(q, 18, s->product_id);
        sqlite_bind_text(q, 19, s->object_class->name);
        sqlite3_bind_int(q, 20, row_rank(s->object_class));
    } else {
        sqlite3_bind_int64(q, 17, s->id);
    }
    return sqlite_db_put_row(d, q, &s->id, "keep a sweep", why);
}

static enum err begin_sweep(struct sqlite_db *d, const struct inbox_queue *queue,
                            int64_t delivery_id, int64_t now_us, struct why *why)
{
    struct inbox *i = (struct inbox *)d;
    struct sweep_row s;
    enum err e = sqlite_sweep_find(i, queue, &s, why);
    if (e != ERR_NOT_FOUND)
        return e; /* it is due already */
    sweep_row_init(&s, queue);
    sweep_row_wake(&s, delivery_id, now_us);
    sqlite_db_tells(d);
    return sqlite_sweep_put(i, &s, why);
}

static bool is_awake(const struct sqlite_awake *a, uint64_t transaction,
                     const struct inbox_queue *q)
{
    return a->transaction == transaction && a->object_class == q->object_class &&
           strcmp(a->product_id, q->product_id) == 0 && strcmp(a->account_id, q->account_id) == 0;
}

/* Many calls of one transaction tell of the same queue. */
enum err sqlite_sweep_wake(struct sqlite_db *d, const struct inbox_queue *queue,
                           int64_t delivery_id, int64_t now_us, struct why *why)
{
    uint64_t failures, transaction = sqlite_db_transaction(d, &failures);
    struct sqlite_awake *awake = sqlite_db_awake(d);
    if (is_awake(awake, transaction, queue))
        return ERR_OK;
    sqlite3_stmt *q = sqlite_db_statement(d, wake_sql, why);
    sqlite_bind_queue(q, queue);
    sqlite3_bind_int64(q, 4, now_us);
    sqlite3_bind_int64(q, 5, delivery_id);
    enum err e = sqlite_db_run(d, q, "wake a sweep", why);
    if (e == ERR_OK && sqlite_db_changes(d) == 0)
        e = begin_sweep(d, queue, delivery_id, now_us, why);
    else
        sqlite_db_tells(d);
    awake->transaction = transaction;
    awake->object_class = queue->object_class;
    snprintf(awake->account_id, sizeof awake->account_id, "%s", queue->account_id);
    snprintf(awake->product_id, sizeof awake->product_id, "%s", queue->product_id);
    return e;
}

/* ------------------------------------------------------------------------ accounts */

static const char next_account_sql[] =
    "SELECT s.account_id, ifnull(a.halted_until_us, 0), ifnull(a.rate_second, 0),"
    " ifnull(a.rate_used, 0)"
    " FROM sweep s LEFT JOIN account a ON a.account_id = s.account_id"
    " WHERE s.account_id > ?1 ORDER BY s.account_id LIMIT 1";
static const char find_account_sql[] =
    "SELECT account_id, halted_until_us, rate_second, rate_used FROM account"
    " WHERE account_id = ?1";
static const char put_account_sql[] =
    "INSERT INTO account (account_id, halted_until_us, rate_second, rate_used)"
    " VALUES (?1, ?2, ?3, ?4)"
    " ON CONFLICT (account_id) DO UPDATE SET halted_until_us = excluded.halted_until_us,"
    "  rate_second = excluded.rate_second, rate_used = excluded.rate_used";

struct account_reading {
    struct account_row *ret;
    bool found;
};

static void read_account(void *ctx, sqlite3_stmt *row)
{
    struct account_reading *r = ctx;
    r->found = true;
    *r->ret = (struct account_row){.halted_until_us = sqlite3_column_int64(row, 1),
                                   .rate_second = sqlite3_column_int64(row, 2),
                                   .rate_used = sqlite3_column_int64(row, 3)};
    sqlite_row_text(row, 0, r->ret->account_id, sizeof r->ret->account_id);
}

static enum err one_account(struct inbox *i, const char *sql, const char *id,
                            struct account_row *ret, struct why *why)
{
    struct sqlite_db *d = (struct sqlite_db *)i;
    struct account_row found = {.rate_used = 0};
    struct account_reading r = {.ret = &found};
    sqlite3_stmt *q = sqlite_db_statement(d, sql, why);
    sqlite_bind_text(q, 1, id);
    enum err e = sqlite_db_each(d, q, read_account, &r, "read an account", why);
    if (e == ERR_OK && r.found)
        *ret = found;
    return e == ERR_OK && !r.found ? ERR_NOT_FOUND : e;
}

enum err sqlite_account_next(struct inbox *i, const char *after, struct account_row *ret,
                             struct why *why)
{
    return one_account(i, next_account_sql, after, ret, why);
}

enum err sqlite_account_find(struct inbox *i, const char *account_id, struct account_row *ret,
                             struct why *why)
{
    return one_account(i, find_account_sql, account_id, ret, why);
}

enum err sqlite_account_put(struct inbox *i, const struct account_row *a, struct why *why)
{
    struct sqlite_db *d = (struct sqlite_db *)i;
    sqlite3_stmt *q = sqlite_db_statement(d, put_account_sql, why);
    const int64_t numbers[] = {a->halted_until_us, a->rate_second, a->rate_used};
    sqlite_bind_text(q, 1, a->account_id);
    sqlite_bind_ints(q, 2, numbers, sizeof numbers / sizeof *numbers);
    return sqlite_db_run(d, q, "keep an account", why);
}
