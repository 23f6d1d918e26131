/*
 * sqlite_db.h - the file of an SQLite inbox: its statements and transactions. For the rooms of
 * this folder alone.
 *
 * Durable before it is acknowledged: WAL with synchronous=FULL. SQLite before 3.51.3 can corrupt a
 * WAL when one connection commits while another checkpoints
 * (https://www.sqlite.org/wal.html#walresetbug). So every commit and every checkpoint of every
 * process happens under a lock file beside the database, and SQLite never checkpoints by itself.
 *
 * Each commit is only believed once the files are still there (inbox/sqlite_files.h).
 */
#ifndef INBOX_SQLITE_DB_H
#define INBOX_SQLITE_DB_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "inbox/backend.h"
#include "inbox/sqlite_writer.h"

#define SQLITE_STATEMENTS_MAX 96 /* texts of statements in this version */

struct sqlite_db; /* a struct inbox * is a struct sqlite_db * */

/* Of the backend (inbox/backend.h). Opens, or creates in a folder that is there, and brings the
 * tables up to this version's. ERR_STORE if it is another program's file, or a later version's. */
enum err sqlite_open(const struct inbox_options *options, const char *path, struct inbox **ret,
                     struct why *why);
void sqlite_close(struct inbox *i); /* completes what was put */
void sqlite_stop(struct inbox *i);
enum err sqlite_transact(struct inbox *i, inbox_work_fn *fn, void *work, struct why *why);
int64_t sqlite_now_us(struct inbox *i);
enum err sqlite_room(struct inbox *i, struct inbox_room *ret, struct why *why);
uint64_t sqlite_heard(struct inbox *i);
enum err sqlite_wait(struct inbox *i, uint64_t heard, int64_t until);
void sqlite_tell(struct inbox *i);

/* Have a change made; `done` runs exactly once, in the writer's thread. Any thread. */
void sqlite_db_put(struct sqlite_db *d, struct sqlite_item *item);
/* ... with the next one that cannot wait, or by itself if none comes for a while. */
void sqlite_db_put_later(struct sqlite_db *d, struct sqlite_item *item);
/* ... and wait for it. Returns item->err. Not from within `done`. */
enum err sqlite_db_do(struct sqlite_db *d, struct sqlite_item *item, struct why *why);

/*
 * For `apply`: a statement, ready to be bound; prepared when it is asked for first, and known by
 * the address of its text. Borrowed: sqlite_db_step() ends it. NULL if it cannot be, as `why` says:
 * to bind that does nothing (https://www.sqlite.org/c3ref/bind_blob.html), to run it is ERR_STORE.
 */
sqlite3_stmt *sqlite_db_statement(struct sqlite_db *d, const char *sql, struct why *why);

/* Run a statement that gives at most one row, of whole numbers, to its end; what it has done is
 * only done then. ERR_NOT_FOUND: no row. */
enum err sqlite_db_step(struct sqlite_db *d, sqlite3_stmt *q, int64_t *ret_columns, int columns,
                        const char *doing, struct why *why);
/* ... that gives none. */
enum err sqlite_db_run(struct sqlite_db *d, sqlite3_stmt *q, const char *doing, struct why *why);
/* ... that makes a row, whose id *id becomes if it was 0. */
enum err sqlite_db_put_row(struct sqlite_db *d, sqlite3_stmt *q, int64_t *id, const char *doing,
                           struct why *why);
int64_t sqlite_db_changes(const struct sqlite_db *d); /* rows, by the last one */
/* Run a statement to its end, and pass each row that it gives. */
typedef void sqlite_row_fn(void *ctx, sqlite3_stmt *row);
enum err sqlite_db_each(struct sqlite_db *d, sqlite3_stmt *q, sqlite_row_fn *fn, void *ctx,
                        const char *doing, struct why *why);

/* For `apply`: its clock is kept, which is a write like any other. */
enum err sqlite_db_touch(struct sqlite_db *d, struct why *why);
/* For `apply`: is there room for more in the WAL? ERR_TOO_BIG, which is the item's own. */
enum err sqlite_db_room(const struct sqlite_db *d, struct why *why);
/* For `apply`: once it is committed, all who wait are to look again. */
void sqlite_db_tells(struct sqlite_db *d);

/* For `apply`: the number of this transaction, and how many of this program's have not been kept.
 */
uint64_t sqlite_db_transaction(const struct sqlite_db *d, uint64_t *ret_failures);
/* A queue whose sweep is due for a call, as of a transaction. */
struct sqlite_awake {
    uint64_t transaction; /* 0: none */
    char account_id[OBJECT_ID_MAX], product_id[OBJECT_ID_MAX];
    const struct object_class *object_class;
};
/* What rooms keep with the database. */
struct sqlite_awake *sqlite_db_awake(struct sqlite_db *d);
struct sqlite_tokens;
struct sqlite_tokens *sqlite_db_tokens(struct sqlite_db *d);
struct sqlite_tallies;
struct sqlite_tallies *sqlite_db_tallies(struct sqlite_db *d);
struct sqlite_counters;
struct sqlite_counters *sqlite_db_counters(struct sqlite_db *d);

/* For the schema. */
enum err sqlite_db_failed(const struct sqlite_db *d, const char *doing, struct why *why);
enum err sqlite_db_exec(const struct sqlite_db *d, const char *sql, struct why *why);
enum err sqlite_db_number(const struct sqlite_db *d, const char *sql, int64_t *ret,
                          struct why *why);

#endif
