/* test_fcgi_codec.c - of FastCGI, one whole, well-formed request at a time. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "transport/fcgi_codec.h"

#define MAX_BODY 100 /* bytes, in these tests */

static struct buf in; /* the bytes that a test puts together */
static struct fcgi_reader reader;
static struct buf text; /* of the parameters */
static char *env[REQUEST_PARAMS_MAX + 1];

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

static void add_body(const char *body)
{
    if (*body != '\0')
        add_record(FCGI_STDIN, 1, body, strlen(body), 255);
    add_record(FCGI_STDIN, 1, NULL, 0, 0);
}

/* Follow `in`, `step` bytes at a time. */
static enum err feed(size_t step)
{
    reader_next(&reader, 0);
    reader.body.max = MAX_BODY;
    const uint8_t *data = (const uint8_t *)in.data;
    for (size_t at = 0; at < in.len;) {
        size_t n = step < in.len - at ? step : in.len - at, used;
        enum err e = reader_feed(&reader, data + at, n, &used);
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
    return feed(in.len);
}

static enum err read_params(void)
{
    buf_reset(&text);
    return reader_params(&reader, &text, env);
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
    add_begin(FCGI_RESPONDER);
    add_params(data, len);
    add_body("body");
    for (size_t step = 1; step < 20; step++) {
        assert_err(feed(step), ERR_OK);
        assert_int_equal(reader.stage, READER_END);
        assert_err(reader.err, ERR_OK);
        assert_err(read_params(), want);
        assert_true((env[0] != NULL) == (want == ERR_OK));
        assert_string_equal(reader.body.data, "body");
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

static void refuses_parameters_that_are_too_long(void **state)
{
    (void)state;
    char record[60000];
    memset(record, 'x', sizeof record);
    memcpy(record,
           "\1\x80\0\xff\xff"
           "A",
           6);
    add_begin(FCGI_RESPONDER);
    add_record(FCGI_PARAMS, 1, record, sizeof record, 0);
    add_record(FCGI_PARAMS, 1, record + 6, 65535 + 6 - sizeof record, 0);
    size_t fits = in.len;
    add_params("", 0);
    add_body("body");
    assert_err(feed(7), ERR_OK);
    assert_err(read_params(), ERR_OK);
    assert_int_equal(strlen(env[0]), 1 + 1 + 65535);
    assert_null(env[1]);

    in.len = fits; /* more than any that are allowed: not even collected */
    add_record(FCGI_PARAMS, 1, record, sizeof record, 0);
    add_params("", 0);
    add_body("body");
    assert_err(feed(7), ERR_OK);
    assert_int_equal(reader.stage, READER_END);
    assert_err(reader.err, ERR_TOO_BIG);
    assert_err(read_params(), ERR_OK);
    assert_null(env[0]);
    assert_int_equal(reader.params.cap + reader.body.cap, 0);
}

static void refuses_a_body_beyond_its_limit(void **state)
{
    (void)state;
    char body[MAX_BODY + 2];
    memset(body, 'b', sizeof body);
    for (size_t len = MAX_BODY; len <= MAX_BODY + 1; len++) {
        body[len] = '\0';
        add_begin(FCGI_RESPONDER);
        add_params("\1\1AB", 4);
        add_body(body);
        body[len] = 'b';
        assert_err(feed(7), ERR_OK);
        assert_int_equal(reader.stage, READER_END);
        assert_err(reader.err, len > MAX_BODY ? ERR_TOO_BIG : ERR_OK);
        assert_int_equal(reader.body.len, len > MAX_BODY ? 0 : len);
        assert_err(read_params(), ERR_OK);
        assert_string_equal(env[0], "A=B");
    }
}

static void takes_not_a_byte_of_what_follows(void **state)
{
    (void)state;
    add_begin(FCGI_RESPONDER);
    add_params("\1\1AB", 4);
    add_body("body");
    size_t len = in.len, used;
    buf_addstr(&in, "\1\1\0\1 and more");
    assert_err(verdict(), ERR_OK);
    assert_int_equal(reader.seen, len);
    assert_int_equal(reader.stage, READER_END);
    assert_string_equal(reader.body.data, "body");
    assert_err(reader_feed(&reader, (const uint8_t *)in.data, in.len, &used), ERR_OK);
    assert_int_equal(used, 0);
}

static void collects_a_good_request(void **state)
{
    (void)state;
    for (size_t step = 1; step < 40; step++) {
        add_begin(FCGI_RESPONDER);
        add_record(FCGI_PARAMS, 1, "\1\3A", 3, 7); /* a pair may span records */
        add_record(FCGI_PARAMS, 1, "abc\2\0BB", 7, 0);
        add_record(FCGI_PARAMS, 1, NULL, 0, 8);
        add_body("the body");
        assert_err(feed(step), ERR_OK);
        assert_err(reader.err, ERR_OK);
        assert_int_equal(reader.seen, in.len);
        assert_err(read_params(), ERR_OK);
        assert_string_equal(env[0], "A=abc");
        assert_string_equal(env[1], "BB=");
        assert_null(env[2]);
        assert_string_equal(reader.body.data, "the body");
        assert_true(reader.keep);
    }
}

static void refuses_for_others_what_has_not_come(void **state)
{
    (void)state;
    add_begin(FCGI_RESPONDER);
    add_params("\1\1AB", 4);
    add_record(FCGI_STDIN, 1, "hal", 3, 0);
    assert_err(feed(5), ERR_OK);
    reader_refuse(&reader, ERR_TIMEOUT);
    reader_refuse(&reader, ERR_NOMEM);
    assert_err(reader.err, ERR_TIMEOUT);
    assert_int_equal(reader.body.len, 0);
    assert_err(read_params(), ERR_OK);
    assert_string_equal(env[0], "A=B");
}

static void is_asked_for_no_other_role(void **state)
{
    (void)state;
    for (uint8_t role = 0; role < 6; role++) {
        add_begin(role);
        assert_err(verdict(), role == FCGI_RESPONDER ? ERR_OK : ERR_SYNTAX);
    }
}

/* ------------------------------------------------------------------------- answers */

/* The content of the stream of answers in `records`, of request 258, to the end of the request. */
static void read_answer(const struct buf *records, struct buf *content)
{
    size_t at = 0;
    uint8_t type;
    do {
        const uint8_t *h = (const uint8_t *)records->data + at;
        size_t len = (size_t)h[4] << 8 | h[5];
        type = h[1];
        assert_int_equal(h[0], FCGI_VERSION_1);
        assert_int_equal(h[2] << 8 | h[3], 258);
        assert_int_equal(h[6], 0);
        if (type == FCGI_STDOUT)
            buf_add(content, h + FCGI_HEADER_LEN, len);
        at += FCGI_HEADER_LEN + len;
        assert_in_range(at, 0, records->len);
    } while (type == FCGI_STDOUT);
    assert_int_equal(type, FCGI_END_REQUEST);
    assert_int_equal(at, records->len);
}

static void prints_answers_of_any_length(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 65527, 65528, 65529, 200000};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct buf answer, records, content;
        buf_init(&answer, 1024 * 1024);
        buf_init(&records, 1024 * 1024);
        buf_init(&content, 1024 * 1024);
        while (answer.len < lengths[i])
            buf_addc(&answer, (char)('a' + answer.len % 23));
        assert_err(fcgi_print_answer(&records, 258, &answer), ERR_OK);
        read_answer(&records, &content);
        assert_int_equal(content.len, lengths[i]);
        assert_string_equal(content.data, answer.data);
        buf_free(&answer);
        buf_free(&records);
        buf_free(&content);
    }
}

static void tells_when_an_answer_has_no_room(void **state)
{
    (void)state;
    struct buf answer, records;
    buf_init(&answer, 100);
    buf_init(&records, 100);
    buf_addstr(&answer,
               "an answer that would fit, but for what belongs around it, and that is so long "
               "that it is");
    assert_err(fcgi_print_answer(&records, 1, &answer), ERR_TOO_BIG);
    buf_free(&answer);
    buf_free(&records);
}

static int set_up(void **state)
{
    (void)state;
    buf_init(&in, 1024 * 1024);
    reader_init(&reader);
    buf_init(&text, reader.params.max);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    buf_free(&in);
    reader_free(&reader);
    buf_free(&text);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_is_not_fastcgi),
        cmocka_unit_test(refuses_to_begin_otherwise),
        cmocka_unit_test(refuses_records_out_of_order),
        cmocka_unit_test(is_asked_for_no_other_role),
        cmocka_unit_test(refuses_wrong_parameters),
        cmocka_unit_test(refuses_too_many_parameters),
        cmocka_unit_test(refuses_parameters_that_are_too_long),
        cmocka_unit_test(refuses_a_body_beyond_its_limit),
        cmocka_unit_test(takes_not_a_byte_of_what_follows),
        cmocka_unit_test(refuses_for_others_what_has_not_come),
        cmocka_unit_test(collects_a_good_request),
        cmocka_unit_test(tells_when_an_answer_has_no_room),
        cmocka_unit_test(prints_answers_of_any_length),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
