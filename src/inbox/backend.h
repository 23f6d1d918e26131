/*
 * backend.h - what keeps the inbox's rows; for the authors of backends only.
 *
 * A backend is one constant, `inbox_backend_<scheme>` in inbox/inbox_<scheme>.c, and inbox.c lists
 * it. It stores rows, finds them, and makes transactions of what is done to them. What is done is
 * the same for all (rows.h and the files that use it); arguments have been checked by inbox.c.
 * Every backend passes the same contract suite (tests/unit/test_inbox.c).
 */
#ifndef INBOX_BACKEND_H
#define INBOX_BACKEND_H

#include "inbox/inbox.h"
#include "inbox/rows.h"

/* The head of every backend's own struct. */
struct inbox {
    const struct inbox_backend *backend;
    struct lease_taker taker; /* of leases that are taken through it */
    int64_t max_backlog;
    bool looks;
    int64_t pruned_to; /* the delivery that inbox_prune() has looked at last; 0: it begins anew */
};

/*
 * Part of a transaction. An error that passes (err_passes()) is the storage's: nothing of the
 * transaction is kept. Any other is its own, and comes before it has changed anything.
 */
typedef enum err inbox_work_fn(struct inbox *i, void *work, struct why *why);
/* Borrowed for the call. */
typedef void sweep_row_fn(void *ctx, const struct sweep_row *s);
typedef void task_row_fn(void *ctx, const struct task_row *t);
typedef void attempt_row_fn(void *ctx, const struct attempt_row *a);

struct inbox_backend {
    const char *scheme; /* of its URLs, "sqlite" */

    /* `address` is the URL behind "scheme:". Sets the parts of *ret that are its own, and begins
     * the taker, as close() ends it. */
    enum err (*open)(const struct inbox_options *options, const char *address, struct inbox **ret,
                     struct why *why);
    void (*close)(struct inbox *i);
    void (*stop)(struct inbox *i); /* any thread */

    void (*append)(struct inbox *i, const struct delivery *d, inbox_appended_fn *fn, void *ctx);

    enum err (*set_state)(struct inbox *i, int64_t id, enum delivery_state s, struct why *why);

    /* Do `fn` in a transaction, alone, in whatever thread; what it has changed is on stable storage
     * when this returns ERR_OK. */
    enum err (*transact)(struct inbox *i, inbox_work_fn *fn, void *work, struct why *why);

    /*
     * Telling, across processes: tell() ends every wait() for what was heard before. heard() is how
     * often somebody has told so far; wait() until it is another, `until` (clk_mono_ms), or a stop.
     * A tell may be missed, never for long.
     */
    uint64_t (*heard)(struct inbox *i);
    enum err (*wait)(struct inbox *i, uint64_t heard, int64_t until);
    void (*tell)(struct inbox *i);

    /* What follows is for inbox_work_fn alone. Rows that are looked for: ERR_NOT_FOUND, without a
     * story. A put() stores a new row where `id` is 0, and fills it in. */
    int64_t (*now_us)(struct inbox *i); /* never steps back, and is later each time */

    enum err (*sweep_find)(struct inbox *i, const struct inbox_queue *q, struct sweep_row *ret,
                           struct why *why);
    enum err (*sweep_get)(struct inbox *i, int64_t id, struct sweep_row *ret, struct why *why);
    enum err (*sweep_put)(struct inbox *i, struct sweep_row *s, struct why *why);
    /* Of those that nobody holds, of one account and rank, that which is due first. */
    enum err (*sweep_first)(struct inbox *i, const char *account_id, int rank,
                            struct sweep_row *ret, struct why *why);
    /* Those that fit the filter, by id, the newest first. Their `limit`, ids and `states` are set
     * (operator.c). */
    enum err (*sweep_page)(struct inbox *i, const struct inbox_filter *f, sweep_row_fn *fn,
                           void *ctx, struct why *why);

    enum err (*task_find)(struct inbox *i, const struct sweep_row *s, const char *object_id,
                          struct task_row *ret, struct why *why);
    enum err (*task_get)(struct inbox *i, int64_t id, struct task_row *ret, struct why *why);
    enum err (*task_put)(struct inbox *i, struct task_row *t, struct why *why);
    /* Of those that are ready, of one account and rank, or of one queue, that which is due first.
     * Of an account, what has been ready since `fresh_us` or later is left out. */
    enum err (*task_first)(struct inbox *i, const char *account_id, int rank, int64_t fresh_us,
                           struct task_row *ret, struct why *why);
    enum err (*task_next)(struct inbox *i, const struct inbox_queue *q, struct task_row *ret,
                          struct why *why);
    /* As sweep_page(). */
    enum err (*task_page)(struct inbox *i, const struct inbox_filter *f, task_row_fn *fn, void *ctx,
                          struct why *why);
    enum err (*task_newest)(struct inbox *i, int64_t *ret_id, struct why *why); /* 0: none */
    /* The tasks of a queue in a state. *ret_due_us: when the first of them is due. */
    enum err (*task_count)(struct inbox *i, const struct inbox_queue *q, enum task_state s,
                           int64_t *ret_count, int64_t *ret_due_us, struct why *why);
    /* How many are ready. */
    enum err (*backlog)(struct inbox *i, int64_t *ret, struct why *why);
    enum err (*attempt_add)(struct inbox *i, const struct attempt_row *a, struct why *why);
    /* The last INBOX_ATTEMPTS_KEPT, the oldest first. */
    enum err (*attempt_each)(struct inbox *i, int64_t task_id, attempt_row_fn *fn, void *ctx,
                             struct why *why);

    /* What is held: the ids of sweeps and tasks, `max` of each kind at most, behind `after`. */
    enum err (*held)(struct inbox *i, enum inbox_kind kind, int64_t after, int64_t *ret, size_t max,
                     size_t *ret_count, struct why *why);
    /* ... of one account, by this program. */
    enum err (*held_count)(struct inbox *i, const char *account_id, int64_t *ret, struct why *why);

    /* The first account behind `after`, in the order of ids. A put() makes one that is new. */
    enum err (*account_next)(struct inbox *i, const char *after, struct account_row *ret,
                             struct why *why);
    enum err (*account_find)(struct inbox *i, const char *account_id, struct account_row *ret,
                             struct why *why);
    enum err (*account_put)(struct inbox *i, const struct account_row *a, struct why *why);

    /* A delivery counts as stored now. *ret: the sweep of its queue, stored or not. */
    enum err (*delivery_renew)(struct inbox *i, int64_t id, struct sweep_row *ret, struct why *why);
    enum err (*delivery_page)(struct inbox *i, const struct inbox_filter *f, inbox_delivery_fn *fn,
                              void *ctx, struct why *why);
    enum err (*delivery_newest)(struct inbox *i, int64_t *ret_id, struct why *why);

    /*
     * Forget deliveries that were stored before that and are not waiting for their sweep, but for
     * the newest, of the `limit` behind *last, by id, which becomes the last of them; 0: there are
     * no more, or these are all too young. And tasks that have ended before: `limit` at most.
     */
    enum err (*prune_deliveries)(struct inbox *i, int64_t before_us, int64_t limit, int64_t *last,
                                 int64_t *ret_count, struct why *why);
    enum err (*prune_tasks)(struct inbox *i, int64_t before_us, int64_t limit, int64_t *ret_count,
                            struct why *why);

    /* Whatever a call that is stored needs, without storing one. */
    enum err (*probe)(struct inbox *i, struct why *why);
    /* Programs that work, by their leases' owner; a put() forgets those not seen since. */
    enum err (*worker_put)(struct inbox *i, const char *owner, int64_t seen_us, int64_t forget_us,
                           struct why *why);
    enum err (*worker_drop)(struct inbox *i, const char *owner, struct why *why);
    enum err (*worker_count)(struct inbox *i, int64_t since_us, int64_t *ret, struct why *why);
    enum err (*room)(struct inbox *i, struct inbox_room *ret, struct why *why);

    enum err (*mark_read)(struct inbox *i, const struct inbox_queue *q, struct inbox_mark *ret,
                          inbox_seen_fn *fn, void *ctx, struct why *why);
    enum err (*mark_write)(struct inbox *i, const struct inbox_queue *q, const struct inbox_mark *m,
                           struct why *why);
    enum err (*mark_seen)(struct inbox *i, const struct inbox_queue *q, const char *object_id,
                          int64_t created_us, struct why *why);

    void (*counters_put)(struct inbox *i);
    enum err (*counters_each)(struct inbox *i, inbox_counter_fn *fn, void *ctx, struct why *why);

    void (*tally_add)(struct inbox *i, const char *webhook_id, bool success);
    enum err (*tally_read)(struct inbox *i, const char *webhook_id, struct inbox_tally *ret,
                           struct why *why);
};

extern const struct inbox_backend inbox_backend_sqlite;

#endif
