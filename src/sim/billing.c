/* billing.c - billing requests: made once, with attributes that either side may note. */
#include <stdio.h>
#include <string.h>

#include "base/jsonx.h"
#include "sim/kind.h"

static const char *const sides[] = {"vendor", "provider"};

/* PUT .../attributes: each side that is given replaces what it noted before. */
static bool put_attributes(struct sim_call *c, struct json_object *request)
{
    struct json_object *attributes = jsonx_object(request, "attributes");
    if (!json_object_is_type(c->body, json_type_object))
        return sim_error(c, 400, "VAL_001", "An object is needed.");
    if (attributes == NULL) {
        attributes = json_object_new_object();
        json_object_object_add(request, "attributes", attributes);
    }
    for (size_t i = 0; i < 2; i++)
        if (jsonx_object(c->body, sides[i]) != NULL)
            json_object_object_add(attributes, sides[i],
                                   jsonx_copy(jsonx_object(c->body, sides[i])));
    jsonx_add_at(request, "events.updated.at", sim_now());
    sim_changed(c, STORE_BILLING_REQUESTS, request);
    return sim_ok(c, 200, json_object_get(attributes));
}

static bool below(struct sim_call *c, struct json_object *request)
{
    if (strcmp(c->parts[3], "attributes") != 0 || c->parts[4] != NULL)
        return false;
    return strcmp(c->method, "PUT") == 0 ? put_attributes(c, request) : sim_no_method(c);
}

/* The asset that a body names in one of the ways in which they do. */
static struct json_object *find_asset(const struct sim_call *c)
{
    const struct store *s = c->sim->store;
    const struct json_object *asset = jsonx_object(c->body, "asset");
    const char *uid = jsonx_str(asset, "external_uid",
                                jsonx_str(c->body, "asset_external_uid", ""));
    struct json_object *found = store_find(
        s, STORE_ASSETS, jsonx_str(asset, "id", jsonx_str(c->body, "asset_id", "")));
    for (size_t i = 0; found == NULL && *uid != '\0' && i < store_count(s, STORE_ASSETS); i++) {
        struct json_object *one = store_at(s, STORE_ASSETS, i);
        if (strcmp(jsonx_str(one, "external_uid", ""), uid) == 0)
            found = one;
    }
    return found;
}

/* {"from","to","delta","uom"}, given as an object or as members of the body. */
static struct json_object *period_of(const struct json_object *body)
{
    static const char *const members[] = {"from", "to", "delta", "uom"};
    const struct json_object *given = jsonx_object(body, "period");
    struct json_object *period = json_object_new_object();
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        char flat[16];
        snprintf(flat, sizeof flat, "period_%s", members[i]);
        struct json_object *value = given != NULL ? jsonx_get(given, members[i])
                                                  : jsonx_get(body, flat);
        if (value != NULL)
            json_object_object_add(period, members[i], jsonx_copy(value));
    }
    return period;
}

static bool create(struct sim_call *c)
{
    const char *type = jsonx_str(c->body, "type", "vendor");
    struct json_object *asset = find_asset(c), *items = jsonx_array(c->body, "items");
    if (!sim_has_word("vendor provider", type))
        return sim_error(c, 400, "VAL_001", "type: \"%.40s\" is not a valid choice.", type);
    if (asset == NULL)
        return sim_error(c, 400, "VAL_001", "asset: there is no such asset.");
    struct json_object *period = period_of(c->body), *r = json_object_new_object();
    char id[80];
    sim_name_after(c, STORE_BILLING_REQUESTS, type[0] == 'v' ? "BRV" : "BRP",
                   jsonx_str(asset, "id", ""), id);
    jsonx_add_text(r, "id", id);
    jsonx_add_text(r, "type", type);
    jsonx_add_at(r, "events.created.at", sim_now());
    jsonx_add_at(r, "events.updated.at", sim_now());
    json_object_object_add(r, "asset", jsonx_copy(asset));
    json_object_object_add(r, "items", items != NULL ? jsonx_copy(items) : json_object_new_array());
    struct json_object *attributes = jsonx_object(c->body, "attributes");
    json_object_object_add(r, "attributes",
                           attributes != NULL ? jsonx_copy(attributes) : json_object_new_object());
    jsonx_add(r, "period", period);
    return sim_created(c, STORE_BILLING_REQUESTS, r);
}

const struct sim_kind sim_kind_billing_requests = {
    .path = {"subscriptions", "requests"},
    .store = STORE_BILLING_REQUESTS,
    .code = "BR",
    .create = create,
    .below = below,
};
