/*
 * handler.c - connect-webhook.fcgi: the handler that the web server calls.
 *
 * Started as CGI it serves one call and never reads its command line, which a web server may have
 * made from a query. Otherwise it serves FastCGI until SIGTERM or SIGINT; SIGHUP reloads the
 * configuration, secrets and rules, and opens the log file again; what does not load changes
 * nothing.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/http.h"
#include "base/log.h"
#include "base/secret.h"
#include "cmd/cmd.h"
#include "cmd/service.h"
#include "transport/cgi.h"
#include "transport/fcgi.h"
#include "web/hook.h"

#define PROGRAM "connect-webhook.fcgi"

/* Of a CGI call whose configuration does not load: its answer needs limits all the same. */
#define UNAVAILABLE_MAX_BODY (1024 * 1024) /* bytes */
#define UNAVAILABLE_TIMEOUT  30000         /* ms */

struct program {
    struct service service;
    struct hook *hook;
    struct fcgi *fcgi;
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

/* All that stands between the transport and the disk, each on what was opened before it. */
static enum err open_stages(struct program *p, struct why *why)
{
    struct service *s = &p->service;
    enum err e = service_open(s, why);
    if (e == ERR_OK)
        e = hook_new(s->conf, s->inbox, s->snapshots, s->need == CONF_FOR_CGI, &p->hook, why);
    return e;
}

/* In the other order, as far as it was opened. */
static void close_stages(struct program *p)
{
    hook_free(p->hook);
    service_close(&p->service);
}

/* Why it does not start: to the log, and to standard error, where who starts it looks first. */
static void tell_failure(const struct program *p, const struct why *why)
{
    log_error("%s", why->text);
    if (service_has_log_file(&p->service))
        fprintf(stderr, PROGRAM ": %s\n", why->text);
}

/* ------------------------------------------------------------------------- CGI */

static int serve_cgi(struct program *p)
{
    struct cgi_options o = {UNAVAILABLE_MAX_BODY, UNAVAILABLE_TIMEOUT};
    struct why why;
    enum err e = open_stages(p, &why);
    if (e == ERR_OK) {
        const struct conf *conf = p->service.conf;
        o = (struct cgi_options){(size_t)conf->web.max_body, conf->web.request_timeout_ms};
        e = cgi_run(&o, hook_handle, p->hook);
        retention_by_chance(p->service.inbox, conf->inbox.retention_ms);
    } else {
        tell_failure(p, &why);
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

static void on_reload(void *ctx, const struct conf *fresh)
{
    const struct program *p = ctx;
    const struct fcgi_limits l = limits(fresh);
    fcgi_set_limits(p->fcgi, &l);
}

static void on_stop(void *ctx)
{
    const struct program *p = ctx;
    fcgi_stop(p->fcgi);
}

static int64_t busy_ms(const void *ctx)
{
    const struct program *p = ctx;
    return fcgi_busy_ms(p->fcgi);
}

static enum err open_fcgi(struct program *p, struct why *why)
{
    const struct conf *conf = p->service.conf;
    const struct fcgi_options o = {
        .listen = conf->web.listen,
        .group = conf->web.group,
        .mode = (unsigned)conf->web.mode,
        .loops = (int)conf->web.threads,
        .limits = limits(conf),
    };
    enum err e = fcgi_open(&o, &p->fcgi, why);
    const char *address;
    for (size_t n = 0; e == ERR_OK && (address = fcgi_address(p->fcgi, n)) != NULL; n++)
        log_info("connect-webhook %s: listening at %s", PACKAGE_VERSION, address);
    return e;
}

/* Until a stop. ERR_TIMEOUT: it was not heeded in time. */
static enum err run_fcgi(struct program *p, struct why *why)
{
    struct service *s = &p->service;
    enum err e = fcgi_run(p->fcgi, hook_handle, p->hook);
    if (e != ERR_OK)
        why_set(why, e, "stop: %s; calls still under way are left to Connect's retry", err_text(e));
    else if ((e = workers_wait(s->workers)) != ERR_OK) /* they were stopped with it */
        why_set(why, e, "stop: %s; objects still worked on are left to the next start",
                err_text(e));
    return e;
}

static int serve_fcgi(struct program *p)
{
    struct service *s = &p->service;
    struct why why;
    enum err e = open_stages(p, &why);
    if (e == ERR_OK)
        e = open_fcgi(p, &why);
    if (e == ERR_OK) {
        const struct workers_options o = {.count = -1};
        e = service_start_workers(s, &o, &why);
    }
    if (e == ERR_OK)
        e = service_listen(s, &why);
    if (e != ERR_OK)
        tell_failure(p, &why);
    else if ((e = run_fcgi(p, &why)) != ERR_OK)
        log_error("%s", why.text);
    /* Handlers may still run, and what they use must stay: the process itself must go. */
    if (e == ERR_TIMEOUT)
        _exit(EXIT_FAILURE);
    service_deafen(s);
    fcgi_close(p->fcgi);
    close_stages(p);
    return e == ERR_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ------------------------------------------------------------------------- start */

static int serve(const char *config, bool cgi)
{
    struct program p = {
        .service = {.conf_path = conf_path(config), .need = cgi ? CONF_FOR_CGI : CONF_FOR_FCGI}};
    struct why why;
    p.service.on_stop = on_stop;
    p.service.on_reload = on_reload;
    p.service.busy_ms = busy_ms;
    p.service.ctx = &p;
    service_block_signals(cgi);
    raise_limits();
    secret_guard_process();
    if (sodium_init() < 0 || http_global_init(&why) != ERR_OK) {
        log_error("the libraries do not start");
        return EXIT_FAILURE;
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
    .program = PROGRAM,
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
