/* sqlite_schema.c - the tables of an SQLite inbox, and how those of earlier versions become them.
 */
#include "inbox/sqlite_schema.h"

#include <stdio.h>

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

    "CREATE TABLE mark ("
    "  account_id TEXT NOT NULL,"
    "  product_id TEXT NOT NULL,"
    "  object_class TEXT NOT NULL,"
    "  from_us INTEGER NOT NULL,"
    "  since_us INTEGER NOT NULL,"
    "  called INTEGER NOT NULL,"
    "  PRIMARY KEY (account_id, product_id, object_class)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE mark_seen ("
    "  account_id TEXT NOT NULL,"
    "  product_id TEXT NOT NULL,"
    "  object_class TEXT NOT NULL,"
    "  object_id TEXT NOT NULL,"
    "  created_us INTEGER NOT NULL,"
    "  PRIMARY KEY (account_id, product_id, object_class, object_id)"
    ") STRICT, WITHOUT ROWID;",

    "CREATE TABLE tally ("
    "  webhook_id TEXT PRIMARY KEY,"
    "  success INTEGER NOT NULL,"
    "  failure INTEGER NOT NULL,"
    "  failure_since_last_success INTEGER NOT NULL,"
    "  last_success_us INTEGER NOT NULL,"
    "  last_failure_us INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;",

    /* What earlier versions have stored and not worked off has a sweep due. */
    "ALTER TABLE delivery ADD COLUMN stored_us INTEGER NOT NULL DEFAULT 0;"
    "CREATE TABLE token ("
    "  exp INTEGER NOT NULL,"
    "  token_sha256 BLOB NOT NULL,"
    "  delivery_id INTEGER NOT NULL,"
    "  PRIMARY KEY (exp, token_sha256)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE merged (delivery_id INTEGER NOT NULL) STRICT;"
    "INSERT INTO token SELECT exp, token_sha256, id FROM delivery ORDER BY exp, token_sha256;"
    "INSERT INTO merged SELECT ifnull(max(id), 0) FROM delivery;"
    "DROP INDEX delivery_token;"
    "CREATE TABLE clock ("
    "  id INTEGER PRIMARY KEY,"
    "  boot TEXT NOT NULL,"
    "  at_boot_us INTEGER NOT NULL,"
    "  latest_us INTEGER NOT NULL"
    ") STRICT;"
    "CREATE TABLE account ("
    "  account_id TEXT PRIMARY KEY,"
    "  halted_until_us INTEGER NOT NULL,"
    "  rate_second INTEGER NOT NULL,"
    "  rate_used INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE sweep ("
    "  id INTEGER PRIMARY KEY,"
    "  account_id TEXT NOT NULL,"
    "  product_id TEXT NOT NULL,"
    "  object_class TEXT NOT NULL,"
    "  rank INTEGER NOT NULL,"
    "  due_us INTEGER NOT NULL,"
    "  poll_us INTEGER NOT NULL,"
    "  called INTEGER NOT NULL,"
    "  for_call INTEGER NOT NULL,"
    "  started_us INTEGER NOT NULL,"
    "  ended_us INTEGER NOT NULL,"
    "  covered_us INTEGER NOT NULL,"
    "  failures INTEGER NOT NULL,"
    "  error TEXT NOT NULL,"
    "  lease BLOB NOT NULL,"
    "  lease_until_us INTEGER NOT NULL,"
    "  lease_owner TEXT NOT NULL,"
    "  UNIQUE (account_id, product_id, object_class)"
    ") STRICT;"
    "INSERT INTO sweep (account_id, product_id, object_class, rank, due_us, poll_us, called,"
    " for_call, started_us, ended_us, covered_us, failures, error, lease, lease_until_us,"
    " lease_owner)"
    " SELECT DISTINCT account_id, product_id, object_class,"
    "  CASE object_class WHEN 'tier_config_request' THEN 0 WHEN 'fulfillment_request' THEN 1"
    "   ELSE 2 END,"
    "  0, 9223372036854775807, 1, 0, 0, 0, -1, 0, '', x'', 0, ''"
    " FROM delivery WHERE state = 'stored';"
    "CREATE TABLE task ("
    "  id INTEGER PRIMARY KEY,"
    "  account_id TEXT NOT NULL,"
    "  product_id TEXT NOT NULL,"
    "  object_class TEXT NOT NULL,"
    "  object_id TEXT NOT NULL,"
    "  rank INTEGER NOT NULL,"
    "  state TEXT NOT NULL,"
    "  due_us INTEGER NOT NULL,"
    "  called INTEGER NOT NULL,"
    "  again INTEGER NOT NULL,"
    "  asked INTEGER NOT NULL,"
    "  failures INTEGER NOT NULL,"
    "  created_us INTEGER NOT NULL,"
    "  updated_us INTEGER NOT NULL,"
    "  started_us INTEGER NOT NULL,"
    "  fingerprint BLOB NOT NULL,"
    "  result TEXT NOT NULL,"
    "  type TEXT NOT NULL,"
    "  before TEXT NOT NULL,"
    "  after TEXT NOT NULL,"
    "  action TEXT NOT NULL,"
    "  rule TEXT NOT NULL,"
    "  reason TEXT NOT NULL,"
    "  lease BLOB NOT NULL,"
    "  lease_until_us INTEGER NOT NULL,"
    "  lease_owner TEXT NOT NULL,"
    "  UNIQUE (account_id, object_class, object_id)"
    ") STRICT;"
    "CREATE INDEX task_due ON task (account_id, rank, due_us) WHERE state = 'ready';"
    "CREATE INDEX task_queue ON task (account_id, product_id, object_class, due_us)"
    " WHERE state = 'ready';"
    "CREATE INDEX task_held ON task (account_id) WHERE state = 'running';"
    "CREATE INDEX task_ended ON task (updated_us) WHERE state IN ('done', 'skipped', 'dead');"
    "CREATE TABLE attempt ("
    "  id INTEGER PRIMARY KEY,"
    "  task_id INTEGER NOT NULL,"
    "  started_us INTEGER NOT NULL,"
    "  ended_us INTEGER NOT NULL,"
    "  result TEXT NOT NULL,"
    "  reason TEXT NOT NULL,"
    "  calls TEXT NOT NULL"
    ") STRICT;"
    "CREATE INDEX attempt_task ON attempt (task_id);",

    /* How many tasks are ready is counted as they become so, for it is asked of each claim. */
    "ALTER TABLE sweep ADD COLUMN again_us INTEGER NOT NULL DEFAULT 9223372036854775807;"
    "ALTER TABLE sweep ADD COLUMN freed_us INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE sweep ADD COLUMN delivery_id INTEGER NOT NULL DEFAULT 0;"
    "CREATE TABLE backlog (ready INTEGER NOT NULL) STRICT;"
    "INSERT INTO backlog SELECT count(*) FROM task WHERE state = 'ready';"
    "CREATE TRIGGER task_made AFTER INSERT ON task WHEN new.state = 'ready'"
    " BEGIN UPDATE backlog SET ready = ready + 1; END;"
    "CREATE TRIGGER task_changed AFTER UPDATE OF state ON task"
    " WHEN (old.state = 'ready') <> (new.state = 'ready')"
    " BEGIN UPDATE backlog SET ready = ready + (new.state = 'ready') - (old.state = 'ready'); END;"
    "CREATE TRIGGER task_forgotten AFTER DELETE ON task WHEN old.state = 'ready'"
    " BEGIN UPDATE backlog SET ready = ready - 1; END;",

    "ALTER TABLE sweep ADD COLUMN polled INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE task ADD COLUMN delivery_id INTEGER NOT NULL DEFAULT 0;"
    "CREATE INDEX task_dead ON task (account_id, product_id, object_class) WHERE state = 'dead';"
    "CREATE TABLE worker (owner TEXT PRIMARY KEY, seen_us INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE counter ("
    "  name TEXT NOT NULL,"
    "  labels TEXT NOT NULL,"
    "  part INTEGER NOT NULL,"
    "  n INTEGER NOT NULL,"
    "  PRIMARY KEY (name, labels, part)"
    ") STRICT, WITHOUT ROWID;",
};
#define SCHEMA_VERSION ((int)(sizeof ladder / sizeof *ladder))

static enum err climb(const struct sqlite_db *d, int64_t version, struct why *why)
{
    char stamp[96];
    enum err e = ERR_OK;
    while (e == ERR_OK && version < SCHEMA_VERSION)
        e = sqlite_db_exec(d, ladder[version++], why);
    snprintf(stamp, sizeof stamp, "PRAGMA application_id = %d; PRAGMA user_version = %d",
             APPLICATION_ID, SCHEMA_VERSION);
    return e == ERR_OK ? sqlite_db_exec(d, stamp, why) : e;
}

static enum err read_version(const struct sqlite_db *d, const char *path, int64_t *ret,
                             struct why *why)
{
    int64_t id = 0, tables = 0;
    enum err e = sqlite_db_number(d, "PRAGMA user_version", ret, why);
    if (e == ERR_OK)
        e = sqlite_db_number(d, "PRAGMA application_id", &id, why);
    if (e == ERR_OK)
        e = sqlite_db_number(d, "SELECT count(*) FROM sqlite_schema", &tables, why);
    if (e != ERR_OK)
        return e;
    if (id != APPLICATION_ID && tables > 0)
        return why_set(why, ERR_STORE, "inbox %s: is another program's database; name another file",
                       path);
    if (*ret > SCHEMA_VERSION)
        return why_set(why, ERR_STORE,
                       "inbox %s: was written by a newer version (schema %d, this one knows %d); "
                       "install that version again",
                       path, (int)*ret, SCHEMA_VERSION);
    return ERR_OK;
}

enum err sqlite_schema_raise(const struct sqlite_db *d, const char *path, struct why *why)
{
    int64_t version = 0;
    enum err e = read_version(d, path, &version, why);
    return e == ERR_OK && version < SCHEMA_VERSION ? climb(d, version, why) : e;
}

enum err sqlite_schema_check(const struct sqlite_db *d, const char *path, struct why *why)
{
    int64_t version = 0;
    enum err e = read_version(d, path, &version, why);
    if (e == ERR_OK && version < SCHEMA_VERSION)
        return why_set(why, ERR_STORE,
                       "inbox %s: was written by an older version (schema %d, this one knows %d); "
                       "start the handler or a worker of this version, which brings it up to date",
                       path, (int)version, SCHEMA_VERSION);
    return e;
}
