/*
 * request.h - one call by the web server, however it came (CGI or FastCGI).
 *
 * A transport reads the whole request, within its limits, and hands it to a handler, which must not
 * wait for anything: others are served by the same thread. The handler may answer at once, or keep
 * the request while other threads work on it. Each request is answered exactly once, by
 * request_respond(), which consumes it, and only where it was handed out: request_resume() leads
 * back there.
 */
#ifndef TRANSPORT_REQUEST_H
#define TRANSPORT_REQUEST_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "transport/response.h"

#define REQUEST_ID_LEN     16          /* hexadecimal digits */
#define REQUEST_PARAMS_MAX 256         /* CGI variables of a request */
#define REQUEST_ENV_MAX    (64 * 1024) /* bytes of all their names and values */

struct request;

typedef void request_fn(void *ctx);

/* What a transport implements. */
struct request_ops {
    /* Send the answer and release the request. `res` is borrowed. */
    void (*respond)(struct request *r, const struct response *res);
    void (*resume)(struct request *r, request_fn *fn, void *ctx);
};

/* All strings are owned by the request and NUL-terminated; those not sent are NULL. */
struct request {
    const struct request_ops *ops;

    char id[REQUEST_ID_LEN + 1]; /* random; names the call in the log */
    const char *method;          /* never NULL; "" if not sent */
    const char *path;            /* SCRIPT_NAME + PATH_INFO, else DOCUMENT_URI; never NULL */
    const char *query;           /* QUERY_STRING */
    const char *remote_addr;
    const char *content_type;
    const char *content_encoding;

    /* The three places where a token may travel. */
    const char *authentication;         /* HTTP_AUTHENTICATION */
    const char *authorization;          /* HTTP_AUTHORIZATION */
    const char *redirect_authorization; /* REDIRECT_HTTP_AUTHORIZATION */

    const char *body; /* never NULL */
    size_t body_len;
    int64_t received_us; /* wall clock */
    struct buf *scratch; /* empty: for a text of whoever works on the request; lives as long */

    /*
     * What the transport already found wrong: ERR_OK, ERR_TOO_BIG (body, parameters), ERR_SYNTAX
     * (parameters, CONTENT_LENGTH), ERR_TOKEN_AMBIGUOUS (a header that carries a token came
     * twice), ERR_TIMEOUT, ERR_ABORTED, ERR_IO, ERR_NOMEM. Then `body` is empty and the handler
     * only gets to choose the answer.
     */
    enum err err;

    char *joined_path; /* the transport's: what `path` points at if it had to be put together */
};

typedef void request_handler(void *ctx, struct request *r);

/* Answer and consume. */
void request_respond(struct request *r, const struct response *res);

/* Have fn(ctx) run where the request may be answered, soon or before this returns. Any thread; the
 * request must not be touched afterwards but by `fn`. */
void request_resume(struct request *r, request_fn *fn, void *ctx);

#endif
