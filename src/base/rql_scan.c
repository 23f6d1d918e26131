/* rql_scan.c - the words of a query: paths, values, punctuation. */
#include "base/rql_scan.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

struct rql_block {
    struct rql_block *next;
    max_align_t bytes[];
};

enum err rql_fail_at(const struct rql_scan *p, const char *at, enum err e, const char *fmt, ...)
{
    char text[WHY_MAX / 2];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return why_set(p->why, e, "column %zu: %s", (size_t)(at - p->start) + 1, text);
}

/* Zeroed memory that lives as long as the query. */
void *rql_take(struct rql *q, size_t size)
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
    char *copy = rql_take(q, len + 1);
    if (copy != NULL)
        memcpy(copy, text, len);
    return copy;
}

enum err rql_count_node(struct rql_scan *p)
{
    if (++p->nodes > RQL_NODES_MAX)
        return fail(p, ERR_TOO_BIG, "more than %d operators and values", RQL_NODES_MAX);
    return ERR_OK;
}

void rql_skip_space(struct rql_scan *p)
{
    while (p->at < p->end && isspace((unsigned char)*p->at))
        p->at++;
}

/* The next character that counts, or '\0' at the end (which the text itself never holds). */
char rql_peek(struct rql_scan *p)
{
    rql_skip_space(p);
    return p->at < p->end ? *p->at : '\0';
}

bool rql_accept(struct rql_scan *p, char c)
{
    if (rql_peek(p) != c)
        return false;
    p->at++;
    return true;
}

enum err rql_expect(struct rql_scan *p, char c, const char *where)
{
    if (rql_accept(p, c))
        return ERR_OK;
    if (p->at == p->end)
        return fail(p, ERR_SYNTAX, "ends where %s needs a '%c'", where, c);
    return fail(p, ERR_SYNTAX, "%s needs a '%c' here", where, c);
}

/* ------------------------------------------------------------ paths and values */

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
enum err rql_scan_path(struct rql_scan *p, const char **ret)
{
    rql_skip_space(p);
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
    char *path = rql_take(p->q, (size_t)(p->at - start) + 1);
    if (path == NULL)
        return ERR_NOMEM;
    memcpy(path, start, (size_t)(p->at - start));
    dots_for_underscores(path);
    if (!rql_path_valid(path))
        return rql_fail_at(p, start, ERR_SYNTAX,
                           start == p->end ? "ends where a condition should be"
                                           : "a field or an operator should be here");
    *ret = path;
    return ERR_OK;
}

static enum err parse_quoted(struct rql_scan *p, struct rql_value *v)
{
    char quote = *p->at;
    const char *close = memchr(p->at + 1, quote, (size_t)(p->end - p->at) - 1);
    if (close == NULL)
        return fail(p, ERR_SYNTAX, "this quote is never closed");
    v->text = take_text(p->q, p->at + 1, (size_t)(close - p->at) - 1);
    p->at = close + 1;
    return v->text != NULL ? ERR_OK : ERR_NOMEM;
}

static enum err parse_unquoted(struct rql_scan *p, struct rql_value *v)
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

bool rql_accept_word(struct rql_scan *p, const char *word)
{
    size_t len = strlen(word);
    if ((size_t)(p->end - p->at) < len || memcmp(p->at, word, len) != 0)
        return false;
    p->at += len;
    return true;
}

static enum err parse_reference(struct rql_scan *p, struct rql_value *v)
{
    v->constant = RQL_PATH;
    return rql_scan_path(p, &v->text);
}

/* Append a value to the list that `tail` ends. */
enum err rql_scan_value(struct rql_scan *p, struct rql_value ***tail)
{
    enum err e = rql_count_node(p);
    if (e != ERR_OK)
        return e;
    struct rql_value *v = rql_take(p->q, sizeof *v);
    if (v == NULL)
        return ERR_NOMEM;
    char c = rql_peek(p);
    if (c == '\0')
        e = fail(p, ERR_SYNTAX, "ends where a value should be");
    else if (c == '"' || c == '\'')
        e = parse_quoted(p, v);
    else if (c == '$')
        e = parse_reference(p, v);
    else if (rql_accept_word(p, "null()"))
        v->constant = RQL_NULL;
    else if (rql_accept_word(p, "empty()"))
        v->constant = RQL_EMPTY;
    else
        e = parse_unquoted(p, v);
    if (e != ERR_OK)
        return e;
    **tail = v;
    *tail = &v->next;
    return ERR_OK;
}

enum err rql_make_pattern(struct rql_scan *p, struct rql_value *v, bool fold)
{
    char *folded = fold ? utf8_fold(v->text) : NULL;
    const char *from = fold ? folded : v->text;
    char *to = from != NULL ? rql_take(p->q, strlen(from) + 1) : NULL;
    v->text = to;
    if (to == NULL) {
        free(folded);
        return ERR_NOMEM;
    }
    for (; *from != '\0'; from++) {
        if (from[0] == '\\' && from[1] == '*') {
            *to++ = *++from;
        } else if (*from == '*') {
            *to++ = '\0';
            v->stars++;
        } else {
            *to++ = *from;
        }
    }
    free(folded);
    return ERR_OK;
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
