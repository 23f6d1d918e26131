/*
 * object_task.h - one object: read it, ask the policy, check the decision, carry it out, remember
 * what became of it, report.
 */
#ifndef TASKS_OBJECT_TASK_H
#define TASKS_OBJECT_TASK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <json-c/json.h>

#include "base/err.h"
#include "inbox/inbox.h"
#include "processors/job.h"
#include "tasks/hold.h"
#include "tasks/queues.h"

#define OBJECT_TASK_MS                                                          \
    400000 /* for one object, where nobody waits for the sweep: Connect's calls \
              may take 300 s, and reading what one did comes after it */

/* How tasks are to be run. */
struct task_terms {
    struct json_object *claims; /* of the event, NULL when polling; borrowed */
    int64_t object_ms;          /* what one object may take */
    bool dry_run;
    int64_t patience_ms;     /* as struct api_call has it */
    struct holds *holds;     /* among which its lease is kept; NULL: it is not */
    const atomic_bool *stop; /* NULL, or: once it is true nothing further is begun */
};

/* What became of one object. */
struct object_report {
    const struct conf_webhook *webhook;
    const char *id;     /* "#7" for the seventh of a list, if it has none */
    const char *type;   /* of the request: "purchase"; "" if it has none */
    const char *before; /* its state when read */
    const char *after;  /* its state afterwards; "" if not known */
    const char *action; /* decided; "" if none */
    const char *rule;   /* which rule said so; "" if none */
    enum outcome outcome;
    const struct result *result;  /* its story: of what did not end with done, of a message that was
                                     not posted or a text that was cut, or "": without the object's
                                     passwords */
    int64_t retry_after_s;        /* retry or reschedule: how long to wait; -1 if not said */
    int64_t task_id, delivery_id; /* 0: none, or unknown */
    int64_t took_ms;              /* -1: nobody has worked on it now */
};

/* The same for programs, wherever an object is reported: every key is always there, `retry_after`
 * may be null. NULL: out of memory. Owned by the caller. */
struct json_object *object_report_json(const struct object_report *r);

/* Its one line. */
void object_report_log(const struct object_report *r);

/* Called once for each object as it ends; everything is borrowed for the call. */
typedef void object_report_fn(void *ctx, const struct object_report *r);

/* How long a task that is claimed with these terms has to be held, if its lease is not kept:
 * nothing is sent later. */
int64_t object_task_lease_ms(const struct queue *q, const struct task_terms *terms);

/*
 * Run a task that is held, in this thread, end it, and report it to the log and to `fn`. The object
 * is read again first: one that is no longer pending has been dealt with elsewhere, a skip that
 * says so. What a policy gets wrong it would get wrong again: that is for a person. ERR_FENCED and
 * ERR_STORE: it was not ended, so it will be run again; it is reported all the same, as busy or
 * retry.
 */
enum err object_task_run(const struct queue *q, struct inbox *inbox, const struct task_terms *terms,
                         struct template_lists *templates, const struct inbox_task *held,
                         object_report_fn *fn, void *ctx, struct why *why);

#endif
