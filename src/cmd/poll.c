/* poll.c - the sweep that a webhook's call makes, without a call. */
#include "cmd/cmd.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/log.h"
#include "cmd/look.h"
#include "cmd/service.h"
#include "cmd/summary.h"
#include "cmd/table.h"
#include "conf/conf.h"
#include "inbox/inbox.h"
#include "tasks/accounts.h"
#include "tasks/work.h"

struct options {
    const char *config;
    struct ids {
        const char **list; /* borrowed from the command line, the array is owned */
        size_t count;
    } ids; /* asked for; none: all */
    bool once;
    bool dry_run;
    bool json;
};

static enum err take_id(void *at, const char *value, struct why *why);
static int run(const struct cmd *self, void *options, char **arguments);
static void free_options(void *options);

const struct cmd cmd_poll = {
    .name = "poll",
    .summary = "look after all that is pending, without waiting for a call",
    .help =
        "Usage: connect-webhook poll --once [OPTION]...\n"
        "Make the sweep that a webhook's call makes: ask Connect what is pending, ask the\n"
        "policy what to do with each object, do it, and show what became of it. A queue that\n"
        "several webhooks watch is swept once. The queues are taken in Connect's order: tier\n"
        "configurations first, for fulfillment requests wait for them.\n"
        "\n"
        "  --once               one round (needed: polling on a timer is the workers' business)\n"
        "  -c FILE              the configuration\n"
        "  --webhook ID         only this webhook's queue; may be given several times\n"
        "  --dry-run            ask and show what would be done, and change nothing\n"
        "  --json               one JSON object a line instead of a table\n"
        "  --help               show this help\n"
        "\n"
        "Ends with 0 if everything is done, left on purpose (skip, reschedule), or in the hands\n"
        "of another process (busy), else with 1: something has to be tried again (retry), or is\n"
        "for you to look at (dead). What need not be asked about again is shown with its last\n"
        "result.\n"
        "\n"
        "Examples:\n"
        "  connect-webhook poll --once --dry-run\n"
        "  connect-webhook poll --once --webhook WH-623-978-334\n"
        "  connect-webhook poll --once --json | jq 'select(.result == \"dead\")'\n",
    .options =
        (const struct cmd_option[]){
            CMD_TEXT("config", 'c', struct options, config),
            CMD_FLAG("once", struct options, once),
            CMD_TAKE("webhook", struct options, ids, take_id),
            CMD_FLAG("dry-run", struct options, dry_run),
            CMD_FLAG("json", struct options, json),
            {0},
        },
    .size = sizeof(struct options),
    .run = run,
    .free = free_options,
};

static const struct table_column columns[] = {
    {"webhook_id", "WEBHOOK"},
    {"object_id", "OBJECT"},
    {"object_class", NULL},
    {"type", "TYPE"},
    {"before", "BEFORE"},
    {"after", "AFTER"},
    {"action", "ACTION"},
    {"result", "RESULT"},
    {"rule", "RULE"},
    {"reason", "REASON"},
    {"retry_after", NULL}, /* seconds, if known */
    {0},
};

/* One round through the queues. */
struct round {
    const struct cmd *cmd;
    struct inbox *inbox;
    struct table *table;
    size_t queues;
    struct work_summary sum;
    bool failed;
};

/* ------------------------------------------------------------------------ the queues */

static bool is_asked_for(const struct options *o, const struct conf_webhook *w)
{
    for (size_t i = 0; i < o->ids.count; i++)
        if (strcmp(o->ids.list[i], w->id) == 0)
            return true;
    return o->ids.count == 0;
}

/* The first webhook of each queue stands for the others: they must have the same policy. */
static bool stands_for_queue(const struct conf *c, const struct options *o, size_t index)
{
    const struct conf_webhook *w = &c->webhooks[index];
    if (w->type != TYPE_EVENT || !is_asked_for(o, w))
        return false;
    for (const struct conf_webhook *other = c->webhooks; other < w; other++)
        if (is_asked_for(o, other) && conf_same_queue(other, w))
            return false;
    return true;
}

/* Every id that was asked for is an event webhook's. */
static int check_ids(const struct cmd *self, const struct conf *c, const struct options *o)
{
    const struct conf_webhook *w;
    int status = CMD_OK;
    for (size_t i = 0; i < o->ids.count && status == CMD_OK; i++)
        status = look_event_webhook(self, c, o->ids.list[i], &w);
    return status;
}

/* ---------------------------------------------------------------------- what is shown */

static void show(void *ctx, const struct object_report *o)
{
    struct round *r = ctx;
    struct json_object *row = object_report_json(o);
    if (row == NULL || table_row(r->table, row) != ERR_OK)
        r->failed = true;
}

static void print_summary(const struct round *r, bool dry_run)
{
    const struct work_summary *sum = &r->sum;
    int64_t objects = work_objects(sum);
    struct outcomes outcomes;
    for (int o = 0; o < OUTCOME__COUNT; o++)
        outcomes.ended[o] = sum->ended[o];
    fprintf(stderr, "%zu queue%s", r->queues, r->queues == 1 ? "" : "s");
    if (objects == 0 && r->failed) {
        fputs(", and not all could be read\n", stderr);
        return;
    }
    fputs(objects == 0 ? ": " : ", ", stderr);
    outcomes_print(stderr, &outcomes, sum->left, dry_run);
}

/* ------------------------------------------------------------------------- the round */

static void work_off(struct round *r, const struct queues *queues, const struct conf_webhook *w,
                     bool dry_run)
{
    const struct task_terms terms = {.object_ms = OBJECT_TASK_MS, .dry_run = dry_run};
    struct work_summary one = {.result = RESULT_NONE};
    const struct queue *q;
    enum err e = queues_find(queues, w->id, &q, &one.result.why);
    if (e == ERR_OK)
        e = work_queue(q, r->inbox, &terms, NULL, CLK_NEVER, show, r, &one);
    if (e != ERR_OK)
        cmd_failed(r->cmd, "webhook %s: %s", w->id, one.result.why.text);
    r->queues++;
    work_add_up(&r->sum, &one);
    r->failed = r->failed || e != ERR_OK || one.ended[OUTCOME_RETRY] > 0 ||
                one.ended[OUTCOME_REJECT] > 0 || one.left > 0;
}

static int go_round(const struct cmd *self, const struct conf *c, const struct queues *queues,
                    struct inbox *inbox, const struct options *o)
{
    struct round r = {.cmd = self, .inbox = inbox};
    bool dry_run = o->dry_run || c->processing.dry_run;
    if (table_new(columns, o->json, stdout, &r.table) != ERR_OK)
        return cmd_failed(self, "out of memory");
    for (const struct object_class *const *class = object_classes; *class != NULL; class ++)
        for (size_t i = 0; i < c->webhooks_count; i++)
            if (c->webhooks[i].object_class == *class && stands_for_queue(c, o, i))
                work_off(&r, queues, &c->webhooks[i], dry_run);
    if (work_objects(&r.sum) > 0)
        table_print(r.table);
    table_free(r.table);
    print_summary(&r, dry_run);
    return r.failed ? CMD_FAILED : CMD_OK;
}

/* The log goes where the handler's does; beside the table, what is merely informed of is left out.
 */
static enum err open_log(const struct conf *c, struct why *why)
{
    const bool shown = strcmp(c->log.file, "stderr") == 0 && c->log.level == LOG_INFO;
    const struct log_options options = {
        .level = shown ? LOG_WARN : c->log.level, .format = c->log.format, .file = c->log.file};
    return log_open(&options, why);
}

static int poll_with(const struct cmd *self, struct conf *c, const struct options *o)
{
    const struct inbox_options inbox_options = service_inbox_options(c);
    struct inbox *inbox = NULL;
    struct accounts *accounts = NULL;
    struct clients *clients = NULL;
    struct spawner *spawner = NULL;
    struct queues *queues = NULL;
    struct why why;
    int status = check_ids(self, c, o);
    if (status != CMD_OK)
        return status;
    enum err e = open_log(c, &why);
    if (e == ERR_OK)
        e = inbox_open(&inbox_options, &inbox, &why);
    if (e == ERR_OK && ((accounts = accounts_new(inbox, c)) == NULL ||
                        (clients = clients_new(accounts_commons(accounts))) == NULL ||
                        (spawner = spawner_new(NULL)) == NULL))
        e = why_no_memory(&why);
    if (e == ERR_OK)
        e = queues_new(c, clients, spawner, &queues, &why);
    status = e == ERR_OK ? go_round(self, c, queues, inbox, o) : cmd_failed(self, "%s", why.text);
    queues_free(queues);
    clients_free(clients);
    spawner_free(spawner);
    accounts_free(accounts);
    inbox_close(inbox);
    return status;
}

static int poll_once(const struct cmd *self, const struct options *o)
{
    struct conf *c;
    struct why why;
    if (conf_load(conf_path(o->config), CONF_TO_WORK, &c, &why) != ERR_OK)
        return cmd_failed(self, "%s", why.text);
    int status = poll_with(self, c, o);
    conf_unref(c);
    return status;
}

static enum err take_id(void *at, const char *value, struct why *why)
{
    struct ids *ids = at;
    const char **list = reallocarray(ids->list, ids->count + 1, sizeof *list);
    if (list == NULL)
        return why_no_memory(why);
    list[ids->count++] = value;
    ids->list = list;
    return ERR_OK;
}

static int run(const struct cmd *self, void *options, char **arguments)
{
    const struct options *o = options;
    (void)arguments;
    if (!o->once)
        return cmd_usage(
            self,
            "only --once: the handler's workers, and `connect-webhook worker`, poll on a timer");
    return poll_once(self, o);
}

static void free_options(void *options)
{
    free(((struct options *)options)->ids.list);
}
