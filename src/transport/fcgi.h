/*
 * fcgi.h - FastCGI: our own listener and event loop, libfcgi for the protocol.
 *
 * One thread, the loop, waits for all sockets. It reads a request ahead until the whole of it has
 * arrived within its limits and its deadline; only then a thread of the pool decodes it and calls
 * the handler. So a connection costs no thread while it is idle, slow or silent, and neither does
 * a web server that does not take its answer: what the socket does not take at once, the loop
 * sends. A connection is kept only if the web server asked for it, the request was read to its
 * end without fault, and nothing came after it.
 *
 * All requests together may hold FCGI_MEMORY_MAX bytes beyond a small allowance that each has,
 * which Connect's events do not exceed: what more comes in at such a time is refused (ERR_NOMEM),
 * so that slow or many large bodies keep no event out.
 */
#ifndef TRANSPORT_FCGI_H
#define TRANSPORT_FCGI_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "transport/request.h"

/* What requests may cost; can be changed while requests are served. */
struct fcgi_limits {
    size_t max_body;            /* bytes */
    int64_t request_timeout_ms; /* from accept or first byte to the last byte read; and to send */
    int64_t stop_timeout_ms;    /* for what was begun when fcgi_stop() was called */
};

struct fcgi_options {
    const char *listen; /* "unix:PATH" or "tcp:HOST:PORT"; used only if we inherited no socket */
    const char *group;  /* of a Unix socket; NULL: ours */
    unsigned mode;      /* of a Unix socket: 0660 */
    int threads;        /* that run the handler, at least 1 */
    struct fcgi_limits limits;
};

#define FCGI_MEMORY_MAX  (64 * 1024 * 1024) /* bytes; at least one largest request always fits */
#define FCGI_MEMORY_FREE (64 * 1024)        /* bytes of each request that do not count */

struct fcgi;

/*
 * Take over the sockets that we were started with, or open options->listen. Strings are borrowed
 * for the call only. On failure `why` says what to do: see listener_open(). SIGPIPE must be
 * ignored; signal dispositions are left as they are, though libfcgi would change them.
 */
enum err fcgi_open(const struct fcgi_options *options, struct fcgi **ret, struct why *why);

/* The n-th address that it listens on, as web.listen would name it; NULL after the last. */
const char *fcgi_address(const struct fcgi *f, size_t n);

/*
 * Serve, in this thread and the pool's, until fcgi_stop(). The pool's threads have all signals
 * blocked. `handler` is called by several threads at once. ERR_OK once all that was begun is
 * answered; ERR_IO or ERR_NOMEM if it could not begin. ERR_TIMEOUT if stop_timeout_ms cut
 * something off: then handlers may still run, and what they use must not be freed.
 */
enum err fcgi_run(struct fcgi *f, request_handler *handler, void *ctx);

/* Requests that begin after this have other limits. Any thread. */
void fcgi_set_limits(struct fcgi *f, const struct fcgi_limits *limits);

/*
 * Begin to stop: no new connections, idle ones are closed, requests already begun are read,
 * handled and answered. Any thread, and any signal handler; as often as you like.
 */
void fcgi_stop(struct fcgi *f);

/* After fcgi_run(). Requests that are still with the handler may be answered later, to nobody. */
void fcgi_close(struct fcgi *f);

#endif
