/*
 * sqlite_mark.h - the marks of an SQLite inbox. For inbox_sqlite.c alone; see inbox/inbox.h.
 */
#ifndef INBOX_SQLITE_MARK_H
#define INBOX_SQLITE_MARK_H

#include "inbox/backend.h"

enum err sqlite_mark_read(struct inbox *i, const struct inbox_queue *q, struct inbox_mark *ret,
                          inbox_seen_fn *fn, void *ctx, struct why *why);
enum err sqlite_mark_write(struct inbox *i, const struct inbox_queue *q, const struct inbox_mark *m,
                           struct why *why);
enum err sqlite_mark_seen(struct inbox *i, const struct inbox_queue *q, const char *object_id,
                          int64_t created_us, struct why *why);

#endif
