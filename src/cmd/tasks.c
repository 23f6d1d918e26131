/* tasks.c - what became of each object, what comes next, and how to put it right. */
#include "cmd/cmd.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "cmd/look.h"
#include "cmd/story.h"
#include "event/object_id.h"

struct options {
    struct look_options look;
    const char *object;
    unsigned states;
};

static enum err take_state(void *at, const char *value, struct why *why);
static int list(const struct cmd *self, void *options, char **arguments);
static int show(const struct cmd *self, void *options, char **arguments);
static int retry(const struct cmd *self, void *options, char **arguments);
static int discard(const struct cmd *self, void *options, char **arguments);

#define CHANGE_OPTIONS                                                                         \
    (const struct cmd_option[])                                                                \
    {                                                                                          \
        CMD_TAKE("state", struct options, states, take_state),                                 \
            CMD_TEXT("object", 0, struct options, object), LOOK_FILTERS(struct options, look), \
            LOOK_CONFIG(struct options, look),                                                 \
        {                                                                                      \
            0                                                                                  \
        }                                                                                      \
    }

const struct cmd cmd_tasks = {
    .name = "tasks",
    .summary = "show what became of each object, try it again, or let it be",
    .help =
        "Usage: connect-webhook tasks list [OPTION]...\n"
        "       connect-webhook tasks show ID|OBJECT [--json] [-c FILE]\n"
        "       connect-webhook tasks retry ID|OBJECT|FILTER...\n"
        "       connect-webhook tasks discard ID|OBJECT|FILTER...\n"
        "list:    the objects that were found pending, the newest first.\n"
        "show:    the whole story of one: which call told of it, how it was found, each attempt\n"
        "         with what was asked of Connect, the rule that matched, what comes next and "
        "when.\n"
        "retry:   have it worked on now, whatever it ended with: after the policy was mended, or\n"
        "         Connect was.\n"
        "discard: it is over, until its object changes.\n"
        "What is worked on right now is neither tried again nor discarded.\n"
        "\n"
        "Which ones:\n"
        "  --state STATE        ready, running, done, skipped or dead; several with commas\n"
        "  --object ID          of this object\n" LOOK_FILTERS_HELP "\n"
        "How they are listed:\n" LOOK_OUTPUT_HELP "\n"
        "Examples:\n"
        "  connect-webhook tasks list --state dead\n"
        "  connect-webhook tasks show PR-5852-1608-0000-001\n"
        "  connect-webhook tasks retry --state dead --since 2h\n"
        "  connect-webhook tasks list --json | jq -r 'select(.state == \"dead\") | .last_error'\n",
    .verbs =
        (const struct cmd_verb[]){
            {"list",
             {.options =
                  (const struct cmd_option[]){
                      CMD_TAKE("state", struct options, states, take_state),
                      CMD_TEXT("object", 0, struct options, object),
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
            {"retry",
             {.options = CHANGE_OPTIONS,
              .size = sizeof(struct options),
              .arguments_max = 1,
              .run = retry}},
            {"discard",
             {.options = CHANGE_OPTIONS,
              .size = sizeof(struct options),
              .arguments_max = 1,
              .run = discard}},
            {0},
        },
};

static const struct table_column columns[] = {
    {"id", "ID"},
    {"object_id", "OBJECT"},
    {"object_class", NULL},
    {"account_id", NULL},
    {"product_id", NULL},
    {"webhook_id", "WEBHOOK"},
    {"state", "STATE"},
    {"attempts", "ATTEMPTS"},
    {"due_at", "DUE"},
    {"updated_at", "UPDATED"},
    {"decision", "DECISION"},
    {"reason", "REASON"},
    {0},
};

/* ------------------------------------------------------------------------ which ones */

static const char *state_name(int s)
{
    return task_state_name((enum task_state)s);
}

static enum err take_state(void *at, const char *value, struct why *why)
{
    return look_take_states(value, state_name, TASK__STATES, at, why);
}

static bool is_number(const char *text)
{
    return *text != '\0' && strspn(text, "0123456789") == strlen(text);
}

/* CMD_OK: what the options say; an argument names one task by its number, or its object. */
static int make_filter(const struct look *l, const struct options *o, const char *argument,
                       struct inbox_filter *ret)
{
    const struct conf_webhook *w = NULL;
    *ret = (struct inbox_filter){.object_class = o->look.object_class,
                                 .object_id = o->object,
                                 .states = o->states,
                                 .age_ms = o->look.age_ms};
    if (argument != NULL && !is_number(argument)) {
        if (!object_id_valid(argument))
            return cmd_usage(l->cmd, "'%s' is neither a task's number nor an object's id",
                             argument);
        ret->object_id = argument;
    } else if (argument != NULL) {
        int64_t id = strtoll(argument, NULL, 10);
        ret->before_id = id < INT64_MAX ? id + 1 : id;
        ret->after_id = id - 1;
    }
    if (o->look.webhook == NULL)
        return CMD_OK;
    int status = look_event_webhook(l->cmd, l->conf, o->look.webhook, &w);
    if (status != CMD_OK)
        return status;
    if (o->look.object_class != NULL && o->look.object_class != w->object_class)
        return cmd_failed(l->cmd, "webhook %s is of the class %s", w->id, w->object_class->name);
    ret->account_id = w->account->id;
    ret->product_id = w->product;
    ret->object_class = w->object_class;
    return CMD_OK;
}

/* ------------------------------------------------------------------------------ list */

static void add_row(void *ctx, const struct inbox_task *t)
{
    struct look_list *l = ctx;
    look_list_add(l, t->id, story_task_row(l, t));
}

static enum err page(struct look_list *l, const struct inbox_filter *f, struct why *why)
{
    return inbox_each_task(l->look->inbox, f, add_row, l, why);
}

static int list(const struct cmd *self, void *options, char **arguments)
{
    const struct options *o = options;
    struct look l = {0};
    struct inbox_filter f;
    (void)arguments;
    int status = look_open(&l, self, o->look.config);
    if (status == CMD_OK)
        status = make_filter(&l, o, NULL, &f);
    if (status == CMD_OK)
        status = look_list(&l, &o->look, &f, columns, page, "tasks");
    look_close(&l);
    return status;
}

/* ------------------------------------------------------------------------------ show */

struct ids {
    int64_t *list; /* owned */
    size_t count, cap;
    int64_t last;
    bool failed; /* memory ran out */
};

static void add_id(void *ctx, const struct inbox_task *t)
{
    struct ids *ids = ctx;
    int64_t *list = array_room(ids->list, ids->count, &ids->cap, sizeof *list);
    ids->last = t->id;
    ids->failed = ids->failed || list == NULL;
    if (list == NULL)
        return;
    ids->list = list;
    ids->list[ids->count++] = t->id;
}

static int none_fits(const struct look *l)
{
    return cmd_failed(l->cmd, "there is no such task (never listed, or longer ago than "
                              "inbox.retention)");
}

/* All that fit. CMD_FAILED, having said so, if none does. */
static int find(const struct look *l, const struct inbox_filter *filter, struct ids *ret)
{
    struct inbox_filter f = *filter;
    struct why why;
    size_t before;
    enum err e;
    do {
        before = ret->count;
        e = inbox_each_task(l->inbox, &f, add_id, ret, &why);
        f.before_id = ret->last;
    } while (e == ERR_OK && !ret->failed && ret->count - before == INBOX_PAGE_MAX);
    if (e != ERR_OK)
        return cmd_failed(l->cmd, "%s", why.text);
    if (ret->failed)
        return cmd_failed(l->cmd, "%s", err_text(ERR_NOMEM));
    return ret->count > 0 ? CMD_OK : none_fits(l);
}

static int show(const struct cmd *self, void *options, char **arguments)
{
    const struct options *o = options;
    struct look l = {0};
    struct ids ids = {0};
    struct inbox_filter f;
    if (arguments[0] == NULL)
        return cmd_usage(self, "which one? Give a task's number or an object's id");
    int status = look_open(&l, self, o->look.config);
    if (status == CMD_OK)
        status = make_filter(&l, o, arguments[0], &f);
    if (status == CMD_OK)
        status = find(&l, &f, &ids);
    for (size_t n = 0; n < ids.count && status == CMD_OK; n++)
        status = story_of_task(&l, ids.list[n], o->look.json);
    free(ids.list);
    look_close(&l);
    return status;
}

/* -------------------------------------------------------------------- retry, discard */

typedef enum err change_fn(struct inbox *i, const struct inbox_filter *f, struct inbox_ordered *ret,
                           struct why *why);

static bool says_which(const struct options *o, const char *argument)
{
    return argument != NULL || o->object != NULL || o->states != 0 || o->look.webhook != NULL ||
           o->look.object_class != NULL || o->look.age_ms != 0;
}

static int change_all(const struct look *l, const struct inbox_filter *f, change_fn *fn,
                      const char *done)
{
    struct inbox_ordered o;
    struct why why;
    enum err e = fn(l->inbox, f, &o, &why);
    if (e == ERR_OK && o.changed + o.held == 0)
        return none_fits(l);
    printf("%" PRId64 " task%s %s\n", o.changed, o.changed == 1 ? "" : "s", done);
    if (e != ERR_OK)
        return cmd_failed(l->cmd, "%s", why.text);
    if (o.held > 0)
        return cmd_failed(l->cmd, "%" PRId64 " %s being worked on, and left alone", o.held,
                          o.held == 1 ? "is" : "are");
    return CMD_OK;
}

static int change(const struct cmd *self, const struct options *o, const char *argument,
                  change_fn *fn, const char *done)
{
    struct look l = {0};
    struct inbox_filter f;
    if (!says_which(o, argument))
        return cmd_usage(self, "which ones? Give a task's number, an object's id, or a filter");
    int status = look_open_to_change(&l, self, o->look.config);
    if (status == CMD_OK)
        status = make_filter(&l, o, argument, &f);
    if (status == CMD_OK)
        status = change_all(&l, &f, fn, done);
    look_close(&l);
    return status;
}

static int retry(const struct cmd *self, void *options, char **arguments)
{
    return change(self, options, arguments[0], inbox_retry_tasks, "ready to be worked on");
}

static int discard(const struct cmd *self, void *options, char **arguments)
{
    return change(self, options, arguments[0], inbox_discard_tasks, "discarded");
}
