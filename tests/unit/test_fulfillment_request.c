/* test_fulfillment_request.c - what goes to Connect for a decision, and what never goes twice. */
#include "unit.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/clk.h"
#include "base/http.h"
#include "base/jsonx.h"
#include "fake_http.h"
#include "processors/list.h"

#define REQUEST    "PR-1234-5678-001"
#define PRODUCT    "PRD-111-222-333"
#define OBJECT     "GET /requests/" REQUEST
#define PUT        "PUT /requests/" REQUEST
#define ACT        "POST /requests/" REQUEST "/"
#define ACTIVATION "GET /products/" PRODUCT "/templates?scope=asset&type=fulfillment"
#define INQUIRY    "GET /products/" PRODUCT "/templates?scope=asset&type=inquire"
#define SOON_MS    20000

static struct fake *fake;
static struct api *api;
static struct secret *key;
static struct job job;

static void connect_with(int64_t timeout_ms)
{
    char url[128];
    snprintf(url, sizeof url, "%s/public/v1", fake_url(fake));
    struct api_options o = {.account_id = "VA-240-990",
                            .url = url,
                            .key = key,
                            .connect_timeout_ms = SOON_MS,
                            .timeout_ms = timeout_ms,
                            .backoff_min_ms = 1,
                            .backoff_max_ms = 1};
    api_free(api);
    api = NULL;
    assert_err(api_new(&o, &api, NULL), ERR_OK);
}

static int set_up(void **state)
{
    (void)state;
    fake = fake_start();
    assert_err(secret_from_bytes("SU-1:secret", 11, &key), ERR_OK);
    connect_with(SOON_MS);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    api_free(api);
    api = NULL;
    secret_free(key);
    fake_stop(fake);
    return 0;
}

/* JSON that is written with ' for ". */
static struct json_object *json(const char *text)
{
    char quoted[4096];
    struct json_object *root;
    assert_in_range(snprintf(quoted, sizeof quoted, "%s", text), 1, sizeof quoted - 1);
    for (char *c = quoted; (c = strchr(c, '\'')) != NULL;)
        *c = '"';
    assert_err(jsonx_parse(quoted, strlen(quoted), sizeof quoted, &root, NULL), ERR_OK);
    return root;
}

static void answer(int status, const char *text)
{
    struct json_object *body = json(text);
    fake_answer(fake, status, "", json_object_to_json_string_ext(body, JSON_C_TO_STRING_PLAIN));
    json_object_put(body);
}

/* A request of a status, with the parameters that the tests change. */
static const char *request(const char *status, const char *extra)
{
    static char text[2048];
    snprintf(text, sizeof text,
             "{'id':'" REQUEST "','type':'purchase','status':'%s',%s'asset':{'id':'AS-1','product':"
             "{'id':'" PRODUCT "'},'params':["
             "{'id':'email','type':'text','value':'a@b.c','value_error':''},"
             "{'id':'pin','type':'password','value':'old-secret','value_error':''},"
             "{'id':'where','type':'address','value':'','structured_value':{'city':'Bern'}},"
             "{'id':'seats','type':'text','value':8}]}}",
             status, extra);
    return text;
}

/* Let a processor carry out a decision on an object; the job keeps the results. */
static enum outcome carry_out_by(const struct processor *p, const char *object_text,
                                 const char *decision_text, bool dry_run)
{
    struct json_object *object = json(object_text), *answer_json = json(decision_text);
    struct decision decision;
    struct why why = {""};
    enum err e = decision_parse(answer_json, CLASS_FULFILLMENT_REQUEST, &decision, &why);
    assert_string_equal(why.text, "");
    assert_err(e, ERR_OK);
    json_object_put(answer_json);
    job = (struct job){.api = api,
                       .object_class = CLASS_FULFILLMENT_REQUEST,
                       .side = SIDE_VENDOR,
                       .product_id = PRODUCT,
                       .object_id = REQUEST,
                       .object = object,
                       .decision = &decision,
                       .dry_run = dry_run,
                       .deadline = clk_mono_ms() + SOON_MS};
    enum outcome o = p->carry_out(&job);
    decision_free(&decision);
    json_object_put(object);
    return o;
}

static enum outcome carry_out(const char *object_text, const char *decision_text)
{
    return carry_out_by(&processor_fulfillment_request, object_text, decision_text, false);
}

#define assert_outcome(got, want) assert_string_equal(outcome_name(got), outcome_name(want))

/* The i-th request was "METHOD /path", with this body ("" for none). */
static void assert_sent(size_t i, const char *line, const char *body)
{
    const char *got = fake_request(fake, i);
    char first[1024], want[1024];
    const char *space = strchr(line, ' ');
    snprintf(first, sizeof first, "%.*s", (int)strcspn(got, "\r"), got);
    snprintf(want, sizeof want, "%.*s /public/v1%s", (int)(space - line), line, space + 1);
    assert_memory_equal(first, want, strlen(want));
    assert_non_null(strchr(" &", first[strlen(want)])); /* lists go on to name a page */
    char quoted[2048];
    snprintf(quoted, sizeof quoted, "%s", body);
    for (char *c = quoted; (c = strchr(c, '\'')) != NULL;)
        *c = '"';
    assert_string_equal(strstr(got, "\r\n\r\n") + 4, quoted);
}

/* ------------------------------------------------------------------- the plain verbs */

static const char *const types[] = {"purchase", "change",     "cancel", "suspend",
                                    "resume",   "adjustment", "renew",  "transfer"};

static void sends_each_verb_with_its_body_for_each_type(void **state)
{
    (void)state;
    static const struct {
        const char *decision, *verb, *body, *before, *after;
    } rows[] = {
        {"{'action':'approve','template_id':'TL-1-2-3'}", "approve", "{'template_id':'TL-1-2-3'}",
         "pending", "approved"},
        {"{'action':'approve','activation_tile':'# Hi','effective_date':'2026-11-23T10:00:00Z'}",
         "approve", "{'activation_tile':'# Hi','effective_date':'2026-11-23T10:00:00Z'}", "pending",
         "approved"},
        {"{'action':'fail','reason':'no stock'}", "fail", "{'reason':'no stock'}", "pending",
         "failed"},
        {"{'action':'inquire','template_id':'TL-9-9-9'}", "inquire", "{'template_id':'TL-9-9-9'}",
         "pending", "inquiring"},
        {"{'action':'inquire','activation_tile':'?'}", "inquire", "{'activation_tile':'?'}",
         "pending", "inquiring"},
        {"{'action':'schedule','planned_date':'2026-12-01T00:00:00+00:00'}", "schedule",
         "{'planned_date':'2026-12-01T00:00:00+00:00'}", "pending", "scheduled"},
        {"{'action':'pend'}", "pend", "{}", "inquiring", "pending"},
        {"{'action':'confirm'}", "confirm", "{}", "revoking", "revoked"},
        {"{'action':'revoke','reason':'changed my mind'}", "revoke", "{'reason':'changed my mind'}",
         "scheduled", "revoking"},
        {"{'action':'revoke'}", "revoke", "{}", "scheduled", "revoking"},
    };
    size_t sent = 0;
    for (size_t t = 0; t < sizeof types / sizeof *types; t++)
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            char object[256], line[128], after[128];
            snprintf(object, sizeof object, "{'id':'" REQUEST "','type':'%s','status':'%s'}",
                     types[t], rows[i].before);
            snprintf(after, sizeof after, "{'id':'" REQUEST "','status':'%s'}", rows[i].after);
            snprintf(line, sizeof line, ACT "%s", rows[i].verb);
            answer(200, after);
            assert_outcome(carry_out(object, rows[i].decision), OUTCOME_DONE);
            assert_string_equal(job.final_state, rows[i].after);
            assert_string_equal(job.why.text, "");
            assert_err(job.err, ERR_OK);
            assert_sent(sent++, line, rows[i].body);
        }
    assert_int_equal(fake_requests(fake), sent);
}

static void knows_the_state_where_the_answer_does_not_tell_it(void **state)
{
    (void)state;
    fake_answer(fake, 200, "", "");
    assert_outcome(carry_out(request("pending", ""), "{'action':'fail','reason':'r'}"),
                   OUTCOME_DONE);
    assert_string_equal(job.final_state, "failed");
}

static void sends_nothing_for_skip_and_reschedule(void **state)
{
    (void)state;
    assert_outcome(carry_out(request("pending", ""), "{'action':'skip','reason':'not mine'}"),
                   OUTCOME_SKIP);
    assert_string_equal(job.why.text, "not mine");
    assert_outcome(carry_out(request("pending", ""), "{'action':'reschedule','after':60}"),
                   OUTCOME_RESCHEDULE);
    assert_string_equal(job.final_state, "pending");
    assert_err(job.err, ERR_OK);
    assert_int_equal(fake_requests(fake), 0);
}

static void tells_what_has_been_done_already(void **state)
{
    (void)state;
    static const struct {
        const char *action, *status;
        bool already;
    } rows[] = {
        {"approve", "approved", true},   {"approve", "pending", false},
        {"approve", "failed", false},    {"fail", "failed", true},
        {"inquire", "inquiring", true},  {"pend", "pending", true},
        {"schedule", "scheduled", true}, {"revoke", "revoking", true},
        {"revoke", "revoked", true},     {"confirm", "revoked", true},
        {"confirm", "revoking", false},  {"skip", "pending", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct json_object *object = json(request(rows[i].status, ""));
        assert_int_equal(processor_fulfillment_request.already(object, rows[i].action),
                         rows[i].already);
        assert_string_equal(processor_fulfillment_request.product(object), PRODUCT);
        json_object_put(object);
    }
    assert_null(processor_fulfillment_request.product(NULL));
}

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
    assert_err(job.err, ERR_HTTP_CLIENT);
    assert_non_null(strstr(job.why.text, "VAL_001: asset.params: email is bad"));
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

static void never_tells_a_password(void **state)
{
    (void)state;
    answer(400, "{'error_code':'VAL_001','errors':['asset.params: hunter22 is too short']}");
    answer(200, request("pending", ""));
    assert_outcome(carry_out(request("pending", ""), "{'action':'fail','reason':'r','params':["
                                                     "{'id':'pin','value':'hunter22'}]}"),
                   OUTCOME_REJECT);
    assert_null(strstr(job.why.text, "hunter22"));
    assert_non_null(strstr(job.why.text, "pin"));
}

/* ------------------------------------------------------------------------ templates */

static void takes_the_requests_own_template(void **state)
{
    (void)state;
    answer(200, request("approved", ""));
    assert_outcome(
        carry_out(request("pending", "'template':{'id':'TL-5-5-5'},"), "{'action':'approve'}"),
        OUTCOME_DONE);
    assert_sent(0, ACT "approve", "{'template_id':'TL-5-5-5'}");
}

static void takes_the_products_only_template(void **state)
{
    (void)state;
    answer(200, "[{'id':'TL-7-7-7','scope':'asset','type':'fulfillment'},"
                "{'id':'TL-8-8-8','scope':'tier1','type':'fulfillment'},"
                "{'id':'TL-9-9-9','scope':'asset','type':'inquire'}]");
    answer(200, request("approved", ""));
    assert_outcome(carry_out(request("pending", ""), "{'action':'approve'}"), OUTCOME_DONE);
    assert_sent(0, ACTIVATION, "");
    assert_sent(1, ACT "approve", "{'template_id':'TL-7-7-7'}");
}

static void names_the_candidates_and_changes_nothing(void **state)
{
    (void)state;
    answer(200, "[{'id':'TL-7-7-7','name':'Default'},{'id':'TL-8-8-8','name':'Trial'}]");
    assert_outcome(carry_out(request("pending", ""),
                             "{'action':'approve','params':[{'id':'email','value':'x'}]}"),
                   OUTCOME_RETRY);
    assert_err(job.err, ERR_POLICY);
    assert_non_null(strstr(job.why.text, "TL-7-7-7 (Default), TL-8-8-8 (Trial)"));
    assert_int_equal(fake_requests(fake), 1);
}

static void cannot_approve_without_any_template(void **state)
{
    (void)state;
    answer(200, "[]");
    assert_outcome(carry_out(request("pending", ""), "{'action':'approve'}"), OUTCOME_RETRY);
    assert_err(job.err, ERR_POLICY);
    assert_non_null(strstr(job.why.text, PRODUCT " has no template"));
}

static void inquires_with_the_products_template_or_none(void **state)
{
    (void)state;
    const char *mine = request("pending", "'template':{'id':'TL-5-5-5'},");
    answer(200, "[]");
    answer(200, request("inquiring", ""));
    assert_outcome(carry_out(mine, "{'action':'inquire'}"), OUTCOME_DONE);
    assert_sent(0, INQUIRY, "");
    assert_sent(1, ACT "inquire", "{}");
    answer(200, "[{'id':'TL-6-6-6'}]");
    answer(200, request("inquiring", ""));
    assert_outcome(
        carry_out(request("pending", "'template':{'id':'TL-5-5-5'},"), "{'action':'inquire'}"),
        OUTCOME_DONE);
    assert_sent(3, ACT "inquire", "{'template_id':'TL-6-6-6'}");
    answer(200, "[{'id':'TL-6-6-6'},{'id':'TL-5-5-5'},{'id':'TL-4-4-4'}]");
    answer(200, request("inquiring", ""));
    assert_outcome(
        carry_out(request("pending", "'template':{'id':'TL-5-5-5'},"), "{'action':'inquire'}"),
        OUTCOME_DONE);
    assert_sent(5, ACT "inquire", "{'template_id':'TL-5-5-5'}");
    answer(200, "[{'id':'TL-6-6-6'},{'id':'TL-4-4-4'}]");
    assert_outcome(
        carry_out(request("pending", "'template':{'id':'TL-5-5-5'},"), "{'action':'inquire'}"),
        OUTCOME_RETRY);
    assert_err(job.err, ERR_POLICY);
    assert_int_equal(fake_requests(fake), 7);
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
        assert_string_equal(job.final_state, "approved");
        assert_string_equal(job.why.text, "");
        assert_err(job.err, ERR_OK);
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
        assert_string_equal(job.final_state, "pending");
        assert_non_null(strstr(job.why.text, "/requests/" REQUEST "/fail: "));
        assert_int_not_equal(job.err, ERR_OK);
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
    assert_non_null(strstr(job.why.text, "not in this state"));
    assert_int_equal(fake_requests(fake), 1 + API_GET_TRIES);
}

static void keeps_how_long_connect_asks_to_wait(void **state)
{
    (void)state;
    fake_answer(fake, 429, "Retry-After: 77\r\n", "{}");
    assert_outcome(carry_out(request("pending", ""), "{'action':'fail','reason':'r'}"),
                   OUTCOME_RETRY);
    assert_err(job.err, ERR_HTTP_THROTTLED);
    assert_int_equal(job.retry_after_s, 77);
    assert_int_equal(fake_requests(fake), 1);
}

static void leaves_a_refused_key_to_a_person_and_retries(void **state)
{
    (void)state;
    answer(401, "{'error_code':'AUTH_001','errors':['unauthorized']}");
    assert_outcome(carry_out(request("pending", ""), "{'action':'fail','reason':'r'}"),
                   OUTCOME_RETRY);
    assert_err(job.err, ERR_HTTP_AUTH);
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
    assert_string_equal(job.why.text, "later");
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
    assert_err(job.err, ERR_OK);
    assert_int_equal(fake_requests(fake), 2);
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
    const struct processor *p = &processor_fulfillment_request;
    answer(200, "[{'id':'TL-7-7-7'}]");
    assert_outcome(carry_out_by(p, request("pending", ""),
                                "{'action':'approve','message':'Hi','params':["
                                "{'id':'email','value':'x'},{'id':'pin','value':'y'}]}",
                                true),
                   OUTCOME_SKIP);
    assert_string_equal(job.why.text, "dry run: would change 2 parameters and approve");
    assert_string_equal(job.final_state, "pending");
    assert_int_equal(fake_requests(fake), 1);
    assert_sent(0, ACTIVATION, "");
    assert_outcome(carry_out_by(p, request("revoking", ""), "{'action':'confirm'}", true),
                   OUTCOME_SKIP);
    assert_string_equal(job.why.text, "dry run: would confirm");
    assert_outcome(carry_out_by(p, request("pending", ""),
                                "{'action':'reschedule','after':60,'params':["
                                "{'id':'email','value':'x'}]}",
                                true),
                   OUTCOME_RESCHEDULE);
    assert_string_equal(job.why.text, "dry run: would change 1 parameter");
    assert_outcome(carry_out_by(p, request("pending", ""), "{'action':'skip','reason':'s'}", true),
                   OUTCOME_SKIP);
    assert_string_equal(job.why.text, "s");
    assert_int_equal(fake_requests(fake), 1);
}

/* -------------------------------------------------------------------- the registry */

static void finds_what_is_built_in(void **state)
{
    (void)state;
    assert_ptr_equal(processor_find(CLASS_FULFILLMENT_REQUEST), &processor_fulfillment_request);
    for (unsigned c = 0; c < CLASS__COUNT; c++) {
        const struct processor *p = processor_find((enum object_class)c);
        assert_ptr_not_equal(p, &processor_skeleton);
        if (p != NULL)
            assert_int_equal(p->object_class, c);
    }
    assert_null(processor_find(CLASS__COUNT));
    assert_string_equal(outcome_name(OUTCOME_RESCHEDULE), "reschedule");
    assert_string_equal(outcome_name((enum outcome)99), "unknown");
}

static void has_a_skeleton_that_works(void **state)
{
    (void)state;
    const struct processor *p = &processor_skeleton;
    answer(200, "{}");
    answer(200, request("failed", ""));
    assert_outcome(carry_out_by(p, request("pending", ""),
                                "{'action':'fail','reason':'r','params':[{'id':'email',"
                                "'value':'x'}]}",
                                false),
                   OUTCOME_DONE);
    assert_sent(0, PUT, "{'asset':{'params':[{'id':'email','value':'x'}]}}");
    assert_sent(1, ACT "fail", "{'reason':'r'}");
    answer(200, request("revoked", ""));
    assert_outcome(carry_out_by(p, request("revoking", ""), "{'action':'confirm'}", false),
                   OUTCOME_DONE);
    assert_outcome(carry_out_by(p, request("inquiring", ""), "{'action':'pend'}", false),
                   OUTCOME_RETRY);
    assert_err(job.err, ERR_POLICY);
    struct json_object *object = json(request("revoked", ""));
    assert_true(p->already(object, "confirm"));
    assert_string_equal(p->product(object), PRODUCT);
    json_object_put(object);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    if (http_global_init(NULL) != ERR_OK)
        return 1;
    const struct CMUnitTest tests[] = {
        TEST(sends_each_verb_with_its_body_for_each_type),
        TEST(knows_the_state_where_the_answer_does_not_tell_it),
        TEST(sends_nothing_for_skip_and_reschedule),
        TEST(tells_what_has_been_done_already),
        TEST(puts_only_parameters_that_differ_before_the_verb),
        TEST(notices_a_difference_in_each_member),
        TEST(puts_nothing_where_nothing_differs),
        TEST(does_not_act_when_parameters_are_refused),
        TEST(goes_on_when_parameters_were_written_all_the_same),
        TEST(is_done_when_another_was_faster_than_the_parameters),
        TEST(never_tells_a_password),
        TEST(takes_the_requests_own_template),
        TEST(takes_the_products_only_template),
        TEST(names_the_candidates_and_changes_nothing),
        TEST(cannot_approve_without_any_template),
        TEST(inquires_with_the_products_template_or_none),
        TEST(looks_instead_of_repeating_and_finds_it_done),
        TEST(looks_instead_of_repeating_and_finds_it_not_done),
        TEST(tries_later_when_it_cannot_even_look),
        TEST(keeps_how_long_connect_asks_to_wait),
        TEST(leaves_a_refused_key_to_a_person_and_retries),
        TEST(posts_a_message_after_the_verb),
        TEST(does_not_repeat_a_message),
        TEST(is_done_though_the_message_fails),
        TEST(says_nothing_when_the_verb_failed),
        TEST(changes_nothing_in_a_dry_run),
        TEST(finds_what_is_built_in),
        TEST(has_a_skeleton_that_works),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    http_global_free();
    return failed;
}
