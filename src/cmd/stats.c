/* stats.c - how each webhook fares. */
#include "cmd/cmd.h"

#include <string.h>

#include "base/clk.h"
#include "base/jsonx.h"
#include "cmd/look.h"

static int run(const struct cmd *self, void *options, char **arguments);

const struct cmd cmd_stats = {
    .name = "stats",
    .summary = "count what each webhook was called for, and what waits",
    .help =
        "Usage: connect-webhook stats [--webhook ID] [--watch|--json] [-c FILE]\n"
        "For each configured webhook, in the words of its statistics in Connect where they apply:\n"
        "  events      calls that were verified\n"
        "  success     ... and answered with a 2xx; failure: with something else\n"
        "  since       failures since the last success\n"
        "and, of the queue that it tells of:\n"
        "  backlog     objects that wait to be worked on\n"
        "  oldest      for how long the one that should have been next has been due\n"
        "  dead        objects that are for a person: connect-webhook tasks list --state dead\n"
        "  polled      objects that polling has found, and no call before it. If they are many,\n"
        "              calls are lost: look at the webhook in Connect\n"
        "  next        when something of it is done again, if no call comes\n"
        "\n"
        "  --webhook ID         only this webhook\n"
        "  --watch              show the table again every two seconds, on a terminal\n"
        "  --json               one JSON object a line, with all times\n"
        "  -c FILE              the configuration\n"
        "  --help               show this help\n"
        "\n"
        "Counts outlive restarts, and what inbox.retention forgets.\n"
        "\n"
        "Examples:\n"
        "  connect-webhook stats --watch\n"
        "  connect-webhook stats --json | jq 'select(.dead > 0 or .oldest_s > 600)'\n",
    .options =
        (const struct cmd_option[]){
            CMD_TEXT("webhook", 0, struct look_options, webhook),
            CMD_FLAG("json", struct look_options, json),
            CMD_FLAG("watch", struct look_options, watch),
            CMD_TEXT("config", 'c', struct look_options, config),
            {0},
        },
    .size = sizeof(struct look_options),
    .run = run,
};

static const struct table_column columns[] = {
    {"webhook_id", "WEBHOOK"},
    {"object_class", "CLASS"},
    {"type", NULL},
    {"events", "EVENTS"},
    {"success", "SUCCESS"},
    {"failure", "FAILURE"},
    {"failure_since_last_success", "SINCE"},
    {"last_event", "LAST"},
    {"last_success", NULL},
    {"last_failure", NULL},
    {"backlog", "BACKLOG"},
    {"oldest_s", "OLDEST"},
    {"dead", "DEAD"},
    {"found_by_polling", "POLLED"},
    {"next_attempt", "NEXT"},
    {0},
};

static bool add_second(const struct look_list *l, struct json_object *o, const char *key,
                       int64_t at_us)
{
    return look_add_time(l, o, key, at_us != 0 ? clk_second(at_us) : 0);
}

static bool add_age(const struct look_list *l, struct json_object *o, int64_t s)
{
    char words[LOOK_TIME_MAX];
    if (l->json)
        return jsonx_add_int(o, "oldest_s", s);
    look_duration(s, words);
    return look_add_words(o, "oldest_s", s > 0 ? words : "");
}

static struct json_object *make_row(const struct look_list *l, const struct conf_webhook *w,
                                    const struct inbox_tally *t, const struct inbox_load *load)
{
    struct json_object *o = json_object_new_object();
    int64_t last_us = t->last_success_us > t->last_failure_us ? t->last_success_us
                                                              : t->last_failure_us;
    if (jsonx_add_text(o, "webhook_id", w->id) &&
        jsonx_add_text(o, "object_class", w->object_class->name) &&
        jsonx_add_text(o, "type", webhook_type_name(w->type)) &&
        jsonx_add_int(o, "events", t->success + t->failure) &&
        jsonx_add_int(o, "success", t->success) && jsonx_add_int(o, "failure", t->failure) &&
        jsonx_add_int(o, "failure_since_last_success", t->failure_since_last_success) &&
        add_second(l, o, "last_event", last_us) &&
        add_second(l, o, "last_success", t->last_success_us) &&
        add_second(l, o, "last_failure", t->last_failure_us) &&
        look_add_due(l, o, "next_attempt", load->due_ms) &&
        jsonx_add_int(o, "backlog", load->ready) && add_age(l, o, load->late_ms / 1000) &&
        jsonx_add_int(o, "dead", load->dead) && jsonx_add_int(o, "found_by_polling", load->polled))
        return o;
    json_object_put(o);
    return NULL;
}

static enum err add_webhook(struct look_list *l, const struct conf_webhook *w, struct why *why)
{
    struct inbox *i = l->look->inbox;
    const struct inbox_queue q = {w->account->id, w->product, w->object_class};
    struct inbox_load load = {.due_ms = -1};
    struct inbox_tally t = {0};
    enum err e = inbox_tally_read(i, w->id, &t, why);
    if (e == ERR_NOT_FOUND)
        e = ERR_OK;
    if (e == ERR_OK && w->type == TYPE_EVENT)
        e = inbox_load_of(i, &q, &load, why);
    if (e == ERR_OK)
        look_list_add(l, 0, make_row(l, w, &t, &load));
    return e;
}

static enum err page(struct look_list *l, const struct inbox_filter *f, struct why *why)
{
    const struct conf *c = l->look->conf;
    enum err e = ERR_OK;
    for (size_t i = 0; i < c->webhooks_count && e == ERR_OK; i++)
        if (f->webhook_id == NULL || strcmp(f->webhook_id, c->webhooks[i].id) == 0)
            e = add_webhook(l, &c->webhooks[i], why);
    return e;
}

static int run(const struct cmd *self, void *options, char **arguments)
{
    const struct look_options *o = options;
    const struct inbox_filter f = {.webhook_id = o->webhook};
    struct look l = {0};
    (void)arguments;
    int status = look_open(&l, self, o->config);
    if (status == CMD_OK && o->webhook != NULL && conf_webhook(l.conf, o->webhook) == NULL)
        status = cmd_failed(self, "no webhook %s is configured", o->webhook);
    if (status == CMD_OK)
        status = look_list(&l, o, &f, columns, page, NULL);
    look_close(&l);
    return status;
}
