/*
 * sqlite_schema.h - the tables of an SQLite inbox. For sqlite_db.c alone.
 */
#ifndef INBOX_SQLITE_SCHEMA_H
#define INBOX_SQLITE_SCHEMA_H

#include "inbox/sqlite_db.h"

/* Within a transaction: make the tables, or bring those of an earlier version up to this one's.
 * ERR_STORE if it is another program's file, or a later version's; `path` is told of. */
enum err sqlite_schema_raise(const struct sqlite_db *d, const char *path, struct why *why);
/* Are they this version's? ERR_STORE, also if they are of an earlier one, or not there. */
enum err sqlite_schema_check(const struct sqlite_db *d, const char *path, struct why *why);

#endif
