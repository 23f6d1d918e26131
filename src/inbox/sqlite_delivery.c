/* sqlite_delivery.c - the deliveries of an SQLite inbox. */
#include "inbox/sqlite_delivery.h"

#include <stdlib.h>
#include <string.h>

#include "inbox/sqlite_bind.h"
#include "inbox/sqlite_db.h"
#include "inbox/sqlite_token.h"
#include "inbox/sqlite_work.h"

static const char insert_sql[] =
    "INSERT INTO delivery (token_sha256, exp, state, webhook_id, account_id, product_id,"
    " object_class, triggered_at, received_us, last_received_us, claims, body, stored_us)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, ?10, ?11, ?12)";

static const char again_sql[] =
    "UPDATE delivery SET seen = seen + 1, last_received_us = ?2, state = ?3, stored_us = ?4"
    " WHERE id = ?1 RETURNING seen";

static const char set_state_sql[] = "UPDATE delivery SET state = ?2 WHERE id = ?1 RETURNING id";

/* ------------------------------------------------------------------------- append */

struct append {
    struct sqlite_item head;
    struct delivery delivery; /* its pointers are the caller's until `fn` has run */
    inbox_appended_fn *fn;
    void *ctx;
    int64_t id, seen;
};

static enum err insert(struct sqlite_db *db, struct append *a, int64_t now_us, struct why *why)
{
    const struct delivery *d = &a->delivery;
    sqlite3_stmt *q = sqlite_db_statement(db, insert_sql, why);
    sqlite3_bind_blob(q, 1, d->token_sha256, INBOX_TOKEN_HASH_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(q, 2, d->exp);
    sqlite_bind_text(q, 3, delivery_state_name(d->state));
    sqlite_bind_text(q, 4, d->webhook_id);
    sqlite_bind_text(q, 5, d->account_id);
    sqlite_bind_text(q, 6, d->product_id);
    sqlite_bind_text(q, 7, d->object_class->name);
    sqlite_bind_text(q, 8, d->triggered_at);
    sqlite3_bind_int64(q, 9, d->received_us);
    sqlite3_bind_text(q, 10, d->claims, (int)d->claims_len, SQLITE_STATIC);
    sqlite3_bind_blob(q, 11, d->body, (int)d->body_len, SQLITE_STATIC);
    if (d->body_len == 0)
        sqlite3_bind_zeroblob(q, 11, 0); /* an empty blob at any address is else a NULL */
    sqlite3_bind_int64(q, 12, now_us);
    a->id = 0;
    a->seen = 1;
    enum err e = sqlite_db_put_row(db, q, &a->id, "store a delivery", why);
    return e == ERR_OK ? sqlite_token_add(db, d, a->id, why) : e;
}

/* ERR_NOT_FOUND: it was pruned. */
static enum err count_up(struct sqlite_db *db, struct append *a, int64_t now_us, struct why *why)
{
    const struct delivery *d = &a->delivery;
    sqlite3_stmt *q = sqlite_db_statement(db, again_sql, why);
    sqlite3_bind_int64(q, 1, a->id);
    sqlite3_bind_int64(q, 2, d->received_us);
    sqlite_bind_text(q, 3, delivery_state_name(d->state));
    sqlite3_bind_int64(q, 4, now_us);
    return sqlite_db_step(db, q, &a->seen, 1, "store a delivery again", why);
}

static enum err store(struct sqlite_db *db, struct sqlite_item *item, struct why *why)
{
    struct append *a = (struct append *)item;
    const struct delivery *d = &a->delivery;
    int64_t now_us = sqlite_now_us((struct inbox *)db);
    enum err e = sqlite_db_room(db, why);
    if (e == ERR_OK)
        e = sqlite_token_find(db, d, &a->id, why);
    if (e == ERR_OK)
        e = count_up(db, a, now_us, why);
    if (e == ERR_NOT_FOUND)
        e = insert(db, a, now_us, why);
    const struct inbox_queue q = {d->account_id, d->product_id, d->object_class};
    return e == ERR_OK && d->state == DELIVERY_STORED
               ? sqlite_sweep_wake(db, &q, a->id, now_us, why)
               : e;
}

static void tell_receipt(struct sqlite_item *item)
{
    struct append *a = (struct append *)item;
    const struct inbox_receipt receipt = {
        .err = item->err, .id = a->id, .seen = a->seen, .why = item->why};
    a->fn(a->ctx, &receipt);
    free(a);
}

void sqlite_append(struct inbox *i, const struct delivery *d, inbox_appended_fn *fn, void *ctx)
{
    struct append *a = calloc(1, sizeof *a);
    if (a == NULL) {
        struct inbox_receipt refused = {.err = ERR_NOMEM};
        why_no_memory(&refused.why);
        fn(ctx, &refused);
        return;
    }
    a->head.apply = store;
    a->head.done = tell_receipt;
    a->delivery = *d;
    a->fn = fn;
    a->ctx = ctx;
    sqlite_db_put((struct sqlite_db *)i, &a->head);
}

/* ------------------------------------------------------------------------- states */

struct change {
    struct sqlite_item head;
    int64_t id;
    enum delivery_state state;
};

static enum err set_state(struct sqlite_db *db, struct sqlite_item *item, struct why *why)
{
    const struct change *c = (const struct change *)item;
    sqlite3_stmt *q = sqlite_db_statement(db, set_state_sql, why);
    sqlite3_bind_int64(q, 1, c->id);
    sqlite_bind_text(q, 2, delivery_state_name(c->state));
    enum err e = sqlite_db_step(db, q, NULL, 0, "change a delivery's state", why);
    return e != ERR_NOT_FOUND ? e : why_set(why, e, "inbox: no delivery %lld", (long long)c->id);
}

enum err sqlite_set_state(struct inbox *i, int64_t id, enum delivery_state state, struct why *why)
{
    struct change c = {.head = {.apply = set_state}, .id = id, .state = state};
    return sqlite_db_do((struct sqlite_db *)i, &c.head, why);
}

/* -------------------------------------------------------------------------- replay */

static const char renew_sql[] = "UPDATE delivery SET state = 'stored', stored_us = ?2"
                                " WHERE id = ?1"
                                " RETURNING account_id, product_id, object_class";

struct renewal {
    struct sweep_row *ret;
    bool found;
};

static void take_queue(void *ctx, sqlite3_stmt *row)
{
    struct renewal *r = ctx;
    const struct inbox_queue q = {(const char *)sqlite3_column_text(row, 0),
                                  (const char *)sqlite3_column_text(row, 1),
                                  sqlite_row_class(row, 2)};
    r->found = true;
    sweep_row_init(r->ret, &q);
}

enum err sqlite_delivery_renew(struct inbox *i, int64_t id, struct sweep_row *ret, struct why *why)
{
    struct sqlite_db *db = (struct sqlite_db *)i;
    struct renewal r = {.ret = ret};
    sqlite3_stmt *q = sqlite_db_statement(db, renew_sql, why);
    sqlite3_bind_int64(q, 1, id);
    sqlite3_bind_int64(q, 2, sqlite_now_us(i));
    enum err e = sqlite_db_each(db, q, take_queue, &r, "replay a delivery", why);
    if (e != ERR_OK || !r.found)
        return e == ERR_OK ? ERR_NOT_FOUND : e;
    const struct sweep_row fresh = *ret;
    const struct inbox_queue queue = {fresh.account_id, fresh.product_id, fresh.object_class};
    e = sqlite_sweep_find(i, &queue, ret, why);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

/* ------------------------------------------------------------------- looking, pruning */

/* Its sweep has been made. */
#define IS_COVERED                                                                           \
    " stored_us <= ifnull((SELECT covered_us FROM sweep s WHERE s.account_id = d.account_id" \
    "  AND s.product_id = d.product_id AND s.object_class = d.object_class), -1)"

static const char page_sql[] =
    "SELECT id, token_sha256, CASE WHEN state = 'stored' AND" IS_COVERED
    "  THEN 'done' ELSE state END, webhook_id, account_id, product_id, object_class,"
    " triggered_at, received_us, last_received_us, seen, claims, body FROM delivery d"
    " WHERE" SQLITE_FITS SQLITE_IS_WANTED(
        "CASE state WHEN 'stored' THEN CASE WHEN" IS_COVERED " THEN 1 ELSE 0 END"
        " WHEN 'done' THEN 1 WHEN 'failed' THEN 2 ELSE 3 END",
        "stored_us") " AND (?9 IS NULL OR webhook_id = ?9)" SQLITE_PAGE;
static const char newest_sql[] = "SELECT ifnull(max(id), 0) FROM delivery";

/* ?1: a time; ?2 and ?3: behind which delivery, and up to which. */
static const char part_sql[] =
    "SELECT ifnull(max(id), 0), ifnull(min(stored_us), ?1) FROM"
    " (SELECT id, stored_us FROM delivery WHERE id > ?2 ORDER BY id LIMIT ?3)";
/* Ids go on growing, for the newest stays. */
#define PRUNED                                 \
    " id > ?2 AND id <= ?3 AND stored_us < ?1" \
    " AND id < (SELECT max(id) FROM delivery)" \
    " AND (state <> 'stored' OR" IS_COVERED ")"
static const char prune_tokens_sql[] = "DELETE FROM token WHERE (exp, token_sha256) IN"
                                       " (SELECT exp, token_sha256 FROM delivery d WHERE" PRUNED
                                       ")";
static const char prune_sql[] = "DELETE FROM delivery AS d WHERE" PRUNED;

#define OLD_TASKS                                                      \
    " (SELECT id FROM task WHERE state IN ('done', 'skipped', 'dead')" \
    "  AND updated_us < ?1 ORDER BY updated_us LIMIT ?2)"
static const char prune_attempts_sql[] = "DELETE FROM attempt WHERE task_id IN" OLD_TASKS;
static const char prune_tasks_sql[] = "DELETE FROM task WHERE id IN" OLD_TASKS;

struct passing {
    inbox_delivery_fn *fn;
    void *ctx;
};

static enum delivery_state state_of_name(const char *name)
{
    enum delivery_state s = DELIVERY_STORED;
    while (s < DELIVERY_IGNORED && strcmp(delivery_state_name(s), name) != 0)
        s++;
    return s;
}

static const char *text_of(sqlite3_stmt *row, int i)
{
    return (const char *)sqlite3_column_text(row, i);
}

static void pass_delivery(void *ctx, sqlite3_stmt *row)
{
    const struct passing *p = ctx;
    struct inbox_delivery d = {.id = sqlite3_column_int64(row, 0),
                               .state = state_of_name(text_of(row, 2)),
                               .webhook_id = text_of(row, 3),
                               .account_id = text_of(row, 4),
                               .product_id = text_of(row, 5),
                               .object_class = text_of(row, 6),
                               .triggered_at = text_of(row, 7),
                               .received_us = sqlite3_column_int64(row, 8),
                               .last_received_us = sqlite3_column_int64(row, 9),
                               .seen = sqlite3_column_int64(row, 10),
                               .claims = text_of(row, 11),
                               .claims_len = (size_t)sqlite3_column_bytes(row, 11),
                               .body = sqlite3_column_blob(row, 12),
                               .body_len = (size_t)sqlite3_column_bytes(row, 12)};
    sqlite_row_blob(row, 1, d.token_sha256, sizeof d.token_sha256);
    p->fn(p->ctx, &d);
}

enum err sqlite_delivery_page(struct inbox *i, const struct inbox_filter *f, inbox_delivery_fn *fn,
                              void *ctx, struct why *why)
{
    struct sqlite_db *db = (struct sqlite_db *)i;
    struct passing p = {fn, ctx};
    sqlite3_stmt *q = sqlite_db_statement(db, page_sql, why);
    sqlite_bind_wanted(q, f, sqlite_now_us(i));
    sqlite_bind_text(q, 9, f->webhook_id);
    return sqlite_db_each(db, q, pass_delivery, &p, "read deliveries", why);
}

enum err sqlite_delivery_newest(struct inbox *i, int64_t *ret_id, struct why *why)
{
    struct sqlite_db *db = (struct sqlite_db *)i;
    return sqlite_db_step(db, sqlite_db_statement(db, newest_sql, why), ret_id, 1,
                          "read deliveries", why);
}

static enum err prune_with(struct sqlite_db *db, const char *sql, const int64_t *parameters,
                           size_t count, int64_t *ret_count, struct why *why)
{
    sqlite3_stmt *q = sqlite_db_statement(db, sql, why);
    sqlite_bind_ints(q, 1, parameters, count);
    enum err e = sqlite_db_run(db, q, "forget what is old", why);
    *ret_count = sqlite_db_changes(db);
    return e;
}

enum err sqlite_prune_deliveries(struct inbox *i, int64_t before_us, int64_t limit, int64_t *last,
                                 int64_t *ret_count, struct why *why)
{
    struct sqlite_db *db = (struct sqlite_db *)i;
    const int64_t part[] = {before_us, *last, limit};
    int64_t found[2] = {0, 0}, tokens = 0;
    sqlite3_stmt *q = sqlite_db_statement(db, part_sql, why);
    sqlite_bind_ints(q, 1, part, sizeof part / sizeof *part);
    enum err e = sqlite_db_step(db, q, found, 2, "look for what is old", why);
    *ret_count = 0;
    const int64_t old[] = {before_us, *last, found[0]};
    *last = found[1] < before_us ? found[0] : 0;
    if (e != ERR_OK || *last == 0)
        return e;
    e = prune_with(db, prune_tokens_sql, old, 3, &tokens, why);
    return e == ERR_OK ? prune_with(db, prune_sql, old, 3, ret_count, why) : e;
}

enum err sqlite_prune_tasks(struct inbox *i, int64_t before_us, int64_t limit, int64_t *ret_count,
                            struct why *why)
{
    struct sqlite_db *db = (struct sqlite_db *)i;
    const int64_t old[] = {before_us, limit};
    int64_t attempts = 0;
    enum err e = prune_with(db, prune_attempts_sql, old, 2, &attempts, why);
    return e == ERR_OK ? prune_with(db, prune_tasks_sql, old, 2, ret_count, why) : e;
}
