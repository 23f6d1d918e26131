/* assets.c - assets (subscriptions): each is what its last request made of it. */
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

/* With another status than it has in its request; NULL: out of memory. */
static struct json_object *with_status(struct json_object *asset, const char *status)
{
    struct json_object *copy = json_object_new_object();
    struct json_object_iterator it = json_object_iter_begin(asset),
                                end = json_object_iter_end(asset);
    for (; copy != NULL && !json_object_iter_equal(&it, &end); json_object_iter_next(&it))
        jsonx_share(copy, json_object_iter_peek_name(&it), json_object_iter_peek_value(&it));
    jsonx_add_text(copy, "status", status);
    return copy;
}

void sim_asset_follows(struct store *s, const struct json_object *request)
{
    const char *id = jsonx_str(jsonx_get(request, "asset"), "id", "");
    struct json_object *present = sim_present_asset(s, id);
    struct json_object *newest = jsonx_object(store_newest(s, STORE_REQUESTS, id), "asset");
    if (present == NULL)
        return;
    struct json_object *asset = present == newest
                                    ? json_object_get(present)
                                    : with_status(present, jsonx_str(newest, "status", ""));
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
