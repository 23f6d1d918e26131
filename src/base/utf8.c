/* utf8.c - what is UTF-8, texts that were cut, and upper and lower case. */
#include "base/utf8.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unicase.h>

size_t utf8_sequence(const char *s, const char *end)
{
    unsigned char lead = (unsigned char)s[0], low = 0x80, high = 0xbf;
    size_t n = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0x80)
        return 1;
    if (lead < 0xc2 || lead > 0xf4 || (size_t)(end - s) < n)
        return 0;
    if (lead == 0xe0)
        low = 0xa0; /* overlong below */
    else if (lead == 0xed)
        high = 0x9f; /* surrogates above */
    else if (lead == 0xf0)
        low = 0x90; /* overlong below */
    else if (lead == 0xf4)
        high = 0x8f; /* beyond U+10FFFF above */
    if ((unsigned char)s[1] < low || (unsigned char)s[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++)
        if (((unsigned char)s[i] & 0xc0) != 0x80)
            return 0;
    return n;
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
