/* tier_accounts.c - customers and resellers, and requests that tell vendors of their new data. */
#include <string.h>

#include "base/jsonx.h"
#include "sim/kind.h"

static const struct sim_verb verbs[] = {
    {.name = "accept", .from = "pending", .to = "accepted", .event = "accepted"},
    {.name = "ignore",
     .from = "pending",
     .to = "ignored",
     .event = "ignored",
     .keeps = {{"reason", 255}}},
    {0},
};

/* The account, one version later, with what is given of it. */
static struct json_object *next_version(const struct json_object *account,
                                        const struct json_object *given)
{
    static const char *const members[] = {"name", "external_id", "external_uid", "tax_id",
                                          "contact_info"};
    struct json_object *next = jsonx_copy(account);
    jsonx_add_int(next, "version", jsonx_int(account, "version", 0) + 1);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (jsonx_get(given, members[i]) != NULL)
            json_object_object_add(next, members[i], jsonx_copy(jsonx_get(given, members[i])));
    jsonx_add_at(next, "events.updated.at", sim_now());
    return next;
}

/* A distributor's: {"type":"update","account":{"id":...,"name":...},"product":{"id":...}}. */
static bool create(struct sim_call *c)
{
    struct store *s = c->sim->store;
    const struct json_object *given = jsonx_object(c->body, "account");
    const struct json_object *account = store_find(s, STORE_TIER_ACCOUNTS,
                                                   jsonx_str(given, "id", ""));
    const struct json_object *product = store_find(
        s, STORE_PRODUCTS, jsonx_str(jsonx_object(c->body, "product"), "id", ""));
    if (account == NULL)
        return sim_error(c, 400, "VAL_001", "account.id: there is no such account.");
    if (product == NULL)
        return sim_error(c, 400, "VAL_001", "product.id: there is no such product.");
    struct json_object *next = next_version(account, given), *r = json_object_new_object();
    char id[80];
    sim_name_after(c, STORE_TIER_ACCOUNT_REQUESTS, "TAR", jsonx_str(account, "id", ""), id);
    jsonx_add_text(r, "id", id);
    jsonx_add_text(r, "type", "update");
    jsonx_add_text(r, "status", "pending");
    jsonx_add(r, "account", next);
    jsonx_share(r, "vendor", jsonx_object(product, "owner"));
    jsonx_share(r, "provider", jsonx_object(account, "owner"));
    jsonx_add(r, "product", sim_members(product, sim_brief));
    jsonx_add_at(r, "events.created.at", sim_now());
    (void)store_replace(s, STORE_TIER_ACCOUNTS, next);
    return sim_created(c, STORE_TIER_ACCOUNT_REQUESTS, r);
}

const struct sim_kind sim_kind_tier_account_requests = {
    .path = {"tier", "account-requests"},
    .store = STORE_TIER_ACCOUNT_REQUESTS,
    .code = "TAR",
    .state = "status",
    .last = "accepted ignored unsupported",
    .touched = "events.updated.at",
    .verbs = verbs,
    .create = create,
};

const struct sim_kind sim_kind_tier_accounts = {
    .path = {"tier", "accounts"},
    .store = STORE_TIER_ACCOUNTS,
    .code = "TA",
};
