/* sqlite_db.c - the file of an SQLite inbox: its statements, transactions and checkpoints. */
#include "inbox/sqlite_db.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/log.h"
#include "base/metric.h"
#include "inbox/filelock.h"
#include "inbox/sqlite_bind.h"
#include "inbox/sqlite_clock.h"
#include "inbox/sqlite_counter.h"
#include "inbox/sqlite_files.h"
#include "inbox/sqlite_schema.h"
#include "inbox/sqlite_tally.h"
#include "inbox/sqlite_token.h"
#include "inbox/wake.h"

#define BUSY_PAUSE_MS 5 /* between looks at a database that a stranger has locked */
#define CHECKPOINT_PAGES \
    500 /* WAL pages: often enough that none takes long, seldom enough to cost little */
#define CHECKPOINT_AGAIN_MS 1000        /* after one that was kept from its end */
#define STUCK_MS            2000        /* for so long, before the log tells of it */
#define WAL_PAGE            (4096 + 24) /* bytes of a page in the WAL, with its frame's head */
#define WAL_KEPT            "16777216" /* bytes of the WAL's file that are kept when it begins anew */

struct statement {
    const char *sql; /* static */
    sqlite3_stmt *prepared;
};

struct sqlite_db {
    struct inbox head;
    char *path;
    int64_t lock_timeout_ms;
    int64_t max_wal; /* bytes */
    bool looks;      /* it changes nothing, and takes no lock but SQLite's own */
    sqlite3 *db;
    mode_t mode; /* of the files we make */
    int lock_fd;
    int wal_pages; /* as of the last commit */
    atomic_bool stopped;
    bool tells;            /* what is committed next is to be told of */
    int64_t checkpoint_at; /* clk_mono_ms: not before; 0: at once */
    int64_t stuck_since;   /* clk_mono_ms; 0: it is not */
    int64_t busy_since;    /* clk_mono_ms: when SQLite's own wait began */
    struct sqlite_clock clock;
    struct sqlite_files files;
    struct statement statements[SQLITE_STATEMENTS_MAX];
    struct wake *wake; /* NULL for who only looks */
    struct sqlite_tokens *tokens;
    struct sqlite_tallies *tallies;
    struct sqlite_counters *counters;
    struct sqlite_awake awake;
    uint64_t transaction; /* how many there have been */
    uint64_t failures;    /* ... of them that were not committed */

    struct sqlite_writer *writer; /* its thread alone uses what is above, but for `stopped` */
};

/* ---------------------------------------------------------------------- statements */

enum err sqlite_db_failed(const struct sqlite_db *d, const char *doing, struct why *why)
{
    int code = sqlite3_errcode(d->db);
    if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
        return why_set(why, ERR_STORE,
                       "inbox %s: %s: %s; move the file aside (keep it: acknowledged calls may be "
                       "rescued with sqlite3's .recover) and start again",
                       d->path, doing, sqlite3_errmsg(d->db));
    return why_set(why, code == SQLITE_BUSY ? ERR_BUSY : ERR_STORE, "inbox %s: %s: %s", d->path,
                   doing, sqlite3_errmsg(d->db));
}

enum err sqlite_db_exec(const struct sqlite_db *d, const char *sql, struct why *why)
{
    if (sqlite3_exec(d->db, sql, NULL, NULL, NULL) == SQLITE_OK)
        return ERR_OK;
    return sqlite_db_failed(d, sql, why);
}

sqlite3_stmt *sqlite_db_statement(struct sqlite_db *d, const char *sql, struct why *why)
{
    struct statement *s = d->statements;
    while (s < &d->statements[SQLITE_STATEMENTS_MAX - 1] && s->sql != NULL && s->sql != sql)
        s++;
    if (s->sql == sql)
        return s->prepared;
    sqlite3_finalize(s->prepared); /* only if there are more than have room */
    if (sqlite3_prepare_v3(d->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s->prepared, NULL) !=
        SQLITE_OK) {
        sqlite_db_failed(d, "prepare", why);
        return NULL;
    }
    s->sql = sql;
    return s->prepared;
}

enum err sqlite_db_step(struct sqlite_db *d, sqlite3_stmt *q, int64_t *ret_columns, int columns,
                        const char *doing, struct why *why)
{
    if (q == NULL)
        return ERR_STORE;
    int step = sqlite3_step(q);
    enum err e = step == SQLITE_DONE ? ERR_NOT_FOUND : ERR_OK;
    for (int i = 0; step == SQLITE_ROW && i < columns; i++)
        ret_columns[i] = sqlite3_column_int64(q, i);
    if (step == SQLITE_ROW)
        step = sqlite3_step(q);
    if (step != SQLITE_DONE)
        e = sqlite_db_failed(d, doing, why);
    sqlite3_reset(q);
    sqlite3_clear_bindings(q);
    return e;
}

enum err sqlite_db_each(struct sqlite_db *d, sqlite3_stmt *q, sqlite_row_fn *fn, void *ctx,
                        const char *doing, struct why *why)
{
    int step;
    if (q == NULL)
        return ERR_STORE;
    while ((step = sqlite3_step(q)) == SQLITE_ROW)
        fn(ctx, q);
    enum err e = step == SQLITE_DONE ? ERR_OK : sqlite_db_failed(d, doing, why);
    sqlite3_reset(q);
    sqlite3_clear_bindings(q);
    return e;
}

enum err sqlite_db_run(struct sqlite_db *d, sqlite3_stmt *q, const char *doing, struct why *why)
{
    enum err e = sqlite_db_step(d, q, NULL, 0, doing, why);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

enum err sqlite_db_put_row(struct sqlite_db *d, sqlite3_stmt *q, int64_t *id, const char *doing,
                           struct why *why)
{
    enum err e = sqlite_db_run(d, q, doing, why);
    if (e == ERR_OK && *id == 0)
        *id = sqlite3_last_insert_rowid(d->db);
    return e;
}

int64_t sqlite_db_changes(const struct sqlite_db *d)
{
    return sqlite3_changes64(d->db);
}

enum err sqlite_db_number(const struct sqlite_db *d, const char *sql, int64_t *ret, struct why *why)
{
    sqlite3_stmt *q = NULL;
    enum err e = ERR_OK;
    if (sqlite3_prepare_v2(d->db, sql, -1, &q, NULL) == SQLITE_OK && sqlite3_step(q) == SQLITE_ROW)
        *ret = sqlite3_column_int64(q, 0);
    else
        e = sqlite_db_failed(d, sql, why);
    sqlite3_finalize(q);
    return e;
}

/* -------------------------------------------------------------------- transactions */

/* For SQLite: wait a little, and again, for a stranger that has locked the database. */
static int on_busy(void *ctx, int count)
{
    struct sqlite_db *d = ctx;
    int64_t now = clk_mono_ms();
    if (count == 0)
        d->busy_since = now;
    if (atomic_load(&d->stopped) || now - d->busy_since >= d->lock_timeout_ms)
        return 0;
    poll(NULL, 0, BUSY_PAUSE_MS);
    return 1;
}

static enum err take_lock(const struct sqlite_db *d, struct why *why)
{
    enum err e = filelock_take(d->lock_fd, clk_mono_ms() + d->lock_timeout_ms, &d->stopped);
    if (e == ERR_BUSY)
        return why_set(why, e, "inbox %s.lock: another process has held it for %lld ms", d->path,
                       (long long)d->lock_timeout_ms);
    return e == ERR_OK ? e : why_set(why, e, "inbox %s.lock: %s", d->path, err_text(e));
}

static enum err db_begin(struct sqlite_db *d, struct why *why)
{
    static const char begin_sql[] = "BEGIN IMMEDIATE", look_sql[] = "BEGIN";
    if (d->looks)
        return sqlite_db_run(d, sqlite_db_statement(d, look_sql, why), "begin to read", why);
    enum err e = take_lock(d, why);
    if (e != ERR_OK)
        return e;
    e = sqlite_db_run(d, sqlite_db_statement(d, begin_sql, why), "begin a transaction", why);
    if (e != ERR_OK)
        filelock_give(d->lock_fd);
    return e;
}

/*
 * Take over into the database what stands in the WAL, so that it begins anew. Passive: what readers
 * still need is left; ours need it for moments only, so after a while it is a stranger's.
 */
static void checkpoint(struct sqlite_db *d)
{
    int pages = 0, done = 0;
    int64_t now = clk_mono_ms();
    int code = sqlite3_wal_checkpoint_v2(d->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &pages, &done);
    if (code == SQLITE_OK && done >= pages) {
        d->wal_pages = 0;
        d->checkpoint_at = d->stuck_since = 0;
        return;
    }
    d->checkpoint_at = now + CHECKPOINT_AGAIN_MS;
    if (d->stuck_since == 0)
        d->stuck_since = now;
    if (now - d->stuck_since < STUCK_MS)
        return;
    d->stuck_since = now; /* and say so again, if it goes on for as long again */
    char reader[READER_MAX];
    if (code != SQLITE_OK)
        snprintf(reader, sizeof reader, "%s", sqlite3_errstr(code));
    else if (!sqlite_files_reader(d->path, reader))
        snprintf(reader, sizeof reader, "some process has been reading it all the time");
    log_warn("inbox %s-wal grows (%d pages) and cannot be taken over into the database: %s",
             d->path, pages, reader);
}

enum err sqlite_db_room(const struct sqlite_db *d, struct why *why)
{
    if ((int64_t)d->wal_pages * WAL_PAGE <= d->max_wal)
        return ERR_OK;
    return why_set(
        why, ERR_TOO_BIG,
        "inbox %s-wal: larger than inbox.max_wal; somebody keeps it from being taken over "
        "into the database, see the warnings in the log",
        d->path);
}

static enum err db_end(struct sqlite_db *d, enum err e, struct why *why)
{
    static const char commit_sql[] = "COMMIT";
    if (e == ERR_OK)
        e = sqlite_db_run(d, sqlite_db_statement(d, commit_sql, why), "commit", why);
    if (e == ERR_OK && !d->looks)
        e = sqlite_files_check(&d->files, d->path, why);
    /* A failed COMMIT may or may not have ended the transaction. */
    if (e != ERR_OK && sqlite3_get_autocommit(d->db) == 0)
        sqlite3_exec(d->db, "ROLLBACK", NULL, NULL, NULL);
    if (e == ERR_OK && d->wal_pages >= CHECKPOINT_PAGES && clk_mono_ms() >= d->checkpoint_at)
        checkpoint(d);
    if (!d->looks)
        filelock_give(d->lock_fd);
    return e;
}

/* -------------------------------------------------------------------------- clock */

int64_t sqlite_now_us(struct inbox *i)
{
    return sqlite_clock_now_us(&((struct sqlite_db *)i)->clock);
}

enum err sqlite_db_touch(struct sqlite_db *d, struct why *why)
{
    return sqlite_clock_keep(&d->clock, d, why);
}

/* ------------------------------------------------------------------------ changes */

/* Not of who only counts: else that would be something new to count, for ever. */
static void measure(int64_t took_us, int64_t changes)
{
    metric_time(METRIC_COMMIT_TIME, NULL, took_us);
    metric_add(METRIC_COMMIT_CHANGES, NULL, NULL, changes);
}

/* One transaction for all of `list`. Each item keeps its own trouble; what is returned is all's. */
static enum err commit(struct sqlite_db *d, struct sqlite_item *list, struct why *why)
{
    int64_t began_us = clk_boot_us(), changes = 0;
    d->tells = false;
    enum err e = db_begin(d, why);
    if (e != ERR_OK)
        return e;
    d->transaction++;
    for (struct sqlite_item *i = list; i != NULL && e == ERR_OK; i = i->next) {
        int64_t rows = sqlite3_total_changes64(d->db);
        i->err = i->apply(d, i, &i->why);
        changes += !i->can_wait && sqlite3_total_changes64(d->db) > rows;
        if (err_passes(i->err)) {
            e = i->err;
            *why = i->why;
        }
    }
    if (e == ERR_OK && !d->looks && sqlite_clock_is_late(&d->clock))
        e = sqlite_db_touch(d, why);
    e = db_end(d, e, why);
    d->failures += e != ERR_OK;
    d->tells = d->tells && e == ERR_OK;
    if (changes > 0)
        measure(clk_boot_us() - began_us, changes);
    return e;
}

/* Who waits for work is told after those who wait for the commit. */
static void after_commit(struct sqlite_db *d)
{
    if (d->tells)
        wake_tell(d->wake);
}

void sqlite_db_put(struct sqlite_db *d, struct sqlite_item *item)
{
    sqlite_writer_put(d->writer, item, false);
}

void sqlite_db_put_later(struct sqlite_db *d, struct sqlite_item *item)
{
    sqlite_writer_put(d->writer, item, true);
}

enum err sqlite_db_do(struct sqlite_db *d, struct sqlite_item *item, struct why *why)
{
    sqlite_db_put(d, item);
    sqlite_writer_wait(d->writer, item);
    return item->err == ERR_OK ? ERR_OK : why_set(why, item->err, "%s", item->why.text);
}

struct transaction {
    struct sqlite_item head;
    inbox_work_fn *fn;
    void *work;
};

static enum err do_work(struct sqlite_db *d, struct sqlite_item *item, struct why *why)
{
    const struct transaction *t = (const struct transaction *)item;
    return t->fn(&d->head, t->work, why);
}

enum err sqlite_transact(struct inbox *i, inbox_work_fn *fn, void *work, struct why *why)
{
    struct transaction t = {.head = {.apply = do_work}, .fn = fn, .work = work};
    return sqlite_db_do((struct sqlite_db *)i, &t.head, why);
}

enum err sqlite_room(struct inbox *i, struct inbox_room *ret, struct why *why)
{
    const struct sqlite_db *d = (struct sqlite_db *)i;
    int64_t size = 0, pages = 0, free_pages = 0;
    enum err e = sqlite_db_number(d, "PRAGMA page_size", &size, why);
    if (e == ERR_OK)
        e = sqlite_db_number(d, "PRAGMA page_count", &pages, why);
    if (e == ERR_OK)
        e = sqlite_db_number(d, "PRAGMA freelist_count", &free_pages, why);
    struct statvfs disk;
    *ret = (struct inbox_room){
        .bytes = pages * size, .free_bytes = free_pages * size, .disk_free_bytes = -1};
    if (statvfs(d->path, &disk) == 0)
        ret->disk_free_bytes = (int64_t)disk.f_bavail * (int64_t)disk.f_frsize;
    snprintf(ret->shrink, sizeof ret->shrink, "`sqlite3 %s VACUUM`", d->path);
    return e;
}

/* ------------------------------------------------------------------------ telling */

uint64_t sqlite_db_transaction(const struct sqlite_db *d, uint64_t *ret_failures)
{
    *ret_failures = d->failures;
    return d->transaction;
}

struct sqlite_awake *sqlite_db_awake(struct sqlite_db *d)
{
    return &d->awake;
}

struct sqlite_tokens *sqlite_db_tokens(struct sqlite_db *d)
{
    return d->tokens;
}

struct sqlite_tallies *sqlite_db_tallies(struct sqlite_db *d)
{
    return d->tallies;
}

struct sqlite_counters *sqlite_db_counters(struct sqlite_db *d)
{
    return d->counters;
}

void sqlite_db_tells(struct sqlite_db *d)
{
    d->tells = true;
}

uint64_t sqlite_heard(struct inbox *i)
{
    return wake_heard(((struct sqlite_db *)i)->wake);
}

enum err sqlite_wait(struct inbox *i, uint64_t heard, int64_t until)
{
    return wake_wait(((struct sqlite_db *)i)->wake, heard, until);
}

void sqlite_tell(struct inbox *i)
{
    wake_tell(((struct sqlite_db *)i)->wake);
}

/* ------------------------------------------------------------- open and close */

static int count_wal_pages(void *ctx, sqlite3 *db, const char *name, int pages)
{
    (void)db;
    (void)name;
    struct sqlite_db *d = ctx;
    d->wal_pages = pages;
    return SQLITE_OK;
}

static enum err open_db(struct sqlite_db *d, struct why *why)
{
    enum err e = d->looks ? sqlite_files_look(d->path, why)
                          : sqlite_files_make(d->path, d->mode, why);
    if (e != ERR_OK)
        return e;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;
    if (sqlite3_open_v2(d->path, &d->db, flags, NULL) != SQLITE_OK)
        return sqlite_db_failed(d, "open", why);
    sqlite3_extended_result_codes(d->db, 0);
    sqlite3_busy_handler(d->db, on_busy, d);
    sqlite3_db_config(d->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_db_config(d->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    return ERR_OK;
}

/* Within the first transaction, which has opened the WAL. */
static enum err prepare_files(struct sqlite_db *d, struct why *why)
{
    enum err e = sqlite_schema_raise(d, d->path, why);
    if (e == ERR_OK)
        e = sqlite_clock_begin(&d->clock, d, false, why);
    return e == ERR_OK ? sqlite_files_remember(&d->files, d->path, why) : e;
}

static enum err prepare_to_look(struct sqlite_db *d, struct why *why)
{
    enum err e = sqlite_db_exec(d, "PRAGMA query_only = 1", why);
    if (e == ERR_OK)
        e = db_begin(d, why);
    if (e != ERR_OK)
        return e;
    e = sqlite_schema_check(d, d->path, why);
    if (e == ERR_OK)
        e = sqlite_clock_begin(&d->clock, d, true, why);
    return db_end(d, e, why);
}

/* Journal mode and schema are writes, too: under the lock, like all others. */
static enum err prepare_db(struct sqlite_db *d, struct why *why)
{
    enum err e = take_lock(d, why);
    if (e != ERR_OK)
        return e;
    e = sqlite_db_exec(d, "PRAGMA journal_mode = WAL", why);
    filelock_give(d->lock_fd);
    if (e == ERR_OK)
        e = sqlite_db_exec(d,
                           "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA "
                           "journal_size_limit = " WAL_KEPT,
                           why);
    if (e != ERR_OK)
        return e;
    /* Replaces the hook behind wal_autocheckpoint, so it comes after it. */
    sqlite3_wal_hook(d->db, count_wal_pages, d);
    e = db_begin(d, why);
    if (e == ERR_OK)
        e = db_end(d, prepare_files(d, why), why);
    return e;
}

static void free_db(struct sqlite_db *d)
{
    for (size_t i = 0; i < SQLITE_STATEMENTS_MAX; i++)
        sqlite3_finalize(d->statements[i].prepared);
    if (sqlite3_close(d->db) != SQLITE_OK)
        log_error("inbox %s: closed with a statement still in use", d->path);
    lease_taker_free(&d->head.taker);
    if (d->lock_fd >= 0)
        close(d->lock_fd);
    wake_free(d->wake);
    sqlite_tokens_free(d->tokens);
    sqlite_tallies_free(d->tallies);
    sqlite_counters_free(d->counters);
    free(d->path);
    free(d);
}

enum err sqlite_open(const struct inbox_options *options, const char *path, struct inbox **ret,
                     struct why *why)
{
    if (*path == '\0' || strlen(path) > SQLITE_FILES_PATH_MAX)
        return why_set(why, ERR_INVALID, "inbox.url: sqlite: needs a path of 1 to %d bytes",
                       SQLITE_FILES_PATH_MAX);
    struct sqlite_db *d = calloc(1, sizeof *d);
    if (d == NULL)
        return why_no_memory(why);
    d->lock_timeout_ms = options->lock_timeout_ms;
    d->max_wal = options->max_wal;
    d->looks = options->looks;
    d->lock_fd = -1;
    d->path = strdup(path);
    d->tokens = sqlite_tokens_new();
    d->tallies = sqlite_tallies_new(d);
    d->counters = sqlite_counters_new(d);
    bool ok = d->path != NULL && d->tokens != NULL && d->tallies != NULL && d->counters != NULL;
    enum err e = ok ? ERR_OK : why_no_memory(why);
    if (e == ERR_OK && !d->looks)
        e = sqlite_files_mode(d->path, &d->mode, why);
    if (e == ERR_OK && !d->looks)
        e = sqlite_files_lock(d->path, d->mode, &d->lock_fd, why);
    lease_taker_init(&d->head.taker, d->lock_fd);
    if (e == ERR_OK)
        e = open_db(d, why);
    if (e == ERR_OK)
        e = d->looks ? prepare_to_look(d, why) : prepare_db(d, why);
    if (e == ERR_OK && !d->looks)
        e = wake_new(d->path, d->mode, &d->wake, why);
    if (e == ERR_OK)
        e = sqlite_writer_start(d, commit, after_commit, &d->writer, why);
    if (e == ERR_OK)
        *ret = &d->head;
    else
        free_db(d);
    return e;
}

void sqlite_close(struct inbox *i)
{
    sqlite_writer_end(((struct sqlite_db *)i)->writer);
    free_db((struct sqlite_db *)i);
}

void sqlite_stop(struct inbox *i)
{
    struct sqlite_db *d = (struct sqlite_db *)i;
    atomic_store(&d->stopped, true);
    if (d->wake != NULL)
        wake_stop(d->wake);
}
