/* test_other_classes.c - what goes to Connect for a decision, of classes but fulfillment requests.
 */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/jsonx.h"
#include "carry_out.h"
#include "json_text.h"

#define TEMPLATES "GET /products/" PRODUCT "/templates?scope=%s&type=fulfillment"
#define TCR \
    "{'status':'pending','configuration':{'tier_level':%s},'params':[{'id':'p','value':'1'}]}"

static const char *tcr(const char *level)
{
    static char text[256];
    snprintf(text, sizeof text, TCR, level);
    return text;
}

static void sends_each_verb_with_its_body(void **state)
{
    (void)state;
    static const struct {
        const struct object_class *c;
        const char *object, *decision, *line, *body;
        int status;
        const char *answer, *after;
    } rows[] = {
        {&class_tier_config_request, "{'status':'pending'}",
         "{'action':'approve','template_id':'TL-1-2-3','effective_date':'2026-11-23T10:00:00Z'}",
         "POST /tier/config-requests/" REQUEST "/approve",
         "{'template':{'id':'TL-1-2-3','effective_date':'2026-11-23T10:00:00Z'}}", 200,
         "{'template':{'id':'TL-1-2-3','representation':'# Hi'},'effective_date':null}",
         "approved"},
        {&class_tier_config_request, "{'status':'pending'}",
         "{'action':'approve','activation_tile':'# Hi'}",
         "POST /tier/config-requests/" REQUEST "/approve", "{'template':{'representation':'# Hi'}}",
         200, "{'template':{}}", "approved"},
        {&class_tier_config_request, "{'status':'pending'}", "{'action':'fail','reason':'no'}",
         "POST /tier/config-requests/" REQUEST "/fail", "{'reason':'no'}", 204, "", "failed"},
        {&class_tier_config_request, "{'status':'pending'}", "{'action':'inquire'}",
         "POST /tier/config-requests/" REQUEST "/inquire", "", 204, "", "inquiring"},
        {&class_tier_config_request, "{'status':'inquiring'}", "{'action':'pend'}",
         "POST /tier/config-requests/" REQUEST "/pend", "", 204, "", "pending"},
        {&class_tier_account_request, "{'status':'pending'}", "{'action':'accept'}",
         "POST /tier/account-requests/" REQUEST "/accept", "", 200, "{'status':'accepted'}",
         "accepted"},
        {&class_tier_account_request, "{'status':'pending'}", "{'action':'ignore','reason':'same'}",
         "POST /tier/account-requests/" REQUEST "/ignore", "{'reason':'same'}", 200,
         "{'status':'ignored'}", "ignored"},
        {&class_tier_account_request, "{'status':'pending'}", "{'action':'ignore'}",
         "POST /tier/account-requests/" REQUEST "/ignore", "{}", 200, "{'status':'ignored'}",
         "ignored"},
        {&class_listing_request, "{'state':'reviewing'}", "{'action':'deploy'}",
         "POST /listing-requests/" REQUEST "/deploy", "", 200, "", "deploying"},
        {&class_listing_request, "{'state':'reviewing'}", "{'action':'refine'}",
         "POST /listing-requests/" REQUEST "/refine", "", 200, "", "draft"},
        {&class_listing_request, "{'state':'deploying'}", "{'action':'complete'}",
         "POST /listing-requests/" REQUEST "/complete", "", 200, "", "completed"},
        {&class_listing_request, "{'state':'deploying'}", "{'action':'cancel'}",
         "POST /listing-requests/" REQUEST "/cancel", "", 200, "", "canceled"},
        {&class_billing_request, "{'attributes':{'vendor':{'a':'1'}}}",
         "{'action':'annotate','attributes':{'vendor':{'invoice':'I-1'}}}",
         "PUT /subscriptions/requests/" REQUEST "/attributes", "{'vendor':{'invoice':'I-1'}}", 200,
         "{'vendor':{'invoice':'I-1'}}", ""},
        {&class_usage_file, "{'status':'READY'}", "{'action':'submit'}",
         "POST /usage/files/" REQUEST "/submit", "", 200, "{'status':'pending'}", "pending"},
        {&class_usage_file, "{'status':'uploaded'}", "{'action':'delete'}",
         "POST /usage/files/" REQUEST "/delete", "", 206, "{'status':'deleted'}", "deleted"},
        {&class_usage_file, "{'status':'ready'}", "{'action':'reprocess'}",
         "POST /usage/files/" REQUEST "/reprocess", "", 200, "{'status':'processing'}",
         "processing"},
        {&class_usage_file, "{'status':'pending'}", "{'action':'accept','note':'fine'}",
         "POST /usage/files/" REQUEST "/accept", "{'acceptance_note':'fine'}", 200,
         "{'status':'accepted'}", "accepted"},
        {&class_usage_file, "{'status':'pending'}", "{'action':'accept'}",
         "POST /usage/files/" REQUEST "/accept", "{}", 200, "{'status':'accepted'}", "accepted"},
        {&class_usage_file, "{'status':'pending'}", "{'action':'reject','note':'too much'}",
         "POST /usage/files/" REQUEST "/reject", "{'rejection_note':'too much'}", 200,
         "{'status':'rejected'}", "rejected"},
        {&class_usage_file, "{'status':'accepted'}", "{'action':'close'}",
         "POST /usage/files/" REQUEST "/close", "", 200, "{'status':'closed'}", "closed"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        answer(rows[i].status, rows[i].answer);
        assert_outcome(carry_out_on(rows[i].c, rows[i].object, rows[i].decision, false),
                       OUTCOME_DONE);
        assert_string_equal(job.state, rows[i].after);
        assert_string_equal(job.result.why.text, "");
        assert_sent(i, rows[i].line, rows[i].body);
    }
    assert_int_equal(fake_requests(fake), sizeof rows / sizeof *rows);
}

/* ------------------------------------------------------------------------- templates */

static void needs_a_template_of_the_objects_tier(void **state)
{
    (void)state;
    static const char *const levels[] = {"null", "[]", "{}", "'0123456789abc'", "1.5"};
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        assert_outcome(
            carry_out_on(&class_tier_config_request, tcr(levels[i]), "{'action':'approve'}", false),
            OUTCOME_REJECT);
        assert_string_equal(job.result.why.text,
                            "approve needs a template_id, as the object does not say its "
                            "configuration.tier_level");
    }
    assert_int_equal(fake_requests(fake), 0);
    answer(200, "[]");
    assert_outcome(
        carry_out_on(&class_tier_config_request, tcr("1"), "{'action':'approve'}", false),
        OUTCOME_REJECT);
    assert_non_null(strstr(job.result.why.text, "has no template"));
}

static void finds_the_template_of_the_objects_tier(void **state)
{
    (void)state;
    static const struct {
        const char *level, *scope;
    } rows[] = {{"1", "tier1"}, {"2", "tier2"}, {"'2'", "tier2"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char line[128];
        snprintf(line, sizeof line, TEMPLATES, rows[i].scope);
        answer(200, "[{'id':'TL-7-7-7','name':'Only'}]");
        answer(200, "{'template':{'id':'TL-7-7-7'}}");
        assert_outcome(carry_out_on(&class_tier_config_request, tcr(rows[i].level),
                                    "{'action':'approve'}", false),
                       OUTCOME_DONE);
        assert_sent(2 * i, line, "");
        assert_sent(2 * i + 1, "POST /tier/config-requests/" REQUEST "/approve",
                    "{'template':{'id':'TL-7-7-7'}}");
    }
}

/* ------------------------------------------------------------------- parameters, notes */

static void writes_parameters_of_the_request_itself(void **state)
{
    (void)state;
    answer(200, "{}");
    answer(204, "");
    assert_outcome(carry_out_on(&class_tier_config_request, tcr("1"),
                                "{'action':'inquire','params':[{'id':'p','value_error':'no'}]}",
                                false),
                   OUTCOME_DONE);
    assert_sent(0, "PUT /tier/config-requests/" REQUEST,
                "{'params':[{'id':'p','value_error':'no'}]}");
}

/* Connect takes 50 of them at once. */
static void writes_many_parameters_in_several_calls(void **state)
{
    (void)state;
    char decision[4096] = "{'action':'inquire','params':[", *end = decision + strlen(decision);
    for (int i = 0; i < 101; i++)
        end += sprintf(end, "%s{'id':'p%d','value':'x'}", i > 0 ? "," : "", i);
    strcpy(end, "]}");
    for (int i = 0; i < 3; i++)
        answer(200, "{}");
    answer(204, "");
    assert_outcome(carry_out_on(&class_tier_config_request, tcr("1"), decision, false),
                   OUTCOME_DONE);
    assert_int_equal(fake_requests(fake), 4);
    assert_null(strstr(fake_request(fake, 0), "\"p50\""));
    assert_non_null(strstr(fake_request(fake, 1), "\"p50\""));
    assert_sent(2, "PUT /tier/config-requests/" REQUEST, "{'params':[{'id':'p100','value':'x'}]}");
}

/* A note of 201 characters, each of three bytes but the last two. */
static void cuts_a_note_at_a_character(void **state)
{
    (void)state;
    char decision[1024] = "{'action':'reject','note':'", want[1024] = "{'rejection_note':'";
    for (int i = 0; i < 199; i++) {
        strcat(decision, "€");
        strcat(want, "€");
    }
    strcat(decision, "ab'}");
    strcat(want, "a'}");
    answer(200, "{'status':'rejected'}");
    assert_outcome(carry_out_on(&class_usage_file, "{'status':'pending'}", decision, false),
                   OUTCOME_DONE);
    assert_sent(0, "POST /usage/files/" REQUEST "/reject", want);
    assert_string_equal(job.result.why.text,
                        "note was cut to the 200 characters that Connect takes");
    assert_err(job.result.err, ERR_OK);
}

static void leaves_a_note_that_just_fits(void **state)
{
    (void)state;
    char decision[512], want[512], text[256];
    memset(text, 'x', 255);
    text[255] = '\0';
    snprintf(decision, sizeof decision, "{'action':'ignore','reason':'%s'}", text);
    snprintf(want, sizeof want, "{'reason':'%s'}", text);
    answer(200, "{'status':'ignored'}");
    assert_outcome(
        carry_out_on(&class_tier_account_request, "{'status':'pending'}", decision, false),
        OUTCOME_DONE);
    assert_sent(0, "POST /tier/account-requests/" REQUEST "/ignore", want);
    assert_string_equal(job.result.why.text, "");
}

/* ------------------------------------------------------------- what tells that it is done */

#define ANNOTATE "{'action':'annotate','attributes':{'vendor':{'n':7,'x':null}}}"

static void annotates_what_does_not_hold_the_values_yet(void **state)
{
    (void)state;
    static const char *const objects[] = {
        "{}",
        "{'attributes':null}",
        "{'attributes':[]}",
        "{'attributes':{'vendor':{'n':8}}}",
        "{'attributes':{'provider':{'n':7}}}",
        "{'attributes':{'vendor':'7'}}",
    };
    size_t n = sizeof objects / sizeof *objects;
    for (size_t i = 0; i < n; i++) {
        answer(200, "{}");
        assert_outcome(carry_out_on(&class_billing_request, objects[i], ANNOTATE, false),
                       OUTCOME_DONE);
        assert_sent(i, "PUT /subscriptions/requests/" REQUEST "/attributes",
                    "{'vendor':{'n':7,'x':null}}");
    }
    assert_int_equal(fake_requests(fake), n);
}

static void is_done_where_the_object_holds_the_values(void **state)
{
    (void)state;
    static const char *const objects[] = {
        "{'attributes':{'vendor':{'n':7}}}",
        "{'attributes':{'vendor':{'n':'7','x':'','more':1},'provider':{'a':1}}}",
    };
    for (size_t i = 0; i < 4; i++)
        assert_outcome(carry_out_on(&class_billing_request, objects[i / 2], ANNOTATE, i % 2 > 0),
                       OUTCOME_DONE);
    assert_int_equal(fake_requests(fake), 0);
    assert_outcome(carry_out_on(&class_billing_request, "{}", ANNOTATE, true), OUTCOME_SKIP);
    assert_string_equal(job.result.why.text, "dry run: would annotate");
}

static void looks_at_the_values_after_an_unknown_outcome(void **state)
{
    (void)state;
    answer(500, "{}");
    answer(200, "{'attributes':{'vendor':{'n':7}}}");
    assert_outcome(carry_out_on(&class_billing_request, "{}", ANNOTATE, false), OUTCOME_DONE);
    answer(500, "{}");
    answer(200, "{'attributes':{}}");
    assert_outcome(carry_out_on(&class_billing_request, "{}", ANNOTATE, false), OUTCOME_RETRY);
}

/* Deleted, and gone for good. */
static void takes_what_is_gone_for_deleted(void **state)
{
    (void)state;
    answer(500, "{}");
    answer(404, "{}");
    assert_outcome(
        carry_out_on(&class_usage_file, "{'status':'ready'}", "{'action':'delete'}", false),
        OUTCOME_DONE);
    assert_string_equal(job.state, "deleted");
    answer(404, "{}");
    answer(404, "{}");
    assert_outcome(
        carry_out_on(&class_usage_file, "{'status':'ready'}", "{'action':'submit'}", false),
        OUTCOME_REJECT);
}

static void is_done_by_the_state_whatever_its_letters(void **state)
{
    (void)state;
    answer(400, "{'error_code':'UF_1','errors':['not in this state']}");
    answer(200, "{'status':'PENDING'}");
    assert_outcome(
        carry_out_on(&class_usage_file, "{'status':'READY'}", "{'action':'submit'}", false),
        OUTCOME_DONE);
    assert_string_equal(job.state, "PENDING");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sends_each_verb_with_its_body),
        TEST(needs_a_template_of_the_objects_tier),
        TEST(finds_the_template_of_the_objects_tier),
        TEST(writes_parameters_of_the_request_itself),
        TEST(writes_many_parameters_in_several_calls),
        TEST(cuts_a_note_at_a_character),
        TEST(leaves_a_note_that_just_fits),
        TEST(annotates_what_does_not_hold_the_values_yet),
        TEST(is_done_where_the_object_holds_the_values),
        TEST(looks_at_the_values_after_an_unknown_outcome),
        TEST(takes_what_is_gone_for_deleted),
        TEST(is_done_by_the_state_whatever_its_letters),
    };
    return fake_run(tests, sizeof tests / sizeof *tests);
}
