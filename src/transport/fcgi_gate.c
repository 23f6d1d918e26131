/* fcgi_gate.c - what must be known of a FastCGI byte stream before libfcgi may read it. */
#include "transport/fcgi_gate.h"

#include <string.h>

#include "transport/request.h"

#define LENGTH_LONG 0x80 /* a first byte with this bit begins a length of four bytes */

void gate_init(struct fcgi_gate *g, size_t max_body)
{
    *g = (struct fcgi_gate){.max_body = max_body};
}

static void refuse(struct fcgi_gate *g, enum err e)
{
    if (g->err == ERR_OK)
        g->err = e;
}

static void stage_done(struct fcgi_gate *g, enum gate_stage next)
{
    g->stage = next;
    if (g->err == ERR_OK) {
        g->good = g->seen;
        g->good_stage = next;
    }
}

/* One byte of a length. */
static void length_byte(struct fcgi_gate *g, uint8_t byte)
{
    struct gate_pair *p = &g->pair;
    uint32_t *len = &p->len[p->part];
    if (p->more == 0) {
        *len = byte & (LENGTH_LONG - 1);
        p->more = (byte & LENGTH_LONG) != 0 ? 3 : 0;
    } else {
        *len = *len << 8 | byte;
        p->more--;
    }
    if (p->more > 0)
        return;
    if (++p->part < 2)
        return;

    /* Both lengths are known. They fit 31 bits each, so the sum cannot overflow size_t. */
    g->params++;
    g->params_len += (size_t)p->len[0] + p->len[1];
    if (g->params > REQUEST_PARAMS_MAX || g->params_len > REQUEST_ENV_MAX)
        refuse(g, ERR_TOO_BIG);
    if (p->len[0] == 0)
        refuse(g, ERR_SYNTAX);
}

/*
 * Bytes of the PARAMS stream. Once the parameters are refused their structure no longer matters.
 * A name with '=' would be read as another name, and a NUL would cut what follows it.
 */
static void params(struct fcgi_gate *g, const uint8_t *data, size_t len)
{
    struct gate_pair *p = &g->pair;
    while (len > 0 && g->err == ERR_OK) {
        if (p->part < 2) {
            length_byte(g, *data);
            data++;
            len--;
        } else {
            uint32_t *left = &p->len[p->part - 2];
            size_t n = *left < len ? *left : len;
            if (memchr(data, '\0', n) != NULL || (p->part == 2 && memchr(data, '=', n) != NULL))
                refuse(g, ERR_SYNTAX);
            data += n;
            len -= n;
            *left -= (uint32_t)n;
        }
        while (p->part >= 2 && p->part < 4 && p->len[p->part - 2] == 0)
            p->part++;
        if (p->part == 4)
            *p = (struct gate_pair){0};
    }
}

/*
 * Look at a record's header. Only what a web server sends for one request is let through, in its
 * order. libfcgi forgets the padding of the records that begin a request and end a stream, and
 * would take it for the next record: those have none.
 */
static enum err record_begin(struct fcgi_gate *g)
{
    const uint8_t *h = g->header;
    uint16_t id = (uint16_t)(h[2] << 8 | h[3]);
    g->type = h[1];
    g->content = (uint32_t)(h[4] << 8 | h[5]);
    g->padding = h[6];
    if (h[0] != FCGI_VERSION_1)
        return ERR_SYNTAX;

    switch (g->stage) {
    case GATE_BEGIN:
        if (g->type != FCGI_BEGIN_REQUEST || id == FCGI_NULL_REQUEST_ID || g->padding > 0 ||
            g->content != sizeof(FCGI_BeginRequestBody))
            return ERR_SYNTAX;
        g->id = id;
        return ERR_OK;
    case GATE_PARAMS:
    case GATE_STDIN:
        if (id == g->id && g->type == FCGI_ABORT_REQUEST)
            return ERR_ABORTED;
        if (id != g->id || g->type != (g->stage == GATE_PARAMS ? FCGI_PARAMS : FCGI_STDIN) ||
            (g->content == 0 && g->padding > 0))
            return ERR_SYNTAX;
        return ERR_OK;
    case GATE_END:
        break;
    }
    return ERR_SYNTAX;
}

/* A record has passed as a whole. Those without content end their stream. */
static void record_end(struct fcgi_gate *g)
{
    bool empty = g->header[4] == 0 && g->header[5] == 0;
    g->header_len = 0;
    if (g->stage == GATE_BEGIN) {
        stage_done(g, GATE_PARAMS);
    } else if (g->stage == GATE_PARAMS && empty) {
        if (g->pair.part > 0 || g->pair.more > 0)
            refuse(g, ERR_SYNTAX); /* cut off inside a pair */
        stage_done(g, GATE_STDIN);
    } else if (g->stage == GATE_STDIN && empty) {
        stage_done(g, GATE_END);
    }
}

static void content(struct fcgi_gate *g, const uint8_t *data, size_t len)
{
    if (g->type == FCGI_PARAMS) {
        params(g, data, len);
    } else if (g->type == FCGI_STDIN) {
        g->body_len += len;
        if (g->body_len > g->max_body)
            refuse(g, ERR_TOO_BIG);
    }
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

enum err gate_feed(struct fcgi_gate *g, const uint8_t *data, size_t len, size_t *ret_used)
{
    size_t at = 0;
    while (at < len && g->stage != GATE_END) {
        size_t n;
        if (g->header_len < FCGI_HEADER_LEN) {
            n = least(FCGI_HEADER_LEN - g->header_len, len - at);
            memcpy(g->header + g->header_len, data + at, n);
            g->header_len += n;
            if (g->header_len == FCGI_HEADER_LEN) {
                enum err e = record_begin(g);
                if (e != ERR_OK)
                    return e;
            }
        } else if (g->content > 0) {
            n = least(g->content, len - at);
            content(g, data + at, n);
            g->content -= (uint32_t)n;
        } else {
            n = least(g->padding, len - at);
            g->padding -= (uint32_t)n;
        }
        at += n;
        g->seen += n;
        if (g->header_len == FCGI_HEADER_LEN && g->content == 0 && g->padding == 0)
            record_end(g);
    }
    *ret_used = at;
    return ERR_OK;
}

enum err gate_cut(const struct fcgi_gate *g, struct buf *bytes)
{
    const uint8_t id[] = {(uint8_t)(g->id >> 8), (uint8_t)g->id};
    const uint8_t end_params[] = {FCGI_VERSION_1, FCGI_PARAMS, id[0], id[1], 0, 0, 0, 0};
    const uint8_t end_stdin[] = {FCGI_VERSION_1, FCGI_STDIN, id[0], id[1], 0, 0, 0, 0};
    if (bytes->len < g->good)
        return ERR_TOO_BIG; /* so many bytes for so little that not even this part was kept */
    bytes->err = ERR_OK;
    bytes->len = g->good;
    if (g->good_stage == GATE_PARAMS)
        buf_add(bytes, end_params, sizeof end_params);
    if (g->good_stage != GATE_END)
        buf_add(bytes, end_stdin, sizeof end_stdin);
    return bytes->err;
}
