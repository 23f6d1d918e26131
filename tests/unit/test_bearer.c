/* test_bearer.c - one token, wherever it travels, or none. */
#include "unit.h"

#include <string.h>

#include "auth/bearer.h"

static enum err find(const char *a, const char *b, const char *c, const char **token, size_t *len)
{
    const char *const headers[] = {a, b, c};
    return bearer_find(headers, 3, token, len);
}

static void refuse(const char *a, const char *b, const char *c, enum err want)
{
    const char *token = "untouched";
    size_t len = 99;
    enum err e = find(a, b, c, &token, &len);
    if (e != want)
        print_error("%s | %s | %s\n", a, b, c);
    assert_err(e, want);
    assert_string_equal(token, "untouched");
    assert_int_equal(len, 99);
}

static void refuses_a_call_without_a_token(void **state)
{
    (void)state;
    static const char *const absent[] = {
        NULL,
        "",
        " ",
        "X",
        "a.b.c",
        "Basic dXNlcjpwYXNz",
        "ApiKey SU-1:2",
        "BearerX",
        "Bearer-ish a",
        "Beare a",
        "Basic Bearer a.b.c",
        "Digest username=\"x\", realm=\"Bearer\"",
    };
    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++)
        refuse(absent[i], NULL, NULL, ERR_TOKEN_MISSING);
    refuse("Basic x", "", "ApiKey y", ERR_TOKEN_MISSING);
    const char *token;
    size_t len;
    assert_err(bearer_find(NULL, 0, &token, &len), ERR_TOKEN_MISSING);
}

static void refuses_a_malformed_value(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "Bearer",
        "bearer ",
        "Bearer   ",
        "Bearer\ta.b.c",
        "Bearer \ta.b.c",
        "Bearer a b",
        "Bearer a.b.c x",
        "Bearer \"a.b.c\"",
        "Bearer a.b.c\r",
        "Bearer a.b.c\n",
        "Bearer a;b",
        "Bearer \xc3\xa9",
        "Bearer a\x01",
        "Bearer=a",
        "Bearer: a",
        "Bearer a:b",
        "Bearer \xc2\xa0x.y.z",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        refuse(bad[i], NULL, NULL, ERR_TOKEN_FORM);
        /* Nor does a good one elsewhere make up for it. */
        refuse("Bearer a.b.c", bad[i], NULL, ERR_TOKEN_FORM);
        refuse(bad[i], "Bearer a.b.c", NULL, ERR_TOKEN_FORM);
    }
}

static void refuses_two_tokens(void **state)
{
    (void)state;
    refuse("Bearer a.b.c", "Bearer a.b.d", NULL, ERR_TOKEN_AMBIGUOUS);
    refuse("Bearer a.b.c", NULL, "Bearer a.b", ERR_TOKEN_AMBIGUOUS);
    refuse("Bearer a.b.c", "Bearer a.b.c", "Bearer A.b.c", ERR_TOKEN_AMBIGUOUS);
    static const char *const joined[] = {
        "Bearer a.b.c, Bearer d.e.f",
        "Bearer a.b.c,Bearer a.b.c",
        "Bearer a.b.c ,Bearer a.b.c",
        "Bearer a.b.c, Basic x",
        "Bearer a.b.c,",
        "Bearer ,a.b.c",
    };
    for (size_t i = 0; i < sizeof joined / sizeof joined[0]; i++)
        refuse(NULL, joined[i], NULL, ERR_TOKEN_AMBIGUOUS);
}

static void finds_it_in_every_place_and_spelling(void **state)
{
    (void)state;
    static const char *const good[] = {
        "Bearer a.b.c",  "bearer a.b.c",  "BEARER a.b.c",    "bEaReR a.b.c",
        "Bearer  a.b.c", " Bearer a.b.c", "Bearer a.b.c \t", "\tBearer     a.b.c",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        for (int place = 0; place < 3; place++) {
            const char *headers[3] = {NULL, "Basic x", ""}, *token;
            size_t len;
            headers[place] = good[i];
            assert_err(bearer_find(headers, 3, &token, &len), ERR_OK);
            assert_int_equal(len, 5);
            assert_memory_equal(token, "a.b.c", 5);
        }
    }
}

static void takes_the_same_token_twice_as_one(void **state)
{
    (void)state;
    const char *token;
    size_t len;
    assert_err(find("Bearer a-_.b+/.c=", "bearer  a-_.b+/.c= ", "Basic x", &token, &len), ERR_OK);
    assert_int_equal(len, 10);
    assert_memory_equal(token, "a-_.b+/.c=", 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_a_call_without_a_token),
        cmocka_unit_test(refuses_a_malformed_value),
        cmocka_unit_test(refuses_two_tokens),
        cmocka_unit_test(finds_it_in_every_place_and_spelling),
        cmocka_unit_test(takes_the_same_token_twice_as_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
