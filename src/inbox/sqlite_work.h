/*
 * sqlite_work.h - sweeps, tasks and accounts of an SQLite inbox. For inbox_sqlite.c alone, whose
 * table says what each does (inbox/backend.h).
 */
#ifndef INBOX_SQLITE_WORK_H
#define INBOX_SQLITE_WORK_H

#include "inbox/backend.h"

enum err sqlite_sweep_find(struct inbox *i, const struct inbox_queue *q, struct sweep_row *ret,
                           struct why *why);
enum err sqlite_sweep_get(struct inbox *i, int64_t id, struct sweep_row *ret, struct why *why);
enum err sqlite_sweep_put(struct inbox *i, struct sweep_row *s, struct why *why);
enum err sqlite_sweep_first(struct inbox *i, const char *account_id, int rank,
                            struct sweep_row *ret, struct why *why);
enum err sqlite_sweep_page(struct inbox *i, const struct inbox_filter *f, sweep_row_fn *fn,
                           void *ctx, struct why *why);

/* For sqlite_delivery.c: a call has told of the queue. Its first one makes the sweep. */
struct sqlite_db;
enum err sqlite_sweep_wake(struct sqlite_db *d, const struct inbox_queue *q, int64_t delivery_id,
                           int64_t now_us, struct why *why);

enum err sqlite_task_find(struct inbox *i, const struct sweep_row *s, const char *object_id,
                          struct task_row *ret, struct why *why);
enum err sqlite_task_get(struct inbox *i, int64_t id, struct task_row *ret, struct why *why);
enum err sqlite_task_put(struct inbox *i, struct task_row *t, struct why *why);
enum err sqlite_task_first(struct inbox *i, const char *account_id, int rank, int64_t fresh_us,
                           struct task_row *ret, struct why *why);
enum err sqlite_task_next(struct inbox *i, const struct inbox_queue *q, struct task_row *ret,
                          struct why *why);
enum err sqlite_task_page(struct inbox *i, const struct inbox_filter *f, task_row_fn *fn, void *ctx,
                          struct why *why);
enum err sqlite_task_newest(struct inbox *i, int64_t *ret_id, struct why *why);
enum err sqlite_task_count(struct inbox *i, const struct inbox_queue *q, enum task_state s,
                           int64_t *ret_count, int64_t *ret_due_us, struct why *why);
enum err sqlite_backlog(struct inbox *i, int64_t *ret, struct why *why);
enum err sqlite_attempt_add(struct inbox *i, const struct attempt_row *a, struct why *why);
enum err sqlite_attempt_each(struct inbox *i, int64_t task_id, attempt_row_fn *fn, void *ctx,
                             struct why *why);

enum err sqlite_held(struct inbox *i, enum inbox_kind kind, int64_t after, int64_t *ret, size_t max,
                     size_t *ret_count, struct why *why);
enum err sqlite_held_count(struct inbox *i, const char *account_id, int64_t *ret, struct why *why);

enum err sqlite_account_next(struct inbox *i, const char *after, struct account_row *ret,
                             struct why *why);
enum err sqlite_account_find(struct inbox *i, const char *account_id, struct account_row *ret,
                             struct why *why);
enum err sqlite_account_put(struct inbox *i, const struct account_row *a, struct why *why);

#endif
