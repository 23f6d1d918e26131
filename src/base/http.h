/*
 * http.h - the one HTTP client, over libcurl.
 *
 * Verified TLS, no redirects, no proxy but the configured one (the environment is never
 * asked: a web server may set HTTP_PROXY from a request's header), a ceiling on answers,
 * time limits on everything. Connections are kept and reused. A client may be used by any
 * number of threads at once.
 */
#ifndef BASE_HTTP_H
#define BASE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define HTTP_HEADERS_MAX     16                 /* request headers of one call */
#define HTTP_ANSWER_MAX      (32 * 1024 * 1024) /* bytes of an answer's body, unless asked for less */
#define HTTP_RETRY_AFTER_MAX (24 * 3600)        /* s; a longer or senseless Retry-After is cut */

/* Call once in main(), before any thread; http_global_free() at the end. */
enum err http_global_init(struct why *why);
void http_global_free(void);

struct http_options {
    const char *proxy;      /* URL, or NULL for none */
    const char *ca_file;    /* PEM bundle, or NULL for the system's */
    const char *user_agent; /* or NULL: "connect-webhook/VERSION (libcurl/VERSION)" */
    int64_t connect_timeout_ms;
    int64_t timeout_ms; /* from the first byte sent to the last one read */
    size_t answer_max;  /* bytes; 0 is HTTP_ANSWER_MAX */
};

struct http;

/* Strings are copied. *ret is owned: http_free(), when no call is under way. */
enum err http_new(const struct http_options *options, struct http **ret, struct why *why);
void http_free(struct http *h); /* NULL is fine */
/* Make calls under way and later ones end at once with ERR_STOPPED. Any thread. */
void http_stop(struct http *h);

struct http_request {
    const char *method;                    /* "GET", "POST", "PUT", "DELETE" */
    const char *url;                       /* http:// or https:// only */
    const char *headers[HTTP_HEADERS_MAX]; /* "Name: value"; ends with NULL */
    const char *body;                      /* NULL for none */
    size_t body_len;
    int64_t deadline; /* clk_mono_ms; CLK_NEVER for the client's time-out alone */
    /* Asked at the last moment, when the connection stands: if it says no, nothing is sent. NULL:
     * send. */
    bool (*may_send)(void *ctx);
    void *may_send_ctx;
};

struct http_response {
    int status;             /* 200, 404, ... */
    struct buf body;        /* as it came */
    char content_type[128]; /* without parameters, lower case; "" if none */
    char content_range[64]; /* "items 0-9/120"; "" if none */
    int64_t retry_after_s;  /* seconds asked for (number or HTTP date), -1 if none */
};

/*
 * Make one call. ERR_OK means that a whole HTTP answer was read, whatever its status; free it
 * with http_response_free(). Else:
 *
 *     ERR_NETWORK  not resolved, refused, reset, cut short    ERR_TIMEOUT  too slow
 *     ERR_TLS      certificate not accepted                   ERR_TOO_BIG  answer over the ceiling
 *     ERR_STOPPED  http_stop()                                ERR_INVALID  URL or header
 *     ERR_HTTP_ANSWER  not HTTP                              ERR_IO  the machine
 *     ERR_FENCED   may_send() said no
 *
 * *ret_sent (may be NULL) says, also on failure, whether the server may have seen the request:
 * false is a promise that it did not.
 */
enum err http_call(struct http *h, const struct http_request *request,
                   struct http_response *ret_response, bool *ret_sent, struct why *why);
void http_response_free(struct http_response *r);

#endif
