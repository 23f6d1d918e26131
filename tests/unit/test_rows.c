/* test_rows.c - how the rows of sweeps and tasks change with time. */
#include "unit.h"

#include "inbox/rows.h"

#define S_US INT64_C(1000000)

static const struct inbox_queue queue = {"VA-1", "PRD-1", &class_fulfillment_request};

/* Held and given back at this moment, as a runner does that takes no time. */
static void sweep_at(struct sweep_row *s, int64_t now_us)
{
    static const struct inbox_sweep_end end = {.poll_ms = -1};
    sweep_row_begin(s, now_us);
    sweep_row_end(s, &end, now_us);
}

static void what_was_freed_is_looked_for_three_times(void **state)
{
    (void)state;
    struct sweep_row s;
    sweep_row_init(&s, &queue);
    assert_true(sweep_row_due(&s) == ROW_NEVER);
    sweep_row_free(&s, 100 * S_US);
    assert_true(sweep_row_due(&s) == 100 * S_US);
    sweep_at(&s, 101 * S_US);
    assert_true(s.for_call);
    assert_true(sweep_row_due(&s) == 105 * S_US);
    sweep_at(&s, 105 * S_US);
    assert_true(sweep_row_due(&s) == 130 * S_US);
    sweep_at(&s, 140 * S_US);
    assert_true(sweep_row_due(&s) == ROW_NEVER);
    sweep_row_wake(&s, 1, 150 * S_US);
    sweep_at(&s, 150 * S_US);
    assert_true(sweep_row_due(&s) == ROW_NEVER);
}

static void what_is_freed_again_begins_anew(void **state)
{
    (void)state;
    struct sweep_row s;
    sweep_row_init(&s, &queue);
    sweep_row_free(&s, 100 * S_US);
    sweep_at(&s, 100 * S_US);
    sweep_row_begin(&s, 102 * S_US); /* for whatever reason */
    sweep_row_free(&s, 103 * S_US);  /* while it is held */
    sweep_row_end(&s, &(struct inbox_sweep_end){.poll_ms = -1}, 104 * S_US);
    assert_true(sweep_row_due(&s) == 103 * S_US);
    sweep_at(&s, 107 * S_US);
    assert_true(sweep_row_due(&s) == 108 * S_US);
    sweep_at(&s, 120 * S_US);
    assert_true(sweep_row_due(&s) == 133 * S_US);
}

/* A look that comes late is one for those before it, too; one that fails is made again. */
static void what_is_looked_for_late_is_looked_for_once(void **state)
{
    (void)state;
    struct sweep_row s;
    sweep_row_init(&s, &queue);
    sweep_row_free(&s, 100 * S_US);
    sweep_at(&s, 131 * S_US);
    assert_true(sweep_row_due(&s) == ROW_NEVER);
    sweep_row_free(&s, 200 * S_US);
    sweep_row_begin(&s, 230 * S_US);
    sweep_row_end(&s, &(struct inbox_sweep_end){"no list", 7000, -1}, 231 * S_US);
    assert_true(sweep_row_due(&s) == 238 * S_US && s.called);
}

static void what_polling_alone_finds_is_counted(void **state)
{
    (void)state;
    const struct inbox_found found = {.object_id = "PR-1"},
                             changed = {.object_id = "PR-1", .fingerprint = {1}};
    struct sweep_row polled, called;
    struct task_row t;
    sweep_row_init(&polled, &queue);
    sweep_row_init(&called, &queue);
    called.for_call = true;
    called.delivery_id = 7;
    task_row_init(&t, &called, "PR-1", 100 * S_US);
    task_row_find(&t, &found, &called, false, 100 * S_US);
    assert_int_equal(t.delivery_id, 7);
    t.id = 1;
    task_row_find(&t, &found, &polled, false, 101 * S_US);
    assert_int_equal(polled.polled, 0);
    assert_int_equal(t.delivery_id, 7); /* which it waits for */
    task_row_find(&t, &changed, &polled, false, 102 * S_US);
    assert_int_equal(polled.polled, 1);
    assert_int_equal(t.delivery_id, 0);
    task_row_init(&t, &polled, "PR-2", 103 * S_US);
    task_row_find(&t, &found, &polled, false, 103 * S_US);
    assert_int_equal(polled.polled, 2);
    assert_int_equal(called.polled, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_freed_is_looked_for_three_times),
        cmocka_unit_test(what_is_freed_again_begins_anew),
        cmocka_unit_test(what_is_looked_for_late_is_looked_for_once),
        cmocka_unit_test(what_polling_alone_finds_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
