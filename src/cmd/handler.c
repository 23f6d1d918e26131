/*
 * handler.c - connect-webhook.fcgi: the handler that the web server calls.
 *
 * Started as CGI it serves one call and never reads its command line, which a web server may have
 * made from a query. Otherwise it serves FastCGI until SIGTERM or SIGINT; SIGHUP reloads the
 * configuration, secrets and rules, and opens the log file again; what does not load changes
 * nothing.
 */
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/http.h"
#include "base/log.h"
#include "base/secret.h"
#include "cmd/cmd.h"
#include "conf/conf.h"
#include "inbox/inbox.h"
#include "tasks/queues.h"
#include "transport/cgi.h"
#include "transport/fcgi.h"
#include "web/hook.h"

/* Of a CGI call whose configuration does not load: its answer needs limits all the same. */
#define UNAVAILABLE_MAX_BODY (1024 * 1024) /* bytes */
#define UNAVAILABLE_TIMEOUT  30000         /* ms */

struct program {
    const char *conf_path;
    struct conf *conf; /* as it was at the start: what a reload cannot change is as it says */
    struct inbox *inbox;
    struct hook *hook;
    struct fcgi *fcgi;
    sigset_t signals; /* that the signal thread waits for */
    atomic_bool over; /* for the signal thread: main() is done with it */
    _Atomic int64_t stop_timeout_ms;
};

/* One connection costs one descriptor. */
static void raise_limits(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

static struct log_options log_options(const struct conf *conf)
{
    return (struct log_options){conf->log.level, conf->log.format, conf->log.file};
}

/* ---------------------------------------------------------------------- stages */

static enum err open_log(const struct conf *conf, struct why *why)
{
    const struct log_options o = log_options(conf);
    return log_open(&o, why);
}

static enum err open_inbox(const struct conf *conf, struct inbox **ret, struct why *why)
{
    const struct inbox_options o = {.url = conf->inbox.url,
                                    .lock_timeout_ms = conf->inbox.lock_timeout_ms,
                                    .max_wal = conf->inbox.max_wal};
    int64_t count = 0;
    enum err e = inbox_open(&o, ret, why);
    if (e == ERR_OK)
        e = inbox_recover(*ret, &count, why);
    if (count > 0)
        log_warn("%" PRId64 " sweeps and objects of programs that have died are due again", count);
    return e;
}

/* All that stands between the transport and the disk, each on what was opened before it. */
static enum err open_stages(struct program *p, struct why *why)
{
    enum err e = conf_load(p->conf_path, CONF_CHECK, &p->conf, why);
    if (e == ERR_OK)
        e = open_log(p->conf, why);
    if (e == ERR_OK)
        e = open_inbox(p->conf, &p->inbox, why);
    if (e == ERR_OK)
        e = hook_new(p->conf, p->inbox, &p->hook, why);
    return e;
}

/* In the other order, as far as it was opened. */
static void close_stages(struct program *p)
{
    hook_free(p->hook);
    inbox_close(p->inbox);
    conf_unref(p->conf);
}

/* ------------------------------------------------------------------------- CGI */

static int serve_cgi(struct program *p)
{
    struct cgi_options o = {UNAVAILABLE_MAX_BODY, UNAVAILABLE_TIMEOUT};
    struct why why;
    enum err e = open_stages(p, &why);
    if (e == ERR_OK) {
        o = (struct cgi_options){(size_t)p->conf->web.max_body, p->conf->web.request_timeout_ms};
        e = cgi_run(&o, hook_handle, p->hook);
    } else {
        log_error("%s", why.text);
        cgi_run(&o, hook_unavailable, NULL);
    }
    close_stages(p);
    return e == ERR_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* --------------------------------------------------------------------- FastCGI */

static struct fcgi_limits limits(const struct conf *conf)
{
    return (struct fcgi_limits){.max_body = (size_t)conf->web.max_body,
                                .request_timeout_ms = conf->web.request_timeout_ms,
                                .stop_timeout_ms = conf->web.stop_timeout_ms};
}

static void warn_of_fixed(const struct program *p, const struct conf *fresh)
{
    struct buf names;
    buf_init(&names, WHY_MAX);
    conf_fixed_changes(p->conf, fresh, &names);
    if (names.len > 0)
        log_warn("%s: what differs cannot be changed while the program runs, and takes effect when "
                 "it is started again: %s",
                 p->conf_path, names.data);
    buf_free(&names);
}

/* All of it or nothing: what may fail is prepared first, and the last step that may is the hook's.
 */
static void reload(struct program *p)
{
    struct conf *conf = NULL;
    struct log_sink *sink = NULL;
    struct why why;
    enum err e = conf_load(p->conf_path, CONF_CHECK, &conf, &why);
    if (e == ERR_OK) {
        const struct log_options o = log_options(conf);
        e = log_prepare(&o, &sink, &why);
    }
    if (e == ERR_OK)
        e = hook_reload(p->hook, conf, &why);
    if (e == ERR_OK) {
        const struct fcgi_limits l = limits(conf);
        log_use(sink);
        fcgi_set_limits(p->fcgi, &l);
        p->stop_timeout_ms = conf->web.stop_timeout_ms;
        log_info("configuration %s reloaded", p->conf_path);
        warn_of_fixed(p, conf);
    } else {
        struct why rotated;
        log_discard(sink);
        if (log_reopen(&rotated) != ERR_OK) /* the file may have been rotated all the same */
            log_error("%s; the old file stays open", rotated.text);
        log_error("%s; the old configuration stays", why.text);
    }
    conf_unref(conf);
}

/* The next signal, or 0 when the deadline has come first. */
static int next_signal(const struct program *p, int64_t deadline)
{
    for (;;) {
        int left = clk_left_ms(deadline);
        const struct timespec wait = {left / 1000, left % 1000 * 1000000L};
        int signal = sigtimedwait(&p->signals, NULL, &wait);
        if (signal > 0)
            return signal;
        if (left == 0)
            return 0;
    }
}

/*
 * Waits for signals, so that nothing is ever done inside a signal handler. A stop gives calls three
 * quarters of its time to come to their end; what then still waits for Connect is cut off, so that
 * the last quarter is left to answer it.
 */
static void *signals_main(void *arg)
{
    struct program *p = arg;
    bool stopping = false;
    int64_t cut_off = CLK_NEVER;
    for (;;) {
        int signal = next_signal(p, cut_off);
        if (signal == SIGUSR2) { /* anybody may send it; it means something if main() did */
            if (p->over)
                return NULL;
        } else if (signal == SIGHUP) {
            reload(p);
        } else if (!stopping) {
            log_info("stopping: what was begun is answered first");
            stopping = true;
            cut_off = clk_mono_ms() + p->stop_timeout_ms * 3 / 4;
            fcgi_stop(p->fcgi);
        } else {
            log_warn("%s: calls under way to Connect are cut off",
                     signal == 0 ? "the time to stop is nearly over" : "second signal to stop");
            cut_off = CLK_NEVER;
            hook_stop(p->hook);
        }
    }
}

static enum err run_fcgi(struct program *p, struct why *why)
{
    pthread_t signals;
    int error = pthread_create(&signals, NULL, signals_main, p);
    if (error != 0)
        return why_set(why, ERR_NOMEM, "thread: %s", strerror(error));
    enum err e = fcgi_run(p->fcgi, hook_handle, p->hook);
    if (e != ERR_OK)
        why_set(why, e, "stop: %s; calls still under way are left to Connect's retry", err_text(e));
    p->over = true;
    pthread_kill(signals, SIGUSR2);
    pthread_join(signals, NULL);
    return e;
}

static int serve_fcgi(struct program *p)
{
    struct why why;
    enum err e = open_stages(p, &why);
    if (e == ERR_OK) {
        const struct conf *conf = p->conf;
        p->stop_timeout_ms = conf->web.stop_timeout_ms;
        struct fcgi_options o = {
            .listen = conf->web.listen,
            .group = conf->web.group,
            .mode = (unsigned)conf->web.mode,
            .loops = (int)conf->web.threads,
            .limits = limits(conf),
        };
        e = fcgi_open(&o, &p->fcgi, &why);
    }
    if (e == ERR_OK) {
        const char *address;
        for (size_t n = 0; (address = fcgi_address(p->fcgi, n)) != NULL; n++)
            log_info("connect-webhook %s: listening at %s", PACKAGE_VERSION, address);
        e = run_fcgi(p, &why);
        /* Handlers may still run, and what they use must stay: the process itself must go. */
        if (e == ERR_TIMEOUT) {
            log_error("%s", why.text);
            _exit(EXIT_FAILURE);
        }
        fcgi_close(p->fcgi);
    }
    if (e != ERR_OK)
        log_error("%s", why.text);
    close_stages(p);
    return e == ERR_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ------------------------------------------------------------------------- start */

static int serve(const char *config, bool cgi)
{
    struct program p = {.conf_path = conf_path(config)};
    struct why why;
    /* A peer that has gone and a limit on the size of files are errors of write(); SIGUSR1 and,
     * below, SIGUSR2 mean nothing to us. */
    static const int ignored[] = {SIGPIPE, SIGXFSZ, SIGUSR1};
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        signal(ignored[i], SIG_IGN);
    raise_limits();
    secret_guard_process();
    if (sodium_init() < 0 || http_global_init(&why) != ERR_OK) {
        log_error("the libraries do not start");
        return EXIT_FAILURE;
    }
    if (cgi) {
        signal(SIGUSR2, SIG_IGN);
    } else {
        /* Before any thread exists, so that all of them inherit it. */
        sigemptyset(&p.signals);
        sigaddset(&p.signals, SIGTERM);
        sigaddset(&p.signals, SIGINT);
        sigaddset(&p.signals, SIGHUP);
        sigaddset(&p.signals, SIGUSR2);
        pthread_sigmask(SIG_BLOCK, &p.signals, NULL);
    }
    int status = cgi ? serve_cgi(&p) : serve_fcgi(&p);
    http_global_free();
    return status;
}

struct options {
    const char *config;
};

static int run(const struct cmd *self, void *options, char **arguments)
{
    (void)self;
    (void)arguments;
    return serve(((const struct options *)options)->config, false);
}

static const struct cmd handler = {
    .program = "connect-webhook.fcgi",
    .help = "Usage: connect-webhook.fcgi [-c FILE]\n"
            "Handle CloudBlue Connect's webhooks behind nginx or Apache.\n"
            "\n"
            "A web server starts it (CGI, mod_fcgid), systemd or spawn-fcgi hand it a socket,\n"
            "or it listens at web.listen of its configuration.\n"
            "\n"
            "  -c, --config FILE  the configuration; else $CONNECT_WEBHOOK_CONFIG, else\n"
            "                     " SYSCONFDIR "/connect-webhook/connect-webhook.yaml\n"
            "  -h, --help         show this help\n"
            "  -V, --version      say which version this is\n"
            "\n"
            "SIGTERM stops it when what was begun is answered; SIGHUP reloads the configuration.\n"
            "Check a configuration with 'connect-webhook check'.\n",
    .options =
        (const struct cmd_option[]){
            CMD_TEXT("config", 'c', struct options, config),
            {0},
        },
    .size = sizeof(struct options),
    .run = run,
};

int main(int argc, char **argv)
{
    return cgi_is_call() ? serve(NULL, true) : cmd_run(&handler, argc, argv);
}
