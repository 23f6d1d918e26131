/* check.c - what must hold of the value of a parameter. */
#include "policy/check.h"

#include <stdlib.h>
#include <string.h>

#include "base/jsonx.h"
#include "base/utf8.h"
#include "policy/pattern.h"

/*
 * Names of the Internet's hosts (RFC 1123, 2.1), which may be written in any script (RFC 5890): at
 * most 63 characters between the dots, letters and digits, and hyphens inside. The last part of a
 * domain is not a number, which keeps addresses out.
 */
#define LABEL  "(?!-)[\\p{L}\\p{M}\\p{N}-]{1,63}(?<!-)"
#define HOST   "(?:" LABEL "\\.)*(?!\\d+(?:[:/?#]|$))" LABEL
#define DOMAIN "(?=.{4,253}$)(?:" LABEL "\\.)+(?!\\d+$)" LABEL

/* What comes before the @ of an address (RFC 5321, 4.1.2, without the quotes; RFC 6531). */
#define ATOM "[\\p{L}\\p{M}\\p{N}!#$%&'*+/=?^_`{|}~-]+"
#define EMAIL                                               \
    "(?=.{1,254}$)(?=[^@]{1,64}@)" ATOM "(?:\\." ATOM ")*@" \
    "(?:" LABEL "\\.)+(?!\\d+$)" LABEL

/* RFC 3986, without a user, and with all of Unicode as browsers have it. */
#define ADDRESS "\\d{1,3}(?:\\.\\d{1,3}){3}|\\[[0-9A-Fa-f:.]{2,45}\\]"
#define URL     "(?i:https?)://(?:" HOST "|" ADDRESS ")(?::\\d{1,5})?(?:[/?#][^\\s\\p{Cc}<>\"]*)?"

/* From 5 to 15 digits (ITU-T E.164), in whatever groups, and an extension. */
#define PHONE "\\+?(?:[ ().\\/-]*\\d){5,15}[ )]*(?i:(?:x|ext\\.?) *\\d{1,8})?"

struct term_type;

/* What one word of a check asks for. */
struct term {
    const struct term_type *type;
    struct pattern *pattern;
    struct json_object *choices; /* an array of texts */
    char *id;
    double number;
};

struct term_type {
    const char *name;
    const char *format; /* the pattern that a value has to match, for those that have a fixed one */
    /* Reads what is written behind the name; *ret_on says whether it asks for anything. */
    enum err (*load)(const struct yamlx_node *n, struct term *t, bool *ret_on, struct why *why);
    /* Of a value that is not empty, but for `required`. */
    enum err (*holds)(const struct term *t, const struct checked *v, bool *ret, struct why *why);
};

/* ------------------------------------------------------------------------ loading */

/* What stands there as JSON, if it is of this type; *ret is owned. */
static enum err read_value(const struct yamlx_node *n, enum json_type type, const char *wanted,
                           struct json_object **ret, struct why *why)
{
    enum err e = yamlx_json(n, ret, why);
    if (e != ERR_OK || json_object_is_type(*ret, type))
        return e;
    json_object_put(*ret);
    return yamlx_fail(n, why, ERR_CONFIG, "%s is needed", wanted);
}

static enum err load_flag(const struct yamlx_node *n, struct term *t, bool *ret_on, struct why *why)
{
    struct json_object *value = NULL;
    enum err e = read_value(n, json_type_boolean, "true or false", &value, why);
    if (e != ERR_OK)
        return e;
    *ret_on = json_object_get_boolean(value);
    json_object_put(value);
    return *ret_on && t->type->format != NULL ? pattern_new(t->type->format, &t->pattern, why)
                                              : ERR_OK;
}

static enum err load_pattern(const struct yamlx_node *n, struct term *t, bool *ret_on,
                             struct why *why)
{
    const char *text;
    struct why inner = {""};
    *ret_on = true;
    enum err e = yamlx_str(n, &text, why);
    if (e != ERR_OK)
        return e;
    if (text[0] == '\0')
        return yamlx_fail(n, why, ERR_CONFIG, "an empty pattern matches no value");
    e = pattern_new(text, &t->pattern, &inner);
    return e == ERR_OK ? e : yamlx_fail(n, why, ERR_CONFIG, "the pattern: %s", inner.text);
}

static enum err load_number(const struct yamlx_node *n, struct term *t, bool *ret_on,
                            struct why *why)
{
    struct json_object *value = NULL;
    *ret_on = true;
    enum err e = yamlx_json(n, &value, why);
    if (e != ERR_OK)
        return e;
    bool is_number = json_object_is_type(value, json_type_int) ||
                     json_object_is_type(value, json_type_double);
    t->number = json_object_get_double(value);
    json_object_put(value);
    return is_number ? ERR_OK : yamlx_fail(n, why, ERR_CONFIG, "a number is needed");
}

static enum err load_length(const struct yamlx_node *n, struct term *t, bool *ret_on,
                            struct why *why)
{
    struct json_object *value = NULL;
    int64_t length = 0;
    *ret_on = true;
    enum err e = yamlx_json(n, &value, why);
    if (e != ERR_OK)
        return e;
    bool fits = jsonx_whole(value, &length) && length >= 0;
    t->number = (double)length;
    json_object_put(value);
    return fits ? ERR_OK : yamlx_fail(n, why, ERR_CONFIG, "a number of characters is needed");
}

static enum err load_choices(const struct yamlx_node *n, struct term *t, bool *ret_on,
                             struct why *why)
{
    *ret_on = true;
    enum err e = read_value(n, json_type_array, "a list of texts", &t->choices, why);
    if (e != ERR_OK)
        return e;
    size_t count = json_object_array_length(t->choices);
    if (count == 0 || count > CHECK_CHOICES_MAX)
        e = yamlx_fail(n, why, ERR_CONFIG, "from 1 to %d texts are needed", CHECK_CHOICES_MAX);
    for (size_t i = 0; i < count && e == ERR_OK; i++)
        if (!json_object_is_type(json_object_array_get_idx(t->choices, i), json_type_string))
            e = yamlx_fail(yamlx_item(n, i), why, ERR_CONFIG,
                           "must be a text (is it short of quotes?)");
    if (e != ERR_OK) {
        json_object_put(t->choices);
        t->choices = NULL;
    }
    return e;
}

static enum err load_id(const struct yamlx_node *n, struct term *t, bool *ret_on, struct why *why)
{
    const char *id;
    *ret_on = true;
    enum err e = yamlx_str(n, &id, why);
    if (e == ERR_OK && id[0] == '\0')
        e = yamlx_fail(n, why, ERR_CONFIG, "the id of a parameter is needed");
    if (e == ERR_OK && (t->id = strdup(id)) == NULL)
        e = why_no_memory(why);
    return e;
}

/* ----------------------------------------------------------------------- checking */

static enum err is_filled(const struct term *t, const struct checked *v, bool *ret, struct why *why)
{
    (void)t;
    (void)why;
    *ret = v->is_filled;
    return ERR_OK;
}

static enum err matches(const struct term *t, const struct checked *v, bool *ret, struct why *why)
{
    return pattern_matches(t->pattern, v->value, ret, why);
}

static enum err is_long_enough(const struct term *t, const struct checked *v, bool *ret,
                               struct why *why)
{
    size_t min = (size_t)t->number;
    (void)why;
    *ret = min == 0 || v->value[utf8_prefix(v->value, min - 1)] != '\0';
    return ERR_OK;
}

static enum err is_short_enough(const struct term *t, const struct checked *v, bool *ret,
                                struct why *why)
{
    (void)why;
    *ret = v->value[utf8_prefix(v->value, (size_t)t->number)] == '\0';
    return ERR_OK;
}

/* 3, -3 or 3.5; false for anything else. */
static bool is_number(const char *text)
{
    text += *text == '-';
    size_t whole = strspn(text, "0123456789");
    size_t rest = text[whole] == '.' ? strspn(text + whole + 1, "0123456789") : 0;
    const char *end = text + whole + (rest > 0 ? rest + 1 : 0);
    return whole > 0 && *end == '\0';
}

static enum err is_big_enough(const struct term *t, const struct checked *v, bool *ret,
                              struct why *why)
{
    (void)why;
    *ret = is_number(v->value) && strtod(v->value, NULL) >= t->number;
    return ERR_OK;
}

static enum err is_small_enough(const struct term *t, const struct checked *v, bool *ret,
                                struct why *why)
{
    (void)why;
    *ret = is_number(v->value) && strtod(v->value, NULL) <= t->number;
    return ERR_OK;
}

static enum err is_among(const struct term *t, const struct checked *v, bool *ret, struct why *why)
{
    (void)why;
    *ret = false;
    for (size_t i = 0; i < json_object_array_length(t->choices) && !*ret; i++)
        *ret = strcmp(json_object_get_string(json_object_array_get_idx(t->choices, i)), v->value) ==
               0;
    return ERR_OK;
}

static enum err is_same(const struct term *t, const struct checked *v, bool *ret, struct why *why)
{
    (void)t;
    (void)why;
    *ret = strcmp(v->other, v->value) == 0;
    return ERR_OK;
}

/* -------------------------------------------------------------------------- terms */

static const struct term_type types[] = {
    {"required", NULL, load_flag, is_filled},
    {"pattern", NULL, load_pattern, matches},
    {"min_length", NULL, load_length, is_long_enough},
    {"max_length", NULL, load_length, is_short_enough},
    {"min", NULL, load_number, is_big_enough},
    {"max", NULL, load_number, is_small_enough},
    {"one_of", NULL, load_choices, is_among},
    {"same_as", NULL, load_id, is_same},
    {"email", EMAIL, load_flag, matches},
    {"domain", DOMAIN, load_flag, matches},
    {"url", URL, load_flag, matches},
    {"phone", PHONE, load_flag, matches},
};
#define TYPES (sizeof types / sizeof *types)
#define WORDS                                                                                    \
    "required, pattern, min_length, max_length, min, max, one_of, same_as, email, domain, url, " \
    "phone"

struct check {
    struct term terms[TYPES];
    size_t count;
};

void check_free(struct check *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; i < c->count; i++) {
        pattern_free(c->terms[i].pattern);
        json_object_put(c->terms[i].choices);
        free(c->terms[i].id);
    }
    free(c);
}

static enum err load_term(const struct yamlx_node *key, const struct yamlx_node *value,
                          struct check *c, struct why *why)
{
    const char *name;
    bool on = false;
    const struct term_type *type = types;
    enum err e = yamlx_str(key, &name, why);
    if (e != ERR_OK)
        return e;
    while (type < types + TYPES && strcmp(type->name, name) != 0)
        type++;
    if (type == types + TYPES)
        return yamlx_fail(key, why, ERR_CONFIG, "unknown check %.40s; there are " WORDS, name);
    struct term t = {.type = type};
    e = type->load(value, &t, &on, why);
    if (e == ERR_OK && on)
        c->terms[c->count++] = t; /* names are not repeated: yamlx has seen to that */
    return e;
}

static const struct term *find_term(const struct check *c, const char *name)
{
    for (size_t i = 0; i < c->count; i++)
        if (strcmp(c->terms[i].type->name, name) == 0)
            return &c->terms[i];
    return NULL;
}

/* Could any value pass? */
static enum err check_range(const struct yamlx_node *n, const struct check *c, const char *low,
                            const char *high, struct why *why)
{
    const struct term *min = find_term(c, low), *max = find_term(c, high);
    if (min != NULL && max != NULL && min->number > max->number)
        return yamlx_fail(n, why, ERR_CONFIG, "%s is above %s: no value would pass", low, high);
    return ERR_OK;
}

enum err check_load(const struct yamlx_node *n, struct check **ret, struct why *why)
{
    const struct yamlx_node *key;
    if (yamlx_type(n) != YAMLX_MAPPING || yamlx_key(n, 0) == NULL)
        return yamlx_fail(n, why, ERR_CONFIG, "a check is { NAME: ..., ... } with some of " WORDS);
    struct check *c = calloc(1, sizeof *c);
    enum err e = c != NULL ? ERR_OK : why_no_memory(why);
    for (size_t i = 0; e == ERR_OK && (key = yamlx_key(n, i)) != NULL; i++)
        e = load_term(key, yamlx_value(n, i), c, why);
    if (e == ERR_OK)
        e = check_range(n, c, "min", "max", why);
    if (e == ERR_OK)
        e = check_range(n, c, "min_length", "max_length", why);
    if (e == ERR_OK)
        *ret = c;
    else
        check_free(c);
    return e;
}

const char *check_same_as(const struct check *c)
{
    const struct term *t = find_term(c, "same_as");
    return t != NULL ? t->id : NULL;
}

enum err check_holds(const struct check *c, const struct checked *v, bool *ret, struct why *why)
{
    bool holds = true;
    for (size_t i = 0; i < c->count && holds; i++) {
        const struct term *t = &c->terms[i];
        if (v->value[0] == '\0' && t->type->holds != is_filled)
            continue;
        enum err e = t->type->holds(t, v, &holds, why);
        if (e != ERR_OK)
            return why_prefix(why, e, "%s", t->type->name);
    }
    *ret = holds;
    return ERR_OK;
}
