/*
 * look.h - what the commands have in common that look into the inbox: how it is opened, what is
 * looked for, and how times are told.
 *
 * Whoever may read and write the inbox's files may look, also while the handler runs and while it
 * does not; no secret is read. Rows are taken in pages and printed between them, so that a reader
 * who is slow keeps nobody waiting.
 */
#ifndef CMD_LOOK_H
#define CMD_LOOK_H

#include <stdbool.h>
#include <stdint.h>

#include <json-c/json.h>

#include "cmd/cmd.h"
#include "cmd/table.h"
#include "conf/conf.h"
#include "inbox/inbox.h"

#define LOOK_ROWS    50 /* of a table, unless --limit says otherwise */
#define LOOK_EVERY_S 2  /* --watch */

struct look {
    const struct cmd *cmd;
    struct conf *conf;
    struct inbox *inbox;
};

/* CMD_OK, or what the command ends with, having said why. look_close() in any case. */
int look_open(struct look *l, const struct cmd *cmd, const char *config);
/* ... to change something: an inbox that is there. */
int look_open_to_change(struct look *l, const struct cmd *cmd, const char *config);
void look_close(struct look *l);

/* Options of lists; in the options' struct of a command. */
struct look_options {
    const char *config;
    const char *webhook;
    const struct object_class *object_class; /* NULL: any */
    int64_t age_ms;                          /* 0: any */
    int64_t limit;                           /* 0: not said */
    bool json;
    bool watch;
};
#define LOOK_CONFIG(type, member) CMD_TEXT("config", 'c', type, member.config)
#define LOOK_FILTERS(type, member)                                     \
    CMD_TEXT("webhook", 0, type, member.webhook),                      \
        CMD_TAKE("class", type, member.object_class, look_take_class), \
        CMD_TAKE("since", type, member.age_ms, look_take_since)
#define LOOK_OUTPUT(type, member) \
    CMD_FLAG("json", type, member.json), CMD_FLAG("watch", type, member.watch)
#define LOOK_LIMIT(type, member) CMD_TAKE("limit", type, member.limit, look_take_limit)

#define LOOK_FILTERS_HELP                                                           \
    "  --webhook ID         of this webhook\n"                                      \
    "  --class CLASS        of this object class, e.g. fulfillment_request\n"       \
    "  --since WHEN         no older than that: 90s, 30m, 2h, 7d, or a time like\n" \
    "                       2026-11-28T09:00:00Z\n"
#define LOOK_OUTPUT_HELP                                                             \
    "  --limit N            show the newest N (50 in a table, all with --json)\n"    \
    "  --watch              show the table again every two seconds, on a terminal\n" \
    "  --json               one JSON object a line\n"                                \
    "  -c FILE              the configuration\n"                                     \
    "  --help               show this help\n"

enum err look_take_class(void *at, const char *value, struct why *why);
enum err look_take_since(void *at, const char *value, struct why *why);
enum err look_take_limit(void *at, const char *value, struct why *why);
/* "ready,dead": bits of the numbers that `name` has, 0 to `count` - 1. */
enum err look_take_states(const char *value, const char *(*name)(int), int count, unsigned *states,
                          struct why *why);

/* --------------------------------------------------------------------------- lists */

/* Rows of one list on their way from the inbox to the table. */
struct look_list {
    const struct look *look;
    bool json;
    int64_t now_s;            /* UTC */
    int64_t last_id;          /* of the page */
    struct json_object *rows; /* the page's */
    bool failed;              /* memory ran out */
};

/* Called for one page: have the rows that fit, each by look_list_add(). */
typedef enum err look_page_fn(struct look_list *list, const struct inbox_filter *f,
                              struct why *why);
/* `row` is consumed; NULL: memory ran out. */
void look_list_add(struct look_list *list, int64_t id, struct json_object *row);

/* Print what fits the filter; once, or again and again. `what`: "tasks", for people; NULL: they are
 * few, and one page has them all, whatever the limit. Returns the exit status. */
int look_list(const struct look *l, const struct look_options *o, const struct inbox_filter *f,
              const struct table_column *columns, look_page_fn *page, const char *what);

/* --------------------------------------------------------------------------- words */

#define LOOK_TIME_MAX 40 /* bytes of a time for people, with the NUL */

/* "40s", "12m", "3h", "5d" */
void look_duration(int64_t s, char ret[LOOK_TIME_MAX]);
/* "3m ago", "in 40s", "now" */
void look_when(int64_t wall_s, int64_t now_s, char ret[LOOK_TIME_MAX]);
/* A moment of UTC, as ISO 8601 in JSON, else as people say it; 0: null. False: memory ran out. */
bool look_add_time(const struct look_list *list, struct json_object *o, const char *key,
                   int64_t wall_s);
/* The same of one `ms` from now; -1: null. */
bool look_add_due(const struct look_list *list, struct json_object *o, const char *key, int64_t ms);
/* A text; "" is null. */
bool look_add_words(struct json_object *o, const char *key, const char *text);

/* The first webhook that tells of a queue; NULL: none is configured (any more). */
const struct conf_webhook *look_webhook(const struct look *l, const char *account_id,
                                        const char *product_id, const struct object_class *c);
/* An event webhook that is configured; else CMD_FAILED, having said so. */
int look_event_webhook(const struct cmd *cmd, const struct conf *c, const char *id,
                       const struct conf_webhook **ret);

#endif
