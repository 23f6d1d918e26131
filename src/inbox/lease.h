/*
 * lease.h - who holds a row, and until when. For the rooms of this folder alone.
 *
 * An owner is a process: the machine and the namespace its number is from, the machine's boot, its
 * number, and when it was started. So one that is gone is known before its lease has ended, unless
 * it was on another machine.
 */
#ifndef INBOX_LEASE_H
#define INBOX_LEASE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "inbox/inbox.h"

#define LEASE_OWNER_MAX 192 /* bytes, with the NUL */

struct lease_row {
    uint8_t token[INBOX_LEASE_LEN];
    int64_t until_us;            /* by the backend's clock; 0: nobody holds it */
    char owner[LEASE_OWNER_MAX]; /* "host/namespace boot pid start" */
};

#define LEASE_BOOT_MAX 40 /* bytes, with the NUL */

/* The machine's boot; another after each. */
void lease_boot_id(char ret[LEASE_BOOT_MAX]);
/* This process, as one that takes leases. */
struct lease_taker {
    char owner[LEASE_OWNER_MAX]; /* constant */
    pthread_mutex_t lock;        /* guards what follows */
    /* Leases that it has let go of, though the storage could not be told: it failed. */
    uint8_t (*dropped)[INBOX_LEASE_LEN];
    size_t count, cap;
};
void lease_taker_init(struct lease_taker *t);
void lease_taker_free(struct lease_taker *t);
void lease_drop(struct lease_taker *t, const struct inbox_lease *lease);

/* The token is new. */
void lease_take(struct lease_row *l, const struct lease_taker *t, int64_t now_us, int64_t lease_ms);
bool lease_held(const struct lease_row *l);
/* Is it held by nobody who could still give it back? */
bool lease_lost(const struct lease_row *l, int64_t now_us, struct lease_taker *t);
bool lease_matches(const struct lease_row *l, const struct inbox_lease *mine);
void lease_give(struct lease_row *l);

#endif
