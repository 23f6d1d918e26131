/*
 * fcgi_gate.h - what must be known of a FastCGI byte stream before libfcgi may read it.
 *
 * libfcgi reads from a blocking descriptor, believes the lengths it is told and goes on with
 * whatever follows. The gate follows the stream from outside as the bytes arrive: where records
 * begin and end, whether this is one well-formed request to a responder, whether its parameters
 * and body stay within their limits, and where it ends. Only a whole request that has passed is
 * shown to libfcgi. Pure: no I/O, no memory.
 */
#ifndef TRANSPORT_FCGI_GATE_H
#define TRANSPORT_FCGI_GATE_H

#include <fastcgi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum gate_stage { GATE_BEGIN, GATE_PARAMS, GATE_STDIN, GATE_END };

/* A name-value pair being followed across records: two lengths, then the bytes they announce. */
struct gate_pair {
    uint32_t len[2]; /* of name, value: announced, then left */
    int part;        /* 0, 1: its length is being read; 2, 3: name, value are being passed */
    int more;        /* bytes of the length still to come */
};

struct fcgi_gate {
    size_t max_body;

    enum gate_stage stage; /* GATE_END: the request is complete */
    uint8_t header[FCGI_HEADER_LEN];
    size_t header_len;
    uint8_t type;
    uint16_t id;
    uint32_t content, padding; /* bytes of the record still to come */

    struct gate_pair pair;
    size_t params, params_len, body_len;

    /* ERR_TOO_BIG or ERR_SYNTAX: this request is refused, but the stream can be followed. */
    enum err err;
    size_t seen; /* bytes of the request */
    size_t good; /* of them, up to the end of the last stage that was good as a whole */
    enum gate_stage good_stage;
};

void gate_init(struct fcgi_gate *g, size_t max_body);

/*
 * Follow `len` more bytes. *ret_used of them belong to this request. ERR_SYNTAX: this is not
 * FastCGI as a web server speaks it to a responder, or the request was aborted; the connection
 * must be closed.
 */
enum err gate_feed(struct fcgi_gate *g, const uint8_t *data, size_t len, size_t *ret_used);

/*
 * The bytes of a request that failed half-way: keep its good stages and end it properly.
 * ERR_TOO_BIG if not even those were kept; ERR_NOMEM.
 */
enum err gate_cut(const struct fcgi_gate *g, struct buf *bytes);

#endif
