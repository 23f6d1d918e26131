/* sqlite_task.c - the tasks of an SQLite inbox, their attempts, and what is held. */
#include <stdio.h>
#include <string.h>

#include "inbox/sqlite_bind.h"
#include "inbox/sqlite_db.h"
#include "inbox/sqlite_work.h"

#define TASK_COLUMNS                                                                     \
    "id, account_id, product_id, object_class, object_id, state, due_us, called, again," \
    " asked, failures, created_us, updated_us, started_us, fingerprint, result, type,"   \
    " before, after, action, rule, reason, lease, lease_until_us, lease_owner, delivery_id"

static const char find_sql[] = "SELECT " TASK_COLUMNS " FROM task"
                               " WHERE account_id = ?1 AND object_class = ?2 AND object_id = ?3";
static const char get_sql[] = "SELECT " TASK_COLUMNS " FROM task WHERE id = ?1";
static const char first_sql[] =
    "SELECT " TASK_COLUMNS " FROM task"
    " WHERE state = 'ready' AND account_id = ?1 AND rank = ?2"
    " AND (due_us > updated_us OR due_us <= ?3) ORDER BY due_us LIMIT 1";
static const char next_sql[] =
    "SELECT " TASK_COLUMNS " FROM task INDEXED BY task_queue"
    " WHERE state = 'ready' AND account_id = ?1 AND product_id = ?2 AND object_class = ?3"
    " ORDER BY due_us LIMIT 1";
static const char page_sql[] =
    "SELECT " TASK_COLUMNS " FROM task WHERE" SQLITE_FITS SQLITE_IS_WANTED(
        "CASE state WHEN 'ready' THEN 0 WHEN 'running' THEN 1 WHEN 'done' THEN 2"
        " WHEN 'skipped' THEN 3 ELSE 4 END",
        "updated_us") " AND (?9 IS NULL OR object_id = ?9)"
                      " AND (?10 = 0 OR delivery_id = ?10)" SQLITE_PAGE;
static const char newest_sql[] = "SELECT ifnull(max(id), 0) FROM task";
static const char count_ready_sql[] =
    "SELECT count(*), min(due_us) FROM task INDEXED BY task_queue"
    " WHERE state = 'ready' AND account_id = ?1 AND product_id = ?2 AND object_class = ?3";
static const char count_dead_sql[] =
    "SELECT count(*), min(due_us) FROM task INDEXED BY task_dead"
    " WHERE state = 'dead' AND account_id = ?1 AND product_id = ?2 AND object_class = ?3";
static const char insert_sql[] =
    "INSERT INTO task (due_us, called, again, asked, failures, created_us, updated_us,"
    " started_us, state, fingerprint, result, type, before, after, action, rule, reason,"
    " lease, lease_until_us, lease_owner, delivery_id, account_id, product_id, object_class,"
    " object_id, rank)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18,"
    "  ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26)";
/* Connect lets no object change its product; a queue that shows it is where it is. */
static const char update_sql[] =
    "UPDATE task SET due_us = ?1, called = ?2, again = ?3, asked = ?4, failures = ?5,"
    " created_us = ?6, updated_us = ?7, started_us = ?8, state = ?9, fingerprint = ?10,"
    " result = ?11, type = ?12, before = ?13, after = ?14, action = ?15, rule = ?16,"
    " reason = ?17, lease = ?18, lease_until_us = ?19, lease_owner = ?20, delivery_id = ?21"
    " WHERE id = ?22";

/* -------------------------------------------------------------------------- rows */

static enum task_state state_of_name(const char *name)
{
    enum task_state s = TASK_READY;
    while (s < TASK_DEAD && strcmp(task_state_name(s), name) != 0)
        s++;
    return s;
}

static void read_story(sqlite3_stmt *row, int from, struct inbox_story *ret)
{
    const struct {
        char *text;
        size_t size;
    } texts[] = {
        {ret->result, sizeof ret->result}, {ret->type, sizeof ret->type},
        {ret->before, sizeof ret->before}, {ret->after, sizeof ret->after},
        {ret->action, sizeof ret->action}, {ret->rule, sizeof ret->rule},
        {ret->reason, sizeof ret->reason},
    };
    for (int n = 0; n < (int)(sizeof texts / sizeof *texts); n++)
        sqlite_row_text(row, from + n, texts[n].text, texts[n].size);
}

static void read_task(sqlite3_stmt *row, struct task_row *t)
{
    char state[16];
    sqlite_row_text(row, 5, state, sizeof state);
    *t = (struct task_row){.id = sqlite3_column_int64(row, 0),
                           .object_class = sqlite_row_class(row, 3),
                           .state = state_of_name(state),
                           .due_us = sqlite3_column_int64(row, 6),
                           .called = sqlite3_column_int(row, 7) != 0,
                           .again = sqlite3_column_int(row, 8) != 0,
                           .asked = sqlite3_column_int64(row, 9),
                           .failures = sqlite3_column_int64(row, 10),
                           .created_us = sqlite3_column_int64(row, 11),
                           .updated_us = sqlite3_column_int64(row, 12),
                           .started_us = sqlite3_column_int64(row, 13)};
    sqlite_row_text(row, 1, t->account_id, sizeof t->account_id);
    sqlite_row_text(row, 2, t->product_id, sizeof t->product_id);
    sqlite_row_text(row, 4, t->object_id, sizeof t->object_id);
    sqlite_row_blob(row, 14, t->fingerprint, sizeof t->fingerprint);
    read_story(row, 15, &t->story);
    sqlite_row_lease(row, 22, &t->lease);
    t->delivery_id = sqlite3_column_int64(row, 25);
}

struct task_reading {
    struct task_row *ret;
    bool found;
};

static void take_task(void *ctx, sqlite3_stmt *row)
{
    struct task_reading *r = ctx;
    r->found = true;
    read_task(row, r->ret);
}

static enum err one_task(struct sqlite_db *d, sqlite3_stmt *q, struct task_row *ret,
                         struct why *why)
{
    struct task_reading r = {.ret = ret};
    enum err e = sqlite_db_each(d, q, take_task, &r, "read a task", why);
    return e == ERR_OK && !r.found ? ERR_NOT_FOUND : e;
}

enum err sqlite_task_find(struct inbox *i, const struct sweep_row *s, const char *object_id,
                          struct task_row *ret, struct why *why)
{
    struct sqlite_db *d = (struct sqlite_db *)i;
    sqlite3_stmt *q = sqlite_db_statement(d, find_sql, why);
    sqlite_bind_text(q, 1, s->account_id);
    sqlite_bind_text(q, 2, s->object_class->name);
    sqlite_bind_text(q, 3, object_id);
    return one_task(d, q, ret, why);
}

enum err sqlite_task_get(struct inbox *i, int64_t id, struct task_row *ret, struct why *why)
{
    struct sqlite_db *d = (struct sqlite_db *)i;
    sqlite3_stmt *q = sqlite_db_statement(d, get_sql, why);
    sqlite3_bind_int64(q, 1, id);
    return one_task(d, q, ret, why);
}

enum err sqlite_task_first(struct inbox *i, const char *account_id, int rank, int64_t fresh_us,
                           struct task_row *ret, struct why *why)
{
    struct sqlite_db *d = (struct sqlite_db *)i;
    sqlite3_stmt *q = sqlite_db_statement(d, first_sql, why);
    sqlite_bind_text(q, 1, account_id);
    sqlite3_bind_int(q, 2, rank);
    sqlite3_bind_int64(q, 3, fresh_us);
    return one_task(d, q, ret, why);
}

enum err sqlite_task_next(struct inbox *i, const struct inbox_queue *queue, struct task_row *ret,
                          struct why *why)
{
    struct sqlite_db *d = (struct sqlite_db *)i;
    sqlite3_stmt *q = sqlite_db_statement(d, next_sql, why);
    sqlite_bind_queue(q, queue);
    return one_task(d, q, ret, why);
}

static void bind_story(sqlite3_stmt *q, int from, const struct inbox_story *s)
{
    const char *const texts[] = {s->result, s->type, s->before, s->after,
                                 s->action, s->rule, s->reason};
    for (int n = 0; n < (int)(sizeof texts / sizeof *texts); n++)
        sqlite_bind_text(q, from + n, texts[n]);
}

enum err sqlite_task_put(struct inbox *i, struct task_row *t, struct why *why)
{
    struct sqlite_db *d = (struct sqlite_db *)i;
    sqlite3_stmt *q = sqlite_db_statement(d, t->id == 0 ? insert_sql : update_sql, why);
    const int64_t numbers[] = {t->due_us,   t->called,     t->again,      t->asked,
                               t->failures, t->created_us, t->updated_us, t->started_us};
    sqlite_bind_ints(q, 1, numbers, sizeof numbers / sizeof *numbers);
    sqlite_bind_text(q, 9, task_state_name(t->state));
    sqlite3_bind_blob(q, 10, t->fingerprint, sizeof t->fingerprint, SQLITE_STATIC);
    bind_story(q, 11, &t->story);
    sqlite_bind_lease(q, 18, &t->lease);
    sqlite3_bind_int64(q, 21, t->delivery_id);
    if (t->id == 0) {
        sqlite_bind_text(q, 22, t->account_id);
        sqlite_bind_text(q, 23, t->product_id);
        sqlite_bind_text(q, 24, t->object_class->name);
        sqlite_bind_text(q, 25, t->object_id);
        sqlite3_bind_int(q, 26, row_rank(t->object_class));
    } else {
        sqlite3_bind_int64(q, 22, t->id);
    }
    return sqlite_db_put_row(d, q, &t->id, "keep a task", why);
}

struct task_passing {
    task_row_fn *fn;
    void *ctx;
};

static void pass_task(void *ctx, sqlite3_stmt *row)
{
    const struct task_passing *p = ctx;
    struct task_row t;
    read_task(row, &t);
    p->fn(p->ctx, &t);
}

enum err sqlite_task_page(struct inbox *i, const struct inbox_filter *f, task_row_fn *fn, void *ctx,
                          struct why *why)
{
    struct sqlite_db *d = (struct sqlite_db *)i;
    struct task_passing p = {fn, ctx};
    sqlite3_stmt *q = sqlite_db_statement(d, page_sql, why);
    sqlite_bind_wanted(q, f, sqlite_now_us(i));
    sqlite_bind_text(q, 9, f->object_id);
    sqlite3_bind_int64(q, 10, f->delivery_id);
    return sqlite_db_each(d, q, pass_task, &p, "read tasks", why);
}

enum err sqlite_task_newest(struct inbox *i, int64_t *ret_id, struct why *why)
{
    struct sqlite_db *d = (struct sqlite_db *)i;
    return sqlite_db_step(d, sqlite_db_statement(d, newest_sql, why), ret_id, 1, "read tasks", why);
}

enum err sqlite_task_count(struct inbox *i, const struct inbox_queue *queue, enum task_state s,
                           int64_t *ret_count, int64_t *ret_due_us, struct why *why)
{
    struct sqlite_db *d = (struct sqlite_db *)i;
    const char *sql = s == TASK_READY ? count_ready_sql : count_dead_sql;
    sqlite3_stmt *q = sqlite_db_statement(d, sql, why);
    int64_t columns[2] = {0, 0};
    sqlite_bind_queue(q, queue);
    enum err e = sqlite_db_step(d, q, columns, 2, "count tasks", why);
    *ret_count = columns[0];
    *ret_due_us = columns[0] > 0 ? columns[1] : ROW_NEVER;
    return e;
}

/* ----------------------------------------------------------------------- attempts */

static const char add_attempt_sql[] =
    "INSERT INTO attempt (task_id, started_us, ended_us, result, reason, calls)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
static const char drop_attempts_sql[] =
    "DELETE FROM attempt WHERE task_id = ?1 AND id <="
    " (SELECT id FROM attempt WHERE task_id = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)";
static const char each_attempt_sql[] =
    "SELECT task_id, started_us, ended_us, result, reason, calls FROM attempt"
    " WHERE task_id = ?1 ORDER BY id";

static const char backlog_sql[] = "SELECT ready FROM backlog";

enum err sqlite_backlog(struct inbox *i, int64_t *ret, struct why *why)
{
    struct sqlite_db *d = (struct sqlite_db *)i;
    return sqlite_db_step(d, sqlite_db_statement(d, backlog_sql, why), ret, 1, "count the backlog",
                          why);
}

enum err sqlite_attempt_add(struct inbox *i, const struct attempt_row *a, struct why *why)
{
    struct sqlite_db *d = (struct sqlite_db *)i;
    sqlite3_stmt *q = sqlite_db_statement(d, add_attempt_sql, why);
    const int64_t numbers[] = {a->task_id, a->started_us, a->ended_us};
    sqlite_bind_ints(q, 1, numbers, sizeof numbers / sizeof *numbers);
    sqlite_bind_text(q, 4, a->result);
    sqlite_bind_text(q, 5, a->reason);
    sqlite_bind_text(q, 6, a->calls);
    enum err e = sqlite_db_run(d, q, "keep an attempt", why);
    if (e != ERR_OK)
        return e;
    q = sqlite_db_statement(d, drop_attempts_sql, why);
    sqlite3_bind_int64(q, 1, a->task_id);
    sqlite3_bind_int(q, 2, INBOX_ATTEMPTS_KEPT);
    return sqlite_db_run(d, q, "forget attempts", why);
}

struct attempt_passing {
    attempt_row_fn *fn;
    void *ctx;
};

static void pass_attempt(void *ctx, sqlite3_stmt *row)
{
    const struct attempt_passing *p = ctx;
    const struct attempt_row a = {.task_id = sqlite3_column_int64(row, 0),
                                  .started_us = sqlite3_column_int64(row, 1),
                                  .ended_us = sqlite3_column_int64(row, 2),
                                  .result = (const char *)sqlite3_column_text(row, 3),
                                  .reason = (const char *)sqlite3_column_text(row, 4),
                                  .calls = (const char *)sqlite3_column_text(row, 5)};
    p->fn(p->ctx, &a);
}

enum err sqlite_attempt_each(struct inbox *i, int64_t task_id, attempt_row_fn *fn, void *ctx,
                             struct why *why)
{
    struct sqlite_db *d = (struct sqlite_db *)i;
    struct attempt_passing p = {fn, ctx};
    sqlite3_stmt *q = sqlite_db_statement(d, each_attempt_sql, why);
    sqlite3_bind_int64(q, 1, task_id);
    return sqlite_db_each(d, q, pass_attempt, &p, "read attempts", why);
}

/* -------------------------------------------------------------------- what is held */

static const char held_sweeps_sql[] =
    "SELECT id FROM sweep WHERE lease_until_us <> 0 AND id > ?1 ORDER BY id LIMIT ?2";
static const char held_tasks_sql[] =
    "SELECT id FROM task INDEXED BY task_held WHERE state = 'running' AND id > ?1"
    " ORDER BY id LIMIT ?2";
static const char held_count_sql[] =
    "SELECT (SELECT count(*) FROM task"
    "  WHERE state = 'running' AND account_id = ?1 AND lease_owner = ?2)"
    " + (SELECT count(*) FROM sweep"
    "  WHERE lease_until_us <> 0 AND account_id = ?1 AND lease_owner = ?2)";

struct ids {
    int64_t *list;
    size_t count;
};

static void take_id(void *ctx, sqlite3_stmt *row)
{
    struct ids *ids = ctx;
    ids->list[ids->count++] = sqlite3_column_int64(row, 0);
}

enum err sqlite_held(struct inbox *i, enum inbox_kind kind, int64_t after, int64_t *ret, size_t max,
                     size_t *ret_count, struct why *why)
{
    struct sqlite_db *d = (struct sqlite_db *)i;
    struct ids ids = {.list = ret};
    sqlite3_stmt *q = sqlite_db_statement(d, kind == INBOX_SWEEP ? held_sweeps_sql : held_tasks_sql,
                                          why);
    sqlite3_bind_int64(q, 1, after);
    sqlite3_bind_int64(q, 2, (int64_t)max);
    enum err e = sqlite_db_each(d, q, take_id, &ids, "read what is held", why);
    *ret_count = ids.count;
    return e;
}

enum err sqlite_held_count(struct inbox *i, const char *account_id, int64_t *ret, struct why *why)
{
    struct sqlite_db *d = (struct sqlite_db *)i;
    sqlite3_stmt *q = sqlite_db_statement(d, held_count_sql, why);
    sqlite_bind_text(q, 1, account_id);
    sqlite_bind_text(q, 2, i->taker.owner);
    return sqlite_db_step(d, q, ret, 1, "count what is held", why);
}
