/*
 * inbox.h - the durable memory of calls: what was acknowledged is here.
 *
 * The web side appends deliveries; append is asynchronous, and its callback runs once the
 * delivery is on stable storage or could not be put there. Backends (inbox/backend.h) keep the
 * rows; this file checks arguments and chooses the backend by URL.
 *
 * Any thread may call. Times are UTC microseconds since the epoch.
 */
#ifndef INBOX_INBOX_H
#define INBOX_INBOX_H

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
};

/* Opens or creates; refuses a schema that is newer than this program. *ret is owned. */
enum err inbox_open(const struct inbox_options *options, struct inbox **ret, struct why *why);
/* Completes what was appended, then closes. NULL is fine. */
void inbox_close(struct inbox *i);
/* End every wait for another process with ERR_STOPPED, now and later; for a stop that cannot wait.
 * What needs no wait is still done. Any thread. */
void inbox_stop(struct inbox *i);

#define DELIVERY_STATE_LIST(X)                                                                     \
    X(DELIVERY_STORED, "stored")   /* acknowledged; its sweep is due */                            \
    X(DELIVERY_DONE, "done")       /* its sweep has been made */                                   \
    X(DELIVERY_FAILED, "failed")   /* an inline sweep did not end well: Connect will call again */ \
    X(DELIVERY_IGNORED, "ignored") /* verified, but not what its webhook is configured for */

enum delivery_state {
#define X(code, name) code,
    DELIVERY_STATE_LIST(X)
#undef X
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
 * Record a delivery; a repeated token takes the new state, whatever became of the first, for its
 * sweep is due again. `fn` runs exactly once, possibly in another thread or before this returns.
 * ERR_INVALID and ERR_TOO_BIG for a delivery that no backend could keep.
 */
void inbox_append(struct inbox *i, const struct delivery *d, inbox_appended_fn *fn, void *ctx);

/* Change a delivery's state. ERR_OK, ERR_NOT_FOUND, ERR_STORE. */
enum err inbox_set_state(struct inbox *i, int64_t id, enum delivery_state s, struct why *why);

/* A queue: what waits for an account, of one product and class. Borrowed. */
struct inbox_queue {
    const char *account_id, *product_id;
    const struct object_class *object_class;
};

/*
 * One runner at a time per queue, across all processes: wait for the sweep's lock until `deadline`
 * (clk_mono_ms; 0 does not wait). ERR_BUSY if it is held.
 */
struct inbox_lock;
enum err inbox_lock_sweep(struct inbox *i, const struct inbox_queue *q, int64_t deadline,
                          struct inbox_lock **ret, struct why *why);
void inbox_unlock_sweep(struct inbox_lock *lock); /* NULL is fine */

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

/* How the calls of a webhook went that leave nothing else: those of a validator, for forms hold
 * people's data. */
struct inbox_tally {
    int64_t success, failure; /* answered with the document, or not */
    int64_t failure_since_last_success;
    int64_t last_success_us, last_failure_us; /* 0: there was none */
};

/* Count one, without waiting: it is on stable storage within about a second. What a crash takes, or
 * a full disk, is lost; of the latter the log tells. */
void inbox_tally_add(struct inbox *i, const char *webhook_id, bool success);
/* ERR_NOT_FOUND: none was counted. ERR_STORE. */
enum err inbox_tally_read(struct inbox *i, const char *webhook_id, struct inbox_tally *ret,
                          struct why *why);

#endif
