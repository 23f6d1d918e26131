/* webhooks.c - webhooks: listed, made, changed, deleted. */
#include <string.h>

#include "event/object_class.h"
#include "sim/rooms.h"

/* The members that are texts, and how long they may be. */
static const struct {
    const char *key;
    size_t max;
} texts[] = {
    {"object_class", 100}, {"type", 100},        {"label", 100},         {"description", 4096},
    {"jwt_secret", 100},   {"http_method", 100}, {"external_url", 4096},
};

/* What a body gives, or else what the webhook has. */
static const char *text_of(const struct sim_call *c, const struct json_object *hook,
                           const char *key)
{
    return jsonx_str(c->body, key, jsonx_str(hook, key, ""));
}

static bool is_distributors(const struct json_object *hook)
{
    enum side side;
    return side_of_account(jsonx_str_at(hook, "account.id", ""), &side) == ERR_OK &&
           side == SIDE_DISTRIBUTOR;
}

/* May the webhook become what the body says? False, and the answer says why, if not. */
static bool check_fields(struct sim_call *c, const struct json_object *hook)
{
    if (!json_object_is_type(c->body, json_type_object))
        return !sim_error(c, 400, "VAL_001", "An object is needed.");
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (strlen(jsonx_str(c->body, texts[i].key, "")) > texts[i].max)
            return !sim_error(c, 400, "VAL_001",
                              "%s: Ensure this field has no more than %zu characters.",
                              texts[i].key, texts[i].max);
    enum webhook_type type;
    const char *name = text_of(c, hook, "object_class");
    const struct object_class *class = object_class_find(name);
    if (class == NULL)
        return !sim_error(c, 400, "VAL_001", "object_class: \"%.40s\" is not a valid choice.",
                          name);
    name = text_of(c, hook, "type");
    if (webhook_type_parse(name, &type) != ERR_OK || class->webhooks[type].name == NULL)
        return !sim_error(c, 400, "VAL_001", "type: \"%.40s\" is not a valid choice.", name);
    if (type != TYPE_EVENT && is_distributors(hook))
        return !sim_error(c, 400, "VAL_001", "type: only vendors have validators.");
    name = text_of(c, hook, "http_method");
    if (strcmp(name, "POST") != 0 && strcmp(name, "GET") != 0)
        return !sim_error(c, 400, "VAL_001", "http_method: \"%.20s\" is not a valid choice.", name);
    return true;
}

static void write_fields(struct sim_call *c, struct json_object *hook)
{
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (jsonx_str(c->body, texts[i].key, NULL) != NULL)
            jsonx_add_text(hook, texts[i].key, jsonx_str(c->body, texts[i].key, ""));
    if (jsonx_str(c->body, "product_id", NULL) != NULL) {
        struct json_object *product = json_object_new_object();
        jsonx_add_text(product, "id", jsonx_str(c->body, "product_id", ""));
        json_object_object_add(hook, "product", product);
    }
    static const char *const objects[] = {"data", "headers"};
    for (size_t i = 0; i < 2; i++)
        if (jsonx_object(c->body, objects[i]) != NULL)
            json_object_object_add(hook, objects[i], jsonx_copy(jsonx_object(c->body, objects[i])));
    if (jsonx_get(c->body, "active") != NULL)
        jsonx_add(hook, "active", json_object_new_boolean(jsonx_bool(c->body, "active", false)));
}

static struct json_object *no_calls(void)
{
    static const char *const counters[] = {"events", "triggers", "success_triggers",
                                           "failure_triggers", "failure_since_last_success"};
    struct json_object *stats = json_object_new_object();
    for (size_t i = 0; i < sizeof counters / sizeof counters[0]; i++)
        jsonx_add_int(stats, counters[i], 0);
    return stats;
}

static bool create(struct sim_call *c)
{
    static const char *const required[] = {"object_class", "label", "product_id", "external_url",
                                           "jwt_secret"};
    for (size_t i = 0; i < sizeof required / sizeof required[0]; i++)
        if (*jsonx_str(c->body, required[i], "") == '\0')
            return sim_error(c, 400, "VAL_001", "%s: This field is required.", required[i]);
    struct json_object *hook = json_object_new_object();
    char id[40];
    sim_new_id(c->sim, STORE_WEBHOOKS, "WH", id);
    jsonx_add_text(hook, "id", id);
    jsonx_add_text(hook, "type", "event");
    jsonx_add_text(hook, "http_method", "POST");
    jsonx_add(hook, "active", json_object_new_boolean(true));
    jsonx_add(hook, "data", json_object_new_object());
    jsonx_add(hook, "headers", json_object_new_object());
    struct json_object *account = json_object_new_object();
    jsonx_add_text(account, "id",
                   jsonx_str(store_first(c->sim->store, STORE_ACCOUNTS), "id", "VA-000-000"));
    json_object_object_add(hook, "account", account);
    jsonx_add(hook, "stats", no_calls());
    jsonx_add(hook, "created_at", sim_now());
    if (!check_fields(c, hook)) {
        json_object_put(hook);
        return true;
    }
    write_fields(c, hook);
    return sim_created(c, STORE_WEBHOOKS, hook);
}

bool sim_webhooks(struct sim_call *c)
{
    if (c->parts[0] == NULL || strcmp(c->parts[0], "notifications") != 0 || c->parts[1] == NULL ||
        strcmp(c->parts[1], "webhooks") != 0)
        return false;
    if (sim_is(c, "GET", 2))
        return sim_list(c, STORE_WEBHOOKS, NULL);
    if (sim_is(c, "POST", 2))
        return create(c);
    if (c->parts[2] == NULL)
        return sim_no_method(c);
    struct json_object *hook = store_find(c->sim->store, STORE_WEBHOOKS, c->parts[2]);
    if (hook == NULL)
        return sim_error(c, 404, "WH_404", "Not found.");
    if (sim_is(c, "GET", 3))
        return sim_ok(c, 200, json_object_get(hook));
    if (sim_is(c, "DELETE", 3)) {
        store_remove(c->sim->store, STORE_WEBHOOKS, hook);
        c->effect = true;
        return sim_ok(c, 204, NULL);
    }
    if (sim_is(c, "PUT", 3)) {
        if (!check_fields(c, hook))
            return true;
        write_fields(c, hook);
        jsonx_add(hook, "modified_at", sim_now());
        sim_changed(c, STORE_WEBHOOKS, hook);
        return sim_ok(c, 200, json_object_get(hook));
    }
    if (c->parts[3] == NULL || strcmp(c->parts[3], "trigger") == 0)
        return sim_no_method(c);
    return sim_error(c, 404, "SYS_404", "Not found.");
}
