/* listings.c - requests to list a product at a marketplace, or to take it off. */
#include <string.h>

#include "base/jsonx.h"
#include "sim/kind.h"

/* Where `refine` leads is not documented. */
static const struct sim_verb verbs[] = {
    {.name = "submit", .from = "draft", .to = "reviewing", .answer = ANSWER_EMPTY},
    {.name = "deploy", .from = "reviewing", .to = "deploying", .answer = ANSWER_EMPTY},
    {.name = "refine", .from = "reviewing", .to = "draft", .answer = ANSWER_EMPTY},
    {.name = "complete", .from = "deploying", .to = "completed", .answer = ANSWER_EMPTY},
    {.name = "cancel", .from = "reviewing deploying", .to = "canceled", .answer = ANSWER_EMPTY},
    {.name = "assign", .answer = ANSWER_EMPTY},
    {.name = "unassign", .answer = ANSWER_EMPTY},
    {0},
};

/* The listing is what its request has asked for. */
static void effect(struct sim_call *c, struct json_object *request, const struct sim_verb *v)
{
    struct json_object *listing = jsonx_object(request, "listing");
    (void)c;
    if (listing == NULL || v->to == NULL)
        return;
    struct json_object *pending = jsonx_object(listing, "pending_request");
    if (pending != NULL)
        jsonx_add_text(pending, "status", v->to);
    if (!sim_is_over(&sim_kind_listing_requests, request))
        return;
    bool remove = strcmp(jsonx_str(request, "type", ""), "remove") == 0;
    if (strcmp(v->to, "completed") == 0)
        jsonx_add_text(listing, "status", remove ? "unlisted" : "listed");
    json_object_object_del(listing, "pending_request");
}

/* The listing of the last request that named it; NULL if there is none. */
static struct json_object *find_listing(const struct store *s, const char *id)
{
    for (size_t i = store_count(s, STORE_LISTING_REQUESTS); *id != '\0' && i-- > 0;) {
        struct json_object *listing = jsonx_object(store_at(s, STORE_LISTING_REQUESTS, i),
                                                   "listing");
        if (strcmp(jsonx_str(listing, "id", ""), id) == 0)
            return listing;
    }
    return NULL;
}

/* Of a product that is not listed yet; NULL, and the answer says why. */
static struct json_object *new_listing(struct sim_call *c)
{
    const struct json_object *product = store_find(c->sim->store, STORE_PRODUCTS,
                                                   jsonx_str(c->body, "product_id", ""));
    if (product == NULL || *jsonx_str(c->body, "contract_id", "") == '\0') {
        sim_error(c, 400, "VAL_001", "%s",
                  product == NULL ? "product_id: there is no such product."
                                  : "contract_id: This field is required.");
        return NULL;
    }
    struct json_object *listing = json_object_new_object();
    char id[40];
    sim_new_id(c->sim, STORE_LISTING_REQUESTS, "LST", id);
    jsonx_add_text(listing, "id", id);
    jsonx_add_text(listing, "status", "unlisted");
    jsonx_add_at(listing, "contract.id",
                 json_object_new_string(jsonx_str(c->body, "contract_id", "")));
    jsonx_add(listing, "product", sim_members(product, sim_brief));
    jsonx_share(listing, "vendor", jsonx_object(product, "owner"));
    return listing;
}

static bool create(struct sim_call *c)
{
    const char *type = jsonx_str(c->body, "type", "");
    struct json_object *listing = find_listing(c->sim->store, jsonx_str(c->body, "listing_id", ""));
    if (!sim_has_word("new update remove", type))
        return sim_error(c, 400, "VAL_001", "type: \"%.40s\" is not a valid choice.", type);
    if (listing == NULL && strcmp(type, "new") != 0)
        return sim_error(c, 400, "VAL_001", "listing_id: there is no such listing.");
    listing = listing != NULL ? json_object_get(listing) : new_listing(c);
    if (listing == NULL)
        return true;
    struct json_object *r = json_object_new_object();
    char id[80];
    sim_name_after(c, STORE_LISTING_REQUESTS, "LSTR", jsonx_str(listing, "id", ""), id);
    jsonx_add_text(r, "id", id);
    jsonx_add_text(r, "type", type);
    jsonx_add_text(r, "state", "draft");
    jsonx_add_text(r, "note", jsonx_str(c->body, "note", ""));
    jsonx_share(r, "product", jsonx_get(listing, "product"));
    jsonx_add(r, "created", sim_now());
    jsonx_add(r, "updated", sim_now());
    json_object_object_add(r, "listing", listing);
    return sim_created(c, STORE_LISTING_REQUESTS, r);
}

const struct sim_kind sim_kind_listing_requests = {
    .path = {"listing-requests"},
    .store = STORE_LISTING_REQUESTS,
    .code = "LSTR",
    .state = "state",
    .last = "completed canceled",
    .touched = "updated",
    .verbs = verbs,
    .create = create,
    .effect = effect,
};
