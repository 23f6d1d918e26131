/* test_b64.c - base64url, where one text has one meaning. */
#include "unit.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/b64.h"

static void refuses_what_is_not_its_alphabet(void **state)
{
    (void)state;
    uint8_t out[16];
    static const char good[] = "QUJDREVG";
    for (size_t at = 0; at < 8; at++) {
        for (size_t len = at + 1; len <= 8; len++) {
            for (int c = 0; c < 256; c++) {
                char text[8];
                size_t n = 99;
                memcpy(text, good, 8);
                text[at] = (char)c;
                bool valid = c == '-' || c == '_' || (c >= '0' && c <= '9') ||
                             (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
                enum err e = b64url_decode(text, len, out, &n);
                if (!valid) {
                    assert_err(e, ERR_ENCODING);
                    assert_int_equal(n, 99);
                }
            }
        }
    }
    static const char *const bad[] = {"QQ==",  "QUI=",   "Q+Q",   "Q/Q",
                                      " QUJD", "QUJD\n", "QU JD", "="};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        size_t n;
        assert_err(b64url_decode(bad[i], strlen(bad[i]), out, &n), ERR_ENCODING);
    }
}

static void refuses_impossible_lengths_and_unused_bits(void **state)
{
    (void)state;
    static const char *const bad[] = {"A",  "AAAAA", "AB",  "AC",     "AP",
                                      "AI", "AAB",   "AAC", "QUJDAAB"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint8_t out[16];
        size_t n;
        assert_err(b64url_decode(bad[i], strlen(bad[i]), out, &n), ERR_ENCODING);
    }
}

static void writes_the_vectors_of_rfc_4648(void **state)
{
    (void)state;
    static const char *const vectors[][2] = {
        {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xff\xef\xbe", "_---"},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        char text[16];
        uint8_t out[16];
        size_t len = strlen(vectors[i][0]), n;
        b64url_encode((const uint8_t *)vectors[i][0], len, text);
        assert_string_equal(text, vectors[i][1]);
        assert_int_equal(B64_ENCODED_LEN(len), strlen(text));
        assert_err(b64url_decode(text, strlen(text), out, &n), ERR_OK);
        assert_int_equal(n, len);
        assert_memory_equal(out, vectors[i][0], len);
    }
}

/* Buffers are of the exact sizes that the macros promise: a sanitizer watches. */
static void gives_back_every_byte_at_every_length(void **state)
{
    (void)state;
    for (size_t len = 0; len < 300; len++) {
        uint8_t *data = malloc(len + 1), *back;
        char *text = malloc(B64_ENCODED_LEN(len) + 1);
        size_t n;
        for (size_t i = 0; i < len; i++)
            data[i] = (uint8_t)(i * 7 + len);
        b64url_encode(data, len, text);
        assert_int_equal(strlen(text), B64_ENCODED_LEN(len));
        assert_int_equal(B64_DECODED_LEN(strlen(text)), len);
        back = malloc(len > 0 ? len : 1);
        assert_err(b64url_decode(text, strlen(text), back, &n), ERR_OK);
        assert_int_equal(n, len);
        assert_memory_equal(back, data, len);
        free(data);
        free(back);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_is_not_its_alphabet),
        cmocka_unit_test(refuses_impossible_lengths_and_unused_bits),
        cmocka_unit_test(writes_the_vectors_of_rfc_4648),
        cmocka_unit_test(gives_back_every_byte_at_every_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
