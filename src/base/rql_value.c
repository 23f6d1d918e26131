/* rql_value.c - how the leaves of a document compare with the values of a query. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/jsonx.h"
#include "base/rql_priv.h"

/* As its document spells it, else the shortest of the usual spellings that gives the number back:
 * 0.1 is "0.1". */
static void print_double(struct rql_scalar *s, struct json_object *value)
{
    s->text = jsonx_spelling(value);
    if (s->text != NULL)
        return;
    double d = json_object_get_double(value);
    snprintf(s->room, sizeof s->room, "%.15g", d);
    if (strtod(s->room, NULL) != d)
        snprintf(s->room, sizeof s->room, "%.17g", d);
    s->text = s->room;
}

/* Only getters that write nothing into the document: it may be shared between threads. */
void rql_scalar(struct rql_scalar *s, struct json_object *value)
{
    s->text = s->room;
    switch (json_object_get_type(value)) {
    case json_type_null:
        s->kind = RQL_IS_NULL;
        break;
    case json_type_boolean:
        s->kind = RQL_IS_TEXT;
        s->text = json_object_get_boolean(value) ? "true" : "false";
        break;
    case json_type_int:
        s->kind = RQL_IS_NUMBER;
        snprintf(s->room, sizeof s->room, "%" PRId64, json_object_get_int64(value));
        break;
    case json_type_double:
        s->kind = RQL_IS_NUMBER;
        print_double(s, value);
        break;
    case json_type_string:
        s->kind = RQL_IS_TEXT;
        s->text = json_object_get_string(value);
        break;
    case json_type_array:
        s->kind = json_object_array_length(value) == 0 ? RQL_IS_EMPTY : RQL_IS_TREE;
        break;
    case json_type_object:
        s->kind = json_object_object_length(value) == 0 ? RQL_IS_EMPTY : RQL_IS_TREE;
        break;
    }
}

/* ------------------------------------------------------------------------ order */

/* -?(0|[1-9][0-9]*)(.[0-9]+)? as JSON spells it, and as it never spells a phone or a post code. */
static bool is_decimal(const char *s)
{
    s += *s == '-';
    if (!isdigit((unsigned char)*s) || (*s == '0' && isdigit((unsigned char)s[1])))
        return false;
    s += strspn(s, "0123456789");
    if (*s == '.') {
        s++;
        if (!isdigit((unsigned char)*s))
            return false;
        s += strspn(s, "0123456789");
    }
    return *s == '\0';
}

/* Without their signs, and exactly: ids of twenty digits differ in the last one. */
static int order_magnitudes(const char *a, const char *b)
{
    size_t a_len = strcspn(a, "."), b_len = strcspn(b, ".");
    if (a_len != b_len)
        return a_len < b_len ? -1 : 1;
    int order = memcmp(a, b, a_len);
    a += a_len + (a[a_len] == '.');
    b += b_len + (b[b_len] == '.');
    for (; order == 0 && (*a != '\0' || *b != '\0'); a += *a != '\0', b += *b != '\0')
        order = (*a != '\0' ? *a : '0') - (*b != '\0' ? *b : '0');
    return order;
}

static bool is_zero(const char *s)
{
    return strspn(s, "-0.") == strlen(s);
}

static int order_decimals(const char *a, const char *b)
{
    bool a_minus = *a == '-' && !is_zero(a), b_minus = *b == '-' && !is_zero(b);
    if (a_minus != b_minus)
        return a_minus ? -1 : 1;
    int order = order_magnitudes(a + (*a == '-'), b + (*b == '-'));
    return a_minus ? -order : order;
}

static int order_doubles(const char *a, const char *b)
{
    double x = strtod(a, NULL), y = strtod(b, NULL);
    return (x > y) - (x < y);
}

static bool is_number(const struct rql_scalar *s)
{
    return s->kind == RQL_IS_NUMBER || is_decimal(s->text);
}

static bool is_time(const char *s, int64_t *ret_us)
{
    return clk_parse_iso(s, strlen(s), ret_us) == ERR_OK;
}

bool rql_order_alike(const struct rql_scalar *a, const struct rql_scalar *b, int *ret)
{
    int64_t a_us, b_us;
    if (is_decimal(a->text) && is_decimal(b->text))
        *ret = order_decimals(a->text, b->text);
    else if (is_number(a) && is_number(b))
        *ret = order_doubles(a->text, b->text); /* a document's 1e300 */
    else if (is_time(a->text, &a_us) && is_time(b->text, &b_us))
        *ret = (a_us > b_us) - (a_us < b_us);
    else
        return false;
    return true;
}

int rql_order(const struct rql_scalar *a, const struct rql_scalar *b)
{
    int order;
    return rql_order_alike(a, b, &order) ? order : strcmp(a->text, b->text);
}

bool rql_orderable(const char *text)
{
    int64_t us;
    return is_decimal(text) || is_time(text, &us);
}

/* ---------------------------------------------------------------------- patterns */

/*
 * The first piece stands at the start, the last at the end, the others anywhere between, each as
 * far to the left as it can: nothing is ever tried twice.
 */
bool rql_like(const struct rql_value *pattern, const char *text)
{
    const char *piece = pattern->text;
    size_t len = strlen(piece);
    if (pattern->stars == 0)
        return strcmp(text, piece) == 0;
    if (strncmp(text, piece, len) != 0)
        return false;
    text += len;
    piece += len + 1;
    for (size_t i = 1; i < pattern->stars; i++, piece += len + 1) {
        len = strlen(piece);
        const char *found = strstr(text, piece);
        if (found == NULL)
            return false;
        text = found + len;
    }
    len = strlen(piece);
    size_t left = strlen(text);
    return left >= len && strcmp(text + left - len, piece) == 0;
}
