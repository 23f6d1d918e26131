/*
 * workers.h - threads that work off what is due in the inbox, of all queues of the configuration.
 *
 * Each claims one thing at a time, a sweep or an object's task, and works on it with the
 * configuration as it is then. Whatever is due may be claimed by the workers of any program that
 * shares the inbox; leases see to it that nobody is at what another is at.
 *
 * Beside them one thread keeps their leases, takes back what the dead have held, plans the polls,
 * and begins further workers for those that have been held up for long, so that what hangs keeps
 * nobody waiting.
 */
#ifndef TASKS_WORKERS_H
#define TASKS_WORKERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "inbox/inbox.h"
#include "tasks/accounts.h"
#include "tasks/object_task.h"
#include "tasks/snapshot.h"

#define WORKERS_MAX 256 /* as the configuration's limit is */

struct workers_options {
    struct inbox *inbox; /* borrowed, as what follows */
    struct accounts *accounts;
    struct snapshots *snapshots;
    int64_t count; /* of workers; -1: as processing.workers says, now and after each reload */
    bool once;     /* end when nothing is due any more */
    object_report_fn *fn; /* told of each object, from any worker; may be NULL */
    void *ctx;
};

struct workers;

/* Starts them. *ret is owned: workers_free(). */
enum err workers_new(const struct workers_options *options, struct workers **ret, struct why *why);
/* The configuration was loaded again: so many workers as it says, polls as it says, and accounts
 * that were halted begin anew. */
void workers_reload(struct workers *w);
/* Begin nothing further. What was begun comes to its next safe point: an object is left before
 * its policy is asked, or when it is dealt with. All that has to be over `by` then (clk_mono_ms;
 * the earliest counts). Any thread. */
void workers_stop(struct workers *w, int64_t by);
/* Wait until they have all ended, because of a stop or of `once`. ERR_TIMEOUT: not by the time that
 * the stop has set. */
enum err workers_wait(struct workers *w);
/* Stops them and waits. NULL is fine. */
void workers_free(struct workers *w);

/* How long a program is believed to work since it has said so last (inbox_count_workers()). */
#define WORKERS_SEEN_MS 60000

/* Is what keeps leases still doing so? For a watchdog. */
bool workers_alive(const struct workers *w);
/* Has something been left that is to be tried again, or is for a person? For `once`. */
bool workers_left_something(const struct workers *w);

#endif
