/* test_utf8.c - nothing that is not UTF-8 is left in a text. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/jsonx.h"
#include "base/utf8.h"

static const char *clean(const char *bytes)
{
    static char text[64];
    snprintf(text, sizeof text, "%s", bytes);
    utf8_clean(text);
    return text;
}

static void takes_out_what_is_no_character(void **state)
{
    (void)state;
    assert_string_equal(clean("\xff"), "");
    assert_string_equal(clean("a\x80z"), "az");
    assert_string_equal(clean("\xc0\xaf/"), "/");             /* overlong */
    assert_string_equal(clean("\xed\xa0\x80."), ".");         /* half a surrogate pair */
    assert_string_equal(clean("\xf4\x90\x80\x80."), ".");     /* beyond U+10FFFF */
    assert_string_equal(clean("\xf8\x88\x80\x80\x80."), "."); /* five bytes */
}

static void takes_out_the_half_where_a_text_was_cut(void **state)
{
    (void)state;
    assert_string_equal(clean("Z\xc3"), "Z");
    assert_string_equal(clean("\xe2\x82"), "");
    assert_string_equal(clean("\xe2\x82\xac\xf0\x9f\x98"), "\xe2\x82\xac");
}

static void keeps_all_that_is_text(void **state)
{
    (void)state;
    static const char *const good[] = {"",
                                       "plain",
                                       "\xc2\x80\xdf\xbf",
                                       "\xe0\xa0\x80\xed\x9f\xbf",
                                       "\xee\x80\x80\xef\xbf\xbf",
                                       "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_string_equal(clean(good[i]), good[i]);
}

static void measures_no_further_than_the_end(void **state)
{
    (void)state;
    static const char euro[] = "\xe2\x82\xac";
    assert_int_equal(utf8_sequence(euro, euro + 3), 3);
    assert_int_equal(utf8_sequence(euro, euro + 2), 0);
    assert_int_equal(utf8_sequence(euro, euro + 1), 0);
    static const char letter[] = "a";
    assert_int_equal(utf8_sequence(letter, &letter[1]), 1);
}

/* Wherever a story is cut, by its length or by a precision in the middle, it stays text. */
static void keeps_stories_and_answers_text(void **state)
{
    (void)state;
    char umlauts[2 * WHY_MAX + 1];
    for (size_t i = 0; i < WHY_MAX; i++)
        memcpy(umlauts + 2 * i, "\xc3\xa4", 3);
    for (int shift = 0; shift < 2; shift++) {
        struct why why;
        why_set(&why, ERR_STATE, "%.*s%s", shift, "x", umlauts);
        assert_int_equal(strlen(why.text) % 2, shift);
        why_prefix(&why, ERR_STATE, "%.*s%.5s", shift, "x", umlauts);
        assert_non_null(strstr(why.text, "\xc3\xa4: "));
        char copy[WHY_MAX];
        memcpy(copy, why.text, sizeof copy);
        utf8_clean(copy);
        assert_string_equal(copy, why.text);
    }
    struct json_object *o = json_object_new_object();
    assert_true(jsonx_add_text(o, "text", "a\xffz\xc3"));
    assert_string_equal(jsonx_str(o, "text", ""), "az");
    json_object_put(o);
}

static void assert_made(char *(*fn)(const char *), const char *text, const char *wanted)
{
    char *made = fn(text);
    assert_string_equal(made, wanted);
    free(made);
}

static void changes_case_and_trims_in_any_script(void **state)
{
    (void)state;
    assert_made(utf8_lower, "", "");
    assert_made(utf8_lower, "ABC \u00c4\u0416 1", "abc \u00e4\u0436 1");
    assert_made(utf8_upper, "stra\u00dfe \u03c9", "STRASSE \u03a9");
    assert_made(utf8_trim, "", "");
    assert_made(utf8_trim, " \t\r\n", "");
    assert_made(utf8_trim, "a", "a");
    assert_made(utf8_trim, "\u00a0\u3000 a b \u20ac\n", "a b \u20ac");
    assert_made(utf8_trim, "\u200b a", "\u200b a"); /* takes no room, and is no white space */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_out_what_is_no_character),
        cmocka_unit_test(takes_out_the_half_where_a_text_was_cut),
        cmocka_unit_test(keeps_all_that_is_text),
        cmocka_unit_test(measures_no_further_than_the_end),
        cmocka_unit_test(keeps_stories_and_answers_text),
        cmocka_unit_test(changes_case_and_trims_in_any_script),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
