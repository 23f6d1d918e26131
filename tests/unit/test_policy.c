/* test_policy.c - the vocabulary of decisions, and asking. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/jsonx.h"
#include "json_text.h"
#include "policy/policy.h"

#include "base/clk.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

struct answer {
    const struct object_class *object_class;
    const char *json, *told; /* `told` is NULL for an answer that is fine */
};

static void assert_told(const struct answer *c)
{
    struct json_object *answer = json(c->json);
    struct decision d = {0};
    struct why why = {""};
    enum err e = decision_parse(answer, c->object_class, &d, &why);
    if (c->told == NULL && e != ERR_OK)
        fail_msg("%s: %s", c->json, why.text);
    if (c->told != NULL && (e != ERR_POLICY || strstr(why.text, c->told) == NULL))
        fail_msg("%s: %s: %s", c->json, err_name(e), why.text);
    if (c->told != NULL)
        assert_null(d.json);
    if (e == ERR_OK)
        decision_free(&d);
    json_object_put(answer);
}

#define FULFILLMENT &class_fulfillment_request

static void refuses_what_is_no_decision(void **state)
{
    (void)state;
    static const struct answer bad[] = {
        {FULFILLMENT, "null", "must be an object"},
        {FULFILLMENT, "\"approve\"", "must be an object"},
        {FULFILLMENT, "[]", "must be an object"},
        {FULFILLMENT, "{}", "needs an action"},
        {FULFILLMENT, "{\"action\":null}", "needs an action"},
        {FULFILLMENT, "{\"action\":1}", "needs an action"},
        {FULFILLMENT, "{\"action\":\"\"}", "there are: skip, reschedule, approve"},
        {FULFILLMENT, "{\"action\":\"Approve\"}", "action Approve is none"},
        {FULFILLMENT, "{\"action\":\"assign\"}", "there are: skip"},
        {FULFILLMENT, "{\"action\":\"accept\"}", "fulfillment_request"},
        {&class_tier_account_request, "{\"action\":\"approve\"}", "accept, ignore"},
        {&class_listing_request, "{\"action\":\"approve\"}", "deploy, refine, complete, cancel"},
        {&class_billing_request, "{\"action\":\"approve\"}", "annotate"},
        {&class_usage_file, "{\"action\":\"assign\"}", "submit, delete, reprocess"},
    };
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_told(&bad[i]);
}

static void refuses_fields_that_the_action_does_not_take(void **state)
{
    (void)state;
    static const struct answer bad[] = {
        {FULFILLMENT, "{\"action\":\"approve\",\"reason\":\"x\"}",
         "reason: approve takes template, template_id, activation_tile, effective_date, params, "
         "message"},
        {FULFILLMENT, "{\"action\":\"approve\",\"templte_id\":\"TL-1\"}", "templte_id: approve"},
        {FULFILLMENT, "{\"action\":\"approve\",\"unknown\":null}", "unknown: approve"},
        {FULFILLMENT, "{\"action\":\"fail\",\"reason\":\"x\",\"template_id\":\"TL-1-2-3\"}",
         "template_id: fail takes reason, params, message"},
        {FULFILLMENT, "{\"action\":\"inquire\",\"effective_date\":\"2026-01-01\"}",
         "effective_date: inquire takes template, template_id, activation_tile, params"},
        {FULFILLMENT, "{\"action\":\"confirm\",\"note\":\"x\"}", "confirm takes params, message"},
        {FULFILLMENT, "{\"action\":\"skip\",\"after\":60}", "skip takes reason"},
        {&class_tier_config_request, "{\"action\":\"inquire\",\"template_id\":\"TL-1-2-3\"}",
         "inquire takes params"},
        {&class_tier_account_request, "{\"action\":\"accept\",\"note\":\"x\"}",
         "accept takes params"},
        {&class_usage_file, "{\"action\":\"reject\",\"reason\":\"x\"}", "reject takes note"},
    };
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_told(&bad[i]);
}

static void refuses_wrong_types_and_values(void **state)
{
    (void)state;
    static const struct answer bad[] = {
        {FULFILLMENT, "{\"action\":\"fail\"}", "fail needs reason"},
        {FULFILLMENT, "{\"action\":\"fail\",\"reason\":null}", "fail needs reason"},
        {FULFILLMENT, "{\"action\":\"fail\",\"reason\":5}", "reason: must be a text"},
        {FULFILLMENT, "{\"action\":\"schedule\"}", "schedule needs planned_date"},
        {FULFILLMENT, "{\"action\":\"schedule\",\"planned_date\":\"tomorrow\"}", "must be a time"},
        {FULFILLMENT, "{\"action\":\"approve\",\"effective_date\":20260101}", "must be a text"},
        {FULFILLMENT, "{\"action\":\"approve\",\"template_id\":\"../x\"}", "must be an id"},
        {FULFILLMENT, "{\"action\":\"approve\",\"template_id\":\"\"}", "must be an id"},
        {FULFILLMENT,
         "{\"action\":\"approve\",\"template_id\":\"TL-1-2-3\",\"activation_tile\":\"x\"}",
         "one of template, template_id and activation_tile"},
        {FULFILLMENT, "{\"action\":\"inquire\",\"template_id\":\"TL-1-2-3\",\"template\":\"x\"}",
         "one of template, template_id and activation_tile"},
        {FULFILLMENT, "{\"action\":\"approve\",\"template\":[\"x\"]}", "template: must be a text"},
        {&class_listing_request, "{\"action\":\"deploy\",\"template\":\"x\"}",
         "deploy takes params"},
        {FULFILLMENT, "{\"action\":\"skip\",\"message\":\"\"}", "message: must have"},
        {FULFILLMENT, "{\"action\":\"skip\",\"message\":[\"x\"]}", "message: must be a text"},
        {&class_billing_request, "{\"action\":\"annotate\"}", "annotate needs attributes"},
        {&class_billing_request, "{\"action\":\"annotate\",\"attributes\":[]}",
         "attributes: must be an object"},
        {FULFILLMENT, "{\"action\":\"reschedule\"}", "reschedule needs after"},
        {FULFILLMENT, "{\"action\":\"reschedule\",\"after\":29}", "from 30 s"},
        {FULFILLMENT, "{\"action\":\"reschedule\",\"after\":-60}", "from 30 s"},
        {FULFILLMENT, "{\"action\":\"reschedule\",\"after\":2592001}", "30 days"},
        {FULFILLMENT, "{\"action\":\"reschedule\",\"after\":60.5}", "must be seconds"},
        {FULFILLMENT, "{\"action\":\"reschedule\",\"after\":true}", "must be seconds"},
        {FULFILLMENT, "{\"action\":\"reschedule\",\"after\":\"\"}", "must be seconds"},
        {FULFILLMENT, "{\"action\":\"reschedule\",\"after\":\"m\"}", "must be seconds"},
        {FULFILLMENT, "{\"action\":\"reschedule\",\"after\":\"5 m\"}", "must be seconds"},
        {FULFILLMENT, "{\"action\":\"reschedule\",\"after\":\"5min\"}", "must be seconds"},
        {FULFILLMENT, "{\"action\":\"reschedule\",\"after\":\"5w\"}", "must be seconds"},
        {FULFILLMENT, "{\"action\":\"reschedule\",\"after\":\"10s\"}", "from 30 s"},
        {FULFILLMENT, "{\"action\":\"reschedule\",\"after\":\"31d\"}", "30 days"},
        {FULFILLMENT, "{\"action\":\"reschedule\",\"after\":\"99999999999999999999s\"}",
         "must be seconds"},
    };
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_told(&bad[i]);
}

static void refuses_wrong_parameters(void **state)
{
    (void)state;
    static const struct {
        const char *params, *told;
    } bad[] = {
        {"{}", "params: must be a list"},
        {"\"x\"", "params: must be a list"},
        {"[null]", "params[0]: must be an object"},
        {"[\"x\"]", "params[0]: must be an object"},
        {"[{}]", "params[0]: needs an id"},
        {"[{\"id\":\"\",\"value\":\"x\"}]", "params[0]: needs an id"},
        {"[{\"id\":null,\"value\":\"x\"}]", "params[0]: needs an id"},
        {"[{\"value\":\"x\"}]", "params[0]: needs an id"},
        {"[{\"id\":5,\"value\":\"x\"}]", "params[0].id: must be a text"},
        {"[{\"id\":\"a\"}]", "sets nothing of a"},
        {"[{\"id\":\"a\",\"value\":null}]", "sets nothing of a"},
        {"[{\"id\":\"a\",\"value\":5}]", "params[0].value: must be a text"},
        {"[{\"id\":\"a\",\"value\":\"x\"},{\"id\":\"b\",\"value_error\":true}]",
         "params[1].value_error: must be a text"},
        {"[{\"id\":\"a\",\"constraints\":\"x\"}]", "params[0].constraints: must be an object"},
        {"[{\"id\":\"a\",\"structured_error\":[]}]", "structured_error: must be an object"},
        {"[{\"id\":\"a\",\"vaule\":\"x\"}]", "params[0].vaule: a parameter takes id, value"},
        {"[{\"id\":\"a\",\"value\":\"x\"},{\"id\":\"a\",\"value\":\"y\"}]",
         "params[1]: a is given twice"},
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        char text[256];
        snprintf(text, sizeof text, "{\"action\":\"skip\",\"params\":%s}", bad[i].params);
        assert_told(&(struct answer){FULFILLMENT, text, bad[i].told});
    }

    struct json_object *many = json("{\"action\":\"skip\",\"params\":[]}");
    for (int i = 0; i <= DECISION_PARAMS_MAX; i++)
        json_object_array_add(jsonx_array(many, "params"), json_object_new_object());
    struct decision d;
    struct why why;
    assert_err(decision_parse(many, FULFILLMENT, &d, &why), ERR_POLICY);
    assert_string_equal(why.text, "params: more than 1000");
    json_object_put(many);
}

static void refuses_a_message_that_is_too_long(void **state)
{
    (void)state;
    char text[DECISION_MESSAGE_MAX + 2];
    memset(text, 'x', sizeof text);
    struct json_object *answer = json("{\"action\":\"pend\"}");
    struct decision d;
    json_object_object_add(answer, "message",
                           json_object_new_string_len(text, DECISION_MESSAGE_MAX + 1));
    assert_err(decision_parse(answer, FULFILLMENT, &d, NULL), ERR_POLICY);
    json_object_object_add(answer, "message",
                           json_object_new_string_len(text, DECISION_MESSAGE_MAX));
    assert_err(decision_parse(answer, FULFILLMENT, &d, NULL), ERR_OK);
    assert_int_equal(strlen(d.message), DECISION_MESSAGE_MAX);
    json_object_put(answer);
    decision_free(&d);
}

static void never_tells_a_value(void **state)
{
    (void)state;
    struct json_object *answer = json("{\"action\":\"skip\",\"params\":[{\"id\":\"pw\",\"value\":"
                                      "\"hunter2\",\"value_error\":{\"x\":\"hunter2\"}}]}");
    struct decision d;
    struct why why;
    assert_err(decision_parse(answer, FULFILLMENT, &d, &why), ERR_POLICY);
    assert_null(strstr(why.text, "hunter2"));
    json_object_put(answer);
}

static void reads_decisions(void **state)
{
    (void)state;
    static const struct answer good[] = {
        {FULFILLMENT, "{\"action\":\"approve\"}", NULL},
        {FULFILLMENT, "{\"action\":\"approve\",\"template_id\":\"TL-471-184-949\"}", NULL},
        {FULFILLMENT, "{\"action\":\"inquire\",\"template\":\"Default\"}", NULL},
        {FULFILLMENT, "{\"action\":\"approve\",\"template_id\":null,\"reason\":null}", NULL},
        {FULFILLMENT,
         "{\"action\":\"approve\",\"activation_tile\":\"# Hi\",\"effective_date\":"
         "\"2023-04-28 11:36:38.814429+00:00\",\"message\":\"done\"}",
         NULL},
        {FULFILLMENT,
         "{\"action\":\"inquire\",\"params\":[{\"id\":\"a\",\"value\":\"\",\"value_error\":\"?\","
         "\"structured_value\":{},\"constraints\":{\"required\":true},\"structured_error\":{}},"
         "{\"id\":\"b\",\"structured_value\":\"\"}]}",
         NULL},
        {FULFILLMENT, "{\"action\":\"pend\"}", NULL},
        {FULFILLMENT, "{\"action\":\"confirm\",\"params\":[]}", NULL},
        {FULFILLMENT, "{\"action\":\"schedule\",\"planned_date\":\"2026-12-01\"}", NULL},
        {&class_tier_config_request, "{\"action\":\"fail\",\"reason\":\"x\"}", NULL},
        {&class_tier_account_request, "{\"action\":\"ignore\",\"reason\":\"x\"}", NULL},
        {&class_listing_request, "{\"action\":\"deploy\"}", NULL},
        {&class_billing_request, "{\"action\":\"annotate\",\"attributes\":{\"vendor\":{}}}", NULL},
        {&class_usage_file, "{\"action\":\"reject\",\"note\":\"x\"}", NULL},
        {&class_usage_file, "{\"action\":\"skip\"}", NULL},
    };
    for (size_t i = 0; i < COUNT(good); i++)
        assert_told(&good[i]);

    struct json_object *answer = json(
        "{\"action\":\"fail\",\"reason\":\"why\",\"message\":\"text\",\"params\":[]}");
    struct decision d;
    assert_err(decision_parse(answer, FULFILLMENT, &d, NULL), ERR_OK);
    json_object_put(answer); /* the decision lives on */
    assert_string_equal(d.action, "fail");
    assert_string_equal(d.reason, "why");
    assert_string_equal(d.message, "text");
    assert_non_null(d.params);
    assert_string_equal(d.rule, "");
    decision_free(&d);
    assert_null(d.json);
    decision_free(&d);
}

static void reads_spans_of_time(void **state)
{
    (void)state;
    static const struct {
        const char *after;
        int64_t s;
    } spans[] = {{"30", 30},       {"\"30\"", 30},    {"\"90s\"", 90},      {"\"5m\"", 300},
                 {"\"2h\"", 7200}, {"\"1d\"", 86400}, {"2592000", 2592000}, {"\"30d\"", 2592000}};
    for (size_t i = 0; i < COUNT(spans); i++) {
        char text[128];
        snprintf(text, sizeof text, "{\"action\":\"reschedule\",\"after\":%s}", spans[i].after);
        struct json_object *answer = json(text);
        struct decision d;
        assert_err(decision_parse(answer, &class_usage_file, &d, NULL), ERR_OK);
        assert_int_equal(d.after_s, spans[i].s);
        json_object_put(answer);
        decision_free(&d);
    }
}

static void lets_quotes_stand_in_a_draft(void **state)
{
    (void)state;
    static const struct answer drafts[] = {
        {FULFILLMENT, "{\"action\":\"approve\",\"template_id\":\"${template.id}\"}", NULL},
        {FULFILLMENT, "{\"action\":\"approve\",\"effective_date\":\"${created}\"}", NULL},
        {FULFILLMENT, "{\"action\":\"reschedule\",\"after\":\"${$event.data.wait:-5m}\"}", NULL},
        {FULFILLMENT, "{\"action\":\"${x}\"}", "action ${x}"},
        {FULFILLMENT, "{\"action\":\"approve\",\"params\":\"${x}\"}", "must be a list"},
        {FULFILLMENT, "{\"action\":\"approve\",\"template_id\":\"nonsense\"}", "must be an id"},
        {FULFILLMENT, "{\"action\":\"reschedule\",\"after\":\"5s\"}", "from 30 s"},
    };
    for (size_t i = 0; i < COUNT(drafts); i++) {
        struct json_object *answer = json(drafts[i].json);
        struct why why = {""};
        enum err e = decision_check_draft(answer, drafts[i].object_class, &why);
        assert_err(e, drafts[i].told == NULL ? ERR_OK : ERR_POLICY);
        if (drafts[i].told != NULL)
            assert_non_null(strstr(why.text, drafts[i].told));
        json_object_put(answer);
    }
}

static void allows_what_the_side_may_do_in_the_state(void **state)
{
    (void)state;
    static const struct {
        const struct object_class *object_class;
        enum side side;
        const char *object, *action, *told;
    } cases[] = {
        {FULFILLMENT, SIDE_VENDOR, "{\"status\":\"pending\"}", "approve", NULL},
        {FULFILLMENT, SIDE_VENDOR, "{\"status\":\"pending\"}", "inquire", NULL},
        {FULFILLMENT, SIDE_VENDOR, "{\"status\":\"revoking\"}", "confirm", NULL},
        {FULFILLMENT, SIDE_VENDOR, "{\"status\":\"inquiring\"}", "pend", NULL},
        {FULFILLMENT, SIDE_VENDOR, "{\"status\":\"approved\"}", "skip", NULL},
        {FULFILLMENT, SIDE_VENDOR, "{}", "skip", NULL},
        {&class_usage_file, SIDE_VENDOR, "{\"status\":\"READY\"}", "submit", NULL},
        {&class_listing_request, SIDE_DISTRIBUTOR, "{\"state\":\"reviewing\"}", "deploy", NULL},
        {FULFILLMENT, SIDE_VENDOR, "{\"status\":\"approved\"}", "approve",
         "a vendor may not approve a fulfillment_request in state approved; allowed: skip, "
         "reschedule"},
        {FULFILLMENT, SIDE_VENDOR, "{\"status\":\"revoking\"}", "approve",
         "allowed: confirm, skip, reschedule"},
        {FULFILLMENT, SIDE_VENDOR, "{\"status\":\"pending\"}", "confirm", "approve"},
        {FULFILLMENT, SIDE_DISTRIBUTOR, "{\"status\":\"pending\"}", "approve", "a distributor"},
        {FULFILLMENT, SIDE_VENDOR, "{\"status\":7}", "approve", "state (none)"},
        {FULFILLMENT, SIDE_VENDOR, "[]", "approve", "state (none)"},
        {&class_listing_request, SIDE_VENDOR, "{\"state\":\"reviewing\"}", "deploy", "a vendor"},
        {&class_listing_request, SIDE_DISTRIBUTOR, "{\"state\":\"deploying\"}", "deploy",
         "complete"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct json_object *object = json(cases[i].object);
        const struct decision d = {
            .action = cases[i].action,
            .verb = object_verb_find(cases[i].object_class, cases[i].action)};
        struct why why = {""};
        enum err e = decision_allowed(&d, cases[i].object_class, cases[i].side, object, &why);
        if (e != (cases[i].told == NULL ? ERR_OK : ERR_STATE))
            fail_msg("%s %s: %s: %s", cases[i].action, cases[i].object, err_name(e), why.text);
        if (cases[i].told != NULL && strstr(why.text, cases[i].told) == NULL)
            fail_msg("%s %s: %s", cases[i].action, cases[i].object, why.text);
        json_object_put(object);
    }
}

static void offers_verbs_of_the_class_only(void **state)
{
    (void)state;
    /* Whatever a state allows and a policy may choose must pass the vocabulary, and the other way
     * round: an action of ours is a verb that the class's table knows. */
    static const char *const actions[] = {
        "approve", "fail",   "inquire",   "pend",   "schedule", "confirm", "revoke",
        "accept",  "ignore", "deploy",    "refine", "complete", "cancel",  "annotate",
        "submit",  "delete", "reprocess", "reject", "close",
    };
    for (size_t c = 0; object_classes[c] != NULL; c++)
        for (size_t i = 0; i < COUNT(actions); i++) {
            char text[256];
            snprintf(text, sizeof text,
                     "{\"action\":\"%s\",\"reason\":%s,\"planned_date\":%s,\"attributes\":%s}",
                     actions[i], strcmp(actions[i], "fail") == 0 ? "\"x\"" : "null",
                     strcmp(actions[i], "schedule") == 0 ? "\"2026-01-01\"" : "null",
                     strcmp(actions[i], "annotate") == 0 ? "{}" : "null");
            struct json_object *answer = json(text);
            struct decision d;
            bool ours = decision_parse(answer, object_classes[c], &d, NULL) == ERR_OK;
            if (ours != (object_verb_find(object_classes[c], actions[i]) != NULL))
                fail_msg("%s of %s", actions[i], object_classes[c]->name);
            if (ours)
                decision_free(&d);
            json_object_put(answer);
        }
}

/* A field that the vocabulary does not have could never be given. */
static void knows_every_field_of_every_verb(void **state)
{
    (void)state;
    for (size_t c = 0; object_classes[c] != NULL; c++)
        for (const struct object_verb *v = object_classes[c]->verbs; v->name != NULL; v++)
            for (const struct verb_field *f = v->fields; f->name != NULL; f++) {
                char text[128];
                struct why why = {""};
                snprintf(text, sizeof text, "{'action':'%s','%s':7}", v->name, f->name);
                struct json_object *draft = json(text);
                assert_err(decision_check_draft(draft, object_classes[c], &why), ERR_POLICY);
                if (strstr(why.text, " takes ") != NULL)
                    fail_msg("%s: %s", object_classes[c]->name, why.text);
                json_object_put(draft);
            }
}

static struct policy_question question(struct json_object *object)
{
    return (struct policy_question){.object_class = FULFILLMENT,
                                    .side = SIDE_VENDOR,
                                    .webhook_id = "WH-1",
                                    .webhook_type = TYPE_EVENT,
                                    .object = object,
                                    .attempt = 2};
}

static void writes_the_question(void **state)
{
    (void)state;
    struct json_object *object = json("{\"id\":\"PR-1\"}"), *data = json("{\"data\":{\"k\":1}}"),
                       *root;
    struct policy_question q = question(object);
    struct buf b;
    buf_init(&b, 10000);
    assert_err(policy_question_json(&q, 7, &root), ERR_OK);
    jsonx_print(&b, root);
    assert_string_equal(b.data,
                        "{\"version\":1,\"id\":7,\"kind\":\"process\",\"object_class\":"
                        "\"fulfillment_request\",\"side\":\"vendor\",\"webhook\":{\"id\":\"WH-1\","
                        "\"type\":\"event\","
                        "\"data\":null},\"event\":null,\"object\":{\"id\":\"PR-1\"},\"attempt\":2,"
                        "\"dry_run\":false,\"deadline_ms\":0}");
    json_object_put(root);
    q.dry_run = true;
    q.deadline = CLK_NEVER;
    q.claims = data;
    q.kind = POLICY_VALIDATE;
    assert_err(policy_question_json(&q, 8, &root), ERR_OK);
    buf_reset(&b);
    jsonx_print(&b, root);
    assert_non_null(strstr(b.data, "\"kind\":\"validate\""));
    assert_non_null(strstr(b.data, "\"dry_run\":true,\"deadline_ms\":2147483647"));
    assert_non_null(strstr(b.data, "\"data\":{\"k\":1}},\"event\":{\"data\":{\"k\":1}}"));
    json_object_put(root);
    buf_free(&b);
    json_object_put(data);
    json_object_put(object);
}

static void skips_without_a_policy_and_says_so(void **state)
{
    (void)state;
    struct json_object *object = json("{\"id\":\"PR-1\"}");
    struct policy_question q = question(object);
    struct policy *none;
    struct decision d;
    assert_err(policy_open(&(struct conf_policy){.kind = CONF_POLICY_NONE}, POLICY_PROCESS,
                           FULFILLMENT, NULL, &none, NULL),
               ERR_OK);
    assert_err(policy_ask(none, &q, &d, NULL), ERR_OK);
    assert_string_equal(d.action, "skip");
    assert_string_equal(d.reason, "the webhook has no policy");
    decision_free(&d);
    policy_stop(none);
    policy_free(none);
    policy_stop(NULL);
    policy_free(NULL);
    json_object_put(object);
}

/* A policy that answers with what it holds. */
struct parrot {
    struct policy head;
    const char *answer; /* NULL: fails */
    bool stopped;
};

static enum err parrot_ask(struct policy *p, const struct policy_question *q,
                           struct json_object **ret_answer, char ret_rule[DECISION_RULE_MAX],
                           struct why *why)
{
    const struct parrot *parrot = (const struct parrot *)p;
    (void)q;
    if (parrot->answer == NULL)
        return why_set(why, ERR_TIMEOUT, "asleep");
    strcpy(ret_rule, "parrot:1");
    *ret_answer = json(parrot->answer);
    return ERR_OK;
}

static void parrot_stop(struct policy *p)
{
    ((struct parrot *)p)->stopped = true;
}

static void asks_and_checks_the_answer(void **state)
{
    (void)state;
    static const struct policy_ops ops = {.ask = parrot_ask, .stop = parrot_stop};
    struct parrot parrot = {{&ops}, "{\"action\":\"approve\"}", false};
    struct json_object *object = json("{}");
    struct policy_question q = question(object);
    struct decision d;
    struct why why = {""};
    assert_err(policy_ask(&parrot.head, &q, &d, &why), ERR_OK);
    assert_string_equal(d.action, "approve");
    assert_string_equal(d.rule, "parrot:1");
    decision_free(&d);
    parrot.answer = "{\"action\":\"sing\"}";
    assert_err(policy_ask(&parrot.head, &q, &d, &why), ERR_POLICY);
    assert_non_null(strstr(why.text, "parrot:1: action sing"));
    parrot.answer = NULL;
    policy_stop(&parrot.head);
    assert_true(parrot.stopped);
    assert_err(policy_ask(&parrot.head, &q, &d, &why), ERR_TIMEOUT);
    assert_string_equal(why.text, "asleep");
    json_object_put(object);
}

static struct policy_question form_question(struct json_object *document)
{
    struct policy_question q = question(document);
    q.kind = POLICY_VALIDATE;
    q.webhook_type = TYPE_VALIDATOR;
    return q;
}

static void says_nothing_about_a_form_without_a_policy(void **state)
{
    (void)state;
    struct json_object *document = json("{\"asset\":{}}"), *changes = document;
    struct policy_question q = form_question(document);
    struct policy *none;
    char rule[DECISION_RULE_MAX] = "x";
    assert_err(policy_open(&(struct conf_policy){.kind = CONF_POLICY_NONE}, POLICY_VALIDATE,
                           FULFILLMENT, NULL, &none, NULL),
               ERR_OK);
    assert_err(policy_validate(none, &q, &changes, rule, NULL), ERR_OK);
    assert_null(changes);
    assert_string_equal(rule, "");
    json_object_put(document);
}

/* Either the parameters alone, or a whole document. */
static void takes_both_answers_to_a_form(void **state)
{
    (void)state;
    static const struct policy_ops ops = {.ask = parrot_ask};
    static const struct {
        const char *answer, *changes, *told;
        const struct object_class *object_class;
    } cases[] = {
        {"{'params':[{'id':'a','value':null,'value_error':'x','value_choices':[]}]}",
         "{'asset':{'params':[{'id':'a','value_error':'x','value_choices':[]}]}}", NULL,
         FULFILLMENT},
        {"{'id':7,'params':[]}", "{'asset':{'params':[]}}", NULL, FULFILLMENT},
        {"{'params':[{'id':'a','value':'x'}]}", "{'params':[{'id':'a','value':'x'}]}", NULL,
         &class_tier_config_request},
        {"{'id':'PR-1','asset':{'params':[{'id':'a','value':null}]},'x':1}",
         "{'id':'PR-1','asset':{'params':[{'id':'a','value':null}]},'x':1}", NULL, FULFILLMENT},
        {"{'configuration':{},'params':[{'id':'a','value':'x'}]}",
         "{'configuration':{},'params':[{'id':'a','value':'x'}]}", NULL,
         &class_tier_config_request},
        {"{'id':'PR-2','asset':{}}", NULL, "parrot:1: the answer is about another document: PR-2",
         FULFILLMENT},
        {"{}", NULL, "a form is answered with", FULFILLMENT},
        {"[]", NULL, "a form is answered with", FULFILLMENT},
        {"null", NULL, NULL, FULFILLMENT},
        {"{'action':'approve'}", NULL, "a form is answered with", FULFILLMENT},
        {"{'action':'approve','params':[]}", NULL, "a form is answered with", FULFILLMENT},
        {"{'params':{}}", NULL, "a form is answered with", FULFILLMENT},
        {"{'params':[{'id':'a','value':5}]}", NULL, "params[0].value: must be a text", FULFILLMENT},
        {"{'params':[{'id':'a','value':'1'},{'id':'a','value':'2'}]}", NULL, "a is given twice",
         FULFILLMENT},
        {"{'params':[{'id':'a','check':{}}]}", NULL, "params[0].check: a parameter takes",
         FULFILLMENT},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct parrot parrot = {{&ops}, cases[i].answer, false};
        struct json_object *document = json("{\"id\":\"PR-1\"}"), *got = NULL, *want = NULL;
        struct policy_question q = form_question(document);
        char rule[DECISION_RULE_MAX] = "";
        struct why why = {""};
        q.object_class = cases[i].object_class;
        enum err e = policy_validate(&parrot.head, &q, &got, rule, &why);
        assert_err(e, cases[i].told != NULL ? ERR_POLICY : ERR_OK);
        assert_non_null(strstr(why.text, cases[i].told != NULL ? cases[i].told : ""));
        if (cases[i].changes != NULL)
            want = json(cases[i].changes);
        if (!json_object_equal(got, want))
            fail_msg("%s: %s", cases[i].answer, json_object_to_json_string(got));
        json_object_put(want);
        json_object_put(got);
        json_object_put(document);
    }
}

/* What a rule, or a program, quotes of a password is for nobody to read; what it says it shall be
 * is. */
static void hides_passwords_in_what_is_said_about_a_form(void **state)
{
    (void)state;
    static const struct policy_ops ops = {.ask = parrot_ask};
    struct parrot parrot = {
        {&ops},
        "{'params':[{'id':'pw','value':'new secret','value_error':'old secret has expired'},"
        "{'id':'a','value_error':'not new secret','structured_error':{'context':{'a':'old "
        "secret'}}}]}",
        false};
    struct json_object *got = NULL,
                       *document = json("{'asset':{'params':[{'id':'pw','type':'password',"
                                        "'value':'old secret'},{'id':'a','value':'old secret'}]}}");
    struct policy_question q = form_question(document);
    char rule[DECISION_RULE_MAX];
    assert_err(policy_validate(&parrot.head, &q, &got, rule, NULL), ERR_OK);
    assert_string_equal(
        json_object_to_json_string_ext(got, JSON_C_TO_STRING_PLAIN),
        "{\"asset\":{\"params\":[{\"id\":\"pw\",\"value\":\"new secret\",\"value_error\":"
        "\"******** has expired\"},{\"id\":\"a\",\"value_error\":\"not ********\","
        "\"structured_error\":{\"context\":{\"a\":\"********\"}}}]}}");
    json_object_put(got);
    json_object_put(document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_is_no_decision),
        cmocka_unit_test(refuses_fields_that_the_action_does_not_take),
        cmocka_unit_test(refuses_wrong_types_and_values),
        cmocka_unit_test(refuses_wrong_parameters),
        cmocka_unit_test(refuses_a_message_that_is_too_long),
        cmocka_unit_test(never_tells_a_value),
        cmocka_unit_test(reads_decisions),
        cmocka_unit_test(reads_spans_of_time),
        cmocka_unit_test(lets_quotes_stand_in_a_draft),
        cmocka_unit_test(allows_what_the_side_may_do_in_the_state),
        cmocka_unit_test(offers_verbs_of_the_class_only),
        cmocka_unit_test(knows_every_field_of_every_verb),
        cmocka_unit_test(writes_the_question),
        cmocka_unit_test(skips_without_a_policy_and_says_so),
        cmocka_unit_test(asks_and_checks_the_answer),
        cmocka_unit_test(says_nothing_about_a_form_without_a_policy),
        cmocka_unit_test(takes_both_answers_to_a_form),
        cmocka_unit_test(hides_passwords_in_what_is_said_about_a_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
