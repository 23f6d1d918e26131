/* sqlite_writer.c - a list of changes, and the thread that has them made. */
#include "inbox/sqlite_writer.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"

#define BATCH_MAX 512 /* changes of one transaction */

struct sqlite_writer {
    struct sqlite_db *db;
    sqlite_commit_fn *commit;
    sqlite_committed_fn *committed;
    pthread_t thread;

    pthread_mutex_t lock;  /* guards what follows, and whether an item is over */
    pthread_cond_t wanted; /* the thread: there is work, or none will come */
    pthread_cond_t told;   /* those who wait: something is over */
    struct sqlite_item *first, **last;
    size_t urgent;    /* how many of them cannot wait */
    int64_t later_by; /* clk_mono_ms: when those that can have waited long enough */
    bool ending;
};

static void tell(struct sqlite_writer *w, struct sqlite_item *i)
{
    if (i->done != NULL) {
        i->done(i);
        return;
    }
    pthread_mutex_lock(&w->lock);
    i->over = true;
    pthread_cond_broadcast(&w->told);
    pthread_mutex_unlock(&w->lock);
}

/* Wait for changes and take what has gathered; NULL when the thread ends and all is done. */
static struct sqlite_item *take_batch(struct sqlite_writer *w)
{
    pthread_mutex_lock(&w->lock);
    while (w->urgent == 0 && !w->ending && (w->first == NULL || clk_mono_ms() < w->later_by))
        clk_cond_wait(&w->wanted, &w->lock, w->first != NULL ? w->later_by : CLK_NEVER);
    struct sqlite_item *list = w->first, **end = &list;
    for (int n = 0; *end != NULL && n < BATCH_MAX; n++) {
        w->urgent -= !(*end)->can_wait;
        end = &(*end)->next;
    }
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
        enum err e = w->commit(w->db, list, &why);
        while (list != NULL) {
            struct sqlite_item *i = list;
            list = i->next;
            if (e != ERR_OK) {
                i->err = e;
                i->why = why;
            }
            tell(w, i);
        }
        w->committed(w->db);
    }
    return NULL;
}

static void free_writer(struct sqlite_writer *w)
{
    pthread_cond_destroy(&w->told);
    pthread_cond_destroy(&w->wanted);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

enum err sqlite_writer_start(struct sqlite_db *d, sqlite_commit_fn *commit,
                             sqlite_committed_fn *committed, struct sqlite_writer **ret,
                             struct why *why)
{
    struct sqlite_writer *w = calloc(1, sizeof *w);
    if (w == NULL)
        return why_no_memory(why);
    w->db = d;
    w->commit = commit;
    w->committed = committed;
    w->last = &w->first;
    pthread_mutex_init(&w->lock, NULL);
    clk_cond_init(&w->wanted);
    pthread_cond_init(&w->told, NULL);
    int error = pthread_create(&w->thread, NULL, writer_main, w);
    if (error != 0) {
        free_writer(w);
        return why_set(why, ERR_NOMEM, "inbox: writer thread: %s", strerror(error));
    }
    *ret = w;
    return ERR_OK;
}

void sqlite_writer_end(struct sqlite_writer *w)
{
    pthread_mutex_lock(&w->lock);
    w->ending = true;
    pthread_cond_signal(&w->wanted);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    free_writer(w);
}

void sqlite_writer_put(struct sqlite_writer *w, struct sqlite_item *item, bool can_wait)
{
    item->next = NULL;
    item->over = false;
    item->can_wait = can_wait;
    pthread_mutex_lock(&w->lock);
    bool is_first = w->first == NULL;
    if (is_first)
        w->later_by = clk_mono_ms() + SQLITE_LATER_MS;
    *w->last = item;
    w->last = &item->next;
    w->urgent += !can_wait;
    if (!can_wait || is_first)
        pthread_cond_signal(&w->wanted);
    pthread_mutex_unlock(&w->lock);
}

void sqlite_writer_wait(struct sqlite_writer *w, const struct sqlite_item *item)
{
    pthread_mutex_lock(&w->lock);
    while (!item->over)
        pthread_cond_wait(&w->told, &w->lock);
    pthread_mutex_unlock(&w->lock);
}
