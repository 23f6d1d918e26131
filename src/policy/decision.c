/* decision.c - what a policy may answer. */
#include "policy/decision.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clk.h"
#include "base/jsonx.h"

/* ---------------------------------------------------------------- the vocabulary */

/* What a field beside `action` must be. */
enum field_type {
    FIELD_TEXT,
    FIELD_ID,     /* one of Connect's */
    FIELD_TIME,   /* ISO 8601 */
    FIELD_SPAN,   /* seconds, or "5m" */
    FIELD_OBJECT, /* any JSON object */
    FIELD_LIST,
    FIELD_ANY,
    FIELD_PARAMS, /* a list of parameters */
    FIELD_MESSAGE,
};

struct field {
    const char *name;
    enum field_type type;
    bool shown; /* one of those of which a decision has one: what the customer gets to see */
};

/* Which action takes which is in the classes (event/<class>.c). */
static const struct field fields[] = {
    {"template", FIELD_TEXT, true},        {"template_id", FIELD_ID, true},
    {"activation_tile", FIELD_TEXT, true}, {"reason", FIELD_TEXT, false},
    {"effective_date", FIELD_TIME, false}, {"planned_date", FIELD_TIME, false},
    {"note", FIELD_TEXT, false},           {"attributes", FIELD_OBJECT, false},
    {"after", FIELD_SPAN, false},          {"params", FIELD_PARAMS, false},
    {"message", FIELD_MESSAGE, false},     {0},
};

/* What may be said about a parameter. */
#define PARAM_FIELDS                                                                             \
    {"id", FIELD_TEXT, false}, {"value", FIELD_TEXT, false}, {"value_error", FIELD_TEXT, false}, \
        {"structured_value", FIELD_ANY, false}, {"constraints", FIELD_OBJECT, false},            \
    {                                                                                            \
        "structured_error", FIELD_OBJECT, false                                                  \
    }
static const struct field object_param_fields[] = {PARAM_FIELDS, {0}};
static const struct field form_param_fields[] = {
    PARAM_FIELDS, {"value_choices", FIELD_LIST, false}, {0}};

/* What any policy may choose for any object, which leaves it alone. */
static const struct object_verb leaving[] = {
    {.name = "skip", .fields = {{.name = "reason"}}},
    {.name = "reschedule", .fields = {{.name = "reason"}, {.name = "after", .needed = true}}},
    {0},
};
static const struct object_class any_class = {.verbs = leaving};

/* What goes with every action. */
static const struct verb_field always[] = {{.name = "params"}, {.name = "message"}, {0}};

static const struct field *find_field(const struct field *among, const char *name)
{
    while (among->name != NULL && strcmp(among->name, name) != 0)
        among++;
    return among->name != NULL ? among : NULL;
}

static bool takes(const struct verb_field *f, const char *name)
{
    while (f->name != NULL && strcmp(f->name, name) != 0)
        f++;
    return f->name != NULL;
}

/* "approve, fail, inquire": add one more to a list for people. */
static void add_word(struct buf *list, const char *word)
{
    buf_printf(list, list->len > 0 ? ", %s" : "%s", word);
}

static void add_fields(struct buf *list, const struct verb_field *f)
{
    for (; f->name != NULL; f++)
        add_word(list, f->name);
}

static void add_verbs(struct buf *list, const struct object_verb *v)
{
    for (; v->name != NULL; v++)
        add_word(list, v->name);
}

static void say_unknown_action(const char *name, const struct object_class *c, struct why *why)
{
    struct buf list;
    buf_init(&list, WHY_MAX);
    add_verbs(&list, leaving);
    add_verbs(&list, c->verbs);
    why_set(why, ERR_POLICY, "action %.40s is none for a %s; there are: %s", name, c->name,
            list.data);
    buf_free(&list);
}

static enum err fail_unknown_field(const struct object_verb *v, const char *name, struct why *why)
{
    struct buf list;
    buf_init(&list, WHY_MAX);
    add_fields(&list, v->fields);
    add_fields(&list, always);
    why_set(why, ERR_POLICY, "%.40s: %s takes %s", name, v->name, list.data);
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
    if (s < DECISION_AFTER_MIN || s > DECISION_AFTER_MAX)
        return why_set(why, ERR_POLICY, "after: must be from %d s to %d days", DECISION_AFTER_MIN,
                       DECISION_AFTER_MAX / 86400);
    *ret_s = s;
    return ERR_OK;
}

static enum err check_params(const struct json_object *params, const struct field *among,
                             bool draft, struct why *why);

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
    case FIELD_LIST:
        return json_object_is_type(value, json_type_array)
                   ? ERR_OK
                   : why_set(why, ERR_POLICY, "%s: must be a list", path);
    case FIELD_PARAMS:
        return check_params(value, object_param_fields, draft, why);
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
    if (type == FIELD_MESSAGE && (text[0] == '\0' || strlen(text) > DECISION_MESSAGE_MAX))
        return why_set(why, ERR_POLICY, "%s: must have from 1 to %d bytes", path,
                       DECISION_MESSAGE_MAX);
    return ERR_OK;
}

/* -------------------------------------------------------------------- parameters */

static enum err check_param_field(size_t i, const char *name, struct json_object *value,
                                  const struct field *among, bool draft, struct why *why)
{
    char path[64];
    snprintf(path, sizeof path, "params[%zu].%.40s", i, name);
    const struct field *field = find_field(among, name);
    if (field != NULL)
        return value == NULL ? ERR_OK : check_value(path, field->type, value, draft, why);
    struct buf list;
    buf_init(&list, WHY_MAX);
    for (; among->name != NULL; among++)
        add_word(&list, among->name);
    why_set(why, ERR_POLICY, "%s: a parameter takes %s", path, list.data);
    buf_free(&list);
    return ERR_POLICY;
}

static enum err check_param(size_t i, const struct json_object *param, const struct field *among,
                            bool draft, struct why *why)
{
    size_t set = 0;
    if (!json_object_is_type(param, json_type_object))
        return why_set(why, ERR_POLICY, "params[%zu]: must be an object", i);
    struct json_object_iterator end = json_object_iter_end((struct json_object *)param);
    struct json_object_iterator it = json_object_iter_begin((struct json_object *)param);
    for (; !json_object_iter_equal(&it, &end); json_object_iter_next(&it)) {
        struct json_object *value = json_object_iter_peek_value(&it);
        enum err e = check_param_field(i, json_object_iter_peek_name(&it), value, among, draft,
                                       why);
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

static enum err check_params(const struct json_object *params, const struct field *among,
                             bool draft, struct why *why)
{
    if (!json_object_is_type(params, json_type_array))
        return why_set(why, ERR_POLICY, "params: must be a list");
    size_t n = json_object_array_length(params);
    if (n > DECISION_PARAMS_MAX)
        return why_set(why, ERR_POLICY, "params: more than %d", DECISION_PARAMS_MAX);
    for (size_t i = 0; i < n; i++) {
        const struct json_object *param = json_object_array_get_idx(params, i);
        enum err e = check_param(i, param, among, draft, why);
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

/* The fields of an answer, one after the other. */
struct reading {
    const struct object_verb *verb;
    bool draft;
    int shown; /* how many say what the customer sees */
};

static enum err check_field(struct reading *r, const char *name, struct json_object *value,
                            struct why *why)
{
    const struct field *field = find_field(fields, name);
    if (strcmp(name, "action") == 0 || (field != NULL && value == NULL))
        return ERR_OK;
    if (field == NULL || (!takes(r->verb->fields, name) && !takes(always, name)))
        return fail_unknown_field(r->verb, name, why);
    r->shown += field->shown;
    return check_value(name, field->type, value, r->draft, why);
}

static const struct object_verb *find_action(const struct json_object *json,
                                             const struct object_class *c, struct why *why)
{
    const char *name = jsonx_str(json, "action", NULL);
    if (!json_object_is_type(json, json_type_object))
        why_set(why, ERR_POLICY, "a decision must be an object with an action");
    else if (name == NULL)
        why_set(why, ERR_POLICY, "a decision needs an action, a text");
    if (name == NULL)
        return NULL;
    const struct object_verb *v = object_verb_find(&any_class, name);
    if (v == NULL)
        v = object_verb_find(c, name);
    if (v == NULL)
        say_unknown_action(name, c, why);
    return v;
}

static enum err check_fields(const struct json_object *json, const struct object_verb *v,
                             bool draft, struct why *why)
{
    struct reading r = {.verb = v, .draft = draft};
    struct json_object_iterator end = json_object_iter_end((struct json_object *)json);
    struct json_object_iterator it = json_object_iter_begin((struct json_object *)json);
    for (; !json_object_iter_equal(&it, &end); json_object_iter_next(&it)) {
        enum err e = check_field(&r, json_object_iter_peek_name(&it),
                                 json_object_iter_peek_value(&it), why);
        if (e != ERR_OK)
            return e;
    }
    for (const struct verb_field *f = v->fields; f->name != NULL; f++)
        if (f->needed && jsonx_get(json, f->name) == NULL)
            return why_set(why, ERR_POLICY, "%s needs %s", v->name, f->name);
    if (r.shown > 1)
        return why_set(why, ERR_POLICY, "%s takes one of template, template_id and activation_tile",
                       v->name);
    return ERR_OK;
}

enum err decision_check_draft(const struct json_object *json, const struct object_class *c,
                              struct why *why)
{
    const struct object_verb *v = find_action(json, c, why);
    return v != NULL ? check_fields(json, v, true, why) : ERR_POLICY;
}

enum err decision_check_form(const struct json_object *params, struct why *why)
{
    return check_params(params, form_param_fields, false, why);
}

enum err decision_check_form_draft(size_t i, const struct json_object *param, struct why *why)
{
    return check_param(i, param, form_param_fields, true, why);
}

enum err decision_parse(struct json_object *json, const struct object_class *c,
                        struct decision *ret, struct why *why)
{
    const struct object_verb *v = find_action(json, c, why);
    int64_t after_s = 0;
    enum err e = v != NULL ? check_fields(json, v, false, why) : ERR_POLICY;
    const struct json_object *after = jsonx_get(json, "after");
    if (e == ERR_OK && after != NULL)
        e = check_span(after, jsonx_str(json, "after", NULL), &after_s, why);
    if (e != ERR_OK)
        return e;
    *ret = (struct decision){.json = json_object_get(json),
                             .action = v->name,
                             .verb = object_verb_find(c, v->name),
                             .after_s = after_s,
                             .reason = jsonx_str(json, "reason", NULL),
                             .message = jsonx_str(json, "message", NULL),
                             .params = jsonx_array(json, "params")};
    return ERR_OK;
}

enum err decision_allowed(const struct decision *d, const struct object_class *c, enum side s,
                          const struct json_object *object, struct why *why)
{
    const char *state = object_state(c, object);
    if (d->verb == NULL || object_verb_allowed(d->verb, s, state))
        return ERR_OK;
    struct buf list;
    buf_init(&list, WHY_MAX);
    for (const struct object_verb *v = c->verbs; v->name != NULL; v++)
        if (object_verb_allowed(v, s, state))
            add_word(&list, v->name);
    add_verbs(&list, leaving);
    why_set(why, ERR_STATE, "a %s may not %s a %s in state %.40s; allowed: %s", side_name(s),
            d->action, c->name, state[0] != '\0' ? state : "(none)", list.data);
    buf_free(&list);
    return ERR_STATE;
}

void decision_free(struct decision *d)
{
    json_object_put(d->json);
    *d = (struct decision){0};
}
