/*
 * sqlite_delivery.h - the deliveries of an SQLite inbox. For the rooms of this folder alone.
 */
#ifndef INBOX_SQLITE_DELIVERY_H
#define INBOX_SQLITE_DELIVERY_H

#include "inbox/inbox.h"
#include "inbox/sqlite_writer.h"

struct sqlite_deliveries;

/* Borrows both. *ret is owned: sqlite_deliveries_free(), when the writer has ended. */
enum err sqlite_deliveries_new(struct sqlite_db *db, struct sqlite_writer *writer,
                               struct sqlite_deliveries **ret, struct why *why);
void sqlite_deliveries_free(struct sqlite_deliveries *s); /* NULL is fine */

/* See inbox_append() and inbox_set_state(). */
void sqlite_deliveries_append(struct sqlite_deliveries *s, const struct delivery *d,
                              inbox_appended_fn *fn, void *ctx);
enum err sqlite_deliveries_set_state(struct sqlite_deliveries *s, int64_t id,
                                     enum delivery_state state, struct why *why);

#endif
