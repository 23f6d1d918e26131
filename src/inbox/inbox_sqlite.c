/* inbox_sqlite.c - the inbox in one SQLite file: its rooms as a backend. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inbox/backend.h"
#include "inbox/sqlite_delivery.h"

struct inbox_sqlite {
    struct inbox head;
    struct sqlite_db *db;
};

struct sqlite_lock {
    struct inbox_lock head;
    int fd;
};

static struct sqlite_db *db_of(struct inbox *i)
{
    return ((struct inbox_sqlite *)i)->db;
}

static void sqlite_append(struct inbox *i, const struct delivery *d, inbox_appended_fn *fn,
                          void *ctx)
{
    sqlite_delivery_append(db_of(i), d, fn, ctx);
}

static enum err sqlite_set_state(struct inbox *i, int64_t id, enum delivery_state state,
                                 struct why *why)
{
    return sqlite_delivery_set_state(db_of(i), id, state, why);
}

static enum err sqlite_lock(struct inbox *i, const char *name, int64_t deadline,
                            struct inbox_lock **ret, struct why *why)
{
    struct sqlite_lock *lock = malloc(sizeof *lock);
    if (lock == NULL)
        return why_no_memory(why);
    enum err e = sqlite_db_lock(db_of(i), name, deadline, &lock->fd, why);
    if (e == ERR_OK)
        *ret = &lock->head;
    else
        free(lock);
    return e;
}

static void sqlite_unlock(struct inbox_lock *l)
{
    struct sqlite_lock *lock = (struct sqlite_lock *)l;
    close(lock->fd); /* the lock goes with its last descriptor */
    free(lock);
}

static void sqlite_stop(struct inbox *i)
{
    sqlite_db_stop(db_of(i));
}

static void sqlite_close(struct inbox *i)
{
    sqlite_db_close(db_of(i));
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
        *ret = &s->head;
    else
        free(s);
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
