/* lease.c - leases, and the names of processes. */
#include "inbox/lease.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/proc.h"

#define STAT_START 20 /* of /proc/PID/stat: the start, counted from the field behind the name */

/* When a process was started, in ticks since the boot; "" if there is none. */
static void read_start(const char *pid, char ret[32])
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%s/stat", pid);
    proc_line(path, text, sizeof text);
    char *at = strrchr(text, ')'); /* a name may be anything */
    for (int field = 0; at != NULL && field < STAT_START; field++)
        at = strchr(at + 1, ' ');
    snprintf(ret, 32, "%.*s", at != NULL ? (int)strcspn(at + 1, " ") : 0, at != NULL ? at + 1 : "");
}

void lease_boot_id(char ret[LEASE_BOOT_MAX])
{
    proc_line("/proc/sys/kernel/random/boot_id", ret, LEASE_BOOT_MAX);
}

struct owner {
    char place[72], boot[LEASE_BOOT_MAX];
    char pid[16], start[32];
};

static void find_self(struct owner *o)
{
    char host[64] = "", space[64];
    gethostname(host, sizeof host - 1);
    host[strcspn(host, " ")] = '\0';
    ssize_t len = readlink("/proc/self/ns/pid", space, sizeof space - 1);
    space[len > 0 ? len : 0] = '\0';
    snprintf(o->place, sizeof o->place, "%.40s/%.30s", host, space);
    lease_boot_id(o->boot);
    snprintf(o->pid, sizeof o->pid, "%ld", (long)getpid());
    read_start(o->pid, o->start);
}

static bool parse_owner(const char *text, struct owner *ret)
{
    return sscanf(text, "%71s %39s %15s %31s", ret->place, ret->boot, ret->pid, ret->start) == 4;
}

/* Is it certain that the owner has ended? */
static bool is_gone(const char *owner, const char *own)
{
    struct owner o, self;
    char start[32];
    if (!parse_owner(owner, &o) || !parse_owner(own, &self) || strcmp(o.place, self.place) != 0)
        return false;
    if (strcmp(o.boot, self.boot) != 0)
        return true;
    read_start(o.pid, start);
    return strcmp(o.start, start) != 0;
}

/* ------------------------------------------------------------------- who takes them */

void lease_taker_init(struct lease_taker *t)
{
    struct owner o;
    *t = (struct lease_taker){.dropped = NULL};
    find_self(&o);
    snprintf(t->owner, sizeof t->owner, "%s %s %s %s", o.place, o.boot, o.pid, o.start);
    pthread_mutex_init(&t->lock, NULL);
}

void lease_taker_free(struct lease_taker *t)
{
    free(t->dropped);
    pthread_mutex_destroy(&t->lock);
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
           (l->until_us <= now_us || was_dropped(t, l->token) || is_gone(l->owner, t->owner));
}

bool lease_matches(const struct lease_row *l, const struct inbox_lease *mine)
{
    return lease_held(l) && memcmp(l->token, mine->token, sizeof l->token) == 0;
}

void lease_give(struct lease_row *l)
{
    *l = (struct lease_row){.until_us = 0};
}
