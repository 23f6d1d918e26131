/*
 * fake_http.h - a server in a thread of the test: it answers requests, in the order in which
 * they come, with what the test put down for them, well formed or not, and keeps what was asked.
 */
#ifndef FAKE_HTTP_H
#define FAKE_HTTP_H

#include <stddef.h>

#include "unit.h"

#define FAKE_REQUESTS_MAX 600

enum fake_end {
    FAKE_KEEP,  /* keep the connection for the next request */
    FAKE_CLOSE, /* close it */
    FAKE_RESET, /* break it off with a TCP reset */
    FAKE_HANG,  /* say no more until the client leaves */
    FAKE_FLOOD, /* repeat the last FAKE_FLOOD_LEN bytes until the client leaves */
};

#define FAKE_FLOOD_LEN 16

struct fake;

/* main()'s: run the tests, with all that clients need; returns the exit status. */
int fake_run(const struct CMUnitTest *tests, size_t count);

struct fake *fake_start(void); /* on a port that the system chooses, or the test fails */
void fake_stop(struct fake *f);
const char *fake_url(const struct fake *f); /* "http://127.0.0.1:PORT" */

/* Put the next answer down: exactly these bytes. A request without one is reset. */
void fake_raw(struct fake *f, enum fake_end end, const char *bytes);
/* A well-formed one; `headers` are whole lines with CR LF, or "". JSON unless they say else. */
void fake_answer(struct fake *f, int status, const char *headers, const char *body);

size_t fake_requests(struct fake *f); /* whole requests read so far */
size_t fake_connections(struct fake *f);
/* The i-th request, head and body. Borrowed until fake_stop(). */
const char *fake_request(struct fake *f, size_t i);

#endif
