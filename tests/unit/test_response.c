/* test_response.c - an answer and its CGI form. */
#include "unit.h"

#include <string.h>

#include "transport/response.h"

static char text[512];

static const char *printed(const struct response *res)
{
    struct buf b;
    buf_init(&b, RESPONSE_PRINTED_MAX);
    assert_err(response_print(&b, res), ERR_OK);
    assert_in_range(b.len, 1, sizeof text - 1);
    memcpy(text, b.data, b.len + 1);
    buf_free(&b);
    return text;
}

static void refuses_a_header_that_could_end_its_line(void **state)
{
    (void)state;
    struct response res;
    response_init(&res, 200, NULL);
    static const char *const values[] = {"a\r\nX-Evil: 1", "a\n", "\r", "a\tb", "a\x7f"};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        assert_err(response_header(&res, "X-Echo", "%s", values[i]), ERR_INVALID);
    assert_err(response_header(&res, "X-Echo: 1\r\nX-Evil", "1"), ERR_INVALID);
    assert_err(response_header(&res, "", "1"), ERR_INVALID);
    assert_null(strstr(printed(&res), "X-"));
}

static void refuses_more_than_it_can_hold(void **state)
{
    (void)state;
    struct response res;
    response_init(&res, 200, NULL);
    char value[sizeof res.headers[0].value + 1];
    memset(value, 'v', sizeof value);
    value[sizeof value - 1] = '\0';
    assert_err(response_header(&res, "X", "%s", value), ERR_TOO_BIG);
    value[sizeof value - 2] = '\0';
    for (int i = 0; i < RESPONSE_HEADERS_MAX; i++)
        assert_err(response_header(&res, "X", "%s", value), ERR_OK);
    assert_err(response_header(&res, "X", "1"), ERR_TOO_BIG);
}

static void refuses_to_print_what_is_no_answer(void **state)
{
    (void)state;
    struct response res;
    struct buf b;
    buf_init(&b, 100);
    response_init(&res, 0, NULL);
    assert_err(response_print(&b, &res), ERR_INVALID);
    response_init(&res, 1000, NULL);
    assert_err(response_print(&b, &res), ERR_INVALID);
    response_init(&res, 200, "text/plain\r\nX-Evil: 1");
    assert_err(response_print(&b, &res), ERR_INVALID);
    response_init(&res, 200, "text/plain");
    buf_init(&res.body, 1);
    buf_addstr(&res.body, "too long");
    assert_err(response_print(&b, &res), ERR_TOO_BIG);
    assert_int_equal(b.len, 0);
}

static void prints_status_headers_and_body(void **state)
{
    (void)state;
    struct response res;
    response_init(&res, 503, "application/problem+json");
    assert_err(response_header(&res, "Retry-After", "%d", 30), ERR_OK);
    buf_addstr(&res.body, "{}");
    assert_string_equal(printed(&res), "Status: 503 Service Unavailable\r\n"
                                       "Content-Type: application/problem+json\r\n"
                                       "Retry-After: 30\r\n"
                                       "Content-Length: 2\r\n\r\n{}");
    response_free(&res);
    response_init(&res, 299, NULL);
    assert_string_equal(printed(&res), "Status: 299 Status\r\nContent-Length: 0\r\n\r\n");
    response_init(&res, 204, NULL);
    assert_string_equal(printed(&res), "Status: 204 No Content\r\n\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_a_header_that_could_end_its_line),
        cmocka_unit_test(refuses_more_than_it_can_hold),
        cmocka_unit_test(refuses_to_print_what_is_no_answer),
        cmocka_unit_test(prints_status_headers_and_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
