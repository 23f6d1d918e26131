/* kind.c - serves the kinds: routes, states, verbs, and what their objects have in common. */
#include "sim/kind.h"

#include <stdio.h>
#include <string.h>

#include "base/jsonx.h"
#include "base/utf8.h"
#include "sim/rooms.h"

/* Ends with a NULL. */
static const struct sim_kind *const kinds[] = {
    &sim_kind_requests,
    &sim_kind_tier_config_requests,
    &sim_kind_tier_configs,
    &sim_kind_tier_accounts,
    &sim_kind_tier_account_requests,
    &sim_kind_listing_requests,
    &sim_kind_billing_requests,
    &sim_kind_usage_files,
    &sim_kind_assets,
    &sim_kind_billed_assets,
    &sim_kind_accounts,
    NULL,
};

bool sim_has_word(const char *words, const char *word)
{
    size_t len = strlen(word);
    const char *at = len > 0 ? strstr(words, word) : NULL;
    while (at != NULL && !((at == words || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0')))
        at = strstr(at + 1, word);
    return at != NULL;
}

/* -------------------------------------------------------------------------- states */

const char *sim_state(const struct sim_kind *k, const struct json_object *object)
{
    return k->state != NULL ? jsonx_str(object, k->state, "") : "";
}

bool sim_is_over(const struct sim_kind *k, const struct json_object *object)
{
    return k->last != NULL && sim_has_word(k->last, sim_state(k, object));
}

void sim_move(struct sim_call *c, const struct sim_kind *k, struct json_object *object,
              const char *to, const char *event)
{
    char path[64];
    jsonx_add_text(object, k->state, to);
    if (event != NULL) {
        snprintf(path, sizeof path, "events.%s.at", event);
        jsonx_add_at(object, path, sim_now());
    }
    jsonx_add_at(object, k->touched, sim_now());
    sim_changed(c, k->store, object);
}

/* --------------------------------------------------------------------------- verbs */

/* Cut by Connect's own rule: in characters. */
static bool fits(struct sim_call *c, const struct sim_verb *v)
{
    for (size_t i = 0; i < KIND_TEXTS_MAX && v->keeps[i].name != NULL; i++) {
        const char *text = jsonx_str(c->body, v->keeps[i].name, "");
        if (v->keeps[i].max > 0 && text[utf8_prefix(text, v->keeps[i].max)] != '\0')
            return !sim_error(c, 400, "VAL_001",
                              "%s: Ensure this field has no more than %zu characters.",
                              v->keeps[i].name, v->keeps[i].max);
    }
    return true;
}

static bool has_needed(struct sim_call *c, const struct sim_verb *v)
{
    bool has = v->needs[0] == NULL;
    for (size_t i = 0; i < 2 && v->needs[i] != NULL; i++)
        has = has || *jsonx_str_at(c->body, v->needs[i], "") != '\0';
    return has || !sim_error(c, 400, "VAL_001", "%s: This field is required.", v->needs[0]);
}

static bool is_allowed(struct sim_call *c, const struct sim_kind *k, struct json_object *object,
                       const struct sim_verb *v)
{
    char code[16];
    const char *state = sim_state(k, object);
    bool allowed = v->from != NULL ? sim_has_word(v->from, state) : !sim_is_over(k, object);
    snprintf(code, sizeof code, "%s_003", k->code);
    if (!allowed)
        return !sim_error(c, 400, code, "%s: what is %.40s has no %s.", k->state, state, v->name);
    return has_needed(c, v) && fits(c, v) && (k->check == NULL || k->check(c, object, v));
}

static bool answer_verb(struct sim_call *c, struct json_object *object, const struct sim_verb *v)
{
    if (v->answer == ANSWER_OBJECT)
        return sim_ok(c, 200, json_object_get(object));
    if (v->answer != ANSWER_TEMPLATE)
        return sim_ok(c, v->answer == ANSWER_EMPTY ? 200 : 204, NULL);
    struct json_object *answer = json_object_new_object();
    json_object_object_add(answer, "template", json_object_get(jsonx_get(object, "template")));
    json_object_object_add(answer, "effective_date",
                           json_object_get(jsonx_get(object, "effective_date")));
    return sim_ok(c, 200, answer);
}

static bool act(struct sim_call *c, const struct sim_kind *k, struct json_object *object,
                const struct sim_verb *v)
{
    if (!is_allowed(c, k, object, v))
        return true;
    for (size_t i = 0; i < KIND_TEXTS_MAX && v->keeps[i].name != NULL; i++)
        if (jsonx_get(c->body, v->keeps[i].name) != NULL)
            json_object_object_add(object, v->keeps[i].name,
                                   jsonx_copy(jsonx_get(c->body, v->keeps[i].name)));
    sim_move(c, k, object, v->to != NULL ? v->to : sim_state(k, object), v->event);
    if (k->effect != NULL)
        k->effect(c, object, v);
    return answer_verb(c, object, v);
}

/* -------------------------------------------------------------------------- routes */

bool sim_kind_not_found(struct sim_call *c, const struct sim_kind *k)
{
    char code[16];
    snprintf(code, sizeof code, "%s_404", k->code);
    return sim_error(c, 404, code, "Not found.");
}

static bool serve_collection(struct sim_call *c, const struct sim_kind *k)
{
    if (strcmp(c->method, "GET") == 0)
        return sim_list(c, k->store, NULL);
    if (strcmp(c->method, "POST") == 0 && k->create != NULL)
        return k->create(c);
    return sim_no_method(c);
}

static bool serve_object(struct sim_call *c, const struct sim_kind *k, struct json_object *object)
{
    if (strcmp(c->method, "GET") == 0)
        return sim_ok(c, 200, json_object_get(object));
    if (strcmp(c->method, "PUT") != 0 || k->put == NULL)
        return sim_no_method(c);
    if (!json_object_is_type(c->body, json_type_object))
        return sim_error(c, 400, "VAL_001", "An object is needed.");
    return k->put(c, object);
}

static bool serve_below(struct sim_call *c, const struct sim_kind *k, struct json_object *object,
                        const char *const *parts)
{
    if (k->below != NULL && k->below(c, object))
        return true;
    bool is_verb = parts[1] == NULL && strcmp(c->method, "POST") == 0 && k->verbs != NULL;
    for (const struct sim_verb *v = k->verbs; is_verb && v->name != NULL; v++)
        if (strcmp(parts[0], v->name) == 0)
            return act(c, k, object, v);
    return sim_error(c, 404, "SYS_404", "Not found.");
}

/* How many parts of the path are the kind's own; 0 if it is another's. */
static size_t own_parts(const char *const *parts, const struct sim_kind *k)
{
    size_t n = 0;
    for (; n < 2 && k->path[n] != NULL; n++)
        if (parts[n] == NULL || strcmp(parts[n], k->path[n]) != 0)
            return 0;
    return n;
}

static bool serve(struct sim_call *c, const struct sim_kind *k, const char *const *parts)
{
    if (parts[0] == NULL)
        return serve_collection(c, k);
    struct json_object *object = store_find(c->sim->store, k->store, parts[0]);
    if (object == NULL)
        return sim_kind_not_found(c, k);
    return parts[1] == NULL ? serve_object(c, k, object) : serve_below(c, k, object, parts + 1);
}

const struct sim_kind *sim_kind_at(const char *const *parts, size_t *ret_own)
{
    const struct sim_kind *const *k = kinds;
    while (*k != NULL && (*ret_own = own_parts(parts, *k)) == 0)
        k++;
    return *k;
}

bool sim_kinds(struct sim_call *c)
{
    size_t own = 0;
    const struct sim_kind *k = sim_kind_at(c->parts, &own);
    return k != NULL && serve(c, k, c->parts + own);
}

/* ------------------------------------------------------------------ parameters, items */

const char *const sim_brief[] = {"id", "name", NULL};

struct json_object *sim_members(const struct json_object *object, const char *const *names)
{
    struct json_object *some = json_object_new_object();
    for (; some != NULL && *names != NULL; names++)
        jsonx_share(some, *names, jsonx_get(object, *names));
    return some;
}

bool sim_all_known(struct sim_call *c, const char *what, struct json_object *given,
                   struct json_object *known)
{
    for (size_t i = 0; given != NULL && i < json_object_array_length(given); i++) {
        const char *id = jsonx_str(json_object_array_get_idx(given, i), "id", "");
        if (jsonx_element(known, id) == NULL)
            return !sim_error(c, 400, "VAL_001", "%s: %.60s: there is none.", what, id);
    }
    return true;
}

/* These members of each parameter in `from` to the one in `to` that has its id. */
static void copy_members(struct json_object *from, struct json_object *to, const char *const *names)
{
    for (size_t i = 0; from != NULL && i < json_object_array_length(from); i++) {
        struct json_object *given = json_object_array_get_idx(from, i);
        struct json_object *param = jsonx_element(to, jsonx_str(given, "id", ""));
        for (const char *const *name = names; param != NULL && *name != NULL; name++)
            if (jsonx_get(given, *name) != NULL)
                json_object_object_add(param, *name, jsonx_copy(jsonx_get(given, *name)));
    }
}

bool sim_write_params(struct sim_call *c, const char *what, struct json_object *given,
                      struct json_object *params)
{
    static const char *const writable[] = {"value", "structured_value", "value_error",
                                           "structured_error", NULL};
    if (!sim_all_known(c, what, given, params))
        return false;
    copy_members(given, params, writable);
    return true;
}

void sim_take_params(struct json_object *said, struct json_object *params)
{
    static const char *const taken[] = {
        "value",       "structured_value", "value_error", "structured_error",
        "constraints", "value_choices",    NULL};
    copy_members(said, params, taken);
}

const char *sim_missing_param(const struct json_object *params, const char *phase)
{
    for (size_t i = 0; params != NULL && i < json_object_array_length(params); i++) {
        struct json_object *p = json_object_array_get_idx(params, i);
        if (strcmp(jsonx_str(p, "phase", ""), phase) == 0 &&
            jsonx_bool(jsonx_get(p, "constraints"), "required", false) &&
            *jsonx_str(p, "value", "") == '\0')
            return jsonx_str(p, "id", "?");
    }
    return NULL;
}

bool sim_may_approve(struct sim_call *c, const struct sim_verb *v, const char *what,
                     const struct json_object *params)
{
    const char *missing = strcmp(v->name, "approve") == 0 ? sim_missing_param(params, "fulfillment")
                                                          : NULL;
    return missing == NULL ||
           !sim_error(c, 400, "VAL_001", "%s: %.80s: a value is required.", what, missing);
}

void sim_name_after(const struct sim_call *c, enum store_name n, const char *prefix,
                    const char *owner_id, char ret_id[80])
{
    const char *dash = strchr(owner_id, '-'), *stem = dash != NULL ? dash + 1 : owner_id;
    int i = 0;
    do
        snprintf(ret_id, 80, "%.8s-%.56s-%03d", prefix, stem, ++i);
    while (store_find(c->sim->store, n, ret_id) != NULL);
}
