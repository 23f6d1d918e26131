/* test_validation.c - the document of a form comes back as it came, but for what is changed. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/jsonx.h"
#include "json_text.h"
#include "processors/validation.h"

#define COUNT(a)    (sizeof(a) / sizeof *(a))
#define FULFILLMENT &class_fulfillment_request
#define TIER_CONFIG &class_tier_config_request

/* The document with the changes (JSON, with ' for "; NULL: none); owned. */
static char *printed(const char *text, const struct object_class *c, const char *changes)
{
    struct validation d;
    struct why why = {""};
    struct buf b;
    struct json_object *said = changes != NULL ? json(changes) : NULL;
    if (validation_read(text, strlen(text), c, &d, &why) != ERR_OK)
        fail_msg("%s: %s", text, why.text);
    buf_init(&b, 1 << 20);
    assert_err(validation_print(&b, &d, said), ERR_OK);
    json_object_put(said);
    validation_free(&d);
    return buf_steal(&b);
}

static void assert_printed(const char *text, const struct object_class *c, const char *changes,
                           const char *wanted)
{
    char *got = printed(text, c, changes);
    if (strcmp(got, wanted) != 0)
        fail_msg("%s with %s:\ngot    %s\nwanted %s", text, changes, got, wanted);
    free(got);
}

static void refuses_what_is_no_document_of_the_class(void **state)
{
    (void)state;
    static const struct {
        const char *text, *told;
        enum err err;
    } bad[] = {
        {"", "the body: line 1, column 1: ends where", ERR_SYNTAX},
        {"{\"asset\":{}", "the body: line 1", ERR_SYNTAX},
        {"{\"asset\":{},\"a\":1,\"a\":2}", "the body: line 1, column 19: key \"a\" is given twice",
         ERR_DUPLICATE},
        {"[{\"asset\":{}}]", "no object \"asset\"", ERR_TYPE},
        {"{\"configuration\":{}}", "the body is no fulfillment_request", ERR_TYPE},
        {"{\"asset\":\"AS-1\"}", "no object \"asset\"", ERR_TYPE},
        {"{\"webhook_id\":\"WH-1\"}", "no object \"asset\"", ERR_TYPE},
        {"null", "no object \"asset\"", ERR_TYPE},
        {"\"asset\"", "no object \"asset\"", ERR_TYPE},
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct validation d;
        struct why why = {""};
        assert_err(validation_read(bad[i].text, strlen(bad[i].text), FULFILLMENT, &d, &why),
                   bad[i].err);
        if (strstr(why.text, bad[i].told) == NULL)
            fail_msg("%s: %s", bad[i].text, why.text);
    }
}

#define FORM                                                                                    \
    "\t{ \"id\" : \"PR-1\",\r\n  \"n\": [1.10, -0, 1e400, 123456789012345678901234567890],"     \
    " \"\\u0061sset\": {\"params\" : [ {\"value\":\"a\\u00e9\\/\\ud83d\\ude00\",\"id\":\"a\" }" \
    " ,{ }, null, {\"id\":\"b\"} ], \"x\" :{ } }\n, \"z\":[ ] }\n"

static void gives_back_every_byte_of_what_is_not_changed(void **state)
{
    (void)state;
    static const char *const same[] = {
        NULL,
        "{}",
        "{'asset':{}}",
        "{'asset':{'params':[]}}",
        "{'asset':{'params':[{'id':'c','value':'never added'}]}}",
        "{'asset':{'params':[{'id':'b','value':''},{'id':'a','value_error':''}]}}",
        "{'asset':{'params':[{'id':'b','value_error':null,'structured_value':{}}]}}",
        "{'id':'PR-1','note':'','asset':{'x':{},'y':null}}",
        "{'n':[1.1,0,1e400,123456789012345680000000000000],'z':[]}",
    };
    for (size_t i = 0; i < COUNT(same); i++)
        assert_printed(FORM, FULFILLMENT, same[i], FORM);
}

static void changes_what_is_said_where_it_stands(void **state)
{
    (void)state;
    static const struct {
        const char *text, *changes, *wanted;
    } cases[] = {
        /* a value that is there, keys in any order, spelt in any way */
        {"{\"asset\":{\"params\":[{\"value\": \"x\" ,\"id\":\"a\"}]}}",
         "{'asset':{'params':[{'id':'a','value':'y'}]}}",
         "{\"asset\":{\"params\":[{\"value\": \"y\" ,\"id\":\"a\"}]}}"},
        {"{\"asset\":{\"params\":[{\"v\\u0061lue\":\"x\",\"id\":\"\\u0061\"}]}}",
         "{'asset':{'params':[{'id':'a','value':'y'}]}}",
         "{\"asset\":{\"params\":[{\"v\\u0061lue\":\"y\",\"id\":\"\\u0061\"}]}}"},
        /* one that is not */
        {"{\"asset\":{\"params\":[ {\"id\":\"a\" } ]} }",
         "{'asset':{'params':[{'id':'a','value_error':'no'}]}}",
         "{\"asset\":{\"params\":[ {\"id\":\"a\",\"value_error\":\"no\" } ]} }"},
        /* clear an error */
        {"{\"asset\":{\"params\":[{\"id\":\"a\",\"value_error\":\"old\"}]}}",
         "{'asset':{'params':[{'id':'a','value_error':''}]}}",
         "{\"asset\":{\"params\":[{\"id\":\"a\",\"value_error\":\"\"}]}}"},
        {"{\"asset\":{\"params\":[{\"id\":\"a\",\"value_error\":\"old\"}]}}",
         "{'asset':{'params':[{'id':'a','value_error':null}]}}",
         "{\"asset\":{\"params\":[{\"id\":\"a\",\"value_error\":null}]}}"},
        /* null becomes something */
        {"{\"asset\":{\"params\":[{\"id\":\"a\",\"value\":null}]}}",
         "{'asset':{'params':[{'id':'a','value':'x'}]}}",
         "{\"asset\":{\"params\":[{\"id\":\"a\",\"value\":\"x\"}]}}"},
        /* constraints are changed one by one, structured values as a whole */
        {"{\"asset\":{\"params\":[{\"id\":\"a\",\"constraints\":{\"required\":true,\"hidden\":"
         "false},"
         "\"structured_value\":{\"x\":1,\"y\":2}}]}}",
         "{'asset':{'params':[{'id':'a','constraints':{'hidden':true,'shared':'view'},"
         "'structured_value':{'y':3}}]}}",
         "{\"asset\":{\"params\":[{\"id\":\"a\",\"constraints\":{\"required\":true,\"hidden\":true,"
         "\"shared\":\"view\"},\"structured_value\":{\"y\":3}}]}}"},
        {"{\"asset\":{\"params\":[{\"id\":\"a\",\"value_choices\":[{\"value\":\"1\"}]}]}}",
         "{'asset':{'params':[{'id':'a','value_choices':[{'value':'2'},{'value':'3'}]}]}}",
         "{\"asset\":{\"params\":[{\"id\":\"a\",\"value_choices\":[{\"value\":\"2\"},{\"value\":"
         "\"3\"}"
         "]}]}}"},
        {"{\"asset\":{\"params\":[{\"id\":\"a\",\"value_choices\":[{\"value\":\"1\"}]}]}}",
         "{'asset':{'params':[{'id':'a','value_choices':[]}]}}",
         "{\"asset\":{\"params\":[{\"id\":\"a\",\"value_choices\":[]}]}}"},
        /* all of several with one id; none of those that are not there */
        {"{\"asset\":{\"params\":[{\"id\":\"b\"},{\"id\":\"a\"},{\"id\":\"a\"}]}}",
         "{'asset':{'params':[{'id':'a','value':'1'},{'id':'c','value':'2'}]}}",
         "{\"asset\":{\"params\":[{\"id\":\"b\"},{\"id\":\"a\",\"value\":\"1\"},"
         "{\"id\":\"a\",\"value\":\"1\"}]}}"},
        /* what is no parameter stays between them */
        {"{\"asset\":{\"params\":[null,7,{\"id\":\"a\"},{\"x\":[{}]}]}}",
         "{'asset':{'params':[{'id':'a','value':'1'}]}}",
         "{\"asset\":{\"params\":[null,7,{\"id\":\"a\",\"value\":\"1\"},{\"x\":[{}]}]}}"},
        /* where there are no parameters none are made */
        {"{\"asset\":{}}", "{'asset':{'params':[{'id':'a','value':'1'}]}}", "{\"asset\":{}}"},
        {"{\"asset\":{\"params\":null}}", "{'asset':{'params':[{'id':'a','value':'1'}]}}",
         "{\"asset\":{\"params\":null}}"},
        {"{\"asset\":{\"params\":[]}}", "{'asset':{'params':[{'id':'a','value':'1'}]}}",
         "{\"asset\":{\"params\":[]}}"},
        {"{\"asset\":{\"params\":{}}}", "{'asset':{'params':[]}}", "{\"asset\":{\"params\":{}}}"},
        {"{\"asset\":{}}", "{'asset':{'params':[],'x':[]}}", "{\"asset\":{}}"},
        /* a whole document: what it says otherwise, and only that */
        {"{\"id\":\"PR-1\",\"n\":1.10,\"note\":\"\",\"asset\":{\"items\":[{\"id\":\"I\","
         "\"quantity\":"
         "\"8\"}],\"params\":[{\"id\":\"a\",\"value\":\"x\"}]}}",
         "{'id':'PR-1','n':1.1,'note':'seen','asset':{'params':[{'id':'a','value':'x','value_error'"
         ":"
         "'no'}],'items':[{'id':'I','quantity':'9'}]}}",
         "{\"id\":\"PR-1\",\"n\":1.10,\"note\":\"seen\",\"asset\":{\"items\":[{\"id\":\"I\","
         "\"quantity\":\"9\"}],\"params\":[{\"id\":\"a\",\"value\":\"x\",\"value_error\":\"no\"}]}"
         "}"},
        /* texts that need escaping */
        {"{\"asset\":{\"params\":[{\"id\":\"a\"}]}}",
         "{\"asset\":{\"params\":[{\"id\":\"a\",\"value_error\":\"\\\"</\\u20ac>\\n\"}]}}",
         "{\"asset\":{\"params\":[{\"id\":\"a\",\"value_error\":\"\\\"</\u20ac>\\n\"}]}}"},
        {"{\"asset\":{},\"q\":{ }}", "{'q':{'a':1,'b':[2]}}",
         "{\"asset\":{},\"q\":{\"a\":1,\"b\":[2] }}"},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_printed(cases[i].text, FULFILLMENT, cases[i].changes, cases[i].wanted);
    assert_printed("{\"params\":[{\"id\":\"a\"}],\"configuration\":{\"params\":[{\"id\":\"a\"}]}}",
                   TIER_CONFIG, "{'params':[{'id':'a','value':'1'}]}",
                   "{\"params\":[{\"id\":\"a\",\"value\":\"1\"}],\"configuration\":{\"params\":[{"
                   "\"id\":\"a\"}]}}");
}

static void grows_to_no_more_than_its_buffer_holds(void **state)
{
    (void)state;
    static const char text[] = "{\"asset\":{\"params\":[{\"id\":\"a\"}]}}";
    struct validation d;
    struct buf b;
    struct json_object *said = json("{'asset':{'params':[{'id':'a','value':'1'}]}}");
    assert_err(validation_read(text, strlen(text), FULFILLMENT, &d, NULL), ERR_OK);
    buf_init(&b, sizeof text);
    assert_err(validation_print(&b, &d, said), ERR_TOO_BIG);
    buf_free(&b);
    json_object_put(said);
    validation_free(&d);
}

static void counts_errors(void **state)
{
    (void)state;
    struct json_object *said = json("{'asset':{'params':[{'id':'a','value_error':''},"
                                    "{'id':'b','value_error':'x'},{'id':'c'},7]}}");
    assert_int_equal(validation_errors(FULFILLMENT, said), 1);
    assert_int_equal(validation_errors(FULFILLMENT, NULL), 0);
    json_object_put(said);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_is_no_document_of_the_class),
        cmocka_unit_test(gives_back_every_byte_of_what_is_not_changed),
        cmocka_unit_test(changes_what_is_said_where_it_stands),
        cmocka_unit_test(grows_to_no_more_than_its_buffer_holds),
        cmocka_unit_test(counts_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
