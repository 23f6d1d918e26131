/*
 * sqlite_delivery.h - the deliveries of an SQLite inbox. For the rooms of this folder alone.
 */
#ifndef INBOX_SQLITE_DELIVERY_H
#define INBOX_SQLITE_DELIVERY_H

#include "inbox/inbox.h"
#include "inbox/sqlite_db.h"

/* See inbox_append() and inbox_set_state(). */
void sqlite_delivery_append(struct sqlite_db *db, const struct delivery *d, inbox_appended_fn *fn,
                            void *ctx);
enum err sqlite_delivery_set_state(struct sqlite_db *db, int64_t id, enum delivery_state state,
                                   struct why *why);

#endif
