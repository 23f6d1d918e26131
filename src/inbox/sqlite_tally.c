/* sqlite_tally.c - the tallies of an SQLite inbox. */
#include "inbox/sqlite_tally.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/log.h"
#include "inbox/sqlite_bind.h"
#include "inbox/sqlite_db.h"

static const char add_sql[] =
    "INSERT INTO tally (success, failure, failure_since_last_success, last_success_us,"
    " last_failure_us, webhook_id)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
    " ON CONFLICT (webhook_id) DO UPDATE SET"
    "  success = success + ?1,"
    "  failure = failure + ?2,"
    "  failure_since_last_success = iif(?1 > 0, 0, failure_since_last_success) + ?3,"
    "  last_success_us = max(last_success_us, ?4),"
    "  last_failure_us = max(last_failure_us, ?5)";

static const char read_sql[] =
    "SELECT success, failure, failure_since_last_success, last_success_us, last_failure_us"
    " FROM tally WHERE webhook_id = ?1";

/* Of one webhook. */
struct gathered {
    char webhook_id[OBJECT_ID_MAX];
    struct inbox_tally fresh;  /* not in the table */
    struct inbox_tally taking; /* ... and in the transaction that has not ended */
};

struct sqlite_tallies {
    struct sqlite_item head; /* takes all of them into the table */
    struct sqlite_db *db;
    pthread_mutex_t lock;  /* guards what follows */
    struct gathered *list; /* by webhook_id */
    size_t count, cap;
    bool any;    /* something has been counted since it was last taken */
    bool is_put; /* the item is with the writer */
};

/* ------------------------------------------------------------------------- numbers */

static void count_call(struct inbox_tally *t, bool success)
{
    t->success += success;
    t->failure += !success;
    t->failure_since_last_success = success ? 0 : t->failure_since_last_success + 1;
    *(success ? &t->last_success_us : &t->last_failure_us) = clk_wall_us();
}

static int64_t latest(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* `later` came after it. */
static void add_up(struct inbox_tally *t, const struct inbox_tally *later)
{
    t->success += later->success;
    t->failure += later->failure;
    t->failure_since_last_success = (later->success > 0 ? 0 : t->failure_since_last_success) +
                                    later->failure_since_last_success;
    t->last_success_us = latest(t->last_success_us, later->last_success_us);
    t->last_failure_us = latest(t->last_failure_us, later->last_failure_us);
}

/* -------------------------------------------------------------- from memory to disk */

static bool is_empty(const struct inbox_tally *t)
{
    return t->success == 0 && t->failure == 0;
}

static enum err take(struct sqlite_db *db, struct gathered *g, struct why *why)
{
    g->taking = g->fresh;
    g->fresh = (struct inbox_tally){0};
    const struct inbox_tally *t = &g->taking;
    const int64_t numbers[] = {t->success, t->failure, t->failure_since_last_success,
                               t->last_success_us, t->last_failure_us};
    sqlite3_stmt *q = sqlite_db_statement(db, add_sql, why);
    sqlite_bind_ints(q, 1, numbers, sizeof numbers / sizeof *numbers);
    sqlite_bind_text(q, 6, g->webhook_id);
    return sqlite_db_run(db, q, "count calls", why);
}

static enum err take_all(struct sqlite_db *db, struct sqlite_item *item, struct why *why)
{
    struct sqlite_tallies *t = (struct sqlite_tallies *)item;
    enum err e = ERR_OK;
    pthread_mutex_lock(&t->lock);
    t->any = false;
    for (size_t n = 0; n < t->count && e == ERR_OK; n++)
        if (!is_empty(&t->list[n].fresh))
            e = take(db, &t->list[n], why);
    pthread_mutex_unlock(&t->lock);
    return e;
}

/* What could not be added is still to be. */
static void keep(struct gathered *g)
{
    const struct inbox_tally fresh = g->fresh;
    g->fresh = g->taking;
    add_up(&g->fresh, &fresh);
}

static void taken(struct sqlite_item *item)
{
    struct sqlite_tallies *t = (struct sqlite_tallies *)item;
    if (item->err != ERR_OK)
        log_warn("calls are not counted yet: %s", item->why.text);
    pthread_mutex_lock(&t->lock);
    for (size_t n = 0; n < t->count; n++) {
        struct gathered *g = &t->list[n];
        if (item->err != ERR_OK)
            keep(g);
        g->taking = (struct inbox_tally){0};
        t->any = t->any || !is_empty(&g->fresh);
    }
    t->is_put = false;
    pthread_mutex_unlock(&t->lock);
}

/* ------------------------------------------------------------------------ the verbs */

struct sqlite_tallies *sqlite_tallies_new(struct sqlite_db *d)
{
    struct sqlite_tallies *t = calloc(1, sizeof *t);
    if (t == NULL)
        return NULL;
    t->head = (struct sqlite_item){.apply = take_all, .done = taken};
    t->db = d;
    pthread_mutex_init(&t->lock, NULL);
    return t;
}

void sqlite_tallies_free(struct sqlite_tallies *t)
{
    if (t == NULL)
        return;
    free(t->list);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

static int order(const void *gathered, const void *webhook_id)
{
    return strcmp(((const struct gathered *)gathered)->webhook_id, webhook_id);
}

/* NULL: out of memory. */
static struct gathered *of_webhook(struct sqlite_tallies *t, const char *webhook_id)
{
    size_t at = array_place(t->list, t->count, sizeof *t->list, webhook_id, order);
    if (at < t->count && strcmp(t->list[at].webhook_id, webhook_id) == 0)
        return &t->list[at];
    struct gathered *list = array_room(t->list, t->count, &t->cap, sizeof *list);
    if (list == NULL)
        return NULL;
    t->list = list;
    struct gathered *g = &list[at];
    memmove(g + 1, g, (t->count - at) * sizeof *g);
    *g = (struct gathered){.webhook_id = ""};
    snprintf(g->webhook_id, sizeof g->webhook_id, "%s", webhook_id);
    t->count++;
    return g;
}

void sqlite_tally_add(struct inbox *i, const char *webhook_id, bool success)
{
    struct sqlite_tallies *t = sqlite_db_tallies((struct sqlite_db *)i);
    pthread_mutex_lock(&t->lock);
    struct gathered *g = of_webhook(t, webhook_id);
    if (g != NULL)
        count_call(&g->fresh, success);
    t->any = t->any || g != NULL;
    pthread_mutex_unlock(&t->lock);
    if (g == NULL)
        log_warn("webhook %s: a call is not counted: %s", webhook_id, err_text(ERR_NOMEM));
}

void sqlite_tallies_put(struct sqlite_tallies *t)
{
    pthread_mutex_lock(&t->lock);
    bool put = t->any && !t->is_put;
    t->is_put = t->is_put || put;
    pthread_mutex_unlock(&t->lock);
    if (put)
        sqlite_db_put_later(t->db, &t->head);
}

struct reading {
    struct sqlite_item head;
    const char *webhook_id;
    int64_t columns[5];
};

static enum err read_tally(struct sqlite_db *db, struct sqlite_item *item, struct why *why)
{
    struct reading *r = (struct reading *)item;
    sqlite3_stmt *q = sqlite_db_statement(db, read_sql, why);
    sqlite_bind_text(q, 1, r->webhook_id);
    return sqlite_db_step(db, q, r->columns, 5, "read a tally", why);
}

enum err sqlite_tally_read(struct inbox *i, const char *webhook_id, struct inbox_tally *ret,
                           struct why *why)
{
    struct reading r = {.head = {.apply = read_tally}, .webhook_id = webhook_id};
    enum err e = sqlite_db_do((struct sqlite_db *)i, &r.head, why);
    if (e == ERR_OK)
        *ret = (struct inbox_tally){r.columns[0], r.columns[1], r.columns[2], r.columns[3],
                                    r.columns[4]};
    return e;
}
