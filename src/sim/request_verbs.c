/* request_verbs.c - what is done with a fulfillment request: its states, and what that does to the
 * asset. */
#include "sim/requests.h"

#include <string.h>

#include "base/jsonx.h"

static const struct sim_verb verbs[] = {
    {.name = "approve",
     .from = "pending",
     .to = "approved",
     .needs = {"template_id", "activation_tile"},
     .keeps = {{"effective_date", 0}}},
    {.name = "fail",
     .from = "pending",
     .to = "failed",
     .needs = {"reason"},
     .keeps = {{"reason", 0}}},
    {.name = "inquire", .from = "pending", .to = "inquiring"},
    {.name = "pend", .from = "inquiring", .to = "pending"},
    {.name = "schedule",
     .from = "pending",
     .to = "scheduled",
     .needs = {"planned_date"},
     .keeps = {{"planned_date", 0}}},
    {.name = "revoke",
     .from = "scheduled",
     .to = "revoking",
     .needs = {"reason"},
     .keeps = {{"reason", 0}}},
    {.name = "confirm", .from = "revoking", .to = "revoked"},
    {.name = "purchase", .from = "draft", .to = "pending"},
    {.name = "submit", .from = "draft", .to = "pending"},
    {.name = "assign", .needs = {"id", "email"}},
    {.name = "unassign"},
    {0},
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

/* The asset follows its request. */
static void move_asset(struct json_object *request, const char *status)
{
    struct json_object *asset = jsonx_object(request, "asset");
    for (size_t i = 0; asset != NULL && i < sizeof effects / sizeof effects[0]; i++) {
        if (strcmp(effects[i].type, jsonx_str(request, "type", "")) != 0)
            continue;
        if (strcmp(status, "approved") == 0)
            jsonx_add_text(asset, "status", effects[i].approved);
        else if (sim_is_over(&sim_kind_requests, request))
            jsonx_add_text(asset, "status", effects[i].failed);
        else
            jsonx_add_text(asset, "status", effects[i].pending);
    }
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

static bool check(struct sim_call *c, struct json_object *request, const struct sim_verb *v)
{
    return sim_may_approve(c, v, "asset.params",
                           jsonx_array(jsonx_get(request, "asset"), "params"));
}

static void effect(struct sim_call *c, struct json_object *request, const struct sim_verb *v)
{
    const struct json_object *body = c->body;
    if (v->to != NULL &&
        (sim_is_over(&sim_kind_requests, request) || strcmp(v->from, "draft") == 0))
        move_asset(request, v->to);
    if (jsonx_str(body, "template_id", NULL) != NULL)
        show(c->sim->store, request, jsonx_str(body, "template_id", ""));
    if (jsonx_str(body, "activation_tile", NULL) != NULL)
        jsonx_add_text(request, "activation_key", jsonx_str(body, "activation_tile", ""));
    if (strcmp(v->name, "assign") == 0)
        assign(request, body);
    if (strcmp(v->name, "unassign") == 0)
        jsonx_add_text(request, "assignee", "");
    sim_asset_follows(c->sim->store, request);
}

void sim_request_goes(struct sim_call *c, struct json_object *request, const char *to)
{
    sim_move(c, &sim_kind_requests, request, to, NULL);
    move_asset(request, to);
    sim_asset_follows(c->sim->store, request);
}

const struct sim_kind sim_kind_requests = {
    .path = {"requests"},
    .store = STORE_REQUESTS,
    .code = "REQ",
    .state = "status",
    .last = "approved failed revoked",
    .touched = "updated",
    .verbs = verbs,
    .validated = &class_fulfillment_request,
    .create = sim_request_create,
    .put = sim_request_put,
    .check = check,
    .effect = effect,
};
