/* rql_path.c - where in a document a path leads. */
#include "base/rql.h"

#include <ctype.h>
#include <string.h>

#include "base/rql_priv.h"

/* Take the next key off a path: up to a dot, a bracket or the end. false if there is none. */
static bool take_key(const char **path, char ret_key[RQL_KEY_MAX])
{
    size_t len = strcspn(*path, ".[");
    if (len == 0 || len >= RQL_KEY_MAX)
        return false;
    memcpy(ret_key, *path, len);
    ret_key[len] = '\0';
    *path += len;
    return true;
}

/* Take "[id]" off a path, if it is next. */
static bool take_pick(const char **path, char ret_id[RQL_KEY_MAX])
{
    if (**path != '[')
        return false;
    size_t len = strcspn(*path + 1, "]");
    if (len == 0 || len >= RQL_KEY_MAX || (*path)[1 + len] != ']')
        return false;
    memcpy(ret_id, *path + 1, len);
    ret_id[len] = '\0';
    *path += len + 2;
    return true;
}

size_t rql_path_common(const char *a, const char *b)
{
    size_t common = 0;
    bool picking = false;
    for (size_t i = 0;; i++) {
        bool a_ends = a[i] == '\0' || strchr(".[", a[i]) != NULL;
        bool b_ends = b[i] == '\0' || strchr(".[", b[i]) != NULL;
        if (!picking && a_ends && b_ends)
            common = i;
        if (a[i] != b[i] || a[i] == '\0')
            return common;
        picking = a[i] == '[' || (picking && a[i] != ']');
    }
}

static bool key_valid(const char *key, bool first)
{
    if (first && !isalpha((unsigned char)key[0]) && key[0] != '_')
        return false;
    for (; *key != '\0'; key++)
        if (!isalnum((unsigned char)*key) && *key != '_' && *key != '-' &&
            (unsigned char)*key < 0x80)
            return false;
    return true;
}

bool rql_path_valid(const char *path)
{
    char key[RQL_KEY_MAX];
    if (*path == '$')
        path++;
    for (bool first = true;; first = false, path++) {
        if (!take_key(&path, key) || !key_valid(key, first))
            return false;
        while (take_pick(&path, key))
            ;
        if (*path == '\0')
            return true;
        if (*path != '.')
            return false;
    }
}

/* The elements that have this id; of an object, the member. */
static bool walk_pick(const struct rql_walk *w, const char *path, const char *id,
                      struct json_object *at)
{
    bool found = false;
    if (json_object_is_type(at, json_type_object)) {
        struct json_object *member = NULL;
        json_object_object_get_ex(at, id, &member);
        return rql_walk(w, path, member);
    }
    size_t n = json_object_is_type(at, json_type_array) ? json_object_array_length(at) : 0;
    for (size_t i = 0; i < n; i++) {
        struct json_object *element = json_object_array_get_idx(at, i), *own = NULL;
        if (!json_object_is_type(element, json_type_object) ||
            !json_object_object_get_ex(element, "id", &own))
            continue;
        struct rql_scalar s;
        rql_scalar(&s, own);
        if ((s.kind != RQL_IS_TEXT && s.kind != RQL_IS_NUMBER) || strcmp(s.text, id) != 0)
            continue;
        found = true;
        if (rql_walk(w, path, element))
            return true;
    }
    return !found && w->visit(w->ctx, NULL);
}

/* Each call goes one level down the document, whose depth is bounded: so is the recursion. */
bool rql_walk(const struct rql_walk *w, const char *path, struct json_object *at)
{
    char key[RQL_KEY_MAX];
    if (*path == '\0' || at == NULL)
        return w->visit(w->ctx, at);
    if (take_pick(&path, key))
        return walk_pick(w, path, key, at);
    if (json_object_is_type(at, json_type_array) && json_object_array_length(at) > 0) {
        for (size_t i = 0; i < json_object_array_length(at); i++)
            if (rql_walk(w, path, json_object_array_get_idx(at, i)))
                return true;
        return false;
    }
    struct json_object *member = NULL;
    path += *path == '.';
    if (take_key(&path, key) && json_object_is_type(at, json_type_object))
        json_object_object_get_ex(at, key, &member);
    return rql_walk(w, path, member);
}

bool rql_walk_from(const struct rql_walk *w, const char *path, const struct json_object *at,
                   const struct rql_scope *scope)
{
    char name[RQL_KEY_MAX];
    if (*path != '$') /* documents are only read: json-c's getters are not const enough */
        return rql_walk(w, path, (struct json_object *)at);
    path++;
    if (take_key(&path, name)) {
        if (strcmp(name, RQL_VAR_OBJECT) == 0)
            return rql_walk(w, path, (struct json_object *)scope->root);
        for (const struct rql_var *v = scope->vars; v != NULL && v->name != NULL; v++)
            if (strcmp(v->name, name) == 0)
                return rql_walk(w, path, v->value);
    }
    return w->visit(w->ctx, NULL);
}

static bool keep_first(void *ctx, struct json_object *value)
{
    struct json_object **ret = ctx;
    *ret = value;
    return value != NULL;
}

struct json_object *rql_lookup(const char *path, const struct json_object *root,
                               const struct rql_var *vars)
{
    struct json_object *found = NULL;
    const struct rql_scope scope = {root, vars};
    if (rql_path_valid(path))
        rql_walk_from(&(struct rql_walk){keep_first, &found}, path, root, &scope);
    return found;
}
