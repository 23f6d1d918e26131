/*
 * rate.h - how often an account may call, shared by all threads that call for it.
 *
 * In any second that one might look at, no more than `per_s` calls begin. Where others call for the
 * account, too, turns are shared with them: taken from them by the handful, each for its second.
 */
#ifndef API_RATE_H
#define API_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct rate;

/* Take of the turns that all have together in this second: *ret_turns, 0 if none is left for
 * *ret_wait_ms, which is what the second still lasts. False: nobody knows, and our own limit alone
 * holds. It may take its time. */
typedef bool rate_share_fn(void *ctx, int64_t per_s, int64_t *ret_turns, int64_t *ret_wait_ms);

/* `per_s` of 0 is no limit. `share` may be NULL. NULL: out of memory. */
struct rate *rate_new(int64_t per_s, rate_share_fn *share, void *ctx);
void rate_free(struct rate *r); /* NULL is fine; when nobody waits */

/*
 * Wait for one's turn. When it would come after `deadline` (clk_mono_ms), say so at once:
 * ERR_HTTP_THROTTLED if the account is halted, with the time it still is in *ret_left_ms, else
 * ERR_TIMEOUT. A halt beyond `patience` is not waited for, either. ERR_STOPPED after rate_stop().
 */
enum err rate_take(struct rate *r, int64_t deadline, int64_t patience, int64_t *ret_left_ms);
/* Wait until this moment. ERR_STOPPED after rate_stop(). */
enum err rate_sleep(struct rate *r, int64_t until);
/* Nobody's turn comes before this moment; an earlier end never shortens a halt. */
void rate_halt(struct rate *r, int64_t until);
void rate_stop(struct rate *r); /* wakes all who wait */

#endif
