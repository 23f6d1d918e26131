/* policy.c - the vocabulary of decisions, and asking. */
#include "policy/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clk.h"
#include "base/jsonx.h"

/* ---------------------------------------------------------------- the vocabulary */

/* The fields of a decision beside `action`, and what each must be. */
enum field_type {
    FIELD_TEXT,
    FIELD_ID,     /* one of Connect's */
    FIELD_TIME,   /* ISO 8601 */
    FIELD_SPAN,   /* seconds, or "5m" */
    FIELD_OBJECT, /* any JSON object */
    FIELD_ANY,
    FIELD_PARAMS, /* a list of parameters */
    FIELD_MESSAGE,
};

struct field {
    const char *name;
    enum field_type type;
};

enum {
    TEMPLATE = 1 << 0,
    TEMPLATE_ID = 1 << 1,
    ACTIVATION_TILE = 1 << 2,
    REASON = 1 << 3,
    EFFECTIVE_DATE = 1 << 4,
    PLANNED_DATE = 1 << 5,
    NOTE = 1 << 6,
    ATTRIBUTES = 1 << 7,
    AFTER = 1 << 8,
    PARAMS = 1 << 9,
    MESSAGE = 1 << 10,
    LOOKS = TEMPLATE | TEMPLATE_ID | ACTIVATION_TILE, /* what the customer gets to see: one */
    ALWAYS = PARAMS | MESSAGE,
};

/* In the order of the bits above. */
static const struct field fields[] = {
    {"template", FIELD_TEXT}, {"template_id", FIELD_ID},      {"activation_tile", FIELD_TEXT},
    {"reason", FIELD_TEXT},   {"effective_date", FIELD_TIME}, {"planned_date", FIELD_TIME},
    {"note", FIELD_TEXT},     {"attributes", FIELD_OBJECT},   {"after", FIELD_SPAN},
    {"params", FIELD_PARAMS}, {"message", FIELD_MESSAGE},
};
#define FIELDS (sizeof fields / sizeof *fields)

static const struct field param_fields[] = {
    {"id", FIELD_TEXT},
    {"value", FIELD_TEXT},
    {"value_error", FIELD_TEXT},
    {"structured_value", FIELD_ANY},
    {"constraints", FIELD_OBJECT},
    {"structured_error", FIELD_OBJECT},
};
#define PARAM_FIELDS (sizeof param_fields / sizeof *param_fields)

/*
 * What a policy may choose, and which fields go with it. Verbs that only arrange who works on an
 * object (assign) are none of a policy's business.
 */
static const struct action {
    enum object_class object_class; /* CLASS__COUNT: every class */
    const char *name;
    unsigned takes, needs;
} actions[] = {
    {CLASS__COUNT, "skip", REASON, 0},
    {CLASS__COUNT, "reschedule", AFTER | REASON, AFTER},
    {CLASS_FULFILLMENT_REQUEST, "approve", LOOKS | EFFECTIVE_DATE, 0},
    {CLASS_FULFILLMENT_REQUEST, "fail", REASON, REASON},
    {CLASS_FULFILLMENT_REQUEST, "inquire", LOOKS, 0},
    {CLASS_FULFILLMENT_REQUEST, "pend", 0, 0},
    {CLASS_FULFILLMENT_REQUEST, "schedule", PLANNED_DATE, PLANNED_DATE},
    {CLASS_FULFILLMENT_REQUEST, "revoke", REASON, 0},
    {CLASS_FULFILLMENT_REQUEST, "confirm", 0, 0},
    {CLASS_TIER_CONFIG_REQUEST, "approve", LOOKS | EFFECTIVE_DATE, 0},
    {CLASS_TIER_CONFIG_REQUEST, "fail", REASON, REASON},
    {CLASS_TIER_CONFIG_REQUEST, "inquire", 0, 0},
    {CLASS_TIER_CONFIG_REQUEST, "pend", 0, 0},
    {CLASS_TIER_ACCOUNT_REQUEST, "accept", 0, 0},
    {CLASS_TIER_ACCOUNT_REQUEST, "ignore", REASON, 0},
    {CLASS_LISTING_REQUEST, "deploy", 0, 0},
    {CLASS_LISTING_REQUEST, "refine", 0, 0},
    {CLASS_LISTING_REQUEST, "complete", 0, 0},
    {CLASS_LISTING_REQUEST, "cancel", 0, 0},
    {CLASS_BILLING_REQUEST, "annotate", ATTRIBUTES, ATTRIBUTES},
    {CLASS_USAGE_FILE, "submit", 0, 0},
    {CLASS_USAGE_FILE, "delete", 0, 0},
    {CLASS_USAGE_FILE, "reprocess", 0, 0},
    {CLASS_USAGE_FILE, "accept", NOTE, 0},
    {CLASS_USAGE_FILE, "reject", NOTE, 0},
    {CLASS_USAGE_FILE, "close", 0, 0},
};
#define ACTIONS (sizeof actions / sizeof *actions)

static bool is_of_class(const struct action *a, enum object_class c)
{
    return a->object_class == CLASS__COUNT || a->object_class == c;
}

static const struct action *action_find(const char *name, enum object_class c)
{
    for (size_t i = 0; i < ACTIONS; i++)
        if (is_of_class(&actions[i], c) && strcmp(actions[i].name, name) == 0)
            return &actions[i];
    return NULL;
}

/* "approve, fail, inquire": add one more to a list for people. */
static void add_word(struct buf *list, const char *word)
{
    buf_printf(list, list->len > 0 ? ", %s" : "%s", word);
}

static void say_unknown_action(const char *name, enum object_class c, struct why *why)
{
    struct buf list;
    buf_init(&list, WHY_MAX);
    for (size_t i = 0; i < ACTIONS; i++)
        if (is_of_class(&actions[i], c))
            add_word(&list, actions[i].name);
    why_set(why, ERR_POLICY, "action %.40s is none for a %s; there are: %s", name,
            object_class_name(c), list.data);
    buf_free(&list);
}

static enum err fail_unknown_field(const struct action *a, const char *name, struct why *why)
{
    struct buf list;
    buf_init(&list, WHY_MAX);
    for (size_t i = 0; i < FIELDS; i++)
        if ((a->takes | ALWAYS) & 1U << i)
            add_word(&list, fields[i].name);
    why_set(why, ERR_POLICY, "%.40s: %s takes %s", name, a->name, list.data);
    buf_free(&list);
    return ERR_POLICY;
}

/* --------------------------------------------------------------- types of fields */

/* "90", "90s", "5m", "2h", "1d": false if it is none of these. */
static bool parse_span(const char *text, int64_t *ret_s)
{
    static const struct {
        char unit;
        int64_t s;
    } units[] = {{'\0', 1}, {'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    size_t len = strspn(text, "0123456789");
    if (len == 0 || len > 9 || (text[len] != '\0' && text[len + 1] != '\0'))
        return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (text[len] == units[i].unit) {
            *ret_s = strtoll(text, NULL, 10) * units[i].s;
            return true;
        }
    return false;
}

static enum err check_span(const struct json_object *value, const char *text, int64_t *ret_s,
                           struct why *why)
{
    int64_t s;
    if (!jsonx_whole(value, &s) && (text == NULL || !parse_span(text, &s)))
        return why_set(why, ERR_POLICY, "after: must be seconds, or a text like 30s, 5m, 2h, 1d");
    if (s < POLICY_RESCHEDULE_MIN || s > POLICY_RESCHEDULE_MAX)
        return why_set(why, ERR_POLICY, "after: must be from %d s to %d days",
                       POLICY_RESCHEDULE_MIN, POLICY_RESCHEDULE_MAX / 86400);
    *ret_s = s;
    return ERR_OK;
}

static enum err check_params(const struct json_object *params, bool draft, struct why *why);

/* `path` names the field for people. A draft's text that quotes may become anything. */
static enum err check_value(const char *path, enum field_type type, struct json_object *value,
                            bool draft, struct why *why)
{
    int64_t ignored;
    const char *text = json_object_is_type(value, json_type_string) ? json_object_get_string(value)
                                                                    : NULL;
    if (draft && text != NULL && strstr(text, "${") != NULL && type <= FIELD_SPAN)
        return ERR_OK;
    switch (type) {
    case FIELD_ANY:
        return ERR_OK;
    case FIELD_OBJECT:
        return json_object_is_type(value, json_type_object)
                   ? ERR_OK
                   : why_set(why, ERR_POLICY, "%s: must be an object", path);
    case FIELD_PARAMS:
        return check_params(value, draft, why);
    case FIELD_SPAN:
        return check_span(value, text, &ignored, why);
    default:
        break;
    }
    if (text == NULL)
        return why_set(why, ERR_POLICY, "%s: must be a text (is it short of quotes?)", path);
    if (type == FIELD_ID && !object_id_valid(text))
        return why_set(why, ERR_POLICY, "%s: must be an id like TL-123-456-789", path);
    if (type == FIELD_TIME && clk_parse_iso(text, strlen(text), &ignored) != ERR_OK)
        return why_set(why, ERR_POLICY, "%s: must be a time like 2026-11-23T10:00:00+00:00", path);
    if (type == FIELD_MESSAGE && (text[0] == '\0' || strlen(text) > POLICY_MESSAGE_MAX))
        return why_set(why, ERR_POLICY, "%s: must have from 1 to %d bytes", path,
                       POLICY_MESSAGE_MAX);
    return ERR_OK;
}

/* -------------------------------------------------------------------- parameters */

static enum err check_param_field(size_t i, const char *name, struct json_object *value, bool draft,
                                  struct why *why)
{
    char path[64];
    snprintf(path, sizeof path, "params[%zu].%.40s", i, name);
    for (size_t f = 0; f < PARAM_FIELDS; f++)
        if (strcmp(name, param_fields[f].name) == 0)
            return value == NULL ? ERR_OK
                                 : check_value(path, param_fields[f].type, value, draft, why);
    struct buf list;
    buf_init(&list, WHY_MAX);
    for (size_t f = 0; f < PARAM_FIELDS; f++)
        add_word(&list, param_fields[f].name);
    why_set(why, ERR_POLICY, "%s: a parameter takes %s", path, list.data);
    buf_free(&list);
    return ERR_POLICY;
}

static enum err check_param(size_t i, const struct json_object *param, bool draft, struct why *why)
{
    size_t set = 0;
    if (!json_object_is_type(param, json_type_object))
        return why_set(why, ERR_POLICY, "params[%zu]: must be an object", i);
    struct json_object_iterator end = json_object_iter_end((struct json_object *)param);
    struct json_object_iterator it = json_object_iter_begin((struct json_object *)param);
    for (; !json_object_iter_equal(&it, &end); json_object_iter_next(&it)) {
        struct json_object *value = json_object_iter_peek_value(&it);
        enum err e = check_param_field(i, json_object_iter_peek_name(&it), value, draft, why);
        if (e != ERR_OK)
            return e;
        set += value != NULL;
    }
    const char *id = jsonx_str(param, "id", "");
    if (id[0] == '\0')
        return why_set(why, ERR_POLICY, "params[%zu]: needs an id", i);
    if (set < 2)
        return why_set(why, ERR_POLICY, "params[%zu]: sets nothing of %.64s", i, id);
    return ERR_OK;
}

static enum err check_params(const struct json_object *params, bool draft, struct why *why)
{
    if (!json_object_is_type(params, json_type_array))
        return why_set(why, ERR_POLICY, "params: must be a list");
    size_t n = json_object_array_length(params);
    if (n > POLICY_PARAMS_MAX)
        return why_set(why, ERR_POLICY, "params: more than %d", POLICY_PARAMS_MAX);
    for (size_t i = 0; i < n; i++) {
        const struct json_object *param = json_object_array_get_idx(params, i);
        enum err e = check_param(i, param, draft, why);
        if (e != ERR_OK)
            return e;
        for (size_t j = 0; j < i; j++)
            if (strcmp(jsonx_str(param, "id", ""),
                       jsonx_str(json_object_array_get_idx(params, j), "id", "")) == 0)
                return why_set(why, ERR_POLICY, "params[%zu]: %.64s is given twice", i,
                               jsonx_str(param, "id", ""));
    }
    return ERR_OK;
}

/* ---------------------------------------------------------------------- decisions */

static enum err check_field(const struct action *a, const char *name, struct json_object *value,
                            bool draft, unsigned *seen, struct why *why)
{
    if (strcmp(name, "action") == 0)
        return ERR_OK;
    for (size_t i = 0; i < FIELDS; i++) {
        unsigned bit = 1U << i;
        if (strcmp(name, fields[i].name) != 0)
            continue;
        if (value == NULL)
            return ERR_OK;
        if (!((a->takes | ALWAYS) & bit))
            break;
        *seen |= bit;
        return check_value(name, fields[i].type, value, draft, why);
    }
    return fail_unknown_field(a, name, why);
}

static enum err check(const struct json_object *json, enum object_class c, bool draft,
                      const struct action **ret, struct why *why)
{
    if (!json_object_is_type(json, json_type_object))
        return why_set(why, ERR_POLICY, "a decision must be an object with an action");
    const char *name = jsonx_str(json, "action", NULL);
    if (name == NULL)
        return why_set(why, ERR_POLICY, "a decision needs an action, a text");
    const struct action *a = action_find(name, c);
    if (a == NULL) {
        say_unknown_action(name, c, why);
        return ERR_POLICY;
    }

    unsigned seen = 0;
    struct json_object_iterator end = json_object_iter_end((struct json_object *)json);
    struct json_object_iterator it = json_object_iter_begin((struct json_object *)json);
    for (; !json_object_iter_equal(&it, &end); json_object_iter_next(&it)) {
        enum err e = check_field(a, json_object_iter_peek_name(&it),
                                 json_object_iter_peek_value(&it), draft, &seen, why);
        if (e != ERR_OK)
            return e;
    }
    for (size_t i = 0; i < FIELDS; i++)
        if (a->needs & ~seen & 1U << i)
            return why_set(why, ERR_POLICY, "%s needs %s", a->name, fields[i].name);
    unsigned looks = seen & LOOKS;
    if ((looks & (looks - 1)) != 0)
        return why_set(why, ERR_POLICY, "%s takes one of template, template_id and activation_tile",
                       a->name);
    *ret = a;
    return ERR_OK;
}

enum err decision_check_draft(const struct json_object *json, enum object_class c, struct why *why)
{
    const struct action *a;
    return check(json, c, true, &a, why);
}

enum err decision_parse(struct json_object *json, enum object_class c, struct decision *ret,
                        struct why *why)
{
    const struct action *a;
    int64_t after_s = 0;
    enum err e = check(json, c, false, &a, why);
    if (e == ERR_OK && a->takes & AFTER) {
        const struct json_object *after = jsonx_get(json, "after");
        e = check_span(after, jsonx_str(json, "after", NULL), &after_s, why);
    }
    if (e != ERR_OK)
        return e;
    *ret = (struct decision){.json = json_object_get(json),
                             .action = a->name,
                             .after_s = after_s,
                             .reason = jsonx_str(json, "reason", NULL),
                             .message = jsonx_str(json, "message", NULL),
                             .params = jsonx_array(json, "params")};
    return ERR_OK;
}

enum err decision_allowed(const struct decision *d, enum object_class c, enum side s,
                          const struct json_object *object, struct why *why)
{
    const struct action *a = action_find(d->action, c);
    if (a != NULL && a->object_class == CLASS__COUNT)
        return ERR_OK;
    const char *key = object_class_state_key(c);
    const char *state = key != NULL ? jsonx_str(object, key, "") : "";
    const char *const *verbs = object_class_verbs(c, s, state);
    struct buf list;
    buf_init(&list, WHY_MAX);
    for (size_t i = 0; verbs[i] != NULL; i++) {
        if (strcmp(verbs[i], d->action) == 0) {
            buf_free(&list);
            return ERR_OK;
        }
        if (action_find(verbs[i], c) != NULL)
            add_word(&list, verbs[i]);
    }
    why_set(why, ERR_STATE, "a %s may not %s a %s in state %.40s; allowed: %s%sskip, reschedule",
            side_name(s), d->action, object_class_name(c), state[0] != '\0' ? state : "(none)",
            list.data, list.len > 0 ? ", " : "");
    buf_free(&list);
    return ERR_STATE;
}

void decision_free(struct decision *d)
{
    json_object_put(d->json);
    *d = (struct decision){0};
}

/* ------------------------------------------------------------------------- asking */

/* Add a member that the object now owns; a NULL value is null. Sticky like a buffer. */
static void add(struct json_object *to, const char *key, struct json_object *value, bool *ok)
{
    if (*ok && json_object_object_add(to, key, value) != 0)
        *ok = false;
    if (!*ok)
        json_object_put(value);
}

static void add_text(struct json_object *to, const char *key, const char *text, bool *ok)
{
    struct json_object *value = json_object_new_string(text);
    *ok = *ok && value != NULL;
    add(to, key, value, ok);
}

static void add_int(struct json_object *to, const char *key, int64_t n, bool *ok)
{
    struct json_object *value = json_object_new_int64(n);
    *ok = *ok && value != NULL;
    add(to, key, value, ok);
}

enum err policy_question_json(const struct policy_question *q, int64_t id, struct json_object **ret)
{
    struct json_object *root = json_object_new_object(), *webhook = json_object_new_object();
    bool ok = root != NULL && webhook != NULL;
    add_int(root, "version", POLICY_VERSION, &ok);
    add_int(root, "id", id, &ok);
    add_text(root, "kind", q->kind == POLICY_PROCESS ? "process" : "validate", &ok);
    add_text(root, "object_class", object_class_name(q->object_class), &ok);
    add_text(webhook, "id", q->webhook_id, &ok);
    add_text(webhook, "type", webhook_type_name(q->webhook_type), &ok);
    add(webhook, "data", json_object_get(q->webhook_data), &ok);
    add(root, "webhook", webhook, &ok);
    add(root, "event", json_object_get(q->claims), &ok);
    add(root, "object", json_object_get(q->object), &ok);
    add_int(root, "attempt", q->attempt, &ok);
    if (!ok) {
        json_object_put(root);
        return ERR_NOMEM;
    }
    *ret = root;
    return ERR_OK;
}

enum err policy_skip(const char *reason, struct json_object **ret)
{
    struct json_object *answer = json_object_new_object();
    bool ok = answer != NULL;
    add_text(answer, "action", "skip", &ok);
    add_text(answer, "reason", reason, &ok);
    if (!ok) {
        json_object_put(answer);
        return ERR_NOMEM;
    }
    *ret = answer;
    return ERR_OK;
}

static enum err ask_nobody(struct policy *p, const struct policy_question *q,
                           struct json_object **ret_answer, char ret_rule[128], struct why *why)
{
    (void)p;
    (void)q;
    if (policy_skip("the webhook has no policy", ret_answer) != ERR_OK)
        return why_no_memory(why);
    ret_rule[0] = '\0';
    return ERR_OK;
}

struct policy *policy_none(void)
{
    static const struct policy_ops ops = {.name = "none", .ask = ask_nobody, .free = NULL};
    static struct policy none = {&ops};
    return &none;
}

enum err policy_ask(struct policy *p, const struct policy_question *q, struct decision *ret,
                    struct why *why)
{
    struct json_object *answer = NULL;
    char rule[sizeof ret->rule] = "";
    enum err e = p->ops->ask(p, q, &answer, rule, why);
    if (e != ERR_OK)
        return e;
    e = decision_parse(answer, q->object_class, ret, why);
    json_object_put(answer);
    if (e == ERR_OK)
        memcpy(ret->rule, rule, sizeof rule);
    else if (rule[0] != '\0')
        why_prefix(why, e, "%s", rule);
    return e;
}

void policy_free(struct policy *p)
{
    if (p != NULL && p->ops->free != NULL)
        p->ops->free(p);
}
