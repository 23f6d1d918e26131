/* worker.c - workers that are a program of their own: the handler need not hold an API key. */
#include "cmd/cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "cmd/service.h"
#include "cmd/summary.h"
#include "tasks/workers.h"

#define WORKERS_USUAL 4 /* where the configuration says that the handler has none */

struct options {
    const char *config;
    int64_t workers; /* 0: as the configuration says */
    bool once;
};

static enum err take_count(void *at, const char *value, struct why *why);
static int run(const struct cmd *self, void *options, char **arguments);

const struct cmd cmd_worker = {
    .name = "worker",
    .summary = "work off what calls have told of, beside the handler",
    .help =
        "Usage: connect-webhook worker [OPTION]...\n"
        "Do what stored calls ask for: list what is pending, ask the policy, carry it out. It is\n"
        "what the handler's own workers do; with 'processing: { workers: 0 }' the handler has\n"
        "none, and the program that faces the network holds no API key. Several may run beside\n"
        "each other, and beside handlers that have workers: no object is worked on twice.\n"
        "\n"
        "It stays in the foreground. SIGTERM stops it when what was begun is at its end or at a\n"
        "point where it can be left; SIGHUP loads the configuration again.\n"
        "\n"
        "  --once               work off what is due, and end\n"
        "  --workers N          so many threads, 1 to 256; else processing.workers, or 4 if that "
        "is "
        "0\n"
        "  -c FILE              the configuration\n"
        "  --help               show this help\n"
        "\n"
        "With --once it ends with 0 if nothing has to be tried again (retry) or is for you to\n"
        "look at (dead), else with 1. Without, with 0 after a stop, and with 1 if it cannot\n"
        "start.\n"
        "\n"
        "Examples:\n"
        "  connect-webhook worker\n"
        "  connect-webhook worker --once\n",
    .options =
        (const struct cmd_option[]){
            CMD_TEXT("config", 'c', struct options, config),
            CMD_FLAG("once", struct options, once),
            CMD_TAKE("workers", struct options, workers, take_count),
            {0},
        },
    .size = sizeof(struct options),
    .run = run,
};

struct program {
    struct service service;
    struct outcomes outcomes; /* of --once */
};

static void count(void *ctx, const struct object_report *o)
{
    struct program *p = ctx;
    p->outcomes.ended[o->outcome]++;
}

static int64_t count_of(const struct options *o, const struct conf *c)
{
    if (o->workers > 0)
        return o->workers;
    return c->processing.workers > 0 ? -1 : WORKERS_USUAL;
}

static int finish(struct program *p, const struct options *o)
{
    struct service *s = &p->service;
    if (workers_wait(s->workers) != ERR_OK) {
        log_error("stop: objects still worked on are left to the next start");
        _exit(EXIT_FAILURE);
    }
    service_deafen(s);
    if (!o->once)
        return CMD_OK;
    outcomes_print(stderr, &p->outcomes, 0, s->conf->processing.dry_run);
    return workers_left_something(s->workers) ? CMD_FAILED : CMD_OK;
}

static int run(const struct cmd *self, void *options, char **arguments)
{
    const struct options *o = options;
    struct program p = {.service = {.conf_path = conf_path(o->config), .need = CONF_TO_WORK}};
    struct why why;
    (void)arguments;
    service_block_signals(false);
    enum err e = service_open(&p.service, &why);
    if (e == ERR_OK) {
        const struct workers_options w = {.count = count_of(o, p.service.conf),
                                          .once = o->once,
                                          .fn = o->once ? count : NULL,
                                          .ctx = &p};
        e = service_start_workers(&p.service, &w, &why);
    }
    if (e == ERR_OK)
        e = service_listen(&p.service, &why);
    if (e != ERR_OK && service_has_log_file(&p.service))
        log_error("%s", why.text);
    int status = e == ERR_OK ? finish(&p, o) : cmd_failed(self, "%s", why.text);
    service_close(&p.service);
    return status;
}

static enum err take_count(void *at, const char *value, struct why *why)
{
    return cmd_number("--workers", value, 1, WORKERS_MAX, at, why);
}
