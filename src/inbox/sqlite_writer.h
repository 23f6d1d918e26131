/*
 * sqlite_writer.h - the one thread that writes: what has gathered is committed in one transaction.
 * For the rooms of this folder alone.
 *
 * Nobody waits for the disk alone: whatever changes, it rides the same commit as all that has come
 * meanwhile.
 */
#ifndef INBOX_SQLITE_WRITER_H
#define INBOX_SQLITE_WRITER_H

#include "base/err.h"
#include "inbox/sqlite_db.h"

/* One change, the head of its own struct. */
struct sqlite_item {
    struct sqlite_item *next; /* the writer's */
    enum err own;             /* the writer's: what `apply` said */
    struct why why;           /* the writer's: its story */

    /*
     * Make the change. An error that passes (err_passes(): the database's) is everybody's: nothing
     * of the transaction is kept. Any other is the item's own, which then must not have changed
     * anything. Never NULL.
     */
    enum err (*apply)(struct sqlite_item *item, struct why *why);
    /* Once it is on stable storage, or could not be put there. May free the item. Never NULL. */
    void (*done)(struct sqlite_item *item, enum err e, const struct why *why);
};

struct sqlite_writer;

enum err sqlite_writer_new(struct sqlite_db *db, struct sqlite_writer **ret, struct why *why);
/* Completes what was put, then ends. NULL is fine. */
void sqlite_writer_free(struct sqlite_writer *w);

/* Have a change made; `done` runs exactly once, in the writer's thread. Any thread. */
void sqlite_writer_put(struct sqlite_writer *w, struct sqlite_item *item);
/* ... and wait for it; `done` is set here. Not from within `done`. */
enum err sqlite_writer_do(struct sqlite_writer *w, struct sqlite_item *item, struct why *why);

#endif
