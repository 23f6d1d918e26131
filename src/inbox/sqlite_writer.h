/*
 * sqlite_writer.h - the one thread that writes an SQLite inbox. For sqlite_db.c alone, where others
 * put their changes.
 *
 * Changes are items: what has gathered is applied and committed in one transaction. So nobody waits
 * for the disk alone, and whatever changes rides the same commit as all that has come meanwhile.
 */
#ifndef INBOX_SQLITE_WRITER_H
#define INBOX_SQLITE_WRITER_H

#include <stdbool.h>

#include "base/err.h"

#define SQLITE_LATER_MS 1000 /* longest wait of a change that can wait */

struct sqlite_db;

/* One change, the head of its own struct. */
struct sqlite_item {
    /*
     * Make the change. An error that passes (err_passes(): the database's) is everybody's: nothing
     * of the transaction is kept. Any other is the item's own, which then must not have changed
     * anything. Never NULL.
     */
    enum err (*apply)(struct sqlite_db *d, struct sqlite_item *item, struct why *why);
    /* Once it is on stable storage, or could not be put there: see `err`. May free the item. NULL
     * for one that somebody waits for. */
    void (*done)(struct sqlite_item *item);

    enum err err;   /* what it came to */
    struct why why; /* its story */

    struct sqlite_item *next; /* the writer's, as what follows */
    bool can_wait;
    bool over;
};

/* Make all changes of a list in one transaction. Each has its own trouble; what is returned is
 * all's. */
typedef enum err sqlite_commit_fn(struct sqlite_db *d, struct sqlite_item *list, struct why *why);
/* What comes once everybody has been told. */
typedef void sqlite_committed_fn(struct sqlite_db *d);

struct sqlite_writer;

/* ERR_NOMEM. */
enum err sqlite_writer_start(struct sqlite_db *d, sqlite_commit_fn *commit,
                             sqlite_committed_fn *committed, struct sqlite_writer **ret,
                             struct why *why);
/* Once all that was put is done. */
void sqlite_writer_end(struct sqlite_writer *w);

/* Any thread. One that can wait goes with the next that cannot, or by itself after a while. */
void sqlite_writer_put(struct sqlite_writer *w, struct sqlite_item *item, bool can_wait);
/* Until it is over; for one without `done`. */
void sqlite_writer_wait(struct sqlite_writer *w, const struct sqlite_item *item);

#endif
