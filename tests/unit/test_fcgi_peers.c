/* test_fcgi_peers.c - the web servers that may connect over TCP. */
#include "unit.h"

#include <arpa/inet.h>

#include "transport/fcgi_peers.h"

static bool allowed(const struct fcgi_peers *peers, const char *address)
{
    union {
        struct sockaddr sa;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } a = {.sa = {.sa_family = AF_UNIX}};
    if (inet_pton(AF_INET, address, &a.v4.sin_addr) == 1) {
        a.sa.sa_family = AF_INET;
    } else if (inet_pton(AF_INET6, address, &a.v6.sin6_addr) == 1) {
        a.sa.sa_family = AF_INET6;
    }
    return peers_allow(peers, &a.sa);
}

static void refuses_what_is_no_address(void **state)
{
    (void)state;
    static const char *const wrong[] = {"localhost", "127.0.0.1,,::1",      "127.0.0.256",
                                        ",",         "127.0.0.1;127.0.0.2", "10.0.0.0/8"};
    struct fcgi_peers peers;
    struct why why;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_err(peers_read(wrong[i], &peers, &why), ERR_CONFIG);
}

static void lets_anybody_in_without_a_list(void **state)
{
    (void)state;
    struct fcgi_peers peers;
    assert_err(peers_read(NULL, &peers, NULL), ERR_OK);
    assert_true(allowed(&peers, "192.0.2.1"));
    assert_err(peers_read("", &peers, NULL), ERR_OK);
    assert_true(allowed(&peers, "192.0.2.1"));
}

static void lets_in_who_is_listed_and_who_did_not_come_over_tcp(void **state)
{
    (void)state;
    struct fcgi_peers peers;
    assert_err(peers_read("127.0.0.1, 192.0.2.7,::1", &peers, NULL), ERR_OK);
    assert_true(allowed(&peers, "127.0.0.1"));
    assert_true(allowed(&peers, "::ffff:192.0.2.7"));
    assert_true(allowed(&peers, "::1"));
    assert_true(allowed(&peers, "a Unix socket"));
    assert_false(allowed(&peers, "127.0.0.2"));
    assert_false(allowed(&peers, "::2"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_is_no_address),
        cmocka_unit_test(lets_anybody_in_without_a_list),
        cmocka_unit_test(lets_in_who_is_listed_and_who_did_not_come_over_tcp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
