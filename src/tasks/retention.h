/*
 * retention.h - forgetting what is over, in small steps beside live traffic.
 *
 * One thread of each program that runs on; several programs do it together. What is needed stays
 * (inbox/inbox.h: inbox_prune()).
 */
#ifndef TASKS_RETENTION_H
#define TASKS_RETENTION_H

#include "base/err.h"
#include "inbox/inbox.h"
#include "tasks/snapshot.h"

struct retention;

/* Borrows both; inbox.retention is the current snapshot's. *ret is owned. ERR_NOMEM. */
enum err retention_start(struct inbox *inbox, struct snapshots *snapshots, struct retention **ret,
                         struct why *why);
/* After the step that is under way. NULL is fine. */
void retention_end(struct retention *r);

/* For a program that serves one call and is gone: one step, now and then. */
void retention_by_chance(struct inbox *inbox, int64_t retention_ms);

#endif
