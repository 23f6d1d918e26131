/*
 * secret.h - a secret: where it comes from, and memory that is locked and wiped.
 *
 * A secret is the one line that stands in the file, the environment variable or the systemd
 * credential, without its newline. What editors, shells and people add to it without seeing it is
 * refused, as nobody could find out later why signatures are wrong. It is never printed.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define SECRET_MAX  4096 /* bytes; a longer source is refused */
#define SECRET_WEAK 32   /* bytes; below, RFC 7518 section 3.2 calls an HS256 key too short */

enum secret_kind {
    SECRET_FILE,       /* a file; one that others than owner and group may read is refused */
    SECRET_ENV,        /* an environment variable */
    SECRET_CREDENTIAL, /* a file in $CREDENTIALS_DIRECTORY (systemd.exec(5)) */
};

struct secret_source {
    enum secret_kind kind;
    const char *name; /* path, variable or credential; borrowed */
};

struct secret;

/*
 * Load a secret into memory of its own (sodium_mlock where the limits allow it). *ret is
 * owned: secret_free(). ERR_NOT_FOUND, ERR_IO, ERR_TOO_BIG, ERR_INVALID (empty; readable by
 * others; a byte order mark; more than one line; white space or quotes around it; control
 * characters; a credential's name with a slash). `why` names the source, never the content.
 */
enum err secret_load(const struct secret_source *source, struct secret **ret, struct why *why);
/* The same from bytes in memory, at least 1: what is derived from a secret is one, too. */
enum err secret_from_bytes(const void *bytes, size_t len, struct secret **ret);

const uint8_t *secret_bytes(
    const struct secret *s);               /* borrowed; NUL-terminated for callers that want text */
size_t secret_len(const struct secret *s); /* bytes, at least 1 */
/* The one word of printable ASCII that it is, after `prefix` (in any case) if that comes before it;
 * NULL if it is no such word. Borrowed. */
const char *secret_word(const struct secret *s, const char *prefix);

void secret_free(struct secret *s); /* wipes and frees; NULL is fine */

/* Keep the secrets of this process out of core files and away from other programs' debuggers. For
 * every main, before the first secret is read. */
void secret_guard_process(void);

#endif
