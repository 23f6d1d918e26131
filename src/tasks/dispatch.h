/*
 * dispatch.h - a configuration snapshot come to life: who handles which queue.
 *
 * Holds one API client an account and one policy a webhook. Immutable once made; a reload makes
 * a new one, and the old one lives until its last user lets go. A configuration whose rules do
 * not load makes none, so that it never replaces a good one.
 */
#ifndef TASKS_DISPATCH_H
#define TASKS_DISPATCH_H

#include <stdbool.h>

#include "base/err.h"
#include "conf/conf.h"
#include "tasks/sweep.h"

struct dispatch;

/* Keeps a reference to `conf`; borrows `inbox`. *ret has one reference. */
enum err dispatch_new(struct conf *conf, struct inbox *inbox, struct dispatch **ret,
                      struct why *why);
struct dispatch *dispatch_ref(struct dispatch *d);
void dispatch_unref(struct dispatch *d); /* NULL is fine */
/* End API calls under way; for a stop that cannot wait. Any thread. */
void dispatch_stop(struct dispatch *d);

/* Can this version do anything for the webhook? If not, `why` says what it cannot do. */
bool dispatch_serves(const struct conf_webhook *w, struct why *why);

/*
 * Sweep the queue of an event webhook now, in this thread. See sweep_run(); besides, ERR_NOT_FOUND
 * for a webhook that this configuration does not have, and ERR_INVALID for a validator.
 */
enum err dispatch_sweep(struct dispatch *d, const struct conf_webhook *w,
                        const struct sweep_terms *terms, swept_fn *fn, void *ctx,
                        struct sweep_result *ret, struct why *why);

#endif
