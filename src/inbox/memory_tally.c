/* memory_tally.c - how the calls of each webhook of an inbox in memory were answered. */
#include <stdio.h>
#include <string.h>

#include "base/clk.h"
#include "inbox/memory.h"

struct tally_row {
    char webhook_id[OBJECT_ID_MAX];
    struct inbox_tally tally;
};

static struct tally_row *find_tally(const struct memory *m, const char *webhook_id)
{
    for (size_t n = 0; n < m->tallies.count; n++) {
        struct tally_row *row = m->tallies.list[n];
        if (strcmp(row->webhook_id, webhook_id) == 0)
            return row;
    }
    return NULL;
}

static void count_call(struct inbox_tally *t, bool success)
{
    int64_t at_us = clk_wall_us();
    t->success += success;
    t->failure += !success;
    t->failure_since_last_success = success ? 0 : t->failure_since_last_success + 1;
    *(success ? &t->last_success_us : &t->last_failure_us) = at_us;
}

void memory_tally_add(struct inbox *i, const char *webhook_id, bool success)
{
    struct memory *m = memory_of(i);
    pthread_mutex_lock(&m->lock);
    struct tally_row *row = find_tally(m, webhook_id);
    if (row == NULL && (row = memory_add_row(&m->tallies, sizeof *row)) != NULL)
        snprintf(row->webhook_id, sizeof row->webhook_id, "%s", webhook_id);
    if (row != NULL)
        count_call(&row->tally, success);
    pthread_mutex_unlock(&m->lock);
}

enum err memory_tally_read(struct inbox *i, const char *webhook_id, struct inbox_tally *ret,
                           struct why *why)
{
    struct memory *m = memory_of(i);
    pthread_mutex_lock(&m->lock);
    const struct tally_row *row = find_tally(m, webhook_id);
    if (row != NULL)
        *ret = row->tally;
    pthread_mutex_unlock(&m->lock);
    return row != NULL ? ERR_OK : why_set(why, ERR_NOT_FOUND, "no call was counted");
}
