/*
 * backoff.h - how long to wait before something is tried again.
 */
#ifndef TASKS_BACKOFF_H
#define TASKS_BACKOFF_H

#include <stdint.h>

#include "conf/conf.h"

struct backoff {
    int64_t min_ms, max_ms; /* processing.backoff_min and backoff_max */
};

static inline struct backoff backoff_of(const struct conf *c)
{
    return (struct backoff){c->processing.backoff_min_ms, c->processing.backoff_max_ms};
}

/*
 * After `failures` in a row before this one: anything from the shortest wait to a bound that
 * doubles with each and never passes the longest ("full jitter"), so that what failed together is
 * not tried together. At least what somebody asked for (`retry_after_s`, -1: nobody did), the
 * longest at most.
 */
int64_t backoff_ms(const struct backoff *b, int64_t failures, int64_t retry_after_s);

#endif
