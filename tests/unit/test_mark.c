/* test_mark.c - what is new: nothing is dealt with twice, and nothing is left behind. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/clk.h"
#include "fake_inbox.h"
#include "json_text.h"
#include "tasks/mark.h"

#define DAY_US    (24 * 3600 * INT64_C(1000000))
#define NOON_US   INT64_C(1795089600000000) /* 2026-11-19T12:00:00Z */
#define NOON_CALL "{'triggered_at':'2026-11-19T12:00:00+00:00'}"

static struct fake_inbox inbox;
static struct conf_account account = {.id = "VA-1"};
static struct conf_webhook webhook;
static struct queue queue = {.webhook = &webhook};
static struct mark *mark;

static int set_up(void **state)
{
    (void)state;
    fake_inbox_open(&inbox);
    webhook = (struct conf_webhook){.account = &account,
                                    .product = "PRD-1",
                                    .object_class = &class_billing_request,
                                    .since_us = CLK_UNKNOWN};
    return 0;
}

static void open_mark(const char *claims_text)
{
    struct json_object *claims = claims_text != NULL ? json(claims_text) : NULL;
    assert_err(mark_open(&queue, inbox.inbox, claims, &mark, NULL), ERR_OK);
    json_object_put(claims);
}

static void close_mark(bool raise)
{
    assert_err(mark_close(mark, raise, NULL), ERR_OK);
}

static bool is_new(const char *id, int64_t created_us)
{
    return mark_note(mark, id, created_us);
}

static void settle(const char *id, int64_t created_us)
{
    assert_err(mark_settle(&queue, inbox.inbox, id, created_us, NULL), ERR_OK);
}

static char seen[128];

/* Where the mark is now; `seen` is what is known above it. */
static int64_t kept_from(void)
{
    const struct inbox_queue q = queue_in_inbox(&queue);
    struct inbox_mark m;
    assert_true(fake_inbox_mark(&inbox, &q, &m, seen));
    return m.from_us;
}

static void tells_why_it_cannot_be_kept(void **state)
{
    (void)state;
    struct why why;
    inbox.mark_answer = ERR_STORE;
    assert_err(mark_open(&queue, inbox.inbox, NULL, &mark, &why), ERR_STORE);
    assert_err(mark_settle(&queue, inbox.inbox, "BRV-1", NOON_US, &why), ERR_STORE);
    inbox.mark_answer = ERR_OK;
    assert_err(mark_settle(&queue, inbox.inbox, "BRV-1", CLK_UNKNOWN, &why), ERR_NOT_FOUND);
    open_mark(NOON_CALL);
    close_mark(true);
    settle("BRV-1", NOON_US + DAY_US);
    open_mark(NOON_CALL);
    inbox.mark_answer = ERR_STORE;
    assert_err(mark_close(mark, true, &why), ERR_STORE);
    assert_err(mark_close(NULL, true, &why), ERR_OK);
}

static void begins_a_day_before_the_first_call(void **state)
{
    (void)state;
    open_mark(NOON_CALL);
    assert_true(mark_since(mark) == NOON_US - DAY_US);
    assert_true(is_new("BRV-1", NOON_US - DAY_US));
    assert_false(is_new("BRV-1", NOON_US - DAY_US - 1));
    close_mark(true);
    open_mark("{'triggered_at':'2026-11-01T12:00:00+00:00'}"); /* a later one changes nothing */
    assert_true(mark_since(mark) == NOON_US - DAY_US);
    close_mark(true);
}

static void begins_a_day_ago_if_the_call_does_not_say_when(void **state)
{
    (void)state;
    int64_t now = clk_wall_us();
    open_mark("{'triggered_at':'soon'}");
    assert_true(mark_since(mark) >= now - DAY_US && mark_since(mark) < now);
    close_mark(true);
}

static void begins_now_if_polling_is_first_and_earlier_once_a_call_comes(void **state)
{
    (void)state;
    int64_t now = clk_wall_s() * 1000000;
    open_mark(NULL);
    assert_true(mark_since(mark) >= now && mark_since(mark) <= clk_wall_us());
    assert_true(mark_since(mark) % 1000000 == 0);
    close_mark(true);
    open_mark(NULL);
    close_mark(true);
    const struct inbox_queue q = queue_in_inbox(&queue);
    const struct inbox_mark later = {.from_us = NOON_US, .since_us = CLK_UNKNOWN};
    assert_err(inbox_mark_write(inbox.inbox, &q, &later, NULL), ERR_OK);
    open_mark(NOON_CALL);
    assert_true(mark_since(mark) == NOON_US - DAY_US);
    close_mark(true);
}

static void begins_where_the_configuration_says(void **state)
{
    (void)state;
    webhook.since_us = NOON_US;
    open_mark("{'triggered_at':'2026-11-01T12:00:00+00:00'}");
    assert_true(mark_since(mark) == NOON_US);
    close_mark(true);
    settle("BRV-1", NOON_US + 3 * DAY_US);
    open_mark(NULL);
    close_mark(true);
    open_mark(NULL); /* the same again is nothing new */
    assert_true(mark_since(mark) == NOON_US + 2 * DAY_US);
    close_mark(true);
    webhook.since_us = NOON_US - DAY_US; /* another begins anew */
    open_mark(NULL);
    assert_true(mark_since(mark) == NOON_US - DAY_US);
    assert_false(is_new("BRV-1", NOON_US + 3 * DAY_US));
    close_mark(false);
    webhook.since_us = CLK_UNKNOWN;
    open_mark(NULL);
    assert_true(mark_since(mark) == NOON_US - DAY_US);
    close_mark(false);
}

static void rises_to_a_day_below_the_newest(void **state)
{
    (void)state;
    open_mark(NOON_CALL);
    assert_true(is_new("BRV-1", NOON_US + DAY_US));
    assert_true(is_new("BRV-2", NOON_US + 3 * DAY_US));
    close_mark(true);
    assert_true(kept_from() == NOON_US - DAY_US); /* nothing is dealt with */
    settle("BRV-1", NOON_US + DAY_US);
    settle("BRV-2", NOON_US + 3 * DAY_US);
    open_mark(NULL);
    assert_false(is_new("BRV-1", NOON_US + DAY_US));
    assert_false(is_new("BRV-2", NOON_US + 3 * DAY_US));
    close_mark(true);
    assert_true(kept_from() == NOON_US + 2 * DAY_US);
    assert_memory_equal(seen, "BRV-2@", 6);
    open_mark(NOON_CALL);
    assert_false(is_new("BRV-2", NOON_US + 3 * DAY_US));
    assert_false(is_new("BRV-1", NOON_US + DAY_US));
    assert_true(is_new("BRV-3", NOON_US + 2 * DAY_US)); /* it showed up late */
    close_mark(true);
    assert_true(kept_from() == NOON_US + 2 * DAY_US);
}

static void stays_below_what_is_not_dealt_with(void **state)
{
    (void)state;
    open_mark(NOON_CALL);
    close_mark(true);
    settle("BRV-2", NOON_US + 9 * DAY_US);
    open_mark(NULL);
    assert_true(is_new("BRV-1", NOON_US));
    assert_false(is_new("BRV-2", NOON_US + 9 * DAY_US));
    assert_true(is_new("BRV-3", NOON_US + 8 * DAY_US));
    close_mark(true);
    assert_true(kept_from() == NOON_US);
    settle("BRV-1", NOON_US);
    settle("BRV-3", NOON_US + 8 * DAY_US);
    open_mark(NULL);
    close_mark(false); /* not all was listed */
    assert_true(kept_from() == NOON_US);
    open_mark(NULL);
    close_mark(true);
    assert_true(kept_from() == NOON_US + 8 * DAY_US);
}

static void does_not_fall(void **state)
{
    (void)state;
    open_mark(NOON_CALL);
    close_mark(true);
    settle("BRV-1", NOON_US - DAY_US);
    open_mark(NOON_CALL);
    close_mark(true);
    assert_true(kept_from() == NOON_US - DAY_US);
}

static void deals_once_with_what_does_not_say_when_it_was_made(void **state)
{
    (void)state;
    open_mark(NOON_CALL);
    assert_true(is_new("BRV-1", CLK_UNKNOWN));
    close_mark(true);
    settle("BRV-1", CLK_UNKNOWN);
    open_mark(NULL);
    assert_false(is_new("BRV-1", CLK_UNKNOWN));
    close_mark(true);
}

static int tear_down(void **state)
{
    (void)state;
    fake_inbox_close(&inbox);
    return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(tells_why_it_cannot_be_kept),
        TEST(begins_a_day_before_the_first_call),
        TEST(begins_a_day_ago_if_the_call_does_not_say_when),
        TEST(begins_now_if_polling_is_first_and_earlier_once_a_call_comes),
        TEST(begins_where_the_configuration_says),
        TEST(rises_to_a_day_below_the_newest),
        TEST(stays_below_what_is_not_dealt_with),
        TEST(does_not_fall),
        TEST(deals_once_with_what_does_not_say_when_it_was_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
