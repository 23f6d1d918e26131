/*
 * sqlite_counter.h - the metrics of all programs, in an SQLite inbox. For inbox_sqlite.c and
 * sqlite_db.c alone; see inbox/inbox.h.
 */
#ifndef INBOX_SQLITE_COUNTER_H
#define INBOX_SQLITE_COUNTER_H

#include "inbox/backend.h"

struct sqlite_db;
struct sqlite_counters;

struct sqlite_counters *sqlite_counters_new(struct sqlite_db *d); /* NULL: out of memory */
/* When the writer has ended. NULL is fine. */
void sqlite_counters_free(struct sqlite_counters *c);

void sqlite_counters_put(struct inbox *i); /* and the tallies */
enum err sqlite_counters_each(struct inbox *i, inbox_counter_fn *fn, void *ctx, struct why *why);

#endif
