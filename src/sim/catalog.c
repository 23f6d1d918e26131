/* catalog.c - products, templates, conversations and accounts: what processing looks things up in.
 */
#include <string.h>

#include "base/jsonx.h"
#include "sim/sim.h"

/* Templates of one product, without the member that says which. */
static bool templates(struct sim_call *c)
{
    struct json_object *all = sim_collection(c->sim, "templates"), *of = json_object_new_array();
    for (size_t i = 0; i < json_object_array_length(all); i++) {
        struct json_object *t = json_object_array_get_idx(all, i);
        if (strcmp(jsonx_str(t, "product_id", ""), c->parts[1]) == 0)
            json_object_array_add(of, json_object_get(t));
    }
    sim_list(c, of);
    json_object_put(of);
    return true;
}

static bool post_message(struct sim_call *c, struct json_object *conversation)
{
    const char *text = jsonx_str(c->body, "text", "");
    if (*text == '\0')
        return sim_error(c, 400, "VAL_001", "text: This field is required.");
    if (strcmp(jsonx_str(conversation, "status", "open"), "closed") == 0)
        return sim_error(c, 400, "CONV_001", "The conversation is closed.");
    struct json_object *m = json_object_new_object();
    char id[40];
    sim_new_id(c->sim, "ME", id);
    json_object_object_add(m, "id", json_object_new_string(id));
    json_object_object_add(m, "conversation",
                           json_object_new_string(jsonx_str(conversation, "id", "")));
    json_object_object_add(m, "created", sim_now());
    json_object_object_add(m, "type", json_object_new_string("message"));
    json_object_object_add(m, "text", json_object_new_string(text));
    json_object_array_add(sim_collection(c->sim, "messages"), m);
    c->effect = true;
    return sim_ok(c, 201, json_object_get(m));
}

static bool messages(struct sim_call *c, struct json_object *conversation)
{
    struct json_object *all = sim_collection(c->sim, "messages"), *of = json_object_new_array();
    for (size_t i = 0; i < json_object_array_length(all); i++) {
        struct json_object *m = json_object_array_get_idx(all, i);
        if (strcmp(jsonx_str(m, "conversation", ""), jsonx_str(conversation, "id", "?")) == 0)
            json_object_array_add(of, json_object_get(m));
    }
    sim_list(c, of);
    json_object_put(of);
    return true;
}

/* By its own id or by that of what it is about. */
static struct json_object *find_conversation(struct sim *s, const char *id)
{
    struct json_object *found = sim_find(s, "conversations", id);
    struct json_object *all = sim_collection(s, "conversations");
    for (size_t i = 0; found == NULL && i < json_object_array_length(all); i++)
        if (strcmp(jsonx_str(json_object_array_get_idx(all, i), "instance_id", ""), id) == 0)
            found = json_object_array_get_idx(all, i);
    return found;
}

static bool conversations(struct sim_call *c)
{
    if (sim_is(c, "GET", 1))
        return sim_list(c, sim_collection(c->sim, "conversations"));
    struct json_object *one = c->parts[1] != NULL ? find_conversation(c->sim, c->parts[1]) : NULL;
    if (one == NULL)
        return sim_error(c, 404, "CONV_404", "Not found.");
    if (sim_is(c, "GET", 2))
        return sim_ok(c, 200, json_object_get(one));
    if (c->parts[2] == NULL || strcmp(c->parts[2], "messages") != 0)
        return sim_error(c, 404, "SYS_404", "Not found.");
    if (sim_is(c, "GET", 3))
        return messages(c, one);
    if (sim_is(c, "POST", 3))
        return post_message(c, one);
    return sim_error(c, 405, "SYS_405", "Method not allowed.");
}

bool sim_catalog(struct sim_call *c)
{
    const char *first = c->parts[0] != NULL ? c->parts[0] : "";
    if (strcmp(first, "conversations") == 0)
        return conversations(c);
    if (strcmp(first, "accounts") == 0 && sim_is(c, "GET", 1))
        return sim_list(c, sim_collection(c->sim, "accounts"));
    if (strcmp(first, "products") != 0)
        return false;
    if (sim_is(c, "GET", 1))
        return sim_list(c, sim_collection(c->sim, "products"));
    struct json_object *product = c->parts[1] != NULL ? sim_find(c->sim, "products", c->parts[1])
                                                      : NULL;
    if (product == NULL)
        return sim_error(c, 404, "PRD_404", "Not found.");
    if (sim_is(c, "GET", 2))
        return sim_ok(c, 200, json_object_get(product));
    if (sim_is(c, "GET", 3) && strcmp(c->parts[2], "templates") == 0)
        return templates(c);
    return sim_error(c, 404, "SYS_404", "Not found.");
}
