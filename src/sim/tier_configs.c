/*
 * tier_configs.c - tier configurations, their requests, and what waits for these.
 *
 * A request of the first tier waits for that of the second, a fulfillment request for those of both
 * of its tiers: their state is tiers_setup until the last one is approved. One that fails ends what
 * waits for it.
 */
#include <stdio.h>
#include <string.h>

#include "base/jsonx.h"
#include "sim/kind.h"
#include "sim/requests.h"

#define PARAMS_MAX 50 /* of one PUT */

static const char waiting[] = "tiers_setup";

static const struct sim_verb verbs[] = {
    {.name = "approve",
     .from = "pending",
     .to = "approved",
     .event = "approved",
     .needs = {"template.id", "template.representation"},
     .answer = ANSWER_TEMPLATE},
    {.name = "fail",
     .from = "pending inquiring",
     .to = "failed",
     .event = "failed",
     .needs = {"reason"},
     .keeps = {{"reason", 500}},
     .answer = ANSWER_NOTHING},
    {.name = "inquire",
     .from = "pending",
     .to = "inquiring",
     .event = "inquired",
     .answer = ANSWER_NOTHING},
    {.name = "pend",
     .from = "inquiring",
     .to = "pending",
     .event = "pended",
     .answer = ANSWER_NOTHING},
    {.name = "submit", .from = "draft", .to = "pending", .event = "pended"},
    {.name = "assign", .needs = {"id", "email"}, .answer = ANSWER_NOTHING},
    {.name = "unassign", .answer = ANSWER_NOTHING},
    {0},
};

static bool check(struct sim_call *c, struct json_object *request, const struct sim_verb *v)
{
    return sim_may_approve(c, v, "params", jsonx_array(request, "params"));
}

/* ------------------------------------------------------------------ who waits for whom */

/* Is the configuration one of this account, of the tier, for the product? */
static bool is_of(const struct json_object *configuration, const char *product_id, int tier,
                  const char *account_id)
{
    return jsonx_int(configuration, "tier_level", 0) == tier &&
           strcmp(jsonx_str_at(configuration, "product.id", ""), product_id) == 0 &&
           strcmp(jsonx_str_at(configuration, "account.id", ""), account_id) == 0;
}

/* Does a request for that configuration still have to be decided? */
static bool is_open(const struct store *s, const char *product_id, int tier, const char *account_id)
{
    for (size_t i = 0; *account_id != '\0' && i < store_count(s, STORE_TIER_CONFIG_REQUESTS); i++) {
        const struct json_object *r = store_at(s, STORE_TIER_CONFIG_REQUESTS, i);
        if (r != NULL && !sim_is_over(&sim_kind_tier_config_requests, r) &&
            is_of(jsonx_object(r, "configuration"), product_id, tier, account_id))
            return true;
    }
    return false;
}

/* What waits for configurations of `tiers`: an object with the accounts tier1 and tier2. */
static bool waits_for(const struct json_object *tiers, const struct json_object *configuration)
{
    char path[16];
    snprintf(path, sizeof path, "tier%d.id", (int)jsonx_int(configuration, "tier_level", 0));
    return strcmp(jsonx_str_at(tiers, path, ""), jsonx_str_at(configuration, "account.id", "")) ==
           0;
}

/* Where it goes on to once nothing holds it up. */
static const char *next_state(const struct json_object *params)
{
    return sim_missing_param(params, "ordering") != NULL ? "inquiring" : "pending";
}

static void free_requests(struct sim_call *c, const struct json_object *configuration, bool failed)
{
    const struct store *s = c->sim->store;
    const char *product_id = jsonx_str_at(configuration, "product.id", "");
    for (size_t i = 0; i < store_count(s, STORE_REQUESTS); i++) {
        struct json_object *r = store_at(s, STORE_REQUESTS, i);
        const struct json_object *asset = jsonx_object(r, "asset");
        const struct json_object *tiers = jsonx_object(asset, "tiers");
        if (r == NULL || strcmp(jsonx_str(r, "status", ""), waiting) != 0 ||
            strcmp(jsonx_str_at(asset, "product.id", ""), product_id) != 0 ||
            !waits_for(tiers, configuration))
            continue;
        if (failed) {
            jsonx_add_text(r, "reason", "A tier configuration request has failed.");
            sim_request_goes(c, r, "failed");
        } else if (!is_open(s, product_id, 1, jsonx_str_at(tiers, "tier1.id", "")) &&
                   !is_open(s, product_id, 2, jsonx_str_at(tiers, "tier2.id", ""))) {
            sim_request_goes(c, r, next_state(jsonx_array(asset, "params")));
        }
    }
}

/* Requests of the first tier, of those who are below the configuration's account. */
static void free_first_tier(struct sim_call *c, const struct json_object *configuration,
                            bool failed)
{
    const struct store *s = c->sim->store;
    for (size_t i = 0; i < store_count(s, STORE_TIER_CONFIG_REQUESTS); i++) {
        struct json_object *r = store_at(s, STORE_TIER_CONFIG_REQUESTS, i);
        struct json_object *own = jsonx_object(r, "configuration");
        if (r == NULL || strcmp(jsonx_str(r, "status", ""), waiting) != 0 ||
            strcmp(jsonx_str_at(own, "product.id", ""),
                   jsonx_str_at(configuration, "product.id", "")) != 0 ||
            !waits_for(jsonx_object(r, "tiers"), configuration))
            continue;
        const char *to = failed ? "failed" : next_state(jsonx_array(r, "params"));
        const char *event = failed ? "failed" : strcmp(to, "pending") == 0 ? "pended" : "inquired";
        sim_move(c, &sim_kind_tier_config_requests, r, to, event);
        if (failed)
            free_requests(c, own, true);
    }
}

/* ------------------------------------------------------------------------- what it does */

/* What the reseller is shown, and from when on it counts: the API has both in one place. */
static void show(struct json_object *request, const struct json_object *body)
{
    struct json_object *template = jsonx_copy(jsonx_object(body, "template"));
    jsonx_share(request, "effective_date", jsonx_get(template, "effective_date"));
    json_object_object_del(template, "effective_date");
    jsonx_add(request, "template", template);
}

/* The configuration is what its request was about. */
static void activate(struct sim_call *c, struct json_object *request,
                     struct json_object *configuration)
{
    struct json_object *kept = store_find(c->sim->store, STORE_TIER_CONFIGS,
                                          jsonx_str(configuration, "id", ""));
    jsonx_add_text(configuration, "status", "active");
    jsonx_share(configuration, "params", jsonx_get(request, "params"));
    jsonx_share(configuration, "template", jsonx_get(request, "template"));
    json_object_object_del(configuration, "open_request");
    if (kept != NULL)
        (void)store_replace(c->sim->store, STORE_TIER_CONFIGS, configuration);
}

static void effect(struct sim_call *c, struct json_object *request, const struct sim_verb *v)
{
    struct json_object *configuration = jsonx_object(request, "configuration");
    bool approved = strcmp(v->name, "approve") == 0, failed = strcmp(v->name, "fail") == 0;
    if (strcmp(v->name, "unassign") == 0)
        json_object_object_add(request, "assignee", NULL);
    if (strcmp(v->name, "assign") == 0)
        json_object_object_add(request, "assignee", jsonx_copy(c->body));
    if (approved)
        show(request, c->body);
    if (configuration == NULL || (!approved && !failed))
        return;
    if (approved)
        activate(c, request, configuration);
    if (jsonx_int(configuration, "tier_level", 0) == 2)
        free_first_tier(c, configuration, failed);
    free_requests(c, configuration, failed);
}

/* ------------------------------------------------------------------- made and changed */

static bool put(struct sim_call *c, struct json_object *request)
{
    struct json_object *given = jsonx_array(c->body, "params");
    struct json_object *params = jsonx_array(request, "params");
    if (sim_is_over(&sim_kind_tier_config_requests, request))
        return sim_error(c, 400, "TCR_003", "status: what is %.40s does not change.",
                         jsonx_str(request, "status", ""));
    if (given != NULL && json_object_array_length(given) > PARAMS_MAX)
        return sim_error(c, 400, "VAL_001", "params: at most %d.", PARAMS_MAX);
    if (!sim_write_params(c, "params", given, params))
        return true;
    if (jsonx_str(c->body, "notes", NULL) != NULL)
        jsonx_add_text(request, "notes", jsonx_str(c->body, "notes", ""));
    jsonx_add_at(request, "events.updated.at", sim_now());
    sim_changed(c, STORE_TIER_CONFIG_REQUESTS, request);
    return sim_ok(c, 200, json_object_get(request));
}

/* An update of a configuration that is there. */
static struct json_object *new_request(struct sim_call *c, struct json_object *configuration,
                                       const char *status)
{
    struct json_object *r = json_object_new_object();
    char id[80];
    sim_name_after(c, STORE_TIER_CONFIG_REQUESTS, "TCR", jsonx_str(configuration, "id", ""), id);
    jsonx_add_text(r, "id", id);
    jsonx_add_text(r, "type", jsonx_str(c->body, "type", "update"));
    jsonx_add_text(r, "status", status);
    jsonx_share(r, "environment", jsonx_at(configuration, "connection.type"));
    jsonx_add_text(r, "notes", jsonx_str(c->body, "notes", ""));
    json_object_object_add(r, "configuration", jsonx_copy(configuration));
    jsonx_share(r, "parent_configuration", NULL);
    json_object_object_add(r, "params", jsonx_copy(jsonx_array(configuration, "params")));
    jsonx_share(r, "assignee", NULL);
    json_object_object_add(r, "template", jsonx_copy(jsonx_object(configuration, "template")));
    struct json_object *tiers = json_object_new_object();
    char tier[8];
    snprintf(tier, sizeof tier, "tier%d", (int)jsonx_int(configuration, "tier_level", 1));
    json_object_object_add(tiers, tier, jsonx_copy(jsonx_object(configuration, "account")));
    json_object_object_add(r, "tiers", tiers);
    jsonx_add_at(r, "events.created.at", sim_now());
    return r;
}

static bool create(struct sim_call *c)
{
    const char *id = jsonx_str_at(c->body, "configuration.id", "");
    const char *type = jsonx_str(c->body, "type", "update");
    const char *status = jsonx_str(c->body, "status", "pending");
    struct json_object *configuration = store_find(c->sim->store, STORE_TIER_CONFIGS, id);
    struct json_object *given = jsonx_array(c->body, "params");
    if (configuration == NULL)
        return sim_error(c, 400, "VAL_001", "configuration.id: there is no such configuration.");
    if (!sim_has_word("setup update adjustment", type))
        return sim_error(c, 400, "VAL_001", "type: \"%.40s\" is not a valid choice.", type);
    if (!sim_has_word("draft pending", status))
        return sim_error(c, 400, "VAL_001", "status: \"%.40s\" is not a valid choice.", status);
    struct json_object *request = new_request(c, configuration, status);
    if (!sim_write_params(c, "params", given, jsonx_array(request, "params"))) {
        json_object_put(request);
        return true;
    }
    return sim_created(c, STORE_TIER_CONFIG_REQUESTS, request);
}

const struct sim_kind sim_kind_tier_config_requests = {
    .path = {"tier", "config-requests"},
    .store = STORE_TIER_CONFIG_REQUESTS,
    .code = "TCR",
    .state = "status",
    .last = "approved failed",
    .touched = "events.updated.at",
    .verbs = verbs,
    .validated = &class_tier_config_request,
    .create = create,
    .put = put,
    .check = check,
    .effect = effect,
};

const struct sim_kind sim_kind_tier_configs = {
    .path = {"tier", "configs"},
    .store = STORE_TIER_CONFIGS,
    .code = "TC",
};
