/* test_request.c - a request out of CGI variables. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "transport/request_env.h"

static struct request r;
static int64_t length;

/* Read the variables; what they say is in `r` and `length`. Returns r.err. */
static enum err read_env(const char *const *env)
{
    request_free(&r);
    request_init(&r, NULL, 0);
    request_read_env(&r, (char *const *)(uintptr_t)env, &length);
    return r.err;
}

#define READ(...) read_env((const char *const[]){__VA_ARGS__, NULL})

static void refuses_lengths_that_are_not_plain_numbers(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "-1", "+5", " 5", "5 ", "0x10", "1e3", "5, 5", "5\n", "a", "5.0", "12345678901234567890"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char var[64];
        snprintf(var, sizeof var, "CONTENT_LENGTH=%s", wrong[i]);
        assert_err(READ(var), ERR_SYNTAX);
        assert_int_equal(length, -1);
    }
}

static void refuses_two_values_where_one_must_be(void **state)
{
    (void)state;
    assert_err(READ("CONTENT_LENGTH=5", "CONTENT_LENGTH=6"), ERR_SYNTAX);
    assert_err(READ("CONTENT_LENGTH=5", "CONTENT_LENGTH="), ERR_SYNTAX);
    assert_err(READ("REQUEST_METHOD=GET", "REQUEST_METHOD=POST"), ERR_SYNTAX);
    assert_err(READ("HTTP_AUTHENTICATION=Bearer a", "HTTP_AUTHENTICATION=Bearer b"),
               ERR_TOKEN_AMBIGUOUS);
    assert_err(READ("HTTP_AUTHORIZATION=Bearer a", "HTTP_AUTHORIZATION=Bearer b"),
               ERR_TOKEN_AMBIGUOUS);
    assert_err(READ("CONTENT_LENGTH=5", "CONTENT_LENGTH=5", "SCRIPT_NAME=/a", "SCRIPT_NAME=/b"),
               ERR_OK);
    assert_string_equal(r.path, "/a");
}

static void keeps_the_first_reason(void **state)
{
    (void)state;
    request_init(&r, NULL, 0);
    r.body = "body";
    r.body_len = 4;
    char length_var[] = "CONTENT_LENGTH=x", *env[] = {length_var, NULL};
    request_fail(&r, ERR_TIMEOUT);
    request_read_env(&r, env, &length);
    assert_err(r.err, ERR_TIMEOUT);
    assert_string_equal(r.body, "");
    assert_int_equal(r.body_len, 0);
}

static void is_not_misled_by_names_that_only_look_alike(void **state)
{
    (void)state;
    assert_err(READ("HTTP_CONTENT_LENGTH=9", "CONTENT_LENGTHX=8", "CONTENT=7", "NOVALUE", "=x",
                    "http_authorization=Bearer a"),
               ERR_OK);
    assert_int_equal(length, -1);
    assert_null(r.authorization);
    assert_string_equal(r.method, "");
    assert_string_equal(r.path, "");
}

static void reads_what_it_knows(void **state)
{
    (void)state;
    assert_err(READ("REQUEST_METHOD=POST", "CONTENT_LENGTH=0042", "CONTENT_TYPE=text/plain",
                    "QUERY_STRING=a=b&c", "REMOTE_ADDR=::1", "HTTP_CONTENT_ENCODING=gzip",
                    "HTTP_AUTHENTICATION=Bearer a", "HTTP_AUTHORIZATION=Bearer b",
                    "REDIRECT_HTTP_AUTHORIZATION=Bearer c"),
               ERR_OK);
    assert_string_equal(r.method, "POST");
    assert_int_equal(length, 42);
    assert_string_equal(r.content_type, "text/plain");
    assert_string_equal(r.query, "a=b&c");
    assert_string_equal(r.remote_addr, "::1");
    assert_string_equal(r.content_encoding, "gzip");
    assert_string_equal(r.authentication, "Bearer a");
    assert_string_equal(r.authorization, "Bearer b");
    assert_string_equal(r.redirect_authorization, "Bearer c");
}

static void puts_the_path_together(void **state)
{
    (void)state;
    READ("SCRIPT_NAME=/cgi-bin/hook", "PATH_INFO=/a", "DOCUMENT_URI=/other");
    assert_string_equal(r.path, "/cgi-bin/hook/a");
    READ("SCRIPT_NAME=/hook", "PATH_INFO=");
    assert_string_equal(r.path, "/hook");
    READ("SCRIPT_NAME=", "PATH_INFO=/-/healthz");
    assert_string_equal(r.path, "/-/healthz");
    READ("DOCUMENT_URI=/hook");
    assert_string_equal(r.path, "/hook");
}

static void names_every_request_differently(void **state)
{
    (void)state;
    char ids[100][REQUEST_ID_LEN + 1];
    for (size_t i = 0; i < 100; i++) {
        request_init(&r, NULL, 0);
        assert_int_equal(strspn(r.id, "0123456789abcdef"), REQUEST_ID_LEN);
        memcpy(ids[i], r.id, sizeof ids[i]);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(ids[i], ids[j]);
    }
}

static void an_answer_that_cannot_be_printed_becomes_a_500(void **state)
{
    (void)state;
    struct response res;
    struct buf b;
    buf_init(&b, RESPONSE_PRINTED_MAX);
    response_init(&res, 99, NULL);
    assert_err(request_print(&b, &res), ERR_OK);
    assert_string_equal(b.data, "Status: 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n");
    buf_free(&b);
}

static int forget(void **state)
{
    (void)state;
    request_free(&r);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_lengths_that_are_not_plain_numbers),
        cmocka_unit_test(refuses_two_values_where_one_must_be),
        cmocka_unit_test(keeps_the_first_reason),
        cmocka_unit_test(is_not_misled_by_names_that_only_look_alike),
        cmocka_unit_test(reads_what_it_knows),
        cmocka_unit_test(puts_the_path_together),
        cmocka_unit_test(names_every_request_differently),
        cmocka_unit_test(an_answer_that_cannot_be_printed_becomes_a_500),
    };
    return cmocka_run_group_tests(tests, NULL, forget);
}
