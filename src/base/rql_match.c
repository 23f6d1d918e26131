/* rql_match.c - does a filter hold for a document? */
#include "base/rql.h"

#include <ctype.h>
#include <string.h>

#include "base/rql_priv.h"

/* ---------------------------------------------------------------------- paths */

bool rql_path_key(const char **path, char ret_key[RQL_KEY_MAX])
{
    size_t len = strcspn(*path, ".[");
    if (len == 0 || len >= RQL_KEY_MAX)
        return false;
    memcpy(ret_key, *path, len);
    ret_key[len] = '\0';
    *path += len;
    return true;
}

bool rql_path_pick(const char **path, char ret_id[RQL_KEY_MAX])
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
        if (!rql_path_key(&path, key) || !key_valid(key, first))
            return false;
        while (rql_path_pick(&path, key))
            ;
        if (*path == '\0')
            return true;
        if (*path != '.')
            return false;
    }
}

/* Called with each value that a path leads to, NULL where there is none; true stops the walk. */
typedef bool visit_fn(void *ctx, struct json_object *value);

struct walk {
    visit_fn *visit;
    void *ctx;
};

static bool walk(const struct walk *w, const char *path, struct json_object *at);

/* The elements that have this id; of an object, the member. */
static bool walk_pick(const struct walk *w, const char *path, const char *id,
                      struct json_object *at)
{
    bool found = false;
    if (json_object_is_type(at, json_type_object)) {
        struct json_object *member = NULL;
        json_object_object_get_ex(at, id, &member);
        return walk(w, path, member);
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
        if (walk(w, path, element))
            return true;
    }
    return !found && w->visit(w->ctx, NULL);
}

/* Each call goes one level down the document, whose depth is bounded: so is the recursion. */
static bool walk(const struct walk *w, const char *path, struct json_object *at)
{
    char key[RQL_KEY_MAX];
    if (*path == '\0' || at == NULL)
        return w->visit(w->ctx, at);
    if (rql_path_pick(&path, key))
        return walk_pick(w, path, key, at);
    if (json_object_is_type(at, json_type_array) && json_object_array_length(at) > 0) {
        for (size_t i = 0; i < json_object_array_length(at); i++)
            if (walk(w, path, json_object_array_get_idx(at, i)))
                return true;
        return false;
    }
    struct json_object *member = NULL;
    path += *path == '.';
    if (rql_path_key(&path, key) && json_object_is_type(at, json_type_object))
        json_object_object_get_ex(at, key, &member);
    return walk(w, path, member);
}

/* Walk from the root, or from the variable that the path names. */
static bool walk_from(const struct walk *w, const char *path, const struct json_object *root,
                      const struct rql_var *vars)
{
    char name[RQL_KEY_MAX];
    if (*path != '$') /* the document is only read: json-c's getters are not const enough */
        return walk(w, path, (struct json_object *)root);
    path++;
    if (rql_path_key(&path, name))
        for (; vars != NULL && vars->name != NULL; vars++)
            if (strcmp(vars->name, name) == 0)
                return walk(w, path, vars->value);
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
    if (rql_path_valid(path))
        walk_from(&(struct walk){keep_first, &found}, path, root, vars);
    return found;
}

/* ----------------------------------------------------------------- comparisons */

struct test {
    const struct rql_node *node;
    const struct rql_var *vars;
};

static bool node_holds(const struct rql_node *n, const struct json_object *root,
                       const struct rql_var *vars);

static bool equals(const struct rql_scalar *s, const struct rql_value *v)
{
    switch (v->constant) {
    case RQL_NULL:
        return s->kind == RQL_IS_NULL;
    case RQL_EMPTY:
        return s->kind == RQL_IS_EMPTY || (s->kind == RQL_IS_TEXT && s->text[0] == '\0');
    case RQL_TEXT:
        break;
    }
    return (s->kind == RQL_IS_TEXT || s->kind == RQL_IS_NUMBER) &&
           rql_order(s->text, s->kind == RQL_IS_NUMBER, v->text, false) == 0;
}

static bool scalar_holds(const struct rql_node *n, const struct rql_scalar *s)
{
    bool ordered = s->kind == RQL_IS_TEXT || s->kind == RQL_IS_NUMBER;
    if (n->op == RQL_LIKE || n->op == RQL_ILIKE)
        return ordered && rql_like(n->values, s->text, n->op == RQL_ILIKE);
    if (n->op == RQL_EQ || n->op == RQL_NE || n->op == RQL_IN || n->op == RQL_OUT) {
        for (const struct rql_value *v = n->values; v != NULL; v = v->next)
            if (equals(s, v))
                return true;
        return false;
    }
    if (!ordered || n->values->constant != RQL_TEXT)
        return false;
    int order = rql_order(s->text, s->kind == RQL_IS_NUMBER, n->values->text, false);
    return n->op == RQL_LT   ? order < 0
           : n->op == RQL_LE ? order <= 0
           : n->op == RQL_GT ? order > 0
                             : order >= 0;
}

/* The value itself, or any element of an array. */
static bool test_value(void *ctx, struct json_object *value)
{
    const struct test *t = ctx;
    if (json_object_is_type(value, json_type_array))
        for (size_t i = 0; i < json_object_array_length(value); i++)
            if (test_value(ctx, json_object_array_get_idx(value, i)))
                return true;
    if (t->node->op == RQL_TUPLE) {
        if (!json_object_is_type(value, json_type_object))
            return false;
        for (const struct rql_node *c = t->node->children; c != NULL; c = c->next)
            if (!node_holds(c, value, t->vars))
                return false;
        return true;
    }
    struct rql_scalar s;
    rql_scalar(&s, value);
    return scalar_holds(t->node, &s);
}

/* Any text of the document, for the path `search`; eq means "contains, in any case". */
static bool search(const struct rql_node *n, struct json_object *at)
{
    if (json_object_is_type(at, json_type_object)) {
        struct json_object_iterator it = json_object_iter_begin(at);
        struct json_object_iterator end = json_object_iter_end(at);
        for (; !json_object_iter_equal(&it, &end); json_object_iter_next(&it))
            if (search(n, json_object_iter_peek_value(&it)))
                return true;
        return false;
    }
    if (json_object_is_type(at, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(at); i++)
            if (search(n, json_object_array_get_idx(at, i)))
                return true;
        return false;
    }
    struct rql_scalar s;
    rql_scalar(&s, at);
    if (n->op == RQL_EQ && s.kind == RQL_IS_TEXT && n->values->constant == RQL_TEXT)
        return strcasestr(s.text, n->values->text) != NULL;
    return scalar_holds(n, &s);
}

static bool comparison_holds(const struct rql_node *n, const struct json_object *root,
                             const struct rql_var *vars)
{
    struct test t = {n, vars};
    if (n->op != RQL_TUPLE && strcmp(n->path, RQL_PATH_SEARCH) == 0)
        return search(n, (struct json_object *)root);
    return walk_from(&(struct walk){test_value, &t}, n->path, root, vars);
}

static bool node_holds(const struct rql_node *n, const struct json_object *root,
                       const struct rql_var *vars)
{
    switch (n->op) {
    case RQL_AND:
    case RQL_OR:
        for (const struct rql_node *c = n->children; c != NULL; c = c->next)
            if (node_holds(c, root, vars) == (n->op == RQL_OR))
                return n->op == RQL_OR;
        return n->op == RQL_AND;
    case RQL_NOT:
        return !node_holds(n->children, root, vars);
    case RQL_NE:
    case RQL_OUT:
        return !comparison_holds(n, root, vars);
    default:
        return comparison_holds(n, root, vars);
    }
}

bool rql_match(const struct rql *q, const struct json_object *root, const struct rql_var *vars)
{
    return q->filter == NULL || node_holds(q->filter, root, vars);
}

/* -------------------------------------------------------------------- the rest */

/* In a tuple a bare path is the element's, and of no concern here. */
static bool each_path(const struct rql_node *n, bool in_tuple, rql_path_fn *fn, void *ctx)
{
    if (n->path != NULL && (!in_tuple || n->path[0] == '$') && !fn(ctx, n->path))
        return false;
    in_tuple = in_tuple || n->op == RQL_TUPLE;
    for (const struct rql_node *c = n->children; c != NULL; c = c->next)
        if (!each_path(c, in_tuple, fn, ctx))
            return false;
    return true;
}

void rql_each_path(const struct rql *q, rql_path_fn *fn, void *ctx)
{
    if (q->filter != NULL)
        each_path(q->filter, false, fn, ctx);
}

int64_t rql_limit(const struct rql *q, int64_t otherwise)
{
    return q->limit >= 0 ? q->limit : otherwise;
}

int64_t rql_offset(const struct rql *q, int64_t otherwise)
{
    return q->offset >= 0 ? q->offset : otherwise;
}

static const char *ith(const struct rql_value *v, size_t i)
{
    while (v != NULL && i-- > 0)
        v = v->next;
    return v != NULL ? v->text : NULL;
}

const char *rql_ordering(const struct rql *q, size_t i)
{
    return ith(q->ordering, i);
}

const char *rql_select(const struct rql *q, size_t i)
{
    return ith(q->select, i);
}

static int compare_key(const char *path, const struct json_object *a, const struct json_object *b)
{
    struct rql_scalar x, y;
    rql_scalar(&x, rql_lookup(path, a, NULL));
    rql_scalar(&y, rql_lookup(path, b, NULL));
    bool x_known = x.kind == RQL_IS_TEXT || x.kind == RQL_IS_NUMBER;
    bool y_known = y.kind == RQL_IS_TEXT || y.kind == RQL_IS_NUMBER;
    if (!x_known || !y_known)
        return x_known - y_known;
    return rql_order(x.text, x.kind == RQL_IS_NUMBER, y.text, y.kind == RQL_IS_NUMBER);
}

int rql_compare(const struct rql *q, const struct json_object *a, const struct json_object *b)
{
    for (const struct rql_value *key = q->ordering; key != NULL; key = key->next) {
        bool down = key->text[0] == '-';
        int order = compare_key(key->text + down, a, b);
        if (order != 0)
            return down ? -order : order;
    }
    return 0;
}
