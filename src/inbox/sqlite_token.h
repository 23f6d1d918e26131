/*
 * sqlite_token.h - which tokens have come before. For sqlite_delivery.c and sqlite_db.c alone.
 *
 * A token's hash is a random key: an index that takes in each as it comes costs a third of the
 * rate. So the last ones stay in memory, and go into the table of tokens together and sorted. Which
 * have not yet is known by their ids, so nothing is lost with a process, and what others have
 * stored is read when it has been.
 */
#ifndef INBOX_SQLITE_TOKEN_H
#define INBOX_SQLITE_TOKEN_H

#include "inbox/sqlite_db.h"

#define SQLITE_TOKENS_MERGED 1000 /* in memory, before they go into the table */

struct sqlite_tokens;

struct sqlite_tokens *sqlite_tokens_new(void); /* NULL: out of memory */
void sqlite_tokens_free(struct sqlite_tokens *t);

/* What follows is for `apply`. */

/* The delivery that has brought the token; ERR_NOT_FOUND if none has. It may have been pruned. */
enum err sqlite_token_find(struct sqlite_db *d, const struct delivery *of, int64_t *ret_id,
                           struct why *why);
/* A delivery that was just stored. */
enum err sqlite_token_add(struct sqlite_db *d, const struct delivery *of, int64_t id,
                          struct why *why);

#endif
