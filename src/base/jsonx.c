/* jsonx.c - strict JSON over json-c: a reader of our own, json-c's tree and printer. */
#include "base/jsonx.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistr.h>

#include "base/utf8.h"

#define QUOTED_MAX 40 /* bytes of a key that an error quotes */

/*
 * One pass over the bytes checks and builds at once: what is needed to be sure of a document
 * (every token, every key unescaped) is all that is needed to build it, and json-c's own
 * tokener, which is laxer, would only read everything again.
 */
struct reader {
    const char *start, *at, *end;
    /* A stack: the keys of the objects that are open, and above them what is being unescaped. */
    struct buf scratch;
    int depth;
    struct why *why;
};

/* Tell what is wrong at `at`, with its place for people: lines and characters, from 1. */
static enum err fail(struct reader *r, const char *at, enum err e, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static enum err fail(struct reader *r, const char *at, enum err e, const char *fmt, ...)
{
    if (r->why == NULL)
        return e;
    int line = 1, column = 1;
    for (const char *s = r->start; s < at; s++) {
        if (*s == '\n') {
            line++;
            column = 1;
        } else {
            column += ((unsigned char)*s & 0xc0) != 0x80;
        }
    }
    char text[WHY_MAX / 2];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return why_set(r->why, e, "line %d, column %d: %s", line, column, text);
}

static enum err expected(struct reader *r, const char *what)
{
    if (r->at == r->end)
        return fail(r, r->at, ERR_SYNTAX, "ends where %s is expected", what);
    if (*r->at == '\0')
        return fail(r, r->at, ERR_ENCODING, "NUL where %s is expected", what);
    return fail(r, r->at, ERR_SYNTAX, "%s expected", what);
}

static enum err no_memory(struct reader *r)
{
    return fail(r, r->at, ERR_NOMEM, "out of memory");
}

static void skip_space(struct reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' || *r->at == '\t'))
        r->at++;
}

/* Take `c` if it is next. */
static bool take(struct reader *r, char c)
{
    if (r->at == r->end || *r->at != c)
        return false;
    r->at++;
    return true;
}

/* The bytes that end a run of a string's plain text: quote, backslash, controls, non-ASCII. */
#define ROW16 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1
static const unsigned char special[256] = {
    [0x00] = ROW16, [0x10] = ROW16, ['"'] = 1,      ['\\'] = 1,     [0x80] = ROW16, [0x90] = ROW16,
    [0xa0] = ROW16, [0xb0] = ROW16, [0xc0] = ROW16, [0xd0] = ROW16, [0xe0] = ROW16, [0xf0] = ROW16,
};
#undef ROW16

static void skip_plain(struct reader *r)
{
    const char *s = r->at, *end = r->end;
    while (s < end && !special[(unsigned char)*s])
        s++;
    r->at = s;
}

static enum err read_hex4(struct reader *r, unsigned *ret)
{
    unsigned value = 0;
    for (int i = 0; i < 4; i++, r->at++) {
        char c = r->at < r->end ? *r->at : '\0';
        if (c >= '0' && c <= '9')
            value = value * 16 + (unsigned)(c - '0');
        else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
            value = value * 16 + (unsigned)((c | 0x20) - 'a') + 10;
        else
            return expected(r, "a hexadecimal digit");
    }
    *ret = value;
    return ERR_OK;
}

/* What follows "\u": one code point, of one escape or a pair of surrogates. */
static enum err read_code_point(struct reader *r)
{
    const char *start = r->at - 2;
    unsigned cp = 0, low = 0;
    enum err e = read_hex4(r, &cp);
    if (e != ERR_OK)
        return e;
    if (cp == 0)
        return fail(r, start, ERR_ENCODING, "NUL in a string");
    if (cp >= 0xd800 && cp <= 0xdfff) {
        if (cp > 0xdbff || !take(r, '\\') || !take(r, 'u'))
            return fail(r, start, ERR_ENCODING, "surrogate without its other half");
        e = read_hex4(r, &low);
        if (e != ERR_OK)
            return e;
        if (low < 0xdc00 || low > 0xdfff)
            return fail(r, start, ERR_ENCODING, "surrogate without its other half");
        cp = 0x10000 + ((cp - 0xd800) << 10) + (low - 0xdc00);
    }
    uint8_t utf8[UTF8_MAX];
    buf_add(&r->scratch, utf8, (size_t)u8_uctomb(utf8, cp, sizeof utf8));
    return ERR_OK;
}

/* What follows a backslash, appended to the scratch. */
static enum err read_escape(struct reader *r)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (take(r, 'u'))
        return read_code_point(r);
    const char *known = r->at < r->end && *r->at != '\0' ? strchr(from, *r->at) : NULL;
    if (known == NULL)
        return expected(r, "one of \"\\/bfnrtu after the backslash");
    r->at++;
    buf_addc(&r->scratch, to[known - from]);
    return ERR_OK;
}

/*
 * What follows an opening quote, up to and with the closing one. The text is borrowed: from the
 * document, or, if anything was escaped, from the top of the scratch.
 */
static enum err read_string(struct reader *r, const char **ret_text, size_t *ret_len)
{
    const char *run = r->at; /* since here, nothing was copied */
    size_t mark = r->scratch.len;
    bool copied = false;

    for (;;) {
        skip_plain(r);
        if (r->at == r->end)
            return expected(r, "the end of a string");
        if (*r->at == '"')
            break;
        if ((unsigned char)*r->at >= 0x80) {
            size_t n = utf8_sequence(r->at, r->end);
            if (n == 0)
                return fail(r, r->at, ERR_ENCODING, "not UTF-8");
            r->at += n;
        } else if (*r->at == '\\') {
            buf_add(&r->scratch, run, (size_t)(r->at - run));
            copied = true;
            r->at++;
            enum err e = read_escape(r);
            if (e != ERR_OK)
                return e;
            run = r->at;
        } else if (*r->at == '\0') {
            return fail(r, r->at, ERR_ENCODING, "NUL in a string");
        } else {
            return fail(r, r->at, ERR_SYNTAX, "control character in a string");
        }
    }
    if (copied)
        buf_add(&r->scratch, run, (size_t)(r->at - run));
    if (r->scratch.err != ERR_OK)
        return no_memory(r);
    *ret_text = copied ? r->scratch.data + mark : run;
    *ret_len = copied ? r->scratch.len - mark : (size_t)(r->at - run);
    r->at++;
    return ERR_OK;
}

static enum err string_value(struct reader *r, struct json_object **ret)
{
    size_t mark = r->scratch.len, len = 0;
    const char *text = NULL;
    enum err e = read_string(r, &text, &len);
    if (e != ERR_OK)
        return e;
    *ret = json_object_new_string_len(text, (int)len);
    r->scratch.len = mark;
    return *ret != NULL ? ERR_OK : no_memory(r);
}

/* At least one digit. */
static bool skip_digits(struct reader *r)
{
    const char *start = r->at;
    while (r->at < r->end && isdigit((unsigned char)*r->at))
        r->at++;
    return r->at > start;
}

/* The number from `start` to where the reader stands: its value, and its spelling to print. */
static enum err spelled_value(struct reader *r, const char *start, struct json_object **ret)
{
    size_t mark = r->scratch.len;
    if (buf_add(&r->scratch, start, (size_t)(r->at - start)) != ERR_OK)
        return no_memory(r);
    const char *spelling = r->scratch.data + mark;
    *ret = json_object_new_double_s(strtod(spelling, NULL), spelling);
    r->scratch.len = mark;
    return *ret != NULL ? ERR_OK : no_memory(r);
}

/* The same for an integer. One that int64_t cannot hold is a number with a spelling, too. */
static enum err integer_value(struct reader *r, const char *start, struct json_object **ret)
{
    bool negative = *start == '-';
    uint64_t value = 0, max = negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX;
    for (const char *s = start + negative; s < r->at; s++) {
        unsigned digit = (unsigned)(*s - '0');
        if (value > (max - digit) / 10)
            return spelled_value(r, start, ret);
        value = value * 10 + digit;
    }
    if (value <= INT64_MAX)
        *ret = json_object_new_int64(negative ? -(int64_t)value : (int64_t)value);
    else
        *ret = json_object_new_int64(INT64_MIN);
    return *ret != NULL ? ERR_OK : no_memory(r);
}

static enum err number_value(struct reader *r, struct json_object **ret)
{
    const char *start = r->at;
    bool integer = true;
    take(r, '-');
    const char *digits = r->at;
    if (!take(r, '0') && !skip_digits(r))
        return expected(r, "a digit");
    if (r->at < r->end && isdigit((unsigned char)*r->at))
        return fail(r, digits, ERR_SYNTAX, "number begins with 0");
    /* "-0" is no integer: as one it would lose its sign. */
    if (*start == '-' && *digits == '0')
        integer = false;
    if (take(r, '.')) {
        integer = false;
        if (!skip_digits(r))
            return expected(r, "a digit");
    }
    if (take(r, 'e') || take(r, 'E')) {
        integer = false;
        if (!take(r, '+'))
            take(r, '-');
        if (!skip_digits(r))
            return expected(r, "a digit");
    }
    return integer ? integer_value(r, start, ret) : spelled_value(r, start, ret);
}

static enum err read_value(struct reader *r, struct json_object **ret);

/* Called with the reader after the opening bracket or brace. */
static enum err enter(struct reader *r)
{
    if (++r->depth > JSONX_DEPTH_MAX)
        return fail(r, r->at - 1, ERR_TOO_DEEP, "nested deeper than %d", JSONX_DEPTH_MAX);
    skip_space(r);
    return ERR_OK;
}

static enum err fill_array(struct reader *r, struct json_object *array)
{
    enum err e = enter(r);
    if (e != ERR_OK)
        return e;
    if (!take(r, ']')) {
        do {
            struct json_object *element = NULL;
            e = read_value(r, &element);
            if (e != ERR_OK)
                return e;
            if (json_object_array_add(array, element) != 0) {
                json_object_put(element);
                return no_memory(r);
            }
            skip_space(r);
        } while (take(r, ','));
        if (!take(r, ']'))
            return expected(r, "',' or ']'");
    }
    r->depth--;
    return ERR_OK;
}

/*
 * A key and its colon. The key is left on top of the scratch, with its NUL. Looking for it in
 * json-c's table is sound even for hostile keys: the table's hash is seeded at random.
 */
static enum err read_key(struct reader *r, struct json_object *object)
{
    const char *start = r->at, *text = NULL;
    size_t mark = r->scratch.len, len = 0;
    if (!take(r, '"'))
        return expected(r, "a key in double quotes");
    enum err e = read_string(r, &text, &len);
    if (e != ERR_OK)
        return e;
    if (r->scratch.len == mark)
        buf_add(&r->scratch, text, len);
    if (buf_addc(&r->scratch, '\0') != ERR_OK)
        return no_memory(r);
    const char *key = r->scratch.data + mark;
    if (json_object_object_get_ex(object, key, NULL))
        return fail(r, start, ERR_DUPLICATE, "key \"%.*s\" is given twice", QUOTED_MAX, key);
    skip_space(r);
    return take(r, ':') ? ERR_OK : expected(r, "':'");
}

static enum err read_member(struct reader *r, struct json_object *object)
{
    size_t mark = r->scratch.len;
    struct json_object *value = NULL;
    enum err e = read_key(r, object);
    if (e == ERR_OK)
        e = read_value(r, &value);
    if (e != ERR_OK)
        return e;
    if (json_object_object_add_ex(object, r->scratch.data + mark, value,
                                  JSON_C_OBJECT_ADD_KEY_IS_NEW) != 0) {
        json_object_put(value);
        return no_memory(r);
    }
    r->scratch.len = mark;
    return ERR_OK;
}

static enum err fill_object(struct reader *r, struct json_object *object)
{
    enum err e = enter(r);
    if (e != ERR_OK)
        return e;
    if (!take(r, '}')) {
        do {
            skip_space(r);
            e = read_member(r, object);
            if (e != ERR_OK)
                return e;
            skip_space(r);
        } while (take(r, ','));
        if (!take(r, '}'))
            return expected(r, "',' or '}'");
    }
    r->depth--;
    return ERR_OK;
}

/* An array or an object, made empty and filled by `fill`. */
static enum err container_value(struct reader *r, struct json_object *empty,
                                enum err (*fill)(struct reader *, struct json_object *),
                                struct json_object **ret)
{
    r->at++;
    if (empty == NULL)
        return no_memory(r);
    enum err e = fill(r, empty);
    if (e == ERR_OK)
        *ret = empty;
    else
        json_object_put(empty);
    return e;
}

static bool take_word(struct reader *r, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(r->end - r->at) < n || memcmp(r->at, word, n) != 0)
        return false;
    r->at += n;
    return true;
}

static enum err boolean_value(struct reader *r, bool value, struct json_object **ret)
{
    *ret = json_object_new_boolean(value);
    return *ret != NULL ? ERR_OK : no_memory(r);
}

static enum err read_value(struct reader *r, struct json_object **ret)
{
    skip_space(r);
    char c = r->at < r->end ? *r->at : '\0';
    switch (c) {
    case '"':
        r->at++;
        return string_value(r, ret);
    case '{':
        return container_value(r, json_object_new_object(), fill_object, ret);
    case '[':
        return container_value(r, json_object_new_array(), fill_array, ret);
    case 't':
        return take_word(r, "true") ? boolean_value(r, true, ret) : expected(r, "a value");
    case 'f':
        return take_word(r, "false") ? boolean_value(r, false, ret) : expected(r, "a value");
    case 'n':
        if (!take_word(r, "null"))
            return expected(r, "a value");
        *ret = NULL;
        return ERR_OK;
    default:
        return c == '-' || isdigit((unsigned char)c) ? number_value(r, ret)
                                                     : expected(r, "a value");
    }
}

static enum err read_document(struct reader *r, struct json_object **ret)
{
    if (take_word(r, "\xef\xbb\xbf"))
        return fail(r, r->start, ERR_ENCODING, "begins with a byte order mark");
    struct json_object *root = NULL;
    enum err e = read_value(r, &root);
    if (e != ERR_OK)
        return e;
    skip_space(r);
    if (r->at < r->end) {
        json_object_put(root);
        return expected(r, "the end");
    }
    *ret = root;
    return ERR_OK;
}

enum err jsonx_parse(const char *text, size_t len, size_t max, struct json_object **ret_root,
                     struct why *why)
{
    if (max > JSONX_SIZE_MAX)
        max = JSONX_SIZE_MAX;
    if (len > max)
        return why_set(why, ERR_TOO_BIG, "%zu bytes, at most %zu are allowed", len, max);
    struct reader r = {.start = text, .at = text, .end = text + len, .why = why};
    buf_init(&r.scratch, len);
    enum err e = read_document(&r, ret_root);
    buf_free(&r.scratch);
    return e;
}

enum err jsonx_parse_file(const char *path, size_t max, struct json_object **ret_root,
                          struct why *why)
{
    struct buf b;
    buf_init(&b, max < JSONX_SIZE_MAX ? max : JSONX_SIZE_MAX);
    enum err e = buf_read_file(&b, path, why);
    if (e == ERR_OK && (e = jsonx_parse(b.data, b.len, max, ret_root, why)) != ERR_OK)
        why_prefix(why, e, "%s", strcmp(path, "-") == 0 ? "standard input" : path);
    buf_free(&b);
    return e;
}

enum err jsonx_print(struct buf *b, const struct json_object *root)
{
    if (root == NULL)
        return buf_add(b, "null", 4);
    size_t len;
    /* json-c keeps the text with the object, hence its parameter is not const. */
    const char *text = json_object_to_json_string_length(
        (struct json_object *)(uintptr_t)root,
        JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);
    if (text == NULL)
        return b->err != ERR_OK ? b->err : (b->err = ERR_NOMEM);
    return buf_add(b, text, len);
}

/* The text at `s` that needs no escape, or is to be left out: where it ends. */
static const char *behind_plain(const char *s, const char *end)
{
    while (s < end && *s != '"' && *s != '\\' && (unsigned char)*s >= ' ') {
        size_t n = (unsigned char)*s < 0x80 ? 1 : utf8_sequence(s, end);
        if (n == 0)
            break;
        s += n;
    }
    return s;
}

enum err jsonx_print_text(struct buf *b, const char *text)
{
    const char *end = text + strlen(text);
    buf_addc(b, '"');
    while (text < end) {
        const char *run = text;
        text = behind_plain(text, end);
        buf_add(b, run, (size_t)(text - run));
        if (text == end)
            break;
        unsigned char c = (unsigned char)*text++;
        if (c == '"' || c == '\\')
            buf_add(b, (const char[]){'\\', (char)c}, 2);
        else if (c < ' ')
            buf_printf(b, "\\u%04x", c);
    }
    return buf_addc(b, '"');
}
