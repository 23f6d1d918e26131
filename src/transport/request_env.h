/*
 * request_env.h - what the transports share: a request out of CGI variables (RFC 3875).
 */
#ifndef TRANSPORT_REQUEST_ENV_H
#define TRANSPORT_REQUEST_ENV_H

#include "transport/request.h"

/* An empty request with a fresh id. */
void request_init(struct request *r, const struct request_ops *ops, int64_t received_us);

/*
 * Read the variables ("NAME=value" strings, NULL-terminated) into `r`, which borrows them. What
 * is wrong with them goes to r->err, unless something else is there already:
 *
 *     ERR_SYNTAX           a variable that must be single is there twice with two values;
 *                          CONTENT_LENGTH is not a plain decimal number
 *     ERR_TOKEN_AMBIGUOUS  the same header that carries a token came twice
 *     ERR_NOMEM
 *
 * Of others that are repeated the first counts. That there are not too many of them is for the
 * transport to see to. *ret_length is CONTENT_LENGTH, or -1 if it is
 * missing or empty.
 */
void request_read_env(struct request *r, char *const *env, int64_t *ret_length);

/* The request cannot be used: keep the first reason, drop the body. */
void request_fail(struct request *r, enum err e);

/*
 * Print the answer into an empty buffer; one that cannot be printed becomes a bare 500, since the
 * web server must hear something. ERR_NOMEM if not even that.
 */
enum err request_print(struct buf *b, const struct response *res);

void request_free(struct request *r); /* what request_read_env() allocated */

#endif
