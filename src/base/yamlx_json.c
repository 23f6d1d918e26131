/* yamlx_json.c - a tree of YAML as JSON, by YAML 1.2's core schema. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/yamlx_priv.h"

static bool is_one_of(const char *s, const char *const *words)
{
    while (*words != NULL && strcmp(*words, s) != 0)
        words++;
    return *words != NULL;
}

/* The base of an integer of the core schema: 8, 10 or 16; 0 if it is none. */
static int integer_base(const char *s)
{
    if (s[0] == '0' && s[1] == 'o')
        return s[2] != '\0' && s[2 + strspn(s + 2, "01234567")] == '\0' ? 8 : 0;
    if (s[0] == '0' && s[1] == 'x')
        return s[2] != '\0' && s[2 + strspn(s + 2, "0123456789abcdefABCDEF")] == '\0' ? 16 : 0;
    s += *s == '-' || *s == '+';
    return *s != '\0' && s[strspn(s, "0123456789")] == '\0' ? 10 : 0;
}

/* Digits with a fraction, an exponent or both; *ret_json says whether JSON spells it so, too. */
static bool is_float(const char *s, bool *ret_json)
{
    bool json = *s != '+';
    s += *s == '-' || *s == '+';
    size_t whole = strspn(s, "0123456789"), fraction = 0;
    json = json && whole > 0 && (s[0] != '0' || whole == 1);
    s += whole;
    if (*s == '.') {
        fraction = strspn(s + 1, "0123456789");
        json = json && fraction > 0;
        s += 1 + fraction;
    }
    if (whole + fraction == 0)
        return false;
    if (*s == 'e' || *s == 'E') {
        s++;
        s += *s == '-' || *s == '+';
        size_t exponent = strspn(s, "0123456789");
        if (exponent == 0)
            return false;
        s += exponent;
    }
    *ret_json = json;
    return *s == '\0';
}

static enum err integer_json(const struct yamlx_node *n, int base, struct json_object **ret,
                             struct why *why)
{
    errno = 0;
    long long value = strtoll(base == 8 ? n->text + 2 : n->text, NULL, base);
    if (errno != 0)
        return yamlx_fail(n, why, ERR_RANGE, "%.32s: an integer has 64 bits at most", n->text);
    *ret = json_object_new_int64(value);
    return ERR_OK;
}

static enum err float_json(const struct yamlx_node *n, bool keep_spelling, struct json_object **ret,
                           struct why *why)
{
    double value = strtod(n->text, NULL);
    if (isinf(value))
        return yamlx_fail(n, why, ERR_RANGE, "%.32s: too large a number", n->text);
    *ret = keep_spelling ? json_object_new_double_s(value, n->text) : json_object_new_double(value);
    return ERR_OK;
}

static enum err scalar_json(const struct yamlx_node *n, struct json_object **ret, struct why *why)
{
    static const char *const yes[] = {"true", "True", "TRUE", NULL};
    static const char *const no[] = {"false", "False", "FALSE", NULL};
    static const char *const infinite[] = {".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN", NULL};
    const char *s = n->text;
    enum err e = ERR_OK;
    bool keep_spelling = false;
    if (n->plain && (is_one_of(s, yes) || is_one_of(s, no)))
        *ret = json_object_new_boolean(is_one_of(s, yes));
    else if (n->plain && integer_base(s) != 0)
        e = integer_json(n, integer_base(s), ret, why);
    else if (n->plain && is_float(s, &keep_spelling))
        e = float_json(n, keep_spelling, ret, why);
    else if (n->plain && is_one_of(s + (*s == '-' || *s == '+'), infinite))
        e = yamlx_fail(n, why, ERR_RANGE, "%s: JSON has no such number", s);
    else
        *ret = json_object_new_string_len(s, (int)n->len);
    if (e != ERR_OK)
        return e;
    return *ret != NULL ? ERR_OK : ERR_NOMEM;
}

static enum err add_json(struct json_object *to, const struct yamlx_node *n, size_t *i,
                         struct why *why)
{
    const char *key = NULL;
    struct json_object *value = NULL;
    if (n->type == YAMLX_MAPPING) {
        enum err e = yamlx_str(n->children[(*i)++], &key, why);
        if (e != ERR_OK)
            return e;
    }
    enum err e = yamlx_json(n->children[(*i)++], &value, why);
    if (e != ERR_OK)
        return e;
    int failed = key != NULL ? json_object_object_add(to, key, value)
                             : json_object_array_add(to, value);
    if (failed != 0)
        json_object_put(value);
    return failed != 0 ? ERR_NOMEM : ERR_OK;
}

enum err yamlx_json(const struct yamlx_node *n, struct json_object **ret, struct why *why)
{
    *ret = NULL;
    if (n->type == YAMLX_NULL)
        return ERR_OK;
    if (n->type == YAMLX_SCALAR) {
        enum err e = scalar_json(n, ret, why);
        return e == ERR_NOMEM ? why_no_memory(why) : e;
    }
    struct json_object *o = n->type == YAMLX_MAPPING ? json_object_new_object()
                                                     : json_object_new_array();
    enum err e = o == NULL ? ERR_NOMEM : ERR_OK;
    for (size_t i = 0; i < n->count && e == ERR_OK;)
        e = add_json(o, n, &i, why);
    if (e != ERR_OK) {
        json_object_put(o);
        return e == ERR_NOMEM ? why_no_memory(why) : e;
    }
    *ret = o;
    return ERR_OK;
}
