/* deliveries.c - the calls that were stored, what became of them, and once more. */
#include "cmd/cmd.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/look.h"
#include "cmd/story.h"
#include "event/object_id.h"

struct options {
    struct look_options look;
    unsigned states;
};

static enum err take_state(void *at, const char *value, struct why *why);
static int list(const struct cmd *self, void *options, char **arguments);
static int show(const struct cmd *self, void *options, char **arguments);
static int replay(const struct cmd *self, void *options, char **arguments);

const struct cmd cmd_deliveries = {
    .name = "deliveries",
    .summary = "show the calls that were stored, and have one worked on again",
    .help =
        "Usage: connect-webhook deliveries list [OPTION]...\n"
        "       connect-webhook deliveries show ID [--json] [-c FILE]\n"
        "       connect-webhook deliveries replay ID [-c FILE]\n"
        "list:   calls of event webhooks, the newest first. A validator's leave nothing but\n"
        "        counts (connect-webhook stats), for forms hold people's data.\n"
        "show:   the whole story of one: what it claimed, the sweep that it led to, and what\n"
        "        became of the objects.\n"
        "replay: as if it had come again: what is pending is listed and worked on. Also one that\n"
        "        was ignored.\n"
        "The number of a delivery is in the answer that Connect got, and in the log.\n"
        "\n"
        "Which ones:\n"
        "  --state STATE        stored (waits for its sweep), done, failed (the work did not end\n"
        "                       well while Connect waited) or ignored; several with "
        "commas\n" LOOK_FILTERS_HELP "\n"
        "How they are listed:\n" LOOK_OUTPUT_HELP "\n"
        "Examples:\n"
        "  connect-webhook deliveries list --since 1h\n"
        "  connect-webhook deliveries show 42\n"
        "  connect-webhook deliveries list --state ignored --json | jq .webhook_id\n",
    .verbs =
        (const struct cmd_verb[]){
            {"list",
             {.options =
                  (const struct cmd_option[]){
                      CMD_TAKE("state", struct options, states, take_state),
                      LOOK_FILTERS(struct options, look),
                      LOOK_LIMIT(struct options, look),
                      LOOK_OUTPUT(struct options, look),
                      LOOK_CONFIG(struct options, look),
                      {0},
                  },
              .size = sizeof(struct options),
              .run = list}},
            {"show",
             {.options =
                  (const struct cmd_option[]){
                      CMD_FLAG("json", struct options, look.json),
                      LOOK_CONFIG(struct options, look),
                      {0},
                  },
              .size = sizeof(struct options),
              .arguments_max = 1,
              .run = show}},
            {"replay",
             {.options =
                  (const struct cmd_option[]){
                      LOOK_CONFIG(struct options, look),
                      {0},
                  },
              .size = sizeof(struct options),
              .arguments_max = 1,
              .run = replay}},
            {0},
        },
};

static const struct table_column columns[] = {
    {"id", "ID"},
    {"webhook_id", "WEBHOOK"},
    {"object_class", "CLASS"},
    {"account_id", NULL},
    {"product_id", "PRODUCT"},
    {"triggered_at", NULL},
    {"received_at", "RECEIVED"},
    {"seen", "SEEN"},
    {"token_sha256", NULL},
    {"state", "STATE"},
    {0},
};

static const char *state_name(int s)
{
    return delivery_state_name((enum delivery_state)s);
}

static enum err take_state(void *at, const char *value, struct why *why)
{
    return look_take_states(value, state_name, DELIVERY__STATES, at, why);
}

/* ------------------------------------------------------------------------------ list */

static void add_row(void *ctx, const struct inbox_delivery *d)
{
    struct look_list *l = ctx;
    look_list_add(l, d->id, story_delivery_row(l, d));
}

static enum err page(struct look_list *l, const struct inbox_filter *f, struct why *why)
{
    return inbox_each_delivery(l->look->inbox, f, add_row, l, why);
}

static int list(const struct cmd *self, void *options, char **arguments)
{
    const struct options *o = options;
    struct look l = {0};
    const struct inbox_filter f = {.object_class = o->look.object_class,
                                   .webhook_id = o->look.webhook,
                                   .states = o->states,
                                   .age_ms = o->look.age_ms};
    (void)arguments;
    int status = look_open(&l, self, o->look.config);
    if (status == CMD_OK)
        status = look_list(&l, &o->look, &f, columns, page, "deliveries");
    look_close(&l);
    return status;
}

/* ----------------------------------------------------------------------------- of one */

static int take_id(const struct cmd *self, const char *argument, int64_t *ret)
{
    struct why why;
    if (argument == NULL)
        return cmd_usage(self, "which one? Give a delivery's number");
    if (cmd_number("a delivery's ID", argument, 1, INT64_MAX - 1, ret, &why) != ERR_OK)
        return cmd_usage(self, "%s", why.text);
    return CMD_OK;
}

static int show(const struct cmd *self, void *options, char **arguments)
{
    const struct options *o = options;
    struct look l = {0};
    int64_t id = 0;
    int status = take_id(self, arguments[0], &id);
    if (status != CMD_OK)
        return status;
    status = look_open(&l, self, o->look.config);
    if (status == CMD_OK)
        status = story_of_delivery(&l, id, o->look.json);
    look_close(&l);
    return status;
}

static int replay(const struct cmd *self, void *options, char **arguments)
{
    const struct options *o = options;
    struct look l = {0};
    struct why why;
    int64_t id = 0;
    int status = take_id(self, arguments[0], &id);
    if (status != CMD_OK)
        return status;
    status = look_open_to_change(&l, self, o->look.config);
    if (status == CMD_OK && inbox_replay(l.inbox, id, &why) != ERR_OK)
        status = cmd_failed(self, "%s", why.text);
    if (status == CMD_OK)
        printf("delivery %" PRId64 " is to be worked on again\n", id);
    look_close(&l);
    return status;
}
