/* service.c - what programs that run on have in common. */
#include "cmd/service.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clk.h"
#include "base/log.h"
#include "base/systemd.h"
#include "base/waits.h"

#define LOOK_AGAIN_MS 1000 /* does it still hang? */

/* That a service waits for. SIGUSR2 means something if service_deafen() sends it. */
static const int waited_for[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGUSR2};

static sigset_t signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof waited_for / sizeof *waited_for; i++)
        sigaddset(&set, waited_for[i]);
    return set;
}

void service_block_signals(bool cgi)
{
    /* A peer that has gone and a limit on the size of files are errors of write(). */
    static const int ignored[] = {SIGPIPE, SIGXFSZ, SIGUSR1};
    const sigset_t set = signals();
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        signal(ignored[i], SIG_IGN);
    signal(SIGCHLD, SIG_DFL); /* else who has ended is gone without a status */
    if (cgi)
        signal(SIGUSR2, SIG_IGN);
    else
        pthread_sigmask(SIG_BLOCK, &set, NULL);
}

/* ---------------------------------------------------------------------- stages */

static struct log_options log_options(const struct conf *conf)
{
    return (struct log_options){conf->log.level, conf->log.format, conf->log.file};
}

static enum err open_log(const struct conf *conf, struct why *why)
{
    const struct log_options o = log_options(conf);
    return log_open(&o, why);
}

struct inbox_options service_inbox_options(const struct conf *c)
{
    return (struct inbox_options){.url = c->inbox.url,
                                  .lock_timeout_ms = c->inbox.lock_timeout_ms,
                                  .max_wal = c->inbox.max_wal,
                                  .max_backlog = c->inbox.max_backlog};
}

static enum err open_inbox(const struct conf *conf, struct inbox **ret, struct why *why)
{
    const struct inbox_options o = service_inbox_options(conf);
    int64_t count = 0;
    enum err e = inbox_open(&o, ret, why);
    if (e == ERR_OK)
        e = inbox_recover(*ret, &count, why);
    if (count > 0)
        log_warn("%" PRId64 " sweeps and objects of programs that have died are due again", count);
    return e;
}

enum err service_open(struct service *s, struct why *why)
{
    enum err e = waits_load(getenv("CONNECT_WEBHOOK_WAITS"), why);
    if (e == ERR_OK)
        e = conf_load(s->conf_path, s->need, &s->conf, why);
    if (e == ERR_OK)
        e = open_log(s->conf, why);
    if (e == ERR_OK)
        e = open_inbox(s->conf, &s->inbox, why);
    if (e == ERR_OK && (s->accounts = accounts_new(s->inbox, s->conf)) == NULL)
        e = why_no_memory(why);
    if (e == ERR_OK)
        e = snapshots_new(s->conf, accounts_commons(s->accounts), &s->snapshots, why);
    return e;
}

enum err service_start_workers(struct service *s, const struct workers_options *options,
                               struct why *why)
{
    struct workers_options o = *options;
    o.inbox = s->inbox;
    o.accounts = s->accounts;
    o.snapshots = s->snapshots;
    return workers_new(&o, &s->workers, why);
}

/* In the other order, as far as it was opened. */
void service_close(struct service *s)
{
    workers_free(s->workers);
    snapshots_free(s->snapshots);
    accounts_free(s->accounts);
    inbox_close(s->inbox);
    conf_unref(s->conf);
}

bool service_has_log_file(const struct service *s)
{
    return s->conf != NULL && strcmp(s->conf->log.file, "stderr") != 0;
}

/* ---------------------------------------------------------------------- reload */

static void warn_of_fixed(const struct service *s, const struct conf *fresh)
{
    struct buf names;
    buf_init(&names, WHY_MAX);
    conf_fixed_changes(s->conf, fresh, &names);
    if (names.len > 0)
        log_warn("%s: what differs cannot be changed while the program runs, and takes effect when "
                 "it is started again: %s",
                 s->conf_path, names.data);
    buf_free(&names);
}

static void adopt(struct service *s, const struct conf *fresh)
{
    if (s->on_reload != NULL)
        s->on_reload(s->ctx, fresh);
    if (s->workers != NULL)
        workers_reload(s->workers);
    log_info("configuration %s reloaded", s->conf_path);
    warn_of_fixed(s, fresh);
}

/* All of it or nothing: what may fail is prepared first, and the last step that may is the
 * snapshot's. */
static void reload(struct service *s)
{
    struct conf *conf = NULL;
    struct log_sink *sink = NULL;
    struct why why;
    systemd_notify_reloading();
    enum err e = conf_load(s->conf_path, s->need, &conf, &why);
    if (e == ERR_OK) {
        const struct log_options o = log_options(conf);
        e = log_prepare(&o, &sink, &why);
    }
    if (e == ERR_OK)
        e = snapshots_replace(s->snapshots, conf, &why);
    if (e == ERR_OK) {
        log_use(sink);
        adopt(s, conf);
    } else {
        struct why rotated;
        log_discard(sink);
        if (log_reopen(&rotated) != ERR_OK) /* the file may have been rotated all the same */
            log_error("%s; the old file stays open", rotated.text);
        log_error("%s; the old configuration stays", why.text);
    }
    conf_unref(conf);
    systemd_notify("READY=1");
}

/* --------------------------------------------------------------------- signals */

/* The next signal, or 0 when the deadline has come first. */
static int next_signal(int64_t deadline)
{
    const sigset_t set = signals();
    for (;;) {
        int left = clk_left_ms(deadline);
        const struct timespec wait = {left / 1000, left % 1000 * 1000000L};
        int signal = sigtimedwait(&set, NULL, &wait);
        if (signal > 0)
            return signal;
        if (left == 0)
            return 0;
    }
}

static int64_t stop_timeout_ms(const struct service *s)
{
    struct snapshot *now = snapshots_take(s->snapshots);
    int64_t ms = now->conf->web.stop_timeout_ms;
    snapshot_release(now);
    return ms;
}

/* *ret_cut_off_at: when waits are to be cut off; *ret_end_at: when to end whatever hangs. */
static void begin_to_stop(struct service *s, int64_t *ret_cut_off_at, int64_t *ret_end_at)
{
    int64_t now = clk_mono_ms(), timeout_ms = stop_timeout_ms(s);
    *ret_cut_off_at = now + timeout_ms * 3 / 4;
    *ret_end_at = now + timeout_ms + waits_ms(WAITS_STOP_GRACE);
    log_info("stopping: what was begun is brought to its end first");
    systemd_notify("STOPPING=1");
    if (s->workers != NULL)
        workers_stop(s->workers, now + timeout_ms);
    if (s->on_stop != NULL)
        s->on_stop(s->ctx);
}

static void cut_off(const struct service *s, int signal)
{
    log_warn("%s: calls under way to Connect are cut off",
             signal == 0 ? "the time to stop is nearly over" : "second signal to stop");
    snapshots_stop(s->snapshots);
    inbox_stop(s->inbox);
}

/* What is stored stays, and what was begun is left to the next start. */
static void end_what_hangs(void)
{
    log_error("stop: something in this program hangs, and it is ended all the same");
    _exit(EXIT_FAILURE);
}

static bool is_alive(const void *ctx)
{
    const struct service *s = ctx;
    return (s->workers == NULL || workers_alive(s->workers)) &&
           (s->busy_ms == NULL || s->busy_ms(s->ctx) < waits_ms(WAITS_HANGS));
}

/* For the watchdog, which bites who does not say so in time. When to do so again. */
static int64_t say_whether_alive(struct service *s, int64_t every_ms)
{
    bool hung = s->hangs;
    s->hangs = !is_alive(s);
    if (s->hangs && !hung)
        log_error("something in this program hangs: if it does not go on, the service manager's "
                  "watchdog ends it");
    if (!s->hangs)
        systemd_notify("WATCHDOG=1");
    return clk_mono_ms() + (s->hangs ? clk_earlier(every_ms, LOOK_AGAIN_MS) : every_ms);
}

/* Waits for signals, so that nothing is ever done inside a signal handler. */
static void *listener_main(void *arg)
{
    struct service *s = arg;
    bool stopping = false;
    int64_t cut_off_at = CLK_NEVER, end_at = CLK_NEVER, every_ms = systemd_watchdog_ms();
    int64_t ping_at = every_ms > 0 ? 0 : CLK_NEVER;
    systemd_notify("READY=1");
    for (;;) {
        int signal = next_signal(clk_earlier(clk_earlier(cut_off_at, end_at), ping_at));
        if (clk_mono_ms() >= ping_at)
            ping_at = say_whether_alive(s, every_ms);
        if (signal == SIGUSR2) { /* anybody may send it; it means something if main() did */
            if (s->over)
                return NULL;
        } else if (signal == SIGHUP) {
            reload(s);
        } else if (signal == SIGCHLD) {
            snapshots_reap(s->snapshots);
        } else if (signal != 0 && !stopping) {
            stopping = true;
            begin_to_stop(s, &cut_off_at, &end_at);
        } else if (clk_mono_ms() >= end_at) {
            end_what_hangs();
        } else if (signal != 0 || clk_mono_ms() >= cut_off_at) {
            cut_off_at = CLK_NEVER;
            cut_off(s, signal);
        }
    }
}

enum err service_listen(struct service *s, struct why *why)
{
    const struct admin_options admin = {.conf = s->conf,
                                        .inbox = s->inbox,
                                        .inbox_options = service_inbox_options(s->conf),
                                        .snapshots = s->snapshots,
                                        .workers = s->workers,
                                        .is_alive = is_alive,
                                        .ctx = s};
    enum err e = admin_start(&admin, &s->admin, why);
    if (e == ERR_OK)
        e = retention_start(s->inbox, s->snapshots, &s->retention, why);
    if (e == ERR_OK) {
        int error = pthread_create(&s->listener, NULL, listener_main, s);
        s->listens = error == 0;
        if (error != 0)
            e = why_set(why, ERR_NOMEM, "thread: %s", strerror(error));
    }
    if (e != ERR_OK)
        service_deafen(s);
    return e;
}

void service_deafen(struct service *s)
{
    if (s->listens) {
        s->over = true;
        pthread_kill(s->listener, SIGUSR2);
        pthread_join(s->listener, NULL);
        s->listens = false;
    }
    retention_end(s->retention);
    admin_end(s->admin);
    s->retention = NULL;
    s->admin = NULL;
}
