/* mask.c - passwords hidden before a decision is shown or kept. */
#include "policy/mask.h"

#include <stdbool.h>
#include <string.h>

#include "base/jsonx.h"

/* Is there a parameter of this id and of type password, anywhere in the document? */
static bool is_password(struct json_object *at, const char *id)
{
    if (json_object_is_type(at, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(at); i++)
            if (is_password(json_object_array_get_idx(at, i), id))
                return true;
        return false;
    }
    if (!json_object_is_type(at, json_type_object))
        return false;
    if (strcmp(jsonx_str(at, "id", ""), id) == 0 &&
        strcmp(jsonx_str(at, "type", ""), "password") == 0)
        return true;
    struct json_object_iterator it = json_object_iter_begin(at), end = json_object_iter_end(at);
    for (; !json_object_iter_equal(&it, &end); json_object_iter_next(&it))
        if (is_password(json_object_iter_peek_value(&it), id))
            return true;
    return false;
}

static bool hide(struct json_object *param, const char *key)
{
    if (jsonx_get(param, key) == NULL)
        return true;
    return jsonx_add(param, key, json_object_new_string(MASK_TEXT));
}

enum err mask_decision(const struct json_object *decision, const struct json_object *object,
                       struct json_object **ret)
{
    struct json_object *copy = jsonx_copy(decision);
    if (copy == NULL)
        return ERR_NOMEM;
    const struct json_object *params = jsonx_array(copy, "params");
    for (size_t i = 0; params != NULL && i < json_object_array_length(params); i++) {
        struct json_object *param = json_object_array_get_idx(params, i);
        if (!is_password((struct json_object *)object, jsonx_str(param, "id", "")))
            continue;
        if (!hide(param, "value") || !hide(param, "structured_value")) {
            json_object_put(copy);
            return ERR_NOMEM;
        }
    }
    *ret = copy;
    return ERR_OK;
}
