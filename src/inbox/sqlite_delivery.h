/*
 * sqlite_delivery.h - the deliveries of an SQLite inbox. For the rooms of this folder alone.
 */
#ifndef INBOX_SQLITE_DELIVERY_H
#define INBOX_SQLITE_DELIVERY_H

#include "inbox/backend.h"

/* Of the backend (inbox/backend.h). */
void sqlite_append(struct inbox *i, const struct delivery *d, inbox_appended_fn *fn, void *ctx);
enum err sqlite_set_state(struct inbox *i, int64_t id, enum delivery_state state, struct why *why);

#endif
