/*
 * inbox_sqlite.c - the inbox in one SQLite file: its rooms put together, and its sweeps' locks.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inbox/backend.h"
#include "inbox/filelock.h"
#include "inbox/sqlite_delivery.h"

struct inbox_sqlite {
    struct inbox head;
    struct sqlite_db *db;
    struct sqlite_writer *writer;
    struct sqlite_deliveries *deliveries;
};

static struct inbox_sqlite *sqlite(struct inbox *i)
{
    return (struct inbox_sqlite *)i;
}

static void sqlite_append(struct inbox *i, const struct delivery *d, inbox_appended_fn *fn,
                          void *ctx)
{
    sqlite_deliveries_append(sqlite(i)->deliveries, d, fn, ctx);
}

static enum err sqlite_set_state(struct inbox *i, int64_t id, enum delivery_state state,
                                 struct why *why)
{
    return sqlite_deliveries_set_state(sqlite(i)->deliveries, id, state, why);
}

/* --------------------------------------------------------------- sweep locks */

struct sqlite_lock {
    struct inbox_lock head;
    int fd;
};

static enum err sqlite_lock(struct inbox *i, const char *name, int64_t deadline,
                            struct inbox_lock **ret, struct why *why)
{
    const struct sqlite_db *db = sqlite(i)->db;
    char path[SQLITE_PATH_MAX + 300];
    snprintf(path, sizeof path, "%s.sweep.%s", sqlite_db_path(db), name);
    struct sqlite_lock *lock = malloc(sizeof *lock);
    if (lock == NULL)
        return why_no_memory(why);
    enum err e = filelock_open(path, sqlite_db_mode(db), &lock->fd, why);
    if (e == ERR_OK) {
        e = filelock_take(lock->fd, deadline, sqlite_db_stopped(db));
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

static void sqlite_stop(struct inbox *i)
{
    sqlite_db_stop(sqlite(i)->db);
}

static void sqlite_close(struct inbox *i)
{
    sqlite_writer_free(sqlite(i)->writer); /* completes what was begun */
    sqlite_deliveries_free(sqlite(i)->deliveries);
    sqlite_db_close(sqlite(i)->db);
    free(i);
}

static enum err sqlite_open(const struct inbox_options *options, const char *address,
                            struct inbox **ret, struct why *why)
{
    if (*address == '\0' || strlen(address) > SQLITE_PATH_MAX)
        return why_set(why, ERR_INVALID, "inbox.url: sqlite: needs a path of 1 to %d bytes",
                       SQLITE_PATH_MAX);
    struct inbox_sqlite *s = calloc(1, sizeof *s);
    if (s == NULL)
        return why_no_memory(why);
    enum err e = sqlite_db_open(address, options->lock_timeout_ms, &s->db, why);
    if (e == ERR_OK)
        e = sqlite_writer_new(s->db, &s->writer, why);
    if (e == ERR_OK)
        e = sqlite_deliveries_new(s->db, s->writer, &s->deliveries, why);
    if (e == ERR_OK)
        *ret = &s->head;
    else
        sqlite_close(&s->head);
    return e;
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
