/*
 * rate.h - how often an account may call, shared by all threads that call for it.
 *
 * In any second that one might look at, no more than `per_s` calls begin.
 */
#ifndef API_RATE_H
#define API_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct rate;

/* `per_s` of 0 is no limit. NULL: out of memory. */
struct rate *rate_new(int64_t per_s);
void rate_free(struct rate *r); /* NULL is fine; when nobody waits */

/*
 * Wait for one's turn. When it would come after `deadline` (clk_mono_ms), say so at once:
 * ERR_HTTP_THROTTLED if the account is halted, with the time it still is in *ret_left_ms, else
 * ERR_TIMEOUT. ERR_STOPPED after rate_stop().
 */
enum err rate_take(struct rate *r, int64_t deadline, int64_t *ret_left_ms);
/* Wait until this moment. ERR_STOPPED after rate_stop(). */
enum err rate_sleep(struct rate *r, int64_t until);
/* Nobody's turn comes before this moment; an earlier end never shortens a halt. */
void rate_halt(struct rate *r, int64_t until);
void rate_stop(struct rate *r); /* wakes all who wait */

#endif
