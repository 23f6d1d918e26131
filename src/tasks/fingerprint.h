/*
 * fingerprint.h - whether it is worth asking again about an object.
 *
 * It is not while everything that a decision depends on is the same: what the list shows of the
 * object, the policy, and whether decisions are carried out. Members that change though nothing has
 * happened (their class knows them) do not count.
 */
#ifndef TASKS_FINGERPRINT_H
#define TASKS_FINGERPRINT_H

#include <stdint.h>

#include <json-c/json.h>

#include "base/err.h"
#include "inbox/inbox.h"
#include "tasks/queues.h"

#define FINGERPRINT_LEN INBOX_FINGERPRINT_LEN

/* Of all but the object. ERR_NOMEM, ERR_TOO_BIG. */
enum err fingerprint_queue(const struct queue *q, bool dry_run, uint8_t ret[FINGERPRINT_LEN]);
/* ... and an object as it was listed. */
void fingerprint_object(const uint8_t of_queue[FINGERPRINT_LEN], const struct object_class *c,
                        struct json_object *object, uint8_t ret[FINGERPRINT_LEN]);

#endif
