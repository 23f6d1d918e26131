/*
 * clk.h - the two clocks, and ISO 8601.
 *
 * Deadlines and durations live on the monotonic clock, in milliseconds; what is
 * stored or shown is UTC wall time, in seconds or microseconds since the epoch.
 */
#ifndef BASE_CLK_H
#define BASE_CLK_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define CLK_NEVER   INT64_MAX /* a deadline that does not come */
#define CLK_UNKNOWN INT64_MIN /* a wall time that nobody has told */
#define CLK_S_US    INT64_C(1000000)
#define CLK_ISO_MAX 32 /* bytes of clk_iso()'s text, with the NUL */

int64_t clk_mono_ms(void); /* since some moment in the past; never steps */
int64_t clk_boot_ms(void); /* the same, and goes on while the machine is suspended */
int64_t clk_boot_us(void);
int64_t clk_wall_s(void);  /* UTC, seconds since the epoch */
int64_t clk_wall_us(void); /* UTC, microseconds since the epoch */

/* The earlier of two moments of one clock. */
int64_t clk_earlier(int64_t a, int64_t b);

/* Milliseconds until `deadline` (clk_mono_ms), 0 if it has passed, INT_MAX at most. For poll(). */
int clk_left_ms(int64_t deadline);

/* A condition to wait for until a moment of clk_mono_ms() at the latest; it may end sooner. */
void clk_cond_init(pthread_cond_t *cond);
void clk_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t until);

/* "2026-11-23T10:04:56+00:00", the form that Connect writes. */
void clk_iso(int64_t wall_s, char ret[CLK_ISO_MAX]);
/* The whole second, as it has begun. */
int64_t clk_second(int64_t wall_us);

/*
 * Read an ISO 8601 instant in the shapes that Connect sends: 'T' or a space between
 * date and time, an optional fraction, 'Z', '+03:00', '+0300' or nothing (then UTC),
 * or a bare date (then midnight). ERR_SYNTAX or ERR_RANGE leave *ret_us untouched.
 */
enum err clk_parse_iso(const char *s, size_t len, int64_t *ret_us);

#endif
