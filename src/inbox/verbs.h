/*
 * verbs.h - what the files that say what happens to rows have from each other. For the rooms of
 * this folder alone.
 */
#ifndef INBOX_VERBS_H
#define INBOX_VERBS_H

#include "inbox/backend.h"

/* ERR_INVALID. */
enum err inbox_check_queue(const struct inbox_queue *q, struct why *why);

/* Transact, and tell all who wait, for something may be due now. */
enum err transact_and_tell(struct inbox *i, inbox_work_fn *fn, void *work, struct why *why);

/* ... to give a lease back. If that fails, others may take it over all the same. */
enum err transact_with_lease(struct inbox *i, const struct inbox_lease *lease, inbox_work_fn *fn,
                             void *work, struct why *why);

/* Wait until somebody tells, or `until` (clk_mono_ms) at the latest. ERR_STOPPED. */
enum err wait_for_holder(struct inbox *i, uint64_t heard, int64_t until, struct why *why);

/* A time of the backend's clock in UTC, for people. */
int64_t wall_s(int64_t at_us, int64_t now_us);
/* ... from now on, rounded up; 0 if it has passed. */
int64_t left_ms(int64_t at_us, int64_t now_us);

struct inbox_task task_of_row(const struct task_row *t, int64_t now_us);
struct inbox_lease lease_of(enum inbox_kind kind, int64_t id, const struct lease_row *l,
                            int64_t until);

/* What follows is for an inbox_work_fn. */

/* Are so many tasks ready that sweeps have to wait? */
enum err backlog_full(struct inbox *i, bool *ret, struct why *why);

/* The row that a lease holds. ERR_FENCED. */
enum err sweep_of_lease(struct inbox *i, const struct inbox_lease *lease, struct sweep_row *ret,
                        struct why *why);
enum err task_of_lease(struct inbox *i, const struct inbox_lease *lease, struct task_row *ret,
                       struct why *why);
/* The row of a queue; a new one, not stored yet, where there is none. */
enum err sweep_of_queue(struct inbox *i, const struct inbox_queue *q, struct sweep_row *ret,
                        struct why *why);
/* Hold a row that nobody holds. */
enum err sweep_hold(struct inbox *i, struct sweep_row *s, int64_t lease_ms, struct inbox_sweep *ret,
                    struct why *why);
enum err task_hold(struct inbox *i, struct task_row *t, int64_t lease_ms, struct inbox_task *ret,
                   struct why *why);

#endif
