/* b64.c - base64url, strictly. */
#include "base/b64.h"

#define VALID 0x40 /* marks the characters of the alphabet; the low six bits are their value */

static const uint8_t values[256] = {
    ['A'] = 0 | VALID,  ['B'] = 1 | VALID,  ['C'] = 2 | VALID,  ['D'] = 3 | VALID,
    ['E'] = 4 | VALID,  ['F'] = 5 | VALID,  ['G'] = 6 | VALID,  ['H'] = 7 | VALID,
    ['I'] = 8 | VALID,  ['J'] = 9 | VALID,  ['K'] = 10 | VALID, ['L'] = 11 | VALID,
    ['M'] = 12 | VALID, ['N'] = 13 | VALID, ['O'] = 14 | VALID, ['P'] = 15 | VALID,
    ['Q'] = 16 | VALID, ['R'] = 17 | VALID, ['S'] = 18 | VALID, ['T'] = 19 | VALID,
    ['U'] = 20 | VALID, ['V'] = 21 | VALID, ['W'] = 22 | VALID, ['X'] = 23 | VALID,
    ['Y'] = 24 | VALID, ['Z'] = 25 | VALID, ['a'] = 26 | VALID, ['b'] = 27 | VALID,
    ['c'] = 28 | VALID, ['d'] = 29 | VALID, ['e'] = 30 | VALID, ['f'] = 31 | VALID,
    ['g'] = 32 | VALID, ['h'] = 33 | VALID, ['i'] = 34 | VALID, ['j'] = 35 | VALID,
    ['k'] = 36 | VALID, ['l'] = 37 | VALID, ['m'] = 38 | VALID, ['n'] = 39 | VALID,
    ['o'] = 40 | VALID, ['p'] = 41 | VALID, ['q'] = 42 | VALID, ['r'] = 43 | VALID,
    ['s'] = 44 | VALID, ['t'] = 45 | VALID, ['u'] = 46 | VALID, ['v'] = 47 | VALID,
    ['w'] = 48 | VALID, ['x'] = 49 | VALID, ['y'] = 50 | VALID, ['z'] = 51 | VALID,
    ['0'] = 52 | VALID, ['1'] = 53 | VALID, ['2'] = 54 | VALID, ['3'] = 55 | VALID,
    ['4'] = 56 | VALID, ['5'] = 57 | VALID, ['6'] = 58 | VALID, ['7'] = 59 | VALID,
    ['8'] = 60 | VALID, ['9'] = 61 | VALID, ['-'] = 62 | VALID, ['_'] = 63 | VALID,
};

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

enum err b64url_decode(const char *text, size_t len, uint8_t *out, size_t *ret_len)
{
    const uint8_t *in = (const uint8_t *)text;
    const uint8_t *const whole = in + len / 4 * 4;
    uint8_t *const start = out;
    uint8_t valid = VALID;

    /* One look at the end tells whether every character was of the alphabet. */
    for (; in < whole; in += 4, out += 3) {
        uint8_t a = values[in[0]], b = values[in[1]], c = values[in[2]], d = values[in[3]];
        valid &= a & b & c & d;
        out[0] = (uint8_t)(a << 2 | (b >> 4 & 0x03));
        out[1] = (uint8_t)(b << 4 | (c >> 2 & 0x0f));
        out[2] = (uint8_t)(c << 6 | (d & 0x3f));
    }
    if (len % 4 == 1)
        return ERR_ENCODING;
    if (len % 4 >= 2) {
        uint8_t a = values[in[0]], b = values[in[1]], unused = b & 0x0f;
        valid &= a & b;
        *out++ = (uint8_t)(a << 2 | (b >> 4 & 0x03));
        if (len % 4 == 3) {
            uint8_t c = values[in[2]];
            valid &= c;
            *out++ = (uint8_t)(b << 4 | (c >> 2 & 0x0f));
            unused = c & 0x03;
        }
        if (unused != 0)
            return ERR_ENCODING;
    }
    if (!(valid & VALID))
        return ERR_ENCODING;
    *ret_len = (size_t)(out - start);
    return ERR_OK;
}

void b64url_encode(const uint8_t *data, size_t len, char *out)
{
    for (; len >= 3; len -= 3, data += 3) {
        *out++ = alphabet[data[0] >> 2];
        *out++ = alphabet[(data[0] << 4 | data[1] >> 4) & 0x3f];
        *out++ = alphabet[(data[1] << 2 | data[2] >> 6) & 0x3f];
        *out++ = alphabet[data[2] & 0x3f];
    }
    if (len > 0) {
        uint8_t second = len == 2 ? data[1] : 0;
        *out++ = alphabet[data[0] >> 2];
        *out++ = alphabet[(data[0] << 4 | second >> 4) & 0x3f];
        if (len == 2)
            *out++ = alphabet[(second << 2) & 0x3f];
    }
    *out = '\0';
}
