/* test_work.c - each pending object once, whatever the others do. */
#include "unit.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/jsonx.h"
#include "fake_api.h"
#include "fake_inbox.h"
#include "json_text.h"
#include "tasks/work.h"

#define PRODUCT "PRD-111-222-333"
#define APPROVE "{'action':'approve','template_id':'TL-1-2-3'}"

/* ------------------------------------------------------------------------- the policy */

/* Decides by the object's `note`, which is a decision written with ' for "; "" is a failure. */
static int asked, attempt;

static enum err ask(struct policy *p, const struct policy_question *q, struct json_object **ret,
                    char ret_rule[128], struct why *why)
{
    (void)p;
    char text[1024];
    asked++;
    attempt = q->attempt;
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

static const struct policy_ops ops = {.ask = ask};
static struct policy policy = {&ops};

/* ---------------------------------------------------------------------------- the work */

static struct fake_api connect;
static struct fake *fake; /* its server */
static struct fake_inbox inbox;
static struct conf conf;
static struct conf_webhook webhook;
static struct queue queue;
static struct task_terms terms;
static struct work_waits waits;
static int64_t deadline;
static struct work_summary done;

/* What was reported, one line an object. */
static char reported[4096];

static void note(void *ctx, const struct object_report *s)
{
    size_t n = strlen(reported);
    assert_ptr_equal(ctx, &queue);
    assert_ptr_equal(s->webhook, &webhook);
    snprintf(reported + n, sizeof reported - n, "%s %s %s>%s %s %s [%s] %s %lld\n", s->id, s->type,
             s->before, s->after, s->action, outcome_name(s->outcome), s->rule, s->result->why.text,
             (long long)s->retry_after_s);
}

static int set_up(void **state)
{
    (void)state;
    fake_api_start(&connect);
    fake = connect.server;
    fake_inbox_open(&inbox);
    conf = (struct conf){.processing = {.inline_deadline_ms = 8 * SOON_MS,
                                        .max_attempts = 3,
                                        .backoff_min_ms = 60000,
                                        .backoff_max_ms = 600000,
                                        .skip_for_ms = 600000}};
    webhook = (struct conf_webhook){.id = "WH-1",
                                    .account = &connect.account,
                                    .product = PRODUCT,
                                    .object_class = &class_fulfillment_request,
                                    .type = TYPE_EVENT,
                                    .policy = {.kind = CONF_POLICY_RULES},
                                    .states = {"pending", "revoking"}};
    queue = (struct queue){
        .conf = &conf, .webhook = &webhook, .api = connect.api, .policy = &policy};
    terms = (struct task_terms){.object_ms = 2 * SOON_MS};
    waits.max = 1;
    deadline = CLK_NEVER;
    asked = 0;
    reported[0] = '\0';
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fake_api_stop(&connect);
    fake_inbox_close(&inbox);
    return 0;
}

static enum err run(void)
{
    enum err e = work_queue(&queue, inbox.inbox, &terms, &waits, deadline, note, &queue, &done);
    assert_err(done.result.err, e);
    return e;
}

/* "objects 6: 1 done, 2 dead; 3 left", of what there was. */
static void assert_result(const char *want)
{
    char got[256];
    size_t n = (size_t)snprintf(got, sizeof got, "objects %d:", (int)work_objects(&done));
    for (int o = 0; o < OUTCOME__COUNT; o++)
        if (done.ended[o] > 0)
            n += (size_t)snprintf(got + n, sizeof got - n, " %d %s", (int)done.ended[o],
                                  outcome_name((enum outcome)o));
    if (done.left > 0)
        snprintf(got + n, sizeof got - n, " %d left", (int)done.left);
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

static void does_nothing_without_the_accounts_key(void **state)
{
    (void)state;
    queue.api = NULL;
    done.left = 99;
    assert_err(run(), ERR_CONFIG);
    assert_non_null(strstr(done.result.why.text, FAKE_ACCOUNT));
    assert_result("objects 0:");
}

static struct inbox_queue here(void)
{
    return queue_in_inbox(&queue);
}

static void does_not_start_where_another_sweeps(void **state)
{
    (void)state;
    const struct inbox_queue q = here();
    struct inbox_sweep held;
    assert_err(inbox_take_sweep(inbox.inbox, &q, 60000, 0, &held, NULL), ERR_OK);
    deadline = clk_mono_ms() + 20;
    assert_err(run(), ERR_BUSY);
    assert_true(clk_mono_ms() >= deadline);
    waits.max = 0; /* others wait already */
    deadline = clk_mono_ms() + 60000;
    assert_err(run(), ERR_BUSY);
    assert_true(clk_mono_ms() < deadline);
    assert_int_equal(atomic_load(&waits.waiting), 0);
    assert_int_equal(fake_requests(fake), 0);
    assert_result("objects 0:");
}

static void tells_why_the_inbox_fails(void **state)
{
    (void)state;
    inbox.store_answer = ERR_STORE;
    assert_err(run(), ERR_STORE);
    assert_string_equal(done.result.why.text, "inbox /var/lib/x: no room");
    assert_result("objects 0:");
}

static void tells_why_the_list_could_not_be_read(void **state)
{
    (void)state;
    fake_answer(fake, 400, "", "{\"error_code\":\"VAL_1\",\"errors\":[\"bad filter\"]}");
    assert_err(run(), ERR_HTTP_CLIENT);
    assert_non_null(strstr(done.result.why.text, "bad filter"));
    assert_result("objects 0:");
}

static void has_nothing_to_do_with_an_empty_list(void **state)
{
    (void)state;
    list(0);
    assert_err(run(), ERR_OK);
    assert_result("objects 0:");
    assert_int_equal(done.result.retry_after_s, -1);
    assert_string_equal(reported, "");
    webhook.states[0] = NULL;
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

static void note_due(void *ctx, const struct inbox_sweep_status *s)
{
    int *due = ctx;
    *due += s->object_class == &class_usage_file && s->due_ms == 0;
}

/* How many sweeps are due of a queue that ours may free something in; none is from then on. */
static int freed(void)
{
    const struct inbox_filter all = {.limit = 0};
    const struct inbox_queue beside = {connect.account.id, PRODUCT, &class_usage_file};
    const struct inbox_sweep_end end = {.poll_ms = -1};
    struct inbox_sweep s;
    int due = 0;
    assert_err(inbox_each_sweep(inbox.inbox, &all, note_due, &due, NULL), ERR_OK);
    assert_err(inbox_take_sweep(inbox.inbox, &beside, SOON_MS, 0, &s, NULL), ERR_OK);
    assert_err(inbox_end_sweep(inbox.inbox, &s.lease, &end, NULL), ERR_OK);
    return due;
}

/* Whoever has dealt with it: he may have died before he could tell of it. */
static void wakes_what_may_have_been_freed(void **state)
{
    (void)state;
    queue.frees[0] = &class_usage_file;
    list(2);
    object(1, "pending", "{'action':'skip'}");
    object(2, "pending", "{'action':'skip'}");
    assert_err(run(), ERR_OK);
    assert_int_equal(freed(), 0);
    list(3);
    object(3, "approved", APPROVE);
    assert_err(run(), ERR_OK);
    assert_result("objects 3: 3 skip");
    assert_int_equal(freed(), 1);
    list(4);
    object(4, "pending", APPROVE);
    object(4, "approved", "");
    assert_err(run(), ERR_OK);
    assert_result("objects 4: 1 done 3 skip");
    assert_int_equal(freed(), 1);
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
    assert_int_equal(done.result.retry_after_s, -1);
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
    terms.object_ms = 2000;
    list(2);
    object(1, "pending", APPROVE);
    fake_raw(fake, FAKE_HANG, "");
    object(1, "pending", "");
    object(2, "pending", APPROVE);
    fake_answer(fake, 200, "", "{\"status\":\"approved\"}");
    assert_err(run(), ERR_OK);
    assert_result("objects 2: 1 done 1 retry");
    assert_non_null(strstr(reported, "PR-1 purchase pending>pending approve retry "));
    assert_true(clk_mono_ms() - start < SOON_MS);
}

static void makes_one_json_object_of_each(void **state)
{
    (void)state;
    const struct conf_webhook usage = {.id = "WH-1", .object_class = &class_usage_file};
    const struct result no = {.why = {"no"}};
    struct object_report r = {.webhook = &usage,
                              .id = "UF-1",
                              .type = "",
                              .before = "ready",
                              .after = "",
                              .action = "submit",
                              .rule = "r:1",
                              .outcome = OUTCOME_REJECT,
                              .result = &no,
                              .retry_after_s = -1};
    struct json_object *o = object_report_json(&r);
    assert_string_equal(
        json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN),
        "{\"webhook_id\":\"WH-1\",\"object_class\":\"usage_file\",\"object_id\":\"UF-1\","
        "\"type\":\"\",\"before\":\"ready\",\"after\":\"\",\"action\":\"submit\","
        "\"result\":\"dead\",\"rule\":\"r:1\",\"reason\":\"no\",\"retry_after\":null}");
    json_object_put(o);
    r.retry_after_s = 5;
    o = object_report_json(&r);
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
    assert_int_equal(done.result.retry_after_s, 90);
}

static void tells_the_shortest_wait(void **state)
{
    (void)state;
    list(3);
    object(1, "pending", "{'action':'reschedule','after':90}");
    object(2, "pending", "{'action':'reschedule','after':45}");
    object(3, "pending", "{'action':'reschedule','after':60}");
    assert_err(run(), ERR_OK);
    assert_int_equal(done.result.retry_after_s, 45);
}

static void stops_when_the_key_is_not_accepted(void **state)
{
    (void)state;
    list(3);
    object(1, "pending", APPROVE);
    fake_answer(fake, 401, "", "{\"error_code\":\"AUTH_001\",\"errors\":[\"no\"]}");
    assert_err(run(), ERR_HTTP_AUTH);
    assert_non_null(strstr(done.result.why.text, "AUTH_001"));
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
    assert_non_null(strstr(done.result.why.text, "AUTH_001: ******** for \"********\""));
    assert_non_null(strstr(reported, "AUTH_001: ******** for \"********\""));
}

static void stops_when_connect_asks_for_a_long_pause(void **state)
{
    (void)state;
    deadline = clk_mono_ms() + SOON_MS;
    list(3);
    object(1, "pending", APPROVE);
    fake_answer(fake, 429, "Retry-After: 600\r\n", "{}");
    assert_err(run(), ERR_HTTP_THROTTLED);
    assert_result("objects 3: 1 retry 2 left");
    assert_int_equal(done.result.retry_after_s, 600);
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
static void wait_for_deadline(void *ctx, const struct object_report *r)
{
    note(ctx, r);
    while (clk_mono_ms() < deadline)
        poll(NULL, 0, clk_left_ms(deadline));
}

static void begins_no_object_after_the_deadline(void **state)
{
    (void)state;
    list(3);
    object(1, "pending", APPROVE);
    fake_answer(fake, 200, "", "{\"status\":\"approved\"}");
    deadline = clk_mono_ms() + 2000;
    assert_err(
        work_queue(&queue, inbox.inbox, &terms, &waits, deadline, wait_for_deadline, &queue, &done),
        ERR_OK);
    assert_result("objects 3: 1 done 2 left");
    assert_int_equal(fake_requests(fake), 3);
}

static void changes_nothing_in_a_dry_run(void **state)
{
    (void)state;
    terms.dry_run = true;
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
    webhook.policy.kind = CONF_POLICY_NONE;
    assert_err(policy_open(&webhook.policy, POLICY_PROCESS, webhook.object_class, NULL,
                           &queue.policy, NULL),
               ERR_OK);
    list(1);
    object(1, "pending", APPROVE);
    assert_err(run(), ERR_OK);
    assert_result("objects 1: 1 skip");
    assert_non_null(strstr(reported, "skip skip [] the webhook has no policy"));
}

static char seen[128];

static int64_t marked_from(void)
{
    const struct inbox_queue q = here();
    struct inbox_mark m;
    assert_true(fake_inbox_mark(&inbox, &q, &m, seen));
    return m.from_us;
}

/* A billing request of a day of November, as the list shows it. */
#define BILLED(n, day) \
    "{'id':'BRP-" #n "','events':{'created':{'at':'2026-11-" #day "T10:00:00Z'}}}"
#define CHANGED(n, day) \
    "{'id':'BRP-" #n "','events':{'created':{'at':'2026-11-" #day "T10:00:00Z'}},'changed':1}"

static void answer_billed(int n, int day, const char *decision)
{
    char body[256];
    snprintf(body, sizeof body,
             "{\"id\":\"BRP-%d\",\"events\":{\"created\":{\"at\":\"2026-11-%dT10:00:00Z\"}},"
             "\"note\":\"%s\"}",
             n, day, decision);
    fake_answer(fake, 200, "", body);
}

/* The call that listed what has been created since that day of November. */
static void assert_listed_from(size_t call, int day)
{
    char line[160];
    snprintf(line, sizeof line,
             "GET /public/v1/subscriptions/requests?and(eq(asset.product.id," PRODUCT
             "),ge(events.created.at,2026-11-%dT10:00:00%%2B00:00))&ordering(events.created.at)&",
             day);
    assert_asked(call, line);
}

/* What has been seen is not pending any more, of one without a state. */
static void works_on_classes_without_a_state(void **state)
{
    (void)state;
    webhook.object_class = &class_billing_request;
    webhook.states[0] = NULL;
    webhook.since_us = INT64_C(1795082400000000); /* 2026-11-19T10:00:00Z */
    fake_api_answer(
        &connect, 200,
        "[" BILLED(1, 20) "," BILLED(2, 21) ",{'id':7}," BILLED(3, 22) "," BILLED(4, 23) "]");
    answer_billed(1, 20, "{'action':'annotate','attributes':{'a':1}}");
    fake_api_answer(&connect, 200, "{'a':1}");
    answer_billed(2, 21, "{'action':'skip'}");
    answer_billed(3, 22, "{'action':'reschedule','after':60}");
    answer_billed(4, 23, "");
    assert_err(run(), ERR_OK);
    assert_result("objects 5: 1 done 1 skip 1 reschedule 2 dead");
    assert_non_null(strstr(reported, "BRP-1  > annotate done [rules.yaml:7]  -1\n"));
    assert_listed_from(0, 19);
    assert_asked(2, "PUT /public/v1/subscriptions/requests/BRP-1/attributes ");
    assert_non_null(strstr(fake_request(fake, 2), "\r\n\r\n{\"a\":1}"));

    /* From the newest one that is dealt with, less a day; none that is not is left behind. */
    reported[0] = '\0';
    fake_api_answer(&connect, 200,
                    "[" BILLED(2, 21) ",{'id':7}," CHANGED(3, 22) "," CHANGED(4, 23) "]");
    answer_billed(3, 22, "{'action':'skip'}");
    answer_billed(4, 23, "{'action':'skip'}");
    assert_err(run(), ERR_OK);
    assert_result("objects 3: 2 skip 1 dead");
    assert_listed_from(6, 19);
    assert_non_null(strstr(reported, "BRP-3 "));
    assert_null(strstr(reported, "BRP-2 "));
    for (int day = 20; day <= 22; day += 2) { /* the mark rises with the next sweep */
        fake_api_answer(&connect, 200, "[]");
        assert_err(run(), ERR_OK);
        assert_listed_from(fake_requests(fake) - 1, day);
    }
}

static void remembers_nothing_of_a_dry_run(void **state)
{
    (void)state;
    webhook.object_class = &class_billing_request;
    webhook.states[0] = NULL;
    webhook.since_us = 0;
    terms.dry_run = true;
    fake_api_answer(&connect, 200, "[{'id':'BRV-1','events':{'created':{'at':'2026-11-20'}}}]");
    fake_api_answer(&connect, 200,
                    "{\"id\":\"BRV-1\",\"note\":\"{'action':'annotate','attributes':{'a':1}}\"}");
    assert_err(run(), ERR_OK);
    assert_result("objects 1: 1 skip");
    assert_true(marked_from() == 0);
    assert_string_equal(seen, "");
}

/* Until there is a policy, nobody has decided to leave them. */
static void keeps_what_no_policy_was_asked_about(void **state)
{
    (void)state;
    webhook.object_class = &class_billing_request;
    webhook.states[0] = NULL;
    webhook.since_us = 0;
    webhook.policy.kind = CONF_POLICY_NONE;
    for (int i = 0; i < 2; i++) {
        fake_api_answer(&connect, 200, "[{'id':'BRV-1','events':{'created':{'at':'2026-11-20'}}}]");
        if (i == 0) /* it need not be looked at again so soon */
            fake_answer(fake, 200, "", "{\"id\":\"BRV-1\",\"note\":\"{'action':'skip'}\"}");
        assert_err(run(), ERR_OK);
        assert_result("objects 1: 1 skip");
    }
    assert_true(marked_from() == 0);
    assert_string_equal(seen, "");
}

/* It would be asked about again and again. */
static void ends_when_it_cannot_remember(void **state)
{
    (void)state;
    webhook.object_class = &class_billing_request;
    webhook.states[0] = NULL;
    webhook.since_us = 0;
    inbox.mark_answer = ERR_STORE;
    assert_err(run(), ERR_STORE);
    assert_string_equal(done.result.why.text, "no room");
    assert_int_equal(fake_requests(fake), 0);
    inbox.mark_answer = ERR_OK;
    const struct inbox_queue q = here();
    const struct inbox_mark m = {.since_us = webhook.since_us};
    assert_err(inbox_mark_write(inbox.inbox, &q, &m, NULL), ERR_OK);
    inbox.mark_answer = ERR_STORE;
    fake_api_answer(
        &connect, 200,
        "[{'id':'BRV-1','events':{'created':{'at':'2026-11-20T10:00:00.5Z'}}},{'id':'BRV-2'}]");
    fake_answer(fake, 200, "", "{\"id\":\"BRV-1\",\"note\":\"{'action':'skip'}\"}");
    assert_err(run(), ERR_STORE);
    assert_result("objects 2: 1 retry 1 left");
    assert_non_null(strstr(reported, "BRV-1  > skip retry [rules.yaml:7] no room -1\n"));
}

/* What was said of an object is said again, and nobody is asked; until something is another. */
static void remembers_what_has_ended(void **state)
{
    (void)state;
    list(4);
    object(1, "pending", "{'action':'skip','reason':'not yet'}");
    object(2, "pending", "");
    object(3, "pending", "{'action':'reschedule','after':90,'reason':'night'}");
    object(4, "pending", APPROVE);
    fake_answer(fake, 200, "", "{\"status\":\"approved\"}");
    assert_err(run(), ERR_OK);
    assert_result("objects 4: 1 done 1 skip 1 reschedule 1 dead");
    char first[4096];
    snprintf(first, sizeof first, "%s", reported);
    int questions = asked;
    size_t requests = fake_requests(fake);

    reported[0] = '\0';
    list(4); /* one that is done may be listed a little longer */
    assert_err(run(), ERR_OK);
    assert_result("objects 4: 1 done 1 skip 1 reschedule 1 dead");
    assert_string_equal(reported, first);
    assert_int_equal(asked, questions);
    assert_int_equal(fake_requests(fake), requests + 1);
    assert_in_range(done.result.retry_after_s, 60, 90);

    terms.dry_run = true; /* what is decided means something else now */
    list(2);
    object(1, "pending", "{'action':'skip'}");
    object(2, "pending", "{'action':'skip'}");
    assert_err(run(), ERR_OK);
    assert_int_equal(asked, questions + 2);
    assert_int_equal(attempt, 2);
}

static void tries_again_what_failed_and_gives_up_in_the_end(void **state)
{
    (void)state;
    conf.processing.backoff_min_ms = 0;
    for (int n = 1; n <= 4; n++) {
        list(1);
        for (int i = 0; n < 4 && i < API_GET_TRIES; i++)
            fake_answer(fake, 500, "", "{}");
        assert_err(run(), ERR_OK);
        assert_result(n < 3 ? "objects 1: 1 retry" : "objects 1: 1 dead");
    }
    assert_non_null(strstr(reported, "dead [] given up after 3 attempts: GET /requests/PR-1: 500"));
}

/* But for how long each took. */
static void note_calls(void *ctx, const struct inbox_attempt *a)
{
    static const char took[] = ",\"ms\":";
    char *kept = ctx, *at = kept;
    snprintf(kept, 1024, "%s %s", a->result, a->calls);
    while ((at = strstr(at, took)) != NULL) {
        size_t len = strlen(took) + strspn(at + strlen(took), "0123456789");
        memmove(at, at + len, strlen(at + len) + 1);
    }
}

/* Of each attempt there is left what it asked of Connect, without what was said. */
static void keeps_what_was_asked_of_connect(void **state)
{
    (void)state;
    const struct inbox_queue q = here();
    struct inbox_task t;
    char kept[1024] = "";
    list(1);
    object(1, "pending", APPROVE);
    fake_answer(fake, 400, "", "{\"error_code\":\"REQ \\\"1\\\"\",\"errors\":[\"secret\"]}");
    object(1, "pending", "");
    assert_err(run(), ERR_OK);
    assert_err(inbox_await_task(inbox.inbox, &q, "PR-1", 0, &t, NULL), ERR_OK);
    assert_err(inbox_each_attempt(inbox.inbox, t.id, note_calls, kept, NULL), ERR_OK);
    assert_string_equal(
        kept,
        "dead [{\"method\":\"GET\",\"path\":\"/requests/PR-1\",\"status\":200,\"error_code\":\"\"},"
        "{\"method\":\"POST\",\"path\":\"/requests/PR-1/approve\",\"status\":400,"
        "\"error_code\":\"REQ \\\"1\\\"\"},"
        "{\"method\":\"GET\",\"path\":\"/requests/PR-1\",\"status\":200,\"error_code\":\"\"}]");
}

/* A call that comes before its time tries again, and that counts for nothing. */
static void tries_early_without_counting(void **state)
{
    (void)state;
    for (int n = 1; n <= 4; n++) {
        list(1);
        for (int i = 0; i < API_GET_TRIES; i++)
            fake_answer(fake, 500, "", "{}");
        assert_err(run(), ERR_OK);
        assert_result("objects 1: 1 retry");
    }
    list(1);
    object(1, "pending", APPROVE);
    fake_answer(fake, 200, "", "{\"status\":\"approved\"}");
    assert_err(run(), ERR_OK);
    assert_result("objects 1: 1 done");
    assert_int_equal(attempt, 5);
}

/* Whoever began it has died of it, or with it. */
static void gives_up_what_kills_its_runners(void **state)
{
    (void)state;
    const struct inbox_queue q = here();
    struct inbox_task t;
    int64_t count;
    conf.processing.backoff_min_ms = 0;
    list(1);
    fake_answer(fake, 401, "", "{}");
    assert_err(run(), ERR_HTTP_AUTH); /* which is not the object's fault */
    for (int n = 0; n < 3; n++) {
        assert_err(inbox_claim_task(inbox.inbox, &q, 0, &t, NULL), ERR_OK);
        assert_err(inbox_recover(inbox.inbox, &count, NULL), ERR_OK);
        assert_int_equal(count, 1);
    }
    list(1);
    assert_err(run(), ERR_OK);
    assert_result("objects 1: 1 dead");
    assert_non_null(strstr(reported, "dead [] given up after 3 attempts: its runner is gone"));
}

static void tells_of_what_somebody_else_holds(void **state)
{
    (void)state;
    const struct inbox_queue q = here();
    struct inbox_task t;
    conf.processing.backoff_min_ms = 0;
    list(2);
    fake_answer(fake, 401, "", "{}");
    assert_err(run(), ERR_HTTP_AUTH);
    assert_err(inbox_claim_task(inbox.inbox, &q, 60000, &t, NULL), ERR_OK);
    reported[0] = '\0';
    list(2);
    object(2, "pending", APPROVE);
    fake_answer(fake, 200, "", "{\"status\":\"approved\"}");
    assert_err(run(), ERR_OK);
    assert_result("objects 2: 1 done 1 busy");
    assert_non_null(strstr(reported, " busy [] somebody else is at it -1\n"));
}

/* The request of a first tier waits for that of the second. */
static void lists_again_what_was_freed_in_the_same_queue(void **state)
{
    (void)state;
    static const char second[] = "{\"id\":\"TCR-2\",\"status\":\"pending\",\"note\":\"" APPROVE
                                 "\"}";
    static const char first[] = "{\"id\":\"TCR-1\",\"status\":\"pending\",\"note\":\"" APPROVE
                                "\"}";
    static const char odd[] =
        "{\"id\":\"TCR-3\",\"status\":\"pending\",\"note\":\"{'action':'skip'}\"}";
    char body[1024];
    webhook.object_class = &class_tier_config_request;
    webhook.states[1] = NULL;
    snprintf(body, sizeof body, "[{\"note\":1},%s,%s]", second, odd);
    fake_api_answer(&connect, 200, body);
    fake_answer(fake, 200, "", second);
    fake_answer(fake, 200, "", "{\"template\":{\"id\":\"TL-1-2-3\"}}");
    fake_answer(fake, 200, "", odd);
    snprintf(body, sizeof body, "[%s,{\"note\":1},%s]", odd, first);
    fake_api_answer(&connect, 200, body);
    fake_answer(fake, 200, "", first);
    fake_answer(fake, 200, "", "{\"template\":{\"id\":\"TL-1-2-3\"}}");
    fake_api_answer(&connect, 200, body);
    assert_err(run(), ERR_OK);
    assert_result("objects 4: 2 done 1 skip 1 dead");
    assert_string_equal(
        reported, "#1  >  dead [] has no id of Connect's: it can be neither read nor changed -1\n"
                  "TCR-2  pending>approved approve done [rules.yaml:7]  -1\n"
                  "TCR-3  pending>pending skip skip [rules.yaml:7]  -1\n"
                  "TCR-1  pending>approved approve done [rules.yaml:7]  -1\n");
    assert_asked(0, "GET /public/v1/tier/config-requests?and(eq(configuration.product.id," PRODUCT
                    "),in(status,(pending)))&ordering(-configuration.tier_level,created)&");
    assert_asked(4, "GET /public/v1/tier/config-requests?");
    assert_asked(7, "GET /public/v1/tier/config-requests?");
    assert_int_equal(fake_requests(fake), 8);
}

static void ends_when_it_is_stopped(void **state)
{
    (void)state;
    api_stop(connect.api);
    assert_err(run(), ERR_STOPPED);
    assert_result("objects 0:");
}

/* ---------------------------------------------------------------- work for a call */

static void call(const struct queues *queues, const char *webhook_id, int64_t delivery,
                 int64_t started, struct json_object **ret_objects, struct result *ret)
{
    struct json_object *claims = json("{'a':1}");
    const struct waiting_call c = {webhook_id, claims, delivery, &waits, started};
    work_for_call(queues, inbox.inbox, &c, ret_objects, ret);
    json_object_put(claims);
}

static void tells_a_call_what_became_of_each(void **state)
{
    (void)state;
    struct json_object *objects;
    struct conf one = {.webhooks = &webhook, .webhooks_count = 1};
    one.processing = conf.processing;
    struct clients *clients = clients_new(NULL);
    struct queues *queues;
    struct result r;
    webhook.policy.kind = CONF_POLICY_NONE;
    assert_err(queues_new(&one, clients, NULL, &queues, NULL), ERR_OK);
    list(1);
    object(1, "pending", APPROVE);
    call(queues, "WH-1", 7, clk_mono_ms(), &objects, &r);
    assert_err(r.err, ERR_OK);
    assert_int_equal(json_object_array_length(objects), 1);
    assert_string_equal(jsonx_str(json_object_array_get_idx(objects, 0), "result", ""), "skip");
    json_object_put(objects);

    fake_api_answer(&connect, 200, "[{'id':'PR-8','status':'pending'}]");
    for (int i = 0; i < API_GET_TRIES; i++)
        fake_answer(fake, 500, "", "{}");
    call(queues, "WH-1", 8, clk_mono_ms(), &objects, &r);
    assert_err(r.err, ERR_BUSY);
    assert_string_equal(r.why.text, "some objects have to be tried again");
    json_object_put(objects);

    call(queues, "WH-1", 9, clk_mono_ms() - 8 * SOON_MS, &objects, &r);
    assert_err(r.err, ERR_TIMEOUT);
    assert_int_equal(json_object_array_length(objects), 0);
    json_object_put(objects);

    call(queues, "WH-9", 10, clk_mono_ms(), &objects, &r);
    assert_err(r.err, ERR_NOT_FOUND);
    json_object_put(objects);
    assert_string_equal(inbox.states, "7 done, 8 failed, 9 failed, 10 failed");
    queues_free(queues);
    clients_free(clients);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(does_nothing_without_the_accounts_key),
        TEST(does_not_start_where_another_sweeps),
        TEST(tells_why_the_inbox_fails),
        TEST(tells_why_the_list_could_not_be_read),
        TEST(has_nothing_to_do_with_an_empty_list),
        TEST(lists_first_then_reads_each_again_and_acts),
        TEST(leaves_what_was_dealt_with_elsewhere),
        TEST(wakes_what_may_have_been_freed),
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
        TEST(works_on_classes_without_a_state),
        TEST(remembers_nothing_of_a_dry_run),
        TEST(keeps_what_no_policy_was_asked_about),
        TEST(ends_when_it_cannot_remember),
        TEST(remembers_what_has_ended),
        TEST(tries_again_what_failed_and_gives_up_in_the_end),
        TEST(keeps_what_was_asked_of_connect),
        TEST(tries_early_without_counting),
        TEST(gives_up_what_kills_its_runners),
        TEST(tells_of_what_somebody_else_holds),
        TEST(lists_again_what_was_freed_in_the_same_queue),
        TEST(ends_when_it_is_stopped),
        TEST(tells_a_call_what_became_of_each),
    };
    return fake_run(tests, sizeof tests / sizeof *tests);
}
