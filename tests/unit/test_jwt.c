/* test_jwt.c - the known attacks on tokens, and the published vectors. */
#include "unit.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/jwt.h"
#include "base/b64.h"
#include "base/jsonx.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define NOW      INT64_C(1700000000)
#define HEADER   "{\"typ\":\"JWT\",\"alg\":\"HS256\"}"
#define CLAIMS   "{\"webhook_id\":\"WH-1\",\"exp\":1700000600}"

static struct buf claims_text; /* what jwt_parse() leaves */

/* All checks in their order, against one key, as a keyring makes them. */
static enum err jwt_verify(const char *token, size_t len, const struct jwt_key *key, int64_t now,
                           struct json_object **ret_claims, struct why *why)
{
    struct jwt_parts p = {0};
    enum err e = jwt_parse(token, len, &claims_text, &p, why);
    if (e != ERR_OK)
        return e;
    e = jwt_check_signature(&p, key);
    if (e != ERR_OK)
        why_set(why, e, "%s", err_text(e));
    else
        e = jwt_check_times(p.claims, now, why);
    if (e == ERR_OK)
        *ret_claims = json_object_get(p.claims);
    jwt_parts_free(&p);
    return e;
}

static const char secret[] = "not a very secret secret, 40 bytes long!";
static struct jwt_key *key;

/* RFC 7515 appendix A.1. */
static const char rfc_key[] =
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
static const char rfc_token[] = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
                                ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtc"
                                "GxlLmNvbS9pc19yb290Ijp0cnVlfQ"
                                ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

static void add_b64(struct buf *b, const void *data, size_t len)
{
    buf_reserve(b, B64_ENCODED_LEN(len));
    b64url_encode(data, len, b->data + b->len);
    b->len += B64_ENCODED_LEN(len);
}

/* A token with these very bytes as header and payload, signed well. free() it. */
static char *forge(const char *header, size_t header_len, const char *payload, size_t payload_len)
{
    struct buf b;
    uint8_t mac[32];
    crypto_auth_hmacsha256_state state;
    buf_init(&b, 4 * JWT_LEN_MAX);
    add_b64(&b, header, header_len);
    buf_addc(&b, '.');
    add_b64(&b, payload, payload_len);
    crypto_auth_hmacsha256_init(&state, (const uint8_t *)secret, strlen(secret));
    crypto_auth_hmacsha256_update(&state, (const uint8_t *)b.data, b.len);
    crypto_auth_hmacsha256_final(&state, mac);
    buf_addc(&b, '.');
    add_b64(&b, mac, sizeof mac);
    return buf_steal(&b);
}

/* Verify a copy that ends at the last byte, so that a sanitizer sees any read beyond it. */
static enum err verify(const char *token, size_t len, int64_t now, struct json_object **ret)
{
    char *copy = malloc(len > 0 ? len : 1);
    memcpy(copy, token, len);
    struct why why = {""};
    enum err e = jwt_verify(copy, len, key, now, ret, &why);
    if (e != ERR_OK && why.text[0] == '\0')
        fail_msg("no story for %s", err_name(e));
    free(copy);
    return e;
}

static void refuse(const char *token, size_t len, enum err want, const char *about)
{
    struct json_object *claims = NULL;
    enum err e = verify(token, len, NOW, &claims);
    if (e != want)
        print_error("case: %s\n", about);
    assert_err(e, want);
    assert_null(claims);
}

static void refuse_header_bytes(const char *header, size_t len, enum err want)
{
    char *token = forge(header, len, CLAIMS, strlen(CLAIMS));
    refuse(token, strlen(token), want, header);
    free(token);
}

static void refuse_payload_bytes(const char *payload, size_t len, enum err want)
{
    char *token = forge(HEADER, strlen(HEADER), payload, len);
    refuse(token, strlen(token), want, payload);
    free(token);
}

static enum err verify_parts(const char *header, const char *payload, int64_t now)
{
    struct json_object *claims = NULL;
    char *token = forge(header, strlen(header), payload, strlen(payload));
    enum err e = verify(token, strlen(token), now, &claims);
    json_object_put(claims);
    free(token);
    return e;
}

static void verifies_the_vector_of_rfc_7515(void **state)
{
    (void)state;
    uint8_t raw[64];
    size_t len;
    struct jwt_key *k;
    struct jwt_parts p;
    struct json_object *claims;
    assert_err(b64url_decode(rfc_key, strlen(rfc_key), raw, &len), ERR_OK);
    assert_int_equal(len, 64);
    assert_err(jwt_key_new(raw, len, &k), ERR_OK);
    assert_err(jwt_parse(rfc_token, strlen(rfc_token), &claims_text, &p, NULL), ERR_OK);
    assert_err(jwt_check_signature(&p, k), ERR_OK);
    assert_err(jwt_check_signature(&p, key), ERR_TOKEN_SIGNATURE);
    assert_string_equal(
        claims_text.data,
        "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}");
    struct json_object *header = jwt_header(&p);
    assert_string_equal(jsonx_str(header, "alg", ""), "HS256");
    json_object_put(header);
    jwt_parts_free(&p);
    assert_err(jwt_verify(rfc_token, strlen(rfc_token), k, NOW, &claims, NULL), ERR_TOKEN_EXPIRED);
    assert_err(jwt_verify(rfc_token, strlen(rfc_token), k, 1300819380, &claims, NULL), ERR_OK);
    assert_string_equal(jsonx_str(claims, "iss", ""), "joe");
    json_object_put(claims);
    jwt_key_free(k);
}

static void verifies_a_token_of_another_receiver_of_connect(void **state)
{
    (void)state;
    static const char their_secret[] = "Test-token-key-for-webhook-based-authentication";
    static const char token[] = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9"
                                ".eyJ3ZWJob29rX2lkIjoiV0gtNjMyLTcyNS0xNjkiLCJleHAiOjQ3MjMwNTc0NzF9"
                                ".4agSUe4nQtU957sK_YDoBn8HRVUlboFlOV4zcNmKWGg";
    struct jwt_key *k;
    struct json_object *claims;
    struct buf again;
    assert_err(jwt_key_new((const uint8_t *)their_secret, strlen(their_secret), &k), ERR_OK);
    assert_err(jwt_verify(token, strlen(token), k, NOW, &claims, NULL), ERR_OK);
    assert_string_equal(jsonx_str(claims, "webhook_id", ""), "WH-632-725-169");
    /* The same claims, signed here, are the same token to the byte. */
    buf_init(&again, JWT_LEN_MAX);
    assert_err(jwt_sign(claims, k, &again), ERR_OK);
    assert_string_equal(again.data, token);
    buf_free(&again);
    json_object_put(claims);
    jwt_key_free(k);
}

static void refuses_every_other_algorithm(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\"none\"",  "\"None\"",    "\"NONE\"",      "\"nOnE\"",  "\"\"",       "null",
        "256",       "[\"HS256\"]", "{\"HS256\":1}", "true",      "\" HS256\"", "\"HS256 \"",
        "\"hs256\"", "\"Hs256\"",   "\"HS384\"",     "\"HS512\"", "\"RS256\"",  "\"ES256\"",
        "\"PS256\"", "\"EdDSA\"",   "\"HS2567\"",    "\"HS25\"",  "\"dir\"",    "\"A256KW\"",
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        char header[100];
        int n = snprintf(header, sizeof header, "{\"typ\":\"JWT\",\"alg\":%s}", bad[i]);
        refuse_header_bytes(header, (size_t)n, ERR_TOKEN_ALG);
    }
    refuse_header_bytes("{\"typ\":\"JWT\"}", 13, ERR_TOKEN_ALG);
    refuse_header_bytes("{\"ALG\":\"HS256\"}", 15, ERR_TOKEN_ALG);
    refuse_header_bytes("{}", 2, ERR_TOKEN_ALG);
    const char nul[] = "{\"alg\":\"HS256\\u0000\"}";
    refuse_header_bytes(nul, strlen(nul), ERR_TOKEN_FORM);

    /* Without a signature, "none" is refused for what it says. */
    const char bare[] = "eyJhbGciOiJub25lIn0.eyJleHAiOjQ3MjMwNTc0NzF9.";
    refuse(bare, strlen(bare), ERR_TOKEN_ALG, bare);
}

/* A shape is written with H, P and S where header, payload and signature go. */
static void refuses_every_other_shape(void **state)
{
    (void)state;
    char *token = forge(HEADER, strlen(HEADER), CLAIMS, strlen(CLAIMS));
    const char *payload = strchr(token, '.') + 1, *signature = strrchr(token, '.') + 1;
    static const char *const shapes[] = {
        "",
        ".",
        "..",
        "...",
        "H",
        "H.",
        "H.P",
        "H.P.",
        "H..S",
        ".P.S",
        "H.P.S.",
        ".H.P.S",
        "H.P.S.S",
        "H.P.S.S.S",
        "HPS",
        "H.P..S",
        "H..P.S",
        "P.H.S",
        "S.P.H",
        "H.P.SS",
        "H.P.P",
        "H.P.S ",
        " H.P.S",
        "H .P.S",
        "H.P.\nS",
        "H.P.S=",
        "H.P=.S",
        "{\"payload\":\"P\",\"protected\":\"H\",\"signature\":\"S\"}",
        "{\"payload\":\"P\",\"signatures\":[{\"protected\":\"H\",\"signature\":\"S\"}]}",
    };
    for (size_t i = 0; i < COUNT(shapes); i++) {
        struct buf b;
        buf_init(&b, JWT_LEN_MAX);
        for (const char *s = shapes[i]; *s != '\0'; s++) {
            if (*s == 'H')
                buf_add(&b, token, (size_t)(payload - 1 - token));
            else if (*s == 'P')
                buf_add(&b, payload, (size_t)(signature - 1 - payload));
            else if (*s == 'S')
                buf_addstr(&b, signature);
            else
                buf_addc(&b, *s);
        }
        enum err want = strcmp(shapes[i], "P.H.S") == 0 ? ERR_TOKEN_ALG : ERR_TOKEN_FORM;
        refuse(b.data, b.len, want, shapes[i]);
        buf_free(&b);
    }
    char dots[1000];
    memset(dots, '.', sizeof dots);
    refuse(dots, sizeof dots, ERR_TOKEN_FORM, "1000 dots");

    for (size_t len = 0; len < strlen(token); len++)
        refuse(token, len, ERR_TOKEN_FORM, "cut short");
    free(token);
}

/* No other byte anywhere is the same token: not by case, by padding, nor by unused bits. */
static void refuses_every_changed_byte(void **state)
{
    (void)state;
    char *token = forge(HEADER, strlen(HEADER), CLAIMS, strlen(CLAIMS));
    size_t len = strlen(token);
    for (size_t i = 0; i < len; i++) {
        char was = token[i];
        for (int c = 0; c < 256; c++) {
            struct json_object *claims;
            if ((char)c == was)
                continue;
            token[i] = (char)c;
            if (jwt_verify(token, len, key, NOW, &claims, NULL) == ERR_OK)
                fail_msg("byte %zu as 0x%02x is accepted", i, (unsigned)c);
        }
        token[i] = was;
    }
    free(token);
}

static void refuses_signatures_of_another_length(void **state)
{
    (void)state;
    for (size_t n = 0; n < 70; n++) {
        struct buf b;
        uint8_t mac[70] = {0};
        buf_init(&b, JWT_LEN_MAX);
        add_b64(&b, HEADER, strlen(HEADER));
        buf_addc(&b, '.');
        add_b64(&b, CLAIMS, strlen(CLAIMS));
        buf_addc(&b, '.');
        add_b64(&b, mac, n);
        refuse(b.data, b.len, n == 32 ? ERR_TOKEN_SIGNATURE : ERR_TOKEN_FORM, "signature length");
        buf_free(&b);
    }
}

static void refuses_an_empty_secret(void **state)
{
    (void)state;
    struct jwt_key *k = NULL;
    assert_err(jwt_key_new((const uint8_t *)"", 0, &k), ERR_INVALID);
    assert_null(k);
    jwt_key_free(NULL);
}

static void refuses_headers_that_change_the_meaning(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{\"alg\":\"HS256\",\"crit\":[\"exp\"]}",
        "{\"alg\":\"HS256\",\"crit\":[]}",
        "{\"alg\":\"HS256\",\"crit\":null}",
        "{\"alg\":\"HS256\",\"b64\":false}",
        "{\"alg\":\"HS256\",\"b64\":true}",
        "{\"alg\":\"HS256\",\"zip\":\"DEF\"}",
        "{\"alg\":\"HS256\",\"typ\":\"JWE\"}",
        "{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}",
        "{\"alg\":\"HS256\",\"typ\":\"\"}",
        "{\"alg\":\"HS256\",\"typ\":null}",
        "{\"alg\":\"HS256\",\"typ\":[\"JWT\"]}",
        "[\"HS256\"]",
        "\"HS256\"",
        "null",
        "1",
        "",
        " ",
    };
    for (size_t i = 0; i < COUNT(bad); i++)
        refuse_header_bytes(bad[i], strlen(bad[i]), ERR_TOKEN_FORM);
}

static void ignores_where_the_header_says_a_key_is(void **state)
{
    (void)state;
    static const char *const good[] = {
        "{\"alg\":\"HS256\"}",
        "{\"alg\":\"HS256\",\"typ\":\"jwt\"}",
        "{\"alg\":\"HS256\",\"typ\":\"Jwt\"}",
        " {\r\n\"typ\" : \"JWT\" ,\t\"alg\":\"HS256\" } ",
        "{\"alg\":\"HS256\",\"kid\":\"../../../../dev/null\"}",
        "{\"alg\":\"HS256\",\"kid\":\"x' UNION SELECT 'key\"}",
        "{\"alg\":\"HS256\",\"kid\":\"|curl http://127.0.0.1:1/\"}",
        "{\"alg\":\"HS256\",\"jku\":\"http://127.0.0.1:1/keys\"}",
        "{\"alg\":\"HS256\",\"x5u\":\"file:///etc/passwd\",\"x5c\":[\"AA\"]}",
        "{\"alg\":\"HS256\",\"jwk\":{\"kty\":\"oct\",\"k\":\"AA\"}}",
        "{\"\\u0061lg\":\"HS\\u00325\\u0036\"}",
    };
    for (size_t i = 0; i < COUNT(good); i++)
        assert_err(verify_parts(good[i], CLAIMS, NOW), ERR_OK);
}

static void refuses_what_parsers_read_differently(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t len;
    } payloads[] = {
#define P(s) {s, sizeof(s) - 1}
        P("{\"exp\":1700000600,\"exp\":1700000600}"),
        P("{\"exp\":1,\"\\u0065xp\":1700000600}"),
        P("{\"webhook_id\":\"WH-1\",\"webhook_id\":\"WH-2\",\"exp\":1700000600}"),
        P("{\"exp\":1700000600,\"data\":{\"a\":1,\"a\":2}}"),
        P("{\"exp\\u0000\":1,\"exp\":1700000600}"),
        P("{\"exp\":1700000600,\"webhook_id\":\"WH-1\\u0000-2\"}"),
        P("{\"exp\":1700000600,\"webhook_id\":\"WH-1\0-2\"}"),
        P("{\"exp\":1700000600,\"x\":\"\\ud800\"}"),
        P("{\"exp\":1700000600,\"x\":\"\xc0\xaf\"}"),
        P("{\"exp\":1700000600,\"x\":\"\xff\"}"),
        P("\xef\xbb\xbf{\"exp\":1700000600}"),
        P("{\"exp\":1700000600} x"),
        P("{\"exp\":1700000600}{}"),
        P("{\"exp\":1700000600}\0"),
        P("{\"exp\":1700000600/**/}"),
        P("{'exp':1700000600}"),
        P("{\"exp\":1700000600,\"x\":NaN}"),
        P("{\"exp\":1700000600,}"),
        P("[{\"exp\":1700000600}]"),
        P("\"exp\""),
        P("1700000600"),
        P("null"),
        P(""),
#undef P
    };
    for (size_t i = 0; i < COUNT(payloads); i++)
        refuse_payload_bytes(payloads[i].text, payloads[i].len, ERR_TOKEN_FORM);
    static const char *const headers[] = {
        "{\"alg\":\"HS256\",\"alg\":\"HS256\"}",
        "{\"alg\":\"none\",\"alg\":\"HS256\"}",
        "{\"alg\":\"HS256\",\"\\u0061lg\":\"none\"}",
        "{\"alg\":\"HS256\",\"x\":1,\"x\":2}",
        "{\"alg\":\"HS256\"}x",
        "\xef\xbb\xbf{\"alg\":\"HS256\"}",
    };
    for (size_t i = 0; i < COUNT(headers); i++)
        refuse_header_bytes(headers[i], strlen(headers[i]), ERR_TOKEN_FORM);
}

static void refuses_an_exp_that_is_no_moment(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{}",
        "{\"EXP\":1700000600}",
        "{\"exp\":null}",
        "{\"exp\":true}",
        "{\"exp\":\"1700000600\"}",
        "{\"exp\":1700000600.5}",
        "{\"exp\":1.5}",
        "{\"exp\":1e400}",
        "{\"exp\":99999999999999999999}",
        "{\"exp\":1700000600.00000000000000000001}",
        "{\"exp\":-0}",
        "{\"exp\":-1}",
        "{\"exp\":-9223372036854775808}",
        "{\"exp\":9223372036854775808}",
        "{\"exp\":18446744073709551615}",
        "{\"exp\":[1700000600]}",
        "{\"exp\":{}}",
        "{\"exp\":1700000600,\"nbf\":\"1\"}",
        "{\"exp\":1700000600,\"nbf\":null}",
        "{\"exp\":1700000600,\"nbf\":1700000061}",
    };
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_err(verify_parts(HEADER, bad[i], NOW), ERR_TOKEN_CLAIMS);
    assert_err(verify_parts(HEADER, "{\"exp\":0}", NOW), ERR_TOKEN_EXPIRED);
    assert_err(verify_parts(HEADER, "{\"exp\":1700000600.0}", NOW), ERR_OK);
    assert_err(verify_parts(HEADER, "{\"exp\":17.000006e8,\"nbf\":1.7e9}", NOW), ERR_OK);
    assert_err(verify_parts(
                   HEADER, "{\"exp\":1700000600,\"data\":{\"id\":1234567890123456789012345}}", NOW),
               ERR_OK);
    assert_err(verify_parts(HEADER, "{\"exp\":1700000600,\"nbf\":1700000060}", NOW), ERR_OK);
}

static void forgives_a_minute_and_no_more(void **state)
{
    (void)state;
    const char *claims = "{\"exp\":1700000000}";
    assert_err(verify_parts(HEADER, claims, NOW - 1), ERR_OK);
    assert_err(verify_parts(HEADER, claims, NOW), ERR_OK);
    assert_err(verify_parts(HEADER, claims, NOW + JWT_LEEWAY), ERR_OK);
    assert_err(verify_parts(HEADER, claims, NOW + JWT_LEEWAY + 1), ERR_TOKEN_EXPIRED);
    /* A clock that was never set, and a token that never ends. */
    assert_err(verify_parts(HEADER, claims, 0), ERR_OK);
    assert_err(verify_parts(HEADER, "{\"exp\":9223372036854775807}", NOW), ERR_OK);
}

/* A token with a `data` claim such that it is `len` bytes long (or a little less). */
static char *token_of(size_t len)
{
    size_t room = (len - 36 - 43 - 2) / 4 * 3 -
                  strlen("{\"exp\":1700000600,\"data\":{\"x\":\"\"}}");
    struct buf b;
    buf_init(&b, 4 * JWT_LEN_MAX);
    buf_addstr(&b, "{\"exp\":1700000600,\"data\":{\"x\":\"");
    for (size_t i = 0; i < room; i++)
        buf_addc(&b, 'x');
    buf_addstr(&b, "\"}}");
    char *token = forge(HEADER, strlen(HEADER), b.data, b.len);
    buf_free(&b);
    return token;
}

static void takes_long_tokens_up_to_its_limit(void **state)
{
    (void)state;
    static const size_t lengths[] = {8 * 1024, 32 * 1024, JWT_LEN_MAX};
    for (size_t i = 0; i < COUNT(lengths); i++) {
        struct json_object *claims;
        char *token = token_of(lengths[i]);
        size_t len = strlen(token);
        assert_in_range(len, lengths[i] - 4, lengths[i]);
        assert_err(verify(token, len, NOW, &claims), ERR_OK);
        json_object_put(claims);
        char *last = token + len - 2;
        *last = *last == 'A' ? 'B' : 'A';
        refuse(token, len, ERR_TOKEN_SIGNATURE, "long token, other signature");
        free(token);
    }
    char *token = token_of(JWT_LEN_MAX + 8);
    refuse(token, strlen(token), ERR_TOO_BIG, "over the limit");
    free(token);
    token = calloc(1, 1024 * 1024);
    memset(token, 'A', 1024 * 1024);
    refuse(token, 1024 * 1024, ERR_TOO_BIG, "a megabyte");
    free(token);
}

static void signs_what_it_verifies(void **state)
{
    (void)state;
    struct json_object *claims = json_object_new_object(), *back;
    struct buf token;
    json_object_object_add(claims, "webhook_id", json_object_new_string("WH-\xc3\xa9"));
    json_object_object_add(claims, "exp", json_object_new_int64(NOW));
    json_object_object_add(claims, "last_failure_at", NULL);
    json_object_object_add(claims, "data", json_object_new_object());
    buf_init(&token, JWT_LEN_MAX);
    buf_addstr(&token, "Bearer "); /* appends, and signs only what is its own */
    assert_err(jwt_sign(claims, key, &token), ERR_OK);
    assert_err(verify(token.data + 7, token.len - 7, NOW, &back), ERR_OK);
    assert_true(json_object_equal(claims, back));
    json_object_put(back);
    buf_free(&token);

    buf_init(&token, 100);
    assert_err(jwt_sign(claims, key, &token), ERR_TOO_BIG);
    buf_free(&token);
    json_object_put(claims);
}

int main(void)
{
    if (sodium_init() < 0 || jwt_key_new((const uint8_t *)secret, strlen(secret), &key) != ERR_OK)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verifies_the_vector_of_rfc_7515),
        cmocka_unit_test(verifies_a_token_of_another_receiver_of_connect),
        cmocka_unit_test(refuses_every_other_algorithm),
        cmocka_unit_test(refuses_every_other_shape),
        cmocka_unit_test(refuses_every_changed_byte),
        cmocka_unit_test(refuses_signatures_of_another_length),
        cmocka_unit_test(refuses_an_empty_secret),
        cmocka_unit_test(refuses_headers_that_change_the_meaning),
        cmocka_unit_test(ignores_where_the_header_says_a_key_is),
        cmocka_unit_test(refuses_what_parsers_read_differently),
        cmocka_unit_test(refuses_an_exp_that_is_no_moment),
        cmocka_unit_test(forgives_a_minute_and_no_more),
        cmocka_unit_test(takes_long_tokens_up_to_its_limit),
        cmocka_unit_test(signs_what_it_verifies),
    };
    buf_init(&claims_text, JWT_LEN_MAX);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    buf_free(&claims_text);
    jwt_key_free(key);
    return failed;
}
