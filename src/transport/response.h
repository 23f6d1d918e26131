/*
 * response.h - an answer to a call.
 */
#ifndef TRANSPORT_RESPONSE_H
#define TRANSPORT_RESPONSE_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

#define RESPONSE_HEADERS_MAX 4
#define RESPONSE_BODY_MAX    (80 * 1024 * 1024) /* bytes: a form of the largest body, with errors */
#define RESPONSE_PRINTED_MAX (RESPONSE_BODY_MAX + 4096)

struct response_header {
    const char *name; /* static */
    char value[128];
};

struct response {
    int status;                                           /* 200, 503, ... */
    const char *content_type;                             /* static; NULL for no body */
    struct response_header headers[RESPONSE_HEADERS_MAX]; /* ends with a NULL name */
    struct buf body;
};

/* An answer with an empty body. */
void response_init(struct response *res, int status, const char *content_type);
void response_free(struct response *res);
/* Add a header; a value that could end a line is refused (ERR_INVALID). */
enum err response_header(struct response *res, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Append the answer in CGI form (RFC 3875 section 6): "Status: 200 OK", headers, body. ERR_INVALID
 * for a status that is none; b->err or the body's own error.
 */
enum err response_print(struct buf *b, const struct response *res);

#endif
