/* rql_parse.c - from text to a tree: recursive descent, one function a rule of the grammar. */
#include "base/rql.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rql_scan.h"
#include "base/utf8.h"

static enum err parse_term(struct rql_scan *p, struct rql_node **ret);

const char *rql_op_name(enum rql_op op)
{
    static const char *const names[] = {
#define X(code, name) [code] = name,
        RQL_OP_LIST(X)
#undef X
    };
    return names[op];
}

static bool op_parse(const char *word, enum rql_op *ret)
{
    for (enum rql_op op = 0; op < RQL_OP__COUNT; op++)
        if (strcmp(word, rql_op_name(op)) == 0) {
            *ret = op;
            return true;
        }
    return false;
}

static enum err new_node(struct rql_scan *p, enum rql_op op, struct rql_node **ret)
{
    enum err e = rql_count_node(p);
    if (e != ERR_OK)
        return e;
    struct rql_node *n = rql_take(p->q, sizeof *n);
    if (n == NULL)
        return ERR_NOMEM;
    n->op = op;
    *ret = n;
    return ERR_OK;
}

/* A node over `children`. */
static enum err wrap(struct rql_scan *p, enum rql_op op, struct rql_node *children,
                     struct rql_node **ret)
{
    enum err e = new_node(p, op, ret);
    if (e == ERR_OK)
        (*ret)->children = children;
    return e;
}

/* The same, if there are several; one stays as it is. */
static enum err join(struct rql_scan *p, enum rql_op op, struct rql_node *first,
                     struct rql_node **ret)
{
    if (first != NULL && first->next != NULL)
        return wrap(p, op, first, ret);
    *ret = first;
    return ERR_OK;
}

static enum err enter(struct rql_scan *p)
{
    if (p->depth == RQL_DEPTH_MAX)
        return fail(p, ERR_TOO_DEEP, "more than %d levels of operators", RQL_DEPTH_MAX);
    p->depth++;
    return ERR_OK;
}

/* ------------------------------------------------------------------ operators */

/* Terms joined by '&' bind together: a&b. A term that is no filter (limit=5) leaves no node. */
static enum err parse_conjunction(struct rql_scan *p, struct rql_node **ret)
{
    struct rql_node *first = NULL, **tail = &first;
    do {
        enum err e = parse_term(p, tail);
        if (e != ERR_OK)
            return e;
        if (*tail != NULL)
            tail = &(*tail)->next;
    } while (rql_accept(p, '&'));
    return join(p, RQL_AND, first, ret);
}

/*
 * Conjunctions with one separator between them; *ret_separator is '\0' if there is but one. Which
 * separators are welcome is the caller's to say.
 */
static enum err parse_list(struct rql_scan *p, const char *separators, struct rql_node **ret_first,
                           char *ret_separator)
{
    struct rql_node *first = NULL, **tail = &first;
    char separator = '\0';
    for (;;) {
        enum err e = parse_conjunction(p, tail);
        if (e != ERR_OK)
            return e;
        if (*tail != NULL)
            tail = &(*tail)->next;
        char c = rql_peek(p);
        if (c == '\0' || strchr(separators, c) == NULL)
            break;
        if (separator != '\0' && c != separator)
            return fail(p, ERR_SYNTAX,
                        "'%c' and '%c' are mixed: put parentheses around one of them", separator,
                        c);
        separator = c;
        p->at++;
    }
    *ret_first = first;
    *ret_separator = separator;
    return ERR_OK;
}

/* (a,b) (a&b) (a|b) (a;b) (a) */
static enum err parse_group(struct rql_scan *p, struct rql_node **ret)
{
    struct rql_node *first = NULL;
    char separator;
    enum err e = enter(p);
    if (e == ERR_OK)
        e = parse_list(p, ",|;", &first, &separator);
    if (e == ERR_OK)
        e = rql_expect(p, ')', "a group");
    if (e != ERR_OK)
        return e;
    p->depth--;
    return join(p, separator == '|' || separator == ';' ? RQL_OR : RQL_AND, first, ret);
}

/* The conditions of and(...), or(...), not(...), t(...), after the opening parenthesis. */
static enum err parse_operands(struct rql_scan *p, enum rql_op op, struct rql_node **ret_first)
{
    char separator;
    enum err e = enter(p);
    if (e == ERR_OK)
        e = parse_list(p, ",", ret_first, &separator);
    if (e == ERR_OK)
        e = rql_expect(p, ')', rql_op_name(op));
    if (e != ERR_OK)
        return e;
    p->depth--;
    if (op == RQL_NOT && (*ret_first)->next != NULL)
        return fail(p, ERR_SYNTAX, "not(...) takes one condition");
    if ((op == RQL_AND || op == RQL_OR) && (*ret_first)->next == NULL && (*ret_first)->op != op)
        return fail(p, ERR_SYNTAX, "%s(...) takes two conditions or more", rql_op_name(op));
    return ERR_OK;
}

static enum err parse_logical(struct rql_scan *p, enum rql_op op, struct rql_node **ret)
{
    struct rql_node *first = NULL;
    enum err e = parse_operands(p, op, &first);
    if (e != ERR_OK)
        return e;
    return op == RQL_NOT ? wrap(p, op, first, ret)
                         : join(p, op == RQL_TUPLE ? RQL_AND : op, first, ret);
}

/* limit=N and offset=N. */
static enum err parse_count(struct rql_scan *p, const struct rql_node *n, int64_t *ret)
{
    const struct rql_value *v = n->values;
    if (p->depth > 0 || n->op != RQL_EQ)
        return fail(p, ERR_SYNTAX, "%s=N has its place on the top level only", n->path);
    if (*ret != -1)
        return fail(p, ERR_DUPLICATE, "%s is given twice", n->path);
    if (v == NULL || v->constant != RQL_TEXT || v->text[0] == '\0' ||
        strspn(v->text, "0123456789") != strlen(v->text) || strlen(v->text) > 18)
        return fail(p, ERR_SYNTAX, "%s must be a whole number", n->path);
    *ret = strtoll(v->text, NULL, 10);
    return ERR_OK;
}

/* What a path means from the document on, wherever it is written. NULL: out of memory. */
static const char *whole_path(struct rql_scan *p, const char *path)
{
    if (path[0] == '$')
        return path;
    const char *within = p->within != NULL ? p->within : "$" RQL_VAR_OBJECT;
    size_t size = strlen(within) + strlen(path) + 2;
    char *whole = rql_take(p->q, size);
    if (whole != NULL)
        snprintf(whole, size, "%s.%s", within, path);
    return whole;
}

/* path=t(a,b): the node becomes one that asks for an element that is all of it. */
static enum err parse_tuple(struct rql_scan *p, struct rql_node **node)
{
    struct rql_node *n = *node;
    if (n->op != RQL_EQ && n->op != RQL_NE)
        return fail(p, ERR_SYNTAX, "%s takes no tuple", rql_op_name(n->op));
    bool denied = n->op == RQL_NE;
    const char *outside = p->within;
    n->op = RQL_TUPLE;
    p->within = whole_path(p, n->path);
    enum err e = p->within != NULL ? parse_operands(p, RQL_TUPLE, &n->children) : ERR_NOMEM;
    p->within = outside;
    return e == ERR_OK && denied ? wrap(p, RQL_NOT, n, node) : e;
}

/* Where the path of a reference runs along with the node's own, both mean the same element. */
static enum err tie(struct rql_scan *p, const struct rql_node *n, struct rql_value *v)
{
    const char *own = whole_path(p, n->path);
    if (own == NULL)
        return ERR_NOMEM;
    size_t common = rql_path_common(own, v->text), before = strlen(own) - strlen(n->path);
    size_t len = common > before ? common - before : 0;
    if (common == 0 || common + 1 < before) /* parts before the element of the tuple */
        return ERR_OK;
    if (len == 0 && v->text[common] == '[') /* means another element than the tuple's */
        return ERR_OK;
    char *start = rql_take(p->q, len + 1);
    if (start == NULL)
        return ERR_NOMEM;
    memcpy(start, n->path, len);
    v->common = start;
    v->apart = v->text + common;
    return ERR_OK;
}

static enum err check_value(struct rql_scan *p, const char *at, const struct rql_node *n,
                            struct rql_value *v)
{
    const char *op = rql_op_name(n->op);
    bool pattern = n->op == RQL_LIKE || n->op == RQL_ILIKE;
    if (pattern && v->constant != RQL_TEXT)
        return rql_fail_at(p, at, ERR_SYNTAX, "%s takes a text", op);
    if (pattern)
        return rql_make_pattern(p, v, n->op == RQL_ILIKE);
    if (v->constant == RQL_PATH)
        return tie(p, n, v);
    if (n->op < RQL_LT || n->op > RQL_GE || (v->constant == RQL_TEXT && rql_orderable(v->text)))
        return ERR_OK;
    return rql_fail_at(p, at, ERR_SYNTAX,
                       "%s compares numbers (5, -0.25) or times (2026-01-31, "
                       "2026-01-31T12:00:00Z), and this is neither; a field is $object.PATH here",
                       op);
}

/* What follows the path and the operator: a value, a tuple, or for in and out a list. */
static enum err parse_operand(struct rql_scan *p, struct rql_node **node)
{
    struct rql_node *n = *node;
    struct rql_value **tail = &n->values;
    bool list = n->op == RQL_IN || n->op == RQL_OUT;
    rql_skip_space(p);
    if (!list && rql_accept_word(p, "t("))
        return parse_tuple(p, node);
    if (list && !rql_accept(p, '('))
        return fail(p, ERR_SYNTAX, "%s takes a list: %s(field,(a,b))", rql_op_name(n->op),
                    rql_op_name(n->op));
    enum err e;
    do {
        struct rql_value **value = tail;
        rql_skip_space(p);
        const char *at = p->at;
        e = rql_scan_value(p, &tail);
        if (e == ERR_OK)
            e = check_value(p, at, n, *value);
    } while (e == ERR_OK && list && rql_accept(p, ','));
    return e == ERR_OK && list ? rql_expect(p, ')', "a list") : e;
}

/* limit and offset leave the filter and are kept beside it. */
static enum err settle(struct rql_scan *p, struct rql_node *n, struct rql_node **ret)
{
    const char *path = n->path != NULL ? n->path : "";
    int64_t *count = strcmp(path, "limit") == 0    ? &p->q->limit
                     : strcmp(path, "offset") == 0 ? &p->q->offset
                                                   : NULL;
    *ret = count != NULL ? NULL : n;
    return count != NULL ? parse_count(p, n, count) : ERR_OK;
}

/* "and =ge=or" is a slip, not a comparison of a field that is called "and". */
static enum err check_field(const struct rql_scan *p, const char *at, const char *path)
{
    enum rql_op op;
    if ((op_parse(path, &op) && op != RQL_TUPLE) || strcmp(path, "ordering") == 0 ||
        strcmp(path, "select") == 0)
        return rql_fail_at(p, at, ERR_SYNTAX, "%s is an operator, not a field", path);
    return ERR_OK;
}

/* eq(path,value) and its like, after the opening parenthesis. */
static enum err parse_comparison(struct rql_scan *p, enum rql_op op, struct rql_node **ret)
{
    struct rql_node *n;
    enum err e = new_node(p, op, &n);
    rql_skip_space(p);
    const char *start = p->at;
    if (e == ERR_OK)
        e = rql_scan_path(p, &n->path);
    if (e == ERR_OK)
        e = check_field(p, start, n->path);
    if (e == ERR_OK)
        e = rql_expect(p, ',', rql_op_name(op));
    if (e == ERR_OK)
        e = parse_operand(p, &n);
    if (e == ERR_OK)
        e = rql_expect(p, ')', rql_op_name(op));
    return e == ERR_OK ? settle(p, n, ret) : e;
}

/* path=value and path=ge=value, after the first '='. */
static enum err parse_infix(struct rql_scan *p, const char *path, struct rql_node **ret)
{
    enum rql_op op = RQL_EQ;
    for (enum rql_op o = RQL_EQ; o <= RQL_OUT; o++) {
        char word[16];
        snprintf(word, sizeof word, "%s=", rql_op_name(o));
        rql_skip_space(p);
        if (!rql_accept_word(p, word))
            continue;
        if (o > RQL_GE)
            return fail(p, ERR_SYNTAX, "%s has no form with '=': write %s(%s,...)", rql_op_name(o),
                        rql_op_name(o), path);
        op = o;
        break;
    }
    struct rql_node *n;
    enum err e = new_node(p, op, &n);
    if (e != ERR_OK)
        return e;
    n->path = path;
    e = parse_operand(p, &n);
    return e == ERR_OK ? settle(p, n, ret) : e;
}

/* ordering(-created,id) and select(-asset.params), after the opening parenthesis. */
static enum err parse_keys(struct rql_scan *p, const char *name, struct rql_value **ret)
{
    struct rql_value **tail = ret;
    if (p->depth > 0)
        return fail(p, ERR_SYNTAX, "%s(...) has its place on the top level only", name);
    if (*ret != NULL)
        return fail(p, ERR_DUPLICATE, "%s is given twice", name);
    if (rql_accept(p, ')'))
        return ERR_OK;
    do {
        bool minus = rql_accept(p, '-');
        const char *path;
        if (!minus)
            rql_accept(p, '+');
        enum err e = rql_count_node(p);
        if (e == ERR_OK)
            e = rql_scan_path(p, &path);
        if (e != ERR_OK)
            return e;
        struct rql_value *key = rql_take(p->q, sizeof *key);
        size_t size = strlen(path) + 2;
        char *text = rql_take(p->q, size);
        if (key == NULL || text == NULL)
            return ERR_NOMEM;
        snprintf(text, size, "%s%s", minus ? "-" : "", path);
        key->text = text;
        *tail = key;
        tail = &key->next;
    } while (rql_accept(p, ','));
    return rql_expect(p, ')', name);
}

static enum err parse_call(struct rql_scan *p, const char *start, const char *name,
                           struct rql_node **ret)
{
    enum rql_op op;
    *ret = NULL;
    if (strcmp(name, "ordering") == 0)
        return parse_keys(p, name, &p->q->ordering);
    if (strcmp(name, "select") == 0)
        return parse_keys(p, name, &p->q->select);
    if (!op_parse(name, &op))
        return rql_fail_at(p, start, ERR_SYNTAX, "unknown operator %.64s", name);
    return op < RQL_EQ ? parse_logical(p, op, ret) : parse_comparison(p, op, ret);
}

static enum err parse_term(struct rql_scan *p, struct rql_node **ret)
{
    if (rql_accept(p, '('))
        return parse_group(p, ret);
    rql_skip_space(p);
    const char *start = p->at, *word;
    enum err e = rql_scan_path(p, &word);
    if (e != ERR_OK)
        return e;
    if (rql_accept(p, '('))
        return parse_call(p, start, word, ret);
    if (rql_accept(p, '=')) {
        e = check_field(p, start, word);
        return e == ERR_OK ? parse_infix(p, word, ret) : e;
    }
    return fail(p, ERR_SYNTAX, "after %.64s there should be '=' or '('", word);
}

static enum err parse_query(struct rql_scan *p)
{
    struct rql_node *first = NULL;
    char separator;
    if (rql_peek(p) == '\0')
        return ERR_OK;
    enum err e = parse_list(p, ",", &first, &separator);
    if (e == ERR_OK)
        e = join(p, RQL_AND, first, &p->q->filter);
    if (e != ERR_OK || rql_peek(p) == '\0')
        return e;
    if (*p->at == '|' || *p->at == ';')
        return fail(p, ERR_SYNTAX, "alternatives need parentheses: (a%cb)", *p->at);
    return fail(p, ERR_SYNTAX, "this character has no meaning here");
}

/* -------------------------------------------------------------------- the doors */

enum err rql_parse(const char *text, size_t len, struct rql **ret, struct why *why)
{
    if (len > RQL_LEN_MAX)
        return why_set(why, ERR_TOO_BIG, "longer than %d bytes", RQL_LEN_MAX);
    struct rql *q = calloc(1, sizeof *q);
    if (q == NULL)
        return why_no_memory(why);
    q->limit = q->offset = -1;
    struct rql_scan p = {.start = text, .at = text, .end = text + len, .q = q, .why = why};
    enum err e = ERR_OK;
    for (size_t n; text < p.end && e == ERR_OK; text += n) {
        n = utf8_sequence(text, p.end);
        if (n == 0)
            e = rql_fail_at(&p, text, ERR_SYNTAX, "this is not UTF-8");
        else if (iscntrl((unsigned char)*text) && !isspace((unsigned char)*text))
            e = rql_fail_at(&p, text, ERR_SYNTAX, "control characters are not allowed");
    }
    if (e == ERR_OK)
        e = parse_query(&p);
    if (e != ERR_OK) {
        rql_free(q);
        return e == ERR_NOMEM ? why_no_memory(why) : e;
    }
    *ret = q;
    return ERR_OK;
}

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

enum err rql_parse_url(const char *query, size_t len, struct rql **ret, struct why *why)
{
    char text[RQL_LEN_MAX];
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        if (n == sizeof text)
            return why_set(why, ERR_TOO_BIG, "longer than %d bytes", RQL_LEN_MAX);
        text[n] = query[i];
        if (query[i] == '%') {
            int high = len - i > 2 ? hex(query[i + 1]) : -1;
            int low = high >= 0 ? hex(query[i + 2]) : -1;
            if (low < 0)
                return why_set(why, ERR_SYNTAX, "column %zu: '%%' without two hexadecimal digits",
                               n + 1);
            text[n] = (char)(high * 16 + low);
            i += 2;
        }
        n++;
    }
    return rql_parse(text, n, ret, why);
}
