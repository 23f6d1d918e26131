/* sqlite_schema.c - the tables of an SQLite inbox, and the way from each version to the next. */
#include <stdio.h>

#include "inbox/sqlite_db.h"

#define APPLICATION_ID 0x43576862 /* "CWhb": marks the file as ours */

/* What makes version n + 1 of version n: never changed, only added to. A version that has been
 * released is somebody's file. */
static const char *const ladder[] = {
    "CREATE TABLE delivery ("
    "  id INTEGER PRIMARY KEY,"
    "  token_sha256 BLOB NOT NULL,"
    "  exp INTEGER NOT NULL,"
    "  state TEXT NOT NULL,"
    "  webhook_id TEXT NOT NULL,"
    "  account_id TEXT NOT NULL,"
    "  product_id TEXT NOT NULL,"
    "  object_class TEXT NOT NULL,"
    "  triggered_at TEXT,"
    "  received_us INTEGER NOT NULL,"
    "  last_received_us INTEGER NOT NULL,"
    "  seen INTEGER NOT NULL DEFAULT 1,"
    "  claims TEXT NOT NULL,"
    "  body BLOB NOT NULL"
    ") STRICT;"
    "CREATE UNIQUE INDEX delivery_token ON delivery (exp, token_sha256);",
};
#define SCHEMA_VERSION ((int)(sizeof ladder / sizeof *ladder))

static enum err climb(const struct sqlite_db *d, int version, struct why *why)
{
    char stamp[96];
    enum err e = ERR_OK;
    while (e == ERR_OK && version < SCHEMA_VERSION)
        e = sqlite_db_exec(d, ladder[version++], why);
    snprintf(stamp, sizeof stamp, "PRAGMA application_id = %d; PRAGMA user_version = %d",
             APPLICATION_ID, SCHEMA_VERSION);
    return e == ERR_OK ? sqlite_db_exec(d, stamp, why) : e;
}

enum err sqlite_schema_raise(const struct sqlite_db *d, struct why *why)
{
    int version = 0, id = 0, tables = 0;
    enum err e = sqlite_db_number(d, "PRAGMA user_version", &version, why);
    if (e == ERR_OK)
        e = sqlite_db_number(d, "PRAGMA application_id", &id, why);
    if (e == ERR_OK)
        e = sqlite_db_number(d, "SELECT count(*) FROM sqlite_schema", &tables, why);
    if (e != ERR_OK)
        return e;
    if (id != APPLICATION_ID && tables > 0)
        return why_set(why, ERR_STORE, "inbox %s: is another program's database; name another file",
                       sqlite_db_path(d));
    if (version > SCHEMA_VERSION)
        return why_set(why, ERR_STORE,
                       "inbox %s: was written by a newer version (schema %d, this one knows %d); "
                       "install that version again",
                       sqlite_db_path(d), version, SCHEMA_VERSION);
    return version < SCHEMA_VERSION ? climb(d, version, why) : ERR_OK;
}
