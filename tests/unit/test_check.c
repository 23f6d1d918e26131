/* test_check.c - what must hold of a value: the words, and what passes. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/check.h"
#include "policy/pattern.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

static enum err load(const char *yaml, struct check **ret, struct why *why)
{
    struct yamlx *y;
    if (yamlx_parse("file", yaml, strlen(yaml), &y, why) != ERR_OK)
        fail_msg("%s: %s", yaml, why->text);
    enum err e = check_load(yamlx_root(y), ret, why);
    yamlx_free(y);
    return e;
}

static struct check *loaded(const char *yaml)
{
    struct check *c = NULL;
    struct why why = {""};
    if (load(yaml, &c, &why) != ERR_OK)
        fail_msg("%s: %s", yaml, why.text);
    return c;
}

static bool holds(const struct check *c, const char *value)
{
    const struct checked v = {value, value[0] != '\0', "other"};
    struct why why = {""};
    bool it = false;
    if (check_holds(c, &v, &it, &why) != ERR_OK)
        fail_msg("%s: %s", value, why.text);
    return it;
}

static void refuses_what_cannot_work(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *place, *told;
    } bad[] = {
        {"[]", "file:1:1: ", "a check is { NAME: ..., ... }"},
        {"domain", "file:1:1: ", "a check is"},
        {"{}", "file:1:1: ", "a check is"},
        {"{ Domain: true }", "file:1:3: ", "unknown check Domain; there are required, pattern"},
        {"{ domain: yes please }", "file:1:11: ", "true or false"},
        {"{ required: 1 }", "file:1:13: ", "true or false"},
        {"{ email: }", "file:1:", "true or false"},
        {"{ min: ten }", "file:1:8: ", "a number is needed"},
        {"{ min: \"1\" }", "file:1:8: ", "a number is needed"},
        {"{ max: [ 1 ] }", "file:1:8: ", "a number is needed"},
        {"{ min_length: -1 }", "file:1:15: ", "a number of characters"},
        {"{ max_length: 1.5 }", "file:1:15: ", "a number of characters"},
        {"{ min: 3, max: 2 }", "file:1:1: ", "min is above max: no value would pass"},
        {"{ min_length: 3, max_length: 2 }", "file:1:1: ", "min_length is above max_length"},
        {"{ one_of: small }", "file:1:11: ", "a list of texts"},
        {"{ one_of: [] }", "file:1:11: ", "from 1 to"},
        {"{ one_of: [ a, 1 ] }", "file:1:16: ", "must be a text"},
        {"{ same_as: \"\" }", "file:1:12: ", "the id of a parameter"},
        {"{ same_as: [ a ] }", "file:1:12: ", ""},
        {"{ pattern: \"\" }", "file:1:12: ", "an empty pattern"},
        {"{ pattern: \"(a\" }", "file:1:12: ", "the pattern: at byte 3: missing closing parenth"},
        {"{ pattern: \"a**\" }", "file:1:12: ", "the pattern: at byte "},
        {"{ pattern: \"\\\\C\" }", "file:1:12: ", "the pattern: "},
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct check *c = NULL;
        struct why why = {""};
        assert_int_not_equal(load(bad[i].yaml, &c, &why), ERR_OK);
        if (strncmp(why.text, bad[i].place, strlen(bad[i].place)) != 0 ||
            strstr(why.text, bad[i].told) == NULL)
            fail_msg("%s: %s", bad[i].yaml, why.text);
        assert_null(c);
    }
    char yaml[PATTERN_LEN_MAX + 64];
    struct check *c;
    struct why why;
    snprintf(yaml, sizeof yaml, "{ pattern: \"%0*d\" }", PATTERN_LEN_MAX + 1, 0);
    assert_err(load(yaml, &c, &why), ERR_CONFIG);
    assert_non_null(strstr(why.text, "longer than"));
}

/* What takes a time that doubles with each character ends at its limit, and is no answer. */
static void gives_up_on_a_pattern_that_explodes(void **state)
{
    (void)state;
    static const char *const bombs[] = {"(a+)+$", "(a|aa)+$", "(.*a){20}", "^(([a-z])+.)+[A-Z]$"};
    char value[60];
    memset(value, 'a', sizeof value);
    snprintf(value + sizeof value - 3, 3, "%s", "!?");
    for (size_t i = 0; i < COUNT(bombs); i++) {
        char yaml[64];
        snprintf(yaml, sizeof yaml, "{ max_length: 100, pattern: \"%s\" }", bombs[i]);
        struct check *c = loaded(yaml);
        const struct checked v = {value, true, ""};
        struct why why = {""};
        bool it = true;
        assert_err(check_holds(c, &v, &it, &why), ERR_POLICY);
        if (strncmp(why.text, "pattern: gave up on a value of 59 bytes: ", 41) != 0 ||
            strstr(why.text, "aaa") != NULL)
            fail_msg("%s: %s", yaml, why.text);
        check_free(c);
    }
}

static void an_empty_value_fails_what_is_required_alone(void **state)
{
    (void)state;
    static const char *const other[] = {
        "{ pattern: a }", "{ min_length: 1 }", "{ min: 1 }",       "{ one_of: [ a ] }",
        "{ same_as: b }", "{ email: true }",   "{ domain: true }", "{ url: true, phone: true }",
    };
    for (size_t i = 0; i < COUNT(other); i++) {
        struct check *c = loaded(other[i]);
        assert_true(holds(c, ""));
        check_free(c);
    }
    struct check *c = loaded("{ required: true, email: true }");
    assert_false(holds(c, ""));
    /* one that has structure, and no text of its own */
    bool it = false;
    assert_err(check_holds(c, &(struct checked){"", true, ""}, &it, NULL), ERR_OK);
    assert_true(it);
    check_free(c);
    c = loaded("{ required: false, email: false }");
    assert_true(holds(c, ""));
    assert_true(holds(c, "no address"));
    check_free(c);
}

static void tells_what_passes(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        const char *good[12], *bad[22];
    } checks[] = {
        {"{ pattern: \"[a-z]{2}|x\" }", {"ab", "x"}, {"abc", "a", " ab", "ab\n", "AB", "xxx"}},
        {"{ pattern: \"\\\\d+\" }", {"12"}, {"\u0661\u0662", "1a"}},
        {"{ pattern: \"\\\\p{Lu}.\" }", {"\u00c4\u20ac"}, {"\u00e4x", "\u00c4"}},
        {"{ min_length: 2, max_length: 3 }", {"ab", "\u20ac\u20ac\u20ac"}, {"a", "\u20ac", "abcd"}},
        {"{ min: 1, max: 100 }",
         {"1", "100", "007", "50.5", "1.0"},
         {"0", "101", "100.01", "-5", "ten", "unlimited", "1e1", " 5", "5 ", "0x10", "nan", "inf",
          "1.", ".5", "+5", "5,5", "1 000"}},
        {"{ min: -1.5 }", {"-1.5", "-1", "0"}, {"-1.51", "--1"}},
        {"{ one_of: [ small, \"2\" ] }", {"small", "2"}, {"Small", "2.0", "large", "small "}},
        {"{ same_as: confirm }", {"other"}, {"Other", "other "}},
        {"{ email: true }",
         {"a@b.de", "first.last+tag@mail.example.com", "o'neil@example.org",
          "j\u00fcrgen@b\u00fccher.de", "x@xn--bcher-kva.example"},
         {"a", "a@", "@b.de", "a@b", "a@@b.de", "a b@c.de", "a@b..de", ".a@b.de", "a.@b.de",
          "a..b@c.de", "a@-b.de", "a@b-.de", "a@b.de ", "a@b.de\n", "A <a@b.de>", "a@127.0.0.1",
          "a,b@c.de", "a@b.de,c@d.de"}},
        {"{ domain: true }",
         {"example.com", "a.b-c.example", "xn--bcher-kva.example", "b\u00fccher.de", "1und1.de",
          "EXAMPLE.COM", "\u4f8b\u3048.\u30c6\u30b9\u30c8"},
         {"example", "example.com.", ".example.com", "a..b", "-a.de", "a-.de", "a b.de", "a_b.de",
          "127.0.0.1", "http://example.com", "example.com/", "*.example.com", "a@b.de", "a.123",
          "example.com\n"}},
        {"{ url: true }",
         {"http://example.com", "https://example.com:8443/path?q=1#here", "HTTPS://example.com/",
          "http://localhost", "http://127.0.0.1:80/", "http://[::1]/",
          "https://b\u00fccher.de/\u00e4"},
         {"example.com", "ftp://example.com", "http://", "http:///path", "http://a b/",
          "http://example.com/a b", "javascript:alert(1)", "http://user:pw@example.com/",
          "http://example.com:port/", "http://exa_mple.com", "http://-a.de", "http://a..b/",
          "http://example.com/\"", " http://example.com", "http://example.com\n"}},
        {"{ phone: true }",
         {"+49 30 123456", "030/123456", "(020) 7946 0018", "+1-555-123-4567", "+15551234567",
          "555.123.4567 x12", "+1 (555) 123-4567 ext. 89", "12345"},
         {"1234", "+1234567890123456", "phone", "+", "++49 30 1234", "030 12a456", "123456 ext",
          "123456\n"}},
        {"{ required: true, min_length: 2, pattern: \"[a-z]*\" }", {"ab"}, {"", "a", "AB"}},
    };
    for (size_t i = 0; i < COUNT(checks); i++) {
        struct check *c = loaded(checks[i].yaml);
        for (size_t n = 0; n < COUNT(checks[i].good) && checks[i].good[n] != NULL; n++)
            if (!holds(c, checks[i].good[n]))
                fail_msg("%s refuses \"%s\"", checks[i].yaml, checks[i].good[n]);
        for (size_t n = 0; n < COUNT(checks[i].bad) && checks[i].bad[n] != NULL; n++)
            if (holds(c, checks[i].bad[n]))
                fail_msg("%s lets \"%s\" through", checks[i].yaml, checks[i].bad[n]);
        check_free(c);
    }
}

/* Host names, addresses and texts as long as they may be, and longer. */
static void knows_how_long_names_may_be(void **state)
{
    (void)state;
    char label[65], name[300];
    struct check *domain = loaded("{ domain: true }"), *email = loaded("{ email: true }");
    memset(label, 'a', sizeof label);
    snprintf(name, sizeof name, "%.63s.de", label);
    assert_true(holds(domain, name));
    snprintf(name, sizeof name, "%.64s.de", label);
    assert_false(holds(domain, name));
    snprintf(name, sizeof name, "%.63s.%.63s.%.63s.%.59s.de", label, label, label, label);
    assert_int_equal(strlen(name), 254);
    assert_false(holds(domain, name));
    assert_true(holds(domain, name + 1));
    snprintf(name, sizeof name, "%.64s@b.de", label);
    assert_true(holds(email, name));
    snprintf(name, sizeof name, "%.65s@b.de", label);
    assert_false(holds(email, name));
    check_free(domain);
    check_free(email);
}

static void tells_whose_value_it_has_to_be(void **state)
{
    (void)state;
    struct check *c = loaded("{ min: 1, same_as: seats }");
    assert_string_equal(check_same_as(c), "seats");
    check_free(c);
    c = loaded("{ min: 1 }");
    assert_null(check_same_as(c));
    check_free(c);
    check_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_cannot_work),
        cmocka_unit_test(gives_up_on_a_pattern_that_explodes),
        cmocka_unit_test(an_empty_value_fails_what_is_required_alone),
        cmocka_unit_test(tells_what_passes),
        cmocka_unit_test(knows_how_long_names_may_be),
        cmocka_unit_test(tells_whose_value_it_has_to_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
