/* rql_print.c - from a tree back to text, and values for queries under construction. */
#include "base/rql.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "base/rql_priv.h"

/* May the text stand without quotes? Narrower than the grammar, which also allows spaces. */
static bool is_plain(const char *s)
{
    if (*s == '\0' || strchr(".:@", *s) != NULL)
        return false;
    for (; *s != '\0'; s++)
        if (!isalnum((unsigned char)*s) && strchr("_-*+\\.:@", *s) == NULL)
            return false;
    return true;
}

static void print_text(struct buf *b, const char *s)
{
    const char *quote = is_plain(s) ? "" : strchr(s, '"') != NULL ? "'" : "\"";
    buf_addstr(b, quote);
    buf_addstr(b, s);
    buf_addstr(b, quote);
}

/* Put the stars of a pattern back, and the backslashes before those that are none. */
static void print_pattern(struct buf *b, const struct rql_value *v)
{
    struct buf text;
    buf_init(&text, 2 * RQL_LEN_MAX);
    const char *c = v->text;
    for (size_t i = 0; i <= v->stars; i++, c++) {
        if (i > 0)
            buf_addc(&text, '*');
        for (; *c != '\0'; c++)
            buf_printf(&text, *c == '*' ? "\\%c" : "%c", *c);
    }
    if (text.err != ERR_OK)
        b->err = text.err;
    print_text(b, text.data);
    buf_free(&text);
}

static void print_value(struct buf *b, const struct rql_node *n, const struct rql_value *v)
{
    if (v->constant == RQL_NULL || v->constant == RQL_EMPTY)
        buf_addstr(b, v->constant == RQL_NULL ? "null()" : "empty()");
    else if (v->constant == RQL_PATH)
        buf_addstr(b, v->text);
    else if (n->op == RQL_LIKE || n->op == RQL_ILIKE)
        print_pattern(b, v);
    else
        print_text(b, v->text);
}

static void print_node(struct buf *b, const struct rql_node *n)
{
    bool list = n->op == RQL_IN || n->op == RQL_OUT;
    if (n->op == RQL_TUPLE)
        buf_printf(b, "eq(%s,t(", n->path);
    else
        buf_printf(b, "%s(", rql_op_name(n->op));
    for (const struct rql_node *c = n->children; c != NULL; c = c->next) {
        print_node(b, c);
        buf_addstr(b, c->next != NULL ? "," : "");
    }
    if (n->values != NULL)
        buf_printf(b, list ? "%s,(" : "%s,", n->path);
    for (const struct rql_value *v = n->values; v != NULL; v = v->next) {
        print_value(b, n, v);
        buf_addstr(b, v->next != NULL ? "," : "");
    }
    buf_addstr(b, n->op == RQL_TUPLE || list ? "))" : ")");
}

static void print_keys(struct buf *b, const char *name, const struct rql_value *keys)
{
    buf_printf(b, "%s(", name);
    for (const struct rql_value *k = keys; k != NULL; k = k->next)
        buf_printf(b, "%s%s", k->text, k->next != NULL ? "," : "");
    buf_addc(b, ')');
}

static void separate(struct buf *b, size_t start)
{
    if (b->len > start)
        buf_addc(b, '&');
}

enum err rql_print_list(struct buf *b, const struct rql *q)
{
    size_t start = b->len;
    if (q->filter != NULL)
        print_node(b, q->filter);
    if (q->ordering != NULL) {
        separate(b, start);
        print_keys(b, "ordering", q->ordering);
    }
    return b->err;
}

enum err rql_print(struct buf *b, const struct rql *q)
{
    size_t start = b->len;
    if (q->select != NULL)
        print_keys(b, "select", q->select);
    if (q->filter != NULL || q->ordering != NULL) {
        separate(b, start);
        rql_print_list(b, q);
    }
    if (q->limit >= 0) {
        separate(b, start);
        buf_printf(b, "limit=%" PRId64, q->limit);
    }
    if (q->offset >= 0) {
        separate(b, start);
        buf_printf(b, "offset=%" PRId64, q->offset);
    }
    return b->err;
}

enum err rql_add_value(struct buf *url, const char *value)
{
    for (const char *c = value; *c != '\0'; c++)
        if (iscntrl((unsigned char)*c))
            return ERR_INVALID;
    if (strchr(value, '"') != NULL && strchr(value, '\'') != NULL)
        return ERR_INVALID;
    if (*value == '\0')
        return buf_addstr(url, "empty()");
    struct buf text;
    buf_init(&text, RQL_LEN_MAX);
    print_text(&text, value);
    for (const char *c = text.data; *c != '\0'; c++)
        buf_printf(url,
                   isalnum((unsigned char)*c) || strchr("-_.*:@", *c) != NULL ? "%c" : "%%%02X",
                   (unsigned char)*c);
    enum err e = text.err != ERR_OK ? text.err : url->err;
    buf_free(&text);
    return e;
}
