/*
 * accounts.h - what all who call for an account, in all programs, have in common, kept in the
 * inbox: how often they may call, and that Connect does not serve the account for now.
 *
 * An account whose API fails or hangs is halted: nothing of it is claimed (inbox_halt()), so that
 * whoever works is free for others. Each failure in a row makes that longer. Where our key is not
 * accepted, only another configuration helps, or an hour.
 */
#ifndef TASKS_ACCOUNTS_H
#define TASKS_ACCOUNTS_H

#include <stdint.h>

#include "api/api.h"
#include "conf/conf.h"
#include "inbox/inbox.h"

#define ACCOUNTS_AUTH_HALT_MS (3600 * INT64_C(1000)) /* when our key is not accepted */

struct accounts;

/* Borrows the inbox. NULL: out of memory. */
struct accounts *accounts_new(struct inbox *inbox, const struct conf *conf);
void accounts_free(struct accounts *a); /* NULL is fine */
/* To hand to the API clients; borrowed. */
const struct api_commons *accounts_commons(const struct accounts *a);
/* Another configuration holds: its waits, and perhaps its keys. The halts of its accounts are over.
 */
void accounts_reload(struct accounts *a, const struct conf *conf);

#endif
