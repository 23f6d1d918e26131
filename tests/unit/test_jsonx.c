/* test_jsonx.c - what is no JSON never becomes a tree, and what is comes back as it was. */
#include "unit.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/jsonx.h"
#include "json_text.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* A text with its length, since some hold a NUL. */
struct text {
    const char *bytes;
    size_t len;
};
#define T(s)             \
    {                    \
        s, sizeof(s) - 1 \
    }

/* Parse a copy that ends at the last byte, so that a sanitizer sees any read beyond it. */
static enum err parse(const char *text, size_t len, struct json_object **ret, struct why *why)
{
    char *copy = malloc(len > 0 ? len : 1);
    memcpy(copy, text, len);
    enum err e = jsonx_parse(copy, len, JSONX_SIZE_MAX, ret, why);
    free(copy);
    return e;
}

static void refuse_all(const struct text *texts, size_t count, enum err want)
{
    for (size_t i = 0; i < count; i++) {
        struct json_object *const untouched = (struct json_object *)&texts;
        struct json_object *root = untouched;
        struct why why = {""};
        enum err e = parse(texts[i].bytes, texts[i].len, &root, &why);
        if (e != want)
            print_error("case %zu: %.*s\n", i, (int)texts[i].len, texts[i].bytes);
        assert_err(e, want);
        assert_ptr_equal(root, untouched);
        assert_non_null(strstr(why.text, "line "));
    }
}

static void refuses_what_rfc_8259_does_not_allow(void **state)
{
    (void)state;
    static const struct text bad[] = {
        T(""),
        T("   "),
        T("{"),
        T("}"),
        T("["),
        T("]"),
        T("[1,]"),
        T("[,1]"),
        T("[1 2]"),
        T("[1"),
        T("[1}"),
        T("{\"a\"}"),
        T("{\"a\":}"),
        T("{\"a\" 1}"),
        T("{\"a\":1,}"),
        T("{,\"a\":1}"),
        T("{\"a\":1 \"b\":2}"),
        T("{\"a\":1]"),
        T("{a:1}"),
        T("{1:1}"),
        T("{'a':1}"),
        T("'a'"),
        T("\"a"),
        T("\"a\\"),
        T("\"a\\u"),
        T("\"\\u12"),
        T("\"\\u12g4\""),
        T("\"\\x41\""),
        T("\"\\'\""),
        T("\"\\U0041\""),
        T("\"tab\there\""),
        T("\"line\nbreak\""),
        T("\"\x1f\""),
        T("tru"),
        T("True"),
        T("truee"),
        T("nul"),
        T("NaN"),
        T("Infinity"),
        T("-Infinity"),
        T("undefined"),
        T("01"),
        T("-01"),
        T("00"),
        T("-"),
        T("+1"),
        T(".5"),
        T("1."),
        T("1.e5"),
        T("1e"),
        T("1e+"),
        T("1.5.5"),
        T("0x10"),
        T("1_000"),
        T("1 2"),
        T("{} {}"),
        T("{}x"),
        T("[]]"),
        T("// no\n1"),
        T("/* no */1"),
        T("1 # no"),
        T("1\f"),
        T("\v1"),
        T("1\xc2\xa0"),
        T("\xff\xfe{\0}\0"),
        T("\xe2\x80\xa8"
          "1"),
    };
    refuse_all(bad, COUNT(bad), ERR_SYNTAX);
}

static void refuses_bad_encodings(void **state)
{
    (void)state;
    static const struct text bad[] = {
        T("\xef\xbb\xbf{}"),
        T("{\0\"\0"),
        T("1\0"),
        T("\"a\0b\""),
        T("\"\\u0000\""),
        T("{\"exp\\u0000\":1}"),
        T("\"\\ud800\""),
        T("\"\\ud800x\""),
        T("\"\\ud800\\n\""),
        T("\"\\ud800\\u0041\""),
        T("\"\\ud800\\ud800\""),
        T("\"\\udc00\\ud800\""),
        T("\"\\udfff\""),
        T("\"\x80\""),
        T("\"\xbf\""),
        T("\"\xc0\xaf\""),
        T("\"\xc1\xbf\""),
        T("\"\xc3\""),
        T("\"\xc3(\""),
        T("\"\xe0\x80\xaf\""),
        T("\"\xe0\x9f\xbf\""),
        T("\"\xe2\x82\""),
        T("\"\xed\xa0\x80\""),
        T("\"\xed\xbf\xbf\""),
        T("\"\xf0\x80\x80\xaf\""),
        T("\"\xf0\x8f\xbf\xbf\""),
        T("\"\xf4\x90\x80\x80\""),
        T("\"\xf5\x80\x80\x80\""),
        T("\"\xf8\x88\x80\x80\x80\""),
        T("\"\xfe\""),
        T("\"\xff\""),
        T("\"\xe2\x82"),
        T("\"\xf0\x9f\x92"),
        T("{\"\xff\":1}"),
    };
    refuse_all(bad, COUNT(bad), ERR_ENCODING);
}

static void refuses_a_key_given_twice(void **state)
{
    (void)state;
    static const struct text bad[] = {
        T("{\"exp\":1,\"exp\":1}"),
        T("{\"exp\":1,\"\\u0065xp\":2}"),
        T("{\"\\u0065xp\":1,\"x\":{},\"exp\":2}"),
        T("{\"a\":null,\"a\":null}"),
        T("{\"\":1,\"\":2}"),
        T("[{\"a\":{\"b\":1,\"c\":2,\"b\":3}}]"),
        T("{\"\xf0\x9f\x98\x80\":1,\"\\ud83d\\ude00\":2}"),
        T("{\"/\":1,\"\\/\":2}"),
    };
    refuse_all(bad, COUNT(bad), ERR_DUPLICATE);
}

/* What neither int64_t nor double could print back digit for digit is given as no number. */
static void gives_no_number_that_would_have_changed(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "9223372036854775808",
        "-9223372036854775809",
        "1234567890123456789012345",
        "1e400",
        "-1e400",
        "1000000000000000000000000e300",
        "1590573843.0000000000000000001",
        "9007199254740993.0",
        "1e16",
        "1590573843.5",
        "1e-400",
        "-0",
        "-0.0",
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct json_object *root;
        int64_t untouched = 4711;
        assert_err(parse(bad[i], strlen(bad[i]), &root, NULL), ERR_OK);
        assert_false(jsonx_whole(root, &untouched));
        assert_int_equal(untouched, 4711);
        assert_string_equal(jsonx_spelling(root), bad[i]);
        json_object_put(root);
    }
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
        {"1590573843.0", 1590573843},
        {"1590573843.000", 1590573843},
        {"17e8", 1700000000},
        {"-1.5e1", -15},
        {"0.0", 0},
    };
    for (size_t i = 0; i < COUNT(good); i++) {
        struct json_object *root;
        int64_t value = 4711;
        assert_err(parse(good[i].text, strlen(good[i].text), &root, NULL), ERR_OK);
        assert_true(jsonx_whole(root, &value));
        assert_int_equal(value, good[i].value);
        json_object_put(root);
    }
    struct json_object *text = json_object_new_string("7");
    int64_t value;
    assert_false(jsonx_whole(text, &value));
    assert_false(jsonx_whole(NULL, &value));
    assert_null(jsonx_spelling(text));
    assert_null(jsonx_spelling(NULL));
    json_object_put(text);
}

static void refuses_to_go_too_deep(void **state)
{
    (void)state;
    static char text[200001];
    for (size_t depth = 1; depth <= 100000; depth = depth < 40 ? depth + 1 : depth * 10) {
        struct json_object *root = NULL;
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        enum err want = depth <= JSONX_DEPTH_MAX ? ERR_OK : ERR_TOO_DEEP;
        assert_err(parse(text, 2 * depth, &root, NULL), want);
        json_object_put(root);
        assert_err(parse(text, depth, &root, NULL), want == ERR_OK ? ERR_SYNTAX : want);
    }
    struct buf b;
    buf_init(&b, sizeof text);
    for (int i = 0; i <= JSONX_DEPTH_MAX; i++)
        buf_addstr(&b, "{\"a\":");
    struct json_object *root;
    assert_err(parse(b.data, b.len, &root, NULL), ERR_TOO_DEEP);
    buf_free(&b);
    /* Depth is what is open at once, not what was ever opened. */
    buf_addstr(&b, "[0");
    for (int i = 0; i < 1000; i++)
        buf_addstr(&b, ",[],{\"a\":{}}");
    buf_addstr(&b, "]");
    assert_err(parse(b.data, b.len, &root, NULL), ERR_OK);
    json_object_put(root);
    buf_free(&b);
}

static void refuses_what_is_longer_than_allowed(void **state)
{
    (void)state;
    struct json_object *root;
    struct why why;
    assert_err(jsonx_parse("[1]", 3, 2, &root, &why), ERR_TOO_BIG);
    assert_non_null(strstr(why.text, "3 bytes"));
    assert_err(jsonx_parse("[1]", 3, 3, &root, NULL), ERR_OK);
    json_object_put(root);
    /* Refused by its length, before a byte is read. */
    assert_err(jsonx_parse("[1]", JSONX_SIZE_MAX + 1, SIZE_MAX, &root, NULL), ERR_TOO_BIG);
}

static void tells_line_and_column(void **state)
{
    (void)state;
    struct json_object *root;
    struct why why;
    assert_err(parse("{\n  \"\xc3\xa9\": 1,\n  \"b\" 2\n}", 21, &root, &why), ERR_SYNTAX);
    assert_string_equal(why.text, "line 3, column 7: ':' expected");
    assert_err(parse("{\"\xc3\xa9\xe2\x82\xac\":tru}", 13, &root, &why), ERR_SYNTAX);
    assert_string_equal(why.text, "line 1, column 7: a value expected");
    assert_err(parse("[1,2", 4, &root, &why), ERR_SYNTAX);
    assert_string_equal(why.text, "line 1, column 5: ends where ',' or ']' is expected");
    assert_err(parse("{\"a\":1,\n\"\\u0061\":2}", 19, &root, &why), ERR_DUPLICATE);
    assert_string_equal(why.text, "line 2, column 1: key \"a\" is given twice");
}

static void echoes_a_document_as_it_came(void **state)
{
    (void)state;
    static const char *const same[] = {
        "null",
        "true",
        "false",
        "\"\"",
        "{}",
        "[]",
        "0",
        "-1",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551615",
        "-9223372036854775808",
        "18446744073709551616",
        "-9223372036854775809",
        "1234567890123456789012345",
        "1e400",
        "-1e400",
        "[1e999999999999999999999]",
        "-0",
        "1.0",
        "1.10",
        "-0.0",
        "1E5",
        "1e+5",
        "1E-05",
        "0.1000",
        "1e-400",
        "3.14159265358979323846264338327950288",
        "[1,[2,{\"a\":[]}],null]",
        "{\"b\":1,\"a\":{\"c\":null},\"\":false}",
        "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\x7f\"",
        "\"\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\"",
        "\"\xee\x80\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"",
    };
    for (size_t i = 0; i < COUNT(same); i++) {
        struct json_object *root, *copy;
        struct buf b;
        buf_init(&b, 1000);
        assert_err(parse(same[i], strlen(same[i]), &root, NULL), ERR_OK);
        copy = jsonx_copy(root);
        assert_err(jsonx_print(&b, copy), ERR_OK);
        assert_string_equal(b.data, same[i]);
        buf_reset(&b);
        assert_err(jsonx_print(&b, root), ERR_OK);
        assert_string_equal(b.data, same[i]);
        buf_free(&b);
        json_object_put(root);
        json_object_put(copy);
    }
}

static void unescapes(void **state)
{
    (void)state;
    const char *text =
        " { \"\\u006b\\n\" :\t\"\\u0041\\u00e9\\u20AC\\ud83d\\uDE00\\/ plain \\\"\\\\\" }\r\n";
    struct json_object *root;
    assert_err(parse(text, strlen(text), &root, NULL), ERR_OK);
    assert_string_equal(jsonx_str(root, "k\n", ""),
                        "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80/ plain \"\\");
    json_object_put(root);
}

/* Every object that is open has its key on the reader's stack. */
static void keeps_keys_apart(void **state)
{
    (void)state;
    const char *text =
        "{\"a\\u0062\":{\"c\":{\"\":1.5,\"\\n\":\"\\t\"},\"d\":[{\"e\":2e3}]},\"f\":\"\\\\\"}";
    struct json_object *root;
    assert_err(parse(text, strlen(text), &root, NULL), ERR_OK);
    assert_string_equal(
        json_object_to_json_string_ext(root, JSON_C_TO_STRING_PLAIN),
        "{\"ab\":{\"c\":{\"\":1.5,\"\\n\":\"\\t\"},\"d\":[{\"e\":2e3}]},\"f\":\"\\\\\"}");
    json_object_put(root);
}

static void takes_a_million_keys_in_one_object(void **state)
{
    (void)state;
    enum { KEYS = 1000000 };
    struct buf b;
    struct json_object *root;
    buf_init(&b, JSONX_SIZE_MAX);
    buf_addc(&b, '{');
    for (int i = 0; i < KEYS; i++)
        buf_printf(&b, "\"k%d\":%d,", i, i);
    buf_addstr(&b, "\"last\":0}");
    assert_err(jsonx_parse(b.data, b.len, b.len, &root, NULL), ERR_OK);
    assert_int_equal(json_object_object_length(root), KEYS + 1);
    assert_int_equal(jsonx_int(root, "k999999", -1), 999999);
    json_object_put(root);
    memcpy(b.data + b.len - strlen("last\":0}"), "k777", 4);
    assert_err(jsonx_parse(b.data, b.len, b.len, &root, NULL), ERR_DUPLICATE);
    buf_free(&b);
}

static void getters_give_the_default(void **state)
{
    (void)state;
    const char *text =
        "{\"s\":\"x\",\"i\":7,\"u\":18446744073709551615,\"d\":1.5,\"w\":8.0,\"t\":true,"
        "\"n\":null,\"a\":[1],\"o\":{\"p\":{\"q\":\"deep\"}}}";
    struct json_object *o;
    assert_err(parse(text, strlen(text), &o, NULL), ERR_OK);

    assert_string_equal(jsonx_str(o, "s", "-"), "x");
    static const char *const no_string[] = {"i", "d", "t", "n", "a", "o", "absent"};
    for (size_t i = 0; i < COUNT(no_string); i++)
        assert_null(jsonx_str(o, no_string[i], NULL));
    assert_int_equal(jsonx_int(o, "i", -1), 7);
    assert_int_equal(jsonx_int(o, "w", -1), 8);
    static const char *const no_integer[] = {"s", "u", "d", "t", "n", "a", "o", "absent"};
    for (size_t i = 0; i < COUNT(no_integer); i++)
        assert_int_equal(jsonx_int(o, no_integer[i], -1), -1);
    assert_true(jsonx_bool(o, "t", false));
    assert_true(jsonx_bool(o, "i", true));
    assert_false(jsonx_bool(o, "absent", false));
    assert_non_null(jsonx_array(o, "a"));
    assert_null(jsonx_array(o, "o"));
    assert_non_null(jsonx_object(o, "o"));
    assert_null(jsonx_object(o, "a"));
    assert_null(jsonx_get(o, "n"));
    assert_null(jsonx_get(jsonx_get(o, "a"), "0"));
    assert_null(jsonx_get(NULL, "a"));
    assert_string_equal(json_object_get_string(jsonx_at(o, "o.p.q")), "deep");
    assert_null(jsonx_at(o, "o.x.q"));
    assert_null(jsonx_at(o, "s.x"));
    assert_null(jsonx_at(o, ""));
    assert_null(jsonx_at(o, "o..q"));
    assert_null(jsonx_copy(NULL));
    json_object_put(o);
}

static void adds_where_a_path_leads(void **state)
{
    (void)state;
    char long_key[JSONX_KEY_MAX + 8];
    struct json_object *o = json_object_new_object();
    memset(long_key, 'k', sizeof long_key);
    long_key[sizeof long_key - 1] = '\0';
    assert_false(jsonx_add_at(o, "", json_object_new_int(1)));
    assert_false(jsonx_add_at(o, long_key, json_object_new_int(1)));
    assert_false(jsonx_add_at(o, "a", NULL));
    assert_int_equal(json_object_object_length(o), 0);
    assert_true(jsonx_add_at(o, "t.id", json_object_new_string("TL-1")));
    assert_true(jsonx_add_at(o, "t.text", json_object_new_string("x")));
    assert_true(jsonx_add_at(o, "plain", json_object_new_int(1)));
    assert_string_equal(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN),
                        "{\"t\":{\"id\":\"TL-1\",\"text\":\"x\"},\"plain\":1}");
    json_object_put(o);
}

/* ---------------------------------------------------------------- element by element */

static char elements[1000];

static bool note_element(void *ctx, const char *text, size_t len)
{
    size_t *left = ctx;
    struct json_object *value = NULL;
    enum err e = jsonx_parse(text, len, len, &value, NULL);
    size_t n = strlen(elements);
    snprintf(elements + n, sizeof elements - n, "%s;",
             e != ERR_OK     ? err_name(e)
             : value == NULL ? "null"
                             : json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN));
    json_object_put(value);
    return --*left > 0;
}

static enum err each(const char *text, size_t len, size_t most)
{
    char *copy = malloc(len);
    memcpy(copy, text, len);
    elements[0] = '\0';
    enum err e = jsonx_each(copy, len, JSONX_SIZE_MAX, note_element, &most, NULL);
    free(copy);
    return e;
}

static void refuses_an_array_whose_elements_run_together(void **state)
{
    (void)state;
    static const char *const bad[] = {
        " ",   "{}",   "1",    "[",        "[1",      "[1,",    "[1}",    "[\"a]",
        "[{]", "[1]x", "[1],", "[\"\\\"]", "[1,2}]3", "[\"a\\", "<html>", "[{\"a\":1]"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_err(each(bad[i], strlen(bad[i]), 100), ERR_SYNTAX);
        assert_string_equal(elements, "");
    }
    struct why why;
    assert_err(jsonx_each("[1]", 3, 2, note_element, NULL, &why), ERR_TOO_BIG);
    assert_non_null(strstr(why.text, "3 bytes"));
}

static void passes_what_is_sound_beside_what_is_not(void **state)
{
    (void)state;
    static const struct {
        struct text text;
        const char *want;
    } cases[] = {
        {T("[]"), ""},
        {T(" [ ] "), ""},
        {T("[1 , \"a,]}\",{\"b\":[1,{\"c\":\"]\\\"}\"}]} ,null]\n"),
         "1;\"a,]}\";{\"b\":[1,{\"c\":\"]\\\"}\"}]};null;"},
        {T("[{\"a\":1,\"a\":2},2]"), "duplicate;2;"},
        {T("[{\"a\":\"\xff\"},2]"), "encoding;2;"},
        {T("[{\"a\":\"x\0y\"},{\"b\":\"\\ud800\"},3]"), "encoding;encoding;3;"},
        {T("[{\"a\":NaN},{'b':1},,4]"), "syntax;syntax;syntax;4;"},
        {T("[1,]"), "1;syntax;"},
        {T("[{\"a\":[}},5]"), "syntax;5;"},
        {T("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]],6]"),
         "too-deep;6;"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_err(each(cases[i].text.bytes, cases[i].text.len, 100), ERR_OK);
        assert_string_equal(elements, cases[i].want);
    }
    assert_err(each("[1,2,3]", 7, 2), ERR_OK);
    assert_string_equal(elements, "1;2;");
}

static void finds_an_id_in_what_is_refused(void **state)
{
    (void)state;
    static const struct {
        struct text text;
        const char *want;
    } cases[] = {
        {T("{\"id\":\"PR-1\",\"id\":\"PR-2\"}"), "PR-1"},
        {T("{\"a\":{\"id\":\"AS-1\"},\"b\":\"\xff\", \"id\" : \"PR-3\"}"), "PR-3"},
        {T("{\"x\":\"id\",\"y\":[\"id\"],\"id\":\"PR-4\""), "PR-4"},
        {T("{\"id\":\"1559115188\"}"), "1559115188"},
        {T("{\"id\":\"PR-\xff\"}"), NULL},
        {T("{\"id\":\"PR-\\u0041\"}"), NULL},
        {T("{\"id\":\"a-name-that-is-longer-than-its-room\"}"), NULL},
        {T("{\"id\":7}"), NULL},
        {T("{\"id\":"), NULL},
        {T("{\"id\""), NULL},
        {T("{\"id\":\"PR-5"), NULL},
        {T("{\"idx\":\"PR-6\"}"), NULL},
        {T("[{\"id\":\"PR-7\"}]"), NULL},
        {T(""), NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char got[16] = "none";
        bool found = jsonx_loose_text(cases[i].text.bytes, cases[i].text.len, "id", got,
                                      sizeof got);
        assert_int_equal(found, cases[i].want != NULL);
        assert_string_equal(got, found ? cases[i].want : "none");
    }
}

static void prints_within_the_ceiling(void **state)
{
    (void)state;
    struct json_object *o = json_object_new_string("abc");
    struct buf b;
    buf_init(&b, 4);
    assert_err(jsonx_print(&b, o), ERR_TOO_BIG);
    assert_int_equal(b.len, 0);
    assert_err(jsonx_print(&b, NULL), ERR_TOO_BIG); /* sticky */
    buf_free(&b);
    json_object_put(o);
}

static void reads_files(void **state)
{
    (void)state;
    char path[] = "/tmp/test_jsonx.XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    struct json_object *root;
    struct why why;
    assert_err(jsonx_parse_file(path, 100, &root, &why), ERR_SYNTAX);
    assert_non_null(strstr(why.text, path));
    assert_int_equal(write(fd, "[1,22]", 6), 6);
    assert_err(jsonx_parse_file(path, 5, &root, &why), ERR_TOO_BIG);
    assert_non_null(strstr(why.text, path));
    assert_err(jsonx_parse_file(path, 6, &root, &why), ERR_OK);
    assert_int_equal(json_object_array_length(root), 2);
    json_object_put(root);
    close(fd);
    unlink(path);
    assert_err(jsonx_parse_file(path, 6, &root, &why), ERR_IO);
    assert_non_null(strstr(why.text, path));
    assert_err(jsonx_parse_file("/tmp", 6, &root, &why), ERR_IO);
}

/* Texts in capitals; a number is a failure. */
static enum err shout(void *ctx, struct json_object *leaf, struct json_object **ret)
{
    ++*(int *)ctx;
    if (json_object_is_type(leaf, json_type_int))
        return ERR_RANGE;
    char text[16] = "";
    for (size_t i = 0; i + 1 < sizeof text && json_object_get_string(leaf)[i] != '\0'; i++)
        text[i] = (char)toupper((unsigned char)json_object_get_string(leaf)[i]);
    *ret = json_object_new_string(text);
    return ERR_OK;
}

static void makes_leaves_anew(void **state)
{
    (void)state;
    static const char from[] = "{\"a\":[\"x\",null,[],{}],\"b\":{\"c\":\"y\",\"d\":true}}";
    struct json_object *root, *copy = NULL;
    struct buf b;
    int leaves = 0;
    buf_init(&b, 1000);
    assert_err(jsonx_parse(from, strlen(from), sizeof from, &root, NULL), ERR_OK);
    assert_err(jsonx_map(root, shout, &leaves, &copy), ERR_OK);
    jsonx_print(&b, copy);
    assert_string_equal(b.data, "{\"a\":[\"X\",null,[],{}],\"b\":{\"c\":\"Y\",\"d\":\"TRUE\"}}");
    assert_int_equal(leaves, 3);
    json_object_put(copy);
    copy = NULL;
    assert_err(jsonx_map(NULL, shout, &leaves, &copy), ERR_OK);
    assert_null(copy);
    jsonx_append(jsonx_array(root, "a"), json_object_new_int(5));
    leaves = 0;
    assert_err(jsonx_map(root, shout, &leaves, &copy), ERR_RANGE);
    assert_null(copy);
    assert_int_equal(leaves, 2); /* nothing is made after a failure */
    json_object_put(root);
    buf_free(&b);
}

/* What is printed reads back as the same, but for what no JSON can say. */
static void prints_texts(void **state)
{
    (void)state;
    static const struct {
        const char *text, *printed;
    } cases[] = {
        {"", "\"\""},
        {"plain", "\"plain\""},
        {"a \"b\" \\c/", "\"a \\\"b\\\" \\\\c/\""},
        {"line\n\ttab\x7f\x01", "\"line\\u000a\\u0009tab\x7f\\u0001\""},
        {"\xc3\xa4 \xe2\x82\xac", "\"\xc3\xa4 \xe2\x82\xac\""},
        {"\xff"
         "a\xc3"
         "b\xed\xa0\x80"
         "c\xc3",
         "\"abc\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct json_object *back;
        struct buf b;
        buf_init(&b, 100);
        assert_err(jsonx_print_text(&b, cases[i].text), ERR_OK);
        assert_string_equal(b.data, cases[i].printed);
        assert_err(jsonx_parse(b.data, b.len, b.len, &back, NULL), ERR_OK);
        json_object_put(back);
        buf_free(&b);
    }
    struct buf small;
    buf_init(&small, 5);
    assert_err(jsonx_print_text(&small, "too long"), ERR_TOO_BIG);
    buf_free(&small);
}

static void reads_a_text_where_a_path_leads(void **state)
{
    (void)state;
    struct json_object *o = json("{'a':{'b':'x','n':7,'o':{}},'t':'y'}");
    static const char *const nowhere[] = {"a.c", "a.n", "a.o", "a", "t.b", "b", "a.b.c"};
    for (size_t i = 0; i < sizeof nowhere / sizeof *nowhere; i++)
        assert_string_equal(jsonx_str_at(o, nowhere[i], "none"), "none");
    assert_string_equal(jsonx_str_at(o, "a.b", "none"), "x");
    assert_string_equal(jsonx_str_at(o, "t", "none"), "y");
    assert_null(jsonx_str_at(NULL, "a.b", NULL));
    json_object_put(o);
}

static void copies_an_object_and_shares_its_members(void **state)
{
    (void)state;
    struct json_object *o = json("{'a':{'b':1},'n':null}"), *copy = jsonx_shallow(o);
    assert_ptr_equal(jsonx_get(copy, "a"), jsonx_get(o, "a"));
    assert_int_equal(json_object_object_length(copy), 2);
    json_object_object_del(copy, "a");
    assert_non_null(jsonx_get(o, "a"));
    json_object_put(o);
    json_object_put(copy);
}

static void finds_an_element_by_its_id(void **state)
{
    (void)state;
    struct json_object *list = json("[null,7,{\"id\":7},{\"x\":1},{\"id\":\"a\",\"n\":1},{\"id\":"
                                    "\"a\",\"n\":2},{\"id\":\"\"}]");
    assert_ptr_equal(jsonx_element(list, "a"), json_object_array_get_idx(list, 4));
    assert_ptr_equal(jsonx_element(list, ""), json_object_array_get_idx(list, 6));
    assert_null(jsonx_element(list, "7"));
    assert_null(jsonx_element(json_object_array_get_idx(list, 4), "a"));
    assert_null(jsonx_element(NULL, "a"));
    json_object_put(list);
}

/* The bytes of a document, beside its tree. */
static void tells_where_values_end(void **state)
{
    (void)state;
    static const char *const values[] = {"\"a\\\"]\"",
                                         "\"\\\\\"",
                                         "-1.5e+3",
                                         "true",
                                         "null",
                                         "[]",
                                         "{}",
                                         "[1,[\"]\",{\"}\":[]}],{}]",
                                         "{\"a\\\"}\":{\"b\":[{}]}}"};
    static const char *const behind[] = {"", ",1", "]", "}", " \n]", ":"};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        for (size_t n = 0; n < sizeof behind / sizeof *behind - (values[i][0] != '"'); n++) {
            char text[128];
            snprintf(text, sizeof text, " \t\r\n%s%s", values[i], behind[n]);
            const char *end = text + strlen(text), *at = jsonx_behind_space(text, end);
            assert_ptr_equal(at, text + 4);
            assert_ptr_equal(jsonx_behind_value(at, end), at + strlen(values[i]));
        }
}

static void copies_all_but_nulls(void **state)
{
    (void)state;
    struct json_object *o = json("{\"a\":null,\"b\":{\"c\":null},\"d\":\"\"}"),
                       *copy = jsonx_without_nulls(o);
    assert_string_equal(json_object_to_json_string_ext(copy, JSON_C_TO_STRING_PLAIN),
                        "{\"b\":{\"c\":null},\"d\":\"\"}");
    json_object_put(copy);
    json_object_put(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_rfc_8259_does_not_allow),
        cmocka_unit_test(refuses_bad_encodings),
        cmocka_unit_test(refuses_a_key_given_twice),
        cmocka_unit_test(gives_no_number_that_would_have_changed),
        cmocka_unit_test(refuses_to_go_too_deep),
        cmocka_unit_test(refuses_what_is_longer_than_allowed),
        cmocka_unit_test(tells_line_and_column),
        cmocka_unit_test(echoes_a_document_as_it_came),
        cmocka_unit_test(unescapes),
        cmocka_unit_test(keeps_keys_apart),
        cmocka_unit_test(takes_a_million_keys_in_one_object),
        cmocka_unit_test(getters_give_the_default),
        cmocka_unit_test(adds_where_a_path_leads),
        cmocka_unit_test(refuses_an_array_whose_elements_run_together),
        cmocka_unit_test(passes_what_is_sound_beside_what_is_not),
        cmocka_unit_test(finds_an_id_in_what_is_refused),
        cmocka_unit_test(prints_within_the_ceiling),
        cmocka_unit_test(reads_files),
        cmocka_unit_test(makes_leaves_anew),
        cmocka_unit_test(prints_texts),
        cmocka_unit_test(reads_a_text_where_a_path_leads),
        cmocka_unit_test(copies_an_object_and_shares_its_members),
        cmocka_unit_test(copies_all_but_nulls),
        cmocka_unit_test(finds_an_element_by_its_id),
        cmocka_unit_test(tells_where_values_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
