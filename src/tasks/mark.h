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

struct mark;

/* `claims` of the call that tells of the queue, NULL when polling. The queue's sweep is held from
 * here to mark_close(). ERR_STORE, ERR_NOMEM. */
enum err mark_open(const struct queue *q, struct inbox *inbox, struct json_object *claims,
                   struct mark **ret, struct why *why);

int64_t mark_since(const struct mark *m); /* what was made before need not be listed */
/* An object that is listed (CLK_UNKNOWN: it does not say when it was made): is it new? */
bool mark_note(struct mark *m, const char *object_id, int64_t created_us);
/* Frees it. `raise`: all that is new has been noted, so the mark may rise below what is not dealt
 * with. ERR_STORE. NULL is fine. */
enum err mark_close(struct mark *m, bool raise, struct why *why);

/* An object has been dealt with for good. ERR_STORE. */
enum err mark_settle(const struct queue *q, struct inbox *inbox, const char *object_id,
                     int64_t created_us, struct why *why);

#endif
