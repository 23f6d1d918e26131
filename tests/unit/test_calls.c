/* test_calls.c - what connect-sim remembers of calls, and where it stops. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/jsonx.h"
#include "sim/calls.h"

/* What is remembered, as JSON. */
static struct json_object *printed(const struct calls *c)
{
    struct buf b;
    struct json_object *all = NULL;
    buf_init(&b, JSONX_SIZE_MAX);
    assert_err(calls_print(c, calls_count(c), &b), ERR_OK);
    assert_err(jsonx_parse(b.data, b.len, JSONX_SIZE_MAX, &all, NULL), ERR_OK);
    buf_free(&b);
    return all;
}

static void stops_at_so_many(void **state)
{
    (void)state;
    struct calls *c = NULL;
    assert_err(calls_new(&c), ERR_OK);
    assert_true(CALLS_MAX >= 200000);
    for (int i = 0; i < CALLS_MAX + 5; i++)
        calls_add(c, &(struct calls_entry){"GET", "/requests", "limit=1", 200 + i % 100, false});
    assert_int_equal(calls_count(c), CALLS_MAX);
    struct buf b;
    buf_init(&b, 64);
    assert_err(calls_print(c, CALLS_MAX, &b), ERR_TOO_BIG);
    buf_free(&b);
    calls_free(c);
}

static void stops_at_so_many_bytes(void **state)
{
    (void)state;
    struct calls *c = NULL;
    size_t len = 1024 * 1024;
    char *query = malloc(len + 1);
    assert_non_null(query);
    memset(query, 'x', len);
    query[len] = '\0';
    assert_err(calls_new(&c), ERR_OK);
    for (size_t i = 0; i < CALLS_TEXT_MAX / len + 5; i++)
        calls_add(c, &(struct calls_entry){"GET", "/requests", query, 200, false});
    assert_int_equal(calls_count(c), CALLS_TEXT_MAX / len - 1);
    /* Nor is a short one remembered after one that was not: the list has no holes. */
    calls_add(c, &(struct calls_entry){"GET", "/", "", 200, false});
    assert_int_equal(calls_count(c), CALLS_TEXT_MAX / len - 1);
    free(query);
    calls_free(c);
}

static void remembers_in_order(void **state)
{
    (void)state;
    struct calls *c = NULL;
    assert_err(calls_new(&c), ERR_OK);
    struct json_object *none = printed(c);
    assert_int_equal(json_object_array_length(none), 0);
    json_object_put(none);
    calls_add(c, &(struct calls_entry){"GET", "/a\"\\", "", 0, false});
    calls_add(c, &(struct calls_entry){"POST", "", "q=\x01\xc3\xbc", 201, true});
    struct json_object *all = printed(c);
    assert_int_equal(json_object_array_length(all), 2);
    struct json_object *first = json_object_array_get_idx(all, 0);
    struct json_object *second = json_object_array_get_idx(all, 1);
    assert_string_equal(jsonx_str(first, "method", "?"), "GET");
    assert_string_equal(jsonx_str(first, "path", "?"), "/a\"\\");
    assert_string_equal(jsonx_str(first, "query", "?"), "");
    assert_int_equal(jsonx_int(first, "status", -1), 0);
    assert_false(jsonx_bool(first, "effect", true));
    assert_string_equal(jsonx_str(second, "query", "?"), "q=\x01\xc3\xbc");
    assert_true(jsonx_bool(second, "effect", false));
    json_object_put(all);
    calls_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stops_at_so_many),
        cmocka_unit_test(stops_at_so_many_bytes),
        cmocka_unit_test(remembers_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
