/* cgi.c - plain CGI: one call from the environment and standard input. */
#include "transport/cgi.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clk.h"
#include "transport/request_env.h"

#define READ_CHUNK (64 * 1024) /* bytes asked of standard input at a time */

/* The one call. It may be answered by another thread than the one that waits for it. */
struct call {
    struct request pub; /* first: a request is its call */
    const struct cgi_options *options;
    struct buf body, scratch;
    pthread_mutex_t lock;
    pthread_cond_t answered_cond;
    bool answered;
    enum err written; /* how the answer went out */
};

/* Wait until `fd` can be read or written; ERR_TIMEOUT after `deadline`. */
static enum err wait_for(int fd, short events, int64_t deadline)
{
    struct pollfd p = {.fd = fd, .events = events};
    for (;;) {
        int n = poll(&p, 1, clk_left_ms(deadline));
        if (n > 0)
            return ERR_OK;
        if (n == 0)
            return ERR_TIMEOUT;
        if (errno != EINTR)
            return ERR_IO;
    }
}

/*
 * Read `want` bytes, or to the end of the input if that is -1. `body` has room for one byte more
 * than is allowed, which tells a body that fills the limit from one that exceeds it.
 */
static enum err read_body(struct buf *body, int64_t want, int64_t deadline)
{
    while (want < 0 || body->len < (size_t)want) {
        size_t room = want < 0 ? body->max - body->len : (size_t)want - body->len;
        if (room == 0)
            return ERR_TOO_BIG;
        if (room > READ_CHUNK)
            room = READ_CHUNK;
        enum err e = buf_reserve(body, room);
        if (e == ERR_OK)
            e = wait_for(STDIN_FILENO, POLLIN, deadline);
        if (e != ERR_OK)
            return e;
        ssize_t n = read(STDIN_FILENO, body->data + body->len, room);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n < 0)
            return ERR_IO;
        if (n == 0)
            return want < 0 ? ERR_OK : ERR_ABORTED;
        body->len += (size_t)n;
        body->data[body->len] = '\0';
    }
    return body->len < body->max ? ERR_OK : ERR_TOO_BIG;
}

static bool within_limits(char *const *env)
{
    size_t count = 0, bytes = 0;
    for (; *env != NULL && count <= REQUEST_PARAMS_MAX && bytes <= REQUEST_ENV_MAX; env++) {
        count++;
        bytes += strlen(*env);
    }
    return count <= REQUEST_PARAMS_MAX && bytes <= REQUEST_ENV_MAX;
}

static bool has_body(const struct request *r)
{
    return (strcmp(r->method, "GET") != 0 && strcmp(r->method, "HEAD") != 0) ||
           getenv("HTTP_TRANSFER_ENCODING") != NULL;
}

static void read_call(struct call *c)
{
    struct request *r = &c->pub;
    int64_t length;
    if (!within_limits(environ))
        request_fail(r, ERR_TOO_BIG);
    request_read_env(r, environ, &length);
    if (r->err != ERR_OK || length == 0 || (length < 0 && !has_body(r)))
        return;
    if (length > 0 && (uint64_t)length > c->options->max_body) {
        request_fail(r, ERR_TOO_BIG);
        return;
    }
    int64_t deadline = clk_mono_ms() + c->options->request_timeout_ms;
    enum err e = read_body(&c->body, length, deadline);
    if (e != ERR_OK) {
        request_fail(r, e);
        return;
    }
    r->body = c->body.data;
    r->body_len = c->body.len;
}

/* A pipe that poll() calls writable takes PIPE_BUF bytes without blocking. */
static enum err write_all(const struct buf *b, int64_t deadline)
{
    for (size_t done = 0; done < b->len;) {
        enum err e = wait_for(STDOUT_FILENO, POLLOUT, deadline);
        if (e != ERR_OK)
            return e;
        size_t left = b->len - done;
        ssize_t n = write(STDOUT_FILENO, b->data + done, left < PIPE_BUF ? left : PIPE_BUF);
        if (n > 0)
            done += (size_t)n;
        else if (n < 0 && errno != EINTR && errno != EAGAIN)
            return ERR_IO;
    }
    return ERR_OK;
}

static void respond(struct request *r, const struct response *res)
{
    struct call *c = (struct call *)r;
    struct buf out;
    buf_init(&out, RESPONSE_PRINTED_MAX);
    enum err e = request_print(&out, res);
    if (e == ERR_OK)
        e = write_all(&out, clk_mono_ms() + c->options->request_timeout_ms);
    buf_free(&out);

    pthread_mutex_lock(&c->lock);
    c->written = e;
    c->answered = true;
    pthread_cond_signal(&c->answered_cond);
    pthread_mutex_unlock(&c->lock);
}

/* Whoever has the one call may answer it. */
static void resume(struct request *r, request_fn *fn, void *ctx)
{
    (void)r;
    fn(ctx);
}

bool cgi_is_call(void)
{
    return getenv("REQUEST_METHOD") != NULL;
}

enum err cgi_run(const struct cgi_options *options, request_handler *handler, void *ctx)
{
    static const struct request_ops ops = {.respond = respond, .resume = resume};
    struct call c = {.options = options};
    request_init(&c.pub, &ops, clk_wall_us());
    buf_init(&c.body, options->max_body + 1);
    buf_init(&c.scratch, REQUEST_ENV_MAX);
    c.pub.scratch = &c.scratch;
    pthread_mutex_init(&c.lock, NULL);
    pthread_cond_init(&c.answered_cond, NULL);

    read_call(&c);
    handler(ctx, &c.pub);

    pthread_mutex_lock(&c.lock);
    while (!c.answered)
        pthread_cond_wait(&c.answered_cond, &c.lock);
    enum err e = c.written;
    pthread_mutex_unlock(&c.lock);

    pthread_cond_destroy(&c.answered_cond);
    pthread_mutex_destroy(&c.lock);
    buf_free(&c.body);
    buf_free(&c.scratch);
    request_free(&c.pub);
    return e;
}
