/* test_rate.c - turns within a rate that others spend, too. */
#include "unit.h"

#include <pthread.h>
#include <stdbool.h>

#include "api/rate.h"
#include "base/clk.h"

#define PER_S    10
#define LONG_MS  60000 /* nobody waits so long */
#define SHORT_MS 30

/* What the others leave: some turns of a second that still lasts so long. */
static int64_t turns, lasts_ms;
static bool known;
static int asked;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER; /* held: who asks has to wait */

static bool share(void *ctx, int64_t per_s, int64_t *ret_turns, int64_t *ret_wait_ms)
{
    assert_ptr_equal(ctx, &turns);
    assert_int_equal(per_s, PER_S);
    pthread_mutex_lock(&gate);
    asked++;
    *ret_turns = turns;
    *ret_wait_ms = lasts_ms;
    pthread_mutex_unlock(&gate);
    return known;
}

static struct rate *rate;

static int set_up(void **state)
{
    (void)state;
    rate = rate_new(PER_S, share, &turns);
    turns = 2;
    lasts_ms = LONG_MS;
    known = true;
    asked = 0;
    return rate == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    rate_free(rate);
    return 0;
}

static enum err take_within(int64_t ms)
{
    int64_t left_ms;
    return rate_take(rate, clk_mono_ms() + ms, CLK_NEVER, &left_ms);
}

static void spends_what_it_was_given_and_asks_again(void **state)
{
    (void)state;
    assert_err(take_within(LONG_MS), ERR_OK);
    assert_err(take_within(LONG_MS), ERR_OK);
    assert_int_equal(asked, 1);
    turns = 1;
    assert_err(take_within(LONG_MS), ERR_OK);
    assert_int_equal(asked, 2);
}

static void waits_for_the_next_second_when_nothing_is_left(void **state)
{
    (void)state;
    turns = 0;
    assert_err(take_within(SHORT_MS), ERR_TIMEOUT);
    assert_int_equal(asked, 1);
    assert_err(take_within(SHORT_MS), ERR_TIMEOUT); /* the second lasts */
    assert_int_equal(asked, 1);
}

static void forgets_what_was_left_of_a_second(void **state)
{
    (void)state;
    lasts_ms = SHORT_MS;
    assert_err(take_within(LONG_MS), ERR_OK);
    int64_t over = clk_mono_ms() + SHORT_MS;
    assert_err(rate_sleep(rate, over + 1), ERR_OK);
    assert_err(take_within(LONG_MS), ERR_OK);
    assert_int_equal(asked, 2);
}

/* Its own limit still holds, whatever the others leave. */
static void keeps_to_its_own_limit_where_nobody_knows(void **state)
{
    (void)state;
    known = false;
    for (int n = 0; n < PER_S; n++)
        assert_err(take_within(LONG_MS), ERR_OK);
    assert_err(take_within(SHORT_MS), ERR_TIMEOUT);
    assert_int_equal(asked, 1);
}

static void *take_long(void *ret)
{
    *(enum err *)ret = take_within(LONG_MS);
    return NULL;
}

static void waits_no_longer_than_it_may_for_another_who_asks(void **state)
{
    (void)state;
    pthread_t thread;
    enum err e = ERR_STOPPED;
    pthread_mutex_lock(&gate);
    assert_int_equal(pthread_create(&thread, NULL, take_long, &e), 0);
    rate_sleep(rate, clk_mono_ms() + SHORT_MS); /* by then the other asks, or we do after it */
    pthread_mutex_unlock(&gate);
    pthread_join(thread, NULL);
    assert_err(e, ERR_OK);
    turns = 0;
    assert_err(take_within(LONG_MS), ERR_OK); /* of the two that it was given */
    assert_err(take_within(SHORT_MS), ERR_TIMEOUT);
}

static void has_patience_for_a_short_halt_alone(void **state)
{
    (void)state;
    int64_t left_ms = 0, now = clk_mono_ms();
    rate_halt(rate, now + LONG_MS);
    assert_err(rate_take(rate, CLK_NEVER, now + SHORT_MS, &left_ms), ERR_HTTP_THROTTLED);
    assert_in_range(left_ms, 1, LONG_MS);
    assert_int_equal(asked, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(spends_what_it_was_given_and_asks_again),
        TEST(waits_for_the_next_second_when_nothing_is_left),
        TEST(forgets_what_was_left_of_a_second),
        TEST(keeps_to_its_own_limit_where_nobody_knows),
        TEST(waits_no_longer_than_it_may_for_another_who_asks),
        TEST(has_patience_for_a_short_halt_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
