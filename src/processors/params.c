/* params.c - which parameters differ. */
#include "processors/params.h"

#include <stdbool.h>
#include <string.h>

#include "base/jsonx.h"
#include "processors/same.h"

static bool differs(struct json_object *wanted, const struct json_object *present)
{
    struct json_object_iterator end = json_object_iter_end(wanted);
    struct json_object_iterator it = json_object_iter_begin(wanted);
    for (; !json_object_iter_equal(&it, &end); json_object_iter_next(&it)) {
        const char *name = json_object_iter_peek_name(&it);
        struct json_object *value = json_object_iter_peek_value(&it);
        if (value != NULL && strcmp(name, "id") != 0 &&
            !same_value(value, jsonx_get(present, name)))
            return true;
    }
    return false;
}

enum err params_changed(const struct json_object *wanted, const struct json_object *present,
                        struct json_object **ret)
{
    struct json_object *changed = json_object_new_array();
    if (changed == NULL)
        return ERR_NOMEM;
    size_t n = wanted != NULL ? json_object_array_length(wanted) : 0;
    for (size_t i = 0; i < n; i++) {
        struct json_object *param = json_object_array_get_idx(wanted, i);
        if (!differs(param, jsonx_element(present, jsonx_str(param, "id", ""))))
            continue;
        /* To Connect a null would be a value. */
        if (!jsonx_append(changed, jsonx_without_nulls(param))) {
            json_object_put(changed);
            return ERR_NOMEM;
        }
    }
    *ret = changed;
    return ERR_OK;
}
