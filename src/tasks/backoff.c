/* backoff.c - doubling, with jitter. */
#include "tasks/backoff.h"

#include <sodium.h>

#include "base/clk.h"

#define DOUBLINGS_MAX 30

int64_t backoff_ms(const struct backoff *b, int64_t failures, int64_t retry_after_s)
{
    int64_t bound = b->min_ms;
    for (int64_t n = 0; n <= failures && n < DOUBLINGS_MAX && bound < b->max_ms; n++)
        bound *= 2;
    int64_t range = clk_earlier(bound, b->max_ms) - b->min_ms;
    range = clk_earlier(range, UINT32_MAX - 1);
    int64_t wait = b->min_ms + (int64_t)randombytes_uniform((uint32_t)range + 1);
    int64_t asked = retry_after_s > 0 ? clk_earlier(retry_after_s, b->max_ms / 1000) * 1000 : 0;
    return wait > asked ? wait : asked;
}
