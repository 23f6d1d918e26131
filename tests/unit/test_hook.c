/* test_hook.c - the steps of a call: where it ends, with what, and that it is answered once. */
#include "unit.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/jwt.h"
#include "base/clk.h"
#include "base/log.h"
#include "conf/owner.h"
#include "fake_api.h"
#include "fake_inbox.h"
#include "json_text.h"
#include "web/hook.h"

#define PRODUCT "PRD-111-222-333"
#define SECRET  "a secret of the webhook, of 40 characters"

/* ---------------------------------------------------------- a request and its answer */

struct exchange {
    struct request request; /* first: request_ops gets its address */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    int answers;
    int status;
    char retry_after[32];
    char text[256];           /* of the body */
    struct json_object *body; /* owned; NULL if there is none */
};

static void respond(struct request *r, const struct response *res)
{
    struct exchange *x = (struct exchange *)r;
    pthread_mutex_lock(&x->lock);
    x->answers++;
    x->status = res->status;
    for (size_t i = 0; i < RESPONSE_HEADERS_MAX && res->headers[i].name != NULL; i++)
        if (strcmp(res->headers[i].name, "Retry-After") == 0)
            snprintf(x->retry_after, sizeof x->retry_after, "%.31s", res->headers[i].value);
    snprintf(x->text, sizeof x->text, "%s", res->body.data);
    x->body = res->content_type != NULL ? json(res->body.data) : NULL;
    pthread_cond_signal(&x->wake);
    pthread_mutex_unlock(&x->lock);
}

static void resume(struct request *r, request_fn *fn, void *ctx)
{
    (void)r;
    fn(ctx);
}

static const struct request_ops ops = {.respond = respond, .resume = resume};
static char authentication[2048];
static struct buf scratch; /* one exchange has it at a time */

static struct exchange post(const char *token_header)
{
    buf_reset(&scratch);
    return (struct exchange){.request = {.ops = &ops,
                                         .scratch = &scratch,
                                         .id = "0123456789abcdef",
                                         .method = "POST",
                                         .path = "/",
                                         .authentication = token_header,
                                         .body = ""},
                             .lock = PTHREAD_MUTEX_INITIALIZER,
                             .wake = PTHREAD_COND_INITIALIZER};
}

/* -------------------------------------------------------------------------- fixtures */

static struct fake_api connect;
static struct fake_inbox inbox;
static struct conf *conf;
static struct snapshots *snapshots;
static struct hook *hook;

static struct secret *secret(const char *text)
{
    struct secret *s;
    assert_err(secret_from_bytes(text, strlen(text), &s), ERR_OK);
    return s;
}

static struct conf_webhook webhook(const char *id, enum webhook_type type)
{
    return (struct conf_webhook){.id = id,
                                 .account = &conf->accounts[0],
                                 .product = PRODUCT,
                                 .object_class = &class_fulfillment_request,
                                 .type = type,
                                 .secrets = {{.value = secret(SECRET)}},
                                 .secrets_count = 1,
                                 .states = {"pending"}};
}

/* Ends every wait, as the program does that cannot wait. */
static void stop(void)
{
    snapshots_stop(snapshots);
    inbox_stop(inbox.inbox);
}

/* WH-1-1 is an event's webhook, WH-2-2 a validator. */
static int set_up(void **state)
{
    (void)state;
    buf_init(&scratch, REQUEST_ENV_MAX);
    fake_api_start(&connect);
    fake_inbox_open(&inbox);
    conf = &conf_owner_new()->conf;
    conf->accounts = calloc(1, sizeof *conf->accounts);
    conf->accounts_count = 1;
    conf->accounts[0] = connect.account;
    conf->accounts[0].api_key.value = secret(FAKE_KEY);
    conf->webhooks = calloc(2, sizeof *conf->webhooks);
    conf->webhooks[0] = webhook("WH-1-1", TYPE_EVENT);
    conf->webhooks[1] = webhook("WH-2-2", TYPE_VALIDATOR);
    conf->webhooks_count = 2;
    conf->has_secrets = true;
    conf->processing.inline_deadline_ms = 4 * SOON_MS;
    conf->processing.max_attempts = 12;
    conf->web.inline_threads = 1;
    conf->web.validation_threads = 1;
    conf->web.validation_deadline_ms = SOON_MS;
    assert_err(snapshots_new(conf, NULL, &snapshots, NULL), ERR_OK);
    assert_err(hook_new(conf, inbox.inbox, snapshots, true, &hook, NULL), ERR_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hook_free(hook);
    snapshots_free(snapshots);
    conf_unref(conf);
    fake_inbox_close(&inbox);
    fake_api_stop(&connect);
    buf_free(&scratch);
    return 0;
}

/* The header of a token with these claims, as json_text.h takes them, and `exp`. Static. */
static const char *token(const char *claims_text)
{
    struct json_object *claims = json(claims_text);
    struct jwt_key *key;
    struct buf b;
    buf_init(&b, sizeof authentication);
    json_object_object_add(claims, "exp", json_object_new_int64(clk_wall_s() + 600));
    assert_err(jwt_key_new((const uint8_t *)SECRET, strlen(SECRET), &key), ERR_OK);
    assert_err(jwt_sign(claims, key, &b), ERR_OK);
    snprintf(authentication, sizeof authentication, "Bearer %s", b.data);
    jwt_key_free(key);
    buf_free(&b);
    json_object_put(claims);
    return authentication;
}

#define EVENT "{'webhook_id':'WH-1-1','product_id':'" PRODUCT "'}"

static void await(struct exchange *x)
{
    pthread_mutex_lock(&x->lock);
    while (x->answers == 0)
        pthread_cond_wait(&x->wake, &x->lock);
    pthread_mutex_unlock(&x->lock);
}

/* What a call is answered: its status; the rest stays in *x until forget(). */
static int handle(struct exchange *x)
{
    hook_handle(hook, &x->request);
    await(x);
    return x->status;
}

static void forget(struct exchange *x)
{
    assert_int_equal(x->answers, 1);
    json_object_put(x->body);
}

static void assert_refused(struct exchange x, int status)
{
    assert_int_equal(handle(&x), status);
    assert_int_equal(jsonx_int(x.body, "status", 0), status);
    assert_int_equal(inbox.appends, 0);
    forget(&x);
}

/* ------------------------------------------------------------------------------- tests */

static void admits_calls_alone(void **state)
{
    (void)state;
    struct exchange x = post(token(EVENT));
    x.request.method = "PUT";
    assert_refused(x, 405);
    x.request.method = "POST";
    x.request.path = "/-/healthz";
    assert_refused(x, 404);
    x.request.path = "/";
    x.request.content_encoding = "gzip";
    assert_refused(x, 415);
    x.request.content_encoding = NULL;
    x.request.err = ERR_TOO_BIG;
    assert_refused(x, 413);
}

static void authenticates_one_token_of_a_known_webhook(void **state)
{
    (void)state;
    assert_refused(post(NULL), 401);
    assert_refused(post("Bearer a.b.c"), 401);
    assert_refused(post(token("{'webhook_id':'WH-9-9'}")), 401);
    struct exchange x = post(token(EVENT));
    authentication[strlen(authentication) - 2] ^= 1;
    assert_refused(x, 401);
}

static void understands_claims(void **state)
{
    (void)state;
    assert_refused(post(token("{'webhook_id':'WH-1-1','data':[]}")), 401);
    assert_refused(post(token("{'webhook_id':'WH-2-2','data':[]}")), 401);
}

/* The story names files of ours. */
static void is_not_acknowledged_when_it_is_not_stored(void **state)
{
    (void)state;
    struct exchange x = post(token(EVENT));
    inbox.receipt = (struct inbox_receipt){.err = ERR_BUSY, .why = {"inbox /var/lib/x: full"}};
    assert_int_equal(handle(&x), 503);
    assert_string_equal(jsonx_str(x.body, "detail", ""), err_text(ERR_STORE));
    assert_string_equal(x.retry_after, "30");
    assert_int_equal(fake_requests(connect.server), 0);
    forget(&x);
}

static void keeps_what_is_none_of_its_business_and_leaves_it(void **state)
{
    (void)state;
    struct exchange x = post(token("{'webhook_id':'WH-1-1','product_id':'PRD-9'}"));
    inbox.receipt.id = 7;
    assert_int_equal(handle(&x), 200);
    assert_string_equal(jsonx_str(x.body, "status", ""), "ignored");
    assert_int_equal(jsonx_int(x.body, "delivery", 0), 7);
    assert_non_null(strstr(jsonx_str(x.body, "reason", ""), "another product"));
    assert_int_equal(inbox.delivery.state, DELIVERY_IGNORED);
    assert_string_equal(inbox.states, "");
    assert_int_equal(fake_requests(connect.server), 0);
    forget(&x);
}

static void put_request(void)
{
    fake_api_answer(&connect, 200, "[{'id':'PR-1','status':'pending'}]");
    fake_api_answer(&connect, 200, "{'id':'PR-1','status':'pending'}");
}

static void tells_what_became_of_each_object(void **state)
{
    (void)state;
    static const char *const words[] = {"done", "duplicate"};
    for (int i = 0; i < 2; i++) {
        struct exchange x = post(token(EVENT));
        inbox.receipt.seen = i + 1;
        put_request();
        assert_int_equal(handle(&x), 200);
        assert_string_equal(jsonx_str(x.body, "status", ""), words[i]);
        struct json_object *objects = jsonx_array(x.body, "objects");
        assert_int_equal(json_object_array_length(objects), 1);
        assert_string_equal(jsonx_str(json_object_array_get_idx(objects, 0), "object_id", ""),
                            "PR-1");
        assert_int_equal(inbox.delivery.state, DELIVERY_STORED);
        forget(&x);
    }
    assert_string_equal(inbox.states, "1 done, 1 done");
}

/* Whatever kept the work from its end, to Connect it is "not now", with what there is so far. */
static void says_when_to_call_again(void **state)
{
    (void)state;
    struct exchange x = post(token(EVENT));
    fake_api_answer(&connect, 200, "[{'id':'PR-1','status':'pending'}]");
    fake_answer(connect.server, 401, "", "{}");
    assert_int_equal(handle(&x), 503);
    assert_int_equal(json_object_array_length(jsonx_array(x.body, "objects")), 1);
    forget(&x);
    fake_answer(connect.server, 429, "Retry-After: 600\r\n", "{}");
    x = post(token(EVENT));
    assert_int_equal(handle(&x), 503);
    assert_in_range(atoi(x.retry_after), 500, 600);
    assert_int_equal(json_object_array_length(jsonx_array(x.body, "objects")), 0);
    forget(&x);
    assert_string_equal(inbox.states, "1 failed, 1 failed");
}

/* Where what stopped it lies is for the operator, in the log. */
/* The log does. */
static void tells_no_path_of_what_stopped_it(void **state)
{
    (void)state;
    char log_path[] = "/tmp/test-hook.XXXXXX", logged[4096];
    const struct log_options to_file = {.level = LOG_INFO, .file = log_path},
                             to_stderr = {.level = LOG_INFO, .file = "stderr"};
    int fd = mkstemp(log_path);
    assert_err(log_open(&to_file, NULL), ERR_OK);
    struct exchange x = post(token(EVENT));
    inbox.store_answer = ERR_STORE;
    assert_int_equal(handle(&x), 503);
    assert_string_equal(jsonx_str(x.body, "detail", ""), "storage failed");
    forget(&x);
    assert_string_equal(inbox.states, "1 failed");
    assert_err(log_open(&to_stderr, NULL), ERR_OK);
    ssize_t length = read(fd, logged, sizeof logged - 1);
    assert_true(length > 0);
    logged[length] = '\0';
    assert_non_null(strstr(logged, "inbox /var/lib/x: no room"));
    close(fd);
    unlink(log_path);
}

static void waits_for_the_disk_in_nobodys_thread(void **state)
{
    (void)state;
    struct exchange x = post(token(EVENT));
    inbox.held = true;
    hook_handle(hook, &x.request);
    assert_int_equal(x.answers, 0);
    assert_int_equal(fake_requests(connect.server), 0);
    put_request();
    fake_inbox_release(&inbox);
    await(&x);
    assert_int_equal(x.status, 200);
    forget(&x);
}

/* A call keeps the configuration that it began with. */
static void serves_by_another_configuration_after_a_reload(void **state)
{
    (void)state;
    struct exchange x = post(token(EVENT));
    struct conf *fresh = &conf_owner_new()->conf;
    fresh->has_secrets = true;
    inbox.held = true;
    hook_handle(hook, &x.request);
    assert_err(snapshots_replace(snapshots, fresh, NULL), ERR_OK);
    conf_unref(fresh);
    struct exchange later = post(token(EVENT));
    assert_int_equal(handle(&later), 401);
    forget(&later);
    put_request();
    fake_inbox_release(&inbox);
    await(&x);
    assert_int_equal(x.status, 200);
    forget(&x);
}

/* In queue mode nobody works while a call waits. */
static void acknowledges_what_is_queued(void **state)
{
    (void)state;
    struct exchange x = post(token(EVENT)), again = post(token(EVENT));
    conf->processing.mode = MODE_QUEUE;
    inbox.receipt.id = 7;
    assert_int_equal(handle(&x), 202);
    assert_string_equal(jsonx_str(x.body, "status", ""), "accepted");
    assert_int_equal(jsonx_int(x.body, "delivery", 0), 7);
    inbox.receipt.seen = 2;
    assert_int_equal(handle(&again), 202);
    assert_string_equal(jsonx_str(again.body, "status", ""), "duplicate");
    assert_int_equal(fake_requests(connect.server), 0);
    forget(&x);
    forget(&again);
}

static void waits_for_nothing_once_it_is_stopped(void **state)
{
    (void)state;
    struct exchange x = post(token(EVENT));
    stop();
    assert_int_equal(handle(&x), 503);
    assert_int_equal(fake_requests(connect.server), 0);
    forget(&x);
}

/* ----------------------------------------------------------------------- validations */

#define FORM "{'webhook_id':'WH-2-2','product_id':'" PRODUCT "'}"

static struct exchange post_form(const char *body)
{
    struct exchange x = post(token(FORM));
    x.request.body = body;
    x.request.body_len = strlen(body);
    return x;
}

/* What no calling again would better. Nothing is stored but that it was. */
static void refuses_what_is_no_form(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "no JSON",
        "[]",
        "null",
        "{}",
        "{\"asset\":[]}",
        "{\"asset\":{}} {}",
        "{\"asset\":{},\"asset\":{}}",
        "{\"configuration\":{}}", /* of another class */
        "{\"asset\":{\"id\":\"\xff\"}}",
    };
    size_t count = sizeof bad / sizeof *bad;
    for (size_t i = 0; i < count; i++) {
        assert_refused(post_form(bad[i]), 400);
        assert_int_equal(inbox.tally.failure, i + 1);
    }
    assert_int_equal(inbox.tally.success, 0);
}

static void refuses_to_take_another_s_call_for_a_form(void **state)
{
    (void)state;
    struct exchange x = post_form("{\"asset\":{}}");
    x.request.authentication = token("{'webhook_id':'WH-2-2','product_id':'PRD-9'}");
    assert_int_equal(handle(&x), 400);
    assert_non_null(strstr(jsonx_str(x.body, "detail", ""), "another product"));
    forget(&x);
    x = post_form("");
    x.request.method = "GET";
    assert_int_equal(handle(&x), 400);
    assert_non_null(strstr(jsonx_str(x.body, "detail", ""), "to POST"));
    forget(&x);
    assert_int_equal(inbox.tally.failure, 2);
    assert_int_equal(inbox.appends, 0);
}

static void gives_a_form_back_that_nothing_is_said_about(void **state)
{
    (void)state;
    static const char *const texts[] = {"{\"asset\":{}}", "{ \"asset\" :{\"params\":[1]}\n}",
                                        /* of another situation than the webhook's */
                                        "{\"type\":\"cancel\",\"asset\":{},\"n\":1.50}"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct exchange x = post_form(texts[i]);
        assert_int_equal(handle(&x), 200);
        assert_string_equal(x.text, texts[i]);
        forget(&x);
    }
    assert_int_equal(inbox.tally.success, 3);
    assert_int_equal(inbox.tally.failure, 0);
    assert_int_equal(inbox.appends, 0);
    assert_int_equal(fake_requests(connect.server), 0);
}

/* The one thread of the other pool waits for Connect. */
static void answers_forms_beside_a_sweep_that_hangs(void **state)
{
    (void)state;
    struct exchange event = post(token(EVENT));
    fake_raw(connect.server, FAKE_HANG, "");
    hook_handle(hook, &event.request);
    struct exchange form = post_form("{\"asset\":{}}");
    assert_int_equal(handle(&form), 200);
    assert_int_equal(event.answers, 0);
    forget(&form);
    stop();
    await(&event);
    forget(&event);
}

static void gives_no_answer_after_its_deadline(void **state)
{
    (void)state;
    conf->web.validation_deadline_ms = 0;
    struct exchange x = post_form("{\"asset\":{}}");
    assert_int_equal(handle(&x), 503);
    assert_int_equal(inbox.tally.failure, 1);
    forget(&x);
}

static void turns_calls_away_where_there_is_no_configuration(void **state)
{
    (void)state;
    struct exchange x = post(NULL);
    hook_unavailable(NULL, &x.request);
    assert_int_equal(x.status, 503);
    forget(&x);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(admits_calls_alone),
        TEST(authenticates_one_token_of_a_known_webhook),
        TEST(understands_claims),
        TEST(is_not_acknowledged_when_it_is_not_stored),
        TEST(keeps_what_is_none_of_its_business_and_leaves_it),
        TEST(tells_what_became_of_each_object),
        TEST(says_when_to_call_again),
        TEST(tells_no_path_of_what_stopped_it),
        TEST(waits_for_the_disk_in_nobodys_thread),
        TEST(serves_by_another_configuration_after_a_reload),
        TEST(acknowledges_what_is_queued),
        TEST(waits_for_nothing_once_it_is_stopped),
        TEST(refuses_what_is_no_form),
        TEST(refuses_to_take_another_s_call_for_a_form),
        TEST(gives_a_form_back_that_nothing_is_said_about),
        TEST(answers_forms_beside_a_sweep_that_hangs),
        TEST(gives_no_answer_after_its_deadline),
        TEST(turns_calls_away_where_there_is_no_configuration),
    };
    return fake_run(tests, sizeof tests / sizeof *tests);
}
