/* fuzz_fcgi.c - FastCGI by strangers: what passes the gate, libfcgi reads without harm. */
#include <stdint.h>
#include <stdlib.h>

#include "transport/fcgi_codec.h"
#include "transport/fcgi_gate.h"
#include "transport/request_env.h"

#define MAX_BODY  1000          /* bytes */
#define BYTES_MAX (1024 * 1024) /* of a stream that is kept */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int asks_a_responder(const struct buf *bytes)
{
    return bytes->data[FCGI_HEADER_LEN] == 0 && bytes->data[FCGI_HEADER_LEN + 1] == FCGI_RESPONDER;
}

static void decode(const struct fcgi_gate *g, struct buf *bytes)
{
    struct fcgi_codec codec;
    FCGX_Request fcgx;
    struct request r;
    struct buf body;
    int64_t length;
    size_t body_len = g->err == ERR_OK ? g->body_len : 0;
    codec_init(&codec);
    buf_init(&body, MAX_BODY);
    enum err e = codec_decode(&codec, bytes, body_len, &fcgx, &body);
    if (e == ERR_OK) {
        if (body.len != body_len)
            abort();
        request_init(&r, NULL);
        request_read_env(&r, fcgx.envp, &length);
        request_free(&r);
        codec_drop(&fcgx);
    } else if (asks_a_responder(bytes)) {
        abort(); /* the gate and libfcgi saw it differently */
    }
    buf_free(&body);
    codec_free(&codec);
}

/* The first byte says in what pieces the rest comes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || FCGX_Init() != 0)
        return 0;
    size_t step = data[0] > 0 ? data[0] : size, used;
    struct fcgi_gate g;
    struct buf bytes;
    gate_init(&g, MAX_BODY);
    buf_init(&bytes, BYTES_MAX);
    for (size_t at = 1; at < size && g.stage != GATE_END; at += used) {
        size_t n = step < size - at ? step : size - at;
        if (gate_feed(&g, data + at, n, &used) != ERR_OK)
            break;
        if (used > n || (used < n && g.stage != GATE_END))
            abort();
        buf_add(&bytes, data + at, used);
    }
    if (g.stage == GATE_END && (g.err == ERR_OK || gate_cut(&g, &bytes) == ERR_OK))
        decode(&g, &bytes);
    buf_free(&bytes);
    return 0;
}
