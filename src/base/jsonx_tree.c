/* jsonx_tree.c - each value of a tree, and a copy with its leaves made anew. */
#include <json-c/json_visit.h>

#include "base/jsonx.h"

struct visit {
    jsonx_visit_fn *fn;
    void *ctx;
    bool stopped;
};

static int visit(struct json_object *at, int flags, struct json_object *parent, const char *key,
                 size_t *index, void *ctx)
{
    struct visit *v = ctx;
    (void)parent;
    (void)key;
    (void)index;
    if (flags == JSON_C_VISIT_SECOND) /* a container again, after its members */
        return JSON_C_VISIT_RETURN_CONTINUE;
    v->stopped = !v->fn(v->ctx, at);
    return v->stopped ? JSON_C_VISIT_RETURN_STOP : JSON_C_VISIT_RETURN_CONTINUE;
}

bool jsonx_visit(const struct json_object *root, jsonx_visit_fn *fn, void *ctx)
{
    struct visit v = {fn, ctx, false};
    json_c_visit((struct json_object *)(uintptr_t)root, 0, visit, &v);
    return !v.stopped;
}

/* --------------------------------------------------------------------------- copies */

struct map {
    jsonx_leaf_fn *fn;
    void *ctx;
};

static enum err copy(const struct map *m, struct json_object *json, struct json_object **ret);

static enum err copy_array(const struct map *m, struct json_object *json, struct json_object *to)
{
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < json_object_array_length(json); i++) {
        struct json_object *element = NULL;
        e = copy(m, json_object_array_get_idx(json, i), &element);
        if (e == ERR_OK && json_object_array_add(to, element) != 0) {
            json_object_put(element);
            e = ERR_NOMEM;
        }
    }
    return e;
}

static enum err copy_object(const struct map *m, struct json_object *json, struct json_object *to)
{
    enum err e = ERR_OK;
    struct json_object_iterator it = json_object_iter_begin(json);
    struct json_object_iterator end = json_object_iter_end(json);
    for (; e == ERR_OK && !json_object_iter_equal(&it, &end); json_object_iter_next(&it)) {
        struct json_object *member = NULL;
        e = copy(m, json_object_iter_peek_value(&it), &member);
        if (e == ERR_OK &&
            json_object_object_add(to, json_object_iter_peek_name(&it), member) != 0) {
            json_object_put(member);
            e = ERR_NOMEM;
        }
    }
    return e;
}

/* Recursion is bounded by the depth of the document. */
static enum err copy(const struct map *m, struct json_object *json, struct json_object **ret)
{
    bool array = json_object_is_type(json, json_type_array);
    *ret = NULL;
    if (json == NULL)
        return ERR_OK;
    if (!array && !json_object_is_type(json, json_type_object))
        return m->fn(m->ctx, json, ret);
    struct json_object *to = array ? json_object_new_array() : json_object_new_object();
    if (to == NULL)
        return ERR_NOMEM;
    enum err e = array ? copy_array(m, json, to) : copy_object(m, json, to);
    if (e == ERR_OK)
        *ret = to;
    else
        json_object_put(to);
    return e;
}

enum err jsonx_map(struct json_object *root, jsonx_leaf_fn *fn, void *ctx, struct json_object **ret)
{
    struct json_object *made;
    enum err e = copy(&(struct map){fn, ctx}, root, &made);
    if (e == ERR_OK)
        *ret = made;
    return e;
}
