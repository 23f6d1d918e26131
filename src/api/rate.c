/* rate.c - how often an account may call. */
#include "api/rate.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clk.h"

#define WINDOW_MS 1000

struct rate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stopped;
    int64_t halted_until;
    rate_share_fn *share; /* NULL: nobody else calls */
    void *share_ctx;
    bool sharing;         /* somebody is at it, for all */
    int64_t shared;       /* turns that are left */
    int64_t shared_until; /* ... in a second that ends then */
    int64_t none_until;   /* others have spent all of that second */
    size_t n, oldest;
    int64_t turns[]; /* when the last `n` calls began or are to begin, a ring */
};

struct rate *rate_new(int64_t per_s, rate_share_fn *share, void *ctx)
{
    size_t n = per_s > 0 ? (size_t)per_s : 0;
    if (n > SIZE_MAX / (2 * sizeof(int64_t)))
        return NULL;
    struct rate *r = calloc(1, sizeof *r + n * sizeof *r->turns);
    if (r == NULL)
        return NULL;
    r->n = n;
    r->share = n > 0 ? share : NULL;
    r->share_ctx = ctx;
    for (size_t i = 0; i < n; i++)
        r->turns[i] = INT64_MIN / 2;
    clk_cond_init(&r->changed);
    pthread_mutex_init(&r->lock, NULL);
    return r;
}

void rate_free(struct rate *r)
{
    if (r == NULL)
        return;
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

/* Under the lock: the moment of the next free turn. */
static int64_t next_turn(const struct rate *r, int64_t now)
{
    int64_t turn = r->halted_until > now ? r->halted_until : now;
    if (r->n > 0 && r->turns[r->oldest] + WINDOW_MS > turn)
        turn = r->turns[r->oldest] + WINDOW_MS;
    if (r->none_until > turn)
        turn = r->none_until;
    return turn;
}

/* Have turns to take, or a second to wait for the end of. Unlocks meanwhile. */
static void take_share(struct rate *r)
{
    int64_t turns = 0, wait_ms = 0;
    r->sharing = true;
    pthread_mutex_unlock(&r->lock);
    int64_t begun = clk_mono_ms();
    bool known = r->share(r->share_ctx, (int64_t)r->n, &turns, &wait_ms);
    pthread_mutex_lock(&r->lock);
    r->sharing = false;
    r->shared = known ? turns : (int64_t)r->n;
    r->shared_until = begun + (known ? wait_ms : WINDOW_MS);
    if (r->shared == 0)
        r->none_until = r->shared_until;
    pthread_cond_broadcast(&r->changed);
}

/* Is there a turn of those that are shared? */
static bool has_share(const struct rate *r, int64_t now)
{
    return r->share == NULL || (r->shared > 0 && r->shared_until > now);
}

static void spend(struct rate *r, int64_t now)
{
    if (r->n == 0)
        return;
    r->turns[r->oldest] = now;
    r->oldest = (r->oldest + 1) % r->n;
    r->shared -= r->share != NULL;
}

/*
 * Turns are not booked ahead: whoever wakes looks again. So a halt that begins meanwhile holds
 * for all who wait, and who gives up leaves no gap.
 */
enum err rate_take(struct rate *r, int64_t deadline, int64_t patience, int64_t *ret_left_ms)
{
    enum err e = ERR_OK;
    pthread_mutex_lock(&r->lock);
    for (;;) {
        int64_t now = clk_mono_ms(), turn = next_turn(r, now);
        if (r->stopped) {
            e = ERR_STOPPED;
        } else if (r->halted_until > clk_earlier(deadline, patience)) {
            e = ERR_HTTP_THROTTLED;
            *ret_left_ms = r->halted_until - now;
        } else if (turn > deadline) {
            e = ERR_TIMEOUT;
            *ret_left_ms = turn - now;
        } else if (turn > now) {
            clk_cond_wait(&r->changed, &r->lock, turn);
            continue;
        } else if (has_share(r, now)) {
            spend(r, now);
        } else if (!r->sharing) {
            take_share(r);
            continue;
        } else if (now >= deadline) {
            e = ERR_TIMEOUT;
        } else {
            clk_cond_wait(&r->changed, &r->lock, deadline);
            continue;
        }
        break;
    }
    pthread_mutex_unlock(&r->lock);
    return e;
}

enum err rate_sleep(struct rate *r, int64_t until)
{
    pthread_mutex_lock(&r->lock);
    while (!r->stopped && clk_mono_ms() < until)
        clk_cond_wait(&r->changed, &r->lock, until);
    enum err e = r->stopped ? ERR_STOPPED : ERR_OK;
    pthread_mutex_unlock(&r->lock);
    return e;
}

void rate_halt(struct rate *r, int64_t until)
{
    pthread_mutex_lock(&r->lock);
    if (until > r->halted_until)
        r->halted_until = until;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

void rate_stop(struct rate *r)
{
    pthread_mutex_lock(&r->lock);
    r->stopped = true;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}
