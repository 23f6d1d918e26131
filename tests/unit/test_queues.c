/* test_queues.c - from a webhook to its account's client and its own policy. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clk.h"
#include "fake_api.h"
#include "fake_inbox.h"
#include "tasks/work.h"

/* --------------------------------------------------------------------------- fixtures */

static struct fake_api connects[2]; /* one an account */
static struct conf_account accounts[2];
static struct conf_webhook webhooks[4];
static struct conf conf;
static struct fake_inbox inbox;
static struct clients *clients;
static struct queues *queues;
static struct why why;
static char good[] = "/tmp/test_queues-XXXXXX", bad[] = "/tmp/test_queues-XXXXXX",
            forms[] = "/tmp/test_queues-XXXXXX";

static void write_rules(char *path, const char *text)
{
    memcpy(strrchr(path, '-') + 1, "XXXXXX", 6);
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static struct conf_webhook webhook(const char *id, const struct conf_account *account,
                                   enum webhook_type type, enum conf_policy_kind kind)
{
    return (struct conf_webhook){.id = id,
                                 .account = account,
                                 .product = "PRD-1-2-3",
                                 .object_class = &class_fulfillment_request,
                                 .type = type,
                                 .states = {"pending", NULL},
                                 .policy = {.kind = kind, .path = good}};
}

static int set_up(void **state)
{
    (void)state;
    static const char *const ids[] = {"VA-1-1", "VA-2-2"};
    write_rules(good, "- then: { action: fail, reason: by the rule }\n");
    write_rules(bad, "- then: { action: sing }\n");
    write_rules(forms, "- then: { params: [ { id: a, value: b } ] }\n");
    for (size_t i = 0; i < 2; i++) {
        fake_api_start(&connects[i]);
        accounts[i] = connects[i].account;
        accounts[i].id = ids[i];
    }
    webhooks[0] = webhook("WH-1", &accounts[0], TYPE_EVENT, CONF_POLICY_RULES);
    webhooks[1] = webhook("WH-2", &accounts[1], TYPE_EVENT, CONF_POLICY_RULES);
    webhooks[2] = webhook("WH-3", &accounts[1], TYPE_EVENT, CONF_POLICY_NONE);
    webhooks[3] = webhook("WH-4", &accounts[1], TYPE_VALIDATOR, CONF_POLICY_NONE);
    conf = (struct conf){
        .accounts = accounts, .accounts_count = 2, .webhooks = webhooks, .webhooks_count = 4};
    conf.processing.max_attempts = 12;
    fake_inbox_open(&inbox);
    clients = clients_new(NULL);
    queues = NULL;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    queues_free(queues);
    clients_free(clients);
    fake_inbox_close(&inbox);
    for (size_t i = 0; i < 2; i++)
        fake_api_stop(&connects[i]);
    unlink(good);
    unlink(bad);
    unlink(forms);
    return 0;
}

static void keep(void *ctx, const struct object_report *r)
{
    snprintf(ctx, 256, "%s %s %s %.99s", r->id, r->action, outcome_name(r->outcome),
             r->result->why.text);
}

static enum err work(const char *webhook_id, bool dry_run, char ret[256])
{
    const struct task_terms terms = {.object_ms = SOON_MS, .dry_run = dry_run};
    struct work_summary summary;
    const struct queue *q;
    ret[0] = '\0';
    enum err e = queues_find(queues, webhook_id, &q, &why);
    return e == ERR_OK ? work_queue(q, inbox.inbox, &terms, NULL, clk_mono_ms() + SOON_MS, keep,
                                    ret, &summary)
                       : e;
}

/* A queue of one request, PR-1. */
static void put_request(struct fake_api *f)
{
    fake_api_answer(f, 200, "[{'id':'PR-1','status':'pending'}]");
    fake_api_answer(f, 200, "{'id':'PR-1','status':'pending'}");
}

/* ------------------------------------------------------------------------------- tests */

static void makes_nothing_of_rules_that_do_not_load(void **state)
{
    (void)state;
    webhooks[1].policy.path = bad;
    assert_err(queues_new(&conf, clients, NULL, &queues, &why), ERR_CONFIG);
    assert_memory_equal(why.text, "webhook WH-2: /tmp/test_queues-", 31);
    assert_null(queues);
}

/* A policy is asked about the objects of one class, or about their forms. */
static void shares_rules_among_webhooks_of_a_class(void **state)
{
    (void)state;
    const struct queue *q[3];
    webhooks[2].policy.kind = CONF_POLICY_RULES;
    webhooks[2].object_class = &class_fulfillment_request;
    webhooks[3].policy = (struct conf_policy){.kind = CONF_POLICY_RULES, .path = forms};
    assert_err(queues_new(&conf, clients, NULL, &queues, &why), ERR_OK);
    for (size_t i = 0; i < 3; i++)
        assert_err(queues_find(queues, webhooks[i].id, &q[i], &why), ERR_OK);
    assert_ptr_equal(q[0]->policy, q[1]->policy);
    assert_ptr_equal(q[0]->policy, q[2]->policy);
    queues_free(queues);
    webhooks[2].object_class = &class_tier_config_request;
    assert_err(queues_new(&conf, clients, NULL, &queues, &why), ERR_OK);
    assert_err(queues_find(queues, "WH-1", &q[0], &why), ERR_OK);
    assert_ptr_not_equal(q[0][2].policy, q[0]->policy);
}

/* In a process that must not hold it. */
static void is_there_without_an_api_key(void **state)
{
    (void)state;
    char got[256];
    accounts[1].api_key.value = NULL;
    assert_err(queues_new(&conf, clients, NULL, &queues, &why), ERR_OK);
    assert_err(work("WH-2", false, got), ERR_CONFIG);
    put_request(&connects[0]);
    assert_err(work("WH-1", true, got), ERR_OK);
}

static void works_with_the_webhooks_account_and_policy(void **state)
{
    (void)state;
    char got[256];
    assert_err(queues_new(&conf, clients, NULL, &queues, &why), ERR_OK);
    put_request(&connects[1]);
    fake_api_answer(&connects[1], 200, "{'status':'failed'}");
    assert_err(work("WH-2", false, got), ERR_OK);
    assert_string_equal(got, "PR-1 fail done ");
    assert_non_null(strstr(fake_request(connects[1].server, 2), "by the rule"));
    put_request(&connects[0]);
    assert_err(work("WH-1", true, got), ERR_OK);
    assert_string_equal(got, "PR-1 fail skip dry run: would fail");
    put_request(&connects[1]);
    assert_err(work("WH-3", false, got), ERR_OK);
    assert_string_equal(got, "PR-1 skip skip the webhook has no policy");
    assert_int_equal(fake_requests(connects[0].server), 2);
    assert_int_equal(fake_requests(connects[1].server), 5);
}

static void answers_forms_by_rules_that_are_for_forms(void **state)
{
    (void)state;
    webhooks[2] = webhook("WH-3", &accounts[1], TYPE_CHANGE_VALIDATOR, CONF_POLICY_RULES);
    webhooks[2].policy.path = webhooks[3].policy.path = forms;
    webhooks[3].policy.kind = CONF_POLICY_RULES;
    assert_err(queues_new(&conf, clients, NULL, &queues, &why), ERR_OK);
    assert_non_null(queues_validator(queues, &webhooks[2])->policy);
    assert_ptr_equal(queues_validator(queues, &webhooks[2])->policy,
                     queues_validator(queues, &webhooks[3])->policy);
    queues_free(queues);
    queues = NULL;
    webhooks[3].policy.path = good; /* the rules of the event's webhooks */
    assert_err(queues_new(&conf, clients, NULL, &queues, &why), ERR_CONFIG);
    assert_non_null(strstr(why.text, "webhook WH-4: "));
    assert_non_null(strstr(why.text, "a form is answered with"));
}

static void has_none_for_validators_and_strangers(void **state)
{
    (void)state;
    char got[256];
    assert_err(queues_new(&conf, clients, NULL, &queues, &why), ERR_OK);
    assert_err(work("WH-4", false, got), ERR_INVALID);
    assert_non_null(strstr(why.text, "validator"));
    assert_err(work("WH-99", false, got), ERR_NOT_FOUND);
    assert_int_equal(fake_requests(connects[0].server) + fake_requests(connects[1].server), 0);
}

/* Of the same account and product, and told of by an event's webhook. */
static void finds_the_queue_beside_another(void **state)
{
    (void)state;
    const struct queue *one, *beside;
    webhooks[1].account = webhooks[0].account;
    webhooks[1].object_class = &class_tier_config_request;
    assert_err(queues_new(&conf, clients, NULL, &queues, &why), ERR_OK);
    assert_err(queues_find(queues, "WH-2", &one, &why), ERR_OK);
    beside = queues_beside(queues, one, &class_fulfillment_request);
    assert_non_null(beside);
    assert_string_equal(beside->webhook->id, "WH-1");
    assert_null(queues_beside(queues, one, &class_usage_file));
    webhooks[0].product = "PRD-9-9-9";
    webhooks[2].account = webhooks[3].account = &accounts[1];
    assert_null(queues_beside(queues, one, &class_fulfillment_request));
}

static void shares_clients_with_the_configuration_before(void **state)
{
    (void)state;
    const struct queue *before, *after;
    struct queues *old;
    assert_err(queues_new(&conf, clients, NULL, &old, &why), ERR_OK);
    assert_err(queues_find(old, "WH-1", &before, &why), ERR_OK);
    assert_err(queues_new(&conf, clients, NULL, &queues, &why), ERR_OK);
    assert_err(queues_find(queues, "WH-1", &after, &why), ERR_OK);
    assert_ptr_equal(before->api, after->api);
    queues_free(old);
    put_request(&connects[0]);
    char got[256];
    assert_err(work("WH-1", true, got), ERR_OK);
    clients_stop(clients);
    assert_err(work("WH-1", true, got), ERR_STOPPED);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(makes_nothing_of_rules_that_do_not_load),
        TEST(shares_rules_among_webhooks_of_a_class),
        TEST(is_there_without_an_api_key),
        TEST(works_with_the_webhooks_account_and_policy),
        TEST(answers_forms_by_rules_that_are_for_forms),
        TEST(has_none_for_validators_and_strangers),
        TEST(finds_the_queue_beside_another),
        TEST(shares_clients_with_the_configuration_before),
    };
    return fake_run(tests, sizeof tests / sizeof *tests);
}
