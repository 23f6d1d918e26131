/* sqlite_health.c - how an SQLite inbox fares, and who works on it. */
#include "inbox/sqlite_health.h"

#include "inbox/sqlite_bind.h"
#include "inbox/sqlite_db.h"

static const char put_sql[] = "INSERT INTO worker VALUES (?1, ?2)"
                              " ON CONFLICT (owner) DO UPDATE SET seen_us = excluded.seen_us";
static const char forget_sql[] = "DELETE FROM worker WHERE seen_us < ?1";
static const char drop_sql[] = "DELETE FROM worker WHERE owner = ?1";
static const char count_sql[] = "SELECT count(*) FROM worker WHERE seen_us >= ?1";

enum err sqlite_probe(struct inbox *i, struct why *why)
{
    struct sqlite_db *d = (struct sqlite_db *)i;
    enum err e = sqlite_db_room(d, why);
    return e == ERR_OK ? sqlite_db_touch(d, why) : e;
}

enum err sqlite_worker_put(struct inbox *i, const char *owner, int64_t seen_us, int64_t forget_us,
                           struct why *why)
{
    struct sqlite_db *d = (struct sqlite_db *)i;
    sqlite3_stmt *q = sqlite_db_statement(d, put_sql, why);
    sqlite_bind_text(q, 1, owner);
    sqlite3_bind_int64(q, 2, seen_us);
    enum err e = sqlite_db_run(d, q, "note who works", why);
    if (e != ERR_OK)
        return e;
    q = sqlite_db_statement(d, forget_sql, why);
    sqlite3_bind_int64(q, 1, forget_us);
    return sqlite_db_run(d, q, "forget who worked", why);
}

enum err sqlite_worker_drop(struct inbox *i, const char *owner, struct why *why)
{
    struct sqlite_db *d = (struct sqlite_db *)i;
    sqlite3_stmt *q = sqlite_db_statement(d, drop_sql, why);
    sqlite_bind_text(q, 1, owner);
    return sqlite_db_run(d, q, "note who works", why);
}

enum err sqlite_worker_count(struct inbox *i, int64_t since_us, int64_t *ret, struct why *why)
{
    struct sqlite_db *d = (struct sqlite_db *)i;
    sqlite3_stmt *q = sqlite_db_statement(d, count_sql, why);
    sqlite3_bind_int64(q, 1, since_us);
    return sqlite_db_step(d, q, ret, 1, "count who works", why);
}
