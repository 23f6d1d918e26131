/*
 * mark.h - what is new in a queue whose objects have no state.
 *
 * Such objects are made once and stay as they are, so nothing in them tells whether they have been
 * dealt with. What is remembered is a high-water mark of the times at which they were made, a day
 * below the newest one that was dealt with, and the ids of those above it: an object may show up
 * later than one that was made after it. The mark never rises above an object that is not dealt
 * with yet.
 *
 * A queue begins where the configuration's `since` says; else a day before the first call that
 * tells of it, for that call's object has been made before; else, where polling is first, at that
 * moment. A `since` that changes lets the queue begin anew.
 */
#ifndef TASKS_MARK_H
#define TASKS_MARK_H

#include <stdbool.h>
#include <stdint.h>

#include <json-c/json.h>

#include "base/err.h"
#include "inbox/inbox.h"
#include "tasks/queues.h"
#include "tasks/sweep.h"

struct mark;

/* `claims` of the call that tells of the queue, NULL when polling. The queue's lock is held from
 * here to mark_close(). ERR_STORE, ERR_NOMEM. */
enum err mark_open(const struct queue *q, struct inbox *inbox, struct json_object *claims,
                   struct mark **ret, struct why *why);

int64_t mark_since(const struct mark *m); /* what was made before need not be listed */
bool mark_is_new(const struct mark *m, const struct swept *s);
/* What became of a new one: is it dealt with for good? */
enum err mark_note(struct mark *m, const struct swept *s, bool settled, struct why *why);
/* Frees it. `raise`: all that is new has been noted. ERR_STORE. NULL is fine. */
enum err mark_close(struct mark *m, bool raise, struct why *why);

#endif
