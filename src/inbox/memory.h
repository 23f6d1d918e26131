/*
 * memory.h - the rows of an inbox in memory, and what a backend is asked of them (inbox/backend.h).
 * For the memory_... rooms of this folder alone.
 */
#ifndef INBOX_MEMORY_H
#define INBOX_MEMORY_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "inbox/backend.h"

/* An array of pointers, so that rows stay where they are. */
struct table {
    void **list;
    size_t count, cap;
};

struct memory {
    struct inbox head;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t told;
    uint64_t heard;
    bool stopped;
    int64_t last_us;
    int64_t last_id;
    int64_t worked_us; /* when somebody said so; 0: nobody does */
    struct table deliveries, sweeps, tasks, accounts, marks, seen, tallies;
    struct table attempts; /* whose texts are owned */
};

static inline struct memory *memory_of(struct inbox *i)
{
    return (struct memory *)i;
}

/* A row of its own, all zero; NULL: out of memory. */
void *memory_add_row(struct table *t, size_t size);
void memory_drop_row(struct table *t, size_t index);

bool memory_is_of_queue(const struct inbox_queue *q, const char *account_id, const char *product_id,
                        const struct object_class *c);
/* Does a page of rows have it? NULL wants nothing. */
bool memory_fits(const char *wanted, const char *is);
bool memory_fits_filter(const struct inbox_filter *f, int64_t id, const char *account_id,
                        const char *product_id, const struct object_class *c);
/* ... and one of tasks or deliveries? */
bool memory_is_wanted(struct inbox *i, const struct inbox_filter *f, unsigned state,
                      int64_t since_us);

int64_t memory_now_us(struct inbox *i);
void memory_tell(struct inbox *i);

enum err memory_sweep_find(struct inbox *i, const struct inbox_queue *q, struct sweep_row *ret,
                           struct why *why);
enum err memory_sweep_get(struct inbox *i, int64_t id, struct sweep_row *ret, struct why *why);
enum err memory_sweep_put(struct inbox *i, struct sweep_row *s, struct why *why);
enum err memory_sweep_first(struct inbox *i, const char *account_id, int rank,
                            struct sweep_row *ret, struct why *why);
enum err memory_sweep_page(struct inbox *i, const struct inbox_filter *f, sweep_row_fn *fn,
                           void *ctx, struct why *why);
enum err memory_account_find(struct inbox *i, const char *account_id, struct account_row *ret,
                             struct why *why);
enum err memory_account_put(struct inbox *i, const struct account_row *a, struct why *why);
enum err memory_account_next(struct inbox *i, const char *after, struct account_row *ret,
                             struct why *why);

enum err memory_task_find(struct inbox *i, const struct sweep_row *s, const char *object_id,
                          struct task_row *ret, struct why *why);
enum err memory_task_get(struct inbox *i, int64_t id, struct task_row *ret, struct why *why);
enum err memory_task_put(struct inbox *i, struct task_row *t, struct why *why);
enum err memory_task_first(struct inbox *i, const char *account_id, int rank, int64_t fresh_us,
                           struct task_row *ret, struct why *why);
enum err memory_task_next(struct inbox *i, const struct inbox_queue *q, struct task_row *ret,
                          struct why *why);
enum err memory_task_page(struct inbox *i, const struct inbox_filter *f, task_row_fn *fn, void *ctx,
                          struct why *why);
enum err memory_task_newest(struct inbox *i, int64_t *ret_id, struct why *why);
enum err memory_task_count(struct inbox *i, const struct inbox_queue *q, enum task_state state,
                           int64_t *ret_count, int64_t *ret_due_us, struct why *why);
enum err memory_backlog(struct inbox *i, int64_t *ret, struct why *why);
enum err memory_prune_tasks(struct inbox *i, int64_t before_us, int64_t limit, int64_t *ret_count,
                            struct why *why);
enum err memory_attempt_add(struct inbox *i, const struct attempt_row *a, struct why *why);
enum err memory_attempt_each(struct inbox *i, int64_t task_id, attempt_row_fn *fn, void *ctx,
                             struct why *why);
void memory_drop_attempt(struct table *t, size_t index);
enum err memory_held(struct inbox *i, enum inbox_kind kind, int64_t after, int64_t *ret, size_t max,
                     size_t *ret_count, struct why *why);
enum err memory_held_count(struct inbox *i, const char *account_id, int64_t *ret, struct why *why);

void memory_append(struct inbox *i, const struct delivery *d, inbox_appended_fn *fn, void *ctx);
enum err memory_set_state(struct inbox *i, int64_t id, enum delivery_state s, struct why *why);
enum err memory_delivery_renew(struct inbox *i, int64_t id, struct sweep_row *ret, struct why *why);
enum err memory_delivery_page(struct inbox *i, const struct inbox_filter *f, inbox_delivery_fn *fn,
                              void *ctx, struct why *why);
enum err memory_delivery_newest(struct inbox *i, int64_t *ret_id, struct why *why);
enum err memory_prune_deliveries(struct inbox *i, int64_t before_us, int64_t limit, int64_t *last,
                                 int64_t *ret_count, struct why *why);
void memory_drop_delivery(struct table *t, size_t index);

enum err memory_mark_read(struct inbox *i, const struct inbox_queue *q, struct inbox_mark *ret,
                          inbox_seen_fn *fn, void *ctx, struct why *why);
enum err memory_mark_write(struct inbox *i, const struct inbox_queue *q,
                           const struct inbox_mark *mark, struct why *why);
enum err memory_mark_seen(struct inbox *i, const struct inbox_queue *q, const char *object_id,
                          int64_t created_us, struct why *why);

void memory_tally_add(struct inbox *i, const char *webhook_id, bool success);
enum err memory_tally_read(struct inbox *i, const char *webhook_id, struct inbox_tally *ret,
                           struct why *why);

#endif
