/*
 * inbox_sqlite.c - the inbox in one SQLite file.
 *
 * Durable before it is acknowledged: WAL with synchronous=FULL. Appends are asynchronous: one
 * writer thread commits what has gathered in one transaction and completes all of it, so that no
 * request's thread waits for the disk.
 *
 * SQLite before 3.51.3 can corrupt a WAL when one connection commits while another checkpoints
 * (https://www.sqlite.org/wal.html#walresetbug). So every commit and every checkpoint of every
 * process happens under a lock file beside the database, and SQLite never checkpoints by itself.
 *
 * A file can be deleted or replaced under a program that has it open, and SQLite would go on
 * writing where nobody will ever read. So each commit is only believed once the files are still
 * there.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clk.h"
#include "base/log.h"
#include "inbox/backend.h"
#include "inbox/filelock.h"

#define SCHEMA_VERSION 1
#define APPLICATION_ID 0x43576862 /* "CWhb": marks the file as ours */
#define BATCH_MAX      512        /* deliveries of one transaction */
#define BUSY_PAUSE_MS  5          /* between looks at a database that a stranger has locked */
#define CHECKPOINT_PAGES \
    4000                  /* WAL pages: often enough to bound it, seldom enough to cost nothing */
#define PATH_LEN_MAX 4000 /* bytes of the database's path */

static const char schema[] = "CREATE TABLE delivery ("
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
                             "CREATE UNIQUE INDEX delivery_token ON delivery (exp, token_sha256);";

static const char insert_sql[] =
    "INSERT INTO delivery (token_sha256, exp, state, webhook_id, account_id, product_id,"
    " object_class, triggered_at, received_us, last_received_us, claims, body)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, ?10, ?11)"
    " ON CONFLICT (exp, token_sha256) DO UPDATE SET"
    "  seen = seen + 1,"
    "  last_received_us = excluded.last_received_us,"
    "  state = excluded.state"
    " RETURNING id, seen";

/* One append on its way through the writer. */
struct append {
    struct append *next;
    struct delivery delivery; /* its pointers are the caller's until `fn` has run */
    inbox_appended_fn *fn;
    void *ctx;
    struct inbox_receipt receipt;
};

/* The files of an inbox. If one of them is another than the one we have open, what we store is
 * lost, and others no longer wait for our lock. */
enum { FILE_DB, FILE_WAL, FILE_LOCK, FILES };
static const char *const file_suffixes[FILES] = {"", "-wal", ".lock"};

struct file_id {
    dev_t dev;
    ino_t ino;
};

struct inbox_sqlite {
    struct inbox head;
    char *path;
    mode_t mode; /* of the files we make */
    int64_t lock_timeout_ms;
    atomic_bool stopped;

    pthread_mutex_t db_lock; /* guards what follows: one connection, one transaction at a time */
    sqlite3 *db;
    sqlite3_stmt *insert;
    int lock_fd;
    int wal_pages;             /* as of the last commit */
    struct file_id ids[FILES]; /* of our files, as they were when we opened them */
    int64_t busy_since;        /* clk_mono_ms: when SQLite's own wait began */

    pthread_mutex_t queue_lock; /* guards what follows */
    pthread_cond_t queue_wake;
    struct append *first, **last;
    bool stopping;
    pthread_t writer;
    bool writer_started;
};

/* ------------------------------------------------------------------ database */

/* What SQLite says went wrong, in words that help. */
static enum err db_failed(const struct inbox_sqlite *s, const char *doing, struct why *why)
{
    int code = sqlite3_errcode(s->db);
    if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
        return why_set(why, ERR_STORE,
                       "inbox %s: %s: %s; move the file aside (keep it: acknowledged calls may be "
                       "rescued with sqlite3's .recover) and start again",
                       s->path, doing, sqlite3_errmsg(s->db));
    return why_set(why, code == SQLITE_BUSY ? ERR_BUSY : ERR_STORE, "inbox %s: %s: %s", s->path,
                   doing, sqlite3_errmsg(s->db));
}

static enum err db_exec(const struct inbox_sqlite *s, const char *sql, struct why *why)
{
    if (sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK)
        return ERR_OK;
    return db_failed(s, sql, why);
}

/* For SQLite: wait a little, and again, for a stranger that has locked the database. */
static int on_busy(void *ctx, int count)
{
    struct inbox_sqlite *s = ctx;
    int64_t now = clk_mono_ms();
    if (count == 0)
        s->busy_since = now;
    if (atomic_load(&s->stopped) || now - s->busy_since >= s->lock_timeout_ms)
        return 0;
    poll(NULL, 0, BUSY_PAUSE_MS);
    return 1;
}

static enum err take_lock(const struct inbox_sqlite *s, struct why *why)
{
    enum err e = filelock_take(s->lock_fd, clk_mono_ms() + s->lock_timeout_ms, &s->stopped);
    if (e == ERR_BUSY)
        return why_set(why, e, "inbox %s.lock: another process has held it for %lld ms", s->path,
                       (long long)s->lock_timeout_ms);
    return e == ERR_OK ? e : why_set(why, e, "inbox %s.lock: %s", s->path, err_text(e));
}

/* Only between db_begin() and db_end() may anything be written: see the top of this file. */
static enum err db_begin(struct inbox_sqlite *s, struct why *why)
{
    enum err e = take_lock(s, why);
    if (e != ERR_OK)
        return e;
    e = db_exec(s, "BEGIN IMMEDIATE", why);
    if (e != ERR_OK)
        filelock_give(s->lock_fd);
    return e;
}

static enum err identify(const struct inbox_sqlite *s, int file, struct file_id *ret)
{
    char path[PATH_LEN_MAX + 8];
    struct stat st;
    snprintf(path, sizeof path, "%s%s", s->path, file_suffixes[file]);
    if (stat(path, &st) != 0)
        return ERR_NOT_FOUND;
    *ret = (struct file_id){st.st_dev, st.st_ino};
    return ERR_OK;
}

/* Is what we have just committed in the files that the next one to open the inbox will find? */
static enum err check_files(const struct inbox_sqlite *s, struct why *why)
{
    for (int f = 0; f < FILES; f++) {
        struct file_id now;
        if (identify(s, f, &now) == ERR_OK && now.dev == s->ids[f].dev && now.ino == s->ids[f].ino)
            continue;
        return why_set(
            why, ERR_STORE,
            "inbox %s%s: was deleted or replaced while this program has it open: what is "
            "stored would be lost; put the file back, or start the program again",
            s->path, file_suffixes[f]);
    }
    return ERR_OK;
}

/* Commit if `e` is ERR_OK, else roll back. Returns `e`, or what the commit came to. */
static enum err db_end(struct inbox_sqlite *s, enum err e, struct why *why)
{
    if (e == ERR_OK)
        e = db_exec(s, "COMMIT", why);
    if (e == ERR_OK)
        e = check_files(s, why);
    /* A failed COMMIT may or may not have ended the transaction. */
    if (e != ERR_OK && sqlite3_get_autocommit(s->db) == 0)
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    if (e == ERR_OK && s->wal_pages >= CHECKPOINT_PAGES) {
        /* Passive: what readers still need is left for the next time. */
        sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
        s->wal_pages = 0;
    }
    filelock_give(s->lock_fd);
    return e;
}

static int count_wal_pages(void *ctx, sqlite3 *db, const char *name, int pages)
{
    (void)db;
    (void)name;
    struct inbox_sqlite *s = ctx;
    s->wal_pages = pages;
    return SQLITE_OK;
}

static enum err read_pragma(const struct inbox_sqlite *s, const char *sql, int *ret,
                            struct why *why)
{
    sqlite3_stmt *q = NULL;
    enum err e = ERR_OK;
    if (sqlite3_prepare_v2(s->db, sql, -1, &q, NULL) == SQLITE_OK && sqlite3_step(q) == SQLITE_ROW)
        *ret = sqlite3_column_int(q, 0);
    else
        e = db_failed(s, sql, why);
    sqlite3_finalize(q);
    return e;
}

/* Create the tables in an empty file; refuse a stranger's file and a future version's. */
static enum err make_schema(struct inbox_sqlite *s, struct why *why)
{
    int version = 0, id = 0, tables = 0;
    enum err e = read_pragma(s, "PRAGMA user_version", &version, why);
    if (e == ERR_OK)
        e = read_pragma(s, "PRAGMA application_id", &id, why);
    if (e == ERR_OK)
        e = read_pragma(s, "SELECT count(*) FROM sqlite_schema", &tables, why);
    if (e != ERR_OK)
        return e;
    if (id != APPLICATION_ID && tables > 0)
        return why_set(why, ERR_STORE, "inbox %s: is another program's database; name another file",
                       s->path);
    if (version > SCHEMA_VERSION)
        return why_set(why, ERR_STORE,
                       "inbox %s: was written by a newer version (schema %d, this one knows %d); "
                       "install that version again",
                       s->path, version, SCHEMA_VERSION);
    if (version == SCHEMA_VERSION)
        return ERR_OK;
    char stamp[96];
    snprintf(stamp, sizeof stamp, "PRAGMA application_id = %d; PRAGMA user_version = %d",
             APPLICATION_ID, SCHEMA_VERSION);
    e = db_exec(s, schema, why);
    return e == ERR_OK ? db_exec(s, stamp, why) : e;
}

/* ------------------------------------------------------------------- appends */

static void bind_text(sqlite3_stmt *q, int i, const char *text)
{
    if (text == NULL)
        sqlite3_bind_null(q, i);
    else
        sqlite3_bind_text(q, i, text, -1, SQLITE_STATIC);
}

static enum err insert(struct inbox_sqlite *s, struct append *a, struct why *why)
{
    const struct delivery *d = &a->delivery;
    sqlite3_stmt *q = s->insert;
    sqlite3_bind_blob(q, 1, d->token_sha256, INBOX_TOKEN_HASH_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(q, 2, d->exp);
    bind_text(q, 3, delivery_state_name(d->state));
    bind_text(q, 4, d->webhook_id);
    bind_text(q, 5, d->account_id);
    bind_text(q, 6, d->product_id);
    bind_text(q, 7, d->object_class->name);
    bind_text(q, 8, d->triggered_at);
    sqlite3_bind_int64(q, 9, d->received_us);
    sqlite3_bind_text(q, 10, d->claims, (int)d->claims_len, SQLITE_STATIC);
    sqlite3_bind_blob(q, 11, d->body, (int)d->body_len, SQLITE_STATIC);
    if (d->body_len == 0)
        sqlite3_bind_zeroblob(q, 11, 0); /* an empty blob at any address is else a NULL */

    enum err e = ERR_OK;
    if (sqlite3_step(q) == SQLITE_ROW) {
        a->receipt.id = sqlite3_column_int64(q, 0);
        a->receipt.seen = sqlite3_column_int64(q, 1);
        /* The row is only in once the statement has come to its end. */
        if (sqlite3_step(q) != SQLITE_DONE)
            e = db_failed(s, "store a delivery", why);
    } else {
        e = db_failed(s, "store a delivery", why);
    }
    sqlite3_reset(q);
    sqlite3_clear_bindings(q);
    return e;
}

/* One transaction for all of `list`; afterwards each receipt says what came of it. */
static void commit_batch(struct inbox_sqlite *s, struct append *list)
{
    struct why why;
    pthread_mutex_lock(&s->db_lock);
    enum err e = db_begin(s, &why);
    if (e == ERR_OK) {
        for (struct append *a = list; a != NULL && e == ERR_OK; a = a->next)
            e = insert(s, a, &why);
        e = db_end(s, e, &why);
    }
    pthread_mutex_unlock(&s->db_lock);
    for (struct append *a = list; a != NULL; a = a->next) {
        a->receipt.err = e;
        if (e != ERR_OK)
            a->receipt.why = why;
    }
}

/* Wait for appends and take what has gathered; NULL when the inbox closes and all is done. */
static struct append *take_batch(struct inbox_sqlite *s)
{
    pthread_mutex_lock(&s->queue_lock);
    while (s->first == NULL && !s->stopping)
        pthread_cond_wait(&s->queue_wake, &s->queue_lock);
    struct append *list = s->first, **end = &list;
    for (int n = 0; *end != NULL && n < BATCH_MAX; n++)
        end = &(*end)->next;
    s->first = *end;
    if (s->first == NULL)
        s->last = &s->first;
    *end = NULL;
    pthread_mutex_unlock(&s->queue_lock);
    return list;
}

static void *writer_main(void *arg)
{
    struct inbox_sqlite *s = arg;
    for (struct append *list; (list = take_batch(s)) != NULL;) {
        commit_batch(s, list);
        while (list != NULL) {
            struct append *a = list;
            list = a->next;
            a->fn(a->ctx, &a->receipt);
            free(a);
        }
    }
    return NULL;
}

static void sqlite_append(struct inbox *i, const struct delivery *d, inbox_appended_fn *fn,
                          void *ctx)
{
    struct inbox_sqlite *s = (struct inbox_sqlite *)i;
    struct append *a = malloc(sizeof *a);
    if (a == NULL) {
        struct inbox_receipt refused = {.err = ERR_NOMEM};
        why_no_memory(&refused.why);
        fn(ctx, &refused);
        return;
    }
    *a = (struct append){.delivery = *d, .fn = fn, .ctx = ctx};
    pthread_mutex_lock(&s->queue_lock);
    *s->last = a;
    s->last = &a->next;
    pthread_cond_signal(&s->queue_wake);
    pthread_mutex_unlock(&s->queue_lock);
}

static enum err sqlite_set_state(struct inbox *i, int64_t id, enum delivery_state state,
                                 struct why *why)
{
    struct inbox_sqlite *s = (struct inbox_sqlite *)i;
    static const char sql[] = "UPDATE delivery SET state = ?2 WHERE id = ?1";
    sqlite3_stmt *q = NULL;
    pthread_mutex_lock(&s->db_lock);
    enum err e = db_begin(s, why);
    if (e == ERR_OK) {
        if (sqlite3_prepare_v2(s->db, sql, -1, &q, NULL) != SQLITE_OK ||
            sqlite3_bind_int64(q, 1, id) != SQLITE_OK ||
            sqlite3_bind_text(q, 2, delivery_state_name(state), -1, SQLITE_STATIC) != SQLITE_OK ||
            sqlite3_step(q) != SQLITE_DONE)
            e = db_failed(s, "change a delivery's state", why);
        else if (sqlite3_changes(s->db) != 1)
            e = why_set(why, ERR_NOT_FOUND, "inbox %s: no delivery %lld", s->path, (long long)id);
        sqlite3_finalize(q);
        e = db_end(s, e, why);
    }
    pthread_mutex_unlock(&s->db_lock);
    return e;
}

/* --------------------------------------------------------------- sweep locks */

struct sqlite_lock {
    struct inbox_lock head;
    int fd;
};

static enum err sqlite_lock(struct inbox *i, const char *name, int64_t deadline,
                            struct inbox_lock **ret, struct why *why)
{
    const struct inbox_sqlite *s = (const struct inbox_sqlite *)i;
    char path[PATH_LEN_MAX + 300];
    snprintf(path, sizeof path, "%s.sweep.%s", s->path, name);
    struct sqlite_lock *lock = malloc(sizeof *lock);
    if (lock == NULL)
        return why_no_memory(why);
    enum err e = filelock_open(path, s->mode, &lock->fd, why);
    if (e == ERR_OK) {
        e = filelock_take(lock->fd, deadline, &s->stopped);
        if (e != ERR_OK) {
            why_set(why, e, "queue %s: %s", name,
                    e == ERR_BUSY ? "another sweep has it" : err_text(e));
            close(lock->fd);
        }
    }
    if (e != ERR_OK) {
        free(lock);
        return e;
    }
    *ret = &lock->head;
    return ERR_OK;
}

static void sqlite_unlock(struct inbox_lock *l)
{
    struct sqlite_lock *lock = (struct sqlite_lock *)l;
    close(lock->fd); /* the lock goes with its last descriptor */
    free(lock);
}

/* ------------------------------------------------------------ open and close */

/*
 * The files get the rights that their folder gives: one with a set-group-id bit is shared by a
 * group (the handler, the worker, the operator), any other is a single user's.
 */
static enum err choose_mode(struct inbox_sqlite *s, struct why *why)
{
    char folder[PATH_LEN_MAX + 1];
    snprintf(folder, sizeof folder, "%s", s->path);
    char *slash = strrchr(folder, '/');
    if (slash == NULL)
        snprintf(folder, sizeof folder, ".");
    else
        slash[slash == folder] = '\0';
    struct stat st;
    if (stat(folder, &st) != 0)
        return why_set(why, ERR_STORE, "inbox %s: folder %s: %s; create it first", s->path, folder,
                       strerror(errno));
    s->mode = (st.st_mode & S_ISGID) != 0 && (st.st_mode & S_IWGRP) != 0 ? 0660 : 0600;
    return ERR_OK;
}

static enum err open_db(struct inbox_sqlite *s, struct why *why)
{
    /* SQLite gives the WAL the database's own mode, so that the first file decides. */
    int fd = open(s->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, s->mode);
    if (fd >= 0) {
        bool ok = fchmod(fd, s->mode) == 0;
        close(fd);
        if (!ok)
            return why_set(why, ERR_STORE, "inbox %s: %s", s->path, strerror(errno));
    } else if (errno != EEXIST) {
        return why_set(why, ERR_STORE, "inbox %s: %s", s->path, strerror(errno));
    }
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX | SQLITE_OPEN_NOFOLLOW;
    if (sqlite3_open_v2(s->path, &s->db, flags, NULL) != SQLITE_OK)
        return db_failed(s, "open", why);
    sqlite3_extended_result_codes(s->db, 0);
    sqlite3_busy_handler(s->db, on_busy, s);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    return ERR_OK;
}

/* Within the first transaction, which has opened the WAL. */
static enum err prepare_files(struct inbox_sqlite *s, struct why *why)
{
    enum err e = make_schema(s, why);
    for (int f = 0; e == ERR_OK && f < FILES; f++)
        if (identify(s, f, &s->ids[f]) != ERR_OK)
            e = why_set(why, ERR_STORE, "inbox %s%s: is gone already", s->path, file_suffixes[f]);
    return e;
}

/* Journal mode and schema are writes, too: under the lock, like all others. */
static enum err prepare_db(struct inbox_sqlite *s, struct why *why)
{
    enum err e = take_lock(s, why);
    if (e != ERR_OK)
        return e;
    e = db_exec(s, "PRAGMA journal_mode = WAL", why);
    filelock_give(s->lock_fd);
    if (e == ERR_OK)
        e = db_exec(s, "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0", why);
    if (e != ERR_OK)
        return e;
    /* Replaces the hook behind wal_autocheckpoint, so it comes after it. */
    sqlite3_wal_hook(s->db, count_wal_pages, s);
    e = db_begin(s, why);
    if (e == ERR_OK)
        e = db_end(s, prepare_files(s, why), why);
    if (e == ERR_OK && sqlite3_prepare_v3(s->db, insert_sql, -1, SQLITE_PREPARE_PERSISTENT,
                                          &s->insert, NULL) != SQLITE_OK)
        e = db_failed(s, "prepare", why);
    return e;
}

static enum err start_writer(struct inbox_sqlite *s, struct why *why)
{
    int error = pthread_create(&s->writer, NULL, writer_main, s);
    if (error != 0)
        return why_set(why, ERR_NOMEM, "inbox: writer thread: %s", strerror(error));
    s->writer_started = true;
    return ERR_OK;
}

static void sqlite_stop(struct inbox *i)
{
    atomic_store(&((struct inbox_sqlite *)i)->stopped, true);
}

static void sqlite_close(struct inbox *i)
{
    struct inbox_sqlite *s = (struct inbox_sqlite *)i;
    if (s->writer_started) {
        pthread_mutex_lock(&s->queue_lock);
        s->stopping = true;
        pthread_cond_signal(&s->queue_wake);
        pthread_mutex_unlock(&s->queue_lock);
        pthread_join(s->writer, NULL);
    }
    sqlite3_finalize(s->insert);
    if (sqlite3_close(s->db) != SQLITE_OK)
        log_error("inbox %s: closed with a statement still in use", s->path);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    pthread_cond_destroy(&s->queue_wake);
    pthread_mutex_destroy(&s->queue_lock);
    pthread_mutex_destroy(&s->db_lock);
    free(s->path);
    free(s);
}

static enum err sqlite_open(const struct inbox_options *options, const char *address,
                            struct inbox **ret, struct why *why)
{
    if (*address == '\0' || strlen(address) > PATH_LEN_MAX)
        return why_set(why, ERR_INVALID, "inbox.url: sqlite: needs a path of 1 to %d bytes",
                       PATH_LEN_MAX);
    struct inbox_sqlite *s = calloc(1, sizeof *s);
    if (s == NULL)
        return why_no_memory(why);
    s->lock_timeout_ms = options->lock_timeout_ms;
    s->lock_fd = -1;
    s->last = &s->first;
    pthread_mutex_init(&s->db_lock, NULL);
    pthread_mutex_init(&s->queue_lock, NULL);
    pthread_cond_init(&s->queue_wake, NULL);
    s->path = strdup(address);

    char lock_path[PATH_LEN_MAX + 8];
    snprintf(lock_path, sizeof lock_path, "%s.lock", address);
    enum err e = s->path == NULL ? why_no_memory(why) : choose_mode(s, why);
    if (e == ERR_OK)
        e = filelock_open(lock_path, s->mode, &s->lock_fd, why);
    if (e == ERR_OK)
        e = open_db(s, why);
    if (e == ERR_OK)
        e = prepare_db(s, why);
    if (e == ERR_OK)
        e = start_writer(s, why);
    if (e != ERR_OK) {
        sqlite_close(&s->head);
        return e;
    }
    *ret = &s->head;
    return ERR_OK;
}

const struct inbox_backend inbox_backend_sqlite = {
    .scheme = "sqlite",
    .open = sqlite_open,
    .close = sqlite_close,
    .stop = sqlite_stop,
    .append = sqlite_append,
    .set_state = sqlite_set_state,
    .lock = sqlite_lock,
    .unlock = sqlite_unlock,
};
