/* jsonx_each.c - through the bytes of a document: an array element by element, so that one bad
 * element costs no other, and what stands between values. */
#include <stdio.h>
#include <string.h>

#include "base/jsonx.h"

/*
 * Where an element ends can be told without believing anything in it: strings end at a quote that
 * is not escaped, and brackets are counted, whichever they are. In an element that is sound this
 * is its end; in one that is not, it is the best end there is.
 */

const char *jsonx_behind_space(const char *s, const char *end)
{
    while (s < end && (*s == ' ' || *s == '\n' || *s == '\r' || *s == '\t'))
        s++;
    return s;
}

/* Behind the string whose opening quote `s` is at; `end` if it is never closed. */
static const char *skip_string(const char *s, const char *end)
{
    for (s++; s < end && *s != '"'; s++)
        if (*s == '\\' && s + 1 < end)
            s++;
    return s < end ? s + 1 : end;
}

const char *jsonx_behind_value(const char *s, const char *end)
{
    static const char ends[] = ",]} \t\r\n";
    int depth = 0;
    if (*s == '"')
        return skip_string(s, end);
    if (*s != '[' && *s != '{') {
        while (s < end && strchr(ends, *s) == NULL)
            s++;
        return s;
    }
    while (s < end) {
        if (*s == '"') {
            s = skip_string(s, end);
            continue;
        }
        depth += (*s == '[' || *s == '{') - (*s == ']' || *s == '}');
        s++;
        if (depth == 0)
            break;
    }
    return s;
}

/* At the comma or bracket behind the element that begins at `s`, or at `end`. */
static const char *skip_element(const char *s, const char *end)
{
    while (s < end && *s != ',' && *s != ']' && *s != '}')
        s = *s == '"' || *s == '[' || *s == '{' ? jsonx_behind_value(s, end) : s + 1;
    return s;
}

static enum err malformed(const char *what, struct why *why)
{
    return why_set(why, ERR_SYNTAX, "the list %s", what);
}

/* Pass the elements between the brackets; with `fn` NULL only look whether all can be told apart.
 */
static enum err walk(const char *text, const char *end, jsonx_element_fn *fn, void *ctx,
                     struct why *why)
{
    const char *s = jsonx_behind_space(text, end);
    if (s == end || *s != '[')
        return malformed("does not begin with '['", why);
    s = jsonx_behind_space(s + 1, end);
    for (bool more = s == end || *s != ']'; more;) {
        const char *start = s, *stop = skip_element(s, end);
        if (stop == end || *stop == '}')
            return malformed(stop == end ? "breaks off" : "ends with '}'", why);
        if (fn != NULL && !fn(ctx, start, (size_t)(stop - start)))
            return ERR_OK;
        more = *stop == ',';
        s = more ? jsonx_behind_space(stop + 1, end) : stop;
    }
    return jsonx_behind_space(s + 1, end) == end ? ERR_OK
                                                 : malformed("has something behind its end", why);
}

enum err jsonx_each(const char *text, size_t len, size_t max, jsonx_element_fn *fn, void *ctx,
                    struct why *why)
{
    if (len > max)
        return why_set(why, ERR_TOO_BIG, "%zu bytes, at most %zu are allowed", len, max);
    enum err e = walk(text, text + len, NULL, NULL, why);
    return e == ERR_OK ? walk(text, text + len, fn, ctx, why) : e;
}

/* The text from `s` up to `end`, if it is printable and fits. */
static bool keep(const char *s, const char *end, char *ret, size_t size)
{
    if ((size_t)(end - s) >= size)
        return false;
    for (const char *c = s; c < end; c++)
        if (*c < ' ' || *c > '~' || *c == '\\')
            return false;
    snprintf(ret, size, "%.*s", (int)(end - s), s);
    return true;
}

bool jsonx_loose_text(const char *text, size_t len, const char *key, char *ret, size_t size)
{
    const char *s = text, *end = text + len;
    size_t key_len = strlen(key);
    for (int depth = 0; s < end;) {
        if (*s != '"') {
            depth += (*s == '[' || *s == '{') - (*s == ']' || *s == '}');
            s++;
            continue;
        }
        const char *name = s + 1;
        s = skip_string(s, end);
        if (depth != 1 || (size_t)(s - name) != key_len + 1 || memcmp(name, key, key_len) != 0)
            continue;
        const char *value = jsonx_behind_space(s, end);
        if (value == end || *value != ':')
            continue; /* it was a value, not a key */
        value = jsonx_behind_space(value + 1, end);
        if (value == end || *value != '"')
            return false;
        const char *behind = skip_string(value, end);
        return behind[-1] == '"' && behind > value + 1 && keep(value + 1, behind - 1, ret, size);
    }
    return false;
}
