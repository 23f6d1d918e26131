/* sqlite_delivery.c - the deliveries of an SQLite inbox. */
#include "inbox/sqlite_delivery.h"

#include <stdlib.h>

static const char insert_sql[] =
    "INSERT INTO delivery (token_sha256, exp, state, webhook_id, account_id, product_id,"
    " object_class, triggered_at, received_us, last_received_us, claims, body)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, ?10, ?11)"
    " ON CONFLICT (exp, token_sha256) DO UPDATE SET"
    "  seen = seen + 1,"
    "  last_received_us = excluded.last_received_us,"
    "  state = excluded.state"
    " RETURNING id, seen";

static const char set_state_sql[] = "UPDATE delivery SET state = ?2 WHERE id = ?1 RETURNING id";

struct sqlite_deliveries {
    struct sqlite_db *db;
    struct sqlite_writer *writer;
    sqlite3_stmt *insert, *set_state;
};

enum err sqlite_deliveries_new(struct sqlite_db *db, struct sqlite_writer *writer,
                               struct sqlite_deliveries **ret, struct why *why)
{
    struct sqlite_deliveries *s = calloc(1, sizeof *s);
    if (s == NULL)
        return why_no_memory(why);
    s->db = db;
    s->writer = writer;
    enum err e = sqlite_db_prepare(db, insert_sql, &s->insert, why);
    if (e == ERR_OK)
        e = sqlite_db_prepare(db, set_state_sql, &s->set_state, why);
    if (e == ERR_OK)
        *ret = s;
    else
        sqlite_deliveries_free(s);
    return e;
}

void sqlite_deliveries_free(struct sqlite_deliveries *s)
{
    if (s == NULL)
        return;
    sqlite3_finalize(s->insert);
    sqlite3_finalize(s->set_state);
    free(s);
}

/* Run a bound statement that gives one row, or none, and changes at most one. A row is only in
 * once the statement has come to its end. ERR_NOT_FOUND: no row. */
static enum err run(const struct sqlite_db *db, sqlite3_stmt *q, int64_t *ret_columns, int columns,
                    const char *doing, struct why *why)
{
    int step = sqlite3_step(q);
    enum err e = step == SQLITE_DONE ? ERR_NOT_FOUND : ERR_OK;
    for (int i = 0; step == SQLITE_ROW && i < columns; i++)
        ret_columns[i] = sqlite3_column_int64(q, i);
    if (step == SQLITE_ROW)
        step = sqlite3_step(q);
    if (step != SQLITE_DONE)
        e = sqlite_db_failed(db, doing, why);
    sqlite3_reset(q);
    sqlite3_clear_bindings(q);
    return e;
}

/* ------------------------------------------------------------------------- append */

struct append {
    struct sqlite_item head;
    struct sqlite_deliveries *to;
    struct delivery delivery; /* its pointers are the caller's until `fn` has run */
    inbox_appended_fn *fn;
    void *ctx;
    struct inbox_receipt receipt;
};

static void bind_text(sqlite3_stmt *q, int i, const char *text)
{
    if (text == NULL)
        sqlite3_bind_null(q, i);
    else
        sqlite3_bind_text(q, i, text, -1, SQLITE_STATIC);
}

static enum err insert(struct sqlite_item *item, struct why *why)
{
    struct append *a = (struct append *)item;
    const struct delivery *d = &a->delivery;
    sqlite3_stmt *q = a->to->insert;
    sqlite3_bind_blob(q, 1, d->token_sha256, INBOX_TOKEN_HASH_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(q, 2, d->exp);
    bind_text(q, 3, delivery_state_name(d->state));
    bind_text(q, 4, d->webhook_id);
    bind_text(q, 5, d->account_id);
    bind_text(q, 6, d->product_id);
    bind_text(q, 7, d->object_class->name);
    bind_text(q, 8, d->triggered_at);
    sqlite3_bind_int64(q, 9, d->received_us);
    sqlite3_bind_text(q, 10, d->claims, (int)d->claims_len, SQLITE_STATIC);
    sqlite3_bind_blob(q, 11, d->body, (int)d->body_len, SQLITE_STATIC);
    if (d->body_len == 0)
        sqlite3_bind_zeroblob(q, 11, 0); /* an empty blob at any address is else a NULL */

    int64_t columns[2] = {0, 0};
    enum err e = run(a->to->db, q, columns, 2, "store a delivery", why);
    a->receipt.id = columns[0];
    a->receipt.seen = columns[1];
    return e;
}

static void tell(struct sqlite_item *item, enum err e, const struct why *why)
{
    struct append *a = (struct append *)item;
    a->receipt.err = e;
    if (e != ERR_OK)
        a->receipt.why = *why;
    a->fn(a->ctx, &a->receipt);
    free(a);
}

void sqlite_deliveries_append(struct sqlite_deliveries *s, const struct delivery *d,
                              inbox_appended_fn *fn, void *ctx)
{
    struct append *a = malloc(sizeof *a);
    if (a == NULL) {
        struct inbox_receipt refused = {.err = ERR_NOMEM};
        why_no_memory(&refused.why);
        fn(ctx, &refused);
        return;
    }
    *a = (struct append){
        .head = {.apply = insert, .done = tell}, .to = s, .delivery = *d, .fn = fn, .ctx = ctx};
    sqlite_writer_put(s->writer, &a->head);
}

/* ------------------------------------------------------------------------- states */

struct change {
    struct sqlite_item head;
    struct sqlite_deliveries *of;
    int64_t id;
    enum delivery_state state;
};

static enum err set_state(struct sqlite_item *item, struct why *why)
{
    const struct change *c = (const struct change *)item;
    sqlite3_stmt *q = c->of->set_state;
    sqlite3_bind_int64(q, 1, c->id);
    bind_text(q, 2, delivery_state_name(c->state));
    enum err e = run(c->of->db, q, NULL, 0, "change a delivery's state", why);
    return e != ERR_NOT_FOUND ? e
                              : why_set(why, e, "inbox %s: no delivery %lld",
                                        sqlite_db_path(c->of->db), (long long)c->id);
}

enum err sqlite_deliveries_set_state(struct sqlite_deliveries *s, int64_t id,
                                     enum delivery_state state, struct why *why)
{
    struct change c = {.head = {.apply = set_state}, .of = s, .id = id, .state = state};
    return sqlite_writer_do(s->writer, &c.head, why);
}
