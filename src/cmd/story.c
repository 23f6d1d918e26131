/* story.c - rows of tasks and deliveries, and their whole stories. */
#include "cmd/story.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "base/clk.h"
#include "base/jsonx.h"

/* ----------------------------------------------------------------------------- rows */

static bool is_failing(const struct inbox_task *t)
{
    return t->state == TASK_DEAD || t->failures > 0;
}

static bool waits(const struct inbox_task *t)
{
    return t->state == TASK_READY || t->state == TASK_SKIPPED;
}

static bool add_webhook(const struct look *l, struct json_object *o, const char *account_id,
                        const char *product_id, const struct object_class *c)
{
    const struct conf_webhook *w = look_webhook(l, account_id, product_id, c);
    return look_add_words(o, "webhook_id", w != NULL ? w->id : "");
}

static bool add_id_or_null(struct json_object *o, const char *key, int64_t id)
{
    return id > 0 ? jsonx_add_int(o, key, id) : jsonx_share(o, key, NULL);
}

static bool fill_task(const struct look_list *list, struct json_object *o,
                      const struct inbox_task *t)
{
    const struct inbox_story *s = &t->story;
    return jsonx_add_int(o, "id", t->id) &&
           jsonx_add_text(o, "object_class", t->object_class->name) &&
           jsonx_add_text(o, "object_id", t->object_id) &&
           add_webhook(list->look, o, t->account_id, t->product_id, t->object_class) &&
           jsonx_add_text(o, "account_id", t->account_id) &&
           jsonx_add_text(o, "product_id", t->product_id) &&
           jsonx_add_text(o, "state", task_state_name(t->state)) &&
           jsonx_add_int(o, "attempts", t->asked) && jsonx_add_int(o, "failures", t->failures) &&
           look_add_due(list, o, "due_at", waits(t) ? t->due_ms : -1) &&
           look_add_words(o, "last_error", is_failing(t) ? s->reason : "") &&
           look_add_words(o, "decision", s->action) && look_add_words(o, "rule", s->rule) &&
           look_add_words(o, "result", s->result) && look_add_words(o, "reason", s->reason) &&
           look_add_words(o, "type", s->type) && look_add_words(o, "before", s->before) &&
           look_add_words(o, "after", s->after) &&
           jsonx_add_text(o, "found_by", t->called ? "call" : "polling") &&
           add_id_or_null(o, "delivery", t->delivery_id) &&
           look_add_time(list, o, "created_at", t->created_s) &&
           look_add_time(list, o, "updated_at", t->updated_s);
}

/* `o` if it is whole. */
static struct json_object *whole(struct json_object *o, bool ok)
{
    if (ok)
        return o;
    json_object_put(o);
    return NULL;
}

struct json_object *story_task_row(const struct look_list *list, const struct inbox_task *t)
{
    struct json_object *o = json_object_new_object();
    return whole(o, fill_task(list, o, t));
}

struct json_object *story_delivery_row(const struct look_list *list, const struct inbox_delivery *d)
{
    struct json_object *o = json_object_new_object();
    char hash[2 * INBOX_TOKEN_HASH_LEN + 1];
    sodium_bin2hex(hash, sizeof hash, d->token_sha256, sizeof d->token_sha256);
    return whole(
        o, jsonx_add_int(o, "id", d->id) && jsonx_add_text(o, "webhook_id", d->webhook_id) &&
               jsonx_add_text(o, "object_class", d->object_class) &&
               jsonx_add_text(o, "account_id", d->account_id) &&
               jsonx_add_text(o, "product_id", d->product_id) &&
               look_add_words(o, "triggered_at", d->triggered_at != NULL ? d->triggered_at : "") &&
               look_add_time(list, o, "received_at", clk_second(d->received_us)) &&
               look_add_time(list, o, "last_received_at", clk_second(d->last_received_us)) &&
               jsonx_add_text(o, "state", delivery_state_name(d->state)) &&
               jsonx_add_text(o, "token_sha256", hash) && jsonx_add_int(o, "seen", d->seen));
}

/* -------------------------------------------------------------------- what is gathered */

/* Times in it are as in JSON. */
struct story {
    const struct look *look;
    struct look_list list;
    struct json_object *root; /* owned */
    char account_id[OBJECT_ID_MAX], product_id[OBJECT_ID_MAX];
    const struct object_class *object_class; /* NULL: it was not found */
    struct inbox_task task;
    struct json_object *into; /* an array of it, that rows are added to */
    bool ok;                  /* memory has not run out */
};

static void begin(struct story *s, const struct look *l)
{
    *s = (struct story){.look = l,
                        .list = {.look = l, .json = true, .now_s = clk_wall_s()},
                        .root = json_object_new_object()};
    s->ok = s->root != NULL;
}

static void keep_queue(struct story *s, const char *account_id, const char *product_id,
                       const struct object_class *c)
{
    snprintf(s->account_id, sizeof s->account_id, "%s", account_id);
    snprintf(s->product_id, sizeof s->product_id, "%s", product_id);
    s->object_class = c;
}

static void take_task(void *ctx, const struct inbox_task *t)
{
    struct story *s = ctx;
    s->task = *t;
    keep_queue(s, t->account_id, t->product_id, t->object_class);
    s->ok = s->ok && fill_task(&s->list, s->root, t);
}

static struct json_object *parsed(const char *text, size_t len)
{
    struct json_object *o = NULL;
    if (len > 0 && jsonx_parse(text, len, JSONX_SIZE_MAX, &o, NULL) != ERR_OK)
        return NULL;
    return o;
}

static struct json_object *delivery_whole(const struct story *s, const struct inbox_delivery *d)
{
    struct json_object *o = story_delivery_row(&s->list, d);
    return whole(o, o != NULL && jsonx_add_int(o, "body_bytes", (int64_t)d->body_len) &&
                        json_object_object_add(o, "claims", parsed(d->claims, d->claims_len)) == 0);
}

static void take_delivery(void *ctx, const struct inbox_delivery *d)
{
    struct story *s = ctx;
    keep_queue(s, d->account_id, d->product_id, object_class_find(d->object_class));
    json_object_put(s->root);
    s->root = delivery_whole(s, d);
    s->ok = s->root != NULL;
}

static void add_delivery(void *ctx, const struct inbox_delivery *d)
{
    struct story *s = ctx;
    s->ok = s->ok && jsonx_add(s->root, "told_by", delivery_whole(s, d));
}

static void add_sweep(void *ctx, const struct inbox_sweep_status *w)
{
    struct story *s = ctx;
    const struct look_list *l = &s->list;
    struct json_object *o = json_object_new_object();
    s->ok = s->ok && jsonx_add_text(o, "state", w->running ? "running" : "waiting") &&
            look_add_time(l, o, "started_at", w->started_s) &&
            look_add_time(l, o, "ended_at", w->ended_s) &&
            look_add_due(l, o, "due_at", w->due_ms) && look_add_due(l, o, "poll_at", w->poll_ms) &&
            jsonx_add_int(o, "failures", w->failures) && look_add_words(o, "error", w->error) &&
            add_id_or_null(o, "last_delivery", w->delivery_id) && jsonx_share(s->root, "sweep", o);
    json_object_put(o);
}

static void add_attempt(void *ctx, const struct inbox_attempt *a)
{
    struct story *s = ctx;
    const struct look_list *l = &s->list;
    struct json_object *o = json_object_new_object();
    bool ok = look_add_time(l, o, "started_at", a->started_s) &&
              look_add_time(l, o, "ended_at", a->ended_s) &&
              jsonx_add_text(o, "result", a->result) && look_add_words(o, "reason", a->reason) &&
              json_object_object_add(o, "calls", parsed(a->calls, strlen(a->calls))) == 0;
    s->ok = s->ok && ok && jsonx_append(s->into, json_object_get(o));
    json_object_put(o);
}

static void add_task(void *ctx, const struct inbox_task *t)
{
    struct story *s = ctx;
    s->ok = s->ok && jsonx_append(s->into, story_task_row(&s->list, t));
}

/* An array of the story's; NULL: memory ran out. Borrowed. */
static struct json_object *add_array(struct story *s, const char *key)
{
    struct json_object *array = json_object_new_array();
    s->ok = s->ok && array != NULL && jsonx_add(s->root, key, array);
    return s->ok ? array : NULL;
}

static enum err gather_sweep(struct story *s, struct why *why)
{
    const struct inbox_filter queue = {.account_id = s->account_id,
                                       .product_id = s->product_id,
                                       .object_class = s->object_class,
                                       .limit = 1};
    int64_t halted_ms = 0;
    enum err e = inbox_each_sweep(s->look->inbox, &queue, add_sweep, s, why);
    if (e == ERR_OK)
        e = inbox_halted(s->look->inbox, s->account_id, &halted_ms, why);
    s->ok = s->ok &&
            look_add_due(&s->list, s->root, "account_halted_until", halted_ms > 0 ? halted_ms : -1);
    return e;
}

static enum err gather_around_task(struct story *s, struct why *why)
{
    const struct inbox_filter told_by = {
        .before_id = s->task.delivery_id + 1, .after_id = s->task.delivery_id - 1, .limit = 1};
    enum err e = ERR_OK;
    if (s->task.delivery_id > 0)
        e = inbox_each_delivery(s->look->inbox, &told_by, add_delivery, s, why);
    s->into = add_array(s, "attempts_made");
    if (e == ERR_OK && s->ok)
        e = inbox_each_attempt(s->look->inbox, s->task.id, add_attempt, s, why);
    return e;
}

/* ------------------------------------------------------------------- what comes next */

static void tell_halt(const struct story *s, char *ret, size_t size)
{
    const char *until = jsonx_str(s->root, "account_halted_until", NULL);
    if (until != NULL)
        snprintf(
            ret, size,
            ", but account %s is halted until %s: Connect failed, throttled it, or refused its "
            "key",
            s->account_id, until);
    else
        *ret = '\0';
}

static void tell_next_of_task(const struct story *s, char *ret, size_t size)
{
    const struct inbox_task *t = &s->task;
    char duration[LOOK_TIME_MAX], halt[256];
    look_duration((t->due_ms + 999) / 1000, duration);
    tell_halt(s, halt, sizeof halt);
    switch (t->state) {
    case TASK_READY:
        if (t->due_ms > 0)
            snprintf(ret, size, "it is worked on in %s (failure %" PRId64 " of %" PRId64 ")%s",
                     duration, t->failures, s->look->conf->processing.max_attempts, halt);
        else
            snprintf(ret, size, "it is due: whoever works next takes it%s", halt);
        break;
    case TASK_RUNNING:
        snprintf(ret, size, "it is being worked on");
        break;
    case TASK_SKIPPED:
        snprintf(ret, size,
                 "it is left alone for %s more, unless it changes, or `connect-webhook tasks retry "
                 "%" PRId64 "`",
                 duration, t->id);
        break;
    case TASK_DONE:
        snprintf(ret, size, "nothing, until the object changes");
        break;
    default:
        snprintf(ret, size,
                 "nothing by itself: it is for you. `connect-webhook tasks retry %" PRId64
                 "` has it worked on again, `connect-webhook tasks discard %" PRId64 "` ends it",
                 t->id, t->id);
        break;
    }
}

static void tell_next_of_delivery(const struct story *s, char *ret, size_t size)
{
    const char *state = jsonx_str(s->root, "state", "");
    const char *due = jsonx_str_at(s->root, "sweep.due_at", NULL);
    const char *sweep = jsonx_str_at(s->root, "sweep.state", "");
    char halt[256];
    tell_halt(s, halt, sizeof halt);
    if (strcmp(state, delivery_state_name(DELIVERY_IGNORED)) == 0)
        snprintf(ret, size,
                 "nothing: it is not what its webhook is configured for. Once it is, "
                 "`connect-webhook deliveries replay` has it worked on");
    else if (strcmp(state, delivery_state_name(DELIVERY_STORED)) != 0)
        snprintf(ret, size, "nothing: its queue has been listed");
    else if (strcmp(sweep, "running") == 0)
        snprintf(ret, size, "its queue is being listed");
    else
        snprintf(ret, size, "its queue is listed next, due %s%s", due != NULL ? due : "now", halt);
}

/* ------------------------------------------------------------------------ for people */

/* "  rule        rules.yaml:7", if there is anything to say. */
static void print_line(const char *name, const char *text)
{
    if (text == NULL || *text == '\0')
        return;
    printf("  %-12s", name);
    cmd_print_plain(text);
    putchar('\n');
}

static void print_int(const char *name, int64_t n)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRId64, n);
    print_line(name, text);
}

static void print_member(const char *name, const struct json_object *o, const char *key)
{
    print_line(name, jsonx_str(o, key, NULL));
}

static void print_call(const struct json_object *call)
{
    const char *code = jsonx_str(call, "error_code", "");
    printf("       ");
    cmd_print_plain(jsonx_str(call, "method", ""));
    putchar(' ');
    cmd_print_plain(jsonx_str(call, "path", ""));
    int64_t status = jsonx_int(call, "status", 0), ms = jsonx_int(call, "ms", -1);
    if (status > 0)
        printf("  %" PRId64, status);
    else
        printf("  no answer");
    if (*code != '\0') {
        putchar(' ');
        cmd_print_plain(code);
    }
    if (ms >= 0)
        printf("  %" PRId64 " ms", ms);
    putchar('\n');
}

static void print_attempt(size_t number, const struct json_object *a)
{
    const struct json_object *calls = jsonx_array(a, "calls");
    size_t count = calls != NULL ? json_object_array_length(calls) : 0;
    const char *reason = jsonx_str(a, "reason", "");
    printf("  %zu. %s  %s%s", number, jsonx_str(a, "started_at", ""), jsonx_str(a, "result", ""),
           *reason != '\0' ? ": " : "");
    cmd_print_plain(reason);
    putchar('\n');
    for (size_t i = 0; i < count; i++)
        print_call(json_object_array_get_idx(calls, i));
}

static void print_sweep(const struct json_object *sweep)
{
    puts("\nListed");
    if (sweep == NULL) {
        print_line("never", "no sweep of its queue has been planned yet");
        return;
    }
    print_member("state", sweep, "state");
    print_member("began", sweep, "started_at");
    print_member("ended", sweep, "ended_at");
    print_member("error", sweep, "error");
    print_member("due again", sweep, "due_at");
    print_member("polled at", sweep, "poll_at");
}

static void print_told_by(const struct json_object *root)
{
    const struct json_object *d = jsonx_object(root, "told_by");
    int64_t id = jsonx_int(root, "delivery", 0);
    puts("\nTold of by");
    if (d == NULL && id == 0) {
        print_line("polling", "no call has told of it");
        return;
    }
    print_int("delivery", id);
    if (d == NULL) {
        print_line("", "forgotten: it is older than inbox.retention");
        return;
    }
    print_member("webhook", d, "webhook_id");
    print_member("triggered", d, "triggered_at");
    print_member("received", d, "received_at");
    print_int("seen", jsonx_int(d, "seen", 0));
}

static void print_task(const struct story *s)
{
    const struct json_object *o = s->root, *attempts = jsonx_array(o, "attempts_made");
    printf("Task %" PRId64 ": %s\n", s->task.id, s->task.object_id);
    print_member("class", o, "object_class");
    print_member("webhook", o, "webhook_id");
    print_member("account", o, "account_id");
    print_member("product", o, "product_id");
    print_member("type", o, "type");
    print_member("state", o, "state");
    print_member("since", o, "updated_at");
    print_member("was", o, "before");
    print_member("is", o, "after");
    print_member("decision", o, "decision");
    print_member("rule", o, "rule");
    print_member("result", o, "result");
    print_member("reason", o, "reason");
    print_int("attempts", s->task.asked);
    print_told_by(o);
    print_sweep(jsonx_object(o, "sweep"));
    puts("\nAttempts");
    for (size_t i = 0; attempts != NULL && i < json_object_array_length(attempts); i++)
        print_attempt(i + 1, json_object_array_get_idx(attempts, i));
    if (attempts == NULL || json_object_array_length(attempts) == 0)
        print_line("none", "nobody has worked on it yet");
}

static void print_delivery(const struct story *s, int64_t id)
{
    const struct json_object *o = s->root, *tasks = jsonx_array(o, "tasks");
    printf("Delivery %" PRId64 "\n", id);
    print_member("webhook", o, "webhook_id");
    print_member("class", o, "object_class");
    print_member("account", o, "account_id");
    print_member("product", o, "product_id");
    print_member("state", o, "state");
    print_member("triggered", o, "triggered_at");
    print_member("received", o, "received_at");
    print_member("last", o, "last_received_at");
    print_int("seen", jsonx_int(o, "seen", 0));
    print_sweep(jsonx_object(o, "sweep"));
    puts("\nLed to");
    size_t count = tasks != NULL ? json_object_array_length(tasks) : 0;
    for (size_t i = 0; i < count; i++) {
        const struct json_object *t = json_object_array_get_idx(tasks, i);
        printf("  task %" PRId64 "  %s  %s  ", jsonx_int(t, "id", 0), jsonx_str(t, "object_id", ""),
               jsonx_str(t, "state", ""));
        cmd_print_plain(jsonx_str(t, "reason", ""));
        putchar('\n');
    }
    if (count == 0)
        print_line("nothing", "no object was found for it alone");
}

/* ---------------------------------------------------------------------------- whole */

static int print_story(struct story *s, int64_t id, bool json, const char *next)
{
    if (!s->ok || !jsonx_add_text(s->root, "next", next))
        return cmd_failed(s->look->cmd, "%s", err_text(ERR_NOMEM));
    if (json)
        return cmd_print_json(s->look->cmd, json_object_get(s->root));
    if (s->task.id != 0)
        print_task(s);
    else
        print_delivery(s, id);
    printf("\nNext\n  %s.\n", next);
    return CMD_OK;
}

int story_of_task(const struct look *l, int64_t id, bool json)
{
    const struct inbox_filter one = {.before_id = id + 1, .after_id = id - 1, .limit = 1};
    struct story s;
    struct why why;
    char next[512];
    begin(&s, l);
    enum err e = inbox_each_task(l->inbox, &one, take_task, &s, &why);
    if (e == ERR_OK && s.object_class == NULL)
        e = why_set(&why, ERR_NOT_FOUND, "there is no task %" PRId64, id);
    if (e == ERR_OK)
        e = gather_around_task(&s, &why);
    if (e == ERR_OK)
        e = gather_sweep(&s, &why);
    if (e == ERR_OK)
        tell_next_of_task(&s, next, sizeof next);
    int status = e == ERR_OK ? print_story(&s, id, json, next) : cmd_failed(l->cmd, "%s", why.text);
    json_object_put(s.root);
    return status;
}

int story_of_delivery(const struct look *l, int64_t id, bool json)
{
    const struct inbox_filter one = {.before_id = id + 1, .after_id = id - 1, .limit = 1};
    const struct inbox_filter led_to = {.delivery_id = id};
    struct story s;
    struct why why;
    char next[512];
    begin(&s, l);
    enum err e = inbox_each_delivery(l->inbox, &one, take_delivery, &s, &why);
    if (e == ERR_OK && s.object_class == NULL)
        e = why_set(&why, ERR_NOT_FOUND,
                    "there is no delivery %" PRId64 " (or it is older than inbox.retention)", id);
    if (e == ERR_OK)
        e = gather_sweep(&s, &why);
    s.into = add_array(&s, "tasks");
    if (e == ERR_OK && s.ok)
        e = inbox_each_task(l->inbox, &led_to, add_task, &s, &why);
    if (e == ERR_OK)
        tell_next_of_delivery(&s, next, sizeof next);
    int status = e == ERR_OK ? print_story(&s, id, json, next) : cmd_failed(l->cmd, "%s", why.text);
    json_object_put(s.root);
    return status;
}
