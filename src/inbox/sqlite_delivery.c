/* sqlite_delivery.c - the deliveries of an SQLite inbox. */
#include "inbox/sqlite_delivery.h"

#include <stdlib.h>

#include "inbox/sqlite_db.h"

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

/* ------------------------------------------------------------------------- append */

struct append {
    struct sqlite_item head;
    struct delivery delivery; /* its pointers are the caller's until `fn` has run */
    inbox_appended_fn *fn;
    void *ctx;
    int64_t columns[2]; /* id, seen */
};

static enum err insert(struct sqlite_db *db, struct sqlite_item *item, struct why *why)
{
    struct append *a = (struct append *)item;
    const struct delivery *d = &a->delivery;
    sqlite3_stmt *q = sqlite_db_statement(db, insert_sql, why);
    if (q == NULL)
        return ERR_STORE;
    sqlite3_bind_blob(q, 1, d->token_sha256, INBOX_TOKEN_HASH_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(q, 2, d->exp);
    sqlite_db_bind_text(q, 3, delivery_state_name(d->state));
    sqlite_db_bind_text(q, 4, d->webhook_id);
    sqlite_db_bind_text(q, 5, d->account_id);
    sqlite_db_bind_text(q, 6, d->product_id);
    sqlite_db_bind_text(q, 7, d->object_class->name);
    sqlite_db_bind_text(q, 8, d->triggered_at);
    sqlite3_bind_int64(q, 9, d->received_us);
    sqlite3_bind_text(q, 10, d->claims, (int)d->claims_len, SQLITE_STATIC);
    sqlite3_bind_blob(q, 11, d->body, (int)d->body_len, SQLITE_STATIC);
    if (d->body_len == 0)
        sqlite3_bind_zeroblob(q, 11, 0); /* an empty blob at any address is else a NULL */

    return sqlite_db_step(db, q, a->columns, 2, "store a delivery", why);
}

static void tell_receipt(struct sqlite_item *item)
{
    struct append *a = (struct append *)item;
    const struct inbox_receipt receipt = {
        .err = item->err, .id = a->columns[0], .seen = a->columns[1], .why = item->why};
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
    a->head.apply = insert;
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
    if (q == NULL)
        return ERR_STORE;
    sqlite3_bind_int64(q, 1, c->id);
    sqlite_db_bind_text(q, 2, delivery_state_name(c->state));
    enum err e = sqlite_db_step(db, q, NULL, 0, "change a delivery's state", why);
    return e != ERR_NOT_FOUND ? e : why_set(why, e, "inbox: no delivery %lld", (long long)c->id);
}

enum err sqlite_set_state(struct inbox *i, int64_t id, enum delivery_state state, struct why *why)
{
    struct change c = {.head = {.apply = set_state}, .id = id, .state = state};
    return sqlite_db_do((struct sqlite_db *)i, &c.head, why);
}
