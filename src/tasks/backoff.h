/*
 * backoff.h - how long to wait before something is tried again.
 */
#ifndef TASKS_BACKOFF_H
#define TASKS_BACKOFF_H

#include <stdint.h>

#include "conf/conf.h"

/*
 * After `failures` in a row before this one: between half of and the whole of what doubles with
 * each from processing.backoff_min to backoff_max, at random, so that what failed together is not
 * tried together. At least what somebody asked for (`retry_after_s`, -1: nobody did), backoff_max
 * at most.
 */
int64_t backoff_ms(const struct conf *conf, int64_t failures, int64_t retry_after_s);

#endif
