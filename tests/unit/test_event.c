/* test_event.c - claims: checked, and no more of them demanded than Connect always sends. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/jsonx.h"
#include "event/event.h"

/* Read claims that are written with ' for ". */
static enum err read_claims(const char *text, struct event *ret, struct why *why)
{
    char json[8192];
    struct json_object *claims;
    snprintf(json, sizeof json, "%s", text);
    for (char *c = json; (c = strchr(c, '\'')) != NULL;)
        *c = '"';
    assert_err(jsonx_parse(json, strlen(json), sizeof json, &claims, NULL), ERR_OK);
    enum err e = event_from_claims(claims, ret, why);
    json_object_put(claims); /* the event keeps its own reference */
    return e;
}

static void refuses_claims_of_the_wrong_type_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *claims, *named;
    } rows[] = {
        {"[]", "object"},
        {"'WH-1'", "object"},
        {"null", "object"},
        {"{}", "webhook_id"},
        {"{'exp':1}", "webhook_id"},
        {"{'webhook_id':null,'exp':1}", "webhook_id"},
        {"{'webhook_id':'','exp':1}", "webhook_id"},
        {"{'webhook_id':1,'exp':1}", "webhook_id"},
        {"{'webhook_id':['WH-1'],'exp':1}", "webhook_id"},
        {"{'webhook_id':'WH-1'}", "exp"},
        {"{'webhook_id':'WH-1','exp':null}", "exp"},
        {"{'webhook_id':'WH-1','exp':'1'}", "exp"},
        {"{'webhook_id':'WH-1','exp':1.5}", "exp"},
        {"{'webhook_id':'WH-1','exp':true}", "exp"},
        {"{'webhook_id':'WH-1','exp':1,'webhook_name':{}}", "webhook_name"},
        {"{'webhook_id':'WH-1','exp':1,'account_id':7}", "account_id"},
        {"{'webhook_id':'WH-1','exp':1,'product_id':false}", "product_id"},
        {"{'webhook_id':'WH-1','exp':1,'object_class':[]}", "object_class"},
        {"{'webhook_id':'WH-1','exp':1,'api_url':0}", "api_url"},
        {"{'webhook_id':'WH-1','exp':1,'triggered_at':1590573843}", "triggered_at"},
        {"{'webhook_id':'WH-1','exp':1,'data':[]}", "data"},
        {"{'webhook_id':'WH-1','exp':1,'data':'x'}", "data"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct event event = {.exp = 99};
        struct why why = {""};
        assert_err(read_claims(rows[i].claims, &event, &why), ERR_TOKEN_CLAIMS);
        assert_non_null(strstr(why.text, rows[i].named));
        assert_int_equal(event.exp, 99);
    }
}

/* jsonx lets no NUL through; claims that come another way are checked all the same. */
static void refuses_texts_that_hide_something(void **state)
{
    (void)state;
    static const char *const names[] = {"webhook_id", "product_id"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct json_object *claims = json_object_new_object();
        struct event event;
        struct why why;
        json_object_object_add(claims, "webhook_id", json_object_new_string("WH-1"));
        json_object_object_add(claims, "exp", json_object_new_int64(1));
        json_object_object_add(claims, names[i], json_object_new_string_len("WH-1\0x", 6));
        assert_err(event_from_claims(claims, &event, &why), ERR_TOKEN_CLAIMS);
        assert_non_null(strstr(why.text, names[i]));
        assert_non_null(strstr(why.text, "NUL"));
        json_object_put(claims);
    }
}

static void refuses_texts_that_are_too_long(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int max;
    } rows[] = {{"account_id", 64},   {"product_id", 64},     {"object_class", 64},
                {"triggered_at", 64}, {"webhook_name", 1024}, {"api_url", 4096}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int over = 0; over <= 1; over++) {
            char claims[8192];
            struct event event;
            struct why why;
            snprintf(claims, sizeof claims, "{'webhook_id':'WH-1','exp':1,'%s':'%0*d'}",
                     rows[i].name, rows[i].max + over, 0);
            enum err e = read_claims(claims, &event, &why);
            assert_err(e, over ? ERR_TOKEN_CLAIMS : ERR_OK);
            if (e == ERR_OK)
                event_free(&event);
            else
                assert_non_null(strstr(why.text, rows[i].name));
        }
}

static void reads_a_moment_however_it_is_spelled(void **state)
{
    (void)state;
    struct event event;
    assert_err(read_claims("{'webhook_id':'WH-1','exp':1590573843.0,'data':{'external_id':"
                           "1234567890123456789012345}}",
                           &event, NULL),
               ERR_OK);
    assert_int_equal(event.exp, 1590573843);
    event_free(&event);
}

static void reads_the_fewest_claims(void **state)
{
    (void)state;
    struct event event;
    assert_err(read_claims("{'webhook_id':'WH-632-725-169','exp':4723057471}", &event, NULL),
               ERR_OK);
    assert_string_equal(event.webhook_id, "WH-632-725-169");
    assert_int_equal(event.exp, 4723057471);
    assert_null(event.webhook_name);
    assert_null(event.account_id);
    assert_null(event.product_id);
    assert_null(event.object_class);
    assert_null(event.api_url);
    assert_null(event.triggered_at);
    assert_null(event.data);
    event_free(&event);
}

static void reads_all_claims_and_takes_null_as_absent(void **state)
{
    (void)state;
    struct event event;
    assert_err(read_claims("{'webhook_id':'WH-1','webhook_name':'tutorial','account_id':"
                           "'VA-240-990','product_id':'PRD-578-226-824','object_class':"
                           "'fulfillment_requests','api_url':'https://x/','triggered_at':"
                           "'2021-05-27T09:54:03+00:00','last_success_at':null,'unheard_of':[1],"
                           "'processing_timeout':600,'data':{'a':1},'exp':-1}",
                           &event, NULL),
               ERR_OK);
    assert_string_equal(event.webhook_name, "tutorial");
    assert_string_equal(event.account_id, "VA-240-990");
    assert_string_equal(event.product_id, "PRD-578-226-824");
    assert_string_equal(event.object_class, "fulfillment_requests");
    assert_string_equal(event.api_url, "https://x/");
    assert_string_equal(event.triggered_at, "2021-05-27T09:54:03+00:00");
    assert_int_equal(jsonx_int(event.data, "a", 0), 1);
    assert_int_equal(jsonx_int(event.claims, "processing_timeout", 0), 600);
    assert_int_equal(event.exp, -1);
    event_free(&event);
    event_free(&event); /* an empty one is fine */

    assert_err(read_claims("{'webhook_id':'WH-1','exp':1,'webhook_name':null,'account_id':null,"
                           "'product_id':null,'object_class':null,'api_url':null,"
                           "'triggered_at':null,'data':null}",
                           &event, NULL),
               ERR_OK);
    assert_null(event.product_id);
    assert_null(event.data);
    event_free(&event);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_claims_of_the_wrong_type_by_name),
        cmocka_unit_test(refuses_texts_that_hide_something),
        cmocka_unit_test(refuses_texts_that_are_too_long),
        cmocka_unit_test(reads_a_moment_however_it_is_spelled),
        cmocka_unit_test(reads_the_fewest_claims),
        cmocka_unit_test(reads_all_claims_and_takes_null_as_absent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
