/* pool.c - a limited number of threads, and a bounded queue. */
#include "web/pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"

/* For whom there is or was work. */
struct client {
    struct client *next;
    int running, waiting; /* pieces of work */
    char name[];
};

struct piece {
    pool_fn *fn;
    void *work;
    struct client *client; /* NULL: nobody's */
    struct piece *next;
    int64_t late_at; /* clk_mono_ms */
};

struct pool {
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake;
    struct piece pieces[POOL_QUEUE_MAX];
    struct piece *unused;        /* a list */
    struct piece *first, **last; /* those that wait, the oldest first */
    int waiting, running, idle;  /* pieces, pieces, threads */
    struct client *clients;
    bool stopping;
    struct pool_patience patience; /* constant; `late` is NULL if it has no end */
    pthread_cond_t door;           /* who turns away: something waits, or nothing will */
    pthread_t doorman;
    bool has_doorman;
    int started, max;
    pthread_t threads[];
};

/* ------------------------------------------------------------------------- shares */

/* May a client that has so many of `all` have one more? `taken` are everybody's. */
static bool may_have_more(int has, int taken, int all)
{
    int share = (all - (taken - has)) / 2;
    return has < (share > 1 ? share : 1);
}

static bool may_run(const struct pool *p, const struct piece *piece)
{
    return piece->client == NULL || p->stopping ||
           may_have_more(piece->client->running, p->running, p->max);
}

/* NULL: out of memory. */
static struct client *find_client(struct pool *p, const char *name)
{
    struct client *c = p->clients;
    while (c != NULL && strcmp(c->name, name) != 0)
        c = c->next;
    if (c != NULL)
        return c;
    size_t size = strlen(name) + 1;
    c = calloc(1, sizeof *c + size);
    if (c == NULL)
        return NULL;
    memcpy(c->name, name, size);
    c->next = p->clients;
    return p->clients = c;
}

/* ------------------------------------------------------------------------- threads */

/* Off the queue, in which *at is one. */
static struct piece *unqueue(struct pool *p, struct piece **at)
{
    struct piece *piece = *at;
    *at = piece->next;
    if (p->last == &piece->next)
        p->last = at;
    p->waiting--;
    if (piece->client != NULL)
        piece->client->waiting--;
    return piece;
}

/* Give the place back, and have what was in it. */
static struct piece take_out(struct pool *p, struct piece *piece)
{
    struct piece own = *piece;
    piece->next = p->unused;
    p->unused = piece;
    return own;
}

/* The oldest that may run; NULL if there is none. */
static struct piece *take(struct pool *p)
{
    struct piece **at = &p->first;
    while (*at != NULL && !may_run(p, *at))
        at = &(*at)->next;
    if (*at == NULL)
        return NULL;
    struct piece *piece = unqueue(p, at);
    p->running++;
    if (piece->client != NULL)
        piece->client->running++;
    return piece;
}

/* Wait for a piece; NULL when the pool ends and none waits. */
static struct piece *next_piece(struct pool *p)
{
    struct piece *piece;
    while ((piece = take(p)) == NULL && !p->stopping) {
        p->idle++;
        pthread_cond_wait(&p->wake, &p->lock);
        p->idle--;
    }
    return piece;
}

static void *thread_main(void *arg)
{
    struct pool *p = arg;
    struct piece *piece;
    pthread_mutex_lock(&p->lock);
    while ((piece = next_piece(p)) != NULL) {
        struct piece own = take_out(p, piece);
        pthread_mutex_unlock(&p->lock);
        own.fn(own.work);
        pthread_mutex_lock(&p->lock);
        p->running--;
        if (own.client != NULL)
            own.client->running--;
        if (p->first != NULL) /* what had to wait for its share may be several */
            pthread_cond_signal(&p->wake);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* Turns away what has waited too long; the oldest is the first. */
static void *doorman_main(void *arg)
{
    struct pool *p = arg;
    pthread_mutex_lock(&p->lock);
    while (!p->stopping) {
        const struct piece *oldest = p->first;
        if (oldest == NULL || clk_mono_ms() < oldest->late_at) {
            clk_cond_wait(&p->door, &p->lock, oldest != NULL ? oldest->late_at : CLK_NEVER);
            continue;
        }
        struct piece own = take_out(p, unqueue(p, &p->first));
        pthread_mutex_unlock(&p->lock);
        p->patience.late(own.work);
        pthread_mutex_lock(&p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

static int run_thread(pthread_t *ret, void *(*fn)(void *), struct pool *p)
{
    sigset_t all, was; /* signals are for the thread that waits for them */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &was);
    int error = pthread_create(ret, NULL, fn, p);
    pthread_sigmask(SIG_SETMASK, &was, NULL);
    return error;
}

/* One thread more for one piece more, if the idle ones have each their piece already and there may
 * be more. Only the first has to be had. */
static enum err start_thread(struct pool *p)
{
    if (p->waiting < p->idle || p->started == p->max)
        return ERR_OK;
    p->started += run_thread(&p->threads[p->started], thread_main, p) == 0;
    return p->started > 0 ? ERR_OK : ERR_NOMEM;
}

/* ---------------------------------------------------------------------------- pool */

enum err pool_new(int threads, const struct pool_patience *patience, struct pool **ret,
                  struct why *why)
{
    struct pool *p = calloc(1, sizeof *p + (size_t)threads * sizeof p->threads[0]);
    if (p == NULL)
        return why_no_memory(why);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    clk_cond_init(&p->door);
    if (patience != NULL)
        p->patience = *patience;
    p->max = threads;
    p->last = &p->first;
    for (size_t i = 0; i < POOL_QUEUE_MAX; i++) {
        p->pieces[i].next = p->unused;
        p->unused = &p->pieces[i];
    }
    *ret = p;
    return ERR_OK;
}

/* What has just come may have to wait. Without a doorman, for want of a thread, it will. */
static void watch_door(struct pool *p)
{
    if (!p->has_doorman)
        p->has_doorman = run_thread(&p->doorman, doorman_main, p) == 0;
    pthread_cond_signal(&p->door);
}

/* With the lock. */
static enum err put(struct pool *p, const char *who, pool_fn *fn, void *work)
{
    struct client *client = who != NULL ? find_client(p, who) : NULL;
    if (who != NULL && client == NULL)
        return ERR_NOMEM;
    if (p->unused == NULL ||
        (client != NULL && !may_have_more(client->waiting, p->waiting, POOL_QUEUE_MAX)))
        return ERR_BUSY;
    enum err e = start_thread(p);
    if (e != ERR_OK)
        return e;
    struct piece *piece = p->unused;
    p->unused = piece->next;
    *piece = (struct piece){
        .fn = fn, .work = work, .client = client, .late_at = clk_mono_ms() + p->patience.ms};
    *p->last = piece;
    p->last = &piece->next;
    p->waiting++;
    if (client != NULL)
        client->waiting++;
    pthread_cond_signal(&p->wake);
    if (p->patience.late != NULL && (p->waiting > p->idle || !may_run(p, piece)))
        watch_door(p);
    return ERR_OK;
}

enum err pool_run(struct pool *p, const char *who, pool_fn *fn, void *work)
{
    pthread_mutex_lock(&p->lock);
    enum err e = put(p, who, fn, work);
    pthread_mutex_unlock(&p->lock);
    return e;
}

void pool_free(struct pool *p)
{
    if (p == NULL)
        return;
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    pthread_cond_broadcast(&p->wake);
    pthread_cond_signal(&p->door);
    pthread_mutex_unlock(&p->lock);
    if (p->has_doorman)
        pthread_join(p->doorman, NULL);
    for (int i = 0; i < p->started; i++)
        pthread_join(p->threads[i], NULL);
    while (p->clients != NULL) {
        struct client *next = p->clients->next;
        free(p->clients);
        p->clients = next;
    }
    pthread_cond_destroy(&p->door);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    free(p);
}
