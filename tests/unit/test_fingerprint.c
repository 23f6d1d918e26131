/* test_fingerprint.c - what makes it worth asking again, and what does not. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "json_text.h"
#include "policy/rules.h"
#include "tasks/backoff.h"
#include "tasks/fingerprint.h"

static char path[] = "/tmp/test_fingerprint-XXXXXX";
static struct conf_webhook webhook = {.policy = {.kind = CONF_POLICY_RULES}};
static struct queue queue = {.webhook = &webhook};

typedef uint8_t print[FINGERPRINT_LEN];

static void of_rules(const char *text, bool dry_run, print ret)
{
    memcpy(strrchr(path, '-') + 1, "XXXXXX", 6);
    int fd = mkstemp(path);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    assert_err(rules_load(path, POLICY_PROCESS, &class_usage_file, &queue.policy, NULL), ERR_OK);
    unlink(path);
    assert_err(fingerprint_queue(&queue, dry_run, ret), ERR_OK);
    policy_free(queue.policy);
}

static void assert_same(bool same, const print a, const print b)
{
    assert_int_equal(memcmp(a, b, FINGERPRINT_LEN) == 0, same);
}

static void tells_policies_apart(void **state)
{
    (void)state;
    print first, again, comment, dry, none;
    of_rules("- then: { action: skip }\n", false, first);
    of_rules("- then: { action: skip }\n", false, again);
    of_rules("- then: { action: skip } # why not\n", false, comment);
    of_rules("- then: { action: skip }\n", true, dry);
    webhook.policy.kind = CONF_POLICY_NONE;
    of_rules("- then: { action: skip }\n", false, none);
    webhook.policy.kind = CONF_POLICY_RULES;
    assert_same(true, first, again);
    assert_same(false, first, comment);
    assert_same(false, first, dry);
    assert_same(false, first, none);
}

static void of_object(const print of_queue, const char *text, print ret)
{
    struct json_object *o = json(text);
    fingerprint_object(of_queue, &class_usage_file, o, ret);
    json_object_put(o);
}

static void tells_objects_apart_but_for_what_changes_by_itself(void **state)
{
    (void)state;
    static const print of_queue = {1}, of_another = {2};
    print first, link, state_of, key, more, another;
    of_object(of_queue, "{'id':'UF-1','status':'ready','usage_file_uri':'a'}", first);
    of_object(of_queue, "{'id':'UF-1','status':'ready','usage_file_uri':'b'}", link);
    of_object(of_queue, "{'id':'UF-1','status':'closed','usage_file_uri':'a'}", state_of);
    of_object(of_queue, "{'id':'UF-1','statusready':'','usage_file_uri':'a'}", key);
    of_object(of_queue, "{'id':'UF-1','status':'ready','usage_file_uri':'a','n':null}", more);
    of_object(of_another, "{'id':'UF-1','status':'ready','usage_file_uri':'a'}", another);
    assert_same(true, first, link);
    assert_same(false, first, state_of);
    assert_same(false, first, key);
    assert_same(false, first, more);
    assert_same(false, first, another);
}

static void waits_longer_each_time_within_limits(void **state)
{
    (void)state;
    struct backoff b = {1000, 60000};
    int64_t least = INT64_MAX, most = 0;
    for (int n = 0; n < 1000; n++) {
        assert_in_range(backoff_ms(&b, 0, -1), 1000, 2000);
        int64_t third = backoff_ms(&b, 3, -1);
        assert_in_range(third, 1000, 16000);
        least = third < least ? third : least;
        most = third > most ? third : most;
        assert_in_range(backoff_ms(&b, 1000000, -1), 1000, 60000);
        assert_in_range(backoff_ms(&b, 0, 30), 30000, 30000);
        assert_in_range(backoff_ms(&b, 0, 1000000), 60000, 60000); /* nobody waits for ever */
        assert_in_range(backoff_ms(&b, 3, 1), 1000, 16000);
    }
    assert_true(least < 4000 && most > 12000); /* the whole of it is left to chance */
    b.min_ms = b.max_ms = INT64_C(7) * 86400 * 1000;
    assert_in_range(backoff_ms(&b, 9, -1), b.min_ms, b.min_ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_policies_apart),
        cmocka_unit_test(tells_objects_apart_but_for_what_changes_by_itself),
        cmocka_unit_test(waits_longer_each_time_within_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
