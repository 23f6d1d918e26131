/* jwt.c - verify and sign HS256 tokens. */
#include "auth/jwt.h"

#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/b64.h"
#include "base/jsonx.h"
#include "base/secret.h"

#define SIGNATURE_BYTES crypto_auth_hmacsha256_BYTES
#define SIGNATURE_CHARS B64_ENCODED_LEN(SIGNATURE_BYTES)

/* {"typ":"JWT","alg":"HS256"} */
#define OUR_HEADER "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9"

struct jwt_key {
    struct secret *state; /* a crypto_auth_hmacsha256_state: as good as the secret, kept as one */
};

enum err jwt_key_new(const uint8_t *secret, size_t len, struct jwt_key **ret)
{
    if (len == 0)
        return ERR_INVALID;
    struct jwt_key *k = calloc(1, sizeof *k);
    if (k == NULL)
        return ERR_NOMEM;
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, secret, len);
    enum err e = secret_from_bytes(&state, sizeof state, &k->state);
    sodium_memzero(&state, sizeof state);
    if (e == ERR_OK)
        *ret = k;
    else
        free(k);
    return e;
}

void jwt_key_free(struct jwt_key *k)
{
    if (k == NULL)
        return;
    secret_free(k->state);
    free(k);
}

static void make_signature(const struct jwt_key *key, const char *input, size_t len,
                           uint8_t ret[SIGNATURE_BYTES])
{
    crypto_auth_hmacsha256_state state;
    memcpy(&state, secret_bytes(key->state), sizeof state);
    crypto_auth_hmacsha256_update(&state, (const uint8_t *)input, len);
    crypto_auth_hmacsha256_final(&state, ret);
    sodium_memzero(&state, sizeof state);
}

/* The three parts between two dots, still encoded. */
struct compact {
    const char *text[3];
    size_t len[3];
};

static bool split(const char *token, size_t len, struct compact *ret)
{
    const char *end = token + len;
    for (int i = 0; i < 3; i++) {
        const char *dot = memchr(token, '.', (size_t)(end - token));
        if ((dot == NULL) != (i == 2))
            return false;
        ret->text[i] = token;
        ret->len[i] = (size_t)((dot != NULL ? dot : end) - token);
        token = dot != NULL ? dot + 1 : end;
    }
    return true;
}

/* A part that is a JSON object; `what` names it for people, `json` gets its text. */
static enum err decode_object(const char *text, size_t len, const char *what, struct buf *json,
                              struct json_object **ret, struct why *why)
{
    struct json_object *o = NULL;
    buf_reset(json);
    if (buf_reserve(json, B64_DECODED_LEN(len)) != ERR_OK)
        return why_set(why, json->err, "the %s: %s", what, err_text(json->err));
    enum err e = b64url_decode(text, len, (uint8_t *)json->data, &json->len);
    json->data[json->len] = '\0';
    if (e != ERR_OK)
        why_set(why, e, "the %s is not base64url", what);
    else if ((e = jsonx_parse(json->data, json->len, json->len, &o, why)) != ERR_OK)
        why_prefix(why, e, "the %s", what);
    else if (!json_object_is_type(o, json_type_object))
        e = why_set(why, ERR_TOKEN_FORM, "the %s is not a JSON object", what);
    if (e == ERR_OK)
        *ret = o;
    else
        json_object_put(o);
    return e == ERR_OK || e == ERR_NOMEM ? e : ERR_TOKEN_FORM;
}

/*
 * `alg` is compared, never looked up. Members that would change how a token is to be read are
 * refused. Those that name or bring keys (kid, jku, jwk, x5u, ...) are never looked at: the
 * keys are ours.
 */
static enum err check_header(const struct json_object *header, struct why *why)
{
    static const char *const refused[] = {"crit", "b64", "zip"};
    if (strcmp(jsonx_str(header, "alg", ""), "HS256") != 0)
        return why_set(why, ERR_TOKEN_ALG, "\"alg\" is not \"HS256\"");
    if (json_object_object_get_ex(header, "typ", NULL) &&
        strcasecmp(jsonx_str(header, "typ", ""), "JWT") != 0)
        return why_set(why, ERR_TOKEN_FORM, "\"typ\" is not \"JWT\"");
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        if (json_object_object_get_ex(header, refused[i], NULL))
            return why_set(why, ERR_TOKEN_FORM, "\"%s\" in the header is not supported",
                           refused[i]);
    return ERR_OK;
}

/* What nearly every library writes, ours included, needs no reading. */
static bool is_usual(const char *header, size_t len)
{
    static const char *const usual[] = {OUR_HEADER, "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"};
    for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++)
        if (strlen(usual[i]) == len && memcmp(usual[i], header, len) == 0)
            return true;
    return false;
}

static enum err decode_header(const char *text, size_t len, struct buf *scratch, struct why *why)
{
    struct json_object *header = NULL;
    if (is_usual(text, len))
        return ERR_OK;
    enum err e = decode_object(text, len, "header", scratch, &header, why);
    if (e == ERR_OK)
        e = check_header(header, why);
    json_object_put(header);
    return e;
}

static enum err decode_signature(const char *text, size_t len, uint8_t ret[SIGNATURE_BYTES],
                                 struct why *why)
{
    size_t n;
    if (len != SIGNATURE_CHARS || b64url_decode(text, len, ret, &n) != ERR_OK)
        return why_set(why, ERR_TOKEN_FORM, "the signature is not %u bytes of base64url",
                       SIGNATURE_BYTES);
    return ERR_OK;
}

enum err jwt_parse(const char *token, size_t len, struct buf *payload, struct jwt_parts *ret,
                   struct why *why)
{
    struct compact c = {0};
    if (len > JWT_LEN_MAX)
        return why_set(why, ERR_TOO_BIG, "the token is longer than %d bytes", JWT_LEN_MAX);
    if (!split(token, len, &c))
        return why_set(why, ERR_TOKEN_FORM, "the token does not have three parts");

    struct jwt_parts p = {.signing_input = token, .signing_input_len = c.len[0] + 1 + c.len[1]};
    enum err e = decode_header(c.text[0], c.len[0], payload, why);
    if (e == ERR_OK)
        e = decode_signature(c.text[2], c.len[2], p.signature, why);
    if (e == ERR_OK)
        e = decode_object(c.text[1], c.len[1], "payload", payload, &p.claims, why);
    if (e == ERR_OK)
        *ret = p;
    else
        jwt_parts_free(&p);
    return e;
}

void jwt_parts_free(struct jwt_parts *p)
{
    json_object_put(p->claims);
    *p = (struct jwt_parts){0};
}

struct json_object *jwt_header(const struct jwt_parts *p)
{
    const char *dot = memchr(p->signing_input, '.', p->signing_input_len);
    struct json_object *header = NULL;
    struct buf json;
    buf_init(&json, JWT_LEN_MAX);
    decode_object(p->signing_input, (size_t)(dot - p->signing_input), "header", &json, &header,
                  NULL);
    buf_free(&json);
    return header;
}

enum err jwt_check_signature(const struct jwt_parts *p, const struct jwt_key *key)
{
    uint8_t right[SIGNATURE_BYTES];
    make_signature(key, p->signing_input, p->signing_input_len, right);
    int differs = sodium_memcmp(right, p->signature, sizeof right);
    sodium_memzero(right, sizeof right);
    return differs ? ERR_TOKEN_SIGNATURE : ERR_OK;
}

/* A claim that is a moment: an integer, not negative. */
static bool moment(struct json_object *claims, const char *name, int64_t *ret)
{
    *ret = jsonx_int(claims, name, -1);
    return *ret >= 0;
}

enum err jwt_check_times(struct json_object *claims, int64_t now, struct why *why)
{
    int64_t exp, nbf;
    if (!moment(claims, "exp", &exp))
        return why_set(why, ERR_TOKEN_CLAIMS, "\"exp\" is not a moment in whole seconds");
    if (exp < now - JWT_LEEWAY)
        return why_set(why, ERR_TOKEN_EXPIRED, "expired %lld s ago", (long long)(now - exp));
    if (!json_object_object_get_ex(claims, "nbf", NULL))
        return ERR_OK;
    if (!moment(claims, "nbf", &nbf))
        return why_set(why, ERR_TOKEN_CLAIMS, "\"nbf\" is not a moment in whole seconds");
    if (nbf > now + JWT_LEEWAY)
        return why_set(why, ERR_TOKEN_CLAIMS, "not valid for another %lld s",
                       (long long)(nbf - now));
    return ERR_OK;
}

/* Append `len` bytes as base64url. */
static enum err add_b64(struct buf *b, const void *data, size_t len)
{
    if (buf_reserve(b, B64_ENCODED_LEN(len)) != ERR_OK)
        return b->err;
    b64url_encode(data, len, b->data + b->len);
    b->len += B64_ENCODED_LEN(len);
    return ERR_OK;
}

enum err jwt_sign(struct json_object *claims, const struct jwt_key *key, struct buf *ret_token)
{
    struct buf json;
    size_t start = ret_token->len;
    uint8_t signature[SIGNATURE_BYTES];
    buf_init(&json, ret_token->max);
    enum err e = jsonx_print(&json, claims);
    if (e == ERR_OK) {
        buf_addstr(ret_token, OUR_HEADER ".");
        e = add_b64(ret_token, json.data, json.len);
    }
    buf_free(&json);
    if (e != ERR_OK)
        return e;
    make_signature(key, ret_token->data + start, ret_token->len - start, signature);
    buf_addc(ret_token, '.');
    return add_b64(ret_token, signature, sizeof signature);
}
