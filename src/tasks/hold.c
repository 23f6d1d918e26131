/* hold.c - leases that are kept. */
#include "tasks/hold.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/clk.h"
#include "base/log.h"

struct holds {
    struct inbox *inbox;
    pthread_mutex_t lock; /* guards what follows */
    struct hold *first;
};

struct holds *holds_new(struct inbox *inbox)
{
    struct holds *h = calloc(1, sizeof *h);
    if (h == NULL)
        return NULL;
    h->inbox = inbox;
    pthread_mutex_init(&h->lock, NULL);
    return h;
}

void holds_free(struct holds *h)
{
    if (h == NULL)
        return;
    pthread_mutex_destroy(&h->lock);
    free(h);
}

/* What cannot be looked up is not ours. The look may take its time. */
static bool is_ours(void *ctx)
{
    const struct hold *h = ctx;
    struct why why;
    return inbox_check_lease(h->inbox, &h->lease, &why) == ERR_OK && clk_boot_ms() < h->until;
}

void hold_begin(struct hold *h, struct inbox *inbox, struct holds *among,
                const struct inbox_lease *lease, int64_t lease_ms)
{
    h->fence = (struct api_fence){is_ours, h};
    h->until = lease->until;
    h->lease = *lease;
    h->lease_ms = lease_ms;
    h->inbox = inbox;
    h->among = among;
    if (among == NULL)
        return;
    pthread_mutex_lock(&among->lock);
    h->next = among->first;
    among->first = h;
    pthread_mutex_unlock(&among->lock);
}

void hold_end(struct hold *h)
{
    struct holds *among = h->among;
    if (among == NULL)
        return;
    pthread_mutex_lock(&among->lock);
    struct hold **at = &among->first;
    while (*at != h)
        at = &(*at)->next;
    *at = h->next;
    pthread_mutex_unlock(&among->lock);
}

/* --------------------------------------------------------------------- heartbeats */

/* A lease that is due for one: a copy, for its holder may let go of it meanwhile. */
struct due {
    struct inbox_lease lease;
    int64_t lease_ms;
};

static struct due *list_due(struct holds *h, size_t *ret_count)
{
    struct due *list = NULL;
    size_t count = 0, cap = 0;
    int64_t now = clk_boot_ms();
    pthread_mutex_lock(&h->lock);
    for (const struct hold *one = h->first; one != NULL; one = one->next) {
        if (one->until - now > one->lease_ms * 2 / 3)
            continue;
        struct due *more = array_room(list, count, &cap, sizeof *list);
        if (more == NULL)
            break; /* the rest has its turn with the next beat */
        list = more;
        list[count++] = (struct due){one->lease, one->lease_ms};
    }
    pthread_mutex_unlock(&h->lock);
    *ret_count = count;
    return list;
}

static void note_until(struct holds *h, const struct inbox_lease *lease, int64_t until)
{
    pthread_mutex_lock(&h->lock);
    for (struct hold *one = h->first; one != NULL; one = one->next)
        if (memcmp(one->lease.token, lease->token, sizeof lease->token) == 0)
            one->until = until;
    pthread_mutex_unlock(&h->lock);
}

void holds_beat(struct holds *h)
{
    size_t count;
    struct due *list = list_due(h, &count);
    for (size_t n = 0; n < count; n++) {
        struct why why;
        int64_t until = clk_boot_ms() + list[n].lease_ms;
        enum err e = inbox_heartbeat(h->inbox, &list[n].lease, list[n].lease_ms, &why);
        if (e == ERR_OK)
            note_until(h, &list[n].lease, until);
        else if (e == ERR_FENCED) /* or given back a moment ago: then nobody has it any more */
            note_until(h, &list[n].lease, 0);
        if (e == ERR_OK || e == ERR_FENCED)
            continue;
        log_warn("leases could not be kept: %s", why.text); /* the next beat tries again */
        break;
    }
    free(list);
}
