/* fcgi_codec.c - FastCGI between bytes in memory. */
#include "transport/fcgi_codec.h"

#include <fcgiapp.h>
#include <stdio.h>
#include <string.h>

#define LENGTH_LONG 0x80  /* a first byte with this bit begins a length of four bytes */
#define PAIR_HEAD   8     /* bytes of the two lengths of a pair, at most */
#define CONTENT_MAX 65528 /* bytes of a record of an answer: the most that need no padding */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* -------------------------------------------------------------------- the reader */

void reader_init(struct fcgi_reader *r)
{
    *r = (struct fcgi_reader){0};
    buf_init(&r->params, REQUEST_ENV_MAX + REQUEST_PARAMS_MAX * PAIR_HEAD);
    buf_init(&r->body, 0);
}

void reader_free(struct fcgi_reader *r)
{
    buf_free(&r->params);
    buf_free(&r->body);
}

void reader_next(struct fcgi_reader *r, size_t keep_bytes)
{
    buf_forget(&r->params, keep_bytes);
    buf_forget(&r->body, keep_bytes);
    *r = (struct fcgi_reader){.params = r->params, .body = r->body};
}

static struct buf *collecting(struct fcgi_reader *r)
{
    return r->stage < READER_BODY ? &r->params : &r->body;
}

void reader_refuse(struct fcgi_reader *r, enum err e)
{
    if (r->err != ERR_OK)
        return;
    r->err = e;
    buf_free(collecting(r));
}

/*
 * Look at a record's header. Only what a web server sends for one request is let through, in its
 * order.
 */
static enum err record_begins(struct fcgi_reader *r)
{
    static const uint8_t types[] = {[READER_BEGIN] = FCGI_BEGIN_REQUEST,
                                    [READER_PARAMS] = FCGI_PARAMS,
                                    [READER_BODY] = FCGI_STDIN};
    const uint8_t *h = r->header;
    uint16_t id = (uint16_t)(h[2] << 8 | h[3]);
    uint8_t type = h[1];
    r->content = (uint32_t)(h[4] << 8 | h[5]);
    r->padding = h[6];
    if (h[0] != FCGI_VERSION_1)
        return ERR_SYNTAX;
    if (r->stage == READER_BEGIN) {
        r->id = id;
        if (id == FCGI_NULL_REQUEST_ID || r->content != sizeof(FCGI_BeginRequestBody))
            return ERR_SYNTAX;
    }
    if (id == r->id && type == FCGI_ABORT_REQUEST && r->stage > READER_BEGIN)
        return ERR_ABORTED;
    return id == r->id && type == types[r->stage] ? ERR_OK : ERR_SYNTAX;
}

static enum err begin(struct fcgi_reader *r)
{
    const uint8_t *body = (const uint8_t *)r->params.data;
    if (r->err != ERR_OK)
        return r->err;
    if ((body[0] << 8 | body[1]) != FCGI_RESPONDER)
        return ERR_SYNTAX;
    r->keep = (body[2] & FCGI_KEEP_CONN) != 0;
    buf_reset(&r->params);
    return ERR_OK;
}

/* A record has passed as a whole. Those without content end their stream. */
static enum err record_ends(struct fcgi_reader *r)
{
    bool empty = r->header[4] == 0 && r->header[5] == 0;
    enum err e = r->stage == READER_BEGIN ? begin(r) : ERR_OK;
    if (r->stage == READER_BEGIN || empty)
        r->stage++;
    r->header_len = 0;
    return e;
}

static void take_content(struct fcgi_reader *r, const uint8_t *data, size_t len)
{
    if (r->err != ERR_OK)
        return;
    enum err e = buf_add(collecting(r), data, len);
    if (e != ERR_OK)
        reader_refuse(r, e);
}

enum err reader_feed(struct fcgi_reader *r, const uint8_t *data, size_t len, size_t *ret_used)
{
    size_t at = 0;
    enum err e = ERR_OK;
    while (at < len && e == ERR_OK && r->stage != READER_END) {
        size_t n;
        if (r->header_len < FCGI_HEADER_LEN) {
            n = least(FCGI_HEADER_LEN - r->header_len, len - at);
            memcpy(r->header + r->header_len, data + at, n);
            r->header_len += n;
            if (r->header_len == FCGI_HEADER_LEN)
                e = record_begins(r);
        } else if (r->content > 0) {
            n = least(r->content, len - at);
            take_content(r, data + at, n);
            r->content -= (uint32_t)n;
        } else {
            n = least(r->padding, len - at);
            r->padding -= (uint32_t)n;
        }
        at += n;
        r->seen += n;
        if (e == ERR_OK && r->header_len == FCGI_HEADER_LEN && r->content == 0 && r->padding == 0)
            e = record_ends(r);
    }
    *ret_used = at;
    return e;
}

/* ---------------------------------------------------------------- the parameters */

static void no_more(FCGX_Stream *s)
{
    s->isClosed = 1;
}

/* A stream of libfcgi's over bytes in memory. */
static FCGX_Stream stream_over(const struct buf *b)
{
    unsigned char *first = (unsigned char *)b->data, *end = first + b->len;
    return (FCGX_Stream){
        .rdNext = first, .stop = end, .stopUnget = first, .isReader = 1, .fillBuffProc = no_more};
}

static size_t left(const FCGX_Stream *s)
{
    return (size_t)(s->stop - s->rdNext);
}

/* At most 31 bits, so that two of them cannot overflow. */
static enum err read_length(FCGX_Stream *s, size_t *ret)
{
    int byte = FCGX_GetChar(s);
    if (byte == EOF)
        return ERR_SYNTAX;
    size_t len = (size_t)byte & (LENGTH_LONG - 1);
    if ((byte & LENGTH_LONG) != 0) {
        uint8_t more[3];
        if (FCGX_GetStr((char *)more, sizeof more, s) != sizeof more)
            return ERR_SYNTAX;
        len = len << 24 | (size_t)more[0] << 16 | (size_t)more[1] << 8 | more[2];
    }
    *ret = len;
    return ERR_OK;
}

/* Append what is known to be there. */
static char *read_text(FCGX_Stream *s, size_t len, struct buf *text)
{
    char *start = text->data + text->len;
    text->len += (size_t)FCGX_GetStr(start, (int)len, s);
    return start;
}

/* One pair. `room` is what names and values may still have. */
static enum err read_pair(FCGX_Stream *s, struct buf *text, size_t *room, char **ret)
{
    size_t name_len, value_len;
    enum err e = read_length(s, &name_len);
    if (e == ERR_OK)
        e = read_length(s, &value_len);
    if (e != ERR_OK)
        return e;
    if (name_len + value_len > *room)
        return ERR_TOO_BIG;
    if (name_len == 0 || name_len + value_len > left(s))
        return ERR_SYNTAX;
    *room -= name_len + value_len;
    char *name = read_text(s, name_len, text);
    text->data[text->len++] = '=';
    const char *value = read_text(s, value_len, text);
    text->data[text->len++] = '\0';
    if (memchr(name, '=', name_len) != NULL || memchr(name, '\0', name_len) != NULL ||
        memchr(value, '\0', value_len) != NULL)
        return ERR_SYNTAX;
    *ret = name;
    return ERR_OK;
}

enum err reader_params(const struct fcgi_reader *r, struct buf *text,
                       char *ret_env[REQUEST_PARAMS_MAX + 1])
{
    size_t count = 0, room = REQUEST_ENV_MAX;
    FCGX_Stream s = stream_over(&r->params);
    /* No more than there is now: two lengths become a '=' and a NUL. So no string ever moves. */
    enum err e = buf_reserve(text, r->params.len);
    while (e == ERR_OK && left(&s) > 0) {
        e = count < REQUEST_PARAMS_MAX ? read_pair(&s, text, &room, &ret_env[count]) : ERR_TOO_BIG;
        count++;
    }
    if (e == ERR_OK)
        text->data[text->len] = '\0';
    ret_env[e == ERR_OK ? count : 0] = NULL;
    return e;
}

/* -------------------------------------------------------------------- the answer */

static enum err add_record(struct buf *out, uint8_t type, uint16_t id, const void *data, size_t len)
{
    const FCGI_Header h = {.version = FCGI_VERSION_1,
                           .type = type,
                           .requestIdB1 = (uint8_t)(id >> 8),
                           .requestIdB0 = (uint8_t)id,
                           .contentLengthB1 = (uint8_t)(len >> 8),
                           .contentLengthB0 = (uint8_t)len};
    buf_add(out, &h, sizeof h);
    return buf_add(out, data, len);
}

enum err fcgi_print_answer(struct buf *out, uint16_t id, const struct buf *answer)
{
    static const FCGI_EndRequestBody end = {.protocolStatus = FCGI_REQUEST_COMPLETE};
    size_t records = answer->len / CONTENT_MAX + 3;
    buf_reserve(out, answer->len + records * FCGI_HEADER_LEN + sizeof end);
    for (size_t at = 0; at < answer->len; at += CONTENT_MAX)
        add_record(out, FCGI_STDOUT, id, answer->data + at, least(answer->len - at, CONTENT_MAX));
    add_record(out, FCGI_STDOUT, id, NULL, 0);
    return add_record(out, FCGI_END_REQUEST, id, &end, sizeof end);
}
