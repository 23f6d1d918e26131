/*
 * hook.h - a webhook's call, from the request to the answer.
 *
 * The steps are one visible list in hook.c. No step waits in the transport's threads: the inbox
 * calls back when a delivery is on stable storage, sweeps and forms have pools of their own, and
 * what came of it goes on in the transport's thread.
 */
#ifndef WEB_HOOK_H
#define WEB_HOOK_H

#include "base/err.h"
#include "conf/conf.h"
#include "event/event.h"
#include "inbox/inbox.h"
#include "tasks/snapshot.h"
#include "transport/request.h"

struct hook;

/* Borrows `inbox` and `snapshots`; how many threads there are for what takes time, `conf` says.
 * `cgi`: how the program was started, which decides what processing.mode auto is. *ret is owned:
 * hook_free(). */
enum err hook_new(const struct conf *conf, struct inbox *inbox, struct snapshots *snapshots,
                  bool cgi, struct hook **ret, struct why *why);
/* When every call has been answered. NULL is fine. */
void hook_free(struct hook *h);

/* The request_handler: `ctx` is the hook. */
void hook_handle(void *ctx, struct request *r);

/* Why an event that a webhook has proven is none of its business, and so stored and left alone;
 * NULL if it is its business. Static. */
const char *hook_ignores(const struct event *e, const struct conf_webhook *w);

/* A request_handler for a program that cannot work: 503, so that Connect calls again. */
void hook_unavailable(void *ctx, struct request *r);

#endif
