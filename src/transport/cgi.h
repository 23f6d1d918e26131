/*
 * cgi.h - plain CGI (RFC 3875): one call from the environment and standard input.
 *
 * The command line is never looked at: a web server may make arguments out of a query.
 */
#ifndef TRANSPORT_CGI_H
#define TRANSPORT_CGI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "transport/request.h"

/* Has the web server started us for one call? Else it is FastCGI. */
bool cgi_is_call(void);

struct cgi_options {
    size_t max_body;            /* bytes */
    int64_t request_timeout_ms; /* for reading the body, and again for writing the answer */
};

/*
 * Read the call, hand it to `handler`, wait for its answer and write it to standard output.
 * ERR_OK once the answer is written; ERR_IO or ERR_TIMEOUT if nobody took it. SIGPIPE must be
 * ignored.
 *
 * With CONTENT_LENGTH exactly as many bytes are read, and fewer are ERR_ABORTED. Without it a
 * body ends where the input ends (chunked uploads under Apache); GET and HEAD then have none
 * unless Transfer-Encoding says so: some servers leave the connection itself on standard input.
 */
enum err cgi_run(const struct cgi_options *options, request_handler *handler, void *ctx);

#endif
