/* test_hold.c - leases that are kept, lost, and not believed too long; and what is known of
 * accounts. */
#include "unit.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clk.h"
#include "fake_inbox.h"
#include "tasks/accounts.h"
#include "tasks/hold.h"

#define SHORT_MS 60
#define LONG_MS  60000

static const struct inbox_queue queue = {"VA-1", "PRD-1", &class_fulfillment_request};
static struct fake_inbox fake;
static struct inbox *inbox;
static struct holds *holds;

static int set_up(void **state)
{
    (void)state;
    fake_inbox_open(&fake);
    inbox = fake.inbox;
    holds = holds_new(inbox);
    assert_non_null(holds);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    holds_free(holds);
    fake_inbox_close(&fake);
    return 0;
}

static struct inbox_sweep take(int64_t lease_ms)
{
    struct inbox_sweep s;
    assert_err(inbox_take_sweep(inbox, &queue, lease_ms, 0, &s, NULL), ERR_OK);
    return s;
}

static bool is_ours(const struct hold *h)
{
    return h->fence.holds(h->fence.ctx);
}

static void wait_until(int64_t boot_ms)
{
    while (clk_boot_ms() <= boot_ms)
        usleep(1000);
}

static void a_lease_that_is_not_kept_ends(void **state)
{
    (void)state;
    struct inbox_sweep s = take(SHORT_MS);
    struct hold h;
    hold_begin(&h, inbox, NULL, &s.lease, SHORT_MS);
    assert_true(is_ours(&h));
    wait_until(s.lease.until);
    assert_false(is_ours(&h)); /* whether anybody has taken it over or not */
    hold_end(&h);
}

static void a_lease_that_is_kept_goes_on(void **state)
{
    (void)state;
    struct inbox_sweep s = take(SHORT_MS * 10);
    struct hold h;
    hold_begin(&h, inbox, holds, &s.lease, SHORT_MS * 10);
    holds_beat(holds); /* it is not due */
    assert_int_equal(h.until, s.lease.until);
    wait_until(s.lease.until - SHORT_MS * 5);
    holds_beat(holds);
    assert_true(h.until > s.lease.until);
    wait_until(s.lease.until);
    assert_true(is_ours(&h));
    int64_t count;
    assert_err(inbox_recover(inbox, &count, NULL), ERR_OK);
    assert_int_equal(count, 0);
    hold_end(&h);
}

static void a_lease_that_was_taken_over_is_lost(void **state)
{
    (void)state;
    struct inbox_sweep s = take(SHORT_MS), other;
    struct hold h, beside;
    hold_begin(&h, inbox, holds, &s.lease, LONG_MS);
    wait_until(s.lease.until);
    other = take(LONG_MS);
    h.until = clk_boot_ms() + SHORT_MS * 10; /* as if nobody had noticed */
    assert_false(is_ours(&h));               /* as the inbox knows, without a beat */
    hold_begin(&beside, inbox, holds, &other.lease, LONG_MS);
    holds_beat(holds);
    assert_false(is_ours(&h));
    assert_true(is_ours(&beside));
    hold_end(&h);
    hold_end(&beside);
}

static void what_cannot_be_looked_up_is_not_ours(void **state)
{
    (void)state;
    struct inbox_sweep s = take(LONG_MS);
    struct hold h;
    hold_begin(&h, inbox, NULL, &s.lease, LONG_MS);
    assert_true(is_ours(&h));
    fake.store_answer = ERR_STORE;
    assert_false(is_ours(&h));
    hold_end(&h);
}

/* ---------------------------------------------------------------------- accounts */

/* May anything of the account be claimed? */
static bool is_halted(void)
{
    const struct inbox_claim_terms terms = {.lease_ms = 0};
    struct inbox_claimed c;
    int64_t count;
    assert_err(inbox_plan_poll(inbox, &queue, 0, NULL), ERR_OK);
    enum err e = inbox_claim(inbox, &terms, &c, NULL);
    if (e == ERR_OK)
        assert_err(inbox_recover(inbox, &count, NULL), ERR_OK); /* its lease is over */
    return e == ERR_NOT_FOUND;
}

static void what_fails_halts_its_account(void **state)
{
    (void)state;
    struct conf_account account = {.id = "VA-1"};
    struct conf conf = {.accounts = &account, .accounts_count = 1};
    conf.processing.backoff_min_ms = conf.processing.backoff_max_ms = LONG_MS;
    struct accounts *a = accounts_new(inbox, &conf);
    const struct api_commons *commons = accounts_commons(a);
    static const enum err troubles[] = {ERR_NETWORK, ERR_TIMEOUT, ERR_HTTP_SERVER, ERR_HTTP_AUTH,
                                        ERR_HTTP_THROTTLED};
    for (size_t n = 0; n < sizeof troubles / sizeof *troubles; n++) {
        commons->came_to(commons->ctx, "VA-2", troubles[n], -1); /* is another's */
        assert_false(is_halted());
        commons->came_to(commons->ctx, "VA-1", ERR_OK, -1);
        assert_false(is_halted());
        commons->came_to(commons->ctx, "VA-1", troubles[n], -1);
        assert_true(is_halted());
        accounts_reload(a, &conf);
        assert_false(is_halted());
    }
    commons->came_to(commons->ctx, "VA-1", ERR_HTTP_THROTTLED, 0); /* "at once" */
    assert_false(is_halted());
    accounts_free(a);
}

static void the_rate_is_the_inboxes(void **state)
{
    (void)state;
    const struct conf conf = {.accounts_count = 0};
    struct accounts *a = accounts_new(inbox, &conf);
    const struct api_commons *commons = accounts_commons(a);
    int64_t turns, wait_ms;
    assert_true(commons->take(commons->ctx, "VA-1", 10, &turns, &wait_ms));
    assert_int_equal(turns, 5);
    assert_false(commons->take(commons->ctx, "../x", 10, &turns, &wait_ms)); /* it cannot be told */
    accounts_free(a);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_lease_that_is_not_kept_ends),       TEST(a_lease_that_is_kept_goes_on),
        TEST(a_lease_that_was_taken_over_is_lost), TEST(what_cannot_be_looked_up_is_not_ours),
        TEST(what_fails_halts_its_account),        TEST(the_rate_is_the_inboxes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
