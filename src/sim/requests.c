/* requests.c - fulfillment requests: their list, their state machine, and what it does to assets.
 */
#include <stdio.h>
#include <string.h>

#include "base/jsonx.h"
#include "sim/sim.h"

/* A verb: from where it leads where, and what it needs. */
struct verb {
    const char *name;
    const char *from[3];
    const char *to;       /* NULL: the status stays */
    const char *needs[2]; /* one of these members of the body */
    bool final;           /* the asset follows */
};

static const struct verb verbs[] = {
    {"approve", {"pending"}, "approved", {"template_id", "activation_tile"}, true},
    {"fail", {"pending"}, "failed", {"reason"}, true},
    {"inquire", {"pending"}, "inquiring", {0}, false},
    {"pend", {"inquiring"}, "pending", {0}, false},
    {"schedule", {"pending"}, "scheduled", {"planned_date"}, false},
    {"revoke", {"scheduled"}, "revoking", {"reason"}, false},
    {"confirm", {"revoking"}, "revoked", {0}, false},
    {"purchase", {"draft"}, "pending", {0}, false},
    {"submit", {"draft"}, "pending", {0}, false},
};

/* What becomes of the asset: while pending, when approved, when failed. */
static const struct {
    const char *type, *pending, *approved, *failed;
} effects[] = {
    {"purchase", "processing", "active", "terminated"},
    {"change", "active", "active", "active"},
    {"adjustment", "active", "active", "active"},
    {"cancel", "terminating", "terminated", "active"},
    {"suspend", "active", "suspended", "active"},
    {"resume", "suspended", "active", "suspended"},
    {"renew", "active", "active", "active"},
    {"transfer", "processing", "active", "terminated"},
};

static void set(struct json_object *o, const char *key, const char *value)
{
    json_object_object_add(o, key, json_object_new_string(value));
}

static void touch(struct json_object *request)
{
    json_object_object_add(request, "updated", sim_now());
}

static bool is_one_of(const char *word, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count && words[i] != NULL; i++)
        if (strcmp(word, words[i]) == 0)
            return true;
    return false;
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

static void move_asset(struct json_object *request, bool approved)
{
    for (size_t i = 0; i < sizeof effects / sizeof effects[0]; i++)
        if (strcmp(effects[i].type, jsonx_str(request, "type", "")) == 0)
            set(jsonx_get(request, "asset"), "status",
                approved ? effects[i].approved : effects[i].failed);
}

static void remember(struct json_object *request, const struct verb *v, struct json_object *body)
{
    const char *template_id = jsonx_str(body, "template_id", NULL);
    if (template_id != NULL && strcmp(v->name, "approve") == 0) {
        struct json_object *t = json_object_new_object();
        set(t, "id", template_id);
        json_object_object_add(request, "template", t);
    }
    static const char *const kept[] = {"reason", "planned_date", "effective_date"};
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
        if (jsonx_get(body, kept[i]) != NULL)
            json_object_object_add(request, kept[i], json_object_get(jsonx_get(body, kept[i])));
    if (jsonx_str(body, "activation_tile", NULL) != NULL)
        set(request, "activation_key", jsonx_str(body, "activation_tile", ""));
}

static bool act(struct sim_call *c, struct json_object *request, const struct verb *v)
{
    const char *status = jsonx_str(request, "status", "");
    if (!is_one_of(status, v->from, 3))
        return sim_error(c, 400, "REQ_003", "status: a request that is %s has no %s.", status,
                         v->name);
    bool has = v->needs[0] == NULL;
    for (size_t i = 0; i < 2 && v->needs[i] != NULL; i++)
        has = has || *jsonx_str(c->body, v->needs[i], "") != '\0';
    if (!has)
        return sim_error(c, 400, "VAL_001", "%s: This field is required.", v->needs[0]);
    const char *missing = strcmp(v->name, "approve") == 0 ? missing_param(request) : NULL;
    if (missing != NULL)
        return sim_error(c, 400, "VAL_001", "asset.params: %s: a value is required.", missing);
    set(request, "status", v->to);
    if (v->final)
        move_asset(request, strcmp(v->to, "approved") == 0);
    remember(request, v, c->body);
    touch(request);
    c->effect = true;
    return sim_ok(c, 200, json_object_get(request));
}

static struct json_object *param_of(struct json_object *request, const char *id)
{
    struct json_object *params = jsonx_array(jsonx_get(request, "asset"), "params");
    for (size_t i = 0; params != NULL && i < json_object_array_length(params); i++) {
        struct json_object *p = json_object_array_get_idx(params, i);
        if (strcmp(jsonx_str(p, "id", ""), id) == 0)
            return p;
    }
    return NULL;
}

static bool put(struct sim_call *c, struct json_object *request)
{
    static const char *const writable[] = {"value", "structured_value", "value_error",
                                           "structured_error"};
    struct json_object *params = jsonx_array(jsonx_get(c->body, "asset"), "params");
    size_t count = params != NULL ? json_object_array_length(params) : 0;
    for (size_t i = 0; i < count; i++) {
        const char *id = jsonx_str(json_object_array_get_idx(params, i), "id", "");
        if (param_of(request, id) == NULL)
            return sim_error(c, 400, "VAL_001", "asset.params: %.60s: no such parameter.", id);
    }
    for (size_t i = 0; i < count; i++) {
        struct json_object *from = json_object_array_get_idx(params, i);
        struct json_object *to = param_of(request, jsonx_str(from, "id", ""));
        for (size_t k = 0; k < sizeof writable / sizeof writable[0]; k++)
            if (jsonx_get(from, writable[k]) != NULL)
                json_object_object_add(to, writable[k], jsonx_copy(jsonx_get(from, writable[k])));
    }
    if (jsonx_str(c->body, "note", NULL) != NULL)
        set(request, "note", jsonx_str(c->body, "note", ""));
    touch(request);
    c->effect = true;
    return sim_ok(c, 200, json_object_get(request));
}

/* A request of the asset that has not come to its end. */
static struct json_object *open_request(struct sim *s, const char *asset_id)
{
    static const char *const over[] = {"approved", "failed", "revoked"};
    struct json_object *all = sim_collection(s, "requests");
    for (size_t i = 0; i < json_object_array_length(all); i++) {
        struct json_object *r = json_object_array_get_idx(all, i);
        if (strcmp(jsonx_str(jsonx_get(r, "asset"), "id", ""), asset_id) == 0 &&
            !is_one_of(jsonx_str(r, "status", ""), over, 3))
            return r;
    }
    return NULL;
}

static struct json_object *latest_asset(struct sim *s, const char *asset_id)
{
    struct json_object *all = sim_collection(s, "requests"), *asset = NULL;
    for (size_t i = 0; i < json_object_array_length(all); i++) {
        struct json_object *a = jsonx_get(json_object_array_get_idx(all, i), "asset");
        if (strcmp(jsonx_str(a, "id", ""), asset_id) == 0)
            asset = a;
    }
    return asset;
}

static bool conflict(struct sim_call *c, const struct json_object *open)
{
    sim_error(c, 409, "REQ_001", "asset: there is an open request already.");
    struct json_object *params = json_object_new_object();
    set(params, "request_id", jsonx_str(open, "id", ""));
    set(params, "request_status", jsonx_str(open, "status", ""));
    set(params, "asset_id", jsonx_str(jsonx_get(open, "asset"), "id", ""));
    set(params, "asset_status", jsonx_str(jsonx_get(open, "asset"), "status", ""));
    json_object_object_add(c->answer, "params", params);
    return true;
}

static bool create(struct sim_call *c)
{
    const char *type = jsonx_str(c->body, "type", "");
    struct json_object *given = jsonx_object(c->body, "asset"), *asset = NULL;
    const char *pending = NULL;
    for (size_t i = 0; i < sizeof effects / sizeof effects[0]; i++)
        if (strcmp(effects[i].type, type) == 0)
            pending = effects[i].pending;
    if (pending == NULL)
        return sim_error(c, 400, "VAL_001", "type: \"%.40s\" is not a valid choice.", type);
    if (given == NULL)
        return sim_error(c, 400, "VAL_001", "asset: This field is required.");
    const char *asset_id = jsonx_str(given, "id", NULL);
    if (strcmp(type, "purchase") == 0) {
        if (jsonx_at(given, "product", "id", NULL) == NULL)
            return sim_error(c, 400, "VAL_001", "asset.product.id: This field is required.");
        struct json_object *items = jsonx_array(given, "items");
        if (items == NULL || json_object_array_length(items) == 0)
            return sim_error(c, 400, "VAL_001", "asset.items: This list may not be empty.");
        asset = jsonx_copy(given);
        char id[40];
        sim_new_id(c->sim, "AS", id);
        id[strlen(id) - 4] = '\0';
        set(asset, "id", id);
    } else {
        struct json_object *known = asset_id != NULL ? latest_asset(c->sim, asset_id) : NULL;
        if (known == NULL)
            return sim_error(c, 400, "VAL_001", "asset.id: no such asset.");
        struct json_object *open = open_request(c->sim, asset_id);
        if (open != NULL)
            return conflict(c, open);
        asset = jsonx_copy(known);
    }
    set(asset, "status", pending);
    struct json_object *request = json_object_new_object();
    char id[40];
    sim_new_id(c->sim, "PR", id);
    set(request, "id", id);
    set(request, "type", type);
    set(request, "status",
        strcmp(jsonx_str(c->body, "status", ""), "draft") == 0 ? "draft" : "pending");
    set(request, "assignee", "");
    json_object_object_add(request, "created", sim_now());
    touch(request);
    json_object_object_add(request, "asset", asset);
    json_object_array_add(sim_collection(c->sim, "requests"), request);
    c->effect = true;
    return sim_ok(c, 201, json_object_get(request));
}

bool sim_requests(struct sim_call *c)
{
    if (c->parts[0] == NULL || strcmp(c->parts[0], "requests") != 0)
        return false;
    if (sim_is(c, "GET", 1))
        return sim_list(c, sim_collection(c->sim, "requests"));
    if (sim_is(c, "POST", 1))
        return create(c);
    if (c->parts[1] == NULL)
        return sim_error(c, 405, "SYS_405", "Method not allowed.");
    struct json_object *request = sim_find(c->sim, "requests", c->parts[1]);
    if (request == NULL)
        return sim_error(c, 404, "REQ_404", "Not found.");
    if (sim_is(c, "GET", 2))
        return sim_ok(c, 200, json_object_get(request));
    if (sim_is(c, "PUT", 2))
        return put(c, request);
    for (size_t i = 0; sim_is(c, "POST", 3) && i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(c->parts[2], verbs[i].name) == 0)
            return act(c, request, &verbs[i]);
    return sim_error(c, 404, "SYS_404", "Not found.");
}
