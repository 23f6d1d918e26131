/* test_job.c - parameters, verb, message: in this order, and never twice. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/jsonx.h"
#include "carry_out.h"
#include "json_text.h"

/* ----------------------------------------------------------------------- parameters */

static void puts_only_parameters_that_differ_before_the_verb(void **state)
{
    (void)state;
    answer(200, "{}");
    answer(200, request("failed", ""));
    assert_outcome(carry_out(request("pending", ""),
                             "{'action':'fail','reason':'r','params':["
                             "{'id':'email','value':'a@b.c','value_error':''},"
                             "{'id':'seats','value':'8'},"
                             "{'id':'where','structured_value':{'city':'Bern'},'value':''},"
                             "{'id':'pin','value':'new-secret','value_error':null},"
                             "{'id':'new','value':'n'}]}"),
                   OUTCOME_DONE);
    assert_sent(
        0, PUT,
        "{'asset':{'params':[{'id':'pin','value':'new-secret'},{'id':'new','value':'n'}]}}");
    assert_sent(1, ACT "fail", "{'reason':'r'}");
    assert_int_equal(fake_requests(fake), 2);
}

static void notices_a_difference_in_each_member(void **state)
{
    (void)state;
    static const char *const params[] = {
        "{'id':'email','value':'other'}",
        "{'id':'email','value':''}",
        "{'id':'email','value_error':'bad'}",
        "{'id':'where','structured_value':{'city':'Basel'}}",
        "{'id':'where','structured_value':{}}",
        "{'id':'tree','structured_value':{'a':[1,{'n':1234567890123456789012346}],'b':'x'}}",
        "{'id':'tree','structured_value':{'a':[1],'b':'x'}}",
        "{'id':'tree','structured_value':{'a':{},'b':'x'}}",
        "{'id':'tree','structured_value':{'a':[1,{'n':1234567890123456789012345}],'c':'x'}}",
        "{'id':'tree','structured_value':[1]}",
        "{'id':'email','structured_error':{'message':{'id':'x'}}}"};
    for (size_t i = 0; i < sizeof params / sizeof *params; i++) {
        char decision[256], body[256];
        snprintf(decision, sizeof decision, "{'action':'skip','params':[%s]}", params[i]);
        snprintf(body, sizeof body, "{'asset':{'params':[%s]}}", params[i]);
        answer(200, "{}");
        assert_outcome(carry_out(request("pending", ""), decision), OUTCOME_SKIP);
        assert_sent(i, PUT, body);
    }
}

static void puts_nothing_where_nothing_differs(void **state)
{
    (void)state;
    assert_outcome(carry_out(request("pending", ""),
                             "{'action':'skip','params':[{'id':'email','value':'a@b.c'},"
                             "{'id':'tree','structured_value':{'b':'x',"
                             "'a':[1,{'n':1234567890123456789012345}]}},"
                             "{'id':'email2','value':''}]}"),
                   OUTCOME_SKIP);
    assert_int_equal(fake_requests(fake), 0);
}

static void does_not_act_when_parameters_are_refused(void **state)
{
    (void)state;
    answer(400, "{'error_code':'VAL_001','errors':['asset.params: email is bad']}");
    answer(200, request("pending", ""));
    assert_outcome(carry_out(request("pending", ""), "{'action':'fail','reason':'r','params':["
                                                     "{'id':'email','value':'other'}]}"),
                   OUTCOME_REJECT);
    assert_err(job.result.err, ERR_HTTP_CLIENT);
    assert_non_null(strstr(job.result.why.text, "VAL_001: asset.params: email is bad"));
    assert_int_equal(fake_requests(fake), 2);
}

static void goes_on_when_parameters_were_written_all_the_same(void **state)
{
    (void)state;
    answer(500, "{}");
    answer(200, "{'id':'" REQUEST "','status':'pending','asset':{'params':[{'id':'email',"
                "'value':'other'}]}}");
    answer(200, request("failed", ""));
    assert_outcome(carry_out(request("pending", ""), "{'action':'fail','reason':'r','params':["
                                                     "{'id':'email','value':'other'}]}"),
                   OUTCOME_DONE);
    assert_sent(1, OBJECT, "");
    assert_sent(2, ACT "fail", "{'reason':'r'}");
    assert_int_equal(fake_requests(fake), 3);
}

static void is_done_when_another_was_faster_than_the_parameters(void **state)
{
    (void)state;
    answer(400, "{'error_code':'REQ_003','errors':['wrong state']}");
    answer(200, request("failed", ""));
    assert_outcome(carry_out(request("pending", ""), "{'action':'fail','reason':'r','params':["
                                                     "{'id':'email','value':'other'}]}"),
                   OUTCOME_DONE);
    assert_int_equal(fake_requests(fake), 2);
}

/* ----------------------------------------------------------------- unknown outcomes */

enum trouble {
    STATUS_500,
    STATUS_504,
    RESET,
    CUT,
    NONSENSE,
    HANG,
    STATUS_400,
    STATUS_404,
    TROUBLES
};

static void make_trouble(enum trouble t)
{
    switch (t) {
    case STATUS_500:
        answer(500, "{}");
        break;
    case STATUS_504:
        fake_answer(fake, 504, "Content-Type: text/html\r\n", "<h1>Gateway Timeout</h1>");
        break;
    case RESET:
        fake_raw(fake, FAKE_RESET, "");
        break;
    case CUT:
        fake_raw(fake, FAKE_CLOSE, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{");
        break;
    case NONSENSE:
        fake_answer(fake, 200, "", "<html>");
        break;
    case HANG:
        fake_raw(fake, FAKE_HANG, "");
        break;
    case STATUS_400:
        answer(400, "{'error_code':'REQ_003','errors':['not in this state']}");
        break;
    case STATUS_404:
        answer(404, "{}");
        break;
    case TROUBLES:
        fail();
    }
}

static void looks_instead_of_repeating_and_finds_it_done(void **state)
{
    (void)state;
    connect_with(500);
    for (int t = 0; t < TROUBLES; t++) {
        size_t before = fake_requests(fake);
        make_trouble((enum trouble)t);
        answer(200, request("approved", ""));
        assert_outcome(
            carry_out(request("pending", ""), "{'action':'approve','template_id':'TL-1-2-3'}"),
            OUTCOME_DONE);
        assert_string_equal(job.state, "approved");
        assert_string_equal(job.result.why.text, "");
        assert_err(job.result.err, ERR_OK);
        assert_sent(before, ACT "approve", "{'template_id':'TL-1-2-3'}");
        assert_sent(before + 1, OBJECT, "");
        assert_int_equal(fake_requests(fake), before + 2);
    }
}

static void looks_instead_of_repeating_and_finds_it_not_done(void **state)
{
    (void)state;
    connect_with(500);
    for (int t = 0; t < TROUBLES; t++) {
        size_t before = fake_requests(fake);
        bool refused = t == STATUS_400 || t == STATUS_404;
        make_trouble((enum trouble)t);
        answer(200, request("pending", ""));
        assert_outcome(carry_out(request("pending", ""), "{'action':'fail','reason':'r'}"),
                       refused ? OUTCOME_REJECT : OUTCOME_RETRY);
        assert_string_equal(job.state, "pending");
        assert_non_null(strstr(job.result.why.text, "/requests/" REQUEST "/fail: "));
        assert_int_not_equal(job.result.err, ERR_OK);
        assert_int_equal(fake_requests(fake), before + 2);
    }
}

static void tries_later_when_it_cannot_even_look(void **state)
{
    (void)state;
    answer(400, "{'error_code':'REQ_003','errors':['not in this state']}");
    for (int i = 0; i < API_GET_TRIES; i++)
        answer(500, "{}");
    assert_outcome(carry_out(request("pending", ""), "{'action':'fail','reason':'r'}"),
                   OUTCOME_RETRY);
    assert_non_null(strstr(job.result.why.text, "not in this state"));
    assert_int_equal(fake_requests(fake), 1 + API_GET_TRIES);
}

static void keeps_how_long_connect_asks_to_wait(void **state)
{
    (void)state;
    fake_answer(fake, 429, "Retry-After: 77\r\n", "{}");
    assert_outcome(carry_out(request("pending", ""), "{'action':'fail','reason':'r'}"),
                   OUTCOME_RETRY);
    assert_err(job.result.err, ERR_HTTP_THROTTLED);
    assert_int_equal(job.result.retry_after_s, 77);
    assert_int_equal(fake_requests(fake), 1);
}

/* Both are this object's trouble: what no reader takes, and what our key may not do. */
static void gives_up_on_an_object_that_is_refused_or_cannot_be_read(void **state)
{
    (void)state;
    answer(403, "{'error_code':'PERM_1','errors':['not yours']}");
    answer(403, "{}");
    assert_outcome(carry_out(request("pending", ""), "{'action':'fail','reason':'r'}"),
                   OUTCOME_REJECT);
    assert_err(job.result.err, ERR_HTTP_FORBIDDEN);
    assert_non_null(strstr(job.result.why.text, "not yours"));
    fake_answer(fake, 200, "", "{\"a\":1,\"a\":2}");
    fake_answer(fake, 200, "", "{\"a\":1,\"a\":2}");
    assert_outcome(carry_out(request("pending", ""), "{'action':'fail','reason':'r'}"),
                   OUTCOME_REJECT);
    assert_err(job.result.err, ERR_DUPLICATE);
    assert_int_equal(fake_requests(fake), 4);
}

static void leaves_a_refused_key_to_a_person_and_retries(void **state)
{
    (void)state;
    answer(401, "{'error_code':'AUTH_001','errors':['unauthorized']}");
    assert_outcome(carry_out(request("pending", ""), "{'action':'fail','reason':'r'}"),
                   OUTCOME_RETRY);
    assert_err(job.result.err, ERR_HTTP_AUTH);
    assert_int_equal(fake_requests(fake), 1);
}

/* ------------------------------------------------------------------------- messages */

#define TALK "{'action':'fail','reason':'r','message':'Sorry.'}"

static void posts_a_message_after_the_verb(void **state)
{
    (void)state;
    answer(200, request("failed", ""));
    answer(200, "[{'id':'CO-1-2'}]");
    answer(200, "[]");
    answer(200, "{}");
    assert_outcome(carry_out(request("pending", ""), TALK), OUTCOME_DONE);
    assert_sent(0, ACT "fail", "{'reason':'r'}");
    assert_sent(3, "POST /conversations/CO-1-2/messages", "{'text':'Sorry.'}");
    assert_int_equal(fake_requests(fake), 4);
}

static void does_not_repeat_a_message(void **state)
{
    (void)state;
    static const char skip[] = "{'action':'skip','reason':'later','message':'Wait.'}";
    answer(200, "[{'id':'CO-1-2'}]");
    answer(200, "[{'id':'ME-1','text':'Wait.','account':{'id':'VA-240-990'}}]");
    assert_outcome(carry_out(request("pending", ""), skip), OUTCOME_SKIP);
    assert_string_equal(job.result.why.text, "later");
    assert_int_equal(fake_requests(fake), 2);
    answer(200, "[{'id':'CO-1-2'}]");
    answer(200, "[{'id':'ME-1','text':'Go.','account':{'id':'VA-240-990'}}]");
    answer(200, "{}");
    assert_outcome(carry_out(request("pending", ""), skip), OUTCOME_SKIP);
    assert_sent(4, "POST /conversations/CO-1-2/messages", "{'text':'Wait.'}");
}

static void is_done_though_the_message_fails(void **state)
{
    (void)state;
    answer(200, request("failed", ""));
    answer(403, "{}");
    assert_outcome(carry_out(request("pending", ""), TALK), OUTCOME_DONE);
    assert_err(job.result.err, ERR_HTTP_FORBIDDEN);
    assert_non_null(
        strstr(job.result.why.text, "the message was not posted: GET /conversations: 403"));
    assert_int_equal(fake_requests(fake), 2);
    answer(200, "[{'id':'CO-1','type':'notes'},{'id':'CO-2','status':'closed'}]");
    assert_outcome(
        carry_out(request("pending", ""), "{'action':'skip','reason':'later','message':'Wait.'}"),
        OUTCOME_SKIP);
    assert_err(job.result.err, ERR_NOT_FOUND);
    assert_string_equal(job.result.why.text,
                        "later; the message was not posted: " REQUEST " has no open conversation");
}

static void says_nothing_when_the_verb_failed(void **state)
{
    (void)state;
    answer(400, "{}");
    answer(200, request("pending", ""));
    assert_outcome(carry_out(request("pending", ""), TALK), OUTCOME_REJECT);
    assert_int_equal(fake_requests(fake), 2);
}

/* -------------------------------------------------------------------------- dry run */

static void changes_nothing_in_a_dry_run(void **state)
{
    (void)state;
    const struct object_class *c = &class_fulfillment_request;
    answer(200, "[{'id':'TL-7-7-7'}]");
    assert_outcome(carry_out_on(c, request("pending", ""),
                                "{'action':'approve','message':'Hi','params':["
                                "{'id':'email','value':'x'},{'id':'pin','value':'y'}]}",
                                true),
                   OUTCOME_SKIP);
    assert_string_equal(job.result.why.text, "dry run: would change 2 parameters and approve");
    assert_string_equal(job.state, "pending");
    assert_int_equal(fake_requests(fake), 1);
    assert_sent(0, ACTIVATION, "");
    assert_outcome(carry_out_on(c, request("revoking", ""), "{'action':'confirm'}", true),
                   OUTCOME_SKIP);
    assert_string_equal(job.result.why.text, "dry run: would confirm");
    assert_outcome(carry_out_on(c, request("pending", ""),
                                "{'action':'reschedule','after':60,'params':["
                                "{'id':'email','value':'x'}]}",
                                true),
                   OUTCOME_RESCHEDULE);
    assert_string_equal(job.result.why.text, "dry run: would change 1 parameter");
    assert_outcome(carry_out_on(c, request("pending", ""), "{'action':'skip','reason':'s'}", true),
                   OUTCOME_SKIP);
    assert_string_equal(job.result.why.text, "s");
    assert_int_equal(fake_requests(fake), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(puts_only_parameters_that_differ_before_the_verb),
        TEST(notices_a_difference_in_each_member),
        TEST(puts_nothing_where_nothing_differs),
        TEST(does_not_act_when_parameters_are_refused),
        TEST(goes_on_when_parameters_were_written_all_the_same),
        TEST(is_done_when_another_was_faster_than_the_parameters),
        TEST(looks_instead_of_repeating_and_finds_it_done),
        TEST(looks_instead_of_repeating_and_finds_it_not_done),
        TEST(tries_later_when_it_cannot_even_look),
        TEST(keeps_how_long_connect_asks_to_wait),
        TEST(gives_up_on_an_object_that_is_refused_or_cannot_be_read),
        TEST(leaves_a_refused_key_to_a_person_and_retries),
        TEST(posts_a_message_after_the_verb),
        TEST(does_not_repeat_a_message),
        TEST(is_done_though_the_message_fails),
        TEST(says_nothing_when_the_verb_failed),
        TEST(changes_nothing_in_a_dry_run),
    };
    return fake_run(tests, sizeof tests / sizeof *tests);
}
