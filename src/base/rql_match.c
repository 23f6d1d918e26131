/* rql_match.c - does a filter hold for a document? */
#include "base/rql.h"

#include <stdlib.h>
#include <string.h>

#include "base/jsonx.h"
#include "base/rql_priv.h"
#include "base/utf8.h"

/* One evaluation. A failure sticks: whatever the rest says then does not count. */
struct match {
    struct rql_scope scope;
    enum err err;
};

/* One comparison of it. */
struct test {
    struct match *match;
    const struct rql_node *node;
    const struct rql_value *value; /* a reference that is being compared with */
    struct json_object *common;    /* where its path leaves the node's own */
    const struct rql_scalar *left;
};

static bool node_holds(struct match *m, const struct rql_node *n, const struct json_object *at);

/* --------------------------------------------------------------- a value, a literal */

static bool has_text(const struct rql_scalar *s)
{
    return s->kind == RQL_IS_TEXT || s->kind == RQL_IS_NUMBER;
}

/* Missing equals missing. Lists and objects that are not empty equal nothing. */
static bool equal(const struct rql_scalar *a, const struct rql_scalar *b)
{
    if (has_text(a) && has_text(b))
        return rql_order(a, b) == 0;
    return a->kind == b->kind && (a->kind == RQL_IS_NULL || a->kind == RQL_IS_EMPTY);
}

static bool ordered(enum rql_op op, const struct rql_scalar *a, const struct rql_scalar *b)
{
    int order;
    if (!has_text(a) || !has_text(b) || !rql_order_alike(a, b, &order))
        return false;
    return op == RQL_LT   ? order < 0
           : op == RQL_LE ? order <= 0
           : op == RQL_GT ? order > 0
                          : order >= 0;
}

static bool scalars_hold(enum rql_op op, const struct rql_scalar *a, const struct rql_scalar *b)
{
    return RQL_LT <= op && op <= RQL_GE ? ordered(op, a, b) : equal(a, b);
}

static bool is_like(struct match *m, const struct rql_node *n, const char *text)
{
    if (n->op == RQL_LIKE)
        return rql_like(n->values, text);
    char *folded = utf8_fold(text); /* as the parser folded the pattern */
    if (folded == NULL)
        m->err = ERR_NOMEM;
    bool holds = folded != NULL && rql_like(n->values, folded);
    free(folded);
    return holds;
}

static bool literal_holds(const struct rql_node *n, const struct rql_value *v,
                          const struct rql_scalar *s)
{
    switch (v->constant) {
    case RQL_NULL:
        return s->kind == RQL_IS_NULL;
    case RQL_EMPTY:
        return s->kind == RQL_IS_EMPTY || (s->kind == RQL_IS_TEXT && s->text[0] == '\0');
    case RQL_PATH:
        return false; /* reference_holds() */
    case RQL_TEXT:
        break;
    }
    const struct rql_scalar literal = {.kind = RQL_IS_TEXT, .text = v->text};
    return scalars_hold(n->op, s, &literal);
}

static bool scalar_holds(struct match *m, const struct rql_node *n, const struct rql_scalar *s)
{
    if (n->op == RQL_LIKE || n->op == RQL_ILIKE)
        return has_text(s) && is_like(m, n, s->text);
    for (const struct rql_value *v = n->values; v != NULL; v = v->next)
        if (literal_holds(n, v, s))
            return true;
    return false;
}

static bool any_element(rql_visit_fn *fn, void *ctx, struct json_object *value)
{
    size_t n = json_object_is_type(value, json_type_array) ? json_object_array_length(value) : 0;
    for (size_t i = 0; i < n; i++)
        if (fn(ctx, json_object_array_get_idx(value, i)))
            return true;
    return false;
}

/* The value itself, or any element of an array. */
static bool test_literals(void *ctx, struct json_object *value)
{
    const struct test *t = ctx;
    struct rql_scalar s;
    if (any_element(test_literals, ctx, value))
        return true;
    rql_scalar(&s, value);
    return scalar_holds(t->match, t->node, &s);
}

/* -------------------------------------------------------------- a value, a reference */

static bool test_right(void *ctx, struct json_object *value)
{
    const struct test *t = ctx;
    struct rql_scalar right;
    if (any_element(test_right, ctx, value))
        return true;
    rql_scalar(&right, value);
    return scalars_hold(t->node->op, t->left, &right);
}

static bool test_left(void *ctx, struct json_object *value)
{
    struct test t = *(const struct test *)ctx;
    const struct rql_walk right = {test_right, &t};
    struct rql_scalar left;
    if (any_element(test_left, ctx, value))
        return true;
    rql_scalar(&left, value);
    t.left = &left;
    if (t.value->common != NULL)
        return rql_walk(&right, t.value->apart, t.common);
    return rql_walk_from(&right, t.value->text, NULL, &t.match->scope);
}

/* Where the paths of both sides part, they have one and the same element in hand. */
static bool test_common(void *ctx, struct json_object *at)
{
    struct test t = *(const struct test *)ctx;
    const char *left = t.node->path + strlen(t.value->common);
    bool picks = left[0] == '[' || t.value->apart[0] == '[';
    if (!picks && json_object_is_type(at, json_type_array) && json_object_array_length(at) > 0)
        return any_element(test_common, ctx, at);
    t.common = at;
    return rql_walk(&(struct rql_walk){test_left, &t}, left, at);
}

static bool reference_holds(struct match *m, const struct rql_node *n, const struct rql_value *v,
                            const struct json_object *at)
{
    struct test t = {.match = m, .node = n, .value = v};
    if (v->common != NULL)
        return rql_walk_from(&(struct rql_walk){test_common, &t}, v->common, at, &m->scope);
    return rql_walk_from(&(struct rql_walk){test_left, &t}, n->path, at, &m->scope);
}

/* --------------------------------------------------------------- the other operators */

/* Is it, or an element of it, all that the tuple asks for? */
static bool test_tuple(void *ctx, struct json_object *value)
{
    const struct test *t = ctx;
    if (any_element(test_tuple, ctx, value))
        return true;
    if (!json_object_is_type(value, json_type_object))
        return false;
    for (const struct rql_node *c = t->node->children; c != NULL; c = c->next)
        if (!node_holds(t->match, c, value))
            return false;
    return true;
}

static bool contains(struct match *m, const char *text, const char *words)
{
    char *in = utf8_fold(text), *what = utf8_fold(words);
    if (in == NULL || what == NULL)
        m->err = ERR_NOMEM;
    bool found = in != NULL && what != NULL && strstr(in, what) != NULL;
    free(in);
    free(what);
    return found;
}

/* For the path `search`, which is every text of the document; eq means "contains, in any case". */
static bool misses_search(void *ctx, struct json_object *at)
{
    const struct test *t = ctx;
    const struct rql_node *n = t->node;
    struct rql_scalar s;
    if (json_object_is_type(at, json_type_object) || json_object_is_type(at, json_type_array))
        return true;
    rql_scalar(&s, at);
    if (n->op == RQL_EQ && s.kind == RQL_IS_TEXT && n->values->constant == RQL_TEXT)
        return !contains(t->match, s.text, n->values->text);
    return !scalar_holds(t->match, n, &s);
}

static bool comparison_holds(struct match *m, const struct rql_node *n,
                             const struct json_object *at)
{
    struct test t = {.match = m, .node = n};
    if (n->op == RQL_TUPLE)
        return rql_walk_from(&(struct rql_walk){test_tuple, &t}, n->path, at, &m->scope);
    if (strcmp(n->path, RQL_PATH_SEARCH) == 0)
        return !jsonx_visit(at, misses_search, &t);
    if (rql_walk_from(&(struct rql_walk){test_literals, &t}, n->path, at, &m->scope))
        return true;
    for (const struct rql_value *v = n->values; v != NULL; v = v->next)
        if (v->constant == RQL_PATH && reference_holds(m, n, v, at))
            return true;
    return false;
}

static bool node_holds(struct match *m, const struct rql_node *n, const struct json_object *at)
{
    switch (n->op) {
    case RQL_AND:
    case RQL_OR:
        for (const struct rql_node *c = n->children; c != NULL; c = c->next)
            if (node_holds(m, c, at) == (n->op == RQL_OR))
                return n->op == RQL_OR;
        return n->op == RQL_AND;
    case RQL_NOT:
        return !node_holds(m, n->children, at);
    case RQL_NE:
    case RQL_OUT:
        return !comparison_holds(m, n, at);
    default:
        return comparison_holds(m, n, at);
    }
}

enum err rql_match(const struct rql *q, const struct json_object *root, const struct rql_var *vars,
                   bool *ret)
{
    struct match m = {.scope = {root, vars}, .err = ERR_OK};
    bool holds = q->filter == NULL || node_holds(&m, q->filter, root);
    if (m.err == ERR_OK)
        *ret = holds;
    return m.err;
}

/* -------------------------------------------------------------------- the rest */

/* In a tuple a bare path is the element's, and of no concern here. */
static bool each_path(const struct rql_node *n, bool in_tuple, rql_path_fn *fn, void *ctx)
{
    if (n->path != NULL && (!in_tuple || n->path[0] == '$') && !fn(ctx, n->path))
        return false;
    for (const struct rql_value *v = n->values; v != NULL; v = v->next)
        if (v->constant == RQL_PATH && !fn(ctx, v->text))
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
    bool x_known = has_text(&x), y_known = has_text(&y);
    return x_known && y_known ? rql_order(&x, &y) : x_known - y_known;
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
