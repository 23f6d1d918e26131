/* test_fcgi_gate.c - only one whole, well-formed request at a time gets to libfcgi. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "transport/fcgi_codec.h"
#include "transport/fcgi_gate.h"
#include "transport/request.h"

#define MAX_BODY 100 /* bytes, in these tests */

static struct buf in; /* the bytes that a test puts together */

static void add_record(uint8_t type, uint16_t id, const void *data, size_t len, uint8_t padding)
{
    static const uint8_t zeros[255];
    const uint8_t header[] = {
        FCGI_VERSION_1, type, (uint8_t)(id >> 8), (uint8_t)id, (uint8_t)(len >> 8), (uint8_t)len,
        padding,        0};
    buf_add(&in, header, sizeof header);
    buf_add(&in, data, len);
    assert_err(buf_add(&in, zeros, padding), ERR_OK);
}

static void add_begin(uint8_t role)
{
    const uint8_t body[8] = {0, role, FCGI_KEEP_CONN};
    buf_reset(&in);
    add_record(FCGI_BEGIN_REQUEST, 1, body, sizeof body, 0);
}

static void add_params(const void *data, size_t len)
{
    if (len > 0)
        add_record(FCGI_PARAMS, 1, data, len, 3);
    add_record(FCGI_PARAMS, 1, NULL, 0, 0);
}

static void add_body(const char *text)
{
    if (*text != '\0')
        add_record(FCGI_STDIN, 1, text, strlen(text), 255);
    add_record(FCGI_STDIN, 1, NULL, 0, 0);
}

/* Follow `in`, `step` bytes at a time. */
static enum err feed(struct fcgi_gate *g, size_t step)
{
    gate_init(g, MAX_BODY);
    const uint8_t *data = (const uint8_t *)in.data;
    for (size_t at = 0; at < in.len;) {
        size_t n = step < in.len - at ? step : in.len - at, used;
        enum err e = gate_feed(g, data + at, n, &used);
        if (e != ERR_OK)
            return e;
        at += used;
        if (used < n)
            break;
    }
    return ERR_OK;
}

static enum err verdict(void)
{
    struct fcgi_gate g;
    return feed(&g, in.len);
}

static void refuses_what_is_not_fastcgi(void **state)
{
    (void)state;
    static const char *const strangers[] = {"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                                            "\x16\x03\x01\x02\x01\x01\x01\x01\xfc\x03\x03",
                                            "PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n"};
    for (size_t i = 0; i < sizeof strangers / sizeof strangers[0]; i++) {
        buf_reset(&in);
        buf_addstr(&in, strangers[i]);
        assert_err(verdict(), ERR_SYNTAX);
    }
}

static void refuses_to_begin_otherwise(void **state)
{
    (void)state;
    const uint8_t body[8] = {0, FCGI_RESPONDER};
    for (int type = 0; type < 256; type++) {
        buf_reset(&in);
        add_record((uint8_t)type, 1, body, sizeof body, 0);
        assert_err(verdict(), type == FCGI_BEGIN_REQUEST ? ERR_OK : ERR_SYNTAX);
    }
    for (unsigned version = 0; version < 256; version++) {
        add_begin(FCGI_RESPONDER);
        in.data[0] = (char)version;
        assert_err(verdict(), version == FCGI_VERSION_1 ? ERR_OK : ERR_SYNTAX);
    }
    buf_reset(&in);
    add_record(FCGI_BEGIN_REQUEST, FCGI_NULL_REQUEST_ID, body, sizeof body, 0);
    assert_err(verdict(), ERR_SYNTAX);
    buf_reset(&in);
    add_record(FCGI_GET_VALUES, FCGI_NULL_REQUEST_ID, "\x0e\0FCGI_MAX_CONNS", 16, 0);
    assert_err(verdict(), ERR_SYNTAX);
    buf_reset(&in);
    add_record(FCGI_BEGIN_REQUEST, 1, body, 7, 0);
    assert_err(verdict(), ERR_SYNTAX);
}

/* libfcgi forgets this padding and would read it as a record. */
static void refuses_padding_where_libfcgi_forgets_it(void **state)
{
    (void)state;
    const uint8_t body[8] = {0, FCGI_RESPONDER};
    buf_reset(&in);
    add_record(FCGI_BEGIN_REQUEST, 1, body, sizeof body, 8);
    assert_err(verdict(), ERR_SYNTAX);
    add_begin(FCGI_RESPONDER);
    add_record(FCGI_PARAMS, 1, NULL, 0, 8);
    assert_err(verdict(), ERR_SYNTAX);
    add_begin(FCGI_RESPONDER);
    add_params("", 0);
    add_record(FCGI_STDIN, 1, NULL, 0, 8);
    assert_err(verdict(), ERR_SYNTAX);
}

static void refuses_records_out_of_order(void **state)
{
    (void)state;
    const uint8_t body[8] = {0, FCGI_RESPONDER};
    for (int type = 0; type < 256; type++) {
        add_begin(FCGI_RESPONDER);
        add_record((uint8_t)type, 1, body, sizeof body, 0);
        assert_err(verdict(), type == FCGI_PARAMS          ? ERR_OK
                              : type == FCGI_ABORT_REQUEST ? ERR_ABORTED
                                                           : ERR_SYNTAX);
        add_begin(FCGI_RESPONDER);
        add_params("", 0);
        add_record((uint8_t)type, 1, body, sizeof body, 0);
        assert_err(verdict(), type == FCGI_STDIN           ? ERR_OK
                              : type == FCGI_ABORT_REQUEST ? ERR_ABORTED
                                                           : ERR_SYNTAX);
    }
    add_begin(FCGI_RESPONDER);
    add_record(FCGI_PARAMS, 2, "\1\1AB", 4, 0);
    assert_err(verdict(), ERR_SYNTAX);
}

/* Parameters that are wrong do not break the stream: the call can still be answered. */
static void assert_params(const void *data, size_t len, enum err want)
{
    struct fcgi_gate g;
    add_begin(FCGI_RESPONDER);
    add_params(data, len);
    add_body("body");
    for (size_t step = 1; step < 20; step++) {
        assert_err(feed(&g, step), ERR_OK);
        assert_int_equal(g.stage, GATE_END);
        assert_err(g.err, want);
    }
}

static void refuses_wrong_parameters(void **state)
{
    (void)state;
    assert_params("\1\1AB", 4, ERR_OK);
    assert_params("\1\0A", 3, ERR_OK);
    assert_params("\1\x80\0\0\1AB", 7, ERR_OK);
    assert_params("\0\1B", 3, ERR_SYNTAX);     /* no name */
    assert_params("\0\0", 2, ERR_SYNTAX);      /* no name, no value */
    assert_params("\3\1A=BC", 6, ERR_SYNTAX);  /* would be read as another name */
    assert_params("\1\3Aa\0b", 6, ERR_SYNTAX); /* would be read as "a" */
    assert_params("\3\1A\0BC", 6, ERR_SYNTAX); /* a NUL in the name */
    assert_params("\1\5AB", 4, ERR_SYNTAX);    /* ends inside a value */
    assert_params("\1", 1, ERR_SYNTAX);        /* ends inside the lengths */
    assert_params("\x80\0\0", 3, ERR_SYNTAX);  /* ends inside a length */
    assert_params("\1\1AB\1", 5, ERR_SYNTAX);  /* ends in the second pair */
    assert_params("\xff\xff\xff\xff\xff\xff\xff\xffx", 9, ERR_TOO_BIG);
    assert_params("\x80\0\0\1\xff\xff\xff\xffx", 9, ERR_TOO_BIG);
    assert_params("\xff\xff\xff\xff\x80\0\0\0x", 9, ERR_TOO_BIG);
    assert_params("\1\x80\1\0\0A", 6, ERR_TOO_BIG);
}

static void refuses_too_many_parameters(void **state)
{
    (void)state;
    char many[(REQUEST_PARAMS_MAX + 1) * 3];
    for (size_t i = 0; i < sizeof many; i += 3)
        memcpy(many + i, "\1\0A", 3);
    assert_params(many, sizeof many - 3, ERR_OK);
    assert_params(many, sizeof many, ERR_TOO_BIG);
}

static void refuses_a_body_beyond_its_limit(void **state)
{
    (void)state;
    struct fcgi_gate g;
    char body[MAX_BODY + 2];
    memset(body, 'b', sizeof body);
    for (size_t len = MAX_BODY; len <= MAX_BODY + 1; len++) {
        body[len] = '\0';
        add_begin(FCGI_RESPONDER);
        add_params("", 0);
        size_t good = in.len;
        add_body(body);
        body[len] = 'b';
        assert_err(feed(&g, 7), ERR_OK);
        assert_int_equal(g.stage, GATE_END);
        assert_err(g.err, len > MAX_BODY ? ERR_TOO_BIG : ERR_OK);
        assert_int_equal(g.good, len > MAX_BODY ? good : in.len);
    }
}

static void takes_not_a_byte_of_what_follows(void **state)
{
    (void)state;
    struct fcgi_gate g;
    add_begin(FCGI_RESPONDER);
    add_params("\1\1AB", 4);
    add_body("body");
    size_t len = in.len, used;
    buf_addstr(&in, "\1\1\0\1 and more");
    gate_init(&g, MAX_BODY);
    assert_err(gate_feed(&g, (const uint8_t *)in.data, in.len, &used), ERR_OK);
    assert_int_equal(used, len);
    assert_int_equal(g.stage, GATE_END);
    assert_int_equal(g.body_len, 4);
    assert_err(gate_feed(&g, (const uint8_t *)in.data, in.len, &used), ERR_OK);
    assert_int_equal(used, 0);
}

/* What the gate lets through, libfcgi reads in the same way. */
static void decode(struct fcgi_gate *g, FCGX_Request *request, struct buf *body)
{
    struct fcgi_codec codec;
    codec_init(&codec);
    buf_init(body, MAX_BODY);
    assert_err(codec_decode(&codec, &in, g->err == ERR_OK ? g->body_len : 0, request, body),
               ERR_OK);
    codec_free(&codec);
}

static void lets_a_good_request_through(void **state)
{
    (void)state;
    struct fcgi_gate g;
    FCGX_Request request;
    struct buf body;
    for (size_t step = 1; step < 40; step++) {
        add_begin(FCGI_RESPONDER);
        add_record(FCGI_PARAMS, 1, "\1\3A", 3, 7); /* a pair may span records */
        add_params("abc\2\0BB", 7);
        add_body("the body");
        assert_err(feed(&g, step), ERR_OK);
        assert_err(g.err, ERR_OK);
        assert_int_equal(g.good, in.len);
        decode(&g, &request, &body);
        assert_string_equal(FCGX_GetParam("A", request.envp), "abc");
        assert_string_equal(FCGX_GetParam("BB", request.envp), "");
        assert_string_equal(body.data, "the body");
        assert_true(request.keepConnection);
        codec_drop(&request);
        buf_free(&body);
    }
}

static void cuts_a_request_back_to_its_good_part(void **state)
{
    (void)state;
    struct fcgi_gate g;
    FCGX_Request request;
    struct buf body;

    add_begin(FCGI_RESPONDER); /* the body has not come: the parameters count */
    add_params("\1\1AB", 4);
    add_record(FCGI_STDIN, 1, "hal", 3, 0);
    assert_err(feed(&g, 5), ERR_OK);
    assert_int_equal(g.good_stage, GATE_STDIN);
    g.err = ERR_TIMEOUT;
    assert_err(gate_cut(&g, &in), ERR_OK);
    decode(&g, &request, &body);
    assert_string_equal(FCGX_GetParam("A", request.envp), "B");
    assert_int_equal(body.len, 0);
    codec_drop(&request);
    buf_free(&body);

    add_begin(FCGI_RESPONDER); /* wrong parameters: none count */
    add_params("\1\1AB\0\0", 6);
    add_body("body");
    assert_err(feed(&g, 5), ERR_OK);
    assert_err(gate_cut(&g, &in), ERR_OK);
    decode(&g, &request, &body);
    assert_null(FCGX_GetParam("A", request.envp));
    codec_drop(&request);
    buf_free(&body);

    add_begin(FCGI_RESPONDER); /* its good part was not kept: nothing can be done */
    add_params("\1\1AB", 4);
    assert_err(feed(&g, 5), ERR_OK);
    buf_reset(&in);
    assert_err(gate_cut(&g, &in), ERR_TOO_BIG);
}

static void asks_for_no_other_role(void **state)
{
    (void)state;
    struct fcgi_codec codec;
    FCGX_Request request;
    struct fcgi_gate g;
    struct buf body;
    codec_init(&codec);
    buf_init(&body, MAX_BODY);
    for (uint8_t role = 0; role < 6; role++) {
        add_begin(role);
        add_params("\1\1AB", 4);
        add_body("body");
        assert_err(feed(&g, in.len), ERR_OK);
        enum err e = codec_decode(&codec, &in, g.body_len, &request, &body);
        assert_err(e, role == FCGI_RESPONDER ? ERR_OK : ERR_SYNTAX);
        if (e == ERR_OK)
            codec_drop(&request);
    }
    buf_free(&body);
    codec_free(&codec);
}

static int set_up(void **state)
{
    (void)state;
    buf_init(&in, 1024 * 1024);
    return FCGX_Init();
}

static int tear_down(void **state)
{
    (void)state;
    buf_free(&in);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_is_not_fastcgi),
        cmocka_unit_test(refuses_to_begin_otherwise),
        cmocka_unit_test(refuses_padding_where_libfcgi_forgets_it),
        cmocka_unit_test(refuses_records_out_of_order),
        cmocka_unit_test(refuses_wrong_parameters),
        cmocka_unit_test(refuses_too_many_parameters),
        cmocka_unit_test(refuses_a_body_beyond_its_limit),
        cmocka_unit_test(takes_not_a_byte_of_what_follows),
        cmocka_unit_test(lets_a_good_request_through),
        cmocka_unit_test(cuts_a_request_back_to_its_good_part),
        cmocka_unit_test(asks_for_no_other_role),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
