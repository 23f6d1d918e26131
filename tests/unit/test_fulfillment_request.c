/* test_fulfillment_request.c - what goes to Connect for a decision. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/jsonx.h"
#include "carry_out.h"
#include "json_text.h"

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
        {"{'action':'pend'}", "pend", "", "inquiring", "pending"},
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
            assert_string_equal(job.state, rows[i].after);
            assert_string_equal(job.result.why.text, "");
            assert_err(job.result.err, ERR_OK);
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
    assert_string_equal(job.state, "failed");
}

static void sends_nothing_for_skip_and_reschedule(void **state)
{
    (void)state;
    assert_outcome(carry_out(request("pending", ""), "{'action':'skip','reason':'not mine'}"),
                   OUTCOME_SKIP);
    assert_string_equal(job.result.why.text, "not mine");
    assert_outcome(carry_out(request("pending", ""), "{'action':'reschedule','after':60}"),
                   OUTCOME_RESCHEDULE);
    assert_string_equal(job.state, "pending");
    assert_err(job.result.err, ERR_OK);
    assert_int_equal(fake_requests(fake), 0);
}

/* ------------------------------------------------------------------------ templates */

#define OWN "'template':{'id':'TL-5-5-5'},"

/* A pending request that was inquired before keeps the inquiring template as its own. */
static void takes_the_requests_own_template_if_it_is_of_the_kind(void **state)
{
    (void)state;
    answer(200, "[{'id':'TL-4-4-4'},{'id':'TL-5-5-5'},{'id':'TL-6-6-6'}]");
    answer(200, request("approved", ""));
    assert_outcome(carry_out(request("pending", OWN), "{'action':'approve'}"), OUTCOME_DONE);
    assert_sent(0, ACTIVATION, "");
    assert_sent(1, ACT "approve", "{'template_id':'TL-5-5-5'}");

    answer(200, "[{'id':'TL-5-5-5','type':'inquire','scope':'asset'},"
                "{'id':'TL-7-7-7','type':'fulfillment','scope':'asset'}]");
    answer(200, request("approved", ""));
    assert_outcome(carry_out(request("pending", OWN), "{'action':'approve'}"), OUTCOME_DONE);
    assert_sent(3, ACT "approve", "{'template_id':'TL-7-7-7'}");

    answer(200, "[{'id':'TL-5-5-5','type':'inquire'},{'id':'TL-7-7-7'},{'id':'TL-8-8-8'}]");
    assert_outcome(carry_out(request("pending", OWN), "{'action':'approve'}"), OUTCOME_REJECT);
    assert_err(job.result.err, ERR_POLICY);
    answer(200, "[{'id':'TL-5-5-5','type':'inquire'}]");
    assert_outcome(carry_out(request("pending", OWN), "{'action':'approve'}"), OUTCOME_REJECT);
    assert_err(job.result.err, ERR_POLICY);
    assert_int_equal(fake_requests(fake), 6);
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

static void takes_the_template_that_is_named(void **state)
{
    (void)state;
    static const char list[] =
        "[{'id':'TL-1-1-1','name':'Trial','title':'For a while'},"
        "{'id':'TL-2-2-2','name':'Full','title':'Trial'},{'id':'TL-3-3-3','title':'For ever'},"
        "{'id':'TL-4-4-4','name':'Both'},{'id':'TL-5-5-5','name':'Both','title':'Own'},"
        "{'id':'TL-6-6-6','name':'Full','type':'inquire'}]";
    static const struct {
        const char *name, *id;
    } found[] = {
        {"Trial", "TL-1-1-1"}, {"Full", "TL-2-2-2"}, {"For ever", "TL-3-3-3"}, {"Own", "TL-5-5-5"}};
    for (size_t i = 0; i < sizeof found / sizeof *found; i++) {
        char decision[128], body[64];
        snprintf(decision, sizeof decision, "{'action':'approve','template':'%s'}", found[i].name);
        snprintf(body, sizeof body, "{'template_id':'%s'}", found[i].id);
        answer(200, list);
        answer(200, request("approved", ""));
        assert_outcome(carry_out(request("pending", OWN), decision), OUTCOME_DONE);
        assert_sent(2 * i + 1, ACT "approve", body);
    }
    answer(200, "[{'id':'TL-6-6-6','name':'Ask'},{'id':'TL-7-7-7','name':'Ask twice'}]");
    answer(200, request("inquiring", ""));
    assert_outcome(carry_out(request("pending", ""), "{'action':'inquire','template':'Ask twice'}"),
                   OUTCOME_DONE);
    assert_sent(9, ACT "inquire", "{'template_id':'TL-7-7-7'}");
}

static void refuses_a_name_of_none_or_of_several(void **state)
{
    (void)state;
    static const struct {
        const char *decision, *told;
    } rows[] = {
        {"{'action':'approve','template':'Nobody'}", "no template is called \"Nobody\""},
        {"{'action':'approve','template':''}", "no template is called \"\""},
        {"{'action':'approve','template':'trial'}", "no template is called"},
        {"{'action':'approve','template':'Both'}", "several templates are called \"Both\""},
        {"{'action':'inquire','template':'Nobody'}", "TL-1-1-1 (Trial), TL-4-4-4 (Both)"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        answer(200, "[{'id':'TL-1-1-1','name':'Trial'},{'id':'TL-4-4-4','name':'Both'},"
                    "{'id':'TL-5-5-5','name':'Both'}]");
        assert_outcome(carry_out(request("pending", OWN), rows[i].decision), OUTCOME_REJECT);
        assert_err(job.result.err, ERR_POLICY);
        if (strstr(job.result.why.text, rows[i].told) == NULL)
            fail_msg("%s", job.result.why.text);
        assert_int_equal(fake_requests(fake), i + 1);
    }
}

static void names_the_candidates_and_changes_nothing(void **state)
{
    (void)state;
    answer(200, "[{'id':'TL-7-7-7','name':'Default'},{'id':'TL-8-8-8','name':'Trial'}]");
    assert_outcome(carry_out(request("pending", ""),
                             "{'action':'approve','params':[{'id':'email','value':'x'}]}"),
                   OUTCOME_REJECT);
    assert_err(job.result.err, ERR_POLICY);
    assert_non_null(strstr(job.result.why.text, "TL-7-7-7 (Default), TL-8-8-8 (Trial)"));
    assert_int_equal(fake_requests(fake), 1);
}

static void says_what_to_do_where_templates_cannot_be_seen(void **state)
{
    (void)state;
    answer(403, "{'error_code':'PERM_1','errors':['no']}");
    assert_outcome(carry_out(request("pending", OWN), "{'action':'approve'}"), OUTCOME_REJECT);
    assert_err(job.result.err, ERR_HTTP_FORBIDDEN);
    assert_non_null(strstr(job.result.why.text, "approve needs a template_id"));
    assert_non_null(strstr(job.result.why.text, "PERM_1: no"));
    for (int i = 0; i < API_GET_TRIES; i++)
        answer(500, "{}");
    assert_outcome(carry_out(request("pending", OWN), "{'action':'approve'}"), OUTCOME_RETRY);
}

static void cannot_approve_without_any_template(void **state)
{
    (void)state;
    answer(200, "[]");
    assert_outcome(carry_out(request("pending", ""), "{'action':'approve'}"), OUTCOME_REJECT);
    assert_err(job.result.err, ERR_POLICY);
    assert_non_null(strstr(job.result.why.text, PRODUCT " has no template"));
}

static void inquires_with_the_products_template_or_none(void **state)
{
    (void)state;
    answer(200, "[]");
    answer(200, request("inquiring", ""));
    assert_outcome(
        carry_out(request("pending", "'template':{'id':'TL-5-5-5'},"), "{'action':'inquire'}"),
        OUTCOME_DONE);
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
        OUTCOME_REJECT);
    assert_err(job.result.err, ERR_POLICY);
    assert_int_equal(fake_requests(fake), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sends_each_verb_with_its_body_for_each_type),
        TEST(knows_the_state_where_the_answer_does_not_tell_it),
        TEST(sends_nothing_for_skip_and_reschedule),
        TEST(takes_the_requests_own_template_if_it_is_of_the_kind),
        TEST(takes_the_products_only_template),
        TEST(takes_the_template_that_is_named),
        TEST(refuses_a_name_of_none_or_of_several),
        TEST(names_the_candidates_and_changes_nothing),
        TEST(says_what_to_do_where_templates_cannot_be_seen),
        TEST(cannot_approve_without_any_template),
        TEST(inquires_with_the_products_template_or_none),
    };
    return fake_run(tests, sizeof tests / sizeof *tests);
}
