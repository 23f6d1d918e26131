/* test_form.c - what a rule says about a form. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/jsonx.h"
#include "json_text.h"
#include "policy/form.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

static enum err load(const char *yaml, struct form **ret, struct why *why)
{
    struct yamlx *y;
    if (yamlx_parse("file", yaml, strlen(yaml), &y, why) != ERR_OK)
        fail_msg("%s: %s", yaml, why->text);
    enum err e = form_load(yamlx_root(y), ret, why);
    yamlx_free(y);
    return e;
}

static enum err answer_by(const char *yaml, const char *params, int64_t deadline,
                          struct json_object **ret, struct why *why)
{
    struct form *f = NULL;
    if (load(yaml, &f, why) != ERR_OK)
        fail_msg("%s: %s", yaml, why->text);
    struct json_object *object = json("{\"id\":\"PR-1\",\"type\":\"purchase\",\"asset\":{}}");
    if (params != NULL)
        jsonx_add_at(object, "asset.params", json(params));
    const struct policy_question q = {.kind = POLICY_VALIDATE,
                                      .object_class = &class_fulfillment_request,
                                      .object = object,
                                      .deadline = deadline};
    enum err e = form_answer(f, &q, NULL, ret, why);
    json_object_put(object);
    form_free(f);
    return e;
}

/* What `yaml` says about these parameters, of which a text without " may have ' for it. */
static void assert_says(const char *yaml, const char *params, const char *wanted)
{
    struct why why = {""};
    struct json_object *got = NULL, *want = json(wanted);
    if (answer_by(yaml, params, CLK_NEVER, &got, &why) != ERR_OK)
        fail_msg("%s: %s", yaml, why.text);
    if (!json_object_equal(jsonx_get(got, "params"), want))
        fail_msg("%s of %s: %s", yaml, params, json_object_to_json_string(got));
    json_object_put(got);
    json_object_put(want);
}

static void refuses_what_cannot_work(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *place, *told;
    } bad[] = {
        {"approve", "file:1:1: ", "a form is answered with { params: "},
        {"{}", "file:1:1: ", "and nothing else"},
        {"{ action: approve }", "file:1:1: ", "and nothing else"},
        {"{ params: [], message: x }", "file:1:1: ", "and nothing else"},
        {"{ params: { id: a } }", "file:1:11: ", "params: must be a list"},
        {"{ params: }", "file:1:", "params: must be a list"},
        {"{ params: [ a ] }", "file:1:13: ", "a parameter is { id: ..., ... }"},
        {"{ params: [ { value: x } ] }", "file:1:13: ", "params[0]: needs an id"},
        {"{ params: [ { id: a } ] }", "file:1:13: ", "params[0]: sets nothing of a"},
        {"{ params: [ { id: a, value: x }, { id: b, value: 5 } ] }",
         "file:1:34: ", "params[1].value: must be a text"},
        {"{ params: [ { id: a, color: red } ] }",
         "file:1:13: ", "params[0].color: a parameter takes"},
        {"{ params: [ { id: a, value_choices: x } ] }", "file:1:13: ", "must be a list"},
        {"{ params: [ { id: a, constraints: [] } ] }", "file:1:13: ", "must be an object"},
        {"{ params: [ { id: a, value: \"${\" } ] }", "file:1:13: ", "never closed"},
        {"{ params: [ { id: a, value: \"${b|twist}\" } ] }", "file:1:13: ", "trim, lower, upper"},
        {"{ params: [ { id: a, check: { min: 1 } } ] }", "file:1:13: ", "a check needs a message"},
        {"{ params: [ { id: a, message: x } ] }", "file:1:13: ", "a message needs a check"},
        {"{ params: [ { id: a, check: { min: 1 }, message: \"\" } ] }",
         "file:1:50: ", "an empty message"},
        {"{ params: [ { id: a, check: { min: 1 }, message: [] } ] }", "file:1:50: ", ""},
        {"{ params: [ { id: a, check: { min: 1 }, message: \"${$x}\" } ] }",
         "file:1:13: ", "unknown"},
        {"{ params: [ { id: a, check: { min: 1 }, message: x, value_error: y } ] }",
         "file:1:13: ", "either value_error, or check"},
        {"{ params: [ { id: a, check: { even: true }, message: x } ] }",
         "file:1:31: ", "unknown check even"},
        {"{ params: [ { id: a, check: { same_as: a }, message: x } ] }",
         "file:1:13: ", "always the same as itself"},
        {"{ params: [ { id: a, value: x }, { id: a, value: y } ] }",
         "file:1:34: ", "a is given twice"},
        {"{ params: [ { id: a, value: x }, { id: a, check: { min: 1 }, message: x } ] }",
         "file:1:34: ", "a is given twice"},
        {"{ params: [ { id: a, check: { min: 1 }, message: x },"
         " { id: a, value: y, check: { max: 2 }, message: x } ] }",
         "file:1:55: ", "a is given twice: only check and message"},
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct form *f = NULL;
        struct why why = {""};
        assert_int_not_equal(load(bad[i].yaml, &f, &why), ERR_OK);
        if (strncmp(why.text, bad[i].place, strlen(bad[i].place)) != 0 ||
            strstr(why.text, bad[i].told) == NULL)
            fail_msg("%s: %s", bad[i].yaml, why.text);
        assert_null(f);
    }
    form_free(NULL);
}

#define SEATS "{ params: [ { id: seats, check: { min: 1, max: 100 }, message: from 1 to 100 } ] }"

static void clears_an_error_or_says_the_message(void **state)
{
    (void)state;
    assert_says(SEATS, "[{'id':'seats','value':'7'}]", "[{'id':'seats','value_error':''}]");
    assert_says(SEATS, "[{'id':'seats','value':'0','value_error':'old'}]",
                "[{'id':'seats','value_error':'from 1 to 100'}]");
    /* nothing, in the shapes that it has */
    assert_says(SEATS, "[{'id':'seats'}]", "[{'id':'seats','value_error':''}]");
    assert_says(SEATS, "[{'id':'seats','value':null}]", "[{'id':'seats','value_error':''}]");
    assert_says(SEATS, "[{'id':'seats','value':{}}]", "[{'id':'seats','value_error':''}]");
    assert_says(SEATS, "[{'id':'seats','value':8.0}]", "[{'id':'seats','value_error':''}]");
}

static void says_nothing_of_what_the_form_does_not_have(void **state)
{
    (void)state;
    assert_says(SEATS, NULL, "[]");
    assert_says(SEATS, "[]", "[]");
    assert_says(SEATS, "{}", "[]");
    assert_says(SEATS, "[{'id':'chairs','value':'0'},null,7,[],{'id':5}]", "[]");
    assert_says("{ params: [] }", "[{'id':'a'}]", "[]");
    assert_says("{ params: [ { id: a, value: \"${asset.items}\" } ] }", "[]", "[]");
}

static void computes_values_and_checks_these(void **state)
{
    (void)state;
    static const char yaml[] =
        "params:\n"
        "  - id: domain\n"
        "    value: ${asset.params[domain].value|trim|lower}\n"
        "    check: { required: true, domain: true }\n"
        "    message: \"${asset.params[domain].value:-nothing} is no domain\"\n";
    assert_says(yaml, "[{'id':'domain','value':' Example.COM '}]",
                "[{'id':'domain','value':'example.com','value_error':''}]");
    assert_says(yaml, "[{'id':'domain','value':'x'}]",
                "[{'id':'domain','value':'x','value_error':'x is no domain'}]");
    /* not filled in yet: an empty text, not a mistake of the rule */
    assert_says(yaml, "[{'id':'domain'}]",
                "[{'id':'domain','value':'','value_error':'nothing is no domain'}]");
}

static void says_what_else_a_form_can_show(void **state)
{
    (void)state;
    assert_says("{ params: [ { id: a, value_choices: [ { label: A, value: \"${id|lower}\" } ],"
                " constraints: { hidden: true }, structured_value: { b: 1.50 },"
                " structured_error: { message: { id: M } } } ] }",
                "[{'id':'a'}]",
                "[{'id':'a','value_choices':[{'label':'A','value':'pr-1'}],"
                "'constraints':{'hidden':true},'structured_value':{'b':1.50},"
                "'structured_error':{'message':{'id':'M'}}}]");
}

/* The first that fails is the one that shows. */
static void checks_one_parameter_several_times(void **state)
{
    (void)state;
    static const char yaml[] =
        "params:\n"
        "  - { id: a, check: { required: true }, message: is needed }\n"
        "  - { id: a, check: { min_length: 3 }, message: is too short }\n"
        "  - { id: a, check: { pattern: \"[a-z]+\" }, message: has only letters }\n";
    assert_says(yaml, "[{'id':'a'}]", "[{'id':'a','value_error':'is needed'}]");
    assert_says(yaml, "[{'id':'a','value':'A'}]", "[{'id':'a','value_error':'is too short'}]");
    assert_says(yaml, "[{'id':'a','value':'ABC'}]",
                "[{'id':'a','value_error':'has only letters'}]");
    assert_says(yaml, "[{'id':'a','value':'abc'}]", "[{'id':'a','value_error':''}]");
}

static void compares_with_another_parameter(void **state)
{
    (void)state;
    static const char yaml[] = "params:\n"
                               "  - { id: mail, value: \"${asset.params[mail].value|lower}\" }\n"
                               "  - { id: again, check: { same_as: mail }, message: differs }\n";
    assert_says(yaml, "[{'id':'again','value':'a@b.de'},{'id':'mail','value':'A@B.de'}]",
                "[{'id':'mail','value':'a@b.de'},{'id':'again','value_error':''}]");
    assert_says(yaml, "[{'id':'again','value':'b'},{'id':'mail','value':'a'}]",
                "[{'id':'mail','value':'a'},{'id':'again','value_error':'differs'}]");
    assert_says(yaml, "[{'id':'again','value':'b'}]", "[{'id':'again','value_error':'differs'}]");
}

static void knows_that_a_structure_is_filled_in(void **state)
{
    (void)state;
    static const char yaml[] =
        "{ params: [ { id: a, check: { required: true }, message: is needed } ] }";
    static const char *const filled[] = {"{'line1':'Street 1'}", "{'x':false,'y':true}", "'text'",
                                         "{'n':0}", "[{'a':[1]}]"};
    static const char *const empty[] = {
        "null", "{}", "''", "[]", "{'line1':'','city':null}", "{'x':false,'y':false}"};
    char params[128];
    for (size_t i = 0; i < COUNT(filled); i++) {
        snprintf(params, sizeof params, "[{'id':'a','value':'','structured_value':%s}]", filled[i]);
        assert_says(yaml, params, "[{'id':'a','value_error':''}]");
    }
    for (size_t i = 0; i < COUNT(empty); i++) {
        snprintf(params, sizeof params, "[{'id':'a','value':'','structured_value':%s}]", empty[i]);
        assert_says(yaml, params, "[{'id':'a','value_error':'is needed'}]");
    }
}

static void tells_where_it_could_not_say_anything(void **state)
{
    (void)state;
    struct json_object *got = NULL;
    struct why why = {""};
    assert_err(answer_by("{ params: [ { id: a, value: \"${asset.params}\" } ] }", "[{'id':'a'}]",
                         CLK_NEVER, &got, &why),
               ERR_POLICY);
    assert_string_equal(why.text, "params[a]: ${asset.params} is no text but a list or an object");
    assert_err(answer_by(SEATS, "[{'id':'seats'}]", clk_mono_ms(), &got, &why), ERR_TIMEOUT);
    assert_non_null(strstr(why.text, "params[seats]: no time is left"));
    assert_err(answer_by("{ params: [ { id: a, check: { pattern: \"(a+)+$\" }, message: x } ] }",
                         "[{'id':'a','value':'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!'}]",
                         CLK_NEVER, &got, &why),
               ERR_POLICY);
    assert_non_null(strstr(why.text, "params[a]: pattern: gave up"));
    assert_null(got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_cannot_work),
        cmocka_unit_test(clears_an_error_or_says_the_message),
        cmocka_unit_test(says_nothing_of_what_the_form_does_not_have),
        cmocka_unit_test(computes_values_and_checks_these),
        cmocka_unit_test(says_what_else_a_form_can_show),
        cmocka_unit_test(checks_one_parameter_several_times),
        cmocka_unit_test(compares_with_another_parameter),
        cmocka_unit_test(knows_that_a_structure_is_filled_in),
        cmocka_unit_test(tells_where_it_could_not_say_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
