/*
 * fcgi_codec.h - FastCGI between bytes in memory: a request out of its records, and the records of
 * its answer.
 *
 * The reader follows the records as their bytes arrive, so that a request needs no thread before
 * the whole of it is there: is this one well-formed request to a responder, within its limits, and
 * where does it end? What the records carry is collected, without them. libfcgi's own reader goes
 * on with whatever follows a request, believes the lengths it is told, and waits on a descriptor;
 * what it has for bytes in memory is its stream, by which the parameters are read.
 *
 * Measured, in us of processor a call (one loop, 32 connections): 12.8 with libfcgi's stream over
 * memory, and as much without libfcgi; by FCGX_Accept_r() 17.3 on the connection itself once all is
 * there, 20.2 through a memory file. Its writer has no other outlet than a descriptor either, so
 * the three kinds of records of an answer are put together here, for one send.
 *
 * Source: the FastCGI specification 1.0, sections 3 to 5. Pure: no I/O.
 */
#ifndef TRANSPORT_FCGI_CODEC_H
#define TRANSPORT_FCGI_CODEC_H

#include <fastcgi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "transport/request.h"

enum reader_stage { READER_BEGIN, READER_PARAMS, READER_BODY, READER_END };

struct fcgi_reader {
    enum reader_stage stage; /* READER_END: the request is complete */
    uint8_t header[FCGI_HEADER_LEN];
    size_t header_len;
    uint16_t id;
    uint32_t content, padding; /* bytes of the record still to come */

    size_t seen; /* bytes of the request */
    bool keep;   /* the web server wants to use the connection again */
    struct buf params;
    struct buf body; /* its ceiling is the limit of a body, to be set before the first byte */

    /* ERR_TOO_BIG, ERR_NOMEM or whatever else it was refused for. What it was refused in is empty
     * then; its records are still followed to their end. */
    enum err err;
};

/* Owns nothing before bytes arrive. */
void reader_init(struct fcgi_reader *r);
void reader_free(struct fcgi_reader *r);
/* Forget the request, and the buffers that have grown beyond `keep_bytes`. */
void reader_next(struct fcgi_reader *r, size_t keep_bytes);
/* Collect no more of it. The first reason counts. */
void reader_refuse(struct fcgi_reader *r, enum err e);

/*
 * Take `len` more bytes. *ret_used of them belong to this request. ERR_SYNTAX: this is not FastCGI
 * as a web server speaks it to a responder; ERR_ABORTED: the web server gave the request up. Either
 * way the connection must be closed.
 */
enum err reader_feed(struct fcgi_reader *r, const uint8_t *data, size_t len, size_t *ret_used);

/*
 * The parameters as "NAME=value" strings, which are appended to `text`, an empty buffer, and live
 * as long as that does. `ret_env` ends with a NULL. ERR_SYNTAX for a pair that is cut off, has no
 * name, or would read as something else in this form (a NUL, a name with '='); ERR_TOO_BIG beyond
 * REQUEST_PARAMS_MAX or REQUEST_ENV_MAX; ERR_NOMEM. Then ret_env is empty.
 */
enum err reader_params(const struct fcgi_reader *r, struct buf *text,
                       char *ret_env[REQUEST_PARAMS_MAX + 1]);

/* Append the records of an answer (in CGI form), and that the request is over. */
enum err fcgi_print_answer(struct buf *out, uint16_t id, const struct buf *answer);

#endif
