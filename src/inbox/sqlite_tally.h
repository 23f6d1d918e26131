/*
 * sqlite_tally.h - the tallies of an SQLite inbox. For inbox_sqlite.c alone; see inbox/inbox.h.
 */
#ifndef INBOX_SQLITE_TALLY_H
#define INBOX_SQLITE_TALLY_H

#include "inbox/backend.h"

void sqlite_tally_add(struct inbox *i, const char *webhook_id, bool success);
enum err sqlite_tally_read(struct inbox *i, const char *webhook_id, struct inbox_tally *ret,
                           struct why *why);

#endif
