/* test_yamlx.c - plain data only, and every error with its place. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/yamlx.h"

static enum err parse(const char *text, struct yamlx **ret, struct why *why)
{
    return yamlx_parse("f", text, strlen(text), ret, why);
}

static void refuses_what_is_not_one_plain_document(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum err err;
        const char *at;
    } bad[] = {
        {"a: [1", ERR_SYNTAX, "f:"},
        {"a: 1\nb: 2\n a: 3\n", ERR_SYNTAX, "f:"},
        {"a: 1\n---\nb: 2\n", ERR_SYNTAX, "f:2:"},
        {"a: &x 1\nb: *x\n", ERR_SYNTAX, "f:1:"},
        {"a: !!str 1\n", ERR_SYNTAX, "f:1:"},
        {"b: 1\n<<: {a: 1}\n", ERR_SYNTAX, "f:2:1: merge"},
        {"a: 1\nb: 2\na: 3\n", ERR_DUPLICATE, "f:3:1: a: given twice, first in line 1"},
        {"? [a, b]\n: 1\n", ERR_TYPE, "f:1:"},
        {"[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]", ERR_TOO_DEEP, "f:1:17"},
        {"a: 1\n...\nb: 2\n", ERR_SYNTAX, "f:3:1: a second document"},
        {"a: 1\nb: 2\nb: 3\na: 4\n", ERR_DUPLICATE, "f:3:1: b: given twice, first in line 2"},
        {"{a: 1, 'a': 2}\n", ERR_DUPLICATE, "f:1:8: a: given twice"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct yamlx *y = NULL;
        struct why why = {""};
        assert_err(parse(bad[i].text, &y, &why), bad[i].err);
        assert_null(y);
        if (strncmp(why.text, bad[i].at, strlen(bad[i].at)) != 0)
            fail_msg("%s: \"%s\" does not begin with \"%s\"", bad[i].text, why.text, bad[i].at);
    }
    struct yamlx *y = NULL;
    struct why nul;
    assert_err(yamlx_parse("f", "a\0b", 3, &y, &nul), ERR_ENCODING);
    assert_string_equal(nul.text, "f:1:2: a control character: is it a text file?");
    char *big = calloc(1, YAMLX_SIZE_MAX + 1);
    memset(big, ' ', YAMLX_SIZE_MAX + 1);
    assert_err(yamlx_parse("f", big, YAMLX_SIZE_MAX + 1, &y, NULL), ERR_TOO_BIG);
    free(big);
    struct why why;
    assert_err(yamlx_load("/nonexistent.yaml", &y, &why), ERR_IO);
    assert_non_null(strstr(why.text, "/nonexistent.yaml"));
}

/* The parser takes some of these for the end of the file, and half a file must not pass. */
static void refuses_what_is_not_text(void **state)
{
    (void)state;
    static const struct {
        const char *text, *at;
    } bad[] = {
        {"# \xff\na: 1\n", "f:1:3: not UTF-8"},
        {"a: 1\nb: \xc0\xaf\n", "f:2:4: not UTF-8"},
        {"a: \xed\xa0\x80\n", "f:1:4: not UTF-8"},
        {"a: \"\xff\"\n", "f:1:5: not UTF-8"},
        {"a: \xc3", "f:1:4: not UTF-8"},
        {"\xff\xfe", "f:1:1: not UTF-8"},
        {"\xef\xbb\xbfz: 1\n", "f:1:1: a byte order mark"},
        {"a: \xc3\xa9\x01\n", "f:1:5: a control character"},
        {"a: \x7f\n", "f:1:4: a control character"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct yamlx *y = NULL;
        struct why why = {""};
        assert_err(parse(bad[i].text, &y, &why), ERR_ENCODING);
        assert_null(y);
        if (strncmp(why.text, bad[i].at, strlen(bad[i].at)) != 0)
            fail_msg("\"%s\" does not begin with \"%s\"", why.text, bad[i].at);
    }
}

static void refuses_numbers_that_json_cannot_hold(void **state)
{
    (void)state;
    static const char *const bad[] = {"99999999999999999999", "0xFFFFFFFFFFFFFFFFF", "1e400",
                                      "-.inf", ".NaN"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct yamlx *y;
        struct json_object *o;
        assert_err(parse(bad[i], &y, NULL), ERR_OK);
        assert_err(yamlx_json(yamlx_root(y), &o, NULL), ERR_RANGE);
        yamlx_free(y);
    }
}

static void refuses_scalars_of_another_type(void **state)
{
    (void)state;
    struct yamlx *y;
    assert_err(parse("- [4]\n- ~\n- {}\n", &y, NULL), ERR_OK);
    const struct yamlx_node *root = yamlx_root(y);
    struct why why;
    const char *text;
    assert_err(yamlx_str(yamlx_item(root, 0), &text, &why), ERR_TYPE);
    assert_err(yamlx_str(yamlx_item(root, 1), &text, &why), ERR_TYPE);
    yamlx_free(y);
}

static void does_not_quote_what_no_file_can_hold(void **state)
{
    (void)state;
    static const char *const bad[] = {"\xff", "a\xc3", "\xc0\xaf", "\xed\xa0\x80",
                                      "\xf4\x90\x80\x80"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct buf b;
        buf_init(&b, 100);
        assert_err(yamlx_quote(&b, bad[i]), ERR_ENCODING);
        assert_err(b.err, ERR_ENCODING);
        buf_free(&b);
    }
    struct buf small;
    buf_init(&small, 3);
    assert_err(yamlx_quote(&small, "four"), ERR_TOO_BIG);
    buf_free(&small);
}

/* UTF-8 of a code point below 0x110000, with its NUL. */
static void encode(uint32_t c, char utf8[5])
{
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n; i-- > 1; c >>= 6)
        utf8[i] = (char)(0x80 | (c & 0x3f));
    utf8[0] = (char)(n == 1 ? c : (0xf00U >> n) | c);
    utf8[n] = '\0';
}

static void what_is_quoted_reads_back_the_same(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    for (uint32_t c = 1; c < 0x110000; c = c < 0x3000 || c > 0xf000 ? c + 1 : c + 97) {
        if ((c >= 0xd800 && c < 0xe000) || (c > 0x10100 && c % 251 != 0))
            continue;
        char utf8[5], text[20];
        encode(c, utf8);
        snprintf(text, sizeof text, "%s a%s%s: b ", utf8, utf8, utf8);
        struct yamlx *y;
        const char *read;
        struct why why = {""};
        buf_reset(&b);
        assert_err(yamlx_quote(&b, text), ERR_OK);
        if (parse(b.data, &y, &why) != ERR_OK)
            fail_msg("U+%04X: %s", c, why.text);
        assert_err(yamlx_str(yamlx_root(y), &read, NULL), ERR_OK);
        if (strcmp(read, text) != 0)
            fail_msg("U+%04X: %s reads back as \"%s\"", c, b.data, read);
        yamlx_free(y);
    }
    buf_reset(&b);
    assert_err(yamlx_quote(&b, "a \"b\" \\ \n\xc3\xa9\xe2\x80\xa8"), ERR_OK);
    assert_string_equal(b.data, "\"a \\\"b\\\" \\\\ \\u000A\xc3\xa9\\u2028\"");
    buf_free(&b);
}

static void an_empty_file_has_no_root(void **state)
{
    (void)state;
    static const char *const empty[] = {"", "# only this\n", "---\n", "~\n"};
    for (size_t i = 0; i < sizeof empty / sizeof empty[0]; i++) {
        struct yamlx *y;
        assert_err(parse(empty[i], &y, NULL), ERR_OK);
        assert_null(yamlx_root(y));
        yamlx_free(y);
    }
}

static void walks_and_knows_its_places(void **state)
{
    (void)state;
    struct yamlx *y;
    assert_err(parse("log: { level: debug }\nlist:\n  - -7\n  - 'two'\n", &y, NULL), ERR_OK);
    const struct yamlx_node *root = yamlx_root(y), *list = yamlx_get(root, "list");
    const char *text;
    assert_err(yamlx_str(yamlx_get(yamlx_get(root, "log"), "level"), &text, NULL), ERR_OK);
    assert_string_equal(text, "debug");
    assert_err(yamlx_str(yamlx_item(list, 0), &text, NULL), ERR_OK);
    assert_string_equal(text, "-7");
    assert_null(yamlx_item(list, 2));
    assert_null(yamlx_key(list, 0));
    assert_null(yamlx_get(root, "no"));
    struct why why;
    yamlx_fail(yamlx_item(list, 1), &why, ERR_CONFIG, "no %s", "good");
    assert_string_equal(why.text, "f:4:5: no good");
    assert_int_equal(yamlx_line(yamlx_item(list, 1)), 4);
    yamlx_free(y);
}

/* What is left out stands where the word before it does. */
static void nothing_has_a_place(void **state)
{
    (void)state;
    static const struct {
        const char *text, *at;
    } nothing[] = {
        {"a: 1\nb:\n", "f:2:1: "},
        {"a: 1\nb: { c: 1, d: }\n", "f:2:12: "},
        {"a: 1\nb:\n  -\n", "f:3:3: "},
        {"a: 1\nb: ~\n", "f:2:4: "},
    };
    for (size_t i = 0; i < sizeof nothing / sizeof nothing[0]; i++) {
        struct yamlx *y;
        struct why why;
        assert_err(parse(nothing[i].text, &y, NULL), ERR_OK);
        const struct yamlx_node *n = yamlx_get(yamlx_root(y), "b");
        if (yamlx_type(n) == YAMLX_MAPPING)
            n = yamlx_get(n, "d");
        else if (yamlx_type(n) == YAMLX_SEQUENCE)
            n = yamlx_item(n, 0);
        assert_int_equal(yamlx_type(n), YAMLX_NULL);
        yamlx_fail(n, &why, ERR_CONFIG, "nothing");
        assert_int_equal(strncmp(why.text, nothing[i].at, strlen(nothing[i].at)), 0);
        yamlx_free(y);
    }
}

static void turns_a_tree_into_json(void **state)
{
    (void)state;
    struct yamlx *y;
    assert_err(parse("{a: 1, b: '1', c: ~, d: [true, 1.5, x, -1], e: 1e3, f: {}}", &y, NULL),
               ERR_OK);
    struct json_object *o;
    assert_err(yamlx_json(yamlx_root(y), &o, NULL), ERR_OK);
    assert_string_equal(
        json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN),
        "{\"a\":1,\"b\":\"1\",\"c\":null,\"d\":[true,1.5,\"x\",-1],\"e\":1e3,\"f\":{}}");
    json_object_put(o);
    yamlx_free(y);
}

static void reads_numbers_by_the_core_schema(void **state)
{
    (void)state;
    struct yamlx *y;
    assert_err(parse("[007, +5, 0x1F, 0o17, 0.1, .5, True, FALSE, 0x, 0o8, ., '0x1F']", &y, NULL),
               ERR_OK);
    struct json_object *o;
    assert_err(yamlx_json(yamlx_root(y), &o, NULL), ERR_OK);
    assert_string_equal(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN),
                        "[7,5,31,15,0.1,0.5,true,false,\"0x\",\"0o8\",\".\",\"0x1F\"]");
    json_object_put(o);
    yamlx_free(y);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_is_not_one_plain_document),
        cmocka_unit_test(refuses_what_is_not_text),
        cmocka_unit_test(refuses_numbers_that_json_cannot_hold),
        cmocka_unit_test(refuses_scalars_of_another_type),
        cmocka_unit_test(does_not_quote_what_no_file_can_hold),
        cmocka_unit_test(what_is_quoted_reads_back_the_same),
        cmocka_unit_test(an_empty_file_has_no_root),
        cmocka_unit_test(walks_and_knows_its_places),
        cmocka_unit_test(nothing_has_a_place),
        cmocka_unit_test(turns_a_tree_into_json),
        cmocka_unit_test(reads_numbers_by_the_core_schema),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
