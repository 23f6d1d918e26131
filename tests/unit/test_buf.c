/* test_buf.c - the growing buffer with a ceiling. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

static void refuses_to_pass_its_ceiling(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 4);
    assert_err(buf_addstr(&b, "abc"), ERR_OK);
    assert_err(buf_addstr(&b, "de"), ERR_TOO_BIG);
    assert_string_equal(b.data, "abc");
    assert_err(buf_addc(&b, 'd'), ERR_TOO_BIG); /* sticky, though it would fit */
    assert_null(buf_steal(&b));
    assert_int_equal(b.len, 0);
}

static void refuses_a_huge_reservation(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    assert_err(buf_reserve(&b, SIZE_MAX), ERR_TOO_BIG);
    buf_free(&b);
}

static void is_a_string_before_the_first_append(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 10);
    assert_string_equal(b.data, "");
    buf_reset(&b);
    buf_free(&b);
    buf_free(&b);
    char *s = buf_steal(&b);
    assert_string_equal(s, "");
    free(s);
}

static void grows_and_prints(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100000);
    for (int i = 0; i < 1000; i++)
        buf_printf(&b, "%d,", i);
    assert_err(b.err, ERR_OK);
    assert_int_equal(b.len, strlen(b.data));
    assert_memory_equal(b.data + b.len - 4, "999,", 5);
    buf_reset(&b);
    assert_string_equal(b.data, "");
    buf_add(&b, "a\0b", 3);
    assert_int_equal(b.len, 3);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_to_pass_its_ceiling),
        cmocka_unit_test(refuses_a_huge_reservation),
        cmocka_unit_test(is_a_string_before_the_first_append),
        cmocka_unit_test(grows_and_prints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
