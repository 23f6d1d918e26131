/* test_quantity.c - numbers with a unit are read and shown as people write them. */
#include "unit.h"

#include "base/quantity.h"

static void assert_refused(enum quantity q, const char *text, enum err e)
{
    int64_t value = -7;
    assert_err(quantity_parse(q, text, &value), e);
    assert_int_equal(value, -7);
}

static void refuses_what_is_no_quantity(void **state)
{
    static const char *const wrong[] = {"",   "s",   "-3s", "+3s",  " 3s", "3 s",  "3s ", "3S",
                                        "3x", "03s", "00",  "3.5s", "1e3", "0x10", "3ss"};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_refused(QUANTITY_DURATION, wrong[i], ERR_TYPE);
        assert_refused(QUANTITY_SIZE, wrong[i], ERR_TYPE);
        assert_refused(QUANTITY_COUNT, wrong[i], ERR_TYPE);
    }
    assert_refused(QUANTITY_DURATION, "3", ERR_TYPE); /* of what? */
    assert_refused(QUANTITY_DURATION, "3KiB", ERR_TYPE);
    assert_refused(QUANTITY_SIZE, "3s", ERR_TYPE);
    assert_refused(QUANTITY_SIZE, "3KB", ERR_TYPE);
    assert_refused(QUANTITY_COUNT, "3KiB", ERR_TYPE);
}

static void refuses_what_is_too_large(void **state)
{
    (void)state;
    assert_refused(QUANTITY_COUNT, "9223372036854775808", ERR_RANGE);
    assert_refused(QUANTITY_SIZE, "8589934592GiB", ERR_RANGE);
    assert_refused(QUANTITY_DURATION, "106751991168d", ERR_RANGE);
    assert_refused(QUANTITY_DURATION, "99999999999999999999d", ERR_RANGE);
}

static void reads_and_shows(void **state)
{
    static const struct {
        enum quantity q;
        const char *text;
        int64_t value;
        const char *shown; /* NULL: as `text` */
    } good[] = {
        {QUANTITY_COUNT, "9223372036854775807", INT64_MAX, NULL},
        {QUANTITY_COUNT, "0", 0, NULL},
        {QUANTITY_SIZE, "0", 0, NULL},
        {QUANTITY_SIZE, "4097", 4097, NULL},
        {QUANTITY_SIZE, "4096", 4096, "4KiB"},
        {QUANTITY_SIZE, "1024MiB", 1 << 30, "1GiB"},
        {QUANTITY_DURATION, "0", 0, NULL},
        {QUANTITY_DURATION, "0d", 0, "0"},
        {QUANTITY_DURATION, "1500ms", 1500, NULL},
        {QUANTITY_DURATION, "90s", 90000, NULL},
        {QUANTITY_DURATION, "60m", 3600000, "1h"},
        {QUANTITY_DURATION, "7d", 604800000, NULL},
        {QUANTITY_DURATION, "106751991167d", 106751991167 * 86400000, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct buf b;
        int64_t value = -7;
        buf_init(&b, 64);
        assert_err(quantity_parse(good[i].q, good[i].text, &value), ERR_OK);
        assert_int_equal(value, good[i].value);
        quantity_print(&b, good[i].q, value);
        assert_string_equal(b.data, good[i].shown != NULL ? good[i].shown : good[i].text);
        buf_free(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_is_no_quantity),
        cmocka_unit_test(refuses_what_is_too_large),
        cmocka_unit_test(reads_and_shows),
    };
    return cmocka_run_group_tests_name("quantity", tests, NULL, NULL);
}
