/* fcgi_codec.c - libfcgi between bytes in memory. */
#include "transport/fcgi_codec.h"

#include <fastcgi.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define FILE_KEEP (1024 * 1024) /* bytes; a file that grew beyond is closed after use */

void codec_init(struct fcgi_codec *c)
{
    pthread_mutex_init(&c->lock, NULL);
    c->count = 0;
}

void codec_free(struct fcgi_codec *c)
{
    while (c->count > 0)
        close(c->files[--c->count]);
    pthread_mutex_destroy(&c->lock);
}

/* A memory file positioned at its start, or -1. What it holds is somebody's past. */
static int take_file(struct fcgi_codec *c)
{
    int file = -1;
    pthread_mutex_lock(&c->lock);
    if (c->count > 0)
        file = c->files[--c->count];
    pthread_mutex_unlock(&c->lock);
    if (file < 0)
        return memfd_create("fastcgi", MFD_CLOEXEC);
    if (lseek(file, 0, SEEK_SET) == 0)
        return file;
    close(file);
    return -1;
}

static void put_file(struct fcgi_codec *c, int file, size_t used)
{
    if (file < 0)
        return;
    pthread_mutex_lock(&c->lock);
    bool keep = used <= FILE_KEEP && c->count < CODEC_FILES_MAX;
    if (keep)
        c->files[c->count++] = file;
    pthread_mutex_unlock(&c->lock);
    if (!keep)
        close(file);
}

/* Nothing of the file's past may follow: after the request comes a record of no version. */
static bool write_file(int file, struct buf *bytes)
{
    static const FCGI_Header end;
    size_t done = 0;
    if (buf_add(bytes, &end, sizeof end) != ERR_OK)
        return false;
    while (done < bytes->len) {
        ssize_t n = pwrite(file, bytes->data + done, bytes->len - done, (off_t)done);
        if (n <= 0)
            return false;
        done += (size_t)n;
    }
    return true;
}

/* Read the body; the byte after its last must be the end of the stream. */
static enum err read_body(FCGX_Request *request, size_t len, struct buf *body)
{
    if (buf_reserve(body, len) != ERR_OK)
        return body->err;
    if (FCGX_GetStr(body->data + body->len, (int)len, request->in) != (int)len ||
        FCGX_GetChar(request->in) != EOF || FCGX_GetError(request->in) != 0)
        return ERR_SYNTAX;
    body->len += len;
    body->data[body->len] = '\0';
    return ERR_OK;
}

enum err codec_decode(struct fcgi_codec *c, struct buf *bytes, size_t body_len,
                      FCGX_Request *request, struct buf *body)
{
    int file = body_len < INT_MAX ? take_file(c) : -1;
    if (file < 0 || !write_file(file, bytes)) {
        if (file >= 0)
            close(file);
        return ERR_IO;
    }
    /* With no listening socket and a connection that seems to be kept, libfcgi reads from it. */
    FCGX_InitRequest(request, -1, FCGI_FAIL_ACCEPT_ON_INTR);
    request->ipcFd = file;
    request->keepConnection = 1;
    if (FCGX_Accept_r(request) != 0)
        return ERR_SYNTAX; /* and libfcgi has closed the file */
    enum err e = request->role == FCGI_RESPONDER ? read_body(request, body_len, body) : ERR_SYNTAX;
    request->ipcFd = -1;
    put_file(c, file, bytes->len);
    FCGX_FreeStream(&request->in);
    if (e != ERR_OK)
        codec_drop(request);
    return e;
}

/* Append what libfcgi has written. */
static enum err read_file(int file, struct buf *bytes)
{
    off_t len = lseek(file, 0, SEEK_CUR);
    if (len < 0 || buf_reserve(bytes, (size_t)len) != ERR_OK)
        return len < 0 ? ERR_IO : bytes->err;
    for (off_t at = 0; at < len;) {
        ssize_t n = pread(file, bytes->data + bytes->len, (size_t)(len - at), at);
        if (n <= 0)
            return ERR_IO;
        at += n;
        bytes->len += (size_t)n;
    }
    bytes->data[bytes->len] = '\0';
    return ERR_OK;
}

/* Let libfcgi write the answer and the records that end the request. */
static enum err write_answer(FCGX_Request *request, const struct buf *answer, int fd)
{
    request->ipcFd = fd;
    bool written = FCGX_PutStr(answer->data, (int)answer->len, request->out) >= 0 &&
                   FCGX_FClose(request->err) == 0 && FCGX_FClose(request->out) == 0;
    request->ipcFd = -1;
    return written ? ERR_OK : ERR_IO;
}

enum err codec_encode(struct fcgi_codec *c, FCGX_Request *request, const struct buf *answer, int fd,
                      struct buf *rest)
{
    enum err e = ERR_IO;
    if (answer->len <= CODEC_SMALL) {
        e = write_answer(request, answer, fd);
    } else {
        int file = take_file(c);
        if (file >= 0)
            e = write_answer(request, answer, file);
        if (e == ERR_OK)
            e = read_file(file, rest);
        put_file(c, file, answer->len);
    }
    return e;
}

void codec_drop(FCGX_Request *request)
{
    FCGX_Free(request, 0);
}
