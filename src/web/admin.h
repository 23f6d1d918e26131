/*
 * admin.h - the admin side, /-/..., on a listener of its own: web.admin_listen.
 *
 *     /-/healthz  200 as long as nothing in the program hangs, else 503: for who starts it again
 *     /-/readyz   200 if calls can be stored and are worked on, else 503: for who watches it. JSON
 *                 says which check fails, and why
 *     /-/metrics  all that is measured, as Prometheus reads it
 *
 * Several programs may be told the same address: one has it, and when that one ends the next does.
 * It is served by a thread of its own, which may wait for the inbox.
 */
#ifndef WEB_ADMIN_H
#define WEB_ADMIN_H

#include "base/err.h"
#include "conf/conf.h"
#include "inbox/inbox.h"
#include "tasks/snapshot.h"
#include "tasks/workers.h"

/* What /-/readyz finds wrong. */
#define ADMIN_LATE_S   900                /* what waits has been due for so long */
#define ADMIN_HALT_S   60                 /* an account is halted for so long still */
#define ADMIN_DISK_MIN (64 * 1024 * 1024) /* bytes that are free on the inbox's disk */

/* All are borrowed. */
struct admin_options {
    const struct conf *conf; /* where it listens is as it was at the start */
    struct inbox *inbox;
    struct inbox_options inbox_options; /* to look into it without waiting for others */
    struct snapshots *snapshots;
    const struct workers *workers; /* NULL: none */
    bool (*is_alive)(const void *ctx);
    const void *ctx;
};

struct admin;

/* Nothing is made if web.admin_listen is none: then *ret is NULL. *ret is owned: admin_end(). What
 * fails is as fcgi_open() says, but for ERR_BUSY. */
enum err admin_start(const struct admin_options *options, struct admin **ret, struct why *why);
/* NULL is fine. */
void admin_end(struct admin *a);

#endif
