/* mask.c - values that nobody must see, hidden in whatever text they turn up. */
#include "base/mask.h"

#include <ctype.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/buf.h"
#include "base/jsonx.h"
#include "base/utf8.h"

enum err mask_add(struct mask *m, const char *value)
{
    if (value[0] == '\0')
        return ERR_OK;
    const char **values = array_room(m->values, m->count, &m->cap, sizeof *values);
    if (values == NULL)
        return ERR_NOMEM;
    m->values = values;
    m->values[m->count++] = value;
    return ERR_OK;
}

void mask_free(struct mask *m)
{
    free(m->values);
    *m = (struct mask){0};
}

static bool has_value(const struct mask *m, const char *value)
{
    for (size_t i = 0; i < m->count; i++)
        if (strcmp(m->values[i], value) == 0)
            return true;
    return false;
}

enum err mask_keep(struct mask *m, const struct mask *from)
{
    for (size_t i = 0; i < from->count; i++) {
        if (has_value(m, from->values[i]))
            continue;
        enum err e = mask_add(m, from->values[i]);
        if (e != ERR_OK)
            return e;
        m->values[m->count - 1] = strdup(from->values[i]);
        if (m->values[m->count - 1] == NULL) {
            m->count--;
            return ERR_NOMEM;
        }
    }
    return ERR_OK;
}

void mask_free_kept(struct mask *m)
{
    for (size_t i = 0; i < m->count; i++)
        free((char *)m->values[i]);
    mask_free(m);
}

/* ------------------------------------------------------------------ finding a value */

/* "u00e9" after its backslashes, a half of a pair at a time: the number, or 0. */
static uint32_t unicode_escape(const char *s)
{
    uint8_t n[2];
    if (*s != 'u' || sodium_hex2bin(n, sizeof n, s + 1, 4, NULL, NULL, NULL) != 0)
        return 0;
    return (uint32_t)n[0] << 8 | n[1];
}

/* One character of a value, escaped at `text`: how many bytes that takes, 0 if it is not there. */
static size_t match_escaped(const char *text, const char *ch, size_t len)
{
    static const char letters[] = "nrtbf", meant[] = "\n\r\t\b\f";
    size_t slashes = strspn(text, "\\");
    const char *s = text + slashes, *letter;
    if (slashes == 0)
        return 0;
    if (strncmp(s, ch, len) == 0)
        return slashes + len;
    if (*s != '\0' && (letter = strchr(letters, *s)) != NULL)
        return meant[letter - letters] == *ch ? slashes + 1 : 0;
    uint32_t n = unicode_escape(s), wanted = utf8_code_point(ch, len);
    if (n == wanted)
        return slashes + 5;
    if (n < 0xd800 || n > 0xdbff)
        return 0;
    size_t more = strspn(s + 5, "\\");
    uint32_t low = unicode_escape(s + 5 + more);
    bool pair = low >= 0xdc00 && low <= 0xdfff &&
                wanted == 0x10000 + ((n - 0xd800) << 10) + (low - 0xdc00);
    return pair ? slashes + 5 + more + 5 : 0;
}

/* As much of a value as stands at `text`: bytes of the text, *ret_chars characters of the value. */
static size_t match(const char *text, const char *value, size_t *ret_chars, bool *ret_whole)
{
    const char *at = text, *end = value + strlen(value);
    *ret_chars = 0;
    while (value < end) {
        size_t len = utf8_sequence(value, end);
        len = len > 0 ? len : 1;
        size_t taken = strncmp(at, value, len) == 0 ? len : match_escaped(at, value, len);
        if (taken == 0)
            break;
        at += taken;
        value += len;
        ++*ret_chars;
    }
    *ret_whole = value == end;
    return (size_t)(at - text);
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || (unsigned char)c >= 0x80;
}

/* Is the text cut at this place, perhaps within an escape? */
static bool is_cut(const char *rest)
{
    return *rest == '\0' || strncmp(rest, "...", 3) == 0 || strncmp(rest, "\u2026", 3) == 0 ||
           (*rest == '\\' && strlen(rest) < sizeof "\\\\\\\\u0000");
}

/* Bytes at `at`, in `text`, that tell of one of the values; 0 if none do. */
static size_t find(const struct mask *m, const char *text, const char *at)
{
    size_t longest = 0;
    for (size_t i = 0; i < m->count; i++) {
        size_t chars;
        bool whole, hide;
        size_t len = match(at, m->values[i], &chars, &whole);
        if (whole && chars <= MASK_ALONE)
            hide = (at == text || !is_word(at[-1])) && !is_word(at[len]);
        else
            hide = whole || chars >= MASK_PART || (chars >= MASK_CUT && is_cut(at + len));
        if (hide && len > longest)
            longest = len;
    }
    return longest;
}

static void hide(const struct mask *m, const char *text, struct buf *b)
{
    for (const char *at = text; *at != '\0';) {
        size_t len = find(m, text, at);
        if (len > 0)
            buf_addstr(b, MASK_TEXT);
        else
            buf_addc(b, *at);
        at += len > 0 ? len : 1;
    }
}

/* ------------------------------------------------------------------ texts and trees */

enum err mask_text(const struct mask *m, char *text, size_t size)
{
    struct buf b;
    if (m->count == 0)
        return ERR_OK;
    buf_init(&b, strlen(text) * sizeof MASK_TEXT + 1);
    hide(m, text, &b);
    enum err e = b.err;
    snprintf(text, size, "%s", e == ERR_OK ? b.data : "");
    utf8_clean(text);
    buf_free(&b);
    return e;
}

/* A leaf that need not be hidden stays what it is. */
static enum err mask_leaf(void *ctx, struct json_object *leaf, struct json_object **ret)
{
    const char *text = json_object_get_string(leaf);
    struct buf b;
    buf_init(&b, strlen(text) * sizeof MASK_TEXT + 1);
    if (!json_object_is_type(leaf, json_type_boolean))
        hide(ctx, text, &b);
    enum err e = b.err;
    if (e == ERR_OK) {
        bool same = b.len == 0 || strcmp(b.data, text) == 0;
        *ret = same ? jsonx_copy(leaf) : json_object_new_string(b.data);
        e = *ret != NULL ? ERR_OK : ERR_NOMEM;
    }
    buf_free(&b);
    return e;
}

enum err mask_json(struct mask *m, struct json_object *json, struct json_object **ret)
{
    return jsonx_map(json, mask_leaf, m, ret);
}
