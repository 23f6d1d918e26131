/*
 * jwt.h - verify and sign HS256 tokens (RFC 7515 compact, RFC 7519).
 *
 * Pure: no clock, no I/O, no logging, no globals. The algorithm is ours, never the token's.
 */
#ifndef AUTH_JWT_H
#define AUTH_JWT_H

#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>

#include "base/buf.h"
#include "base/err.h"

#define JWT_LEN_MAX (64 * 1024) /* bytes of a compact token */
#define JWT_LEEWAY  60          /* s of clock skew forgiven */

/* A secret made ready for HMAC: the keyed state is computed once. ERR_INVALID if it is empty. */
struct jwt_key;
enum err jwt_key_new(const uint8_t *secret, size_t len, struct jwt_key **ret);
void jwt_key_free(struct jwt_key *k); /* wipes; NULL is fine */

/* A token taken apart, nothing of it believed yet. Pointers are borrowed from the token. */
struct jwt_parts {
    const char *signing_input; /* header "." payload */
    size_t signing_input_len;
    uint8_t signature[32];
    struct json_object *claims; /* owned; UNVERIFIED */
};

/*
 * Take `token` apart and check its form and header. *ret is freed with jwt_parts_free() and
 * lives no longer than the token's text. `payload` is overwritten with the text of the claims, as
 * it was signed.
 *
 *     ERR_TOO_BIG      longer than JWT_LEN_MAX
 *     ERR_TOKEN_FORM   not three parts of strict base64url, header or payload not a JSON object
 *                      (duplicate keys included), `typ` other than JWT, `crit`, `b64` or `zip`,
 *                      signature not of 32 bytes
 *     ERR_TOKEN_ALG    `alg` is not exactly "HS256"
 */
enum err jwt_parse(const char *token, size_t len, struct buf *payload, struct jwt_parts *ret,
                   struct why *why);
void jwt_parts_free(struct jwt_parts *p);

/* The header of a token that jwt_parse() has accepted, for people; owned by the caller. NULL: out
 * of memory. */
struct json_object *jwt_header(const struct jwt_parts *p);

/* Is the signature the one that `key` makes? In constant time. ERR_OK or ERR_TOKEN_SIGNATURE. */
enum err jwt_check_signature(const struct jwt_parts *p, const struct jwt_key *key);

/*
 * `exp` is an integer and not more than JWT_LEEWAY before `now` (seconds since the epoch).
 * ERR_TOKEN_CLAIMS or ERR_TOKEN_EXPIRED. Connect sends no `nbf`; one that is there is honoured
 * (ERR_TOKEN_CLAIMS).
 */
enum err jwt_check_times(struct json_object *claims, int64_t now, struct why *why);

/* Append a token with header {"typ":"JWT","alg":"HS256"} and these claims. */
enum err jwt_sign(struct json_object *claims, const struct jwt_key *key, struct buf *ret_token);

#endif
