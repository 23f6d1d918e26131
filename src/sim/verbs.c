/* verbs.c - what is done with a fulfillment request: its state machine, and what that does to the
 * asset. */
#include <string.h>

#include "sim/rooms.h"

/* A verb: from where it leads where, and what it needs. */
struct verb {
    const char *name;
    const char *from;     /* NULL: any state but the last ones */
    const char *to;       /* NULL: the status stays */
    const char *needs[2]; /* one of these members of the body */
};

static const struct verb verbs[] = {
    {"approve", "pending", "approved", {"template_id", "activation_tile"}},
    {"fail", "pending", "failed", {"reason"}},
    {"inquire", "pending", "inquiring", {0}},
    {"pend", "inquiring", "pending", {0}},
    {"schedule", "pending", "scheduled", {"planned_date"}},
    {"revoke", "scheduled", "revoking", {"reason"}},
    {"confirm", "revoking", "revoked", {0}},
    {"purchase", "draft", "pending", {0}},
    {"submit", "draft", "pending", {0}},
    {"assign", NULL, NULL, {"id", "email"}},
    {"unassign", NULL, NULL, {0}},
};

/*
 * A type of request: what the asset must be for it, and what it becomes while the request is
 * pending, when it is approved, and when it is failed or revoked.
 */
static const struct {
    const char *type, *on, *pending, *approved, *failed;
} effects[] = {
    {"purchase", "", "processing", "active", "terminated"},
    {"change", "active", "active", "active", "active"},
    {"adjustment", "active", "active", "active", "active"},
    {"cancel", "active suspended", "terminating", "terminated", "active"},
    {"suspend", "active", "active", "suspended", "active"},
    {"resume", "suspended", "suspended", "active", "suspended"},
    {"renew", "active", "active", "active", "active"},
    {"transfer", "active", "processing", "active", "terminated"},
};

const char *sim_while_pending(const char *type, const char **ret_on)
{
    for (size_t i = 0; i < sizeof effects / sizeof effects[0]; i++)
        if (strcmp(effects[i].type, type) == 0) {
            *ret_on = effects[i].on;
            return effects[i].pending;
        }
    return NULL;
}

bool sim_is_over(const struct json_object *request)
{
    const char *status = jsonx_str(request, "status", "");
    return strcmp(status, "approved") == 0 || strcmp(status, "failed") == 0 ||
           strcmp(status, "revoked") == 0;
}

/* The asset follows its request. */
static void move_asset(struct json_object *request, const char *status)
{
    struct json_object *asset = jsonx_object(request, "asset");
    for (size_t i = 0; asset != NULL && i < sizeof effects / sizeof effects[0]; i++) {
        if (strcmp(effects[i].type, jsonx_str(request, "type", "")) != 0)
            continue;
        if (strcmp(status, "approved") == 0)
            jsonx_add_text(asset, "status", effects[i].approved);
        else if (sim_is_over(request))
            jsonx_add_text(asset, "status", effects[i].failed);
        else
            jsonx_add_text(asset, "status", effects[i].pending);
    }
}

/* The id of a fulfillment parameter that is required and empty; NULL if there is none. */
static const char *missing_param(const struct json_object *request)
{
    struct json_object *params = jsonx_array(jsonx_get(request, "asset"), "params");
    for (size_t i = 0; params != NULL && i < json_object_array_length(params); i++) {
        struct json_object *p = json_object_array_get_idx(params, i);
        if (strcmp(jsonx_str(p, "phase", ""), "fulfillment") == 0 &&
            jsonx_bool(jsonx_get(p, "constraints"), "required", false) &&
            *jsonx_str(p, "value", "") == '\0')
            return jsonx_str(p, "id", "?");
    }
    return NULL;
}

/* {"id":...} or {"email":...}; "" is nobody. */
static void assign(struct json_object *request, const struct json_object *body)
{
    const char *key = *jsonx_str(body, "id", "") != '\0' ? "id" : "email";
    struct json_object *assignee = json_object_new_object();
    jsonx_add_text(assignee, key, jsonx_str(body, key, ""));
    json_object_object_add(request, "assignee", assignee);
}

/* What the customer was shown last is the request's template. */
static void show(const struct store *s, struct json_object *request, const char *template_id)
{
    const struct json_object *known = store_find(s, STORE_TEMPLATES, template_id);
    struct json_object *t = json_object_new_object();
    jsonx_add_text(t, "id", template_id);
    if (known != NULL)
        jsonx_add_text(t, "name", jsonx_str(known, "name", ""));
    json_object_object_add(request, "template", t);
}

/* What a verb leaves behind. */
static void keep(const struct store *s, struct json_object *request, const struct verb *v,
                 const struct json_object *body)
{
    if (jsonx_str(body, "template_id", NULL) != NULL)
        show(s, request, jsonx_str(body, "template_id", ""));
    static const char *const kept[] = {"reason", "planned_date", "effective_date"};
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
        if (jsonx_get(body, kept[i]) != NULL)
            json_object_object_add(request, kept[i], jsonx_copy(jsonx_get(body, kept[i])));
    if (jsonx_str(body, "activation_tile", NULL) != NULL)
        jsonx_add_text(request, "activation_key", jsonx_str(body, "activation_tile", ""));
    if (strcmp(v->name, "assign") == 0)
        assign(request, body);
    if (strcmp(v->name, "unassign") == 0)
        jsonx_add_text(request, "assignee", "");
}

static bool act(struct sim_call *c, struct json_object *request, const struct verb *v)
{
    const char *status = jsonx_str(request, "status", "");
    bool allowed = v->from != NULL ? strcmp(v->from, status) == 0 : !sim_is_over(request);
    if (!allowed)
        return sim_error(c, 400, "REQ_003", "status: a request that is %.40s has no %s.", status,
                         v->name);
    bool has = v->needs[0] == NULL;
    for (size_t i = 0; i < 2 && v->needs[i] != NULL; i++)
        has = has || *jsonx_str(c->body, v->needs[i], "") != '\0';
    if (!has)
        return sim_error(c, 400, "VAL_001", "%s: This field is required.", v->needs[0]);
    const char *missing = strcmp(v->name, "approve") == 0 ? missing_param(request) : NULL;
    if (missing != NULL)
        return sim_error(c, 400, "VAL_001", "asset.params: %.80s: a value is required.", missing);
    if (v->to != NULL) {
        jsonx_add_text(request, "status", v->to);
        if (sim_is_over(request) || strcmp(v->from, "draft") == 0)
            move_asset(request, v->to);
    }
    keep(c->sim->store, request, v, c->body);
    jsonx_add(request, "updated", sim_now());
    sim_changed(c, STORE_REQUESTS, request);
    return sim_ok(c, 200, json_object_get(request));
}

bool sim_verb(struct sim_call *c, struct json_object *request)
{
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(c->parts[2], verbs[i].name) == 0)
            return act(c, request, &verbs[i]);
    return sim_error(c, 404, "SYS_404", "Not found.");
}
