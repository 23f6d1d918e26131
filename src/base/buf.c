/* buf.c - a growing byte buffer with a ceiling. */
#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUF_FIRST_CAP 64   /* bytes of the first allocation */
#define READ_CHUNK    4096 /* bytes asked for at once when a file is read */

static char nothing[1] = ""; /* what an unallocated buffer's data points at; never written */

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.data = nothing, .max = max};
}

void buf_free(struct buf *b)
{
    if (b->cap > 0)
        free(b->data);
    buf_init(b, b->max);
}

void buf_reset(struct buf *b)
{
    b->len = 0;
    b->err = ERR_OK;
    if (b->cap > 0)
        b->data[0] = '\0';
}

void buf_forget(struct buf *b, size_t keep)
{
    if (b->cap > keep)
        buf_free(b);
    else
        buf_reset(b);
}

enum err buf_reserve(struct buf *b, size_t len)
{
    if (b->err != ERR_OK)
        return b->err;
    if (len > b->max - b->len)
        return b->err = ERR_TOO_BIG;
    size_t need = b->len + len + 1;
    if (need <= b->cap)
        return ERR_OK;
    size_t cap = b->cap > 0 ? b->cap : BUF_FIRST_CAP;
    while (cap < need)
        cap *= 2;
    char *data = realloc(b->cap > 0 ? b->data : NULL, cap);
    if (data == NULL)
        return b->err = ERR_NOMEM;
    data[b->len] = '\0';
    b->data = data;
    b->cap = cap;
    return ERR_OK;
}

enum err buf_add(struct buf *b, const void *data, size_t len)
{
    if (len == 0 || buf_reserve(b, len) != ERR_OK)
        return b->err;
    memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = '\0';
    return ERR_OK;
}

enum err buf_addstr(struct buf *b, const char *s)
{
    return buf_add(b, s, strlen(s));
}

enum err buf_addc(struct buf *b, char c)
{
    return buf_add(b, &c, 1);
}

enum err buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    size_t room = b->err == ERR_OK && b->cap > 0 ? b->cap - b->len : 0; /* with the NUL */
    int n = vsnprintf(room > 0 ? b->data + b->len : NULL, room, fmt, ap);
    if (n > 0 && buf_reserve(b, (size_t)n) == ERR_OK) {
        if ((size_t)n >= room)
            vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    } else if (room > 0) {
        b->data[b->len] = '\0';
    }
    va_end(again);
    va_end(ap);
    return b->err;
}

enum err buf_read_all(struct buf *b, int fd)
{
    for (;;) {
        size_t room = b->max - b->len < READ_CHUNK ? b->max - b->len : READ_CHUNK;
        char past;
        if (buf_reserve(b, room) != ERR_OK)
            return b->err;
        ssize_t n = room > 0 ? read(fd, b->data + b->len, room) : read(fd, &past, 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ERR_IO;
        if (n == 0)
            return ERR_OK;
        if (room == 0)
            return b->err = ERR_TOO_BIG;
        b->len += (size_t)n;
        b->data[b->len] = '\0';
    }
}

enum err buf_read_file(struct buf *b, const char *path, struct why *why)
{
    /* Not opened by its name: that is refused where another user made the pipe. */
    bool standard = strcmp(path, "-") == 0;
    int fd = standard ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0) : open(path, O_RDONLY | O_CLOEXEC);
    if (standard)
        path = "standard input";
    if (fd < 0)
        return why_set(why, ERR_IO, "%s: %s", path, strerror(errno));
    enum err e = buf_read_all(b, fd);
    if (e != ERR_OK)
        why_set(why, e, "%s: %s", path, e == ERR_IO ? strerror(errno) : err_text(e));
    close(fd);
    return e;
}

char *buf_steal(struct buf *b)
{
    char *s = NULL;
    if (b->err == ERR_OK && buf_reserve(b, 0) == ERR_OK) {
        s = b->data;
        buf_init(b, b->max);
    } else {
        buf_free(b);
    }
    return s;
}
