/* sqlite_token.c - a hash table of the last tokens, and the table of the others. */
#include "inbox/sqlite_token.h"

#include "inbox/sqlite_bind.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS 4096 /* a power of two, four times as many as there are tokens, and more */

static const char find_sql[] = "SELECT delivery_id FROM token WHERE exp = ?1 AND token_sha256 = ?2";
static const char unmerged_sql[] = "SELECT id, exp, token_sha256 FROM delivery"
                                   " WHERE id > max(?1, (SELECT delivery_id FROM merged))";
static const char merge_sql[] =
    "INSERT OR REPLACE INTO token (exp, token_sha256, delivery_id)"
    " SELECT exp, token_sha256, id FROM delivery"
    " WHERE id > (SELECT delivery_id FROM merged) ORDER BY exp, token_sha256";
static const char merged_sql[] =
    "UPDATE merged SET delivery_id = max(delivery_id, ifnull((SELECT max(id) FROM delivery), 0))";
static const char version_sql[] = "PRAGMA data_version";

struct slot {
    int64_t id; /* 0: empty */
    int64_t exp;
    uint8_t token_sha256[INBOX_TOKEN_HASH_LEN];
};

struct sqlite_tokens {
    uint64_t transaction; /* of which `slots` tell: the last one that asked */
    uint64_t failures;    /* of transactions, until then */
    int64_t version;      /* of the database, as others change it; 0: nothing has been read */
    int64_t last_id;      /* what has been read */
    size_t count;
    struct slot slots[SLOTS];
};

struct sqlite_tokens *sqlite_tokens_new(void)
{
    return calloc(1, sizeof(struct sqlite_tokens));
}

void sqlite_tokens_free(struct sqlite_tokens *t)
{
    free(t);
}

/* Where it is, or would be. */
static struct slot *slot_of(struct sqlite_tokens *t, int64_t exp, const uint8_t *token_sha256)
{
    uint64_t at;
    memcpy(&at, token_sha256, sizeof at);
    for (;; at++) {
        struct slot *s = &t->slots[at % SLOTS];
        if (s->id == 0 ||
            (s->exp == exp && memcmp(s->token_sha256, token_sha256, sizeof s->token_sha256) == 0))
            return s;
    }
}

static void forget(struct sqlite_tokens *t)
{
    memset(t->slots, 0, sizeof t->slots);
    t->count = 0;
}

static enum err merge(struct sqlite_db *d, struct sqlite_tokens *t, struct why *why)
{
    sqlite3_stmt *q = sqlite_db_statement(d, merge_sql, why);
    enum err e = sqlite_db_run(d, q, "merge tokens", why);
    if (e == ERR_OK)
        e = sqlite_db_run(d, sqlite_db_statement(d, merged_sql, why), "merge tokens", why);
    if (e == ERR_OK)
        forget(t);
    return e;
}

static void keep(struct sqlite_tokens *t, int64_t id, int64_t exp, const uint8_t *token_sha256)
{
    struct slot *s = slot_of(t, exp, token_sha256);
    t->count += s->id == 0;
    s->id = id;
    s->exp = exp;
    memcpy(s->token_sha256, token_sha256, sizeof s->token_sha256);
    t->last_id = id > t->last_id ? id : t->last_id;
}

/* More than there is room for are looked for in the table: they will be merged first. */
static void keep_row(void *ctx, sqlite3_stmt *row)
{
    struct sqlite_tokens *t = ctx;
    uint8_t token[INBOX_TOKEN_HASH_LEN];
    sqlite_row_blob(row, 2, token, sizeof token);
    if (t->count < SLOTS / 2)
        keep(t, sqlite3_column_int64(row, 0), sqlite3_column_int64(row, 1), token);
}

static enum err read_unmerged(struct sqlite_db *d, struct sqlite_tokens *t, struct why *why)
{
    sqlite3_stmt *q = sqlite_db_statement(d, unmerged_sql, why);
    sqlite3_bind_int64(q, 1, t->last_id);
    enum err e = sqlite_db_each(d, q, keep_row, t, "read tokens", why);
    return e == ERR_OK && t->count > SQLITE_TOKENS_MERGED ? merge(d, t, why) : e;
}

/* Once in each transaction: what others have stored since; all, if one of ours was not kept. */
static enum err catch_up(struct sqlite_db *d, struct sqlite_tokens *t, struct why *why)
{
    uint64_t failures, transaction = sqlite_db_transaction(d, &failures);
    int64_t version = 0;
    if (t->transaction == transaction)
        return ERR_OK;
    sqlite3_stmt *q = sqlite_db_statement(d, version_sql, why);
    enum err e = sqlite_db_step(d, q, &version, 1, "read its version", why);
    if (e != ERR_OK)
        return e;
    if (failures != t->failures) {
        forget(t);
        t->last_id = 0;
        t->version = 0;
    }
    if (version != t->version)
        e = read_unmerged(d, t, why);
    t->version = version;
    t->transaction = transaction;
    t->failures = failures;
    return e;
}

enum err sqlite_token_find(struct sqlite_db *d, const struct delivery *of, int64_t *ret_id,
                           struct why *why)
{
    struct sqlite_tokens *t = sqlite_db_tokens(d);
    enum err e = catch_up(d, t, why);
    if (e != ERR_OK)
        return e;
    const struct slot *s = slot_of(t, of->exp, of->token_sha256);
    if (s->id != 0) {
        *ret_id = s->id;
        return ERR_OK;
    }
    sqlite3_stmt *q = sqlite_db_statement(d, find_sql, why);
    sqlite3_bind_int64(q, 1, of->exp);
    sqlite3_bind_blob(q, 2, of->token_sha256, INBOX_TOKEN_HASH_LEN, SQLITE_STATIC);
    return sqlite_db_step(d, q, ret_id, 1, "look a token up", why);
}

enum err sqlite_token_add(struct sqlite_db *d, const struct delivery *of, int64_t id,
                          struct why *why)
{
    struct sqlite_tokens *t = sqlite_db_tokens(d);
    keep(t, id, of->exp, of->token_sha256);
    return t->count >= SQLITE_TOKENS_MERGED ? merge(d, t, why) : ERR_OK;
}
