/* passwords.c - the values of the parameters of type `password`. */
#include "policy/passwords.h"

#include <string.h>

#include "base/jsonx.h"

struct collecting {
    const struct json_object *given; /* an answer's parameters, or NULL */
    struct mask *mask;
    enum err err;
};

/* Booleans hide nothing, and are half of all words. */
static bool add_leaf(void *ctx, struct json_object *at)
{
    struct collecting *c = ctx;
    if (json_object_is_type(at, json_type_string) || json_object_is_type(at, json_type_int) ||
        json_object_is_type(at, json_type_double))
        c->err = mask_add(c->mask, json_object_get_string(at));
    return c->err == ERR_OK;
}

static bool add_values(struct collecting *c, const struct json_object *param)
{
    return jsonx_visit(jsonx_get(param, "value"), add_leaf, c) &&
           jsonx_visit(jsonx_get(param, "structured_value"), add_leaf, c);
}

/* With its own values come those that the answer gives to the parameter of this id. */
static bool add_password(void *ctx, struct json_object *at)
{
    struct collecting *c = ctx;
    if (strcmp(jsonx_str(at, "type", ""), "password") != 0)
        return true;
    return add_values(c, at) && add_values(c, jsonx_element(c->given, jsonx_str(at, "id", "")));
}

enum err passwords_collect(const struct json_object *object, const struct json_object *given,
                           struct mask *m)
{
    struct collecting c = {given, m, ERR_OK};
    jsonx_visit(object, add_password, &c);
    return c.err;
}
