/* append.c - where the writer's thread leaves a receipt for ours. */
#include "append.h"

#include <pthread.h>

#include "unit.h"

struct waiting {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    int calls;
    struct inbox_receipt receipt;
};

static void on_appended(void *ctx, const struct inbox_receipt *receipt)
{
    struct waiting *w = ctx;
    pthread_mutex_lock(&w->lock);
    w->receipt = *receipt;
    w->calls++;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
}

struct inbox_receipt append_and_wait(struct inbox *i, const struct delivery *d)
{
    struct waiting w = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};
    inbox_append(i, d, on_appended, &w);
    pthread_mutex_lock(&w.lock);
    while (w.calls == 0)
        pthread_cond_wait(&w.wake, &w.lock);
    pthread_mutex_unlock(&w.lock);
    assert_int_equal(w.calls, 1);
    return w.receipt;
}
