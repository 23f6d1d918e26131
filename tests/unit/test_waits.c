/* test_waits.c - waits that tests make shorter. */
#include "base/waits.h"
#include "unit.h"

static void refuses_what_is_no_wait(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "hangs",   "hangs=",           "hangs=soon",        "hangs=10",  "=1s",
        "hang=1s", "hangs=1s stuck=x", "hangs=1s,stuck=1s", "hangs=-1s", "HANGS=1s"};
    struct why why;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_err(waits_load(wrong[i], &why), ERR_INVALID);
        assert_int_equal(waits_ms(WAITS_HANGS), 10000);
        assert_int_equal(waits_ms(WAITS_STUCK), 10000);
    }
    assert_string_equal(why.text, "CONNECT_WEBHOOK_WAITS: 'HANGS' is no wait with its length");
}

static void changes_what_is_named(void **state)
{
    (void)state;
    assert_err(waits_load(NULL, NULL), ERR_OK);
    assert_err(waits_load("", NULL), ERR_OK);
    assert_int_equal(waits_ms(WAITS_STOP_GRACE), 5000);
    assert_err(waits_load(" hangs=1s  stop_grace=200ms ", NULL), ERR_OK);
    assert_int_equal(waits_ms(WAITS_HANGS), 1000);
    assert_int_equal(waits_ms(WAITS_STOP_GRACE), 200);
    assert_int_equal(waits_ms(WAITS_STUCK), 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_is_no_wait),
        cmocka_unit_test(changes_what_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
