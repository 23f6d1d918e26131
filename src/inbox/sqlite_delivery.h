/*
 * sqlite_delivery.h - the deliveries of an SQLite inbox. For the rooms of this folder alone.
 */
#ifndef INBOX_SQLITE_DELIVERY_H
#define INBOX_SQLITE_DELIVERY_H

#include "inbox/backend.h"

/* Of the backend (inbox/backend.h). */
void sqlite_append(struct inbox *i, const struct delivery *d, inbox_appended_fn *fn, void *ctx);
enum err sqlite_set_state(struct inbox *i, int64_t id, enum delivery_state state, struct why *why);
enum err sqlite_delivery_renew(struct inbox *i, int64_t id, struct sweep_row *ret, struct why *why);
enum err sqlite_delivery_newest(struct inbox *i, int64_t *ret_id, struct why *why);
enum err sqlite_delivery_page(struct inbox *i, const struct inbox_filter *f, inbox_delivery_fn *fn,
                              void *ctx, struct why *why);
/* Of tasks, too. */
enum err sqlite_prune_deliveries(struct inbox *i, int64_t before_us, int64_t limit, int64_t *last,
                                 int64_t *ret_count, struct why *why);
enum err sqlite_prune_tasks(struct inbox *i, int64_t before_us, int64_t limit, int64_t *ret_count,
                            struct why *why);

#endif
