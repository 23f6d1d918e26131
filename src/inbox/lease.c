/* lease.c - leases, and who is still there to give them back. */
#include "inbox/lease.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/array.h"
#include "inbox/filelock.h"

/* ------------------------------------------------------------------- who takes them */

/* Nobody else has chosen the same one; a file's positions are positive. */
static int64_t choose_mark(void)
{
    uint64_t at;
    randombytes_buf(&at, sizeof at);
    return (int64_t)(at >> 2) + FILELOCK_MARKS;
}

void lease_taker_init(struct lease_taker *t, int lock_file)
{
    struct stat st;
    int64_t mark = choose_mark();
    *t = (struct lease_taker){.lock_file = lock_file};
    if (lock_file >= 0 && fstat(lock_file, &st) == 0 && filelock_mark(lock_file, mark))
        t->file = st.st_ino;
    snprintf(t->owner, sizeof t->owner, "%" PRIu64 ":%" PRIx64, t->file, (uint64_t)mark);
    pthread_mutex_init(&t->lock, NULL);
}

void lease_taker_free(struct lease_taker *t)
{
    free(t->dropped);
    pthread_mutex_destroy(&t->lock);
}

bool lease_taker_alone(const struct lease_taker *t)
{
    return t->file != 0 && filelock_unmarked(t->lock_file, FILELOCK_MARKS, 0);
}

static bool parse_owner(const char *owner, uint64_t *ret_file, uint64_t *ret_mark)
{
    char *end;
    *ret_file = strtoull(owner, &end, 10);
    if (end == owner || *end != ':')
        return false;
    const char *mark = end + 1;
    *ret_mark = strtoull(mark, &end, 16);
    return end != mark && *end == '\0';
}

static bool is_gone(const struct lease_taker *t, const char *owner)
{
    uint64_t file, mark;
    return t->file != 0 && strcmp(owner, t->owner) != 0 && parse_owner(owner, &file, &mark) &&
           file == t->file && mark >= FILELOCK_MARKS && mark <= INT64_MAX &&
           filelock_unmarked(t->lock_file, (int64_t)mark, 1);
}

/* For want of memory it is held to its end. */
void lease_drop(struct lease_taker *t, const struct inbox_lease *lease)
{
    pthread_mutex_lock(&t->lock);
    uint8_t(*dropped)[INBOX_LEASE_LEN] = array_room(t->dropped, t->count, &t->cap,
                                                    sizeof t->dropped[0]);
    if (dropped != NULL) {
        t->dropped = dropped;
        memcpy(t->dropped[t->count++], lease->token, sizeof lease->token);
    }
    pthread_mutex_unlock(&t->lock);
}

/* A token is not used again, so it is remembered for good; there are few: one for each failure. */
static bool was_dropped(struct lease_taker *t, const uint8_t token[INBOX_LEASE_LEN])
{
    bool found = false;
    pthread_mutex_lock(&t->lock);
    for (size_t n = 0; n < t->count && !found; n++)
        found = memcmp(t->dropped[n], token, INBOX_LEASE_LEN) == 0;
    pthread_mutex_unlock(&t->lock);
    return found;
}

/* -------------------------------------------------------------------------- leases */

void lease_take(struct lease_row *l, const struct lease_taker *t, int64_t now_us, int64_t lease_ms)
{
    randombytes_buf(l->token, sizeof l->token);
    l->until_us = now_us + lease_ms * 1000;
    snprintf(l->owner, sizeof l->owner, "%s", t->owner);
}

bool lease_held(const struct lease_row *l)
{
    return l->until_us != 0;
}

bool lease_lost(const struct lease_row *l, int64_t now_us, struct lease_taker *t)
{
    return lease_held(l) &&
           (l->until_us <= now_us || was_dropped(t, l->token) || is_gone(t, l->owner));
}

bool lease_matches(const struct lease_row *l, const struct inbox_lease *mine)
{
    return lease_held(l) && memcmp(l->token, mine->token, sizeof l->token) == 0;
}

void lease_give(struct lease_row *l)
{
    *l = (struct lease_row){.until_us = 0};
}
