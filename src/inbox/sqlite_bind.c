/* sqlite_bind.c - from values to a statement's parameters, and from a row's columns to values. */
#include "inbox/sqlite_bind.h"

#include <stdio.h>
#include <string.h>

void sqlite_bind_text(sqlite3_stmt *q, int i, const char *text)
{
    sqlite3_bind_text(q, i, text, -1, SQLITE_STATIC);
}

void sqlite_bind_ints(sqlite3_stmt *q, int i, const int64_t *list, size_t count)
{
    for (size_t n = 0; n < count; n++)
        sqlite3_bind_int64(q, i + (int)n, list[n]);
}

void sqlite_bind_queue(sqlite3_stmt *q, const struct inbox_queue *queue)
{
    sqlite_bind_text(q, 1, queue->account_id);
    sqlite_bind_text(q, 2, queue->product_id);
    sqlite_bind_text(q, 3, queue->object_class->name);
}

void sqlite_bind_lease(sqlite3_stmt *q, int i, const struct lease_row *l)
{
    sqlite3_bind_blob(q, i, l->token, sizeof l->token, SQLITE_STATIC);
    sqlite3_bind_int64(q, i + 1, l->until_us);
    sqlite_bind_text(q, i + 2, l->owner);
}

void sqlite_bind_filter(sqlite3_stmt *q, const struct inbox_filter *f)
{
    sqlite3_bind_int64(q, 1, f->before_id);
    sqlite_bind_text(q, 2, f->account_id);
    sqlite_bind_text(q, 3, f->product_id);
    sqlite_bind_text(q, 4, f->object_class != NULL ? f->object_class->name : NULL);
    sqlite3_bind_int(q, 5, f->limit);
    sqlite3_bind_int64(q, 6, f->after_id);
}

void sqlite_bind_wanted(sqlite3_stmt *q, const struct inbox_filter *f, int64_t now_us)
{
    sqlite_bind_filter(q, f);
    sqlite3_bind_int64(q, 7, f->states);
    sqlite3_bind_int64(q, 8, f->age_ms > 0 ? now_us - f->age_ms * 1000 : 0);
}

void sqlite_row_text(sqlite3_stmt *row, int i, char *ret, size_t size)
{
    const char *text = (const char *)sqlite3_column_text(row, i);
    snprintf(ret, size, "%s", text != NULL ? text : "");
}

void sqlite_row_blob(sqlite3_stmt *row, int i, uint8_t *ret, size_t size)
{
    memset(ret, 0, size);
    if (sqlite3_column_bytes(row, i) == (int)size)
        memcpy(ret, sqlite3_column_blob(row, i), size);
}

void sqlite_row_lease(sqlite3_stmt *row, int i, struct lease_row *ret)
{
    sqlite_row_blob(row, i, ret->token, sizeof ret->token);
    ret->until_us = sqlite3_column_int64(row, i + 1);
    sqlite_row_text(row, i + 2, ret->owner, sizeof ret->owner);
}

const struct object_class *sqlite_row_class(sqlite3_stmt *row, int i)
{
    return object_class_find((const char *)sqlite3_column_text(row, i));
}
