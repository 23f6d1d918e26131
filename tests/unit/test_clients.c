/* test_clients.c - one client an account and its settings, for as long as anybody has it. */
#include "unit.h"

#include "api/clients.h"
#include "base/clk.h"
#include "fake_api.h"

#define REQUEST "PR-1-2-3"

static struct fake_api connect;
static struct clients *clients;
static struct why why;

static int set_up(void **state)
{
    (void)state;
    fake_api_start(&connect);
    clients = clients_new(NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    clients_free(clients);
    fake_api_stop(&connect);
    return 0;
}

static struct api *get(const struct conf_account *a)
{
    struct api *api;
    assert_err(clients_get(clients, a, &api, &why), ERR_OK);
    return api;
}

static enum err read_request(struct api *api, int64_t deadline)
{
    struct api_call call = {.deadline = deadline};
    struct json_object *o = NULL;
    enum err e = api_get(api, &call, &class_fulfillment_request, REQUEST, &o);
    json_object_put(o);
    return e;
}

static void makes_none_of_a_key_that_is_none(void **state)
{
    (void)state;
    struct secret *two_words;
    struct api *api;
    assert_err(secret_from_bytes("two words", 9, &two_words), ERR_OK);
    connect.account.api_key.value = two_words;
    assert_err(clients_get(clients, &connect.account, &api, &why), ERR_INVALID);
    assert_memory_equal(why.text, "account " FAKE_ACCOUNT ": ", 20);
    secret_free(two_words);
    clients_release(clients, NULL);
}

static void tells_every_setting(void **state)
{
    (void)state;
    struct secret *other_key;
    struct conf_account others[8];
    struct api *api = get(&connect.account);
    assert_err(secret_from_bytes("SU-1:secres", 11, &other_key), ERR_OK);
    for (size_t i = 0; i < 8; i++)
        others[i] = connect.account;
    others[0].id = "VA-240-991";
    others[1].api_url = "http://127.0.0.1:1";
    others[2].api_key.value = other_key;
    others[3].rate_limit = 1;
    others[4].timeout_ms++;
    others[5].connect_timeout_ms++;
    others[6].proxy = "http://127.0.0.1:1";
    others[7].ca_file = "/etc/ssl/certs/ca-certificates.crt";
    for (size_t i = 0; i < 8; i++) {
        struct api *other = get(&others[i]);
        assert_ptr_not_equal(other, api);
        assert_ptr_equal(get(&others[i]), other);
    }
    assert_ptr_equal(get(&connect.account), api);
    secret_free(other_key);
}

/* The configuration before, and the one after. */
static void keeps_a_pause_and_a_connection_over_a_reload(void **state)
{
    (void)state;
    const struct conf_account copy = connect.account;
    fake_answer(connect.server, 200, "", "{}");
    fake_answer(connect.server, 429, "Retry-After: 600\r\n", "{}");
    struct api *old = get(&connect.account);
    assert_err(read_request(old, clk_mono_ms() + SOON_MS), ERR_OK);
    struct api *fresh = get(&copy);
    clients_release(clients, old);
    assert_err(read_request(fresh, clk_mono_ms() + SOON_MS), ERR_HTTP_THROTTLED);
    clients_release(clients, fresh);
    struct api *other = get(&copy); /* nobody had it any more: a new one */
    fake_answer(connect.server, 200, "", "{}");
    assert_err(read_request(other, clk_mono_ms() + SOON_MS), ERR_OK);
    assert_int_equal(fake_requests(connect.server), 3);
    assert_int_equal(fake_connections(connect.server), 2);
}

static void spends_the_rate_once(void **state)
{
    (void)state;
    connect.account.rate_limit = 1;
    fake_answer(connect.server, 200, "", "{}");
    assert_err(read_request(get(&connect.account), clk_mono_ms() + SOON_MS), ERR_OK);
    assert_err(read_request(get(&connect.account), clk_mono_ms()), ERR_TIMEOUT);
}

static void stops_those_to_come_too(void **state)
{
    (void)state;
    struct api *api = get(&connect.account);
    clients_stop(clients);
    assert_err(read_request(api, clk_mono_ms() + SOON_MS), ERR_STOPPED);
    connect.account.timeout_ms++;
    assert_err(read_request(get(&connect.account), clk_mono_ms() + SOON_MS), ERR_STOPPED);
    assert_int_equal(fake_requests(connect.server), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(makes_none_of_a_key_that_is_none),
        TEST(tells_every_setting),
        TEST(keeps_a_pause_and_a_connection_over_a_reload),
        TEST(spends_the_rate_once),
        TEST(stops_those_to_come_too),
    };
    return fake_run(tests, sizeof tests / sizeof *tests);
}
