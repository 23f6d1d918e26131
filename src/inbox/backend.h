/*
 * backend.h - what keeps the inbox's rows; for the authors of backends only.
 *
 * A backend is one constant and one file: inbox/inbox_<scheme>.c defines
 * `inbox_backend_<scheme>`, and inbox.c lists it. Arguments have been checked by inbox.c. Every
 * backend passes the same contract suite (tests/unit/test_inbox.c).
 */
#ifndef INBOX_BACKEND_H
#define INBOX_BACKEND_H

#include "inbox/inbox.h"

/* The head of every backend's own struct. */
struct inbox {
    const struct inbox_backend *backend;
};

/* The head of every backend's own lock. */
struct inbox_lock {
    const struct inbox_backend *backend;
};

struct inbox_backend {
    const char *scheme; /* of its URLs, "sqlite" */

    /* `address` is the URL behind "scheme:". Sets only the parts of *ret that are its own. */
    enum err (*open)(const struct inbox_options *options, const char *address, struct inbox **ret,
                     struct why *why);
    void (*close)(struct inbox *i);
    void (*stop)(struct inbox *i); /* any thread */

    void (*append)(struct inbox *i, const struct delivery *d, inbox_appended_fn *fn, void *ctx);
    enum err (*set_state)(struct inbox *i, int64_t id, enum delivery_state s, struct why *why);

    /* `name` is unique to the queue and fit for a file name. */
    enum err (*lock)(struct inbox *i, const char *name, int64_t deadline, struct inbox_lock **ret,
                     struct why *why);
    void (*unlock)(struct inbox_lock *lock);

    enum err (*mark_read)(struct inbox *i, const struct inbox_queue *q, struct inbox_mark *ret,
                          inbox_seen_fn *fn, void *ctx, struct why *why);
    enum err (*mark_write)(struct inbox *i, const struct inbox_queue *q, const struct inbox_mark *m,
                           struct why *why);
    enum err (*mark_seen)(struct inbox *i, const struct inbox_queue *q, const char *object_id,
                          int64_t created_us, struct why *why);

    void (*tally_add)(struct inbox *i, const char *webhook_id, bool success);
    enum err (*tally_read)(struct inbox *i, const char *webhook_id, struct inbox_tally *ret,
                           struct why *why);
};

extern const struct inbox_backend inbox_backend_sqlite;

#endif
