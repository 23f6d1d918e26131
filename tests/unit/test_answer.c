/* test_answer.c - what Connect is told. */
#include "unit.h"

#include <string.h>

#include "base/buf.h"
#include "base/jsonx.h"
#include "web/answer.h"

#define BODY_MAX (64 * 1024) /* bytes of an answer that a test reads */

static const char *header(const struct response *res, const char *name)
{
    for (size_t i = 0; i < RESPONSE_HEADERS_MAX && res->headers[i].name != NULL; i++)
        if (strcmp(res->headers[i].name, name) == 0)
            return res->headers[i].value;
    return NULL;
}

/* The body as a document; the caller's. */
static struct json_object *document(const struct response *res)
{
    struct json_object *ret = NULL;
    assert_err(jsonx_parse(res->body.data, res->body.len, BODY_MAX, &ret, NULL), ERR_OK);
    return ret;
}

static struct json_object *objects(void)
{
    struct json_object *ret = json_object_new_array();
    json_object_array_add(ret, json_object_new_string("PR-1"));
    return ret;
}

static void problem(struct response *res, enum err e, const char *detail, int64_t retry_after_s,
                    struct json_object *given)
{
    struct result r = RESULT_NONE;
    result_set(&r, e, "%s", detail != NULL ? detail : "");
    r.retry_after_s = retry_after_s;
    answer_problem(res, answer_status(e), &r, given);
}

static void refuses_every_token_in_the_same_words(void **state)
{
    (void)state;
    static const enum err tokens[] = {ERR_TOKEN_MISSING, ERR_TOKEN_AMBIGUOUS, ERR_TOKEN_FORM,
                                      ERR_TOKEN_ALG,     ERR_TOKEN_UNKNOWN,   ERR_TOKEN_SIGNATURE,
                                      ERR_TOKEN_CLAIMS,  ERR_TOKEN_EXPIRED};
    struct response first, res;
    problem(&first, tokens[0], "secret 2 of 3", 7, NULL);
    assert_null(strstr(first.body.data, "secret"));
    for (size_t i = 0; i < sizeof tokens / sizeof tokens[0]; i++) {
        problem(&res, tokens[i], err_text(tokens[i]), -1, NULL);
        assert_int_equal(res.status, 401);
        assert_string_equal(header(&res, "WWW-Authenticate"), "Bearer");
        assert_null(header(&res, "Retry-After"));
        assert_string_equal(res.body.data, first.body.data);
        response_free(&res);
    }
    response_free(&first);
}

/* An error that is forgotten in the list is a server's error, never success and never the caller's.
 */
static void knows_a_status_for_every_error(void **state)
{
    (void)state;
    for (enum err e = ERR_OK + 1; e < ERR__COUNT; e++) {
        int status = answer_status(e);
        bool token = strncmp(err_name(e), "token-", strlen("token-")) == 0;
        assert_int_equal(status == 401, token);
        assert_true(status == 503 || (status >= 400 && status <= 499));
    }
    assert_int_equal(answer_status(ERR__COUNT), 503);
    assert_int_equal(answer_status((enum err)1000), 503);
    assert_int_equal(answer_status(ERR_OK), 200);
}

static void tells_apart_what_the_caller_can_mend(void **state)
{
    (void)state;
    static const struct {
        enum err err;
        int status;
    } cases[] = {
        {ERR_SYNTAX, 400},      {ERR_ENCODING, 400},
        {ERR_TOO_DEEP, 400},    {ERR_ABORTED, 400},
        {ERR_NOT_FOUND, 404},   {ERR_METHOD, 405},
        {ERR_TIMEOUT, 408},     {ERR_TOO_BIG, 413},
        {ERR_STORE, 503},       {ERR_CONTENT_ENCODING, 415},
        {ERR_BUSY, 503},        {ERR_CONFIG, 503},
        {ERR_POLICY, 503},      {ERR_HTTP_AUTH, 503},
        {ERR_NETWORK, 503},     {ERR_NOMEM, 503},
        {ERR_HTTP_CLIENT, 503}, {ERR_HTTP_NOT_FOUND, 503},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(answer_status(cases[i].err), cases[i].status);
}

static void says_what_a_problem_is(void **state)
{
    (void)state;
    struct response res;
    problem(&res, ERR_TOO_BIG, "a \"quoted\" detail", -1, NULL);
    assert_int_equal(res.status, 413);
    assert_string_equal(res.content_type, "application/problem+json");
    assert_null(header(&res, "Retry-After"));
    struct json_object *body = document(&res);
    assert_string_equal(jsonx_str(body, "type", ""), "about:blank");
    assert_string_equal(jsonx_str(body, "title", ""), "Request too large");
    assert_string_equal(jsonx_str(body, "detail", ""), "a \"quoted\" detail");
    assert_int_equal(json_object_get_int(json_object_object_get(body, "status")), 413);
    assert_false(json_object_object_get_ex(body, "objects", NULL));
    json_object_put(body);
    response_free(&res);

    problem(&res, ERR_METHOD, NULL, -1, NULL);
    assert_string_equal(header(&res, "Allow"), "GET, POST");
    body = document(&res);
    assert_false(json_object_object_get_ex(body, "detail", NULL));
    json_object_put(body);
    response_free(&res);
}

static void keeps_stories_about_this_machine_to_itself(void **state)
{
    (void)state;
    static const enum err ours[] = {ERR_NOMEM, ERR_IO, ERR_CONFIG, ERR_STORE, ERR_FENCED, ERR_TLS};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        struct response res;
        problem(&res, ours[i], "/var/lib/secret/place", -1, NULL);
        assert_null(strstr(res.body.data, "place"));
        assert_non_null(strstr(res.body.data, err_text(ours[i])));
        response_free(&res);
    }
}

static void says_when_to_call_again(void **state)
{
    (void)state;
    static const struct {
        int64_t asked;
        const char *said;
    } cases[] = {{-1, "30"}, {0, "30"}, {1, "1"}, {86400, "86400"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct response res;
        problem(&res, ERR_BUSY, NULL, cases[i].asked, NULL);
        assert_int_equal(res.status, 503);
        assert_string_equal(header(&res, "Retry-After"), cases[i].said);
        response_free(&res);
    }
}

static void takes_the_objects_so_far(void **state)
{
    (void)state;
    struct response res;
    struct json_object *given = objects();
    json_object_get(given);
    problem(&res, ERR_BUSY, "the time is over", 5, given);
    struct json_object *body = document(&res);
    struct json_object *list = json_object_object_get(body, "objects");
    assert_int_equal(json_object_array_length(list), 1);
    assert_string_equal(json_object_get_string(json_object_array_get_idx(list, 0)), "PR-1");
    json_object_put(body);
    response_free(&res);
    assert_int_equal(json_object_put(given), 1); /* ours was the last */
}

static void leaves_out_a_body_for_which_memory_ran_out(void **state)
{
    (void)state;
    struct response res;
    response_init(&res, 202, ANSWER_JSON);
    buf_addstr(&res.body, "{\"half");
    res.body.err = ERR_NOMEM;
    answer_finish(&res);
    assert_int_equal(res.status, 202);
    assert_null(res.content_type);
    assert_int_equal(res.body.len, 0);
    assert_err(res.body.err, ERR_OK);
    response_free(&res);

    response_init(&res, 200, ANSWER_JSON);
    buf_addstr(&res.body, "{}");
    answer_finish(&res);
    assert_string_equal(res.content_type, ANSWER_JSON);
    assert_string_equal(res.body.data, "{}");
    response_free(&res);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_every_token_in_the_same_words),
        cmocka_unit_test(knows_a_status_for_every_error),
        cmocka_unit_test(tells_apart_what_the_caller_can_mend),
        cmocka_unit_test(says_what_a_problem_is),
        cmocka_unit_test(keeps_stories_about_this_machine_to_itself),
        cmocka_unit_test(says_when_to_call_again),
        cmocka_unit_test(takes_the_objects_so_far),
        cmocka_unit_test(leaves_out_a_body_for_which_memory_ran_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
