/* fcgi_conn.c - one connection of a FastCGI server: its bytes, its request, its end. */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/log.h"
#include "transport/fcgi_server.h"
#include "transport/request_env.h"

#define READ_AT_ONCE (64 * 1024) /* bytes taken of a connection before others get their turn */
#define OUT_MAX      (RESPONSE_PRINTED_MAX + RESPONSE_PRINTED_MAX / 64) /* with records' headers */

/* ------------------------------------------------------------------------- lists */

static void list_add(struct conn_list *l, struct conn *c)
{
    c->prev = l->tail;
    c->next = NULL;
    if (l->tail != NULL)
        l->tail->next = c;
    else
        l->head = c;
    l->tail = c;
}

static void list_remove(struct conn_list *l, struct conn *c)
{
    if (c->prev != NULL)
        c->prev->next = c->next;
    else
        l->head = c->next;
    if (c->next != NULL)
        c->next->prev = c->prev;
    else
        l->tail = c->prev;
}

void conn_move(struct conn *c, enum conn_state state)
{
    list_remove(&c->loop->lists[c->state], c);
    c->state = state;
    list_add(&c->loop->lists[state], c);
}

/* ------------------------------------------------------------------ begin and end */

struct conn *conn_new(struct fcgi_loop *l, int fd)
{
    struct conn *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    c->loop = l;
    c->fd = fd;
    reader_init(&c->reader);
    buf_init(&c->env, c->reader.params.max);
    buf_init(&c->out, OUT_MAX);
    c->state = CONN_MOVING;
    c->deadline = clk_mono_ms() + l->server->request_timeout_ms;
    list_add(&l->lists[c->state], c);
    return c;
}

/* Count what its buffers hold now. False: with it, requests hold more than they may. */
static bool count_memory(struct conn *c)
{
    struct fcgi *f = c->loop->server;
    size_t held = c->reader.params.cap + c->reader.body.cap + c->env.cap;
    size_t largest = 2 * (c->reader.params.max + c->reader.body.max + c->env.max);
    held -= held < FCGI_MEMORY_FREE ? held : FCGI_MEMORY_FREE;
    if (held == c->counted)
        return true;
    /* The difference may be negative: size_t wraps around, and back. */
    size_t total = atomic_fetch_add(&f->memory, held - c->counted) + held - c->counted;
    c->counted = held;
    return total <= (largest > FCGI_MEMORY_MAX ? largest : FCGI_MEMORY_MAX);
}

void conn_close(struct conn *c)
{
    list_remove(&c->loop->lists[c->state], c);
    /* close() alone is not enough: epoll tells of a socket until the last copy of it is closed, and
     * a child of ours has one of each between its fork and its exec. */
    conn_watch(c, 0);
    close(c->fd);
    reader_free(&c->reader);
    buf_free(&c->env);
    count_memory(c);
    buf_free(&c->out);
    free(c);
}

enum err conn_watch(struct conn *c, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.ptr = c};
    if (events == c->watched)
        return ERR_OK;
    int op = events == 0 ? EPOLL_CTL_DEL : c->watched == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    if (epoll_ctl(c->loop->epoll, op, c->fd, &ev) != 0)
        return ERR_IO;
    c->watched = events;
    return ERR_OK;
}

static bool is_quiet(const struct conn *c)
{
    char byte;
    return recv(c->fd, &byte, 1, MSG_PEEK) <= 0;
}

bool conn_part(struct conn *c)
{
    if (!is_quiet(c))
        return false;
    shutdown(c->fd, SHUT_RD);
    c->last = true;
    if (!is_quiet(c))
        return false;
    conn_close(c);
    return true;
}

/* --------------------------------------------------------------------- the answer */

/* The answer is out: keep the connection if that is allowed, else close it. */
static void answered(struct conn *c)
{
    if (c->last || conn_watch(c, EPOLLIN) != ERR_OK) {
        conn_close(c);
        return;
    }
    reader_next(&c->reader, FCGI_KEEP_BYTES);
    buf_forget(&c->env, FCGI_KEEP_BYTES);
    buf_forget(&c->out, FCGI_KEEP_BYTES);
    count_memory(c);
    c->sent = 0;
    c->deadline = CLK_NEVER;
    conn_move(c, CONN_IDLE);
}

/* What the socket did not take goes out as it does, in the time that a request has, too. */
static void send_later(struct conn *c)
{
    if (conn_watch(c, EPOLLOUT) != ERR_OK) {
        conn_close(c);
    } else if (c->state == CONN_ANSWERED) {
        c->deadline = clk_mono_ms() + c->loop->server->request_timeout_ms;
        conn_move(c, CONN_MOVING);
    }
}

void conn_send(struct conn *c)
{
    while (c->sent < c->out.len) {
        ssize_t n = send(c->fd, c->out.data + c->sent, c->out.len - c->sent, MSG_NOSIGNAL);
        if (n > 0) {
            c->sent += (size_t)n;
        } else if (n < 0 && errno == EAGAIN) {
            send_later(c);
            return;
        } else if (n == 0 || errno != EINTR) {
            conn_close(c);
            return;
        }
    }
    answered(c);
}

/*
 * A web server may use a kept connection again as soon as it has the answer. If we are stopping, it
 * is told before the answer that this was the last one, so that it cannot send a request that
 * nobody would read; and at once after it, by the end of the connection.
 */
static void respond(struct request *r, const struct response *res)
{
    struct conn *c = (struct conn *)r;
    struct buf *answer = &c->loop->answer;
    enum err e = request_print(answer, res);
    if (e == ERR_OK)
        e = fcgi_print_answer(&c->out, c->reader.id, answer);
    buf_forget(answer, FCGI_KEEP_BYTES);
    request_free(r);
    if (!c->last && atomic_load(&c->loop->server->stop)) {
        c->last = true;
        shutdown(c->fd, SHUT_RD);
    }
    if (e == ERR_OK)
        conn_move(c, CONN_ANSWERED);
    else
        conn_close(c);
}

/* One wake-up does for all that come before the loop has had its turn. It is given under the lock:
 * behind it the loop, and with its last request the server, may be gone. */
static void resume(struct request *r, request_fn *fn, void *ctx)
{
    struct conn *c = (struct conn *)r;
    struct fcgi_loop *l = c->loop;
    c->resume = fn;
    c->resume_ctx = ctx;
    c->next_resumed = NULL;
    pthread_mutex_lock(&l->lock);
    if (l->resumed == NULL)
        loop_wake(l);
    *l->last_resumed = c;
    l->last_resumed = &c->next_resumed;
    pthread_mutex_unlock(&l->lock);
}

/* -------------------------------------------------------------------- the request */

/* The first byte of a request starts its time; that of a new connection has begun when it was
 * accepted. */
static void begin(struct conn *c)
{
    c->received_us = clk_wall_us();
    c->reader.body.max = c->loop->server->max_body;
    if (c->state == CONN_IDLE) {
        c->deadline = clk_mono_ms() + c->loop->server->request_timeout_ms;
        conn_move(c, CONN_MOVING);
    }
}

static enum err take_bytes(struct conn *c, const uint8_t *data, size_t len)
{
    size_t used;
    enum err e = reader_feed(&c->reader, data, len, &used);
    if (!count_memory(c)) {
        reader_refuse(&c->reader, ERR_NOMEM);
        count_memory(c);
    }
    if (used < len)
        c->last = true; /* what follows is not for us to guess */
    return e;
}

bool conn_read(struct conn *c)
{
    uint8_t data[READ_AT_ONCE];
    ssize_t n = recv(c->fd, data, sizeof data, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (n > 0 && c->reader.seen == 0)
        begin(c);
    enum err e = n > 0 ? take_bytes(c, data, (size_t)n) : ERR_IO;
    if (e == ERR_SYNTAX)
        log_warn("a connection was closed that does not speak FastCGI as a web server does (is it "
                 "fastcgi_pass in nginx, fcgi:// in Apache?)");
    if (e != ERR_OK)
        conn_close(c);
    return e == ERR_OK && c->reader.stage == READER_END;
}

void conn_decode(struct conn *c)
{
    static const struct request_ops ops = {.respond = respond, .resume = resume};
    char *env[REQUEST_PARAMS_MAX + 1];
    struct request *r = &c->pub;
    int64_t length;
    request_init(r, &ops, c->received_us);
    r->body = c->reader.body.data;
    r->body_len = c->reader.body.len;
    if (c->reader.err != ERR_OK)
        request_fail(r, c->reader.err);
    enum err e = reader_params(&c->reader, &c->env, env);
    if (e != ERR_OK)
        request_fail(r, e);
    request_read_env(r, env, &length);
    r->scratch = &c->reader.params; /* they have been read, and a token was among them */
    buf_reset(r->scratch);
    if (length >= 0 && (uint64_t)length != r->body_len)
        request_fail(r, (uint64_t)length > r->body_len ? ERR_ABORTED : ERR_SYNTAX);
    if (r->err != ERR_OK || !c->reader.keep)
        c->last = true;
}
