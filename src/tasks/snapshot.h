/*
 * snapshot.h - everything that one version of the configuration decides about a call, and about the
 * work that it leads to.
 *
 * A call, and a worker for each piece of work, takes the current snapshot when it begins, and keeps
 * it to its end; a reload makes another. A snapshot is immutable but for its counters. What
 * outlives it, the API clients and what runs programs, is shared by all of them.
 */
#ifndef TASKS_SNAPSHOT_H
#define TASKS_SNAPSHOT_H

#include <stddef.h>

#include "auth/keyring.h"
#include "base/err.h"
#include "conf/conf.h"
#include "tasks/queues.h"

struct snapshots; /* the current one, and those that calls still have; any thread */

struct snapshot {
    struct conf *conf;
    struct keyring *keyring; /* NULL: of who takes no calls */
    struct queues *queues;
    _Atomic long *foreign_api_urls; /* a webhook: calls that claimed another endpoint */

    struct snapshots *among; /* snapshot.c's, as what follows */
    struct snapshot *next;
    size_t users;
};

/* Keeps a reference to `conf`. `commons` is borrowed, and may be NULL (api/clients.h). *ret is
 * owned: snapshots_free(). */
enum err snapshots_new(struct conf *conf, const struct api_commons *commons, struct snapshots **ret,
                       struct why *why);
/* When all that were taken have been released. NULL is fine. */
void snapshots_free(struct snapshots *s);

/* What is taken later is of another configuration; on failure the old one stays. */
enum err snapshots_replace(struct snapshots *s, struct conf *conf, struct why *why);

struct snapshot *snapshots_take(struct snapshots *s);
void snapshot_release(struct snapshot *s);

/* End every wait of those who have one (for the API, its rate, a policy), and later ones; for a
 * stop that cannot wait. */
void snapshots_stop(struct snapshots *s);

/* A child of this process has ended: see spawner_reap(). */
void snapshots_reap(struct snapshots *s);

#endif
