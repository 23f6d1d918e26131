/*
 * lease.h - who holds a row, and until when. For the rooms of this folder alone.
 *
 * An owner is a program that has the inbox open: it holds a mark of the lock file beside it
 * (inbox/filelock.h), and is named by that. So one that is gone is known before its lease has
 * ended. Whatever cannot be shown to be gone is alive: where marks cannot be held or asked for, a
 * lease is waited for to its end, and that of another version's owner, or another lock file's, too.
 */
#ifndef INBOX_LEASE_H
#define INBOX_LEASE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "inbox/inbox.h"

#define LEASE_OWNER_MAX 48 /* bytes, with the NUL */

struct lease_row {
    uint8_t token[INBOX_LEASE_LEN];
    int64_t until_us;            /* by the backend's clock; 0: nobody holds it */
    char owner[LEASE_OWNER_MAX]; /* "file:mark", the lock file's inode, and where its mark is */
};

/* This program, as one that takes leases. */
struct lease_taker {
    int lock_file; /* constant, as what follows */
    uint64_t file; /* its inode; 0: our mark cannot be held, so nobody can be shown to be gone */
    char owner[LEASE_OWNER_MAX];

    pthread_mutex_t lock; /* guards what follows */
    /* Leases that it has let go of, though the storage could not be told: it failed. */
    uint8_t (*dropped)[INBOX_LEASE_LEN];
    size_t count, cap;
};
/* `lock_file` is borrowed, and closed after the last lease; -1 for who takes none. */
void lease_taker_init(struct lease_taker *t, int lock_file);
void lease_taker_free(struct lease_taker *t);
/* Is it certain that no other program has the inbox open? */
bool lease_taker_alone(const struct lease_taker *t);
void lease_drop(struct lease_taker *t, const struct inbox_lease *lease);

/* The token is new. */
void lease_take(struct lease_row *l, const struct lease_taker *t, int64_t now_us, int64_t lease_ms);
bool lease_held(const struct lease_row *l);
/* Is it held by nobody who could still give it back? */
bool lease_lost(const struct lease_row *l, int64_t now_us, struct lease_taker *t);
bool lease_matches(const struct lease_row *l, const struct inbox_lease *mine);
void lease_give(struct lease_row *l);

#endif
