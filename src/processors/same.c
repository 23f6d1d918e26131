/* same.c - values as Connect keeps them, compared. Recursion is bounded by the depth that
 * jsonx_parse() allows. */
#include "processors/same.h"

#include <string.h>

#include "base/jsonx.h"

static bool is_nothing(struct json_object *value)
{
    switch (json_object_get_type(value)) {
    case json_type_null:
        return true;
    case json_type_string:
        return json_object_get_string_len(value) == 0;
    case json_type_object:
        return json_object_object_length(value) == 0;
    case json_type_boolean:
    case json_type_double:
    case json_type_int:
    case json_type_array:
        break;
    }
    return false;
}

static bool is_scalar(struct json_object *value)
{
    return !json_object_is_type(value, json_type_object) &&
           !json_object_is_type(value, json_type_array);
}

/* How two that are neither nothing nor have parts are compared. */
typedef bool scalar_fn(struct json_object *a, struct json_object *b);

static bool is_same_text(struct json_object *a, struct json_object *b)
{
    return strcmp(json_object_get_string(a), json_object_get_string(b)) == 0;
}

static bool is_number(struct json_object *value)
{
    return json_object_is_type(value, json_type_int) ||
           json_object_is_type(value, json_type_double);
}

static bool is_same_number(struct json_object *a, struct json_object *b)
{
    return is_number(a) && is_number(b) ? json_object_get_double(a) == json_object_get_double(b)
                                        : is_same_text(a, b);
}

static bool is_same(struct json_object *a, struct json_object *b, scalar_fn *scalars);

static bool is_same_array(struct json_object *a, struct json_object *b, scalar_fn *scalars)
{
    size_t n = json_object_array_length(a);
    bool same = n == json_object_array_length(b);
    for (size_t i = 0; i < n && same; i++)
        same = is_same(json_object_array_get_idx(a, i), json_object_array_get_idx(b, i), scalars);
    return same;
}

static bool is_same_object(struct json_object *a, struct json_object *b, scalar_fn *scalars)
{
    struct json_object_iterator end = json_object_iter_end(a), it = json_object_iter_begin(a);
    bool same = json_object_object_length(a) == json_object_object_length(b);
    for (; same && !json_object_iter_equal(&it, &end); json_object_iter_next(&it)) {
        struct json_object *other;
        same = json_object_object_get_ex(b, json_object_iter_peek_name(&it), &other) &&
               is_same(json_object_iter_peek_value(&it), other, scalars);
    }
    return same;
}

static bool is_same(struct json_object *a, struct json_object *b, scalar_fn *scalars)
{
    if (is_nothing(a) || is_nothing(b))
        return is_nothing(a) && is_nothing(b);
    if (is_scalar(a) && is_scalar(b))
        return scalars(a, b);
    if (json_object_get_type(a) != json_object_get_type(b))
        return false;
    return json_object_is_type(a, json_type_array) ? is_same_array(a, b, scalars)
                                                   : is_same_object(a, b, scalars);
}

bool same_value(struct json_object *a, struct json_object *b)
{
    return is_same(a, b, is_same_text);
}

bool same_to_a_program(struct json_object *a, struct json_object *b)
{
    return is_same(a, b, is_same_number);
}

bool same_holds(struct json_object *wanted, struct json_object *present)
{
    if (!json_object_is_type(wanted, json_type_object))
        return same_value(wanted, present);
    if (!json_object_is_type(present, json_type_object))
        return is_nothing(wanted) && is_nothing(present);
    struct json_object_iterator end = json_object_iter_end(wanted);
    struct json_object_iterator it = json_object_iter_begin(wanted);
    bool holds = true;
    for (; holds && !json_object_iter_equal(&it, &end); json_object_iter_next(&it))
        holds = same_holds(json_object_iter_peek_value(&it),
                           jsonx_get(present, json_object_iter_peek_name(&it)));
    return holds;
}
