/* passwords.c - the values of the parameters of type `password`. */
#include "policy/passwords.h"

#include <stdbool.h>
#include <string.h>

#include "base/jsonx.h"

/* Called with each object of a document; false stops. */
typedef bool visit_fn(void *ctx, const struct json_object *at);

/* Recursion is bounded by the depth of the document. */
static bool each_object(struct json_object *at, visit_fn *visit, void *ctx)
{
    if (json_object_is_type(at, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(at); i++)
            if (!each_object(json_object_array_get_idx(at, i), visit, ctx))
                return false;
        return true;
    }
    if (!json_object_is_type(at, json_type_object))
        return true;
    if (!visit(ctx, at))
        return false;
    struct json_object_iterator it = json_object_iter_begin(at), end = json_object_iter_end(at);
    for (; !json_object_iter_equal(&it, &end); json_object_iter_next(&it))
        if (!each_object(json_object_iter_peek_value(&it), visit, ctx))
            return false;
    return true;
}

static enum err add_leaves(struct mask *m, struct json_object *value)
{
    enum err e = ERR_OK;
    switch (json_object_get_type(value)) {
    case json_type_string:
    case json_type_int:
    case json_type_double:
        return mask_add(m, json_object_get_string(value));
    case json_type_array:
        for (size_t i = 0; e == ERR_OK && i < json_object_array_length(value); i++)
            e = add_leaves(m, json_object_array_get_idx(value, i));
        return e;
    case json_type_object: {
        struct json_object_iterator it = json_object_iter_begin(value);
        struct json_object_iterator end = json_object_iter_end(value);
        for (; e == ERR_OK && !json_object_iter_equal(&it, &end); json_object_iter_next(&it))
            e = add_leaves(m, json_object_iter_peek_value(&it));
        return e;
    }
    case json_type_null:
    case json_type_boolean: /* hides nothing, and is half of all words */
        break;
    }
    return e;
}

static enum err add_values(struct mask *m, const struct json_object *param)
{
    enum err e = add_leaves(m, jsonx_get(param, "value"));
    return e == ERR_OK ? add_leaves(m, jsonx_get(param, "structured_value")) : e;
}

static bool is_password(const struct json_object *param)
{
    return strcmp(jsonx_str(param, "type", ""), "password") == 0;
}

struct collecting {
    struct mask *mask;
    enum err err;
};

static bool collect(void *ctx, const struct json_object *at)
{
    struct collecting *c = ctx;
    if (is_password(at))
        c->err = add_values(c->mask, at);
    return c->err == ERR_OK;
}

/* Goes on until the parameter of this id is found. */
static bool is_other(void *ctx, const struct json_object *at)
{
    return !is_password(at) || strcmp(jsonx_str(at, "id", ""), ctx) != 0;
}

enum err passwords_collect(struct json_object *object, const struct json_object *decision,
                           struct mask *m)
{
    struct collecting c = {m, ERR_OK};
    each_object(object, collect, &c);
    const struct json_object *params = jsonx_array(decision, "params");
    size_t n = params != NULL ? json_object_array_length(params) : 0;
    for (size_t i = 0; c.err == ERR_OK && i < n; i++) {
        const struct json_object *param = json_object_array_get_idx(params, i);
        if (!each_object(object, is_other, (char *)jsonx_str(param, "id", "")))
            c.err = add_values(m, param);
    }
    return c.err;
}
