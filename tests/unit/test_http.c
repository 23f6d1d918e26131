/* test_http.c - nasty servers, and a client that neither hangs, nor swells, nor repeats itself. */
#include "unit.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/http.h"
#include "fake_http.h"

#define OK_HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"

static struct fake *fake;
static struct http *client;
static struct http_response answer;
static struct why why;
static bool sent;
static char url[256];

static const struct http_options usual = {
    .connect_timeout_ms = 5000, .timeout_ms = 20000, .answer_max = 4096, .user_agent = "test/1"};

static int set_up(void **state)
{
    (void)state;
    fake = fake_start();
    assert_err(http_new(&usual, &client, NULL), ERR_OK);
    snprintf(url, sizeof url, "%s/path?secret=1", fake_url(fake));
    why.text[0] = '\0';
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    http_free(client);
    fake_stop(fake);
    return 0;
}

static enum err call(const char *method, const char *body)
{
    struct http_request r = {.method = method,
                             .url = url,
                             .headers = {"Authorization: ApiKey k", "Content-Type: a/b"},
                             .body = body,
                             .body_len = body != NULL ? strlen(body) : 0,
                             .deadline = CLK_NEVER};
    return http_call(client, &r, &answer, &sent, &why);
}

static enum err get_within(int64_t ms)
{
    struct http_request r = {.method = "GET", .url = url, .deadline = clk_mono_ms() + ms};
    return http_call(client, &r, &answer, &sent, &why);
}

static void refuses_what_is_no_request(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "//127.0.0.1/",
        "127.0.0.1",
        "http://user:pw@127.0.0.1/",
        "http://",
        "http://127.0.0.1/a b",
        "ftp://h/",
        "http://127.0.0.1/\r\nX: y",
        "http:\\\\127.0.0.1",
        "http://127.0.0.1/\x7f",
    };
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        struct http_request r = {.method = "GET", .url = urls[i], .deadline = CLK_NEVER};
        assert_err(http_call(client, &r, &answer, &sent, &why), ERR_INVALID);
        assert_false(sent);
    }
    static const char *const headers[] = {"A: b\r\nC: d", "A: b\n", "no colon", ": v", "A b: c"};
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        struct http_request r = {
            .method = "GET", .url = url, .headers = {headers[i]}, .deadline = CLK_NEVER};
        assert_err(http_call(client, &r, &answer, &sent, &why), ERR_INVALID);
    }
    struct http_request r = {.method = "GET / HTTP/1.1\r\n", .url = url, .deadline = CLK_NEVER};
    assert_err(http_call(client, &r, &answer, &sent, &why), ERR_INVALID);
    assert_int_equal(fake_connections(fake), 0);
}

static void tells_a_refused_connection(void **state)
{
    (void)state;
    struct fake *gone = fake_start();
    snprintf(url, sizeof url, "%s/path?secret=1", fake_url(gone));
    fake_stop(gone);
    assert_err(call("POST", "{}"), ERR_NETWORK);
    assert_false(sent);
    assert_memory_equal(why.text, "POST http://127.0.0.1:", 22);
    assert_non_null(strstr(why.text, "/path: "));
    assert_null(strstr(why.text, "secret"));
    assert_null(strstr(why.text, "ApiKey"));
}

static void tells_a_name_that_does_not_resolve(void **state)
{
    (void)state;
    snprintf(url, sizeof url, "http://nowhere.invalid/");
    assert_err(call("GET", NULL), ERR_NETWORK);
    assert_false(sent);
}

static void tells_answers_that_break_off(void **state)
{
    (void)state;
    fake_raw(fake, FAKE_RESET, "");
    fake_raw(fake, FAKE_CLOSE, "");
    fake_raw(fake, FAKE_CLOSE, OK_HEAD);
    fake_raw(fake, FAKE_CLOSE, OK_HEAD "Content-Length: 10\r\n\r\n12345");
    fake_raw(fake, FAKE_CLOSE, OK_HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n");
    for (int i = 0; i < 5; i++) {
        assert_err(call("POST", "{}"), ERR_NETWORK);
        assert_true(sent);
    }
    assert_int_equal(fake_requests(fake), 5);
}

static void tells_what_is_not_http(void **state)
{
    (void)state;
    fake_raw(fake, FAKE_CLOSE, "SSH-2.0-OpenSSH_9.2\r\n");
    assert_err(call("GET", NULL), ERR_HTTP_ANSWER);
}

static void gives_a_slow_server_up(void **state)
{
    (void)state;
    fake_raw(fake, FAKE_HANG, "");
    fake_raw(fake, FAKE_HANG, OK_HEAD "X-Slow: ");
    fake_raw(fake, FAKE_HANG, OK_HEAD "Content-Length: 10\r\n\r\n12345");
    for (int i = 0; i < 3; i++) {
        int64_t start = clk_mono_ms();
        assert_err(get_within(60), ERR_TIMEOUT);
        assert_true(sent);
        assert_in_range(clk_mono_ms() - start, 60, 10000);
    }
    assert_err(get_within(0), ERR_TIMEOUT);
    assert_false(sent);
    assert_in_range(fake_requests(fake), 0, 3); /* a busy server may not have read them all yet */
}

static void bounds_the_answer(void **state)
{
    (void)state;
    fake_raw(fake, FAKE_FLOOD, OK_HEAD "\r\n0123456789abcdef");
    fake_raw(fake, FAKE_FLOOD, OK_HEAD "Transfer-Encoding: chunked\r\n\r\nb\r\n01234567890\r\n");
    fake_raw(fake, FAKE_FLOOD, OK_HEAD "Content-Length: 1073741824\r\n\r\n0123456789abcdef");
    fake_raw(fake, FAKE_HANG, OK_HEAD "Content-Length: 4097\r\n\r\n");
    fake_raw(fake, FAKE_FLOOD, OK_HEAD "X-Many-Times: 0\r\n");
    for (int i = 0; i < 5; i++)
        assert_err(call("GET", NULL), ERR_TOO_BIG);
}

static void reads_an_answer_of_exactly_the_ceiling(void **state)
{
    (void)state;
    char body[4097];
    memset(body, 'x', 4096);
    body[4096] = '\0';
    fake_answer(fake, 200, "", body);
    assert_err(call("GET", NULL), ERR_OK);
    assert_int_equal(answer.body.len, 4096);
    http_response_free(&answer);
}

static void reads_status_type_and_range(void **state)
{
    (void)state;
    fake_answer(fake, 206,
                "Content-Type: Application/JSON; charset=utf-8\r\ncontent-range:items 0-9/120 \r\n",
                "[]");
    assert_err(call("GET", NULL), ERR_OK);
    assert_int_equal(answer.status, 206);
    assert_string_equal(answer.content_type, "application/json");
    assert_string_equal(answer.content_range, "items 0-9/120");
    assert_int_equal(answer.retry_after_s, -1);
    assert_string_equal(answer.body.data, "[]");
    http_response_free(&answer);
}

static void reads_an_answer_without_a_body(void **state)
{
    (void)state;
    fake_raw(fake, FAKE_KEEP, "HTTP/1.1 204 No Content\r\n\r\n");
    assert_err(call("DELETE", NULL), ERR_OK);
    assert_int_equal(answer.status, 204);
    assert_string_equal(answer.body.data, "");
    assert_string_equal(answer.content_type, "");
    http_response_free(&answer);
}

static void forgets_the_headers_of_an_interim_answer(void **state)
{
    (void)state;
    fake_raw(fake, FAKE_KEEP,
             "HTTP/1.1 103 Early Hints\r\nContent-Type: text/html\r\nRetry-After: 9\r\n\r\n"
             "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    assert_err(call("GET", NULL), ERR_OK);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.content_type, "");
    assert_int_equal(answer.retry_after_s, -1);
    http_response_free(&answer);
}

static void reads_retry_after(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        int64_t seconds;
    } cases[] = {
        {"120", 120},
        {"0", 0},
        {"-5", -1},
        {"soon", -1},
        {"12 apples", -1},
        {"", -1},
        {"99999999999999999999", HTTP_RETRY_AFTER_MAX},
        {"Fri, 31 Dec 2100 23:59:59 GMT", HTTP_RETRY_AFTER_MAX},
        {"Wed, 21 Oct 2015 07:28:00 GMT", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char header[128];
        snprintf(header, sizeof header, "Retry-After: %s\r\n", cases[i].header);
        fake_answer(fake, 503, header, "");
        assert_err(call("GET", NULL), ERR_OK);
        assert_int_equal(answer.status, 503);
        assert_int_equal(answer.retry_after_s, cases[i].seconds);
        http_response_free(&answer);
    }
}

static void follows_no_redirect(void **state)
{
    (void)state;
    char header[128];
    snprintf(header, sizeof header, "Location: %s/elsewhere\r\n", fake_url(fake));
    fake_answer(fake, 307, header, "");
    assert_err(call("GET", NULL), ERR_OK);
    assert_int_equal(answer.status, 307);
    http_response_free(&answer);
    assert_int_equal(fake_requests(fake), 1);
}

static void asks_the_environment_for_no_proxy(void **state)
{
    (void)state;
    static const char *const names[] = {"http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        setenv(names[i], "http://127.0.0.1:1", 1);
    fake_answer(fake, 200, "", "");
    enum err e = call("GET", NULL);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
    assert_err(e, ERR_OK);
    http_response_free(&answer);
}

static void uses_the_proxy_it_is_given_whatever_no_proxy_says(void **state)
{
    (void)state;
    struct http_options o = usual;
    struct http *proxied;
    o.proxy = fake_url(fake);
    assert_err(http_new(&o, &proxied, NULL), ERR_OK);
    setenv("no_proxy", "*", 1);
    fake_answer(fake, 200, "", "");
    struct http_request r = {
        .method = "GET", .url = "http://nowhere.invalid/x", .deadline = CLK_NEVER};
    assert_err(http_call(proxied, &r, &answer, &sent, &why), ERR_OK);
    unsetenv("no_proxy");
    http_response_free(&answer);
    assert_memory_equal(fake_request(fake, 0), "GET http://nowhere.invalid/x HTTP/1.1\r\n", 39);
    http_free(proxied);
}

/* The right to send is lost while it connects. */
static bool is_first_question(void *ctx)
{
    int *asked = ctx;
    return ++*asked == 1;
}

static void sends_nothing_that_may_not_be_sent(void **state)
{
    (void)state;
    int asked = 0;
    if (curl_version_info(CURLVERSION_NOW)->version_num < 0x075000)
        skip(); /* it cannot ask so late */
    struct http_request r = {.method = "POST",
                             .url = url,
                             .deadline = CLK_NEVER,
                             .may_send = is_first_question,
                             .may_send_ctx = &asked};
    assert_err(http_call(client, &r, &answer, &sent, &why), ERR_FENCED);
    assert_false(sent);
    assert_int_equal(asked, 2);
    assert_int_equal(fake_requests(fake), 0);
    assert_err(http_call(client, &r, &answer, &sent, &why), ERR_FENCED); /* not even tried */
    assert_int_equal(asked, 3);
}

static void sends_what_it_is_given_and_little_else(void **state)
{
    (void)state;
    fake_answer(fake, 200, "", "");
    fake_answer(fake, 200, "", "");
    fake_answer(fake, 200, "", "");
    assert_err(call("POST", "{\"a\":1}"), ERR_OK);
    http_response_free(&answer);
    const char *r = fake_request(fake, 0);
    assert_memory_equal(r, "POST /path?secret=1 HTTP/1.1\r\n", 30);
    assert_non_null(strstr(r, "\r\nAuthorization: ApiKey k\r\n"));
    assert_non_null(strstr(r, "\r\nContent-Type: a/b\r\n"));
    assert_non_null(strstr(r, "\r\nUser-Agent: test/1\r\n"));
    assert_non_null(strstr(r, "\r\n\r\n{\"a\":1}"));
    assert_null(strstr(r, "Accept-Encoding"));
    assert_null(strstr(r, "Expect"));

    struct http_request bare = {.method = "POST", .url = url, .deadline = CLK_NEVER};
    assert_err(http_call(client, &bare, &answer, &sent, &why), ERR_OK);
    http_response_free(&answer);
    assert_null(strstr(fake_request(fake, 1), "Content-Type"));
    assert_non_null(strstr(fake_request(fake, 1), "\r\nContent-Length: 0\r\n"));

    assert_err(call("PUT", "{}"), ERR_OK);
    http_response_free(&answer);
    assert_memory_equal(fake_request(fake, 2), "PUT ", 4);
}

static void keeps_connections(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        fake_answer(fake, 200, "", "ok");
    for (int i = 0; i < 5; i++) {
        assert_err(call("GET", NULL), ERR_OK);
        http_response_free(&answer);
    }
    assert_int_equal(fake_connections(fake), 1);
}

static void repeats_a_get_whose_kept_connection_was_dead(void **state)
{
    (void)state;
    fake_answer(fake, 200, "", "");
    fake_raw(fake, FAKE_CLOSE, "");
    fake_answer(fake, 200, "", "again");
    for (int i = 0; i < 2; i++) {
        assert_err(call("GET", NULL), ERR_OK);
        if (i == 1)
            assert_string_equal(answer.body.data, "again");
        http_response_free(&answer);
    }
    assert_int_equal(fake_requests(fake), 3);
}

static void sends_a_post_once_even_when_the_connection_dies(void **state)
{
    (void)state;
    static const char *const bodies[] = {"{}", NULL};
    for (int i = 0; i < 2; i++) {
        fake_answer(fake, 200, "", "");
        fake_raw(fake, FAKE_CLOSE, "");
        assert_err(call("GET", NULL), ERR_OK);
        http_response_free(&answer);
        assert_err(call("POST", bodies[i]), ERR_NETWORK);
        assert_true(sent);
    }
    assert_int_equal(fake_requests(fake), 4);
}

static void *get_in_a_thread(void *ctx)
{
    struct http_request r = {.method = "GET", .url = url, .deadline = CLK_NEVER};
    struct http_response mine;
    enum err *e = ctx;
    *e = http_call(client, &r, &mine, NULL, NULL);
    if (*e == ERR_OK)
        http_response_free(&mine);
    return NULL;
}

static void serves_many_threads(void **state)
{
    (void)state;
    enum { THREADS = 16 };
    pthread_t threads[THREADS];
    enum err results[THREADS];
    for (int i = 0; i < THREADS; i++)
        fake_answer(fake, 200, "", "ok");
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, get_in_a_thread, &results[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_err(results[i], ERR_OK);
    }
    assert_int_equal(fake_requests(fake), THREADS);
}

static void stops_calls_under_way_and_later_ones(void **state)
{
    (void)state;
    pthread_t thread;
    enum err result;
    fake_raw(fake, FAKE_HANG, OK_HEAD);
    assert_int_equal(pthread_create(&thread, NULL, get_in_a_thread, &result), 0);
    while (fake_requests(fake) == 0) /* until the call is under way */
        sched_yield();
    int64_t start = clk_mono_ms();
    http_stop(client);
    pthread_join(thread, NULL);
    assert_err(result, ERR_STOPPED);
    assert_true(clk_mono_ms() - start < 5000);
    assert_err(call("GET", NULL), ERR_STOPPED);
    assert_false(sent);
    assert_int_equal(fake_requests(fake), 1);
}

#define test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(refuses_what_is_no_request),
        test(tells_a_refused_connection),
        test(tells_a_name_that_does_not_resolve),
        test(tells_answers_that_break_off),
        test(tells_what_is_not_http),
        test(gives_a_slow_server_up),
        test(bounds_the_answer),
        test(reads_an_answer_of_exactly_the_ceiling),
        test(reads_status_type_and_range),
        test(reads_an_answer_without_a_body),
        test(forgets_the_headers_of_an_interim_answer),
        test(reads_retry_after),
        test(follows_no_redirect),
        test(asks_the_environment_for_no_proxy),
        test(uses_the_proxy_it_is_given_whatever_no_proxy_says),
        test(sends_nothing_that_may_not_be_sent),
        test(sends_what_it_is_given_and_little_else),
        test(keeps_connections),
        test(repeats_a_get_whose_kept_connection_was_dead),
        test(sends_a_post_once_even_when_the_connection_dies),
        test(serves_many_threads),
        test(stops_calls_under_way_and_later_ones),
    };
    return fake_run(tests, sizeof tests / sizeof *tests);
}
