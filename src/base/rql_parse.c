/* rql_parse.c - from text to a tree: recursive descent, one function a rule of the grammar. */
#include "base/rql.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rql_priv.h"

struct rql_block {
    struct rql_block *next;
    max_align_t bytes[];
};

struct parser {
    const char *start, *at, *end;
    struct rql *q;
    unsigned depth; /* 0 on the top level */
    size_t nodes;
    struct why *why;
};

static enum err parse_term(struct parser *p, struct rql_node **ret);

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

/* ---------------------------------------------------------------- the ground */

static enum err fail_at(const struct parser *p, const char *at, enum err e, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static enum err fail_at(const struct parser *p, const char *at, enum err e, const char *fmt, ...)
{
    char text[WHY_MAX / 2];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return why_set(p->why, e, "column %zu: %s", (size_t)(at - p->start) + 1, text);
}

#define fail(p, e, ...) fail_at(p, (p)->at, e, __VA_ARGS__)

/* Zeroed memory that lives as long as the query. */
static void *take(struct rql *q, size_t size)
{
    struct rql_block *b = calloc(1, sizeof *b + size);
    if (b == NULL)
        return NULL;
    b->next = q->blocks;
    q->blocks = b;
    return b->bytes;
}

static const char *take_text(struct rql *q, const char *text, size_t len)
{
    char *copy = take(q, len + 1);
    if (copy != NULL)
        memcpy(copy, text, len);
    return copy;
}

static enum err count_node(struct parser *p)
{
    if (++p->nodes > RQL_NODES_MAX)
        return fail(p, ERR_TOO_BIG, "more than %d operators and values", RQL_NODES_MAX);
    return ERR_OK;
}

static enum err new_node(struct parser *p, enum rql_op op, struct rql_node **ret)
{
    enum err e = count_node(p);
    if (e != ERR_OK)
        return e;
    struct rql_node *n = take(p->q, sizeof *n);
    if (n == NULL)
        return ERR_NOMEM;
    n->op = op;
    *ret = n;
    return ERR_OK;
}

static enum err enter(struct parser *p)
{
    if (p->depth == RQL_DEPTH_MAX)
        return fail(p, ERR_TOO_DEEP, "more than %d levels of operators", RQL_DEPTH_MAX);
    p->depth++;
    return ERR_OK;
}

static void skip_space(struct parser *p)
{
    while (p->at < p->end && isspace((unsigned char)*p->at))
        p->at++;
}

/* The next character that counts, or '\0' at the end (which the text itself never holds). */
static char peek(struct parser *p)
{
    skip_space(p);
    return p->at < p->end ? *p->at : '\0';
}

static bool accept(struct parser *p, char c)
{
    if (peek(p) != c)
        return false;
    p->at++;
    return true;
}

static enum err expect(struct parser *p, char c, const char *where)
{
    if (accept(p, c))
        return ERR_OK;
    if (p->at == p->end)
        return fail(p, ERR_SYNTAX, "ends where %s needs a '%c'", where, c);
    return fail(p, ERR_SYNTAX, "%s needs a '%c' here", where, c);
}

/* ----------------------------------------------------------- paths and values */

/* Letters, digits and underscores, and whatever is not ASCII. */
static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_value_start(char c)
{
    return is_word(c) || (c != '\0' && strchr("-*+\\", c) != NULL);
}

static bool is_value(char c)
{
    return is_value_start(c) || isspace((unsigned char)c) ||
           (c != '\0' && strchr(".:@", c) != NULL);
}

/* "asset__params[a__b]" is "asset.params[a__b]": Connect's older filters join keys so. */
static void dots_for_underscores(char *path)
{
    char *to = path;
    bool picking = false;
    for (const char *from = path; *from != '\0'; from++) {
        picking = *from == '[' || (picking && *from != ']');
        if (!picking && from[0] == '_' && from[1] == '_') {
            *to++ = '.';
            from++;
        } else {
            *to++ = *from;
        }
    }
    *to = '\0';
}

/* A path, or the name of an operator: what it is tells the character after it. */
static enum err parse_path(struct parser *p, const char **ret)
{
    skip_space(p);
    const char *start = p->at;
    bool picking = false;
    if (p->at < p->end && *p->at == '$')
        p->at++;
    for (; p->at < p->end; p->at++) {
        char c = *p->at;
        if (picking ? c == ']' : c == '[')
            picking = !picking;
        else if (!picking && !is_word(c) && c != '-' && c != '.')
            break;
    }
    char *path = take(p->q, (size_t)(p->at - start) + 1);
    if (path == NULL)
        return ERR_NOMEM;
    memcpy(path, start, (size_t)(p->at - start));
    dots_for_underscores(path);
    if (!rql_path_valid(path))
        return fail_at(p, start, ERR_SYNTAX,
                       start == p->end ? "ends where a condition should be"
                                       : "a field or an operator should be here");
    *ret = path;
    return ERR_OK;
}

static enum err parse_quoted(struct parser *p, struct rql_value *v)
{
    char quote = *p->at;
    const char *close = memchr(p->at + 1, quote, (size_t)(p->end - p->at) - 1);
    if (close == NULL)
        return fail(p, ERR_SYNTAX, "this quote is never closed");
    v->text = take_text(p->q, p->at + 1, (size_t)(close - p->at) - 1);
    p->at = close + 1;
    return v->text != NULL ? ERR_OK : ERR_NOMEM;
}

static enum err parse_unquoted(struct parser *p, struct rql_value *v)
{
    const char *start = p->at;
    if (!is_value_start(*start))
        return fail(p, ERR_SYNTAX,
                    strchr("&,|;)", *start) != NULL
                        ? "a value is missing: for an empty one write empty(), for none null()"
                        : "a value with such a character needs quotes");
    while (p->at < p->end && is_value(*p->at))
        p->at++;
    if (p->at < p->end && strchr("&,|;)", *p->at) == NULL)
        return fail(p, ERR_SYNTAX, "a value with such a character needs quotes");
    size_t len = (size_t)(p->at - start);
    while (isspace((unsigned char)start[len - 1]))
        len--;
    v->text = take_text(p->q, start, len);
    return v->text != NULL ? ERR_OK : ERR_NOMEM;
}

static bool accept_word(struct parser *p, const char *word)
{
    size_t len = strlen(word);
    if ((size_t)(p->end - p->at) < len || memcmp(p->at, word, len) != 0)
        return false;
    p->at += len;
    return true;
}

/* Append a value to the list that `tail` ends. */
static enum err parse_value(struct parser *p, struct rql_value ***tail)
{
    enum err e = count_node(p);
    if (e != ERR_OK)
        return e;
    struct rql_value *v = take(p->q, sizeof *v);
    if (v == NULL)
        return ERR_NOMEM;
    char c = peek(p);
    if (c == '\0')
        e = fail(p, ERR_SYNTAX, "ends where a value should be");
    else if (c == '"' || c == '\'')
        e = parse_quoted(p, v);
    else if (accept_word(p, "null()"))
        v->constant = RQL_NULL;
    else if (accept_word(p, "empty()"))
        v->constant = RQL_EMPTY;
    else
        e = parse_unquoted(p, v);
    if (e != ERR_OK)
        return e;
    **tail = v;
    *tail = &v->next;
    return ERR_OK;
}

/* Cut a pattern at its stars, so that matching need not look for them. */
static void cut_pattern(struct rql_value *v)
{
    char *to = (char *)v->text; /* ours, and not yet shown to anybody */
    for (const char *from = v->text; *from != '\0'; from++) {
        if (from[0] == '\\' && from[1] == '*') {
            *to++ = *++from;
        } else if (*from == '*') {
            *to++ = '\0';
            v->stars++;
        } else {
            *to++ = *from;
        }
    }
    *to = '\0';
}

/* ------------------------------------------------------------------ operators */

/* Terms joined by '&' bind together: a&b. A term that is no filter (limit=5) leaves no node. */
static enum err parse_conjunction(struct parser *p, struct rql_node **ret)
{
    struct rql_node *first = NULL, **tail = &first;
    do {
        enum err e = parse_term(p, tail);
        if (e != ERR_OK)
            return e;
        if (*tail != NULL)
            tail = &(*tail)->next;
    } while (accept(p, '&'));

    *ret = first;
    if (first == NULL || first->next == NULL)
        return ERR_OK;
    enum err e = new_node(p, RQL_AND, ret);
    if (e == ERR_OK)
        (*ret)->children = first;
    return e;
}

/*
 * Conjunctions with one separator between them; *ret_separator is '\0' if there is but one. Which
 * separators are welcome is the caller's to say.
 */
static enum err parse_list(struct parser *p, const char *separators, struct rql_node **ret_first,
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
        char c = peek(p);
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

static enum err join(struct parser *p, enum rql_op op, struct rql_node *first,
                     struct rql_node **ret)
{
    if (first == NULL || first->next == NULL) {
        *ret = first;
        return ERR_OK;
    }
    enum err e = new_node(p, op, ret);
    if (e == ERR_OK)
        (*ret)->children = first;
    return e;
}

/* (a,b) (a&b) (a|b) (a;b) (a) */
static enum err parse_group(struct parser *p, struct rql_node **ret)
{
    struct rql_node *first;
    char separator;
    enum err e = enter(p);
    if (e == ERR_OK)
        e = parse_list(p, ",|;", &first, &separator);
    if (e == ERR_OK)
        e = expect(p, ')', "a group");
    if (e != ERR_OK)
        return e;
    p->depth--;
    return join(p, separator == '|' || separator == ';' ? RQL_OR : RQL_AND, first, ret);
}

/* The conditions of and(...), or(...), not(...), t(...), after the opening parenthesis. */
static enum err parse_operands(struct parser *p, enum rql_op op, struct rql_node **ret_first)
{
    char separator;
    enum err e = enter(p);
    if (e == ERR_OK)
        e = parse_list(p, ",", ret_first, &separator);
    if (e == ERR_OK)
        e = expect(p, ')', rql_op_name(op));
    if (e != ERR_OK)
        return e;
    p->depth--;
    if (op == RQL_NOT && (*ret_first)->next != NULL)
        return fail(p, ERR_SYNTAX, "not(...) takes one condition");
    if ((op == RQL_AND || op == RQL_OR) && (*ret_first)->next == NULL && (*ret_first)->op != op)
        return fail(p, ERR_SYNTAX, "%s(...) takes two conditions or more", rql_op_name(op));
    return ERR_OK;
}

static enum err parse_logical(struct parser *p, enum rql_op op, struct rql_node **ret)
{
    struct rql_node *first;
    enum err e = parse_operands(p, op, &first);
    if (e != ERR_OK)
        return e;
    if (op != RQL_NOT)
        return join(p, op == RQL_TUPLE ? RQL_AND : op, first, ret);
    e = new_node(p, op, ret);
    if (e == ERR_OK)
        (*ret)->children = first;
    return e;
}

/* limit=N and offset=N. */
static enum err parse_count(struct parser *p, const struct rql_node *n, int64_t *ret)
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

/* path=t(a,b): the node becomes one that asks for an element that is all of it. */
static enum err parse_tuple(struct parser *p, struct rql_node **node)
{
    struct rql_node *n = *node;
    if (n->op != RQL_EQ && n->op != RQL_NE)
        return fail(p, ERR_SYNTAX, "%s takes no tuple", rql_op_name(n->op));
    bool denied = n->op == RQL_NE;
    n->op = RQL_TUPLE;
    enum err e = parse_operands(p, RQL_TUPLE, &n->children);
    if (e != ERR_OK || !denied)
        return e;
    e = new_node(p, RQL_NOT, node);
    if (e == ERR_OK)
        (*node)->children = n;
    return e;
}

/* What follows the path and the operator: a value, a tuple, or for in and out a list. */
static enum err parse_operand(struct parser *p, struct rql_node **node)
{
    struct rql_node *n = *node;
    struct rql_value **tail = &n->values;
    bool list = n->op == RQL_IN || n->op == RQL_OUT;
    skip_space(p);
    if (!list && accept_word(p, "t("))
        return parse_tuple(p, node);
    if (list && !accept(p, '('))
        return fail(p, ERR_SYNTAX, "%s takes a list: %s(field,(a,b))", rql_op_name(n->op),
                    rql_op_name(n->op));
    enum err e;
    do
        e = parse_value(p, &tail);
    while (e == ERR_OK && list && accept(p, ','));
    if (e == ERR_OK && list)
        e = expect(p, ')', "a list");
    if (e != ERR_OK)
        return e;
    if (n->op == RQL_LIKE || n->op == RQL_ILIKE) {
        if (n->values->constant != RQL_TEXT)
            return fail(p, ERR_SYNTAX, "%s takes a text", rql_op_name(n->op));
        cut_pattern(n->values);
    }
    return ERR_OK;
}

/* limit and offset leave the filter and are kept beside it. */
static enum err settle(struct parser *p, struct rql_node *n, struct rql_node **ret)
{
    const char *path = n->path != NULL ? n->path : "";
    int64_t *count = strcmp(path, "limit") == 0    ? &p->q->limit
                     : strcmp(path, "offset") == 0 ? &p->q->offset
                                                   : NULL;
    *ret = count != NULL ? NULL : n;
    return count != NULL ? parse_count(p, n, count) : ERR_OK;
}

/* eq(path,value) and its like, after the opening parenthesis. */
static enum err parse_comparison(struct parser *p, enum rql_op op, struct rql_node **ret)
{
    struct rql_node *n;
    enum err e = new_node(p, op, &n);
    if (e == ERR_OK)
        e = parse_path(p, &n->path);
    if (e == ERR_OK)
        e = expect(p, ',', rql_op_name(op));
    if (e == ERR_OK)
        e = parse_operand(p, &n);
    if (e == ERR_OK)
        e = expect(p, ')', rql_op_name(op));
    return e == ERR_OK ? settle(p, n, ret) : e;
}

/* path=value and path=ge=value, after the first '='. */
static enum err parse_infix(struct parser *p, const char *path, struct rql_node **ret)
{
    enum rql_op op = RQL_EQ;
    for (enum rql_op o = RQL_EQ; o <= RQL_OUT; o++) {
        char word[16];
        snprintf(word, sizeof word, "%s=", rql_op_name(o));
        skip_space(p);
        if (!accept_word(p, word))
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
static enum err parse_keys(struct parser *p, const char *name, struct rql_value **ret)
{
    struct rql_value **tail = ret;
    if (p->depth > 0)
        return fail(p, ERR_SYNTAX, "%s(...) has its place on the top level only", name);
    if (*ret != NULL)
        return fail(p, ERR_DUPLICATE, "%s is given twice", name);
    if (accept(p, ')'))
        return ERR_OK;
    do {
        bool minus = accept(p, '-');
        const char *path;
        if (!minus)
            accept(p, '+');
        enum err e = count_node(p);
        if (e == ERR_OK)
            e = parse_path(p, &path);
        if (e != ERR_OK)
            return e;
        struct rql_value *key = take(p->q, sizeof *key);
        char *text = take(p->q, strlen(path) + 2);
        if (key == NULL || text == NULL)
            return ERR_NOMEM;
        strcpy(text, minus ? "-" : "");
        key->text = strcat(text, path);
        *tail = key;
        tail = &key->next;
    } while (accept(p, ','));
    return expect(p, ')', name);
}

static enum err parse_call(struct parser *p, const char *start, const char *name,
                           struct rql_node **ret)
{
    enum rql_op op;
    *ret = NULL;
    if (strcmp(name, "ordering") == 0)
        return parse_keys(p, name, &p->q->ordering);
    if (strcmp(name, "select") == 0)
        return parse_keys(p, name, &p->q->select);
    if (!op_parse(name, &op))
        return fail_at(p, start, ERR_SYNTAX, "unknown operator %.64s", name);
    return op < RQL_EQ ? parse_logical(p, op, ret) : parse_comparison(p, op, ret);
}

static enum err parse_term(struct parser *p, struct rql_node **ret)
{
    if (accept(p, '('))
        return parse_group(p, ret);
    const char *start = p->at, *word;
    enum err e = parse_path(p, &word);
    if (e != ERR_OK)
        return e;
    if (accept(p, '('))
        return parse_call(p, start, word, ret);
    if (accept(p, '='))
        return parse_infix(p, word, ret);
    return fail(p, ERR_SYNTAX, "after %.64s there should be '=' or '('", word);
}

static enum err parse_query(struct parser *p)
{
    struct rql_node *first;
    char separator;
    if (peek(p) == '\0')
        return ERR_OK;
    enum err e = parse_list(p, ",", &first, &separator);
    if (e == ERR_OK)
        e = join(p, RQL_AND, first, &p->q->filter);
    if (e != ERR_OK || peek(p) == '\0')
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
        return why_set(why, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
    q->limit = q->offset = -1;
    struct parser p = {.start = text, .at = text, .end = text + len, .q = q, .why = why};
    enum err e = ERR_OK;
    for (const char *c = text; c < p.end && e == ERR_OK; c++)
        if (iscntrl((unsigned char)*c) && !isspace((unsigned char)*c))
            e = fail_at(&p, c, ERR_SYNTAX, "control characters are not allowed");
    if (e == ERR_OK)
        e = parse_query(&p);
    if (e != ERR_OK) {
        rql_free(q);
        return e == ERR_NOMEM ? why_set(why, e, "%s", err_text(e)) : e;
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

void rql_free(struct rql *q)
{
    if (q == NULL)
        return;
    for (struct rql_block *next, *b = q->blocks; b != NULL; b = next) {
        next = b->next;
        free(b);
    }
    free(q);
}
