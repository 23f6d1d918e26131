/* sqlite_db.c - the file of an SQLite inbox. */
#include "inbox/sqlite_db.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/log.h"
#include "inbox/filelock.h"

#define BUSY_PAUSE_MS 5 /* between looks at a database that a stranger has locked */
#define CHECKPOINT_PAGES \
    4000 /* WAL pages: often enough to bound it, seldom enough to cost nothing */

/* If one of our files is another than the one we have open, what we store is lost, and others no
 * longer wait for our lock. */
enum { FILE_DB, FILE_WAL, FILE_LOCK, FILES };
static const char *const file_suffixes[FILES] = {"", "-wal", ".lock"};

struct file_id {
    dev_t dev;
    ino_t ino;
};

struct sqlite_db {
    char *path;
    mode_t mode; /* of the files we make */
    int64_t lock_timeout_ms;
    atomic_bool stopped;
    sqlite3 *db;
    int lock_fd;
    int wal_pages;             /* as of the last commit */
    struct file_id ids[FILES]; /* of our files, as they were when we opened them */
    int64_t busy_since;        /* clk_mono_ms: when SQLite's own wait began */
};

const char *sqlite_db_path(const struct sqlite_db *d)
{
    return d->path;
}

mode_t sqlite_db_mode(const struct sqlite_db *d)
{
    return d->mode;
}

const atomic_bool *sqlite_db_stopped(const struct sqlite_db *d)
{
    return &d->stopped;
}

void sqlite_db_stop(struct sqlite_db *d)
{
    atomic_store(&d->stopped, true);
}

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

enum err sqlite_db_prepare(struct sqlite_db *d, const char *sql, sqlite3_stmt **ret,
                           struct why *why)
{
    if (sqlite3_prepare_v3(d->db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL) == SQLITE_OK)
        return ERR_OK;
    return sqlite_db_failed(d, "prepare", why);
}

enum err sqlite_db_number(const struct sqlite_db *d, const char *sql, int *ret, struct why *why)
{
    sqlite3_stmt *q = NULL;
    enum err e = ERR_OK;
    if (sqlite3_prepare_v2(d->db, sql, -1, &q, NULL) == SQLITE_OK && sqlite3_step(q) == SQLITE_ROW)
        *ret = sqlite3_column_int(q, 0);
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

enum err sqlite_db_begin(struct sqlite_db *d, struct why *why)
{
    enum err e = take_lock(d, why);
    if (e != ERR_OK)
        return e;
    e = sqlite_db_exec(d, "BEGIN IMMEDIATE", why);
    if (e != ERR_OK)
        filelock_give(d->lock_fd);
    return e;
}

static enum err identify(const struct sqlite_db *d, int file, struct file_id *ret)
{
    char path[SQLITE_PATH_MAX + 8];
    struct stat st;
    snprintf(path, sizeof path, "%s%s", d->path, file_suffixes[file]);
    if (stat(path, &st) != 0)
        return ERR_NOT_FOUND;
    *ret = (struct file_id){st.st_dev, st.st_ino};
    return ERR_OK;
}

/* Is what we have just committed in the files that the next one to open the inbox will find? */
static enum err check_files(const struct sqlite_db *d, struct why *why)
{
    for (int f = 0; f < FILES; f++) {
        struct file_id now;
        if (identify(d, f, &now) == ERR_OK && now.dev == d->ids[f].dev && now.ino == d->ids[f].ino)
            continue;
        return why_set(
            why, ERR_STORE,
            "inbox %s%s: was deleted or replaced while this program has it open: what is "
            "stored would be lost; put the file back, or start the program again",
            d->path, file_suffixes[f]);
    }
    return ERR_OK;
}

enum err sqlite_db_end(struct sqlite_db *d, enum err e, struct why *why)
{
    if (e == ERR_OK)
        e = sqlite_db_exec(d, "COMMIT", why);
    if (e == ERR_OK)
        e = check_files(d, why);
    /* A failed COMMIT may or may not have ended the transaction. */
    if (e != ERR_OK && sqlite3_get_autocommit(d->db) == 0)
        sqlite3_exec(d->db, "ROLLBACK", NULL, NULL, NULL);
    if (e == ERR_OK && d->wal_pages >= CHECKPOINT_PAGES) {
        /* Passive: what readers still need is left for the next time. */
        sqlite3_wal_checkpoint_v2(d->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
        d->wal_pages = 0;
    }
    filelock_give(d->lock_fd);
    return e;
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

/*
 * The files get the rights that their folder gives: one with a set-group-id bit is shared by a
 * group (the handler, the worker, the operator), any other is a single user's.
 */
static enum err choose_mode(struct sqlite_db *d, struct why *why)
{
    char folder[SQLITE_PATH_MAX + 1];
    snprintf(folder, sizeof folder, "%s", d->path);
    char *slash = strrchr(folder, '/');
    if (slash == NULL)
        snprintf(folder, sizeof folder, ".");
    else
        slash[slash == folder] = '\0';
    struct stat st;
    if (stat(folder, &st) != 0)
        return why_set(why, ERR_STORE, "inbox %s: folder %s: %s; create it first", d->path, folder,
                       strerror(errno));
    d->mode = (st.st_mode & S_ISGID) != 0 && (st.st_mode & S_IWGRP) != 0 ? 0660 : 0600;
    return ERR_OK;
}

static enum err open_db(struct sqlite_db *d, struct why *why)
{
    /* SQLite gives the WAL the database's own mode, so that the first file decides. */
    int fd = open(d->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, d->mode);
    if (fd >= 0) {
        bool ok = fchmod(fd, d->mode) == 0;
        close(fd);
        if (!ok)
            return why_set(why, ERR_STORE, "inbox %s: %s", d->path, strerror(errno));
    } else if (errno != EEXIST) {
        return why_set(why, ERR_STORE, "inbox %s: %s", d->path, strerror(errno));
    }
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
    enum err e = sqlite_schema_raise(d, why);
    for (int f = 0; e == ERR_OK && f < FILES; f++)
        if (identify(d, f, &d->ids[f]) != ERR_OK)
            e = why_set(why, ERR_STORE, "inbox %s%s: is gone already", d->path, file_suffixes[f]);
    return e;
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
        e = sqlite_db_exec(d, "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0", why);
    if (e != ERR_OK)
        return e;
    /* Replaces the hook behind wal_autocheckpoint, so it comes after it. */
    sqlite3_wal_hook(d->db, count_wal_pages, d);
    e = sqlite_db_begin(d, why);
    if (e == ERR_OK)
        e = sqlite_db_end(d, prepare_files(d, why), why);
    return e;
}

enum err sqlite_db_open(const char *path, int64_t lock_timeout_ms, struct sqlite_db **ret,
                        struct why *why)
{
    struct sqlite_db *d = calloc(1, sizeof *d);
    if (d == NULL)
        return why_no_memory(why);
    d->lock_timeout_ms = lock_timeout_ms;
    d->lock_fd = -1;
    d->path = strdup(path);

    char lock_path[SQLITE_PATH_MAX + 8];
    snprintf(lock_path, sizeof lock_path, "%s%s", path, file_suffixes[FILE_LOCK]);
    enum err e = d->path == NULL ? why_no_memory(why) : choose_mode(d, why);
    if (e == ERR_OK)
        e = filelock_open(lock_path, d->mode, &d->lock_fd, why);
    if (e == ERR_OK)
        e = open_db(d, why);
    if (e == ERR_OK)
        e = prepare_db(d, why);
    if (e == ERR_OK)
        *ret = d;
    else
        sqlite_db_close(d);
    return e;
}

void sqlite_db_close(struct sqlite_db *d)
{
    if (d == NULL)
        return;
    if (sqlite3_close(d->db) != SQLITE_OK)
        log_error("inbox %s: closed with a statement still in use", d->path);
    if (d->lock_fd >= 0)
        close(d->lock_fd);
    free(d->path);
    free(d);
}
