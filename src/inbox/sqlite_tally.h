/*
 * sqlite_tally.h - the tallies of an SQLite inbox. For inbox_sqlite.c and sqlite_db.c alone; see
 * inbox/inbox.h.
 *
 * Every call is counted, so counting one costs no transaction, nor a place in one: what has been
 * counted gathers in memory, until it is put.
 */
#ifndef INBOX_SQLITE_TALLY_H
#define INBOX_SQLITE_TALLY_H

#include "inbox/backend.h"

struct sqlite_db;
struct sqlite_tallies;

struct sqlite_tallies *sqlite_tallies_new(struct sqlite_db *d); /* NULL: out of memory */
/* When the writer has ended. NULL is fine. */
void sqlite_tallies_free(struct sqlite_tallies *t);

/* Have what has gathered added to the table, by and by. */
void sqlite_tallies_put(struct sqlite_tallies *t);

void sqlite_tally_add(struct inbox *i, const char *webhook_id, bool success);
enum err sqlite_tally_read(struct inbox *i, const char *webhook_id, struct inbox_tally *ret,
                           struct why *why);

#endif
