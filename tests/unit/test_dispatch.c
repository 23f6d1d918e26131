/* test_dispatch.c - from a webhook to its account's client and its own policy. */
#include "unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/http.h"
#include "base/jsonx.h"
#include "fake_http.h"
#include "policy/rules.h"
#include "tasks/dispatch.h"

#define ENDS_MS 20000

/* ------------------------------------------------- a configuration and an inbox by hand */

static struct conf conf;
static struct conf_account accounts[2];
static struct conf_webhook webhooks[4];
static int conf_refs;
static char locked[128];

struct conf *conf_ref(struct conf *c)
{
    conf_refs++;
    return c;
}

void conf_unref(struct conf *c)
{
    assert_ptr_equal(c, &conf);
    conf_refs--;
}

const struct conf_webhook *conf_webhook(const struct conf *c, const char *id)
{
    for (size_t i = 0; i < c->webhooks_count; i++)
        if (strcmp(c->webhooks[i].id, id) == 0)
            return &c->webhooks[i];
    return NULL;
}

enum err inbox_lock_sweep(struct inbox *i, const char *account_id, const char *product_id,
                          const struct object_class *c, int64_t deadline, struct inbox_lock **ret,
                          struct why *why)
{
    static char nothing;
    (void)i;
    (void)deadline;
    (void)why;
    snprintf(locked, sizeof locked, "%s %s %s", account_id, product_id, c->name);
    *ret = (struct inbox_lock *)&nothing;
    return ERR_OK;
}

void inbox_unlock_sweep(struct inbox_lock *lock)
{
    assert_non_null(lock);
}

/* Rules that do as their path says; "bad" does not load. */
static int loads, frees;

static enum err ask(struct policy *p, const struct policy_question *q, struct json_object **ret,
                    char ret_rule[128], struct why *told)
{
    static const char text[] = "{\"action\":\"fail\",\"reason\":\"by the rule\"}";
    (void)p;
    assert_ptr_equal(q->object_class, &class_fulfillment_request);
    ret_rule[0] = '\0';
    return jsonx_parse(text, sizeof text - 1, sizeof text, ret, told);
}

static void forget(struct policy *p)
{
    frees++;
    free(p);
}

enum err rules_load(const char *path, const struct object_class *c, struct policy **ret,
                    struct why *told)
{
    static const struct policy_ops ops = {.name = "test", .ask = ask, .free = forget};
    (void)c;
    if (strcmp(path, "bad") == 0)
        return why_set(told, ERR_CONFIG, "%s:1:1: no rules", path);
    loads++;
    *ret = malloc(sizeof **ret);
    assert_non_null(*ret);
    (*ret)->ops = &ops;
    return ERR_OK;
}

/* --------------------------------------------------------------------------- fixtures */

static struct fake *fakes[2];
static char urls[2][128];
static struct secret *key;
static struct why why;

static struct conf_webhook webhook(const char *id, const struct conf_account *account,
                                   enum webhook_type type, enum conf_policy_kind kind)
{
    return (struct conf_webhook){.id = id,
                                 .account = account,
                                 .product = "PRD-1-2-3",
                                 .object_class = &class_fulfillment_request,
                                 .type = type,
                                 .states = {"pending", NULL},
                                 .policy = {.kind = kind, .path = "good"}};
}

static int set_up(void **state)
{
    (void)state;
    static const char *const ids[] = {"VA-1", "VA-2"};
    assert_err(secret_from_bytes("SU-1:secret", 11, &key), ERR_OK);
    for (size_t i = 0; i < 2; i++) {
        fakes[i] = fake_start();
        snprintf(urls[i], sizeof urls[i], "%s/public/v1", fake_url(fakes[i]));
        accounts[i] = (struct conf_account){.id = ids[i],
                                            .side = SIDE_VENDOR,
                                            .api_url = urls[i],
                                            .api_key = {.value = key},
                                            .connect_timeout_ms = ENDS_MS,
                                            .timeout_ms = ENDS_MS};
    }
    webhooks[0] = webhook("WH-1", &accounts[0], TYPE_EVENT, CONF_POLICY_RULES);
    webhooks[1] = webhook("WH-2", &accounts[1], TYPE_EVENT, CONF_POLICY_RULES);
    webhooks[2] = webhook("WH-3", &accounts[1], TYPE_EVENT, CONF_POLICY_NONE);
    webhooks[3] = webhook("WH-4", &accounts[1], TYPE_VALIDATOR, CONF_POLICY_NONE);
    conf = (struct conf){
        .accounts = accounts, .accounts_count = 2, .webhooks = webhooks, .webhooks_count = 4};
    loads = frees = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++)
        fake_stop(fakes[i]);
    secret_free(key);
    assert_int_equal(conf_refs, 0);
    assert_int_equal(frees, loads);
    return 0;
}

static void keep(void *ctx, const struct swept *s)
{
    snprintf(ctx, 256, "%s %s %s %s", s->id, s->action, outcome_name(s->outcome), s->reason);
}

static enum err sweep(struct dispatch *d, const struct conf_webhook *w, bool dry_run, char ret[256])
{
    struct sweep_result result;
    const struct sweep_terms terms = {
        .deadline = clk_mono_ms() + ENDS_MS, .object_ms = ENDS_MS, .dry_run = dry_run};
    ret[0] = '\0';
    return dispatch_sweep(d, w, &terms, keep, ret, &result, &why);
}

/* A queue of one request, PR-1. */
static void put_request(struct fake *f)
{
    static const char one[] = "{\"id\":\"PR-1\",\"status\":\"pending\"}";
    char list[128];
    snprintf(list, sizeof list, "[%s]", one);
    fake_answer(f, 200, "Content-Range: items 0-0/1\r\n", list);
    fake_answer(f, 200, "", one);
}

/* ------------------------------------------------------------------------------- tests */

static void makes_nothing_of_rules_that_do_not_load(void **state)
{
    (void)state;
    struct dispatch *d = NULL;
    webhooks[1].policy.path = "bad";
    assert_err(dispatch_new(&conf, NULL, &d, &why), ERR_CONFIG);
    assert_string_equal(why.text, "webhook WH-2: bad:1:1: no rules");
    assert_null(d);
}

static void loads_rules_once_for_each_file_and_class(void **state)
{
    (void)state;
    struct dispatch *d;
    webhooks[2].policy.kind = CONF_POLICY_RULES;
    webhooks[2].object_class = &class_usage_file;
    webhooks[3].policy = (struct conf_policy){.kind = CONF_POLICY_RULES, .path = "bad"};
    assert_err(dispatch_new(&conf, NULL, &d, &why), ERR_OK);
    assert_int_equal(loads, 2); /* WH-1 and WH-2 share; a validator's are not ours */
    dispatch_unref(d);
}

static void makes_nothing_without_an_api_key(void **state)
{
    (void)state;
    struct dispatch *d = NULL;
    accounts[1].api_key.value = NULL;
    assert_err(dispatch_new(&conf, NULL, &d, &why), ERR_CONFIG);
    assert_non_null(strstr(why.text, "VA-2"));
    assert_null(d);
}

static void sweeps_with_the_webhooks_account_and_policy(void **state)
{
    (void)state;
    struct dispatch *d;
    char got[256];
    assert_err(dispatch_new(&conf, NULL, &d, &why), ERR_OK);
    put_request(fakes[1]);
    fake_answer(fakes[1], 200, "", "{\"status\":\"failed\"}");
    assert_err(sweep(d, &webhooks[1], false, got), ERR_OK);
    assert_string_equal(got, "PR-1 fail done ");
    assert_string_equal(locked, "VA-2 PRD-1-2-3 fulfillment_request");
    assert_non_null(strstr(fake_request(fakes[1], 2), "by the rule"));
    put_request(fakes[0]);
    assert_err(sweep(d, &webhooks[0], true, got), ERR_OK);
    assert_string_equal(got, "PR-1 fail skip dry run: would fail");
    put_request(fakes[1]);
    assert_err(sweep(d, &webhooks[2], false, got), ERR_OK);
    assert_string_equal(got, "PR-1 skip skip the webhook has no policy");
    assert_int_equal(fake_requests(fakes[0]), 2);
    assert_int_equal(fake_requests(fakes[1]), 5);
    dispatch_unref(d);
}

static void sweeps_for_no_validator_and_no_stranger(void **state)
{
    (void)state;
    struct dispatch *d;
    char got[256];
    struct conf_webhook stranger = webhooks[0];
    stranger.id = "WH-99";
    assert_err(dispatch_new(&conf, NULL, &d, &why), ERR_OK);
    assert_err(sweep(d, &webhooks[3], false, got), ERR_INVALID);
    assert_err(sweep(d, &stranger, false, got), ERR_NOT_FOUND);
    assert_int_equal(fake_requests(fakes[0]) + fake_requests(fakes[1]), 0);
    dispatch_unref(d);
}

static void lives_until_its_last_user_lets_go(void **state)
{
    (void)state;
    struct dispatch *d;
    char got[256];
    assert_err(dispatch_new(&conf, NULL, &d, &why), ERR_OK);
    assert_ptr_equal(dispatch_ref(d), d);
    dispatch_unref(d);
    assert_int_equal(conf_refs, 1);
    dispatch_stop(d);
    assert_err(sweep(d, &webhooks[0], false, got), ERR_STOPPED);
    dispatch_unref(d);
    assert_int_equal(conf_refs, 0);
    dispatch_unref(NULL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    if (http_global_init(NULL) != ERR_OK)
        return 1;
    const struct CMUnitTest tests[] = {
        TEST(makes_nothing_of_rules_that_do_not_load),
        TEST(loads_rules_once_for_each_file_and_class),
        TEST(makes_nothing_without_an_api_key),
        TEST(sweeps_with_the_webhooks_account_and_policy),
        TEST(sweeps_for_no_validator_and_no_stranger),
        TEST(lives_until_its_last_user_lets_go),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    http_global_free();
    return failed;
}
