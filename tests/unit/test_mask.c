/* test_mask.c - nothing of a value is left in a text, and little else is gone. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/jsonx.h"
#include "base/mask.h"

static char shown[4096];

/* `text` with one value hidden. */
static const char *hide(const char *value, const char *text)
{
    struct mask m = {0};
    assert_err(mask_add(&m, value), ERR_OK);
    snprintf(shown, sizeof shown, "%s", text);
    assert_err(mask_text(&m, shown, sizeof shown), ERR_OK);
    mask_free(&m);
    return shown;
}

static void hides_a_value_wherever_it_stands(void **state)
{
    (void)state;
    static const struct {
        const char *value, *text, *shown;
    } rows[] = {
        {"hunter22", "hunter22", "********"},
        {"hunter22", "hunter22hunter22", "****************"},
        {"hunter22", "is 'hunter22'?", "is '********'?"},
        {"hunter22", "xhunter22x", "x********x"},
        {"hunter22", "hunhunter22", "hun********"},
        {"aab", "xaab aab", "xaab ********"},
        {"1234", "PIN 1234 or 912349", "PIN ******** or 9********9"},
        /* escaped, once and more often */
        {"a\"b\\c/d", "a\"b\\c/d", "********"},
        {"a\"b\\c/d", "say \"a\\\"b\\\\c\\/d\"", "say \"********\""},
        {"a\"b\\c/d", "say \\\"a\\\\\\\"b\\\\\\\\c\\\\/d\\\"", "say \\\"********\\\""},
        {"a\nb\tc", "a\\nb\\tc a\nb\tc", "******** ********"},
        {"gr\u00fc\u00dfe\U0001f600", "gr\\u00fc\\u00DFe\\ud83d\\ude00!", "********!"},
        {"gr\u00fc\u00dfe\U0001f600", "gr\\\\u00fc\u00dfe\\\\ud83d\\\\ude00!", "********!"},
        {"gr\u00fc\u00dfe\U0001f600", "gr\u00fc\u00dfe\U0001f600", "********"},
        {"p\\ath\\name", "p\\\\ath\\\\name", "********"},
        /* cut */
        {"correct horse", "the value 'correct hor", "the value '********"},
        {"correct horse", "the value cor", "the value ********"},
        {"correct horse", "the value 'corr...' is wrong", "the value '********...' is wrong"},
        {"correct horse", "the value 'cor\u2026", "the value '********\u2026"},
        {"correct horse", "the value 'correct' is", "the value '********' is"},
        {"cor\u00e9ct", "the value \"cor\\u00", "the value \"********\\u00"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(hide(rows[i].value, rows[i].text), rows[i].shown);
}

static void leaves_the_rest_alone(void **state)
{
    (void)state;
    static const struct {
        const char *value, *text;
    } rows[] = {
        {"", "anything"},
        {"hunter22", ""},
        {"hunter22", "a hunt in winter, 22 of them, h"},
        {"hunter22", "hunt er22"},
        {"x", "exit, axis, x1"},
        {"ab", "cab, abc, a"},
        {"123", "PR-1234-5678 has 0123 and 1230"},
        {"correct horse", "that is correct"},
    };
    for (size_t i = 0; i + 1 < sizeof rows / sizeof *rows; i++)
        assert_string_equal(hide(rows[i].value, rows[i].text), rows[i].text);
    assert_string_equal(hide("x", "value x."), "value ********.");
}

static void hides_the_longest_of_several(void **state)
{
    (void)state;
    struct mask m = {0};
    char text[64] = "abcd-abcdef-12345678";
    assert_err(mask_add(&m, "abcd"), ERR_OK);
    assert_err(mask_add(&m, "abcdef"), ERR_OK);
    assert_err(mask_add(&m, "12345678"), ERR_OK);
    assert_err(mask_text(&m, text, sizeof text), ERR_OK);
    assert_string_equal(text, "********-********-********");
    mask_free(&m);
}

static void stays_within_its_room(void **state)
{
    (void)state;
    struct mask m = {0};
    char text[8] = "\u00e91 1 1";
    assert_err(mask_add(&m, "1"), ERR_OK);
    assert_err(mask_text(&m, text, sizeof text), ERR_OK);
    assert_string_equal(text, "\u00e91 ***");
    mask_free(&m);
}

static void copies_a_tree_without_the_values(void **state)
{
    (void)state;
    static const char from[] =
        "{\"a\":[\"x hunter22\",4711,4712,null,true,1.50],\"b\":{\"c\":\"fine\",\"hunter22\":{}}}";
    struct json_object *json, *copy;
    struct mask m = {0};
    struct buf b;
    buf_init(&b, sizeof from * 4);
    assert_err(jsonx_parse(from, strlen(from), sizeof from, &json, NULL), ERR_OK);
    assert_err(mask_json(&m, json, &copy), ERR_OK);
    jsonx_print(&b, copy);
    assert_string_equal(b.data, from);
    json_object_put(copy);
    assert_err(mask_add(&m, "hunter22"), ERR_OK);
    assert_err(mask_add(&m, "4711"), ERR_OK);
    assert_err(mask_json(&m, json, &copy), ERR_OK);
    buf_reset(&b);
    jsonx_print(&b, copy);
    assert_string_equal(b.data, "{\"a\":[\"x ********\",\"********\",4712,null,true,1.50],"
                                "\"b\":{\"c\":\"fine\",\"hunter22\":{}}}");
    json_object_put(copy);
    assert_err(mask_json(&m, NULL, &copy), ERR_OK);
    assert_null(copy);
    json_object_put(json);
    mask_free(&m);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hides_a_value_wherever_it_stands), cmocka_unit_test(leaves_the_rest_alone),
        cmocka_unit_test(hides_the_longest_of_several),     cmocka_unit_test(stays_within_its_room),
        cmocka_unit_test(copies_a_tree_without_the_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
