/* retention.c - forgetting what is over. */
#include "tasks/retention.h"

#include <inttypes.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/log.h"

#define STEP         100  /* rows of a kind: calls that come meanwhile wait for one step at most */
#define REST         4    /* between two steps: times what the last one has taken, ... */
#define REST_MIN_MS  20   /* ... */
#define LOOK_PART    1000 /* this part of the retention, between two looks ... */
#define LOOK_MIN_MS  1000 /* ... */
#define LOOK_MAX_MS  600000 /* ... */
#define CHANCE       16     /* one of so many calls pays for them all */
#define CHANCE_STEP  (32 * CHANCE)
#define SHRINK_PART  2 /* this part of the file is free: who wants it back is told */
#define SHRINK_BYTES (64 * 1024 * 1024) /* ... if it is so much */

struct retention {
    struct inbox *inbox;
    struct snapshots *snapshots;
    pthread_t thread;

    pthread_mutex_t lock;   /* guards what follows */
    pthread_cond_t changed; /* it is over */
    bool over;
};

static int64_t age_ms(const struct retention *r)
{
    struct snapshot *s = snapshots_take(r->snapshots);
    int64_t ms = s->conf->inbox.retention_ms;
    snapshot_release(s);
    return ms;
}

static int64_t within(int64_t n, int64_t min, int64_t max)
{
    return n < min ? min : n > max ? max : n;
}

/* False: it is over. */
static bool rest(struct retention *r, int64_t ms)
{
    int64_t until = clk_mono_ms() + ms;
    pthread_mutex_lock(&r->lock);
    while (!r->over && clk_mono_ms() < until)
        clk_cond_wait(&r->changed, &r->lock, until);
    bool goes_on = !r->over;
    pthread_mutex_unlock(&r->lock);
    return goes_on;
}

/* The room that it has left is used again, but the file does not get smaller by itself. */
static void tell_of_room(struct inbox *i, int64_t count)
{
    struct inbox_room room;
    struct why why;
    log_info("inbox.retention: %" PRId64 " deliveries and tasks are forgotten", count);
    if (inbox_room_of(i, &room, &why) == ERR_OK && room.free_bytes >= SHRINK_BYTES &&
        room.free_bytes >= room.bytes / SHRINK_PART)
        log_info("inbox: %" PRId64 " of %" PRId64 " MiB are free for what is to come; to have them "
                 "back, stop the handler and the workers, and run %s",
                 room.free_bytes >> 20, room.bytes >> 20, room.shrink);
}

static void *retention_main(void *arg)
{
    struct retention *r = arg;
    int64_t pause_ms = 0, forgotten = 0;
    while (rest(r, pause_ms)) {
        struct why why;
        int64_t count = 0, began = clk_mono_ms(), age = age_ms(r);
        bool more = false;
        enum err e = inbox_prune(r->inbox, age, STEP, &count, &more, &why);
        int64_t took_ms = clk_mono_ms() - began;
        if (e != ERR_OK && e != ERR_STOPPED)
            log_warn("inbox.retention: nothing can be forgotten now: %s", why.text);
        forgotten += count;
        if (!more && forgotten > 0) {
            tell_of_room(r->inbox, forgotten);
            forgotten = 0;
        }
        pause_ms = more ? within(took_ms * REST, REST_MIN_MS, LOOK_MIN_MS)
                        : within(age / LOOK_PART, LOOK_MIN_MS, LOOK_MAX_MS);
    }
    return NULL;
}

enum err retention_start(struct inbox *inbox, struct snapshots *snapshots, struct retention **ret,
                         struct why *why)
{
    struct retention *r = calloc(1, sizeof *r);
    if (r == NULL)
        return why_no_memory(why);
    r->inbox = inbox;
    r->snapshots = snapshots;
    pthread_mutex_init(&r->lock, NULL);
    clk_cond_init(&r->changed);
    int error = pthread_create(&r->thread, NULL, retention_main, r);
    if (error == 0) {
        *ret = r;
        return ERR_OK;
    }
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->lock);
    free(r);
    return why_set(why, ERR_NOMEM, "thread: %s", strerror(error));
}

void retention_end(struct retention *r)
{
    if (r == NULL)
        return;
    pthread_mutex_lock(&r->lock);
    r->over = true;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
    pthread_join(r->thread, NULL);
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

void retention_by_chance(struct inbox *inbox, int64_t retention_ms)
{
    struct why why;
    int64_t count = 0;
    bool more;
    if (randombytes_uniform(CHANCE) == 0 &&
        inbox_prune(inbox, retention_ms, CHANCE_STEP, &count, &more, &why) != ERR_OK)
        log_warn("inbox.retention: nothing can be forgotten now: %s", why.text);
}
