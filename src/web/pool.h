/*
 * pool.h - a fixed number of threads for work that takes its time, and a bounded queue.
 */
#ifndef WEB_POOL_H
#define WEB_POOL_H

#include "base/err.h"

#define POOL_QUEUE_MAX 1024 /* pieces of work that wait */

struct pool;
typedef void pool_fn(void *work);

/* *ret is owned: pool_free(). */
enum err pool_new(int threads, struct pool **ret, struct why *why);
/* Have `fn(work)` run by some thread. ERR_BUSY if the queue is full. Any thread. */
enum err pool_run(struct pool *p, pool_fn *fn, void *work);
/* Waits until all work is done. NULL is fine. */
void pool_free(struct pool *p);

#endif
