/* test_clk.c - ISO 8601 in the shapes that Connect sends. */
#include "unit.h"

#include <string.h>

#include "base/clk.h"

static void refuses_what_is_no_instant(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "2021",
        "2021-05",
        "21-05-27",
        "2021-05-27T",
        "2021-05-27T09",
        "2021-05-27T09:54:03+",
        "2021-05-27T09:54:03+3",
        "2021-05-27T09:54:03 UTC",
        "2021-05-27T09:54:03.Z",
        "2021-05-27T09:54:03+00:00x",
        "purchase",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t us = 42;
        assert_err(clk_parse_iso(bad[i], strlen(bad[i]), &us), ERR_SYNTAX);
        assert_int_equal(us, 42);
    }
    static const char *const out_of_range[] = {
        "2021-13-01", "2021-00-10", "2021-02-31", "2021-05-27T24:00:00", "2021-05-27T09:60:00",
    };
    for (size_t i = 0; i < sizeof out_of_range / sizeof out_of_range[0]; i++) {
        int64_t us = 42;
        assert_err(clk_parse_iso(out_of_range[i], strlen(out_of_range[i]), &us), ERR_RANGE);
    }
}

static void reads_every_shape_that_connect_sends(void **state)
{
    (void)state;
    const int64_t want = INT64_C(1622109243) * 1000000;
    static const char *const same[] = {
        "2021-05-27T09:54:03+00:00", "2021-05-27T09:54:03Z",      "2021-05-27 09:54:03",
        "2021-05-27T12:54:03+03:00", "2021-05-27T06:24:03-03:30", "2021-05-27T09:54:03.000000+0000",
    };
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        int64_t us = 0;
        assert_err(clk_parse_iso(same[i], strlen(same[i]), &us), ERR_OK);
        assert_int_equal(us, want);
    }
    int64_t us;
    assert_err(clk_parse_iso("2023-04-28 11:36:38.814429+00:00", 32, &us), ERR_OK);
    assert_int_equal(us, INT64_C(1682681798814429));
    assert_err(clk_parse_iso("1970-01-02", 10, &us), ERR_OK);
    assert_int_equal(us, INT64_C(86400000000));
}

static void writes_the_form_that_connect_writes(void **state)
{
    (void)state;
    char text[CLK_ISO_MAX];
    clk_iso(1622109243, text);
    assert_string_equal(text, "2021-05-27T09:54:03+00:00");
}

static void counts_down_to_a_deadline(void **state)
{
    (void)state;
    assert_int_equal(clk_left_ms(0), 0);
    assert_true(clk_left_ms(CLK_NEVER) > 1000000000);
    assert_in_range(clk_left_ms(clk_mono_ms() + 60000), 1, 60000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_is_no_instant),
        cmocka_unit_test(reads_every_shape_that_connect_sends),
        cmocka_unit_test(writes_the_form_that_connect_writes),
        cmocka_unit_test(counts_down_to_a_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
