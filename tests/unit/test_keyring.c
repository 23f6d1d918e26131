/* test_keyring.c - a token proves one webhook, by one of that webhook's secrets. */
#include "unit.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "auth/jwt.h"
#include "auth/keyring.h"
#include "base/jsonx.h"

#define NOW INT64_C(1700000000)

static struct conf_webhook webhooks[3];
static struct conf conf = {.webhooks = webhooks, .webhooks_count = 3};
static struct keyring *ring;
static struct buf payload; /* what keyring_verify() leaves */

static struct secret *new_secret(const char *text)
{
    struct secret *s = NULL;
    assert_err(secret_from_bytes(text, strlen(text), &s), ERR_OK);
    return s;
}

static int set_up(void **state)
{
    (void)state;
    buf_init(&payload, JWT_LEN_MAX);
    /* Not in the order of their ids. */
    webhooks[0] = (struct conf_webhook){.id = "WH-2", .secrets_count = 1};
    webhooks[1] = (struct conf_webhook){.id = "WH-3", .secrets_count = CONF_SECRETS_MAX};
    webhooks[2] = (struct conf_webhook){.id = "WH-1", .secrets_count = 1};
    webhooks[0].secrets[0].value = new_secret("secret of two");
    webhooks[2].secrets[0].value = new_secret("secret of one");
    for (size_t i = 0; i < CONF_SECRETS_MAX; i++) {
        char text[] = "secret of three: a";
        text[sizeof text - 2] = (char)('a' + i);
        webhooks[1].secrets[i].value = new_secret(text);
    }
    assert_err(keyring_new(&conf, &ring, NULL), ERR_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    buf_free(&payload);
    keyring_free(ring);
    for (size_t i = 0; i < 3; i++)
        for (size_t j = 0; j < webhooks[i].secrets_count; j++)
            secret_free(webhooks[i].secrets[j].value);
    return 0;
}

/* The claims' text, signed with a secret. free() it. */
static char *sign(const char *text, const char *secret)
{
    struct json_object *claims;
    struct jwt_key *key;
    struct buf token;
    assert_err(jsonx_parse(text, strlen(text), 1000, &claims, NULL), ERR_OK);
    assert_err(jwt_key_new((const uint8_t *)secret, strlen(secret), &key), ERR_OK);
    buf_init(&token, JWT_LEN_MAX);
    assert_err(jwt_sign(claims, key, &token), ERR_OK);
    jwt_key_free(key);
    json_object_put(claims);
    return buf_steal(&token);
}

static void refuse(const char *text, const char *secret, enum err want)
{
    char *token = sign(text, secret);
    struct verified v = {.secret = 99};
    struct why why = {""};
    assert_err(keyring_verify(ring, token, strlen(token), NOW, &payload, &v, &why), want);
    assert_int_equal(v.secret, 99);
    assert_null(v.claims);
    assert_string_not_equal(why.text, "");
    assert_null(strstr(why.text, "secret of"));
    free(token);
}

static void accept(const char *text, const char *secret, const char *id, size_t which)
{
    char *token = sign(text, secret);
    struct verified v;
    assert_err(keyring_verify(ring, token, strlen(token), NOW, &payload, &v, NULL), ERR_OK);
    assert_string_equal(v.webhook->id, id);
    assert_int_equal(v.secret, which);
    assert_string_equal(jsonx_str(v.claims, "webhook_id", ""), id);
    json_object_put(v.claims);
    free(token);
}

static void refuses_webhooks_that_are_not_configured(void **state)
{
    (void)state;
    static const char *const unknown[] = {
        "{\"webhook_id\":\"WH-4\",\"exp\":1700000600}",
        "{\"webhook_id\":\"\",\"exp\":1700000600}",
        "{\"webhook_id\":\"WH-\",\"exp\":1700000600}",
        "{\"webhook_id\":\"WH-11\",\"exp\":1700000600}",
        "{\"webhook_id\":\"wh-1\",\"exp\":1700000600}",
        "{\"webhook_id\":\"WH-1 \",\"exp\":1700000600}",
        "{\"webhook_id\":null,\"exp\":1700000600}",
        "{\"webhook_id\":1,\"exp\":1700000600}",
        "{\"webhook_id\":[\"WH-1\"],\"exp\":1700000600}",
        "{\"exp\":1700000600}",
        "{\"webhook\":\"WH-1\",\"exp\":1700000600}",
    };
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        refuse(unknown[i], "secret of one", ERR_TOKEN_UNKNOWN);
}

static void refuses_the_secret_of_another_webhook(void **state)
{
    (void)state;
    refuse("{\"webhook_id\":\"WH-1\",\"exp\":1700000600}", "secret of two", ERR_TOKEN_SIGNATURE);
    refuse("{\"webhook_id\":\"WH-2\",\"exp\":1700000600}", "secret of three: a",
           ERR_TOKEN_SIGNATURE);
    refuse("{\"webhook_id\":\"WH-3\",\"exp\":1700000600}", "secret of one", ERR_TOKEN_SIGNATURE);
    refuse("{\"webhook_id\":\"WH-3\",\"exp\":1700000600}", "secret of three: z",
           ERR_TOKEN_SIGNATURE);
    refuse("{\"webhook_id\":\"WH-1\",\"exp\":1}", "guess", ERR_TOKEN_SIGNATURE);
}

static void refuses_bad_times_only_after_the_signature(void **state)
{
    (void)state;
    refuse("{\"webhook_id\":\"WH-1\",\"exp\":1}", "secret of one", ERR_TOKEN_EXPIRED);
    refuse("{\"webhook_id\":\"WH-1\"}", "secret of one", ERR_TOKEN_CLAIMS);
    refuse("{\"webhook_id\":\"WH-1\",\"exp\":\"1700000600\"}", "secret of one", ERR_TOKEN_CLAIMS);
}

static void refuses_malformed_tokens(void **state)
{
    (void)state;
    struct verified v;
    assert_err(keyring_verify(ring, "", 0, NOW, &payload, &v, NULL), ERR_TOKEN_FORM);
    assert_err(keyring_verify(ring, "a.b.c", 5, NOW, &payload, &v, NULL), ERR_TOKEN_FORM);
}

static void finds_the_webhook_and_the_secret(void **state)
{
    (void)state;
    accept("{\"webhook_id\":\"WH-1\",\"exp\":1700000600}", "secret of one", "WH-1", 0);
    accept("{\"webhook_id\":\"WH-2\",\"exp\":1700000600}", "secret of two", "WH-2", 0);
    for (size_t i = 0; i < CONF_SECRETS_MAX; i++) {
        char secret[] = "secret of three: a";
        secret[sizeof secret - 2] = (char)('a' + i);
        accept("{\"webhook_id\":\"WH-3\",\"exp\":1700000600}", secret, "WH-3", i);
    }
}

static void refuses_a_configuration_without_its_secrets(void **state)
{
    (void)state;
    struct conf_webhook bare = {.id = "WH-9", .secrets_count = 1};
    struct conf without = {.webhooks = &bare, .webhooks_count = 1};
    struct keyring *k = NULL;
    struct why why;
    assert_err(keyring_new(&without, &k, &why), ERR_CONFIG);
    assert_null(k);
    assert_non_null(strstr(why.text, "WH-9"));
}

static void an_empty_keyring_refuses_everything(void **state)
{
    (void)state;
    struct conf empty = {.webhooks_count = 0};
    struct keyring *k;
    struct verified v;
    char *token = sign("{\"webhook_id\":\"WH-1\",\"exp\":1700000600}", "secret of one");
    assert_err(keyring_new(&empty, &k, NULL), ERR_OK);
    assert_err(keyring_verify(k, token, strlen(token), NOW, &payload, &v, NULL), ERR_TOKEN_UNKNOWN);
    keyring_free(k);
    free(token);
    keyring_free(NULL);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_webhooks_that_are_not_configured),
        cmocka_unit_test(refuses_the_secret_of_another_webhook),
        cmocka_unit_test(refuses_bad_times_only_after_the_signature),
        cmocka_unit_test(refuses_malformed_tokens),
        cmocka_unit_test(finds_the_webhook_and_the_secret),
        cmocka_unit_test(refuses_a_configuration_without_its_secrets),
        cmocka_unit_test(an_empty_keyring_refuses_everything),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
