/* sqlite_tally.c - the tallies of an SQLite inbox. */
#include "inbox/sqlite_tally.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "inbox/sqlite_db.h"

/* ?2 is 1 for a success, else 0. */
static const char add_sql[] =
    "INSERT INTO tally (webhook_id, success, failure, failure_since_last_success,"
    " last_success_us, last_failure_us)"
    " VALUES (?1, ?2, 1 - ?2, 1 - ?2, ?2 * ?3, (1 - ?2) * ?3)"
    " ON CONFLICT (webhook_id) DO UPDATE SET"
    "  success = success + ?2,"
    "  failure = failure + 1 - ?2,"
    "  failure_since_last_success = (1 - ?2) * (failure_since_last_success + 1),"
    "  last_success_us = max(last_success_us, ?2 * ?3),"
    "  last_failure_us = max(last_failure_us, (1 - ?2) * ?3)";

static const char read_sql[] =
    "SELECT success, failure, failure_since_last_success, last_success_us, last_failure_us"
    " FROM tally WHERE webhook_id = ?1";

/* One call. */
struct call {
    struct sqlite_item head;
    char webhook_id[OBJECT_ID_MAX];
    bool success;
    int64_t at_us;
};

static enum err add(struct sqlite_db *db, struct sqlite_item *item, struct why *why)
{
    const struct call *c = (const struct call *)item;
    sqlite3_stmt *q = sqlite_db_statement(db, add_sql, why);
    sqlite_db_bind_text(q, 1, c->webhook_id);
    sqlite3_bind_int(q, 2, c->success);
    sqlite3_bind_int64(q, 3, c->at_us);
    return sqlite_db_run(db, q, "count a call", why);
}

static void forget(struct sqlite_item *item)
{
    struct call *c = (struct call *)item;
    if (item->err != ERR_OK)
        log_warn("webhook %s: a call is not counted: %s", c->webhook_id, item->why.text);
    free(c);
}

void sqlite_tally_add(struct inbox *i, const char *webhook_id, bool success)
{
    struct call *c = calloc(1, sizeof *c);
    if (c == NULL) {
        log_warn("webhook %s: a call is not counted: %s", webhook_id, err_text(ERR_NOMEM));
        return;
    }
    c->head.apply = add;
    c->head.done = forget;
    snprintf(c->webhook_id, sizeof c->webhook_id, "%s", webhook_id);
    c->success = success;
    c->at_us = clk_wall_us();
    sqlite_db_put_later((struct sqlite_db *)i, &c->head);
}

struct reading {
    struct sqlite_item head;
    const char *webhook_id;
    int64_t columns[5];
};

static enum err read_tally(struct sqlite_db *db, struct sqlite_item *item, struct why *why)
{
    struct reading *r = (struct reading *)item;
    sqlite3_stmt *q = sqlite_db_statement(db, read_sql, why);
    sqlite_db_bind_text(q, 1, r->webhook_id);
    return sqlite_db_step(db, q, r->columns, 5, "read a tally", why);
}

enum err sqlite_tally_read(struct inbox *i, const char *webhook_id, struct inbox_tally *ret,
                           struct why *why)
{
    struct reading r = {.head = {.apply = read_tally}, .webhook_id = webhook_id};
    enum err e = sqlite_db_do((struct sqlite_db *)i, &r.head, why);
    if (e == ERR_OK)
        *ret = (struct inbox_tally){r.columns[0], r.columns[1], r.columns[2], r.columns[3],
                                    r.columns[4]};
    return e;
}
