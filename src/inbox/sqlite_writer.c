/* sqlite_writer.c - gather, apply, commit, tell. */
#include "inbox/sqlite_writer.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_MAX 512 /* changes of one transaction */

struct sqlite_writer {
    struct sqlite_db *db; /* the thread's alone */
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake;
    struct sqlite_item *first, **last;
    bool ending;
};

/* One transaction for all of `list`. Each item keeps its own trouble; what is returned is all's. */
static enum err commit(struct sqlite_db *db, struct sqlite_item *list, struct why *why)
{
    enum err e = sqlite_db_begin(db, why);
    if (e != ERR_OK)
        return e;
    for (struct sqlite_item *i = list; i != NULL && e == ERR_OK; i = i->next) {
        i->own = i->apply(i, &i->why);
        if (err_passes(i->own)) {
            e = i->own;
            *why = i->why;
        }
    }
    return sqlite_db_end(db, e, why);
}

/* Wait for changes and take what has gathered; NULL when the writer ends and all is done. */
static struct sqlite_item *take_batch(struct sqlite_writer *w)
{
    pthread_mutex_lock(&w->lock);
    while (w->first == NULL && !w->ending)
        pthread_cond_wait(&w->wake, &w->lock);
    struct sqlite_item *list = w->first, **end = &list;
    for (int n = 0; *end != NULL && n < BATCH_MAX; n++)
        end = &(*end)->next;
    w->first = *end;
    if (w->first == NULL)
        w->last = &w->first;
    *end = NULL;
    pthread_mutex_unlock(&w->lock);
    return list;
}

static void *writer_main(void *arg)
{
    struct sqlite_writer *w = arg;
    for (struct sqlite_item *list; (list = take_batch(w)) != NULL;) {
        struct why why;
        enum err e = commit(w->db, list, &why);
        while (list != NULL) {
            struct sqlite_item *i = list;
            list = i->next;
            if (e != ERR_OK)
                i->done(i, e, &why);
            else
                i->done(i, i->own, &i->why);
        }
    }
    return NULL;
}

enum err sqlite_writer_new(struct sqlite_db *db, struct sqlite_writer **ret, struct why *why)
{
    struct sqlite_writer *w = calloc(1, sizeof *w);
    if (w == NULL)
        return why_no_memory(why);
    w->db = db;
    w->last = &w->first;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->wake, NULL);
    int error = pthread_create(&w->thread, NULL, writer_main, w);
    if (error != 0) {
        free(w);
        return why_set(why, ERR_NOMEM, "inbox: writer thread: %s", strerror(error));
    }
    *ret = w;
    return ERR_OK;
}

void sqlite_writer_free(struct sqlite_writer *w)
{
    if (w == NULL)
        return;
    pthread_mutex_lock(&w->lock);
    w->ending = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

void sqlite_writer_put(struct sqlite_writer *w, struct sqlite_item *item)
{
    item->next = NULL;
    pthread_mutex_lock(&w->lock);
    *w->last = item;
    w->last = &item->next;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
}

/* ------------------------------------------------------------------------- waiting */

/* A change, and the thread that waits for it. */
struct waiting {
    struct sqlite_item head;
    struct sqlite_item *item;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake;
    bool over;
    enum err err;
    struct why why;
};

static enum err apply_inner(struct sqlite_item *item, struct why *why)
{
    struct sqlite_item *inner = ((struct waiting *)item)->item;
    return inner->apply(inner, why);
}

static void wake_up(struct sqlite_item *item, enum err e, const struct why *why)
{
    struct waiting *w = (struct waiting *)item;
    pthread_mutex_lock(&w->lock);
    w->over = true;
    w->err = e;
    if (e != ERR_OK)
        w->why = *why;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
}

enum err sqlite_writer_do(struct sqlite_writer *writer, struct sqlite_item *item, struct why *why)
{
    struct waiting w = {.head = {.apply = apply_inner, .done = wake_up},
                        .item = item,
                        .lock = PTHREAD_MUTEX_INITIALIZER,
                        .wake = PTHREAD_COND_INITIALIZER};
    sqlite_writer_put(writer, &w.head);
    pthread_mutex_lock(&w.lock);
    while (!w.over)
        pthread_cond_wait(&w.wake, &w.lock);
    pthread_mutex_unlock(&w.lock);
    return w.err == ERR_OK ? ERR_OK : why_set(why, w.err, "%s", w.why.text);
}
