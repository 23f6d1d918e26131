/* utf8.c - what is UTF-8, texts that were cut, upper and lower case, and white space. */
#include "base/utf8.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unicase.h>
#include <unictype.h>
#include <unistr.h>

size_t utf8_sequence(const char *s, const char *end)
{
    int n = u8_mblen((const uint8_t *)s, (size_t)(end - s));
    return *s == '\0' ? 1 : n > 0 ? (size_t)n : 0; /* NUL has no length to u8_mblen() */
}

uint32_t utf8_code_point(const char *s, size_t len)
{
    ucs4_t cp;
    u8_mbtouc(&cp, (const uint8_t *)s, len);
    return cp;
}

void utf8_clean(char *text)
{
    const char *end = text + strlen(text);
    char *to = text;
    for (const char *s = text; s < end;) {
        size_t n = utf8_sequence(s, end);
        memmove(to, s, n);
        to += n;
        s += n > 0 ? n : 1;
    }
    *to = '\0';
}

size_t utf8_prefix(const char *text, size_t max)
{
    size_t len = 0;
    for (; text[len] != '\0'; len++)
        if (((unsigned char)text[len] & 0xc0) != 0x80 && max-- == 0)
            break;
    return len;
}

char *utf8_fold(const char *text)
{
    size_t size = strlen(text) + 1, ascii = 0;
    char *folded = malloc(size);
    while (folded != NULL && ascii < size && (unsigned char)text[ascii] < 0x80) {
        folded[ascii] = (char)tolower((unsigned char)text[ascii]);
        ascii++;
    }
    if (folded == NULL || ascii == size) /* most texts, and much quicker */
        return folded;
    free(folded);
    return (char *)u8_casefold((const uint8_t *)text, size, NULL, UNINORM_NFC, NULL, &size);
}

char *utf8_lower(const char *text)
{
    size_t size = strlen(text) + 1;
    return (char *)u8_tolower((const uint8_t *)text, size, NULL, NULL, NULL, &size);
}

char *utf8_upper(const char *text)
{
    size_t size = strlen(text) + 1;
    return (char *)u8_toupper((const uint8_t *)text, size, NULL, NULL, NULL, &size);
}

char *utf8_trim(const char *text)
{
    const char *end = text + strlen(text), *first = end, *last = text;
    for (const char *s = text; s < end;) {
        size_t n = utf8_sequence(s, end);
        bool space = n > 0 && uc_is_property_white_space(utf8_code_point(s, n));
        n = n > 0 ? n : 1;
        if (!space) {
            first = first < s ? first : s;
            last = s + n;
        }
        s += n;
    }
    return strndup(first, first < last ? (size_t)(last - first) : 0);
}
