/*
 * snapshot.h - everything that one version of the configuration decides about a call.
 *
 * Immutable but for its counters. A call keeps the snapshot it began with; a reload makes another.
 */
#ifndef WEB_SNAPSHOT_H
#define WEB_SNAPSHOT_H

#include <stdbool.h>

#include "auth/keyring.h"
#include "base/err.h"
#include "conf/conf.h"
#include "inbox/inbox.h"
#include "tasks/dispatch.h"

struct snapshot {
    struct conf *conf;
    struct keyring *keyring;
    struct dispatch *dispatch;
    _Atomic long *foreign_api_urls; /* a webhook: calls that claimed another endpoint */
    _Atomic int refs;
};

/* Keeps a reference to `conf`; borrows `inbox`. *ret has one reference. */
enum err snapshot_new(struct conf *conf, struct inbox *inbox, struct snapshot **ret,
                      struct why *why);
struct snapshot *snapshot_ref(struct snapshot *s);
void snapshot_unref(struct snapshot *s); /* NULL is fine */

#endif
