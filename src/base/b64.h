/*
 * b64.h - strict base64url without padding (RFC 4648 section 5, RFC 7515 appendix C).
 */
#ifndef BASE_B64_H
#define BASE_B64_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define B64_DECODED_LEN(n) ((n) / 4 * 3 + (n) % 4 * 3 / 4) /* bytes that `n` characters hold */
#define B64_ENCODED_LEN(n) (((n)*4 + 2) / 3)               /* characters for `n` bytes, no NUL */

/*
 * Decode `len` characters into `out`, which has room for B64_DECODED_LEN(len) bytes.
 * ERR_ENCODING for anything but the 64 characters ('+', '/', '=', white space, ...), for
 * an impossible length, and for unused bits that are not zero.
 */
enum err b64url_decode(const char *text, size_t len, uint8_t *out, size_t *ret_len);

/* Encode into `out`, which has room for B64_ENCODED_LEN(len) + 1; NUL-terminates. */
void b64url_encode(const uint8_t *data, size_t len, char *out);

#endif
