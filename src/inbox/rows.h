/*
 * rows.h - the rows of sweeps and tasks, and how they change: pure, the same for all backends. For
 * the rooms of this folder alone.
 *
 * Times are by the backend's clock, in microseconds.
 */
#ifndef INBOX_ROWS_H
#define INBOX_ROWS_H

#include "inbox/inbox.h"
#include "inbox/lease.h"

#define ROW_NEVER INT64_MAX
#define ROW_RANKS 3 /* tier configurations, fulfillment, the rest */

/* Which classes come first: 0 to ROW_RANKS - 1. */
int row_rank(const struct object_class *c);

struct sweep_row {
    int64_t id; /* 0: not stored yet */
    char account_id[OBJECT_ID_MAX], product_id[OBJECT_ID_MAX];
    const struct object_class *object_class;
    int64_t due_us;   /* for a call, or after an error */
    int64_t poll_us;  /* for nothing else */
    int64_t again_us; /* for what may have been freed in it */
    int64_t freed_us; /* ... when that was */
    bool called;      /* a call is among what it is due for */
    bool for_call;    /* ... is among what the running one is for */
    int64_t started_us, ended_us;
    int64_t covered_us;  /* what was stored until then has had its sweep */
    int64_t delivery_id; /* the call that made it due last; 0: none */
    int64_t polled;      /* objects that it has found for no call */
    int64_t failures;
    char error[WHY_MAX];
    struct lease_row lease;
};

struct task_row {
    int64_t id; /* 0: not stored yet */
    char account_id[OBJECT_ID_MAX], product_id[OBJECT_ID_MAX], object_id[OBJECT_ID_MAX];
    const struct object_class *object_class;
    enum task_state state;
    int64_t due_us; /* ready: when; skipped: until when */
    bool called;
    int64_t delivery_id; /* of the call before it was found; 0: none */
    bool again;          /* it was found to be another while it was held */
    int64_t asked, failures;
    int64_t created_us, updated_us, started_us;
    uint8_t fingerprint[INBOX_FINGERPRINT_LEN];
    struct inbox_story story;
    struct lease_row lease;
};

struct account_row {
    char account_id[OBJECT_ID_MAX];
    int64_t halted_until_us;
    int64_t rate_second, rate_used; /* the calls that were taken of that second */
};

struct attempt_row {
    int64_t task_id;
    int64_t started_us, ended_us;
    const char *result, *reason, *calls; /* borrowed */
};

void sweep_row_init(struct sweep_row *s, const struct inbox_queue *q);
/* When it can be claimed; ROW_NEVER while it is held. */
int64_t sweep_row_due(const struct sweep_row *s);
void sweep_row_wake(struct sweep_row *s, int64_t delivery_id, int64_t now_us);
/* Something may have been freed in it. */
void sweep_row_free(struct sweep_row *s, int64_t now_us);
/* It is held, what was due is taken in. The caller takes the lease. */
void sweep_row_begin(struct sweep_row *s, int64_t now_us);
void sweep_row_end(struct sweep_row *s, const struct inbox_sweep_end *end, int64_t now_us);
/* Its runner is gone. */
void sweep_row_lose(struct sweep_row *s, int64_t now_us);

void task_row_init(struct task_row *t, const struct sweep_row *s, const char *object_id,
                   int64_t now_us);
/* A sweep has found it. True: that has changed something. */
bool task_row_find(struct task_row *t, const struct inbox_found *f, struct sweep_row *s,
                   bool retry_now, int64_t now_us);
void task_row_begin(struct task_row *t, int64_t now_us);
void task_row_end(struct task_row *t, const struct inbox_task_end *end, int64_t now_us);
void task_row_give_back(struct task_row *t, int64_t after_ms, int64_t now_us);
void task_row_lose(struct task_row *t, int64_t now_us);
void task_row_retry(struct task_row *t, int64_t now_us);
void task_row_discard(struct task_row *t, int64_t now_us);

#endif
