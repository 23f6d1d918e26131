/* requests.c - fulfillment requests: made, and their parameters changed. */
#include "sim/requests.h"

#include <stdio.h>
#include <string.h>

#include "base/jsonx.h"

bool sim_request_put(struct sim_call *c, struct json_object *request)
{
    struct json_object *given = jsonx_array(jsonx_get(c->body, "asset"), "params");
    struct json_object *params = jsonx_array(jsonx_get(request, "asset"), "params");
    if (!sim_write_params(c, "asset.params", given, params))
        return true;
    if (jsonx_str(c->body, "note", NULL) != NULL)
        jsonx_add_text(request, "note", jsonx_str(c->body, "note", ""));
    jsonx_add(request, "updated", sim_now());
    sim_changed(c, STORE_REQUESTS, request);
    sim_asset_follows(c->sim->store, request);
    return sim_ok(c, 200, json_object_get(request));
}

/* ------------------------------------------------------------------ new ones */

/* A request of the asset that has not come to its end. */
static struct json_object *open_request(struct store *s, const char *asset_id)
{
    struct json_object *r = store_newest(s, STORE_REQUESTS, asset_id);
    while (r != NULL && sim_is_over(&sim_kind_requests, r))
        r = store_older(s, STORE_REQUESTS, r);
    return r;
}

static bool conflict(struct sim_call *c, const struct json_object *open)
{
    sim_error(c, 409, "REQ_001", "asset: there is an open request already.");
    struct json_object *params = json_object_new_object();
    jsonx_add_text(params, "request_id", jsonx_str(open, "id", ""));
    jsonx_add_text(params, "request_status", jsonx_str(open, "status", ""));
    jsonx_add_text(params, "asset_id", jsonx_str(jsonx_get(open, "asset"), "id", ""));
    jsonx_add_text(params, "asset_status", jsonx_str(jsonx_get(open, "asset"), "status", ""));
    json_object_object_add(c->answer, "params", params);
    return true;
}

/* The asset of a purchase; NULL, and the answer says why. */
static struct json_object *new_asset(struct sim_call *c, const struct json_object *given)
{
    struct json_object *items = jsonx_array(given, "items");
    if (jsonx_at(given, "product.id") == NULL) {
        sim_error(c, 400, "VAL_001", "asset.product.id: This field is required.");
        return NULL;
    }
    if (items == NULL || json_object_array_length(items) == 0) {
        sim_error(c, 400, "VAL_001", "asset.items: This list may not be empty.");
        return NULL;
    }
    char id[40];
    do
        sim_new_id(c->sim, STORE_REQUESTS, "AS", id);
    while (store_newest(c->sim->store, STORE_REQUESTS, id) != NULL);
    struct json_object *asset = jsonx_copy(given);
    jsonx_add_text(asset, "id", id);
    return asset;
}

/* A change: the wanted quantities, beside the present ones. */
static bool write_items(struct sim_call *c, struct json_object *given, struct json_object *items)
{
    bool is_change = false;
    if (given == NULL || json_object_array_length(given) == 0)
        return !sim_error(c, 400, "VAL_001", "asset.items: This list may not be empty.");
    if (!sim_all_known(c, "asset.items", given, items))
        return false;
    for (size_t i = 0; items != NULL && i < json_object_array_length(items); i++) {
        struct json_object *item = json_object_array_get_idx(items, i);
        struct json_object *present = jsonx_copy(jsonx_get(item, "quantity"));
        struct json_object *wanted = jsonx_copy(
            jsonx_get(jsonx_element(given, jsonx_str(item, "id", "")), "quantity"));
        if (wanted != NULL) {
            /* As texts: clients send numbers and strings. */
            is_change = is_change || present == NULL ||
                        strcmp(json_object_get_string(wanted), json_object_get_string(present)) !=
                            0;
            json_object_object_add(item, "quantity", wanted);
        }
        json_object_object_add(item, "old_quantity", present);
    }
    return is_change ||
           !sim_error(c, 400, "VAL_001", "asset.items: Item quantities are not changed.");
}

/* The asset of another request than a purchase; NULL, and the answer says why. */
static struct json_object *known_asset(struct sim_call *c, const struct json_object *given,
                                       const char *type, const char *on)
{
    struct store *s = c->sim->store;
    const char *id = jsonx_str(given, "id", "");
    struct json_object *known = sim_present_asset(s, id), *open = open_request(s, id);
    if (known == NULL) {
        sim_error(c, 400, "VAL_001", "asset.id: no such asset.");
        return NULL;
    }
    if (open != NULL) {
        conflict(c, open);
        return NULL;
    }
    const char *status = jsonx_str(known, "status", "");
    if (!sim_has_word(on, status)) {
        sim_error(c, 400, "VAL_001", "Request type %s is not allowed when asset state is %.40s",
                  type, status);
        return NULL;
    }
    struct json_object *asset = jsonx_copy(known), *params = jsonx_array(given, "params");
    bool fits = sim_write_params(c, "asset.params", params, jsonx_array(asset, "params")) &&
                (strcmp(type, "change") != 0 ||
                 write_items(c, jsonx_array(given, "items"), jsonx_array(asset, "items")));
    if (!fits) {
        json_object_put(asset);
        return NULL;
    }
    return asset;
}

/* Who can see what is said about a request: its vendor and its provider, as far as it tells. */
static struct json_object *parties_of(const struct json_object *request)
{
    static const char *const roles[] = {"vendor", "provider"};
    struct json_object *parties = json_object_new_array();
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        struct json_object *party = jsonx_get(jsonx_at(request, "asset.connection"), roles[i]);
        if (party != NULL)
            jsonx_append(parties, jsonx_copy(party));
    }
    return parties;
}

/* Connect opens a conversation about each request. */
static bool add_conversation(struct sim_call *c, const struct json_object *request)
{
    const char *request_id = jsonx_str(request, "id", "");
    struct json_object *one = json_object_new_object();
    char id[40];
    sim_new_id(c->sim, STORE_CONVERSATIONS, "CO", id);
    jsonx_add_text(one, "id", id);
    jsonx_add_text(one, "instance_id", request_id);
    jsonx_add_text(one, "topic", request_id);
    jsonx_add_text(one, "status", "open");
    jsonx_add_text(one, "type", "conversation");
    jsonx_add(one, "created", sim_now());
    jsonx_add(one, "accounts", parties_of(request));
    return sim_add(c, STORE_CONVERSATIONS, one);
}

/* Drafts of other requests than purchases are for being validated: the product has to have it. */
static bool may_be_draft(struct sim_call *c, const char *type, const struct json_object *asset)
{
    char path[64];
    const struct json_object *product = store_find(c->sim->store, STORE_PRODUCTS,
                                                   jsonx_str_at(asset, "product.id", ""));
    snprintf(path, sizeof path, "capabilities.subscription.%s", type);
    return jsonx_bool(jsonx_at(product, path), "validation", false) ||
           !sim_error(c, 400, "VAL_001",
                      "status: the product has no Dynamic Validation of %s requests.", type);
}

bool sim_request_create(struct sim_call *c)
{
    const char *type = jsonx_str(c->body, "type", ""), *on = "";
    const char *status = jsonx_str(c->body, "status", "pending");
    const char *pending = sim_while_pending(type, &on);
    struct json_object *given = jsonx_object(c->body, "asset");
    bool is_draft = strcmp(status, "draft") == 0, is_purchase = strcmp(type, "purchase") == 0;
    if (pending == NULL)
        return sim_error(c, 400, "VAL_001", "type: \"%.40s\" is not a valid choice.", type);
    if (!is_draft && strcmp(status, "pending") != 0)
        return sim_error(c, 400, "VAL_001", "status: \"%.40s\" is not a valid choice.", status);
    if (given == NULL)
        return sim_error(c, 400, "VAL_001", "asset: This field is required.");
    struct json_object *asset = is_purchase ? new_asset(c, given) : known_asset(c, given, type, on);
    if (asset == NULL)
        return true;
    if (is_draft && !is_purchase && !may_be_draft(c, type, asset)) {
        json_object_put(asset);
        return true;
    }
    if (!is_draft || is_purchase)
        jsonx_add_text(asset, "status", is_draft ? "draft" : pending);
    struct json_object *request = json_object_new_object();
    char id[80];
    sim_name_after(c, STORE_REQUESTS, "PR", jsonx_str(asset, "id", ""), id);
    jsonx_add_text(request, "id", id);
    jsonx_add_text(request, "type", type);
    jsonx_add_text(request, "status", status);
    jsonx_add_text(request, "note", jsonx_str(c->body, "note", ""));
    jsonx_add_text(request, "reason", "");
    jsonx_add_text(request, "assignee", "");
    jsonx_add(request, "created", sim_now());
    jsonx_add(request, "updated", sim_now());
    json_object_object_add(request, "asset", asset);
    if (jsonx_object(c->body, "marketplace") != NULL)
        json_object_object_add(request, "marketplace",
                               jsonx_copy(jsonx_object(c->body, "marketplace")));
    struct json_object *answer = json_object_get(request);
    if (!sim_add(c, STORE_REQUESTS, request) || !add_conversation(c, answer)) {
        json_object_put(answer);
        return true;
    }
    sim_asset_follows(c->sim->store, answer);
    return sim_ok(c, 201, answer);
}
