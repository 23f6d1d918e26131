/*
 * service.h - what the handler and `connect-webhook worker` have in common: what they stand on, how
 * they are loaded again, and the signals that tell them to.
 *
 * SIGTERM and SIGINT stop, SIGHUP loads the configuration again, and opens the log file again;
 * what does not load changes nothing. A stop gives what was begun three quarters of
 * web.stop_timeout; then, and at a second signal, every wait is ended; what hangs all the same is
 * ended with the program, a little after web.stop_timeout. The service manager is told of all that,
 * and that the program is alive; whoever asks the admin side is told so, too. SIGCHLD has whatever
 * has ended buried: the spawner, with all that it ran, and orphans that were left to us.
 */
#ifndef CMD_SERVICE_H
#define CMD_SERVICE_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "conf/conf.h"
#include "inbox/inbox.h"
#include "tasks/accounts.h"
#include "tasks/retention.h"
#include "tasks/snapshot.h"
#include "tasks/workers.h"
#include "web/admin.h"

struct service {
    const char *conf_path;
    enum conf_need need;
    struct conf *conf; /* as it was at the start: what a reload cannot change is as it says */
    struct inbox *inbox;
    struct accounts *accounts;
    struct snapshots *snapshots;
    struct workers *workers;     /* NULL: none */
    struct retention *retention; /* NULL until it listens, as what follows */
    struct admin *admin;

    /* What else is to be done, in the thread of the signals; may be NULL. */
    void (*on_stop)(void *ctx);
    void (*on_reload)(void *ctx, const struct conf *fresh);
    /* For how long one thing has kept others waiting, in ms; any thread; may be NULL. */
    int64_t (*busy_ms)(const void *ctx);
    void *ctx;

    pthread_t listener;
    bool listens;
    bool hangs;       /* for the listener: and that has been said */
    atomic_bool over; /* for the listener: main() is done with it */
};

/* How the inbox is opened. Borrows the configuration's texts. */
struct inbox_options service_inbox_options(const struct conf *c);

/* First in main(), before any thread is made: the signals of a service are blocked, so that all
 * threads inherit it; or, as CGI, those that mean nothing are ignored. */
void service_block_signals(bool cgi);

/* Configuration, log, inbox, accounts, snapshots: all that stands between the program and the disk.
 * `s` is zeroed but for conf_path and need; service_close() it in any case. */
enum err service_open(struct service *s, struct why *why);
/* `options` without inbox, accounts and snapshots. */
enum err service_start_workers(struct service *s, const struct workers_options *options,
                               struct why *why);
void service_close(struct service *s);
/* Does the log go to a file? Then who starts the program has to be told of a failure, too. */
bool service_has_log_file(const struct service *s);

/* Begin to act on signals, to tell of health, and to forget what is over; and tell that the program
 * is ready. */
enum err service_listen(struct service *s, struct why *why);
/* No more; when all is over, but before what it calls is gone. Nothing if it does not listen. */
void service_deafen(struct service *s);

#endif
