/* fcgi_conn.c - one connection of a FastCGI server: its lists, its bytes, its end. */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clk.h"
#include "transport/fcgi_server.h"
#include "transport/request_env.h"

#define RECORDS_ROOM (64 * 1024) /* bytes that the records of a small request may waste */
#define FCGI_OUT_MAX (RESPONSE_PRINTED_MAX + RESPONSE_PRINTED_MAX / 64) /* libfcgi adds headers */

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

struct conn *conn_new(struct fcgi *f, int fd)
{
    struct conn *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    c->server = f;
    c->fd = fd;
    buf_init(&c->in, 0);
    buf_init(&c->body, 0);
    buf_init(&c->out, FCGI_OUT_MAX);
    c->state = CONN_MOVING;
    c->deadline = clk_mono_ms() + f->request_timeout_ms;

    pthread_mutex_lock(&f->lock);
    list_add(&f->lists[c->state], c);
    f->refs++;
    pthread_mutex_unlock(&f->lock);
    return c;
}

static size_t max_in(size_t max_body)
{
    return 2 * (max_body + REQUEST_ENV_MAX) + RECORDS_ROOM;
}

void conn_begin(struct conn *c)
{
    size_t max_body = c->server->max_body;
    gate_init(&c->gate, max_body);
    c->in.max = max_in(max_body);
    c->body.max = max_body;
}

bool conn_count_memory(struct conn *c)
{
    struct fcgi *f = c->server;
    size_t held = c->in.cap + c->body.cap, largest = 2 * c->in.max;
    held -= held < FCGI_MEMORY_FREE ? held : FCGI_MEMORY_FREE;
    if (held == c->counted)
        return true;
    /* The difference may be negative: size_t wraps around, and back. */
    size_t total = atomic_fetch_add(&f->memory, held - c->counted) + held - c->counted;
    c->counted = held;
    return total <= (largest > FCGI_MEMORY_MAX ? largest : FCGI_MEMORY_MAX);
}

void conn_move(struct conn *c, enum conn_state state)
{
    list_remove(&c->server->lists[c->state], c);
    c->state = state;
    list_add(&c->server->lists[state], c);
}

enum err conn_arm(struct conn *c, uint32_t events)
{
    struct epoll_event ev = {.events = events | EPOLLONESHOT, .data.ptr = c};
    int op = c->in_epoll ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (epoll_ctl(c->server->epoll, op, c->fd, &ev) != 0)
        return ERR_IO;
    c->in_epoll = true;
    return ERR_OK;
}

void conn_disarm(struct conn *c)
{
    if (c->in_epoll)
        epoll_ctl(c->server->epoll, EPOLL_CTL_DEL, c->fd, NULL);
    c->in_epoll = false;
}

enum err conn_send(struct conn *c)
{
    while (c->sent < c->out.len) {
        ssize_t n = send(c->fd, c->out.data + c->sent, c->out.len - c->sent, MSG_NOSIGNAL);
        if (n > 0)
            c->sent += (size_t)n;
        else if (n < 0 && errno == EAGAIN)
            return ERR_BUSY;
        else if (n == 0 || errno != EINTR)
            return ERR_IO;
    }
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
    shutdown(c->fd, SHUT_WR);
    return true;
}

static void forget(struct buf *b)
{
    if (b->cap > FCGI_KEEP_BYTES)
        buf_free(b);
    else
        buf_reset(b);
}

void conn_answered(struct conn *c)
{
    struct fcgi *f = c->server;
    forget(&c->in);
    forget(&c->body);
    forget(&c->out);
    conn_count_memory(c);
    gate_init(&c->gate, 0);
    c->sent = 0;
    c->sending = false;

    pthread_mutex_lock(&f->lock);
    bool keep = !c->last && !f->loop_gone && conn_arm(c, EPOLLIN) == ERR_OK;
    if (keep) {
        c->deadline = f->stopping ? clk_mono_ms() + FCGI_STOP_GRACE : CLK_NEVER;
        conn_move(c, CONN_IDLE);
        /* The loop does not know of this deadline. After the unlock it, and the server, may be
         * gone. */
        if (f->stopping)
            fcgi_wake(f);
    }
    pthread_mutex_unlock(&f->lock);
    if (!keep)
        conn_close(c);
}

void conn_close(struct conn *c)
{
    struct fcgi *f = c->server;
    pthread_mutex_lock(&f->lock);
    list_remove(&f->lists[c->state], c);
    bool awaited = f->stopping;
    pthread_mutex_unlock(&f->lock);

    close(c->fd);
    buf_free(&c->in);
    buf_free(&c->body);
    conn_count_memory(c);
    buf_free(&c->out);
    request_free(&c->pub);
    free(c);
    if (awaited)
        fcgi_wake(f);
    fcgi_unref(f);
}
