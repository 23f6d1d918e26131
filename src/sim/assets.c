/* assets.c - assets (subscriptions): each is what its last request made of it. */
#include <stdbool.h>
#include <string.h>

#include "base/jsonx.h"
#include "sim/requests.h"

struct json_object *sim_present_asset(const struct store *s, const char *asset_id)
{
    struct json_object *newest = store_newest(s, STORE_REQUESTS, asset_id), *r = newest;
    while (r != NULL && strcmp(jsonx_str(r, "status", ""), "approved") != 0)
        r = store_older(s, STORE_REQUESTS, r);
    return jsonx_object(r != NULL ? r : newest, "asset");
}

/* What is present, as it is while the newest request is under way. */
static struct json_object *listed_asset(struct json_object *present, struct json_object *newest)
{
    static const char *const brief[] = {"id", "type", "status", "template", NULL};
    struct json_object *asset = jsonx_shallow(present);
    bool over = sim_is_over(&sim_kind_requests, newest);
    jsonx_share(asset, "status", jsonx_at(newest, "asset.status"));
    jsonx_share(asset, "template", jsonx_get(newest, "template"));
    json_object_object_add(asset, "pending_request", over ? NULL : sim_members(newest, brief));
    return asset;
}

void sim_asset_follows(struct store *s, const struct json_object *request)
{
    const char *id = jsonx_str(jsonx_get(request, "asset"), "id", "");
    struct json_object *present = sim_present_asset(s, id);
    if (present == NULL)
        return;
    struct json_object *asset = listed_asset(present, store_newest(s, STORE_REQUESTS, id));
    (void)store_replace(s, STORE_ASSETS, asset);
    json_object_put(asset);
}

/* GET .../{id}/requests */
static bool below(struct sim_call *c, struct json_object *asset)
{
    return sim_is(c, "GET", 3) && strcmp(c->parts[2], "requests") == 0 &&
           sim_list(c, STORE_REQUESTS, jsonx_str(asset, "id", ""));
}

const struct sim_kind sim_kind_assets = {
    .path = {"assets"},
    .store = STORE_ASSETS,
    .code = "AS",
    .below = below,
};

/* As the API for billing has them. */
const struct sim_kind sim_kind_billed_assets = {
    .path = {"subscriptions", "assets"},
    .store = STORE_ASSETS,
    .code = "AS",
};
