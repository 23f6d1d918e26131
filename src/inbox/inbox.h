/*
 * inbox.h - the durable memory of calls and of what they lead to: what was acknowledged is here.
 *
 * A *delivery* is a call that was acknowledged. It wakes the *sweep* of its queue: what is pending
 * there is to be listed. A sweep finds objects, and each has a *task*: to be worked on, or
 * remembered. Whoever works on a sweep or a task holds it by a *lease*.
 *
 * Backends (inbox/backend.h) keep the rows; the files of this folder say what happens to them. Any
 * thread of any process may call. What a verb has changed is on stable storage when it returns
 * ERR_OK; it has changed nothing when it returns something else. ERR_STORE and ERR_BUSY, if the
 * storage fails or is locked, ERR_NOMEM, and ERR_INVALID for what is no id of Connect's are
 * possible everywhere.
 */
#ifndef INBOX_INBOX_H
#define INBOX_INBOX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clk.h"
#include "base/err.h"
#include "event/object_class.h"

#define INBOX_TOKEN_HASH_LEN 32 /* bytes: SHA-256 */

struct inbox;

struct inbox_options {
    const char *url;         /* "sqlite:/var/lib/connect-webhook/inbox.db" */
    int64_t lock_timeout_ms; /* longest wait for another process */
    int64_t max_wal;     /* bytes of what was stored and not yet taken over into the database; past
                            it nothing is appended */
    int64_t max_backlog; /* tasks that are ready, at which sweeps wait; 0: any number */
    bool looks;          /* only to look at what is there, without ever keeping others waiting */
};

/*
 * Opens or creates; refuses a schema that is newer than this program. *ret is owned.
 *
 * Who only looks changes nothing: ERR_NOT_FOUND if there is no inbox yet, and a schema that is
 * older is refused, too. Every verb that would change something is ERR_STORE.
 */
enum err inbox_open(const struct inbox_options *options, struct inbox **ret, struct why *why);
/* Completes what was appended, then closes. NULL is fine. */
void inbox_close(struct inbox *i);
/* End every wait for another process with ERR_STOPPED, now and later; for a stop that cannot wait.
 * What needs no wait is still done. Any thread. */
void inbox_stop(struct inbox *i);

#define DELIVERY_STATE_LIST(X)                                                                     \
    X(DELIVERY_STORED, "stored")   /* acknowledged; it has woken its queue's sweep */              \
    X(DELIVERY_DONE, "done")       /* its sweep has been made */                                   \
    X(DELIVERY_FAILED, "failed")   /* an inline sweep did not end well: Connect will call again */ \
    X(DELIVERY_IGNORED, "ignored") /* verified, but not what its webhook is configured for */

enum delivery_state {
#define X(code, name) code,
    DELIVERY_STATE_LIST(X)
#undef X
        DELIVERY__STATES
};
const char *delivery_state_name(enum delivery_state s); /* static */

#define INBOX_CLAIMS_MAX (64 * 1024)        /* bytes */
#define INBOX_BODY_MAX   (64 * 1024 * 1024) /* bytes */

/* A call to remember. Everything is borrowed until the callback has run. */
struct delivery {
    uint8_t token_sha256[INBOX_TOKEN_HASH_LEN]; /* the key: a repeated token counts up. It may be a
                                                   new event: tokens have no id, and their times
                                                   are whole seconds */
    enum delivery_state state;                  /* DELIVERY_STORED or DELIVERY_IGNORED */
    const char *webhook_id;
    const char *account_id;                  /* from the configuration, not from the claims */
    const char *product_id;                  /* ditto */
    const struct object_class *object_class; /* ditto */
    const char *triggered_at;                /* as claimed, or NULL */
    int64_t exp; /* as claimed, seconds; with the hash it is the key, because
                    keys that grow with time are cheap to index */
    int64_t received_us;
    const char *claims; /* JSON; never the token */
    size_t claims_len;
    const char *body; /* raw */
    size_t body_len;
};

struct inbox_receipt {
    enum err err; /* ERR_OK: it is on stable storage, in the file that is there now.
                     ERR_STORE, ERR_BUSY, ERR_STOPPED, ... */
    int64_t id;   /* of the delivery, grows with time */
    int64_t seen; /* 1 for a token not seen before */
    struct why why;
};

typedef void inbox_appended_fn(void *ctx, const struct inbox_receipt *receipt);

/*
 * Record a delivery, and wake the sweep of its queue if it is DELIVERY_STORED; a repeated token
 * takes the new state, whatever became of the first. `fn` runs exactly once, possibly in another
 * thread or before this returns. ERR_INVALID and ERR_TOO_BIG for a delivery that no backend could
 * keep.
 */
void inbox_append(struct inbox *i, const struct delivery *d, inbox_appended_fn *fn, void *ctx);

/* Change a delivery's state. ERR_OK, ERR_NOT_FOUND, ERR_STORE. */
enum err inbox_set_state(struct inbox *i, int64_t id, enum delivery_state s, struct why *why);

/* A queue: what waits for an account, of one product and class. Borrowed. */
struct inbox_queue {
    const char *account_id, *product_id;
    const struct object_class *object_class;
};

/* ------------------------------------------------------------------------- leases */

/*
 * Who works on a sweep or a task holds it by a lease. It ends by itself, so that what a program
 * that dies has held is taken over; who is slow and alive sends heartbeats. Each verb that is given
 * a lease which somebody else has taken over, or that was given back, changes nothing: ERR_FENCED.
 *
 * Durations go in and come out; whatever is stored is by a clock of the backend's own, which no
 * step of the machine's moves.
 */
#define INBOX_LEASE_LEN 16 /* bytes, at random */

enum inbox_kind { INBOX_SWEEP, INBOX_TASK };

struct inbox_lease {
    enum inbox_kind kind;
    int64_t id; /* of the sweep or task */
    uint8_t token[INBOX_LEASE_LEN];
    int64_t until; /* clk_boot_ms: as it was taken, nobody else has it before */
};

/* Still at work: the lease ends `lease_ms` from now. ERR_FENCED, ERR_STORE. */
enum err inbox_heartbeat(struct inbox *i, const struct inbox_lease *lease, int64_t lease_ms,
                         struct why *why);
/* Is it still ours, and has not ended? ERR_FENCED, ERR_STORE. */
enum err inbox_check_lease(struct inbox *i, const struct inbox_lease *lease, struct why *why);
/* Take back what was held by leases that have ended, and by programs that are gone: it is due
 * again, at once. *ret_count: how many. Costs what is held, not what is kept. */
enum err inbox_recover(struct inbox *i, int64_t *ret_count, struct why *why);

/* ------------------------------------------------------------------------- sweeps */

/* One queue's listing, as it was claimed. */
struct inbox_sweep {
    struct inbox_lease lease;
    char account_id[OBJECT_ID_MAX], product_id[OBJECT_ID_MAX];
    const struct object_class *object_class;
    bool called;      /* a call has told of the queue since the last one; else it is a poll */
    int64_t failures; /* in a row before it */
};

/*
 * Hold the sweep of one queue, due or not: wait until `deadline` (clk_mono_ms; 0 does not wait) for
 * who holds it. What was due is taken in; what is told of the queue from now on is due when this
 * one has ended. ERR_BUSY if it is held that long, ERR_STOPPED, ERR_STORE.
 */
enum err inbox_take_sweep(struct inbox *i, const struct inbox_queue *q, int64_t lease_ms,
                          int64_t deadline, struct inbox_sweep *ret, struct why *why);

struct inbox_sweep_end {
    const char *error; /* why the list could not be read; NULL: it was */
    int64_t retry_ms;  /* after an error: due again then; -1: not by itself */
    int64_t poll_ms;   /* due without a call then; -1: never */
};
/* ERR_FENCED, ERR_STORE. */
enum err inbox_end_sweep(struct inbox *i, const struct inbox_lease *lease,
                         const struct inbox_sweep_end *end, struct why *why);

/* Let a queue be polled in `poll_ms` at the latest. */
enum err inbox_plan_poll(struct inbox *i, const struct inbox_queue *q, int64_t poll_ms,
                         struct why *why);

/* -------------------------------------------------------------------------- tasks */

#define INBOX_FINGERPRINT_LEN 32   /* bytes */
#define INBOX_FOUND_MAX       500  /* objects of one inbox_found() */
#define INBOX_ATTEMPTS_KEPT   20   /* of a task: the last ones */
#define INBOX_CALLS_MAX       4096 /* bytes of what an attempt asked of Connect */

#define TASK_STATE_LIST(X)                                              \
    X(TASK_READY, "ready")     /* to be worked on, when it is due */    \
    X(TASK_RUNNING, "running") /* somebody holds it */                  \
    X(TASK_DONE, "done")       /* ended, until its object is another */ \
    X(TASK_SKIPPED, "skipped") /* ... or a while is over */             \
    X(TASK_DEAD, "dead")       /* as done; for a person to look at */

enum task_state {
#define X(code, name) code,
    TASK_STATE_LIST(X)
#undef X
        TASK__STATES
};
const char *task_state_name(enum task_state s); /* static */

/* What became of an object when it was last worked on, for people: without secrets, passwords and
 * tokens. "" where there is nothing to tell; longer texts are cut. */
struct inbox_story {
    char result[16];
    char type[24], before[32], after[32];
    char action[24];
    char rule[160];
    char reason[WHY_MAX];
};

/* An object of a queue, and what is remembered of it. One a class and account. */
struct inbox_task {
    int64_t id;
    struct inbox_lease lease; /* as it was claimed; else of no use */
    char account_id[OBJECT_ID_MAX], product_id[OBJECT_ID_MAX], object_id[OBJECT_ID_MAX];
    const struct object_class *object_class;
    enum task_state state;
    bool called;         /* a call has led to it; else polling alone */
    int64_t delivery_id; /* ... the last one before its object was found; 0: none, or unknown */
    int64_t due_ms;      /* from now; ready: when it is due; skipped: until when; else 0 */
    int64_t asked;       /* how often it was claimed, this time included */
    int64_t failures;    /* attempts in a row that failed */
    int64_t created_s;   /* UTC, for people */
    int64_t updated_s;
    struct inbox_story story;
};

/* Called from another thread, before the verb returns; everything is borrowed. */
typedef void inbox_task_fn(void *ctx, const struct inbox_task *t);

struct inbox_found {
    const char *object_id;
    const char *type, *state; /* as it was listed, for people */
    /* Of all that a decision depends on. While it is the same, what has ended stays ended. */
    uint8_t fingerprint[INBOX_FINGERPRINT_LEN];
};

/*
 * What a sweep has found, INBOX_FOUND_MAX at most: new objects are ready, those that have changed
 * are so again, and the others stay what they are. `retry_now`: what failed and
 * waits to be tried again is due, too; if it fails again, that is no failure more, for it came
 * early. `fn` is told what has become of each, in their order. ERR_FENCED, ERR_STORE, ERR_BUSY if
 * the backlog is full: nothing was added.
 */
enum err inbox_found(struct inbox *i, const struct inbox_lease *sweep,
                     const struct inbox_found *found, size_t count, bool retry_now,
                     inbox_task_fn *fn, void *ctx, struct why *why);

/* Hold the next task of one queue that is due, the oldest due first. ERR_NOT_FOUND: none is. */
enum err inbox_claim_task(struct inbox *i, const struct inbox_queue *q, int64_t lease_ms,
                          struct inbox_task *ret, struct why *why);

/*
 * An object's task, once nobody holds it: wait for that until `deadline` (clk_mono_ms), and then
 * take it as it is, running. ERR_NOT_FOUND, ERR_STOPPED.
 */
enum err inbox_await_task(struct inbox *i, const struct inbox_queue *q, const char *object_id,
                          int64_t deadline, struct inbox_task *ret, struct why *why);

#define INBOX_FREES_MAX 6 /* classes */

struct inbox_task_end {
    enum task_state state; /* any but running */
    int64_t after_ms;      /* ready: when it is due again; skipped: for how long it is so */
    bool failed;           /* counts as a failure */
    const struct inbox_story *story;
    const char *calls; /* what was asked of Connect: JSON, INBOX_CALLS_MAX at most; NULL: nothing */
    /* Classes, NULL-terminated: this may have freed something in the queues of the same account and
     * product. Their sweeps are due at once, and again 5 and 30 seconds later, for Connect takes
     * its time. NULL: none. */
    const struct object_class *const *frees;
};
/* An object that was found to be another while it was held is ready again, whatever it ended with.
 * ERR_FENCED, ERR_STORE. */
enum err inbox_end_task(struct inbox *i, const struct inbox_lease *lease,
                        const struct inbox_task_end *end, struct why *why);

/* As if it had not been held: nobody was asked about it. It is ready `after_ms` from now.
 * ERR_FENCED, ERR_STORE. */
enum err inbox_give_back(struct inbox *i, const struct inbox_lease *task, int64_t after_ms,
                         struct why *why);

/* ------------------------------------------------------------------ whatever is due */

struct inbox_claimed {
    enum inbox_kind kind;
    struct inbox_sweep sweep; /* of a sweep */
    struct inbox_task task;   /* of a task */
    char *event; /* the claims of the call that has told of the queue last, if one has led to this;
                    NULL: none. Owned */
};

/* What may be claimed. */
struct inbox_claim_terms {
    int64_t workers; /* of this program, that share: each account with work has as many as there are
                        for it, at least one; 0: there are no shares */
    int64_t lease_ms;
    int64_t grace_ms; /* what a call has just told of, or a sweep found, is left for so long to
                         whoever works for the call that waits for it */
    const atomic_bool *stop; /* for inbox_wait(), may be NULL: once it is true, inbox_notify() has
                                it end with ERR_STOPPED */
};

/*
 * Hold what is due next of all queues: of tier configurations first, then of fulfillment requests,
 * then of the rest; of these, what has been due for longest. Left out are accounts that are halted,
 * those that hold their share already, and sweeps while the backlog is full. ERR_NOT_FOUND:
 * nothing.
 */
enum err inbox_claim(struct inbox *i, const struct inbox_claim_terms *terms,
                     struct inbox_claimed *ret, struct why *why);
/* Wait until inbox_claim() may have something to give, whoever has put it there. ERR_TIMEOUT at
 * `deadline` (clk_mono_ms), ERR_STOPPED, ERR_STORE. */
enum err inbox_wait(struct inbox *i, const struct inbox_claim_terms *terms, int64_t deadline,
                    struct why *why);
/* End all waits of all processes, so that they look again. */
void inbox_notify(struct inbox *i);

/* ------------------------------------------------------------------------ accounts */

/* Nothing of the account is claimed for so long; a longer halt stays. */
enum err inbox_halt(struct inbox *i, const char *account_id, int64_t for_ms, struct why *why);
enum err inbox_resume(struct inbox *i, const char *account_id, struct why *why);
/*
 * Part of the calls to Connect that all processes together may make for an account in this second:
 * half of what is left of `per_s`, at least one. *ret_calls is 0 if nothing is; *ret_wait_ms is how
 * long the second lasts.
 */
enum err inbox_take_rate(struct inbox *i, const char *account_id, int64_t per_s, int64_t *ret_calls,
                         int64_t *ret_wait_ms, struct why *why);

/* ------------------------------------------------------------------- the operator's */

#define INBOX_PAGE_MAX 500 /* rows of one page */

/* What is looked for, the newest first. What is NULL or 0 does not matter. */
struct inbox_filter {
    int64_t before_id; /* the last id of the page before */
    int64_t after_id;  /* only what is newer */
    int limit;         /* rows of a page, INBOX_PAGE_MAX at most */
    const char *account_id, *product_id;
    const struct object_class *object_class;

    /* Of tasks and deliveries. */
    unsigned states;       /* 1 << TASK_READY | ..., 1 << DELIVERY_STORED | ... */
    int64_t age_ms;        /* they have been as they are, or were stored, for no longer than that */
    const char *object_id; /* of tasks */
    const char *webhook_id; /* of deliveries */
    int64_t delivery_id;    /* of tasks: that it has led to */
};

/* How a queue's sweep stands. */
struct inbox_sweep_status {
    int64_t id;
    const char *account_id, *product_id;
    const struct object_class *object_class;
    bool running;               /* somebody holds it */
    bool called;                /* a call is among what it is due for */
    int64_t due_ms;             /* from now, for a call, for what may have been freed, or after an
                                   error; -1: never */
    int64_t poll_ms;            /* from now, without one; -1: never */
    int64_t started_s, ended_s; /* UTC, when it was last; 0: it never was */
    int64_t failures;           /* in a row */
    const char *error;          /* of the last one; "" if it was none */
    int64_t delivery_id;        /* the call that has told of the queue last; 0: none has */
    int64_t polled;             /* objects that polling has found, and no call before it */
};
/* As inbox_task_fn. */
typedef void inbox_sweep_status_fn(void *ctx, const struct inbox_sweep_status *s);
enum err inbox_each_sweep(struct inbox *i, const struct inbox_filter *f, inbox_sweep_status_fn *fn,
                          void *ctx, struct why *why);

enum err inbox_each_task(struct inbox *i, const struct inbox_filter *f, inbox_task_fn *fn,
                         void *ctx, struct why *why);

/* What waits in a queue. */
struct inbox_load {
    int64_t ready, dead; /* tasks */
    int64_t late_ms;     /* for how long the oldest of them that is due has been so */
    int64_t due_ms;      /* from now: when a task is due next, or the sweep; -1: neither will be */
    int64_t polled;      /* as inbox_sweep_status */
};
enum err inbox_load_of(struct inbox *i, const struct inbox_queue *q, struct inbox_load *ret,
                       struct why *why);

/* How long nothing of an account will be claimed; 0: it is not halted. */
enum err inbox_halted(struct inbox *i, const char *account_id, int64_t *ret_ms, struct why *why);

/* A delivery as it was stored. */
struct inbox_delivery {
    int64_t id;
    uint8_t token_sha256[INBOX_TOKEN_HASH_LEN];
    enum delivery_state state; /* done: also once a sweep has been made that began after it */
    const char *webhook_id, *account_id, *product_id;
    const char *object_class; /* by name */
    const char *triggered_at; /* or NULL */
    int64_t received_us, last_received_us;
    int64_t seen;
    const char *claims, *body; /* `body` may be anything */
    size_t claims_len, body_len;
};
typedef void inbox_delivery_fn(void *ctx, const struct inbox_delivery *d);
enum err inbox_each_delivery(struct inbox *i, const struct inbox_filter *f, inbox_delivery_fn *fn,
                             void *ctx, struct why *why);

/* A time somebody worked on a task. */
struct inbox_attempt {
    int64_t started_s, ended_s; /* UTC */
    const char *result, *reason;
    const char *calls; /* JSON, or "" */
};
typedef void inbox_attempt_fn(void *ctx, const struct inbox_attempt *a);
/* The last ones of a task, the oldest first. */
enum err inbox_each_attempt(struct inbox *i, int64_t task_id, inbox_attempt_fn *fn, void *ctx,
                            struct why *why);

/* What an order came to. */
struct inbox_ordered {
    int64_t changed; /* tasks */
    int64_t held;    /* ... that somebody holds, and that stay as they are */
};
/* Have all that fit worked on now, whatever they ended with. It is done part by part: *ret says
 * what was done, also before an error. */
enum err inbox_retry_tasks(struct inbox *i, const struct inbox_filter *f, struct inbox_ordered *ret,
                           struct why *why);
/* They are over, until their objects change. */
enum err inbox_discard_tasks(struct inbox *i, const struct inbox_filter *f,
                             struct inbox_ordered *ret, struct why *why);
/* As if the delivery had come again, also one that was ignored. ERR_NOT_FOUND. */
enum err inbox_replay(struct inbox *i, int64_t delivery, struct why *why);

/*
 * Forget deliveries whose sweep has been made, but for the newest of all, and tasks that have
 * ended, that have been as they are for `age_ms`: one step, that looks at `limit` of each at most.
 * *ret_count: how many were forgotten; *ret_more: there is more to look at.
 */
enum err inbox_prune(struct inbox *i, int64_t age_ms, int64_t limit, int64_t *ret_count,
                     bool *ret_more, struct why *why);

/* What an inbox takes on the disk. Rows that are forgotten leave room for others, in a file that
 * keeps its size. */
struct inbox_room {
    int64_t bytes, free_bytes;
    int64_t disk_free_bytes; /* of the disk that it is on; -1: unknown */
    char shrink[512]; /* the command that gives back what is free, while nobody has it open */
};
enum err inbox_room_of(struct inbox *i, struct inbox_room *ret, struct why *why);

/* -------------------------------------------------------------------------- health */

/* Could a call be stored now? Tries it, with what leaves nothing. ERR_STORE, ERR_BUSY, ERR_TOO_BIG
 * (max_wal). */
enum err inbox_probe(struct inbox *i, struct why *why);

/* This program works on what is due, or does so no more; to be said again and again. */
enum err inbox_note_worker(struct inbox *i, bool works, struct why *why);
/* Programs that have said so `within_ms`. */
enum err inbox_count_workers(struct inbox *i, int64_t within_ms, int64_t *ret_count,
                             struct why *why);

/* Of all queues together. */
struct inbox_backlog {
    int64_t ready;   /* tasks */
    int64_t late_ms; /* for how long the sweep or task has been due that has been so for longest */
};
enum err inbox_backlog_of(struct inbox *i, struct inbox_backlog *ret, struct why *why);

/* ------------------------------------------------------------------------- counters */

/* Have what this program has counted, here as tallies and there as metrics (base/metric.h), added
 * to what all have, without waiting: with what is stored next, within about a second. Closing the
 * inbox does it, too. */
void inbox_put_counters(struct inbox *i);
/* In the order of names, labels and parts; as inbox_task_fn. */
typedef void inbox_counter_fn(void *ctx, const char *name, const char *labels, int part, int64_t n);
enum err inbox_each_counter(struct inbox *i, inbox_counter_fn *fn, void *ctx, struct why *why);

/* -------------------------------------------------------------------------- marks */

/*
 * How far a queue has been seen whose objects have no state: the high-water mark of the times at
 * which they were made, and the ids of those above it. Nothing ever takes them away but a mark
 * that rises.
 */
struct inbox_mark {
    int64_t from_us;  /* what was made before is not looked at */
    int64_t since_us; /* what the configuration had it begin with; CLK_UNKNOWN: nothing */
    bool called;      /* a call has told of the queue; else polling alone has begun it */
};

/* Called for each id above the mark, from another thread, before inbox_mark_read() returns. */
typedef void inbox_seen_fn(void *ctx, const char *object_id, int64_t created_us);

/* ERR_NOT_FOUND if the queue has no mark yet; ERR_STORE. */
enum err inbox_mark_read(struct inbox *i, const struct inbox_queue *q, struct inbox_mark *ret,
                         inbox_seen_fn *fn, void *ctx, struct why *why);
/* Set the mark, and forget the ids below it. ERR_STORE. */
enum err inbox_mark_write(struct inbox *i, const struct inbox_queue *q, const struct inbox_mark *m,
                          struct why *why);
/* An object has been seen, and need not be again. ERR_STORE. */
enum err inbox_mark_seen(struct inbox *i, const struct inbox_queue *q, const char *object_id,
                         int64_t created_us, struct why *why);

/* ------------------------------------------------------------------------- tallies */

/* How a webhook's calls went, for as long as there has been an inbox. */
struct inbox_tally {
    int64_t success, failure; /* verified calls that were answered with a 2xx, or not */
    int64_t failure_since_last_success;
    int64_t last_success_us, last_failure_us; /* 0: there was none */
};

/* Count one, in memory, until inbox_put_counters(). What a crash takes is lost; what a full disk
 * does not take is counted later. */
void inbox_tally_add(struct inbox *i, const char *webhook_id, bool success);
/* ERR_NOT_FOUND: none was counted. ERR_STORE. */
enum err inbox_tally_read(struct inbox *i, const char *webhook_id, struct inbox_tally *ret,
                          struct why *why);

#endif
