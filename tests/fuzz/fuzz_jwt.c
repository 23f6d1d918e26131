/* fuzz_jwt.c - headers and tokens by strangers: found, taken apart, and never verified. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "auth/bearer.h"
#include "auth/jwt.h"
#include "base/b64.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input as a header's value: a string, which ends at a NUL. */
static void try_header(const uint8_t *data, size_t size)
{
    char *value = strndup((const char *)data, size);
    const char *const headers[] = {NULL, value, "Basic x"};
    const char *token;
    size_t len;
    if (value == NULL)
        abort();
    if (bearer_find(headers, 3, &token, &len) == ERR_OK &&
        (len == 0 || token < value || token + len > value + strlen(value)))
        abort();
    free(value);
}

/* One text has one meaning: what decodes encodes to the same characters. */
static void try_base64url(const uint8_t *data, size_t size)
{
    uint8_t *bytes = malloc(B64_DECODED_LEN(size) + 1);
    char *text = malloc(size + 1);
    size_t len;
    if (bytes == NULL || text == NULL)
        abort();
    if (b64url_decode((const char *)data, size, bytes, &len) == ERR_OK) {
        if (len != B64_DECODED_LEN(size))
            abort();
        b64url_encode(bytes, len, text);
        if (memcmp(text, data, size) != 0)
            abort();
    }
    free(bytes);
    free(text);
}

/* With a key that is new every time, nothing is ever signed well. */
static void try_token(const uint8_t *data, size_t size)
{
    uint8_t secret[32];
    struct jwt_key *key;
    struct jwt_parts parts;
    struct buf payload;
    struct why why;
    buf_init(&payload, JWT_LEN_MAX);
    randombytes_buf(secret, sizeof secret);
    if (jwt_key_new(secret, sizeof secret, &key) != ERR_OK)
        abort();
    if (jwt_parse((const char *)data, size, &payload, &parts, &why) == ERR_OK) {
        if (jwt_check_signature(&parts, key) == ERR_OK)
            abort();
        if (jwt_check_times(parts.claims, 0, &why) == ERR_TOKEN_EXPIRED)
            abort();
        jwt_parts_free(&parts);
    }
    buf_free(&payload);
    jwt_key_free(key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_header(data, size);
    try_base64url(data, size);
    try_token(data, size);
    return 0;
}
