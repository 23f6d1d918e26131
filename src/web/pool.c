/* pool.c - a fixed number of threads, and a bounded queue. */
#include "web/pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct piece {
    pool_fn *fn;
    void *work;
};

struct pool {
    pthread_mutex_t lock; /* guards the queue and `stopping` */
    pthread_cond_t wake;
    struct piece queue[POOL_QUEUE_MAX]; /* a ring */
    size_t first, count;
    bool stopping;
    int started;
    pthread_t threads[];
};

static void *thread_main(void *arg)
{
    struct pool *p = arg;
    pthread_mutex_lock(&p->lock);
    for (;;) {
        while (p->count == 0 && !p->stopping)
            pthread_cond_wait(&p->wake, &p->lock);
        if (p->count == 0)
            break;
        struct piece piece = p->queue[p->first];
        p->first = (p->first + 1) % POOL_QUEUE_MAX;
        p->count--;
        pthread_mutex_unlock(&p->lock);
        piece.fn(piece.work);
        pthread_mutex_lock(&p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

enum err pool_new(int threads, struct pool **ret, struct why *why)
{
    struct pool *p = calloc(1, sizeof *p + (size_t)threads * sizeof p->threads[0]);
    if (p == NULL)
        return why_no_memory(why);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);

    /* Signals are for the thread that waits for them. */
    sigset_t all, was;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &was);
    int error = 0;
    while (p->started < threads && error == 0) {
        error = pthread_create(&p->threads[p->started], NULL, thread_main, p);
        p->started += error == 0;
    }
    pthread_sigmask(SIG_SETMASK, &was, NULL);
    if (error != 0) {
        pool_free(p);
        return why_set(why, ERR_NOMEM, "thread: %s", strerror(error));
    }
    *ret = p;
    return ERR_OK;
}

enum err pool_run(struct pool *p, pool_fn *fn, void *work)
{
    enum err e = ERR_OK;
    pthread_mutex_lock(&p->lock);
    if (p->count == POOL_QUEUE_MAX) {
        e = ERR_BUSY;
    } else {
        p->queue[(p->first + p->count) % POOL_QUEUE_MAX] = (struct piece){fn, work};
        p->count++;
        pthread_cond_signal(&p->wake);
    }
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
    pthread_mutex_unlock(&p->lock);
    for (int i = 0; i < p->started; i++)
        pthread_join(p->threads[i], NULL);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    free(p);
}
