/*
 * buf.h - a growing byte buffer with a ceiling.
 *
 * The ceiling is named at birth. Errors are sticky: append ten times, look once
 * at `err`. `data` is always NUL-terminated (the NUL is not counted in `len`) and
 * never NULL, so that it can be printed at any time.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stddef.h>

#include "base/err.h"

struct buf {
    char *data;   /* owned; borrow it until the next append */
    size_t len;   /* bytes in use */
    size_t cap;   /* bytes allocated, 0 before the first append */
    size_t max;   /* most bytes ever held */
    enum err err; /* ERR_OK, ERR_TOO_BIG or ERR_NOMEM: the first that happened */
};

/* An empty buffer that will hold at most `max` bytes. Allocates nothing. */
void buf_init(struct buf *b, size_t max);
/* Wipes nothing, frees, and leaves an empty buffer with the same ceiling. */
void buf_free(struct buf *b);
/* Forget the content and the error, keep the memory. */
void buf_reset(struct buf *b);
/* ... unless that has grown beyond `keep` bytes. */
void buf_forget(struct buf *b, size_t keep);

/* Each returns b->err; after an error the content no longer changes. */
enum err buf_add(struct buf *b, const void *data, size_t len);
enum err buf_addstr(struct buf *b, const char *s);
enum err buf_addc(struct buf *b, char c);
enum err buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Room for `len` more bytes at data + len, for a reader to fill; then add to `len` oneself. */
enum err buf_reserve(struct buf *b, size_t len);

/* Append all that `fd` gives, a file or a pipe. ERR_IO tells by errno; ERR_TOO_BIG, ERR_NOMEM. */
enum err buf_read_all(struct buf *b, int fd);

/* ... and all of a file, "-" for standard input; `why` names it. As above. */
enum err buf_read_file(struct buf *b, const char *path, struct why *why);

/* Hand the string over (free() it) and leave the buffer empty. NULL after an error. */
char *buf_steal(struct buf *b);

#endif
