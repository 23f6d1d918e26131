/* look.c - looking into the inbox. */
#include "cmd/look.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/jsonx.h"
#include "base/quantity.h"
#include "cmd/service.h"

#define MINUTE 60
#define HOUR   3600
#define DAY    86400

#define AGE_MAX_MS (100 * INT64_C(365) * DAY * 1000)

#define CLEAR "\033[H\033[2J" /* the terminal */

/* ------------------------------------------------------------------------ the inbox */

static int open_inbox(struct look *l, const struct cmd *cmd, const char *config, bool looks)
{
    struct why why;
    l->cmd = cmd;
    enum err e = conf_load(conf_path(config), CONF_TO_LOOK, &l->conf, &why);
    if (e != ERR_OK)
        return cmd_failed(cmd, "%s", why.text);
    struct inbox_options o = service_inbox_options(l->conf);
    o.looks = true;
    e = inbox_open(&o, &l->inbox, &why);
    if (e == ERR_OK && !looks) { /* it is there, and of this version */
        inbox_close(l->inbox);
        l->inbox = NULL;
        o.looks = false;
        e = inbox_open(&o, &l->inbox, &why);
    }
    return e == ERR_OK ? CMD_OK : cmd_failed(cmd, "%s", why.text);
}

int look_open(struct look *l, const struct cmd *cmd, const char *config)
{
    return open_inbox(l, cmd, config, true);
}

int look_open_to_change(struct look *l, const struct cmd *cmd, const char *config)
{
    return open_inbox(l, cmd, config, false);
}

void look_close(struct look *l)
{
    inbox_close(l->inbox);
    conf_unref(l->conf);
}

const struct conf_webhook *look_webhook(const struct look *l, const char *account_id,
                                        const char *product_id, const struct object_class *c)
{
    for (size_t i = 0; i < l->conf->webhooks_count; i++) {
        const struct conf_webhook *w = &l->conf->webhooks[i];
        if (w->type == TYPE_EVENT && w->object_class == c && strcmp(w->product, product_id) == 0 &&
            strcmp(w->account->id, account_id) == 0)
            return w;
    }
    return NULL;
}

int look_event_webhook(const struct cmd *cmd, const struct conf *c, const char *id,
                       const struct conf_webhook **ret)
{
    *ret = conf_webhook(c, id);
    if (*ret == NULL)
        return cmd_failed(cmd, "no webhook %s is configured", id);
    if ((*ret)->type != TYPE_EVENT)
        return cmd_failed(cmd, "webhook %s is a %s: it has no queue", id,
                          webhook_type_name((*ret)->type));
    return CMD_OK;
}

/* -------------------------------------------------------------------------- options */

enum err look_take_class(void *at, const char *value, struct why *why)
{
    const struct object_class **ret = at;
    *ret = object_class_find(value);
    return *ret != NULL ? ERR_OK
                        : why_set(why, ERR_INVALID,
                                  "--class: there is no class '%s'; `connect-webhook policy "
                                  "actions` lists them",
                                  value);
}

enum err look_take_since(void *at, const char *value, struct why *why)
{
    int64_t *ret_ms = at, at_us, ms = -1;
    enum err e = quantity_parse(QUANTITY_DURATION, value, &ms);
    if (e != ERR_OK && clk_parse_iso(value, strlen(value), &at_us) == ERR_OK) {
        ms = (clk_wall_us() - at_us) / 1000;
        e = ms >= 0 ? ERR_OK : ERR_RANGE;
    }
    if (e != ERR_OK || ms > AGE_MAX_MS)
        return why_set(why, ERR_INVALID,
                       "--since is an age like 90s, 30m, 2h or 7d, or a time that has passed like "
                       "2026-11-28T09:00:00Z, not '%s'",
                       value);
    *ret_ms = ms > 0 ? ms : 1;
    return ERR_OK;
}

enum err look_take_limit(void *at, const char *value, struct why *why)
{
    return cmd_number("--limit", value, 1, INT32_MAX, at, why);
}

static int find_state(const char *text, size_t len, const char *(*name)(int), int count)
{
    for (int s = 0; s < count; s++)
        if (strlen(name(s)) == len && strncmp(name(s), text, len) == 0)
            return s;
    return -1;
}

static enum err unknown_state(const char *value, const char *(*name)(int), int count,
                              struct why *why)
{
    char names[128];
    size_t len = 0;
    for (int s = 0; s < count && len < sizeof names; s++)
        len += (size_t)snprintf(names + len, sizeof names - len, "%s%s",
                                s == 0           ? ""
                                : s + 1 == count ? " or "
                                                 : ", ",
                                name(s));
    return why_set(why, ERR_INVALID, "--state is %s, not '%s'", names, value);
}

enum err look_take_states(const char *value, const char *(*name)(int), int count, unsigned *states,
                          struct why *why)
{
    for (const char *at = value;; at++) {
        size_t len = strcspn(at, ",");
        int s = find_state(at, len, name, count);
        if (s < 0)
            return unknown_state(value, name, count, why);
        *states |= 1U << s;
        at += len;
        if (*at == '\0')
            return ERR_OK;
    }
}

/* ---------------------------------------------------------------------------- words */

void look_duration(int64_t s, char ret[LOOK_TIME_MAX])
{
    if (s < 2 * MINUTE)
        snprintf(ret, LOOK_TIME_MAX, "%" PRId64 "s", s);
    else if (s < 2 * HOUR)
        snprintf(ret, LOOK_TIME_MAX, "%" PRId64 "m", s / MINUTE);
    else if (s < 2 * DAY)
        snprintf(ret, LOOK_TIME_MAX, "%" PRId64 "h", s / HOUR);
    else
        snprintf(ret, LOOK_TIME_MAX, "%" PRId64 "d", s / DAY);
}

void look_when(int64_t wall_s, int64_t now_s, char ret[LOOK_TIME_MAX])
{
    char duration[LOOK_TIME_MAX];
    int64_t ago = now_s - wall_s;
    look_duration(ago < 0 ? -ago : ago, duration);
    if (ago == 0)
        snprintf(ret, LOOK_TIME_MAX, "now");
    else
        snprintf(ret, LOOK_TIME_MAX, ago > 0 ? "%.32s ago" : "in %.32s", duration);
}

bool look_add_time(const struct look_list *list, struct json_object *o, const char *key,
                   int64_t wall_s)
{
    char iso[CLK_ISO_MAX], words[LOOK_TIME_MAX];
    clk_iso(wall_s, iso);
    look_when(wall_s, list->now_s, words);
    return look_add_words(o, key, wall_s == 0 ? "" : list->json ? iso : words);
}

bool look_add_due(const struct look_list *list, struct json_object *o, const char *key, int64_t ms)
{
    return look_add_time(list, o, key, ms >= 0 ? list->now_s + (ms + 999) / 1000 : 0);
}

bool look_add_words(struct json_object *o, const char *key, const char *text)
{
    return *text != '\0' ? jsonx_add_text(o, key, text) : jsonx_share(o, key, NULL);
}

/* ---------------------------------------------------------------------------- lists */

void look_list_add(struct look_list *list, int64_t id, struct json_object *row)
{
    list->last_id = id;
    if (row == NULL || list->rows == NULL || !jsonx_append(list->rows, row))
        list->failed = true;
}

/* Print the page. ERR_IO: nobody reads any more. */
static enum err flush_page(struct look_list *list, struct table *table)
{
    size_t count = list->rows != NULL ? json_object_array_length(list->rows) : 0;
    enum err e = list->failed ? ERR_NOMEM : ERR_OK;
    for (size_t i = 0; i < count && e == ERR_OK; i++)
        e = table_row(table, json_object_get(json_object_array_get_idx(list->rows, i)));
    json_object_put(list->rows);
    list->rows = NULL;
    return e;
}

struct listing {
    const struct look *look;
    const struct look_options *options;
    const struct table_column *columns;
    const struct inbox_filter *filter;
    look_page_fn *page;
    const char *what; /* NULL: one page has all there is */
};

static int64_t rows_wanted(const struct listing *l)
{
    if (l->what == NULL)
        return INT64_MAX;
    if (l->options->limit > 0)
        return l->options->limit;
    return l->options->json ? INT64_MAX : LOOK_ROWS;
}

/* All pages. *ret_more: there are more than were asked for. */
static enum err go_through(const struct listing *l, struct look_list *list, struct table *table,
                           bool *ret_more, struct why *why)
{
    struct inbox_filter f = *l->filter;
    int64_t left = rows_wanted(l);
    enum err e = ERR_OK;
    bool goes_on = true;
    *ret_more = false;
    while (goes_on) {
        list->rows = json_object_new_array();
        f.limit = left < INBOX_PAGE_MAX ? (int)left + 1 : INBOX_PAGE_MAX;
        e = l->page(list, &f, why);
        size_t count = list->rows != NULL ? json_object_array_length(list->rows) : 0;
        *ret_more = left < INBOX_PAGE_MAX && (int64_t)count > left;
        if (*ret_more)
            json_object_array_del_idx(list->rows, count - 1, 1);
        left -= (int64_t)count;
        f.before_id = list->last_id;
        enum err flushed = flush_page(list, table);
        if (e == ERR_OK && flushed != ERR_OK)
            e = why_set(why, flushed, "%s", err_text(flushed));
        goes_on = e == ERR_OK && l->what != NULL && count > 0 && !*ret_more;
    }
    return e;
}

/* Once. */
static int show(const struct listing *l)
{
    struct look_list list = {.look = l->look, .json = l->options->json, .now_s = clk_wall_s()};
    struct table *table;
    struct why why;
    bool more = false;
    if (table_new(l->columns, list.json, stdout, &table) != ERR_OK)
        return cmd_failed(l->look->cmd, "out of memory");
    enum err e = go_through(l, &list, table, &more, &why);
    if (e == ERR_OK)
        table_print(table);
    table_free(table);
    if (e != ERR_OK)
        return cmd_failed(l->look->cmd, "%s", why.text);
    if (more && !list.json && !l->options->watch)
        fprintf(stderr, "These are the newest %s; --limit N shows more.\n", l->what);
    return CMD_OK;
}

/* By the clock: who only looks leaves nothing behind by which others could tell it of a change. */
static int watch(const struct listing *l)
{
    const struct timespec pause = {LOOK_EVERY_S, 0};
    char now[CLK_ISO_MAX];
    int status = CMD_OK;
    while (status == CMD_OK) {
        clk_iso(clk_wall_s(), now);
        printf(CLEAR "%s\n\n", now);
        status = show(l);
        fflush(stdout);
        nanosleep(&pause, NULL);
    }
    return status;
}

static int list(const struct listing *l)
{
    if (!l->options->watch)
        return show(l);
    if (l->options->json || isatty(STDOUT_FILENO) == 0)
        return cmd_usage(l->look->cmd, "--watch is for a table, on a terminal");
    return watch(l);
}

int look_list(const struct look *l, const struct look_options *o, const struct inbox_filter *f,
              const struct table_column *columns, look_page_fn *page, const char *what)
{
    const struct listing listing = {
        .look = l, .options = o, .columns = columns, .filter = f, .page = page, .what = what};
    return list(&listing);
}
