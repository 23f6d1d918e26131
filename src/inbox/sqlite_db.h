/*
 * sqlite_db.h - the file of an SQLite inbox: opening, locking, transactions, checkpoints. For the
 * rooms of this folder alone.
 *
 * Durable before it is acknowledged: WAL with synchronous=FULL. SQLite before 3.51.3 can corrupt a
 * WAL when one connection commits while another checkpoints
 * (https://www.sqlite.org/wal.html#walresetbug). So every commit and every checkpoint of every
 * process happens under a lock file beside the database, and SQLite never checkpoints by itself.
 *
 * A file can be deleted or replaced under a program that has it open, and SQLite would go on
 * writing where nobody will ever read. So each commit is only believed once the files are still
 * there.
 *
 * There is one connection, and one thread at a time may use it (inbox/sqlite_writer.h).
 */
#ifndef INBOX_SQLITE_DB_H
#define INBOX_SQLITE_DB_H

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#define SQLITE_PATH_MAX 4000 /* bytes of the database's path */

struct sqlite_db;

/* Opens, or creates in a folder that is there, and brings the schema up to this version's
 * (sqlite_schema.c). ERR_STORE if it is another program's file, or a later version's. */
enum err sqlite_db_open(const char *path, int64_t lock_timeout_ms, struct sqlite_db **ret,
                        struct why *why);
/* When every statement has been finalized. NULL is fine. */
void sqlite_db_close(struct sqlite_db *d);
/* End every wait for another process, now and later. Any thread. */
void sqlite_db_stop(struct sqlite_db *d);

const char *sqlite_db_path(const struct sqlite_db *d);
mode_t sqlite_db_mode(const struct sqlite_db *d); /* of files beside it */
const atomic_bool *sqlite_db_stopped(const struct sqlite_db *d);

/* Between the two, and nowhere else, may be written. ERR_BUSY, ERR_STOPPED, ERR_STORE. */
enum err sqlite_db_begin(struct sqlite_db *d, struct why *why);
/* Commit if `e` is ERR_OK, else roll back. Returns `e`, or what the commit came to. */
enum err sqlite_db_end(struct sqlite_db *d, enum err e, struct why *why);

/* A statement that is used often. *ret is owned: sqlite3_finalize(). */
enum err sqlite_db_prepare(struct sqlite_db *d, const char *sql, sqlite3_stmt **ret,
                           struct why *why);
/* What SQLite says went wrong with the last thing done, in words that help: ERR_STORE, or ERR_BUSY
 * if it may go well later. */
enum err sqlite_db_failed(const struct sqlite_db *d, const char *doing, struct why *why);
/* Run statements without results. */
enum err sqlite_db_exec(const struct sqlite_db *d, const char *sql, struct why *why);
/* The one number that a query gives. */
enum err sqlite_db_number(const struct sqlite_db *d, const char *sql, int *ret, struct why *why);

/* Within a transaction: bring the schema up to this version's. */
enum err sqlite_schema_raise(const struct sqlite_db *d, struct why *why);

#endif
