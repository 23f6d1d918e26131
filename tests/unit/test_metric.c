/* test_metric.c - what is counted, where it is taken to, and how it is printed. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/metric.h"

/* "name{labels} part=n; ", of all that was taken. */
static char taken[4096];

static enum err note(void *ctx, const char *name, const char *labels, int part, int64_t n)
{
    size_t len = strlen(taken);
    int *left = ctx; /* that may be told of; NULL: any number */
    if (left != NULL && (*left)-- <= 0)
        return ERR_STORE;
    snprintf(taken + len, sizeof taken - len, "%s{%s} %d=%lld; ", name, labels, part, (long long)n);
    return ERR_OK;
}

static const char *take(bool kept)
{
    taken[0] = '\0';
    assert_err(metric_take(note, NULL), ERR_OK);
    metric_settle(kept);
    return taken;
}

static int forget_all(void **state)
{
    (void)state;
    take(true);
    return 0;
}

static void a_label_that_needs_quoting_is_left_empty(void **state)
{
    (void)state;
    metric_count(METRIC_CALLS, "WH-1\",status=\"200", "20\\0");
    metric_count(METRIC_CALLS, NULL, "20\n0");
    assert_string_equal(take(true), "connect_webhook_calls_total{webhook=\"\",status=\"\"} 0=2; ");
}

static void counts_each_label_by_itself(void **state)
{
    (void)state;
    assert_false(metric_any());
    metric_count(METRIC_CALLS, "WH-2", "202");
    metric_count(METRIC_CALLS, "WH-1", "503");
    metric_add(METRIC_COMMIT_CHANGES, NULL, NULL, 7);
    metric_count(METRIC_CALLS, "WH-2", "202");
    assert_true(metric_any());
    assert_string_equal(take(true),
                        "connect_webhook_calls_total{webhook=\"WH-1\",status=\"503\"} 0=1; "
                        "connect_webhook_calls_total{webhook=\"WH-2\",status=\"202\"} 0=2; "
                        "connect_webhook_commit_changes_total{} 0=7; ");
    assert_false(metric_any());
    assert_string_equal(take(true), "");
}

static void what_is_not_kept_is_not_lost(void **state)
{
    (void)state;
    metric_count(METRIC_REFUSALS, "method", NULL);
    assert_non_null(strstr(take(false), " 0=1; "));
    metric_count(METRIC_REFUSALS, "method", NULL);
    assert_true(metric_any());
    assert_non_null(strstr(take(true), " 0=2; "));
    /* Nor what an error has kept from being told of. */
    int none = 0, one = 1;
    metric_count(METRIC_REFUSALS, "a", NULL);
    metric_count(METRIC_REFUSALS, "b", NULL);
    taken[0] = '\0';
    assert_err(metric_take(note, &none), ERR_STORE);
    metric_settle(false);
    taken[0] = '\0';
    assert_err(metric_take(note, &one), ERR_STORE);
    metric_settle(false);
    assert_string_equal(take(true), "connect_webhook_refusals_total{reason=\"a\"} 0=1; "
                                    "connect_webhook_refusals_total{reason=\"b\"} 0=1; ");
}

static void a_time_falls_into_the_bucket_that_ends_with_it(void **state)
{
    (void)state;
    metric_time(METRIC_COMMIT_TIME, NULL, 0);
    metric_time(METRIC_COMMIT_TIME, NULL, 1000);
    metric_time(METRIC_COMMIT_TIME, NULL, 1001);
    metric_time(METRIC_COMMIT_TIME, NULL, 60000000);
    metric_time(METRIC_COMMIT_TIME, NULL, 60000001);
    assert_string_equal(take(true), "connect_webhook_commit_seconds{} 0=5; "
                                    "connect_webhook_commit_seconds{} 1=120002002; "
                                    "connect_webhook_commit_seconds{} 2=2; "
                                    "connect_webhook_commit_seconds{} 3=1; "
                                    "connect_webhook_commit_seconds{} 14=1; ");
}

static void prints_what_prometheus_reads(void **state)
{
    (void)state;
    struct buf b;
    struct metric_print p;
    buf_init(&b, 65536);
    metric_print_begin(&p, &b);
    metric_print_part(&p, "connect_webhook_api_call_seconds", "account=\"VA-1\"", 0, 3);
    metric_print_part(&p, "connect_webhook_api_call_seconds", "account=\"VA-1\"", 1, 70500000);
    metric_print_part(&p, "connect_webhook_api_call_seconds", "account=\"VA-1\"", 2, 1);
    metric_print_part(&p, "connect_webhook_api_call_seconds", "account=\"VA-1\"", 9, 1);
    metric_print_part(&p, "connect_webhook_api_call_seconds", "account=\"VA-1\"", 99, 1);
    metric_print_part(&p, "connect_webhook_calls_total", "webhook=\"WH-1\",status=\"202\"", 0, 5);
    metric_print_part(&p, "connect_webhook_calls_total", "webhook=\"WH-2\",status=\"202\"", 0, 6);
    metric_print_part(&p, "connect_webhook_of_another_version", "", 0, 1);
    metric_print_end(&p);
    metric_print_gauge(&b, "connect_webhook_backlog_tasks", "", 2, "Waits.");
    metric_print_counter(&b, "x_total", "a=\"b\"", 0.5, NULL);
    assert_string_equal(
        b.data,
        "# HELP connect_webhook_api_call_seconds How long calls to Connect took, with the wait for "
        "their turn.\n"
        "# TYPE connect_webhook_api_call_seconds histogram\n"
        "connect_webhook_api_call_seconds_bucket{account=\"VA-1\",le=\"0.001\"} 1\n"
        "connect_webhook_api_call_seconds_bucket{account=\"VA-1\",le=\"0.0025\"} 1\n"
        "connect_webhook_api_call_seconds_bucket{account=\"VA-1\",le=\"0.005\"} 1\n"
        "connect_webhook_api_call_seconds_bucket{account=\"VA-1\",le=\"0.01\"} 1\n"
        "connect_webhook_api_call_seconds_bucket{account=\"VA-1\",le=\"0.025\"} 1\n"
        "connect_webhook_api_call_seconds_bucket{account=\"VA-1\",le=\"0.05\"} 1\n"
        "connect_webhook_api_call_seconds_bucket{account=\"VA-1\",le=\"0.1\"} 1\n"
        "connect_webhook_api_call_seconds_bucket{account=\"VA-1\",le=\"0.25\"} 2\n"
        "connect_webhook_api_call_seconds_bucket{account=\"VA-1\",le=\"0.5\"} 2\n"
        "connect_webhook_api_call_seconds_bucket{account=\"VA-1\",le=\"1\"} 2\n"
        "connect_webhook_api_call_seconds_bucket{account=\"VA-1\",le=\"2.5\"} 2\n"
        "connect_webhook_api_call_seconds_bucket{account=\"VA-1\",le=\"10\"} 2\n"
        "connect_webhook_api_call_seconds_bucket{account=\"VA-1\",le=\"60\"} 2\n"
        "connect_webhook_api_call_seconds_bucket{account=\"VA-1\",le=\"+Inf\"} 3\n"
        "connect_webhook_api_call_seconds_sum{account=\"VA-1\"} 70.500000\n"
        "connect_webhook_api_call_seconds_count{account=\"VA-1\"} 3\n"
        "# HELP connect_webhook_calls_total Calls that were answered, by the webhook that they "
        "have "
        "proven (else none) and HTTP status.\n"
        "# TYPE connect_webhook_calls_total counter\n"
        "connect_webhook_calls_total{webhook=\"WH-1\",status=\"202\"} 5\n"
        "connect_webhook_calls_total{webhook=\"WH-2\",status=\"202\"} 6\n"
        "# HELP connect_webhook_backlog_tasks Waits.\n"
        "# TYPE connect_webhook_backlog_tasks gauge\n"
        "connect_webhook_backlog_tasks 2\n"
        "x_total{a=\"b\"} 0.5\n");
    buf_free(&b);
}

static enum err count_them(void *ctx, const char *name, const char *labels, int part, int64_t n)
{
    (void)name;
    (void)labels;
    (void)part;
    *(int64_t *)ctx += n;
    return ERR_OK;
}

/* The last test: what there are stays. */
static void there_are_only_so_many_series(void **state)
{
    (void)state;
    char id[32];
    for (int n = 0; n < METRIC_SERIES_MAX + 10; n++) {
        snprintf(id, sizeof id, "WH-%d", n);
        metric_count(METRIC_CALLS, id, "202");
    }
    int64_t count = 0;
    assert_err(metric_take(count_them, &count), ERR_OK);
    metric_settle(true);
    assert_in_range(count, METRIC_SERIES_MAX - 20, METRIC_SERIES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_label_that_needs_quoting_is_left_empty, forget_all),
        cmocka_unit_test_setup(counts_each_label_by_itself, forget_all),
        cmocka_unit_test_setup(what_is_not_kept_is_not_lost, forget_all),
        cmocka_unit_test_setup(a_time_falls_into_the_bucket_that_ends_with_it, forget_all),
        cmocka_unit_test_setup(prints_what_prometheus_reads, forget_all),
        cmocka_unit_test_setup(there_are_only_so_many_series, forget_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
