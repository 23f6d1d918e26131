/* catalog.c - products, templates, conversations and accounts: what processing looks things up in.
 */
#include <string.h>

#include "base/jsonx.h"
#include "sim/kind.h"
#include "sim/rooms.h"

static bool post_message(struct sim_call *c, struct json_object *conversation)
{
    const char *text = jsonx_str(c->body, "text", "");
    if (*text == '\0')
        return sim_error(c, 400, "VAL_001", "text: This field is required.");
    if (strcmp(jsonx_str(conversation, "status", "open"), "closed") == 0)
        return sim_error(c, 400, "CONV_001", "The conversation is closed.");
    struct json_object *m = json_object_new_object();
    char id[40];
    sim_new_id(c->sim, STORE_MESSAGES, "ME", id);
    jsonx_add_text(m, "id", id);
    jsonx_add_text(m, "conversation", jsonx_str(conversation, "id", ""));
    jsonx_add(m, "created", sim_now());
    jsonx_add_text(m, "type", "message");
    jsonx_add_text(m, "text", text);
    return sim_created(c, STORE_MESSAGES, m);
}

/* By its own id or by that of what it is about. */
static struct json_object *find_conversation(struct store *s, const char *id)
{
    struct json_object *found = store_find(s, STORE_CONVERSATIONS, id);
    return found != NULL ? found : store_newest(s, STORE_CONVERSATIONS, id);
}

static bool conversations(struct sim_call *c)
{
    if (sim_is(c, "GET", 1))
        return sim_list(c, STORE_CONVERSATIONS, NULL);
    struct json_object *one = c->parts[1] != NULL ? find_conversation(c->sim->store, c->parts[1])
                                                  : NULL;
    if (one == NULL)
        return sim_error(c, 404, "CONV_404", "Not found.");
    if (sim_is(c, "GET", 2))
        return sim_ok(c, 200, json_object_get(one));
    if (c->parts[2] == NULL || strcmp(c->parts[2], "messages") != 0)
        return sim_error(c, 404, "SYS_404", "Not found.");
    if (sim_is(c, "GET", 3))
        return sim_list(c, STORE_MESSAGES, jsonx_str(one, "id", ""));
    if (sim_is(c, "POST", 3))
        return post_message(c, one);
    return sim_no_method(c);
}

const struct sim_kind sim_kind_accounts = {
    .path = {"accounts"},
    .store = STORE_ACCOUNTS,
    .code = "ACC",
};

bool sim_catalog(struct sim_call *c)
{
    const char *first = c->parts[0] != NULL ? c->parts[0] : "";
    if (strcmp(first, "conversations") == 0)
        return conversations(c);
    if (strcmp(first, "products") != 0)
        return false;
    if (sim_is(c, "GET", 1))
        return sim_list(c, STORE_PRODUCTS, NULL);
    struct json_object *product = c->parts[1] != NULL
                                      ? store_find(c->sim->store, STORE_PRODUCTS, c->parts[1])
                                      : NULL;
    if (product == NULL)
        return sim_error(c, 404, "PRD_404", "Not found.");
    if (sim_is(c, "GET", 2))
        return sim_ok(c, 200, json_object_get(product));
    if (sim_is(c, "GET", 3) && strcmp(c->parts[2], "templates") == 0)
        return sim_list(c, STORE_TEMPLATES, c->parts[1]);
    return sim_error(c, 404, "SYS_404", "Not found.");
}
