/*
 * sqlite_bind.h - what a statement of an SQLite inbox is given, and what its rows are read into.
 * For the rooms of this folder alone.
 *
 * To bind to a statement that is NULL does nothing (https://www.sqlite.org/c3ref/bind_blob.html).
 * What is bound is borrowed until the statement has been run.
 */
#ifndef INBOX_SQLITE_BIND_H
#define INBOX_SQLITE_BIND_H

#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>

#include "inbox/backend.h"

void sqlite_bind_text(sqlite3_stmt *q, int i, const char *text); /* NULL: a null */
/* Several parameters, from number `i` on: numbers, or what makes a queue (1 to 3) or a lease. */
void sqlite_bind_ints(sqlite3_stmt *q, int i, const int64_t *list, size_t count);
void sqlite_bind_queue(sqlite3_stmt *q, const struct inbox_queue *queue);
void sqlite_bind_lease(sqlite3_stmt *q, int i, const struct lease_row *l);

/* What a page of rows has in common, as parameters 1 to 6. */
#define SQLITE_FITS                                            \
    " id < ?1 AND id > ?6 AND (?2 IS NULL OR account_id = ?2)" \
    " AND (?3 IS NULL OR product_id = ?3) AND (?4 IS NULL OR object_class = ?4)"
#define SQLITE_PAGE " ORDER BY id DESC LIMIT ?5"
void sqlite_bind_filter(sqlite3_stmt *q, const struct inbox_filter *f);
/* ... and what one of tasks or deliveries has besides, as parameters 7 and 8: ?8 is a time. */
#define SQLITE_IS_WANTED(state_bit, since) " AND (?7 >> " state_bit " & 1) AND " since " >= ?8"
void sqlite_bind_wanted(sqlite3_stmt *q, const struct inbox_filter *f, int64_t now_us);

/* Columns of a row, from number `i` on. A blob of another size is all zero. */
void sqlite_row_text(sqlite3_stmt *row, int i, char *ret, size_t size);
void sqlite_row_blob(sqlite3_stmt *row, int i, uint8_t *ret, size_t size);
void sqlite_row_lease(sqlite3_stmt *row, int i, struct lease_row *ret);
const struct object_class *sqlite_row_class(sqlite3_stmt *row,
                                            int i); /* NULL: not of this version */

#endif
