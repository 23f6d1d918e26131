/* exchange.c - one call of Connect's API, and what its answer means. */
#include "api/exchange.h"

#include <ctype.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/clk.h"
#include "base/jsonx.h"
#include "base/mask.h"
#include "base/metric.h"
#include "base/utf8.h"

#define BODY_MAX       (16 * 1024 * 1024) /* bytes of what we send */
#define ERROR_BODY_MAX (256 * 1024)       /* bytes of an error's body that we read */

/* ----------------------------------------------------------------------- errors */

static enum err map_status(int status)
{
    if (status >= 200 && status < 300)
        return ERR_OK;
    if (status == 401)
        return ERR_HTTP_AUTH;
    if (status == 403)
        return ERR_HTTP_FORBIDDEN;
    if (status == 404)
        return ERR_HTTP_NOT_FOUND;
    if (status == 429 || status == 503)
        return ERR_HTTP_THROTTLED;
    if (status >= 400 && status < 500)
        return ERR_HTTP_CLIENT;
    return status >= 500 && status < 600 ? ERR_HTTP_SERVER : ERR_HTTP_ANSWER;
}

static void add_error(struct api_call *call, const char *text)
{
    size_t n = strlen(call->errors);
    snprintf(call->errors + n, sizeof call->errors - n, "%s%s", n > 0 ? "; " : "", text);
}

/* {"error_code":"VAL_001","errors":["..."]}, in the shapes that occur. */
static void read_error(struct api_call *call, const struct json_object *root)
{
    snprintf(call->error_code, sizeof call->error_code, "%s", jsonx_str(root, "error_code", ""));
    utf8_clean(call->error_code);
    struct json_object *errors = jsonx_get(root, "errors");
    if (json_object_is_type(errors, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(errors); i++)
            add_error(call, json_object_get_string(json_object_array_get_idx(errors, i)));
    } else if (errors != NULL) {
        add_error(call, json_object_get_string(errors));
    } else {
        add_error(call, jsonx_str(root, "detail", "")); /* the framework's own, below Connect's */
    }
}

/* A server that repeats our key in its complaint must not bring it into our records. */
static void hide_key(const struct api *a, char *text, size_t size)
{
    const char *header = (const char *)secret_bytes(a->authorization);
    const char *key = strrchr(header, ' ') + 1;
    const char *token = strchr(key, ':'); /* "SU-123-456:TOKEN" */
    struct mask m = {0};
    if (mask_add(&m, token != NULL ? token + 1 : key) != ERR_OK ||
        mask_text(&m, text, size) != ERR_OK)
        text[0] = '\0';
    mask_free(&m);
}

static enum err tell(struct api_call *call, enum err e, const char *method, const char *path,
                     const struct http_response *answer)
{
    int path_len = (int)strcspn(path, "?");
    if (answer->status >= 300 && answer->status < 400)
        return result_set(&call->result, e,
                          "%s %.*s: %d: redirects are not followed; is the API's URL right?",
                          method, path_len, path, answer->status);
    if (call->error_code[0] != '\0' || call->errors[0] != '\0')
        return result_set(&call->result, e, "%s %.*s: %d: %s%s%s", method, path_len, path,
                          answer->status, call->error_code, call->error_code[0] != '\0' ? ": " : "",
                          call->errors);
    return result_set(&call->result, e, "%s %.*s: %d: %s, with %zu bytes of %s", method, path_len,
                      path, answer->status, err_text(e), answer->body.len,
                      answer->content_type[0] != '\0' ? answer->content_type : "no content type");
}

static enum err explain(struct api *a, struct api_call *call, const char *method, const char *path,
                        const struct http_response *answer)
{
    struct json_object *root = NULL;
    if (answer->body.len > 0 &&
        jsonx_parse(answer->body.data, answer->body.len, ERROR_BODY_MAX, &root, NULL) == ERR_OK)
        read_error(call, root);
    json_object_put(root);
    utf8_clean(call->errors);
    hide_key(a, call->errors, sizeof call->errors);
    enum err e = tell(call, map_status(answer->status), method, path, answer);
    hide_key(a, call->result.why.text,
             sizeof call->result.why.text); /* as an error code, for instance */
    return e;
}

/* --------------------------------------------------------------------- one call */

/* Whoever calls for this account next waits, too. */
static void halt_account(struct api *a, int64_t retry_after_s)
{
    int64_t ms = a->backoff_min_ms;
    if (retry_after_s >= 0)
        ms = (retry_after_s < API_PAUSE_MAX ? retry_after_s : API_PAUSE_MAX) * 1000;
    rate_halt(a->rate, clk_mono_ms() + ms);
}

/* What a call came to says something of the account, unless it is one object's trouble, or ours. */
static void tell_others(const struct api *a, enum err e, const struct api_call *call)
{
    bool is_trouble = e == ERR_NETWORK || e == ERR_TIMEOUT || e == ERR_TLS || e == ERR_HTTP_AUTH ||
                      e == ERR_HTTP_THROTTLED || (e == ERR_HTTP_SERVER && call->status != 500);
    if (a->commons == NULL || (!is_trouble && (call->status == 0 || call->status == 500)))
        return;
    a->commons->came_to(a->commons->ctx, a->account_id, is_trouble ? e : ERR_OK,
                        call->result.retry_after_s);
}

/* The moment that a call which begins now has patience until. */
static int64_t patience_of(const struct api_call *call)
{
    return call->patience_ms > 0 ? clk_earlier(call->deadline, clk_mono_ms() + call->patience_ms)
                                 : call->deadline;
}

static enum err wait_for_turn(struct api *a, struct api_call *call, const char *method,
                              const char *path)
{
    int64_t left_ms = 0;
    int path_len = (int)strcspn(path, "?");
    enum err e = rate_take(a->rate, call->deadline, patience_of(call), &left_ms);
    if (e == ERR_OK)
        return ERR_OK;
    if (e == ERR_HTTP_THROTTLED)
        call->result.retry_after_s = (left_ms + 999) / 1000;
    return result_set(&call->result, e, "%s %.*s: not sent: %s", method, path_len, path,
                      e == ERR_HTTP_THROTTLED ? "Connect asked us to slow down, for longer than "
                                                "this call waits"
                      : e == ERR_TIMEOUT      ? "no turn within the rate limit before the deadline"
                                              : err_text(e));
}

void exchange_begin(struct api_call *call)
{
    *call = (struct api_call){.deadline = call->deadline,
                              .patience_ms = call->patience_ms,
                              .fence = call->fence,
                              .trace = call->trace,
                              .result = RESULT_NONE};
}

static enum err send_request(struct api *a, struct api_call *call, const char *method,
                             const char *path, struct json_object *body,
                             struct http_response *ret_answer)
{
    struct buf url, text;
    struct http_response answer;
    exchange_begin(call);
    buf_init(&url, strlen(a->url) + API_PATH_MAX);
    buf_init(&text, BODY_MAX);
    buf_addstr(&url, a->url);
    buf_addstr(&url, path);
    if (body != NULL)
        jsonx_print(&text, body);
    enum err e = url.err != ERR_OK ? url.err : text.err;
    if (e != ERR_OK)
        e = result_set(&call->result, e, "%s: request not made: %s", method, err_text(e));
    if (e == ERR_OK)
        e = wait_for_turn(a, call, method, path);
    if (e == ERR_OK) {
        struct http_request r = {
            .method = method,
            .url = url.data,
            .headers = {(const char *)secret_bytes(a->authorization), "Accept: application/json",
                        body != NULL ? "Content-Type: application/json" : NULL},
            .body = body != NULL ? text.data : NULL,
            .body_len = text.len,
            .deadline = call->deadline};
        if (call->fence != NULL && strcmp(method, "GET") != 0) {
            r.may_send = call->fence->holds;
            r.may_send_ctx = call->fence->ctx;
        }
        call->result.err = e = http_call(a->http, &r, &answer, &call->sent, &call->result.why);
        if (e != ERR_OK)
            tell_others(a, e, call);
    }
    sodium_memzero(text.data, text.len); /* parameters may be passwords */
    buf_free(&text);
    buf_free(&url);
    if (e != ERR_OK)
        return e;

    call->status = answer.status;
    call->result.retry_after_s = answer.retry_after_s;
    e = map_status(answer.status);
    if (e == ERR_HTTP_THROTTLED)
        halt_account(a, answer.retry_after_s);
    tell_others(a, e, call);
    if (e == ERR_OK) {
        *ret_answer = answer;
        return ERR_OK;
    }
    explain(a, call, method, path, &answer);
    http_response_free(&answer);
    return e;
}

/* Whole or not at all. */
static void note(const struct api_call *call, const char *method, const char *path, int64_t ms)
{
    struct buf entry;
    buf_init(&entry, API_PATH_MAX * 2);
    buf_printf(&entry, "%s{\"method\":\"%s\",\"path\":", call->trace->len > 0 ? "," : "", method);
    jsonx_print_text(&entry, path);
    buf_printf(&entry, ",\"status\":%d,\"error_code\":", call->status);
    jsonx_print_text(&entry, call->error_code);
    buf_printf(&entry, ",\"ms\":%" PRId64 "}", ms);
    if (entry.err == ERR_OK)
        buf_add(call->trace, entry.data, entry.len);
    buf_free(&entry);
}

static void measure(const struct api *a, const struct api_call *call, int64_t ms)
{
    char status[16];
    snprintf(status, sizeof status, "%d", call->status);
    metric_count(METRIC_API_CALLS, a->account_id, status);
    metric_time(METRIC_API_TIME, a->account_id, ms * 1000);
}

enum err exchange(struct api *a, struct api_call *call, const char *method, const char *path,
                  struct json_object *body, struct http_response *ret_answer)
{
    int64_t began = clk_mono_ms();
    enum err e = send_request(a, call, method, path, body, ret_answer);
    int64_t took_ms = clk_mono_ms() - began;
    if (call->sent)
        measure(a, call, took_ms);
    if (call->trace != NULL && call->sent)
        note(call, method, path, took_ms);
    return e;
}

bool exchange_is_whole(const struct buf *body, char open, char close)
{
    size_t len = body->len;
    while (len > 0 && isspace((unsigned char)body->data[len - 1]))
        len--;
    return len >= 2 && body->data[0] == open && body->data[len - 1] == close;
}

enum err exchange_unreadable(struct api_call *call, enum err e, const char *method,
                             const char *path, const struct http_response *answer,
                             const char *story)
{
    return result_set(&call->result, e, "%s %.*s: %d: not the JSON we need (%s): %s", method,
                      (int)strcspn(path, "?"), path, answer->status,
                      answer->content_type[0] != '\0' ? answer->content_type : "no content type",
                      story);
}

enum err exchange_parse(struct api_call *call, const char *method, const char *path,
                        const struct http_response *answer, enum json_type type,
                        struct json_object **ret_root)
{
    struct json_object *root = NULL;
    struct why why;
    int path_len = (int)strcspn(path, "?");
    enum err e = jsonx_parse(answer->body.data, answer->body.len, HTTP_ANSWER_MAX, &root, &why);
    if (e == ERR_NOMEM)
        return result_set(&call->result, e, "%s %.*s: out of memory", method, path_len, path);
    /* No JSON at all is a gateway's word, or half an answer; bad JSON is how the object is kept. */
    if (e == ERR_SYNTAX && !exchange_is_whole(&answer->body, '{', '}'))
        e = ERR_HTTP_ANSWER;
    if (e != ERR_OK)
        return exchange_unreadable(call, e, method, path, answer, why.text);
    if (json_object_get_type(root) != type) {
        json_object_put(root);
        return result_set(&call->result, ERR_HTTP_ANSWER, "%s %.*s: %d: the answer is not an %s",
                          method, path_len, path, answer->status, json_type_to_name(type));
    }
    *ret_root = root;
    return ERR_OK;
}

/* ------------------------------------------------------------------ several tries */

static bool of_the_moment(enum err e)
{
    return e == ERR_NETWORK || e == ERR_TIMEOUT || e == ERR_HTTP_SERVER || e == ERR_HTTP_THROTTLED;
}

/* Full jitter: anything up to a bound that doubles with every try. */
static int64_t backoff_ms(const struct api *a, int try)
{
    int64_t bound = a->backoff_min_ms << try;
    bound = bound < a->backoff_max_ms ? bound : a->backoff_max_ms;
    return (int64_t)randombytes_uniform((uint32_t)bound + 1);
}

enum err exchange_get(struct api *a, struct api_call *call, const char *path,
                      struct http_response *ret_answer)
{
    int64_t patience = patience_of(call);
    for (int try = 0;; try++) {
        enum err e = exchange(a, call, "GET", path, NULL, ret_answer);
        if (!of_the_moment(e) || try + 1 == API_GET_TRIES)
            return e;
        /* After a 429 the account is halted, and the next try waits for its turn besides. */
        int64_t again = clk_mono_ms() + backoff_ms(a, try);
        if (again >= patience)
            return e;
        if (rate_sleep(a->rate, again) != ERR_OK)
            return result_set(&call->result, ERR_STOPPED, "GET: %s", err_text(ERR_STOPPED));
    }
}

enum err exchange_get_json(struct api *a, struct api_call *call, const char *path,
                           enum json_type type, struct json_object **ret_root)
{
    struct http_response answer;
    enum err e = exchange_get(a, call, path, &answer);
    if (e != ERR_OK)
        return e;
    e = exchange_parse(call, "GET", path, &answer, type, ret_root);
    http_response_free(&answer);
    return e;
}
