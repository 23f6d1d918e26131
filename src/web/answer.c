/* answer.c - errors as HTTP statuses, and the bodies. */
#include "web/answer.h"

#include "base/jsonx.h"

#define PROBLEM_TYPE "application/problem+json"

int answer_status(enum err e)
{
    switch (e) {
    case ERR_OK:
        return 200;
    case ERR_TOKEN_MISSING:
    case ERR_TOKEN_AMBIGUOUS:
    case ERR_TOKEN_FORM:
    case ERR_TOKEN_ALG:
    case ERR_TOKEN_UNKNOWN:
    case ERR_TOKEN_SIGNATURE:
    case ERR_TOKEN_CLAIMS:
    case ERR_TOKEN_EXPIRED:
        return 401;
    case ERR_NOT_FOUND:
        return 404;
    case ERR_METHOD:
        return 405;
    case ERR_TIMEOUT:
        return 408;
    case ERR_TOO_BIG:
        return 413;
    case ERR_CONTENT_ENCODING:
        return 415;
    case ERR_SYNTAX:
    case ERR_ENCODING:
    case ERR_TOO_DEEP:
    case ERR_DUPLICATE:
    case ERR_RANGE:
    case ERR_TYPE:
    case ERR_ABORTED:
        return 400;
    case ERR_NOMEM:
    case ERR_IO:
    case ERR_STOPPED:
    case ERR_BUSY:
    case ERR_INVALID:
    case ERR_CONFIG:
    case ERR_STORE:
    case ERR_FENCED:
    case ERR_NETWORK:
    case ERR_TLS:
    case ERR_HTTP_CLIENT:
    case ERR_HTTP_AUTH:
    case ERR_HTTP_FORBIDDEN:
    case ERR_HTTP_NOT_FOUND:
    case ERR_HTTP_THROTTLED:
    case ERR_HTTP_SERVER:
    case ERR_HTTP_ANSWER:
    case ERR_POLICY:
    case ERR_PROGRAM:
    case ERR_STATE:
    case ERR__COUNT:
        return 503;
    }
    return 503;
}

static const char *title(int status)
{
    switch (status) {
    case 400:
        return "Malformed request";
    case 401:
        return "No valid token";
    case 404:
        return "Nothing here";
    case 405:
        return "Method not allowed";
    case 408:
        return "Request not received in time";
    case 413:
        return "Request too large";
    case 415:
        return "Encoded bodies are not accepted";
    default:
        return "Not done now";
    }
}

static void fill(struct response *res, int status, const char *type, struct json_object *body)
{
    response_init(res, status, type);
    if (body == NULL || jsonx_print(&res->body, body) != ERR_OK) {
        buf_reset(&res->body);
        res->content_type = NULL;
    }
    json_object_put(body);
}

void answer_json(struct response *res, int status, struct json_object *body)
{
    fill(res, status, ANSWER_JSON, body);
}

/* What Connect's user may read. Stories about this machine, with its paths, are for the log. */
static const char *detail(const struct result *r)
{
    switch ((int)r->err) { /* the few of a long list */
    case ERR_NOMEM:
    case ERR_IO:
    case ERR_CONFIG:
    case ERR_STORE:
    case ERR_FENCED:
    case ERR_TLS:
        return err_text(r->err);
    default:
        return r->why.text;
    }
}

void answer_problem(struct response *res, int status, const struct result *r,
                    struct json_object *objects)
{
    struct json_object *body = json_object_new_object();
    bool ok = jsonx_add_text(body, "type", "about:blank") &&
              jsonx_add_text(body, "title", title(status)) && jsonx_add_int(body, "status", status);
    if (status != 401 && r->why.text[0] != '\0')
        ok = ok && jsonx_add_text(body, "detail", detail(r));
    if (objects != NULL)
        ok = jsonx_add(body, "objects", objects) && ok;
    if (!ok) { /* the status alone says what matters */
        json_object_put(body);
        body = NULL;
    }
    fill(res, status, PROBLEM_TYPE, body);
    if (status == 401)
        response_header(res, "WWW-Authenticate", "Bearer");
    if (status == 405)
        response_header(res, "Allow", "GET, POST");
    if (status == 503)
        response_header(res, "Retry-After", "%lld",
                        (long long)(r->retry_after_s > 0 ? r->retry_after_s : ANSWER_RETRY_AFTER));
}
