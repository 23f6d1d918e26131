/*
 * fcgi.h - FastCGI: our own listener and event loops, libfcgi for the protocol.
 *
 * A few threads, the loops, share the listening sockets, and each owns the connections that it has
 * accepted wholly: it reads a request until the whole of it has arrived within its limits and its
 * deadline, calls the handler, and sends the answer. So a connection costs no thread while it is
 * idle, slow or silent, and neither does a web server that does not take its answer. What the
 * handler leaves to other threads comes back to the loop by request_resume(). A connection is kept
 * only if the web server asked for it, the request was read to its end without fault, and nothing
 * came after it.
 *
 * All requests together may hold FCGI_MEMORY_MAX bytes beyond a small allowance that each has,
 * which Connect's events do not exceed: what more comes in at such a time is refused (ERR_NOMEM),
 * so that slow or many large bodies keep no event out.
 */
#ifndef TRANSPORT_FCGI_H
#define TRANSPORT_FCGI_H

#include <stdbool.h>
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
    int loops;          /* threads; 0: as many as fit the processors */
    bool own;           /* `listen` is used in any case; what we inherited is another server's */
    struct fcgi_limits limits;
};

#define FCGI_LOOPS_AUTO  4                  /* at most, with eight processors or more */
#define FCGI_MEMORY_MAX  (64 * 1024 * 1024) /* bytes; at least one largest request always fits */
#define FCGI_MEMORY_FREE (64 * 1024)        /* bytes of each request that do not count */

struct fcgi;

/*
 * Take over the sockets that we were started with, or open options->listen. Strings are borrowed
 * for the call only. On failure `why` says what to do: see listener_open(). SIGPIPE must be
 * ignored.
 */
enum err fcgi_open(const struct fcgi_options *options, struct fcgi **ret, struct why *why);

/* The n-th address that it listens on, as web.listen would name it; NULL after the last. */
const char *fcgi_address(const struct fcgi *f, size_t n);

/*
 * Serve, in this thread and in one more for each further loop, which has all signals blocked, until
 * fcgi_stop(). `handler` is called by each loop for its own requests. ERR_OK once all that was
 * begun is answered; ERR_IO or ERR_NOMEM if it could not begin. ERR_TIMEOUT if stop_timeout_ms cut
 * something off: then others may still work on requests, and what they use must not be freed, the
 * server least of all.
 */
enum err fcgi_run(struct fcgi *f, request_handler *handler, void *ctx);

/* For how long the loop that has been at one round longest is at it, in ms: those it serves wait
 * meanwhile. 0: all loops wait for something to do. Any thread. */
int64_t fcgi_busy_ms(const struct fcgi *f);

/* Requests that begin after this have other limits. Any thread. */
void fcgi_set_limits(struct fcgi *f, const struct fcgi_limits *limits);

/*
 * Begin to stop: no new connections, idle ones are closed, requests already begun are read,
 * handled and answered. Any thread, and any signal handler; as often as you like.
 */
void fcgi_stop(struct fcgi *f);

/* Instead of fcgi_run(), or when it has returned something else than ERR_TIMEOUT. */
void fcgi_close(struct fcgi *f);

#endif
