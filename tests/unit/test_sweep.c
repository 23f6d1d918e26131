/* test_sweep.c - each pending object once, whatever the others do. */
#include "unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/http.h"
#include "base/jsonx.h"
#include "fake_http.h"
#include "tasks/sweep.h"

#define PRODUCT "PRD-111-222-333"
#define ENDS_MS 20000
#define APPROVE "{'action':'approve','template_id':'TL-1-2-3'}"

/* ------------------------------------------------------------------- the inbox's lock */

static enum err lock_answer;
static int locks, unlocks;
static char locked[128];

enum err inbox_lock_sweep(struct inbox *i, const char *account_id, const char *product_id,
                          const struct object_class *c, int64_t deadline, struct inbox_lock **ret,
                          struct why *why)
{
    static char nothing;
    (void)i;
    assert_true(deadline <= clk_mono_ms() + SWEEP_LOCK_MS);
    snprintf(locked, sizeof locked, "%s %s %s", account_id, product_id, c->name);
    locks++;
    if (lock_answer != ERR_OK)
        return why_set(why, lock_answer, "held by somebody else");
    *ret = (struct inbox_lock *)&nothing;
    return ERR_OK;
}

void inbox_unlock_sweep(struct inbox_lock *lock)
{
    assert_non_null(lock);
    unlocks++;
}

/* ------------------------------------------------------------------------- the policy */

/* Decides by the object's `note`, which is a decision written with ' for "; "" is a failure. */
static int asked;

static enum err ask(struct policy *p, const struct policy_question *q, struct json_object **ret,
                    char ret_rule[128], struct why *why)
{
    (void)p;
    char text[1024];
    asked++;
    assert_int_equal(q->kind, POLICY_PROCESS);
    assert_int_equal(q->attempt, 1);
    assert_string_equal(q->webhook_id, "WH-1");
    assert_int_equal(q->webhook_type, TYPE_EVENT);
    snprintf(text, sizeof text, "%s", jsonx_str(q->object, "note", ""));
    if (text[0] == '\0')
        return why_set(why, ERR_POLICY, "no idea");
    for (char *c = text; (c = strchr(c, '\'')) != NULL;)
        *c = '"';
    snprintf(ret_rule, 128, "rules.yaml:7");
    return jsonx_parse(text, strlen(text), sizeof text, ret, why);
}

static const struct policy_ops ops = {.name = "test", .ask = ask};
static struct policy policy = {&ops};

/* ---------------------------------------------------------------------------- the sweep */

static struct fake *fake;
static struct api *api;
static struct secret *key;
static struct sweep sweep;
static struct sweep_result result;
static struct why why;

/* What was reported, one line an object. */
static char reported[4096];

static void note(void *ctx, const struct swept *s)
{
    size_t n = strlen(reported);
    assert_ptr_equal(ctx, &sweep);
    assert_string_equal(s->webhook_id, "WH-1");
    assert_ptr_equal(s->object_class, &class_fulfillment_request);
    snprintf(reported + n, sizeof reported - n, "%s %s %s>%s %s %s [%s] %s %lld\n", s->id, s->type,
             s->before, s->after, s->action, outcome_name(s->outcome), s->rule, s->reason,
             (long long)s->retry_after_s);
}

static int set_up(void **state)
{
    (void)state;
    static const char *const states[] = {"pending", "revoking", NULL};
    char url[128];
    fake = fake_start();
    snprintf(url, sizeof url, "%s/public/v1", fake_url(fake));
    assert_err(secret_from_bytes("SU-1:secret", 11, &key), ERR_OK);
    struct api_options o = {.account_id = "VA-240-990",
                            .url = url,
                            .key = key,
                            .connect_timeout_ms = ENDS_MS,
                            .timeout_ms = ENDS_MS,
                            .backoff_min_ms = 1,
                            .backoff_max_ms = 1};
    assert_err(api_new(&o, &api, NULL), ERR_OK);
    sweep = (struct sweep){.api = api,
                           .policy = &policy,
                           .webhook_id = "WH-1",
                           .product_id = PRODUCT,
                           .object_class = &class_fulfillment_request,
                           .webhook_type = TYPE_EVENT,
                           .side = SIDE_VENDOR,
                           .states = states,
                           .terms = {.deadline = CLK_NEVER, .object_ms = 2 * ENDS_MS}};
    lock_answer = ERR_OK;
    locks = unlocks = asked = 0;
    reported[0] = '\0';
    why.text[0] = '\0';
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    api_free(api);
    secret_free(key);
    fake_stop(fake);
    assert_int_equal(unlocks, lock_answer == ERR_OK ? locks : 0);
    return 0;
}

static enum err run(void)
{
    return sweep_run(&sweep, note, &sweep, &result, &why);
}

/* "objects 6: 1 done, 2 dead; 3 left", of what there was. */
static void assert_result(const char *want)
{
    char got[256];
    size_t n = (size_t)snprintf(got, sizeof got, "objects %d:", (int)result.objects);
    for (int o = 0; o < OUTCOME__COUNT; o++)
        if (result.ended[o] > 0)
            n += (size_t)snprintf(got + n, sizeof got - n, " %d %s", (int)result.ended[o],
                                  outcome_name((enum outcome)o));
    if (result.left > 0)
        snprintf(got + n, sizeof got - n, " %d left", (int)result.left);
    assert_string_equal(got, want);
}

/* A request with a decision in its note. */
static const char *request(int i, const char *product, const char *status, const char *decision)
{
    static char text[8][1024];
    static unsigned next;
    char *t = text[next++ % 8];
    snprintf(t, 1024,
             "{\"id\":\"PR-%d\",\"type\":\"purchase\",\"status\":\"%s\",\"note\":\"%s\","
             "\"asset\":{\"product\":{\"id\":\"%s\"}}}",
             i, status, decision, product);
    return t;
}

/* The list's answer: requests PR-1 to PR-n, all pending. */
static void list(int n)
{
    char body[8192] = "[", range[64];
    for (int i = 1; i <= n; i++) {
        strcat(body, i > 1 ? "," : "");
        strcat(body, request(i, PRODUCT, "pending", ""));
    }
    strcat(body, "]");
    snprintf(range, sizeof range, "Content-Range: items 0-%d/%d\r\n", n > 0 ? n - 1 : 0, n);
    fake_answer(fake, 200, range, body);
}

/* An object's answer when it is read again. */
static void object(int i, const char *status, const char *decision)
{
    fake_answer(fake, 200, "", request(i, PRODUCT, status, decision));
}

static void assert_asked(size_t i, const char *line)
{
    assert_memory_equal(fake_request(fake, i), line, strlen(line));
}

static void refuses_a_class_that_nothing_handles(void **state)
{
    (void)state;
    sweep.object_class = &class_billing_request;
    result.left = 99;
    assert_err(run(), ERR_INVALID);
    assert_non_null(strstr(why.text, "billing_request"));
    assert_result("objects 0:");
    assert_int_equal(locks, 0);
}

static void does_not_start_where_another_runs(void **state)
{
    (void)state;
    lock_answer = ERR_BUSY;
    assert_err(run(), ERR_BUSY);
    assert_string_equal(locked, "VA-240-990 " PRODUCT " fulfillment_request");
    assert_int_equal(fake_requests(fake), 0);
    assert_result("objects 0:");
}

static void tells_why_the_list_could_not_be_read(void **state)
{
    (void)state;
    fake_answer(fake, 400, "", "{\"error_code\":\"VAL_1\",\"errors\":[\"bad filter\"]}");
    assert_err(run(), ERR_HTTP_CLIENT);
    assert_non_null(strstr(why.text, "bad filter"));
    assert_result("objects 0:");
}

static void has_nothing_to_do_with_an_empty_list(void **state)
{
    (void)state;
    list(0);
    assert_err(run(), ERR_OK);
    assert_result("objects 0:");
    assert_int_equal(result.retry_after_s, -1);
    assert_string_equal(reported, "");
    static const char *const none[] = {NULL};
    sweep.states = none;
    assert_err(run(), ERR_OK);
    assert_int_equal(fake_requests(fake), 1);
}

static void lists_first_then_reads_each_again_and_acts(void **state)
{
    (void)state;
    list(2);
    object(1, "pending", APPROVE);
    fake_answer(fake, 200, "", "{\"status\":\"approved\"}");
    object(2, "revoking", "{'action':'confirm'}");
    fake_answer(fake, 200, "", "{\"status\":\"revoked\"}");
    assert_err(run(), ERR_OK);
    assert_result("objects 2: 2 done");
    assert_string_equal(reported,
                        "PR-1 purchase pending>approved approve done [rules.yaml:7]  -1\n"
                        "PR-2 purchase revoking>revoked confirm done [rules.yaml:7]  -1\n");
    assert_asked(0, "GET /public/v1/requests?");
    assert_asked(1, "GET /public/v1/requests/PR-1 ");
    assert_asked(2, "POST /public/v1/requests/PR-1/approve ");
    assert_asked(3, "GET /public/v1/requests/PR-2 ");
    assert_asked(4, "POST /public/v1/requests/PR-2/confirm ");
    assert_int_equal(fake_requests(fake), 5);
}

static void leaves_what_was_dealt_with_elsewhere(void **state)
{
    (void)state;
    list(2);
    object(1, "approved", APPROVE);
    fake_answer(fake, 404, "", "{}");
    assert_err(run(), ERR_OK);
    assert_result("objects 2: 2 skip");
    assert_int_equal(asked, 0);
    assert_non_null(strstr(reported, "PR-1 purchase approved>approved  skip [] is approved now"));
    assert_non_null(strstr(reported, "PR-2 purchase pending>  skip [] is no longer there"));
}

static void ignores_objects_of_another_product(void **state)
{
    (void)state;
    char body[4096];
    snprintf(body, sizeof body, "[%s,%s,{\"id\":\"PR-9\"}]",
             request(1, "PRD-9-9-9", "pending", APPROVE), request(2, PRODUCT, "pending", ""));
    fake_answer(fake, 200, "Content-Range: items 0-2/3\r\n", body);
    object(2, "pending", "{'action':'skip','reason':'later'}");
    object(9, "pending", "{'action':'skip'}");
    assert_err(run(), ERR_OK);
    assert_result("objects 2: 2 skip");
    assert_null(strstr(reported, "PR-1"));
    assert_non_null(
        strstr(reported, "PR-2 purchase pending>pending skip skip [rules.yaml:7] later"));
    assert_int_equal(fake_requests(fake), 3);
}

/* One odd object is its own trouble: reported once, and the others are dealt with. */
static void reports_what_is_listed_and_no_use(void **state)
{
    (void)state;
    fake_answer(fake, 200, "Content-Range: items 0-5/6\r\n",
                "[{\"id\":\"PR-7\",\"type\":\"purchase\",\"note\":\"\xff\"},"
                "{\"id\":\"1559115188\",\"type\":\"change\",\"status\":\"pending\"},"
                "{\"id\":1559115189},"
                "{\"note\":1,\"note\":1},"
                "{\"id\":\"../accounts\"},"
                "{\"id\":\"PR-1\",\"status\":\"pending\"}]");
    object(1, "pending", APPROVE);
    fake_answer(fake, 200, "", "{\"status\":\"approved\"}");
    assert_err(run(), ERR_OK);
    assert_result("objects 6: 1 done 5 dead");
    assert_int_equal(result.retry_after_s, -1);
    static const char no_id[] = "has no id of Connect's: it can be neither read nor changed -1\n";
    char want[1024];
    snprintf(want, sizeof want,
             "PR-7  >  dead [] cannot be read: line 1, column 40: not UTF-8 -1\n"
             "1559115188 change pending>pending  dead [] %s"
             "1559115189  >  dead [] %s"
             "#4  >  dead [] cannot be read: line 1, column 11: key \"note\" is given twice -1\n"
             "../accounts  >  dead [] %s"
             "PR-1 purchase pending>approved approve done [rules.yaml:7]  -1\n",
             no_id, no_id, no_id);
    assert_string_equal(reported, want);
    assert_int_equal(fake_requests(fake), 3);
}

/* Our key may not see or change this one; only a 401 says that it is no key. */
static void goes_on_after_what_is_forbidden(void **state)
{
    (void)state;
    list(3);
    fake_answer(fake, 403, "", "{\"error_code\":\"PERM_1\",\"errors\":[\"not yours\"]}");
    object(2, "pending", APPROVE);
    fake_answer(fake, 403, "", "{}");
    object(2, "pending", "");
    object(3, "pending", APPROVE);
    fake_answer(fake, 200, "", "{\"status\":\"approved\"}");
    assert_err(run(), ERR_OK);
    assert_result("objects 3: 1 done 2 dead");
    assert_non_null(strstr(reported, "PR-1 purchase pending>  dead [] GET /requests/PR-1: 403: "));
    assert_non_null(strstr(reported, "PR-2 purchase pending>pending approve dead "));
}

/* A verb that hangs costs its own object's time, with the look at what it did. */
static void goes_on_after_a_verb_that_hangs(void **state)
{
    (void)state;
    int64_t start = clk_mono_ms();
    sweep.terms.object_ms = 2000;
    list(2);
    object(1, "pending", APPROVE);
    fake_raw(fake, FAKE_HANG, "");
    object(1, "pending", "");
    object(2, "pending", APPROVE);
    fake_answer(fake, 200, "", "{\"status\":\"approved\"}");
    assert_err(run(), ERR_OK);
    assert_result("objects 2: 1 done 1 retry");
    assert_non_null(strstr(reported, "PR-1 purchase pending>pending approve retry "));
    assert_true(clk_mono_ms() - start < ENDS_MS);
}

static void makes_one_json_object_of_each(void **state)
{
    (void)state;
    struct swept s = {"WH-1", &class_usage_file, "UF-1", "", "ready", "", "submit",
                      "r:1",  OUTCOME_REJECT,    "no",   -1};
    struct json_object *o = swept_json(&s);
    assert_string_equal(
        json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN),
        "{\"webhook_id\":\"WH-1\",\"object_class\":\"usage_file\",\"object_id\":\"UF-1\","
        "\"type\":\"\",\"before\":\"ready\",\"after\":\"\",\"action\":\"submit\","
        "\"result\":\"dead\",\"rule\":\"r:1\",\"reason\":\"no\",\"retry_after\":null}");
    json_object_put(o);
    s.retry_after_s = 5;
    o = swept_json(&s);
    assert_int_equal(jsonx_int(o, "retry_after", -1), 5);
    json_object_put(o);
}

static void goes_on_after_a_poison_object(void **state)
{
    (void)state;
    list(6);
    for (int i = 0; i < API_GET_TRIES; i++)
        fake_answer(fake, 500, "", "{}");
    object(2, "pending", "");                               /* the policy fails */
    object(3, "pending", "{'action':'confirm'}");           /* not in this state */
    object(4, "pending", "{'action':'explode'}");           /* not in the vocabulary */
    object(5, "pending", "{'action':'fail','reason':'r'}"); /* refused for good */
    fake_answer(fake, 400, "", "{\"error_code\":\"E\",\"errors\":[\"never\"]}");
    object(5, "pending", "");
    object(6, "pending", APPROVE);
    fake_answer(fake, 200, "", "{\"status\":\"approved\"}");
    assert_err(run(), ERR_OK);
    assert_result("objects 6: 1 done 1 retry 4 dead");
    assert_non_null(strstr(reported, "PR-1 purchase pending>  retry [] "));
    assert_non_null(strstr(reported, "PR-2 purchase pending>pending  dead [] no idea"));
    assert_non_null(strstr(reported, "PR-3 purchase pending>pending confirm dead [rules.yaml:7] "));
    assert_non_null(strstr(reported, "PR-4 purchase pending>pending  dead [] rules.yaml:7: "));
    assert_non_null(strstr(reported, "PR-5 purchase pending>pending fail dead [rules.yaml:7] "));
    assert_non_null(strstr(reported, "PR-6 purchase pending>approved approve done "));
}

static void tells_how_long_a_rescheduled_object_waits(void **state)
{
    (void)state;
    list(1);
    object(1, "pending", "{'action':'reschedule','after':90,'reason':'night'}");
    assert_err(run(), ERR_OK);
    assert_result("objects 1: 1 reschedule");
    assert_string_equal(reported, "PR-1 purchase pending>pending reschedule reschedule "
                                  "[rules.yaml:7] night 90\n");
    assert_int_equal(result.retry_after_s, 90);
}

static void tells_the_shortest_wait(void **state)
{
    (void)state;
    list(3);
    object(1, "pending", "{'action':'reschedule','after':90}");
    object(2, "pending", "{'action':'reschedule','after':45}");
    object(3, "pending", "{'action':'reschedule','after':60}");
    assert_err(run(), ERR_OK);
    assert_int_equal(result.retry_after_s, 45);
}

static void stops_when_the_key_is_not_accepted(void **state)
{
    (void)state;
    list(3);
    object(1, "pending", APPROVE);
    fake_answer(fake, 401, "", "{\"error_code\":\"AUTH_001\",\"errors\":[\"no\"]}");
    assert_err(run(), ERR_HTTP_AUTH);
    assert_non_null(strstr(why.text, "AUTH_001"));
    assert_result("objects 3: 1 retry 2 left");
    assert_int_equal(fake_requests(fake), 3);
}

/* What ends a sweep is told, too: to the log and in answers. */
static void tells_no_password_of_what_ended_it(void **state)
{
    (void)state;
    list(1);
    fake_answer(fake, 200, "",
                "{\"id\":\"PR-1\",\"status\":\"pending\",\"note\":\"{'action':'approve',"
                "'template_id':'TL-1-2-3','params':[{'id':'pin','value':'hunter22'}]}\",\"asset\":{"
                "\"product\":{\"id\":\"" PRODUCT "\"},\"params\":[{\"id\":\"pin\",\"type\":"
                "\"password\",\"value\":\"a\\\"b c\"}]}}");
    fake_answer(fake, 401, "",
                "{\"error_code\":\"AUTH_001\",\"errors\":[\"hunter22 for \\\"a\\\\\\\"b c\\\"\"]}");
    assert_err(run(), ERR_HTTP_AUTH);
    assert_non_null(strstr(why.text, "AUTH_001: ******** for \"********\""));
    assert_non_null(strstr(reported, "AUTH_001: ******** for \"********\""));
}

static void stops_when_connect_asks_for_a_long_pause(void **state)
{
    (void)state;
    sweep.terms.deadline = clk_mono_ms() + ENDS_MS;
    list(3);
    object(1, "pending", APPROVE);
    fake_answer(fake, 429, "Retry-After: 600\r\n", "{}");
    assert_err(run(), ERR_HTTP_THROTTLED);
    assert_result("objects 3: 1 retry 2 left");
    assert_int_equal(result.retry_after_s, 600);
    assert_int_equal(fake_requests(fake), 3);
}

static void goes_on_after_a_short_pause(void **state)
{
    (void)state;
    list(2);
    object(1, "pending", APPROVE);
    fake_answer(fake, 429, "Retry-After: 0\r\n", "{}");
    object(2, "pending", APPROVE);
    fake_answer(fake, 200, "", "{\"status\":\"approved\"}");
    assert_err(run(), ERR_OK);
    assert_result("objects 2: 1 done 1 retry");
}

/* The deadline comes while the first object is under way. */
static void end_deadline(void *ctx, const struct swept *s)
{
    note(ctx, s);
    sweep.terms.deadline = clk_mono_ms();
}

static void begins_no_object_after_the_deadline(void **state)
{
    (void)state;
    list(3);
    object(1, "pending", APPROVE);
    fake_answer(fake, 200, "", "{\"status\":\"approved\"}");
    assert_err(sweep_run(&sweep, end_deadline, &sweep, &result, &why), ERR_OK);
    assert_result("objects 3: 1 done 2 left");
    assert_int_equal(fake_requests(fake), 3);
}

static void changes_nothing_in_a_dry_run(void **state)
{
    (void)state;
    sweep.terms.dry_run = true;
    list(2);
    object(1, "pending", APPROVE);
    object(2, "pending",
           "{'action':'fail','reason':'r','message':'m','params':[{'id':'a',"
           "'value':'b'}]}");
    assert_err(run(), ERR_OK);
    assert_result("objects 2: 2 skip");
    assert_non_null(strstr(reported, "dry run: would approve"));
    assert_non_null(strstr(reported, "dry run: would change 1 parameter and fail"));
    for (size_t i = 0; i < fake_requests(fake); i++)
        assert_asked(i, "GET ");
    assert_int_equal(fake_requests(fake), 3);
}

static void skips_all_without_a_policy(void **state)
{
    (void)state;
    sweep.policy = policy_none();
    list(1);
    object(1, "pending", APPROVE);
    assert_err(run(), ERR_OK);
    assert_result("objects 1: 1 skip");
    assert_non_null(strstr(reported, "skip skip [] the webhook has no policy"));
}

static void ends_when_it_is_stopped(void **state)
{
    (void)state;
    api_stop(api);
    assert_err(run(), ERR_STOPPED);
    assert_result("objects 0:");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    if (http_global_init(NULL) != ERR_OK)
        return 1;
    const struct CMUnitTest tests[] = {
        TEST(refuses_a_class_that_nothing_handles),
        TEST(does_not_start_where_another_runs),
        TEST(tells_why_the_list_could_not_be_read),
        TEST(has_nothing_to_do_with_an_empty_list),
        TEST(lists_first_then_reads_each_again_and_acts),
        TEST(leaves_what_was_dealt_with_elsewhere),
        TEST(ignores_objects_of_another_product),
        TEST(reports_what_is_listed_and_no_use),
        TEST(goes_on_after_what_is_forbidden),
        TEST(goes_on_after_a_verb_that_hangs),
        cmocka_unit_test(makes_one_json_object_of_each),
        TEST(goes_on_after_a_poison_object),
        TEST(tells_how_long_a_rescheduled_object_waits),
        TEST(tells_the_shortest_wait),
        TEST(stops_when_the_key_is_not_accepted),
        TEST(tells_no_password_of_what_ended_it),
        TEST(stops_when_connect_asks_for_a_long_pause),
        TEST(goes_on_after_a_short_pause),
        TEST(begins_no_object_after_the_deadline),
        TEST(changes_nothing_in_a_dry_run),
        TEST(skips_all_without_a_policy),
        TEST(ends_when_it_is_stopped),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    http_global_free();
    return failed;
}
