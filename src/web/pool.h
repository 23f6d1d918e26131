/*
 * pool.h - a limited number of threads for work that takes its time, and a bounded queue.
 *
 * Work is done in the order in which it came, but for one rule: who is named with it gets at most
 * half of the threads, and of the queue, that all others have left. So there is always one more for
 * the next one, however many of the others hang. A pool may have patience: what has waited so long
 * for a thread is turned away.
 */
#ifndef WEB_POOL_H
#define WEB_POOL_H

#include <stdint.h>

#include "base/err.h"

#define POOL_QUEUE_MAX 1024 /* pieces of work that wait */

struct pool;
typedef void pool_fn(void *work);

struct pool_patience {
    int64_t ms;    /* to wait for a thread */
    pool_fn *late; /* what becomes of work that has, in a thread of the pool's own; takes no time */
};

/* At most `threads` at a time; they are started when there is work for them. `patience` is copied;
 * NULL: without end. *ret is owned: pool_free(). */
enum err pool_new(int threads, const struct pool_patience *patience, struct pool **ret,
                  struct why *why);
/*
 * Have `fn(work)` run by some thread. `who` it is for is a name, copied; NULL is nobody, who has no
 * share to keep to. ERR_BUSY if the queue, or the share of it, is full; ERR_NOMEM. Any thread.
 */
enum err pool_run(struct pool *p, const char *who, pool_fn *fn, void *work);
/* Waits until all work is done. NULL is fine. */
void pool_free(struct pool *p);

#endif
