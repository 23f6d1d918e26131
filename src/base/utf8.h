/*
 * utf8.h - what is UTF-8 (RFC 3629; Unicode, table 3-7), texts that were cut, upper and lower case,
 * and white space.
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

#define UTF8_MAX 4 /* bytes of the longest sequence */

/* Length of the well-formed sequence at `s`, which is before `end`; 0 if there is none. */
size_t utf8_sequence(const char *s, const char *end);
/* The character that it stands for. */
uint32_t utf8_code_point(const char *s, size_t len);

/*
 * Take out, in place, every byte that belongs to no well-formed sequence: the half of a character
 * where a text was cut, and what never was text.
 */
void utf8_clean(char *text);

/* Bytes of the text's first `max` characters, or of all of it if it has fewer. The text is UTF-8.
 */
size_t utf8_prefix(const char *text, size_t max);

/*
 * The text as it compares where case does not count: folded in full and composed (Unicode, 3.13:
 * "STRASSE" and "stra\u00dfe" give the same). Owned by the caller. NULL: out of memory.
 */
char *utf8_fold(const char *text);

/* The text in lower and in upper case, in no language's particular way; owned by the caller. NULL:
 * out of memory. */
char *utf8_lower(const char *text);
char *utf8_upper(const char *text);
/* The text without the white space (Unicode's) around it; owned by the caller. NULL: out of memory.
 */
char *utf8_trim(const char *text);

#endif
