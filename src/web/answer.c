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

void answer_finish(struct response *res)
{
    if (res->body.err == ERR_OK)
        return;
    buf_reset(&res->body);
    res->content_type = NULL;
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
    struct buf *b = &res->body;
    response_init(res, status, PROBLEM_TYPE);
    buf_printf(b, "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d", title(status),
               status);
    if (status != 401 && r->why.text[0] != '\0') {
        buf_addstr(b, ",\"detail\":");
        jsonx_print_text(b, detail(r));
    }
    if (objects != NULL) {
        buf_addstr(b, ",\"objects\":");
        jsonx_print(b, objects);
        json_object_put(objects);
    }
    buf_addc(b, '}');
    answer_finish(res);
    if (status == 401)
        response_header(res, "WWW-Authenticate", "Bearer");
    if (status == 405)
        response_header(res, "Allow", "GET, POST");
    if (status == 503)
        response_header(res, "Retry-After", "%lld",
                        (long long)(r->retry_after_s > 0 ? r->retry_after_s : ANSWER_RETRY_AFTER));
}
