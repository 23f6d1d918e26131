/* test_api.c - what servers answer, and that nothing is sent twice, skipped or given away. */
#include "unit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/jsonx.h"
#include "fake_api.h"

#define KEY      "SU-123-456:0123456789abcdef"
#define REQUEST  "PR-1234-5678-001"
#define PRODUCT  "PRD-111-222-333"
#define MESSAGES "CO-716-846-575-885-101-001"

static struct fake_api connect;
static struct fake *fake; /* its server */
static struct api *api;
static struct api_call call;
static size_t answer_max; /* bytes; 0 is the client's own */

static void connect_with(const char *key_text, int64_t rate_limit)
{
    struct conf_account *a = &connect.account;
    struct secret *usual = a->api_key.value;
    assert_err(secret_from_bytes(key_text, strlen(key_text), &a->api_key.value), ERR_OK);
    a->connect_timeout_ms = 5000;
    a->rate_limit = rate_limit;
    fake_api_connect(&connect, answer_max);
    secret_free(a->api_key.value);
    a->api_key.value = usual;
    api = connect.api;
    call.deadline = clk_mono_ms() + SOON_MS;
}

static int set_up(void **state)
{
    (void)state;
    fake_api_start(&connect);
    fake = connect.server;
    connect_with("ApiKey " KEY, 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fake_api_stop(&connect);
    return 0;
}

static enum err get(void)
{
    struct json_object *o;
    enum err e = api_get(api, &call, &class_fulfillment_request, REQUEST, &o);
    if (e == ERR_OK)
        json_object_put(o);
    return e;
}

static enum err act(const char *verb, const char *body)
{
    struct json_object *o = NULL, *b = NULL;
    if (body != NULL)
        assert_err(jsonx_parse(body, strlen(body), 4096, &b, NULL), ERR_OK);
    const struct object_verb *v = object_verb_find(&class_fulfillment_request, verb);
    enum err e = api_act(api, &call, &class_fulfillment_request, REQUEST, v, b, &o);
    json_object_put(b);
    if (e == ERR_OK)
        json_object_put(o);
    return e;
}

/* The first line of the i-th request is this method and path. */
static void assert_asked(size_t i, const char *line)
{
    char first[1024];
    snprintf(first, sizeof first, "%.*s", (int)strcspn(fake_request(fake, i), "\r"),
             fake_request(fake, i));
    char want[1024];
    snprintf(want, sizeof want, "%s HTTP/1.1", line);
    assert_string_equal(first, want);
}

/* ------------------------------------------------------------------ what is refused */

static void refuses_ids_that_are_none(void **state)
{
    (void)state;
    static const char *const ids[] = {"",          "../accounts", "PR-1/../..", "PR-1?x", "PR-1#x",
                                      "PR-1%2f..", "PR-1 ",       "pr-1",       "PR-1\n", "PR-"};
    struct json_object *o;
    bool posted;
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        assert_err(api_get(api, &call, &class_fulfillment_request, ids[i], &o), ERR_INVALID);
        assert_false(call.sent);
        assert_err(api_act(api, &call, &class_fulfillment_request, ids[i],
                           class_fulfillment_request.verbs, NULL, &o),
                   ERR_INVALID);
        assert_err(api_templates(api, &call, ids[i], "asset", "fulfillment", &o), ERR_INVALID);
        assert_err(api_message(api, &call, ids[i], "hello", &posted), ERR_INVALID);
    }
    assert_int_equal(fake_requests(fake), 0);
}

/* One without a product, one without a state, and one with neither. */
static void lists_by_what_the_class_has(void **state)
{
    (void)state;
    static const char *const states[] = {"new", "old", NULL}, *const none[] = {NULL};
    struct object_class c = {.list = "/things", .created = "at", .state = "state"};
    struct api_filter f = {.product_id = PRODUCT, .states = none, .since_us = 1590573843999999};
    fake_answer(fake, 200, "", "[]");
    fake_answer(fake, 200, "", "[]");
    fake_answer(fake, 200, "", "[]");
    assert_err(api_list(api, &call, &c, &f, NULL, NULL), ERR_INVALID);
    f.states = states;
    assert_err(api_list(api, &call, &c, &f, NULL, NULL), ERR_OK);
    assert_asked(0, "GET /public/v1/things?in(state,(new,old))&ordering(at)&limit=100&offset=0");
    c.state = NULL;
    c.first = "-level";
    assert_err(api_list(api, &call, &c, &f, NULL, NULL), ERR_OK);
    assert_asked(1, "GET /public/v1/things?ge(at,2020-05-27T10:04:03%2B00:00)&ordering(-level,at)"
                    "&limit=100&offset=0");
    c.product = "a.product";
    c.first = NULL;
    f.since_us = -1;
    assert_err(api_list(api, &call, &c, &f, NULL, NULL), ERR_OK);
    assert_asked(2, "GET /public/v1/things?and(eq(a.product," PRODUCT "),"
                    "ge(at,1969-12-31T23:59:59%2B00:00))&ordering(at)&limit=100&offset=0");
    assert_err(api_put_params(api, &call, &c, REQUEST, NULL), ERR_INVALID);
}

static void refuses_a_key_that_cannot_be_one(void **state)
{
    (void)state;
    static const char *const keys[] = {"ApiKey ", "two words", "a\r\nHost: evil", "\xff"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        struct secret *s;
        struct api *a;
        struct why why;
        assert_err(secret_from_bytes(keys[i], strlen(keys[i]), &s), ERR_OK);
        const struct conf_account o = {
            .id = "VA-1", .api_url = fake_url(fake), .api_key = {.value = s}};
        assert_err(api_new(&o, NULL, NULL, &a, &why), ERR_INVALID);
        assert_memory_equal(why.text, "account VA-1: ", 14);
        secret_free(s);
    }
}

/* ---------------------------------------------------------------------- what is sent */

static void sends_the_key_with_its_word_however_it_was_given(void **state)
{
    (void)state;
    static const char *const keys[] = {KEY, "ApiKey " KEY, "apikey " KEY};
    for (size_t i = 0; i < 3; i++) {
        connect_with(keys[i], 0);
        fake_answer(fake, 200, "", "{}");
        assert_err(get(), ERR_OK);
        assert_asked(i, "GET /public/v1/requests/" REQUEST);
        assert_non_null(strstr(fake_request(fake, i), "\r\nAuthorization: ApiKey " KEY "\r\n"));
        assert_non_null(strstr(fake_request(fake, i), "\r\nUser-Agent: connect-webhook/"));
    }
}

static void sends_verbs_and_parameters(void **state)
{
    (void)state;
    fake_answer(fake, 200, "", "{\"id\":\"" REQUEST "\",\"status\":\"approved\"}");
    fake_answer(fake, 200, "", "");
    fake_answer(fake, 200, "", "{}");
    assert_err(act("approve", "{\"template_id\":\"TL-1-2-3\"}"), ERR_OK);
    assert_int_equal(call.status, 200);
    assert_true(call.sent);
    assert_asked(0, "POST /public/v1/requests/" REQUEST "/approve");
    assert_non_null(strstr(fake_request(fake, 0), "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strstr(fake_request(fake, 0), "\r\n\r\n{\"template_id\":\"TL-1-2-3\"}"));
    assert_err(act("confirm", NULL), ERR_OK);
    assert_non_null(strstr(fake_request(fake, 1), "\r\nContent-Length: 0\r\n"));

    struct json_object *params = json_object_new_array();
    assert_err(api_put_params(api, &call, &class_fulfillment_request, REQUEST, params), ERR_OK);
    json_object_put(params); /* borrowed: still ours */
    assert_asked(2, "PUT /public/v1/requests/" REQUEST);
    assert_non_null(strstr(fake_request(fake, 2), "\r\n\r\n{\"asset\":{\"params\":[]}}"));
}

/* ------------------------------------------------------------------- what is answered */

static void maps_every_status(void **state)
{
    (void)state;
    static const struct {
        int status;
        enum err err;
    } cases[] = {
        {301, ERR_HTTP_ANSWER},    {302, ERR_HTTP_ANSWER}, {308, ERR_HTTP_ANSWER},
        {400, ERR_HTTP_CLIENT},    {401, ERR_HTTP_AUTH},   {403, ERR_HTTP_FORBIDDEN},
        {404, ERR_HTTP_NOT_FOUND}, {405, ERR_HTTP_CLIENT}, {409, ERR_HTTP_CLIENT},
        {413, ERR_HTTP_CLIENT},    {422, ERR_HTTP_CLIENT}, {429, ERR_HTTP_THROTTLED},
        {500, ERR_HTTP_SERVER},    {502, ERR_HTTP_SERVER}, {503, ERR_HTTP_THROTTLED},
        {504, ERR_HTTP_SERVER},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fake_answer(fake, cases[i].status, "", "");
        assert_err(act("approve", "{}"), cases[i].err);
        assert_int_equal(call.status, cases[i].status);
        assert_true(call.sent);
        assert_memory_equal(call.result.why.text, "POST /requests/" REQUEST "/approve: ", 41);
        assert_int_equal(strstr(call.result.why.text, "redirects are not followed") != NULL,
                         cases[i].status < 400);
    }
    assert_int_equal(fake_requests(fake), sizeof cases / sizeof *cases);
}

static void keeps_connects_own_words(void **state)
{
    (void)state;
    fake_answer(fake, 400, "",
                "{\"error_code\":\"VAL_001\",\"errors\":[\"a: b\",\"c\",7,null],\"params\":{}}");
    fake_answer(fake, 400, "Content-Type: text/plain\r\n", "{\"errors\":\"only one\"}");
    fake_answer(fake, 403, "", "{\"detail\":\"no permission\"}");
    fake_answer(fake, 400, "", "{\"error_code\":5,\"errors\":{\"a\":1}}");
    assert_err(act("approve", "{}"), ERR_HTTP_CLIENT);
    assert_string_equal(call.error_code, "VAL_001");
    assert_memory_equal(call.errors, "a: b; c; 7", 10);
    assert_non_null(strstr(call.result.why.text, "400: VAL_001: a: b; c"));
    assert_err(act("approve", "{}"), ERR_HTTP_CLIENT);
    assert_string_equal(call.errors, "only one");
    assert_string_equal(call.error_code, "");
    assert_err(act("approve", "{}"), ERR_HTTP_FORBIDDEN);
    assert_string_equal(call.errors, "no permission");
    assert_err(act("approve", "{}"), ERR_HTTP_CLIENT);
    assert_string_equal(call.error_code, "");
}

static void notes_but_does_not_repeat_html(void **state)
{
    (void)state;
    fake_answer(fake, 502, "Content-Type: text/html\r\n", "<h1>Bad Gateway</h1>");
    assert_err(act("approve", "{}"), ERR_HTTP_SERVER);
    assert_string_equal(call.errors, "");
    assert_non_null(strstr(call.result.why.text, "text/html"));
    assert_null(strstr(call.result.why.text, "<h1>"));
}

static void cuts_a_flood_of_errors_between_characters(void **state)
{
    (void)state;
    char body[2048] = "{\"errors\":[\"x";
    for (int i = 0; i < 400; i++)
        strcat(body, "\xe2\x82\xac");
    strcat(body, "\"]}");
    fake_answer(fake, 400, "", body);
    assert_err(act("approve", "{}"), ERR_HTTP_CLIENT);
    size_t len = strlen(call.errors);
    assert_in_range(len, API_ERRORS_MAX - 4, API_ERRORS_MAX - 1);
    assert_int_equal(len % 3, 1);
}

static void never_tells_the_key(void **state)
{
    (void)state;
    fake_answer(fake, 401, "",
                "{\"error_code\":\"AUTH_001\",\"errors\":[\"ApiKey " KEY " is bad\"]}");
    assert_err(act("approve", "{}"), ERR_HTTP_AUTH);
    assert_null(strstr(call.errors, "0123456789abcdef"));
    assert_null(strstr(call.result.why.text, "0123456789abcdef"));
    assert_non_null(strstr(call.errors, "is bad"));
    fake_answer(fake, 400, "", "{\"error_code\":\"0123456789abcdef\",\"errors\":[\"no\"]}");
    assert_err(act("approve", "{}"), ERR_HTTP_CLIENT);
    assert_null(strstr(call.result.why.text, "0123456789"));
    assert_non_null(strstr(call.result.why.text, ": no"));
}

static void refuses_a_success_that_is_no_answer(void **state)
{
    (void)state;
    static const char *const bodies[] = {"<html>", "{\"id\":", "[]", "null"};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        fake_answer(fake, 200, "", bodies[i]);
        assert_err(act("approve", "{}"), ERR_HTTP_ANSWER);
        assert_true(call.sent);
        fake_answer(fake, 200, "", bodies[i]);
        assert_err(get(), ERR_HTTP_ANSWER);
    }
    fake_answer(fake, 200, "", "");
    assert_err(get(), ERR_HTTP_ANSWER);
    /* JSON that no reader takes will be the same next time: that is the object's own trouble. */
    fake_answer(fake, 200, "", "{\"a\":1,\"a\":2}");
    assert_err(get(), ERR_DUPLICATE);
    fake_answer(fake, 200, "", "{\"note\":\"5\" disk\"}\n");
    assert_err(get(), ERR_SYNTAX);
    assert_false(err_passes(ERR_SYNTAX));
    assert_false(err_passes(ERR_DUPLICATE));
    assert_true(err_passes(ERR_HTTP_ANSWER));
}

/* ------------------------------------------------------------------------- repeats */

static void tries_a_get_again_while_it_may_help(void **state)
{
    (void)state;
    fake_answer(fake, 500, "", "");
    fake_raw(fake, FAKE_RESET, "");
    fake_answer(fake, 503, "Retry-After: 0\r\n", "");
    fake_answer(fake, 200, "", "{}");
    assert_err(get(), ERR_OK);
    assert_int_equal(fake_requests(fake), API_GET_TRIES);
}

static void gives_a_get_up_after_its_tries(void **state)
{
    (void)state;
    for (int i = 0; i < API_GET_TRIES + 1; i++)
        fake_answer(fake, 500, "", "");
    assert_err(get(), ERR_HTTP_SERVER);
    assert_int_equal(fake_requests(fake), API_GET_TRIES);
}

static void tries_nothing_again_that_will_not_change(void **state)
{
    (void)state;
    static const int statuses[] = {302, 400, 401, 404, 409};
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        fake_answer(fake, statuses[i], "", "");
        assert_int_not_equal(get(), ERR_OK);
        assert_int_equal(fake_requests(fake), i + 1);
    }
}

static void sends_what_changes_something_once(void **state)
{
    (void)state;
    fake_answer(fake, 500, "", "");
    fake_answer(fake, 503, "", "");
    fake_raw(fake, FAKE_RESET, "");
    fake_raw(fake, FAKE_CLOSE, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{");
    assert_err(act("approve", "{}"), ERR_HTTP_SERVER);
    assert_err(act("approve", "{}"), ERR_HTTP_THROTTLED);
    assert_err(act("approve", "{}"), ERR_NETWORK);
    assert_err(act("approve", "{}"), ERR_NETWORK);
    assert_true(call.sent);
    assert_int_equal(fake_requests(fake), 4);
}

static void halts_the_account_for_retry_after(void **state)
{
    (void)state;
    fake_answer(fake, 429, "Retry-After: 600\r\n", "");
    assert_err(act("approve", "{}"), ERR_HTTP_THROTTLED);
    assert_int_equal(call.result.retry_after_s, 600);
    assert_err(get(), ERR_HTTP_THROTTLED); /* beyond its deadline: at once */
    assert_false(call.sent);
    assert_in_range(call.result.retry_after_s, 500, 600);
    assert_err(act("fail", "{}"), ERR_HTTP_THROTTLED);
    assert_int_equal(fake_requests(fake), 1);
}

static void count(void *ctx, const char *account_id, enum err e, int64_t retry_after_s)
{
    int *told = ctx;
    (void)account_id;
    (void)e;
    (void)retry_after_s;
    ++*told;
}

/* What was not sent, as it had to wait for too long, says nothing of the account. */
static void tells_others_what_it_came_to_and_not_that_it_waited(void **state)
{
    (void)state;
    int told = 0;
    const struct api_commons commons = {.ctx = &told, .came_to = count};
    api_free(connect.api);
    assert_err(api_new(&connect.account, NULL, &commons, &connect.api, NULL), ERR_OK);
    api = connect.api;
    fake_answer(fake, 429, "Retry-After: 600\r\n", "");
    assert_err(act("approve", "{}"), ERR_HTTP_THROTTLED);
    assert_int_equal(told, 1);
    assert_err(get(), ERR_HTTP_THROTTLED);
    assert_false(call.sent);
    assert_int_equal(told, 1);
}

static void waits_for_a_turn_but_not_beyond_the_deadline(void **state)
{
    (void)state;
    connect_with(KEY, 2);
    for (int i = 0; i < 3; i++)
        fake_answer(fake, 200, "", "{}");
    int64_t start = clk_mono_ms();
    assert_err(get(), ERR_OK);
    assert_err(get(), ERR_OK);
    call.deadline = start + 500;
    assert_err(get(), ERR_TIMEOUT);
    assert_false(call.sent);
    call.deadline = start + SOON_MS;
    assert_err(get(), ERR_OK);
    assert_true(clk_mono_ms() - start >= 1000);
    assert_int_equal(fake_requests(fake), 3);
}

static void *get_in_a_thread(void *ctx)
{
    struct api_call mine = {.deadline = CLK_NEVER};
    struct json_object *o = NULL;
    enum err *e = ctx;
    *e = api_get(api, &mine, &class_fulfillment_request, REQUEST, &o);
    json_object_put(o);
    return NULL;
}

static void stops_who_waits_for_a_turn(void **state)
{
    (void)state;
    pthread_t thread;
    enum err result;
    fake_answer(fake, 429, "Retry-After: 600\r\n", "");
    assert_int_equal(pthread_create(&thread, NULL, get_in_a_thread, &result), 0);
    while (fake_requests(fake) == 0)
        sched_yield();
    api_stop(api);
    pthread_join(thread, NULL);
    assert_err(result, ERR_STOPPED);
    assert_err(get(), ERR_STOPPED);
    assert_int_equal(fake_requests(fake), 1);
}

/* --------------------------------------------------------------------------- lists */

static const char *const pending[] = {"pending", "revoking", NULL};

struct seen {
    size_t n, stop_at;
    int last;
    bool ordered;
};

/* What could not be used, one line each. */
static char unusable[1024];

static bool see(void *ctx, const struct api_element *e)
{
    struct seen *s = ctx;
    size_t len = strlen(unusable);
    if (e->object == NULL) {
        snprintf(unusable + len, sizeof unusable - len, "%d %s %s: %s\n", (int)e->place, e->id,
                 err_name(e->err), e->why);
        return true;
    }
    assert_err(e->err, ERR_OK);
    assert_string_equal(e->why, "");
    int number = atoi(e->id + 3);
    s->ordered = s->ordered && number == s->last + 1;
    s->last = number;
    return ++s->n != s->stop_at;
}

/* A page with the objects PR-first to PR-last. */
static void answer_page(int first, int last, const char *range)
{
    static char body[64 * API_PAGE_SIZE], header[128];
    size_t len = 0;
    for (int i = first; i <= last; i++)
        len += (size_t)snprintf(body + len, sizeof body - len, "%s{\"id\":\"PR-%d\"}",
                                i == first ? "[" : ",", i);
    snprintf(body + len, sizeof body - len, "%s", len == 0 ? "[]" : "]");
    snprintf(header, sizeof header, range != NULL ? "Content-Range: %s\r\n" : "%s",
             range != NULL ? range : "");
    fake_answer(fake, 200, header, body);
}

/* The header of a list of n objects that is told whole. */
static const char *only_page(int n)
{
    static char header[64];
    snprintf(header, sizeof header, "Content-Range: items 0-%d/%d\r\n", n - 1, n);
    return header;
}

static enum err list(struct seen *s)
{
    *s = (struct seen){.stop_at = s->stop_at, .ordered = true};
    unusable[0] = '\0';
    const struct api_filter f = {.product_id = PRODUCT, .states = pending};
    return api_list(api, &call, &class_fulfillment_request, &f, see, s);
}

static void lists_pages_to_the_total(void **state)
{
    (void)state;
    struct seen s = {0};
    answer_page(1, 100, "items 0-99/150");
    answer_page(101, 150, "items 100-149/150");
    assert_err(list(&s), ERR_OK);
    assert_int_equal(s.n, 150);
    assert_true(s.ordered);
    assert_asked(0, "GET /public/v1/requests?and(eq(asset.product.id," PRODUCT
                    "),in(status,(pending,revoking)))&ordering(created)&limit=100&offset=0");
    assert_asked(1, "GET /public/v1/requests?and(eq(asset.product.id," PRODUCT
                    "),in(status,(pending,revoking)))&ordering(created)&limit=100&offset=100");
    assert_int_equal(fake_requests(fake), 2);
}

/* A gateway that cuts pages at fifty and drops Content-Range hides nothing. */
static void lists_pages_without_a_total_to_an_empty_one(void **state)
{
    (void)state;
    struct seen s = {0};
    answer_page(1, 50, NULL);
    answer_page(51, 100, NULL);
    answer_page(101, 120, NULL);
    answer_page(1, 0, NULL);
    assert_err(list(&s), ERR_OK);
    assert_int_equal(s.n, 120);
    assert_true(s.ordered);
    assert_non_null(strstr(fake_request(fake, 3), "&offset=120 "));
    answer_page(1, 0, "items 0-0/0");
    assert_err(list(&s), ERR_OK);
    assert_int_equal(s.n, 0);
    assert_int_equal(fake_requests(fake), 5);
}

static void ends_a_list_of_a_server_that_knows_no_pages(void **state)
{
    (void)state;
    struct seen s = {0};
    answer_page(1, 130, NULL);
    answer_page(1, 130, NULL);
    assert_err(list(&s), ERR_OK);
    assert_int_equal(s.n, 130);
    assert_int_equal(fake_requests(fake), 2);
}

static void passes_what_cannot_be_read_as_such(void **state)
{
    (void)state;
    struct seen s = {0};
    fake_answer(fake, 200, "Content-Range: items 0-8/9\r\n",
                "[{\"id\":\"PR-1\"},"
                "{\"id\":\"PR-7\",\"note\":\"\xff\"},"
                "{\"note\":1,\"note\":2},"
                "{\"id\":\"PR-8\",\"note\":\"\\ud800\"},"
                "{\"id\":\"PR-2\",\"external_id\":1234567890123456789012345},"
                "null,"
                "\"PR-9\","
                "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]],"
                "{\"id\":\"PR-3\"}]");
    assert_err(list(&s), ERR_OK);
    assert_int_equal(s.n, 3);
    assert_true(s.ordered);
    assert_string_equal(unusable, "1 PR-7 encoding: line 1, column 22: not UTF-8\n"
                                  "2  duplicate: line 1, column 11: key \"note\" is given twice\n"
                                  "3 PR-8 encoding: line 1, column 22: surrogate without its other "
                                  "half\n"
                                  "5  type: is no object\n"
                                  "6  type: is no object\n"
                                  "7  too-deep: line 1, column 33: nested deeper than 32\n");
}

/* Who is short of a quote hides where the next one begins: it is looked for, and found. */
static void finds_the_object_that_spoils_its_page(void **state)
{
    (void)state;
    struct seen s = {0};
    static const char bad[] = "{\"id\":\"PR-7\",\"note\":\"5\" disk\"}";
    char body[1024];
    snprintf(body, sizeof body, "[{\"id\":\"PR-1\"},%s,{\"id\":\"PR-2\"}]\n", bad);
    for (int limit = 100; limit > 1; limit /= 2)
        fake_answer(fake, 200, "Content-Range: items 0-2/3\r\n", body);
    fake_answer(fake, 200, "Content-Range: items 0-0/3\r\n", "[{\"id\":\"PR-1\"}]");
    snprintf(body, sizeof body, "[%s]", bad);
    fake_answer(fake, 200, "Content-Range: items 1-1/3\r\n", body);
    fake_answer(fake, 200, "Content-Range: items 2-2/3\r\n", "[{\"id\":\"PR-2\"}]");
    assert_err(list(&s), ERR_OK);
    assert_int_equal(s.n, 2);
    assert_string_equal(unusable, "1 PR-7 syntax: the list breaks off\n");
    assert_non_null(strstr(fake_request(fake, 6), "&limit=1&offset=0 "));
    assert_non_null(strstr(fake_request(fake, 8), "&limit=100&offset=2 "));
}

/* An object of so many bytes. */
static void add_fat(char *body, size_t size, int number, size_t fat)
{
    size_t len = strlen(body);
    snprintf(body + len, size - len, "%s{\"id\":\"PR-%d\",\"note\":\"%0*d\"}",
             strcmp(body, "[") == 0 ? "" : ",", number, (int)fat, 0);
}

static void answer_fat(int first, int last, int fat_one)
{
    static char body[64 * 1024];
    strcpy(body, "[");
    for (int i = first; i <= last; i++)
        add_fat(body, sizeof body, i, i == fat_one ? 9000 : 1);
    strcat(body, "]");
    fake_answer(fake, 200, "", body);
}

static void asks_for_fewer_where_a_page_is_too_big(void **state)
{
    (void)state;
    struct seen s = {0};
    answer_max = 8192;
    connect_with(KEY, 0);
    answer_fat(1, 100, 3);
    answer_fat(1, 50, 3);
    answer_fat(1, 25, 3);
    answer_fat(1, 12, 3);
    answer_fat(1, 6, 3);
    answer_fat(1, 3, 3);
    answer_fat(1, 1, 3);
    answer_fat(2, 2, 3);
    answer_fat(3, 3, 3); /* this one fits no answer */
    answer_fat(4, 100, 3);
    answer_fat(1, 0, 3);
    assert_err(list(&s), ERR_OK);
    answer_max = 0;
    assert_int_equal(s.n, 99);
    assert_string_equal(unusable, "2  too-big: is larger than an answer may be\n");
    assert_non_null(strstr(fake_request(fake, 6), "&limit=1&offset=0 "));
    assert_non_null(strstr(fake_request(fake, 9), "&limit=100&offset=3 "));
    assert_int_equal(fake_requests(fake), 11);
}

static void gives_a_list_up_whose_every_page_is_too_big(void **state)
{
    (void)state;
    struct seen s = {0};
    answer_max = 8192;
    connect_with(KEY, 0);
    for (int i = 0; i < 200; i++)
        answer_fat(1, 1, 1);
    assert_err(list(&s), ERR_TOO_BIG);
    answer_max = 0;
    assert_non_null(strstr(call.result.why.text, "more than 16 objects cannot be read"));
    assert_true(fake_requests(fake) < 200);
}

static void lists_a_server_that_cuts_pages_shorter(void **state)
{
    (void)state;
    struct seen s = {0};
    answer_page(1, 50, "items 0-49/120");
    answer_page(51, 100, "items 50-99/120");
    answer_page(101, 120, "items 100-119/120");
    assert_err(list(&s), ERR_OK);
    assert_int_equal(s.n, 120);
    assert_int_equal(fake_requests(fake), 3);
}

static void skips_nothing_when_objects_leave_the_list(void **state)
{
    (void)state;
    struct seen s = {0};
    answer_page(1, 100, "items 0-99/300");
    answer_page(141, 240, "items 100-199/260"); /* of the first page, forty have left */
    answer_page(101, 200, "items 60-159/260");  /* 101 to 140 have come to where 61 to 100 were */
    answer_page(201, 300, "items 160-259/260");
    assert_err(list(&s), ERR_OK);
    assert_int_equal(s.n, 300);
    assert_non_null(strstr(fake_request(fake, 2), "&offset=60 "));
    assert_non_null(strstr(fake_request(fake, 3), "&offset=160 "));
}

static void reads_pages_again_after_a_step_back(void **state)
{
    (void)state;
    struct seen s = {0};
    answer_page(1, 100, "items 0-99/300");
    answer_page(101, 200, "items 100-199/300");
    answer_page(201, 250, "items 200-249/250"); /* fifty of the end have left */
    answer_page(151, 250, "items 150-249/250"); /* nothing new, and no reason to complain */
    assert_err(list(&s), ERR_OK);
    assert_int_equal(s.n, 250);
    assert_true(s.ordered);
}

static void goes_back_from_beyond_the_end(void **state)
{
    (void)state;
    struct seen s = {0};
    answer_page(1, 100, "items 0-99/150");
    answer_page(1, 0, "items 100-100/90"); /* sixty of the first page have left */
    answer_page(101, 150, "items 40-89/90");
    assert_err(list(&s), ERR_OK);
    assert_int_equal(s.n, 150);
    assert_non_null(strstr(fake_request(fake, 2), "&offset=40 "));
    answer_page(1, 100, "items 0-99/150");
    answer_page(1, 0, "items 0-0/0"); /* all have */
    assert_err(list(&s), ERR_OK);
    assert_int_equal(fake_requests(fake), 5);
}

static void passes_an_object_once(void **state)
{
    (void)state;
    struct seen s = {0};
    answer_page(1, 100, "items 0-99/190");
    answer_page(91, 190, "items 100-199/200"); /* ten came in front */
    assert_err(list(&s), ERR_OK);
    assert_int_equal(s.n, 190);
    assert_true(s.ordered);
}

static void stops_a_server_that_repeats_or_contradicts_itself(void **state)
{
    (void)state;
    struct seen s = {0};
    answer_page(1, 100, "items 0-99/200");
    answer_page(1, 100, "items 0-99/200");
    assert_err(list(&s), ERR_HTTP_ANSWER);
    answer_page(1, 10, "items 0-99/200");
    assert_err(list(&s), ERR_HTTP_ANSWER);
    fake_answer(fake, 200, "", "[{\"id\":\"PR-1\"},{\"id\":\"PR-2");
    assert_err(list(&s), ERR_HTTP_ANSWER);
    assert_int_equal(s.n, 0);
    fake_answer(fake, 200, "", "{\"objects\":[]}");
    assert_err(list(&s), ERR_HTTP_ANSWER);
    assert_int_equal(fake_requests(fake), 5);
}

static void stops_when_told(void **state)
{
    (void)state;
    struct seen s = {.stop_at = 5};
    answer_page(1, 100, "items 0-99/300");
    assert_err(list(&s), ERR_OK);
    assert_int_equal(s.n, 5);
    assert_int_equal(fake_requests(fake), 1);
}

/* ------------------------------------------------------- templates and conversations */

static void lists_templates(void **state)
{
    (void)state;
    struct json_object *o;
    fake_answer(fake, 200, only_page(2), "[{\"id\":\"TL-1-2-3\"},{\"id\":\"TL-1-2-4\"}]");
    assert_err(api_templates(api, &call, PRODUCT, "asset", "fulfillment", &o), ERR_OK);
    assert_int_equal(json_object_array_length(o), 2);
    json_object_put(o);
    assert_asked(0, "GET /public/v1/products/" PRODUCT
                    "/templates?scope=asset&type=fulfillment&limit=100&offset=0");
    fake_answer(fake, 404, "", "");
    assert_err(api_templates(api, &call, PRODUCT, "asset", "inquire", &o), ERR_HTTP_NOT_FOUND);
    fake_answer(fake, 200, only_page(2), "[{\"id\":\"TL-1-2-3\"},{\"id\":\"\xff\"}]");
    assert_err(api_templates(api, &call, PRODUCT, "asset", "inquire", &o), ERR_ENCODING);
    assert_non_null(strstr(call.result.why.text, "/templates: place 1: "));
}

static enum err say(const char *text, bool want)
{
    bool posted = !want;
    enum err e = api_message(api, &call, REQUEST, text, &posted);
    if (e == ERR_OK)
        assert_int_equal(posted, want);
    return e;
}

static void posts_into_the_open_conversation(void **state)
{
    (void)state;
    fake_answer(fake, 200, "",
                "[{\"id\":\"CO-1\",\"status\":\"closed\"},{\"id\":\"CO-2\",\"type\":\"notes\"},"
                "{\"id\":\"" MESSAGES "\",\"status\":\"open\",\"type\":\"conversation\"}]");
    fake_answer(fake, 200, only_page(2),
                "[{\"id\":\"ME-1\",\"text\":\"done\",\"account\":{\"id\":\"VA-240-990\"},"
                "\"created\":\"2026-01-01T00:00:00+00:00\"},"
                "{\"id\":\"ME-2\",\"text\":\"else\",\"account\":{\"id\":\"VA-240-990\"},"
                "\"created\":\"2026-01-02T00:00:00+00:00\"}]");
    fake_answer(fake, 201, "", "{\"id\":\"ME-3\"}");
    assert_err(say("done", true), ERR_OK);
    assert_asked(0, "GET /public/v1/conversations?instance_id=" REQUEST);
    assert_asked(2, "POST /public/v1/conversations/" MESSAGES "/messages");
    assert_non_null(strstr(fake_request(fake, 2), "{\"text\":\"done\"}"));
}

static void does_not_say_the_same_twice(void **state)
{
    (void)state;
    fake_answer(fake, 200, "", "[{\"id\":\"" MESSAGES "\"}]");
    fake_answer(fake, 200, only_page(3),
                "[{\"id\":\"ME-2\",\"text\":\"done\",\"account\":{\"id\":\"VA-240-990\"},"
                "\"created\":\"2026-01-02T00:00:00+00:00\"},"
                "{\"id\":\"ME-1\",\"text\":\"older\",\"account\":{\"id\":\"VA-240-990\"},"
                "\"created\":\"2026-01-01T00:00:00+00:00\"},"
                "{\"id\":\"ME-3\",\"text\":\"theirs\",\"account\":{\"id\":\"PA-1\"},"
                "\"created\":\"2026-01-03T00:00:00+00:00\"}]");
    assert_err(say("done", false), ERR_OK);
    fake_answer(fake, 200, "", "[{\"id\":\"" MESSAGES "\"}]");
    fake_answer(fake, 200, only_page(1), "[{\"id\":\"ME-1\",\"text\":\"done\"}]"); /* by whom? */
    assert_err(say("done", false), ERR_OK);
    assert_int_equal(fake_requests(fake), 4);
}

static void tells_that_there_is_no_open_conversation(void **state)
{
    (void)state;
    fake_answer(fake, 200, "", "[]");
    assert_err(say("x", false), ERR_NOT_FOUND);
    assert_string_equal(call.result.why.text, REQUEST " has no open conversation");
    fake_answer(fake, 404, "", "");
    assert_err(say("x", false), ERR_NOT_FOUND);
    fake_answer(fake, 200, "", "[{\"id\":\"CO-1\",\"status\":\"closed\"}]");
    assert_err(say("x", false), ERR_NOT_FOUND);
    fake_answer(fake, 200, "", "[{\"id\":\"../../requests\",\"status\":\"open\"}]");
    assert_err(say("x", false), ERR_NOT_FOUND);
    fake_answer(fake, 401, "", "");
    assert_err(say("x", false), ERR_HTTP_AUTH);
}

#define test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(refuses_ids_that_are_none),
        test(lists_by_what_the_class_has),
        test(refuses_a_key_that_cannot_be_one),
        test(sends_the_key_with_its_word_however_it_was_given),
        test(sends_verbs_and_parameters),
        test(maps_every_status),
        test(keeps_connects_own_words),
        test(notes_but_does_not_repeat_html),
        test(cuts_a_flood_of_errors_between_characters),
        test(never_tells_the_key),
        test(refuses_a_success_that_is_no_answer),
        test(tries_a_get_again_while_it_may_help),
        test(gives_a_get_up_after_its_tries),
        test(tries_nothing_again_that_will_not_change),
        test(sends_what_changes_something_once),
        test(halts_the_account_for_retry_after),
        test(tells_others_what_it_came_to_and_not_that_it_waited),
        test(waits_for_a_turn_but_not_beyond_the_deadline),
        test(stops_who_waits_for_a_turn),
        test(lists_pages_to_the_total),
        test(lists_pages_without_a_total_to_an_empty_one),
        test(ends_a_list_of_a_server_that_knows_no_pages),
        test(passes_what_cannot_be_read_as_such),
        test(finds_the_object_that_spoils_its_page),
        test(asks_for_fewer_where_a_page_is_too_big),
        test(gives_a_list_up_whose_every_page_is_too_big),
        test(lists_a_server_that_cuts_pages_shorter),
        test(skips_nothing_when_objects_leave_the_list),
        test(reads_pages_again_after_a_step_back),
        test(goes_back_from_beyond_the_end),
        test(passes_an_object_once),
        test(stops_a_server_that_repeats_or_contradicts_itself),
        test(stops_when_told),
        test(lists_templates),
        test(posts_into_the_open_conversation),
        test(does_not_say_the_same_twice),
        test(tells_that_there_is_no_open_conversation),
    };
    return fake_run(tests, sizeof tests / sizeof *tests);
}
