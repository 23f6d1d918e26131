/* backoff.c - doubling, with jitter. */
#include "tasks/backoff.h"

#include <sodium.h>

#define DOUBLINGS_MAX 30

int64_t backoff_ms(const struct conf *conf, int64_t failures, int64_t retry_after_s)
{
    int64_t min = conf->processing.backoff_min_ms, max = conf->processing.backoff_max_ms;
    int64_t wait = min;
    for (int64_t n = 0; n < failures && n < DOUBLINGS_MAX && wait < max; n++)
        wait *= 2;
    wait = wait < max ? wait : max;
    int64_t half = wait / 2 < UINT32_MAX ? wait / 2 : UINT32_MAX - 1;
    wait -= half - (int64_t)randombytes_uniform((uint32_t)half + 1);
    int64_t asked = retry_after_s > 0 ? retry_after_s * 1000 : 0;
    asked = asked < max ? asked : max;
    return wait > asked ? wait : asked;
}
