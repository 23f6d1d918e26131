/* test_rules.c - a policy written as a list of rules. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clk.h"
#include "base/jsonx.h"
#include "json_text.h"
#include "policy/rules.h"

#define COUNT(a)    (sizeof(a) / sizeof *(a))
#define FULFILLMENT &class_fulfillment_request

static char folder[] = "/tmp/test_rules.XXXXXX";
static char file[64];

static int make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(file, sizeof file, "%s/some.rules.yaml", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(file);
    return rmdir(folder);
}

static void write_file(const char *yaml)
{
    FILE *f = fopen(file, "w");
    assert_non_null(f);
    fputs(yaml, f);
    assert_int_equal(fclose(f), 0);
}

static enum err load(const char *yaml, const struct object_class *c, struct policy **ret,
                     struct why *why)
{
    write_file(yaml);
    return rules_load(file, POLICY_PROCESS, c, ret, why);
}

static struct policy *loaded(const char *yaml)
{
    struct policy *p = NULL;
    struct why why = {""};
    if (load(yaml, FULFILLMENT, &p, &why) != ERR_OK)
        fail_msg("%s", why.text);
    return p;
}

static struct policy_question question(struct json_object *object)
{
    return (struct policy_question){.object_class = FULFILLMENT,
                                    .side = SIDE_VENDOR,
                                    .webhook_id = "WH-1",
                                    .webhook_type = TYPE_EVENT,
                                    .object = object,
                                    .attempt = 1};
}

/* ----------------------------------------------------------------- wrong files */

static void refuses_a_wrong_file_and_says_where(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *place, *told;
    } bad[] = {
        {"", "", "no rules"},
        {"# nothing\n", "", "no rules"},
        {"[]\n", ":1:1: ", "from 1 to"},
        {"when: x\n", ":1:", "a file of rules is a list"},
        {"approve\n", ":1:1: ", "a file of rules is a list"},
        {"- approve\n", ":1:3: ", "a rule is"},
        {"- when: a=b\n", ":1:", "needs `then`"},
        {"- {}\n", ":1:", "needs `then`"},
        {"- then: approve\n", ":1:9: ", "must be an object"},
        {"- then:\n", ":1:", "must be an object"},
        {"- then: { action: skip }\n  comment: x\n", ":2:3: ", "unknown key comment"},
        {"- if: a=b\n  then: { action: skip }\n", ":1:3: ", "unknown key if"},
        {"- when: \"eq(a,\"\n  then: { action: skip }\n", ":1:9: ", "`when`: column 6:"},
        {"- when: \"\"\n  then: { action: skip }\n", ":1:9: ", "leave the key out"},
        {"- when:\n  then: { action: skip }\n", ":1:", ""},
        {"- when: [a]\n  then: { action: skip }\n", ":1:9: ", ""},
        {"- when: gt(seats,many)\n  then: { action: skip }\n", ":1:9: ", "column 10: gt compares"},
        {"- when: and =ge=or\n  then: { action: skip }\n", ":1:9: ", "column 1: and is"},
        {"- when: gt(a,$other.b)\n  then: { action: skip }\n", ":1:9: ", "unknown $other.b"},
        {"- when: in(a,(1,$attempts))\n  then: { action: skip }\n", ":1:9: ", "$object.PATH"},
        {"- when: a=b&limit=5\n  then: { action: skip }\n", ":1:9: ", "limit"},
        {"- when: ordering(a)\n  then: { action: skip }\n", ":1:9: ", "ordering"},
        {"- when: $other.x=1\n  then: { action: skip }\n", ":1:9: ", "unknown $other.x"},
        {"- when: $attempts=1\n  then: { action: skip }\n", ":1:9: ", "$attempt"},
        {"- when: $webhook.name=1\n  then: { action: skip }\n", ":1:9: ", "$webhook.id"},
        {"- when: a=t($nope=1)\n  then: { action: skip }\n", ":1:9: ", "unknown $nope"},
        {"- when: a=b\n  then: { action: sing }\n", ":2:9: ", "there are: skip"},
        {"- then: { action: approve, reason: x }\n",
         ":1:9: ", "approve takes template, template_id"},
        {"- then: { action: fail, reason: 5 }\n", ":1:9: ", "quotes"},
        {"- then: { action: approve, effective_date: tomorrow }\n", ":1:9: ", "time"},
        {"- then: { action: fail, reason: \"${\" }\n", ":1:9: ", "never closed"},
        {"- then: { action: skip, message: \"${a..b}\" }\n", ":1:9: ", "not a path"},
        {"- then: { action: skip, params: [{ id: a, value: \"${$x}\" }] }\n", ":1:9: ", "unknown"},
        {"- then: { action: \"${type}\" }\n", ":1:9: ", "action ${type} is none"},
        {"- then: { action: skip }\n- when: a=b\n  then: { action: skip }\n",
         ":2:3: ", "never reached: the rule in line 1"},
        {"- then: { action: skip }\n- then: { action: skip }\n", ":2:3: ", "never reached"},
        {"- then: { action: skip, action: approve }\n", ":1:", ""},
        {"- then: { action: skip\n", ":", ""},
        {"- then: { action: skip }\n---\n- then: { action: skip }\n", ":", ""},
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct policy *p = NULL;
        struct why why = {""};
        enum err e = load(bad[i].yaml, FULFILLMENT, &p, &why);
        if (e == ERR_OK || p != NULL)
            fail_msg("let through:\n%s", bad[i].yaml);
        if (strstr(why.text, "some.rules.yaml") == NULL || strstr(why.text, bad[i].place) == NULL ||
            strstr(why.text, bad[i].told) == NULL)
            fail_msg("%s (not %s %s)\nfor:\n%s", why.text, bad[i].place, bad[i].told, bad[i].yaml);
    }
    struct policy *p = NULL;
    struct why why = {""};
    assert_err(rules_load("/nonexistent/rules.yaml", POLICY_PROCESS, FULFILLMENT, &p, &why),
               ERR_IO);
    assert_non_null(strstr(why.text, "/nonexistent/rules.yaml"));
}

/* Of a form, the first rule that matches is asked, too; if none does nothing is said. */
static void answers_forms(void **state)
{
    (void)state;
    struct policy *p = NULL;
    struct why why = {""};
    static const char yaml[] =
        "- when: eq(type,purchase)\n"
        "  then: { params: [ { id: a, check: { min: 1 }, message: \"${$webhook.type}\" } ] }\n"
        "- when: eq($webhook.type,change_validator)\n"
        "  then: { params: [ { id: a, value: \"${asset.params}\" } ] }\n";
    write_file(yaml);
    assert_err(rules_load(file, POLICY_PROCESS, FULFILLMENT, &p, &why), ERR_CONFIG);
    assert_non_null(strstr(why.text, "some.rules.yaml:2:9: `then`: a decision needs an action"));
    assert_err(rules_load(file, POLICY_VALIDATE, FULFILLMENT, &p, &why), ERR_OK);
    struct json_object *o = json("{'type':'purchase','asset':{'params':[{'id':'a','value':'0'}]}}");
    struct policy_question q = question(o);
    struct json_object *changes = NULL;
    char rule[DECISION_RULE_MAX];
    q.kind = POLICY_VALIDATE;
    q.webhook_type = TYPE_CHANGE_VALIDATOR;
    q.deadline = CLK_NEVER;
    assert_err(policy_validate(p, &q, &changes, rule, &why), ERR_OK);
    assert_string_equal(rule, "some.rules.yaml:1");
    assert_string_equal(
        json_object_to_json_string_ext(changes, JSON_C_TO_STRING_PLAIN),
        "{\"asset\":{\"params\":[{\"id\":\"a\",\"value_error\":\"change_validator\"}]}}");
    json_object_put(changes);
    jsonx_add_text(o, "type", "change");
    assert_err(policy_validate(p, &q, &changes, rule, &why), ERR_POLICY);
    assert_non_null(strstr(why.text, "some.rules.yaml:3: params[a]: ${asset.params} is no text"));
    q.webhook_type = TYPE_VALIDATOR;
    assert_err(policy_validate(p, &q, &changes, rule, &why), ERR_OK);
    assert_null(changes);
    assert_string_equal(rule, "");
    policy_free(p);
    json_object_put(o);
}

static void refuses_verbs_of_another_class(void **state)
{
    (void)state;
    struct policy *p = NULL;
    struct why why = {""};
    assert_err(load("- then: { action: accept }\n", FULFILLMENT, &p, &why), ERR_CONFIG);
    assert_err(load("- then: { action: accept }\n", &class_tier_account_request, &p, &why), ERR_OK);
    policy_free(p);
}

static void refuses_too_many_rules(void **state)
{
    (void)state;
    struct buf b;
    struct policy *p = NULL;
    struct why why = {""};
    buf_init(&b, 1 << 20);
    for (int i = 0; i < RULES_MAX; i++)
        buf_printf(&b, "- { when: n=%d, then: { action: skip, reason: \"rule %d\" } }\n", i, i);
    assert_err(load(b.data, FULFILLMENT, &p, &why), ERR_OK);
    policy_free(p);
    buf_addstr(&b, "- { when: a=b, then: { action: skip } }\n");
    assert_err(load(b.data, FULFILLMENT, &p, &why), ERR_CONFIG);
    buf_free(&b);
}

/* --------------------------------------------------------------------- deciding */

static void decides_by_the_first_match(void **state)
{
    (void)state;
    struct policy *p = loaded("# a comment\n"
                              "- when: type=cancel\n"
                              "  then: { action: approve }\n"
                              "\n"
                              "- when: in(type,(cancel,change))\n"
                              "  then: { action: fail, reason: no }\n"
                              "- when: $attempt=2\n"
                              "  then: { action: pend }\n");
    static const struct {
        const char *object, *action, *rule;
    } cases[] = {
        {"{\"type\":\"cancel\"}", "approve", "some.rules.yaml:2"},
        {"{\"type\":\"change\"}", "fail", "some.rules.yaml:5"},
        {"{\"type\":\"purchase\"}", "skip", ""},
        {"{}", "skip", ""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct json_object *object = json(cases[i].object);
        struct policy_question q = question(object);
        struct decision d;
        assert_err(policy_ask(p, &q, &d, NULL), ERR_OK);
        assert_string_equal(d.action, cases[i].action);
        assert_string_equal(d.rule, cases[i].rule);
        if (cases[i].rule[0] == '\0')
            assert_string_equal(d.reason, "no rule of some.rules.yaml matches");
        decision_free(&d);
        json_object_put(object);
    }
    policy_free(p);
}

static void reads_event_webhook_and_attempt(void **state)
{
    (void)state;
    struct policy *p = loaded("- when: and($event=null(),$webhook.data=null())\n"
                              "  then: { action: skip, reason: \"polled by ${$webhook.id}\" }\n"
                              "- when: and($event.data.region=eu,$webhook.type=event,$attempt=3)\n"
                              "  then:\n"
                              "    action: fail\n"
                              "    reason: \"${$webhook.data.k}, ${$event.n}, try ${$attempt}\"\n");
    struct json_object *object = json("{\"id\":\"PR-1\"}");
    struct policy_question q = question(object);
    struct decision d;
    assert_err(policy_ask(p, &q, &d, NULL), ERR_OK);
    assert_string_equal(d.reason, "polled by WH-1");
    decision_free(&d);
    q.claims = json("{\"data\":{\"region\":\"eu\",\"k\":\"v\"},\"n\":7}");
    q.attempt = 3;
    assert_err(policy_ask(p, &q, &d, NULL), ERR_OK);
    assert_string_equal(d.reason, "v, 7, try 3");
    decision_free(&d);
    json_object_put(q.claims);
    json_object_put(object);
    policy_free(p);
}

static void fills_quotes_in_anywhere(void **state)
{
    (void)state;
    struct policy *p = loaded("- then:\n"
                              "    action: approve\n"
                              "    template_id: \"${template.id}\"\n"
                              "    effective_date: \"${created}\"\n"
                              "    message: \"Hello ${asset.params[who].value:-there}, ${n}!\"\n"
                              "    params:\n"
                              "      - id: sub\n"
                              "        structured_value: { deep: [\"${id}\", 5, true, null] }\n");
    struct json_object *object = json(
        "{\"id\":\"PR-1\",\"n\":2.50,\"template\":{\"id\":\"TL-1-2-3\"},\"created\":"
        "\"2021-04-08T06:33:56+00:00\",\"asset\":{\"params\":[{\"id\":\"who\",\"value\":\"\"}]}}");
    struct policy_question q = question(object);
    struct decision d;
    struct why why = {""};
    if (policy_ask(p, &q, &d, &why) != ERR_OK)
        fail_msg("%s", why.text);
    assert_string_equal(d.message, "Hello there, 2.50!");
    struct buf b;
    buf_init(&b, 1000);
    jsonx_print(&b, d.json);
    assert_string_equal(
        b.data, "{\"action\":\"approve\",\"template_id\":\"TL-1-2-3\",\"effective_date\":"
                "\"2021-04-08T06:33:56+00:00\",\"message\":\"Hello there, 2.50!\",\"params\":"
                "[{\"id\":\"sub\",\"structured_value\":{\"deep\":[\"PR-1\",5,true,null]}}]}");
    buf_free(&b);
    decision_free(&d);
    json_object_put(object);
    policy_free(p);
}

static void names_rule_and_path_when_a_quote_fails(void **state)
{
    (void)state;
    struct policy *p = loaded("- when: type=a\n"
                              "  then: { action: fail, reason: \"${asset.nothing}\" }\n"
                              "- when: type=b\n"
                              "  then: { action: approve, template_id: \"${id}\" }\n");
    struct json_object *a = json("{\"type\":\"a\"}"),
                       *b = json("{\"type\":\"b\",\"id\":\"no id\"}");
    struct policy_question q = question(a);
    struct decision d;
    struct why why = {""};
    assert_err(policy_ask(p, &q, &d, &why), ERR_POLICY);
    assert_string_equal(why.text, "some.rules.yaml:1: ${asset.nothing} leads nowhere; give it a "
                                  "default: ${asset.nothing:-...}");
    q = question(b); /* what a quote gives is checked like anything else */
    assert_err(policy_ask(p, &q, &d, &why), ERR_POLICY);
    assert_string_equal(why.text,
                        "some.rules.yaml:3: template_id: must be an id like TL-123-456-789");
    json_object_put(a);
    json_object_put(b);
    policy_free(p);
}

/* --------------------------------------------------------------- the rules we ship */

/* A request as Connect gives it, with what the case says in the places of %s. */
static struct json_object *request(const char *type, const char *status, const char *connection,
                                   const char *quantity, const char *params)
{
    struct buf b;
    buf_init(&b, 10000);
    buf_printf(&b,
               "{\"id\":\"PR-7957-9623-8221-001\",\"type\":\"%s\",\"status\":\"%s\",\"note\":\"\","
               "\"reason\":\"\",\"created\":\"2021-04-08T06:33:56+00:00\",\"template\":{\"id\":"
               "\"TL-471-184-949\"},\"asset\":{\"id\":\"AS-7957-9623-8221\",\"external_id\":1234,"
               "\"connection\":{\"type\":\"%s\"},\"items\":[{\"id\":\"a\",\"quantity\":\"0\"},"
               "{\"id\":\"b\",\"quantity\":\"%s\",\"old_quantity\":\"8\"}],\"params\":[%s]},"
               "\"marketplace\":{\"id\":"
               "\"MP-78031\"}}",
               type, status, connection, quantity, params);
    struct json_object *o = json(b.data);
    buf_free(&b);
    return o;
}

#define EMAIL        "{\"id\":\"admin_email\",\"value\":\"a@example.com\"}"
#define NO_EMAIL     "{\"id\":\"admin_email\",\"value\":\"\"}"
#define SUBSCRIPTION "{\"id\":\"subscription_id\",\"value\":\"SUB-1\"}"

static void ships_rules_that_decide_as_they_say(void **state)
{
    (void)state;
    const char *srcdir = getenv("srcdir");
    char path[4096];
    snprintf(path, sizeof path, "%s/contrib/rules/fulfillment.rules.yaml",
             srcdir != NULL ? srcdir : ".");
    struct policy *p = NULL;
    struct why why = {""};
    if (rules_load(path, POLICY_PROCESS, FULFILLMENT, &p, &why) != ERR_OK)
        fail_msg("%s", why.text);
    static const struct {
        const char *type, *status, *connection, *quantity, *params;
        int attempt;
        const char *action, *has; /* a part of the decision */
    } cases[] = {
        {"purchase", "pending", "test", "10", EMAIL, 1, "approve", "SUB-AS-7957-9623-8221"},
        {"purchase", "pending", "preview", "100", EMAIL, 1, "approve", "subscription_id"},
        {"purchase", "pending", "test", "101", EMAIL, 1, "fail", "at most 100"},
        {"purchase", "pending", "test", "10", NO_EMAIL, 1, "inquire", "e-mail address"},
        {"purchase", "pending", "test", "10", "", 1, "inquire", "AS-7957-9623-8221"},
        {"purchase", "pending", "production", "10", NO_EMAIL, 1, "inquire", "value_error"},
        {"purchase", "pending", "production", "10", EMAIL, 1, "skip", "order 1234: for a person"},
        {"cancel", "pending", "production", "10", EMAIL, 1, "skip", "for a person"},
        {"purchase", "pending", "test", "10", EMAIL ",{\"id\":\"migration_info\",\"value\":\"{}\"}",
         1, "skip", "migration"},
        {"purchase", "pending", "test", "10", EMAIL ",{\"id\":\"migration_info\",\"value\":\"\"}",
         1, "approve", ""},
        {"cancel", "pending", "test", "0", "", 1, "approve", "2021-04-08T06:33:56+00:00"},
        {"cancel", "revoking", "production", "0", "", 1, "confirm", ""},
        {"change", "pending", "test", "500", EMAIL "," SUBSCRIPTION, 1, "skip", "for sales"},
        {"suspend", "pending", "test", "1", SUBSCRIPTION, 1, "approve", ""},
        {"purchase", "pending", "test", "unlimited", EMAIL, 1, "approve", "subscription_id"},
        {"change", "pending", "test", "9", EMAIL "," SUBSCRIPTION, 1, "skip", "for sales"},
        {"change", "pending", "test", "8", EMAIL "," SUBSCRIPTION, 1, "approve", ""},
        {"suspend", "pending", "test", "1", "", 1, "reschedule", "10m"},
        {"suspend", "pending", "test", "1", "", 5, "reschedule", "10m"},
        {"transfer", "pending", "test", "1", "", 1, "skip", "transfer request"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct json_object *object = request(cases[i].type, cases[i].status, cases[i].connection,
                                             cases[i].quantity, cases[i].params);
        struct policy_question q = question(object);
        q.attempt = cases[i].attempt;
        struct decision d;
        struct buf b;
        buf_init(&b, 10000);
        if (policy_ask(p, &q, &d, &why) != ERR_OK)
            fail_msg("case %zu: %s", i, why.text);
        jsonx_print(&b, d.json);
        if (strcmp(d.action, cases[i].action) != 0 || strstr(b.data, cases[i].has) == NULL)
            fail_msg("case %zu: %s %s", i, d.rule, b.data);
        assert_err(decision_allowed(&d, FULFILLMENT, SIDE_VENDOR, object, &why), ERR_OK);
        buf_free(&b);
        decision_free(&d);
        json_object_put(object);
    }
    policy_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_a_wrong_file_and_says_where),
        cmocka_unit_test(refuses_verbs_of_another_class),
        cmocka_unit_test(answers_forms),
        cmocka_unit_test(refuses_too_many_rules),
        cmocka_unit_test(decides_by_the_first_match),
        cmocka_unit_test(reads_event_webhook_and_attempt),
        cmocka_unit_test(fills_quotes_in_anywhere),
        cmocka_unit_test(names_rule_and_path_when_a_quote_fails),
        cmocka_unit_test(ships_rules_that_decide_as_they_say),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
