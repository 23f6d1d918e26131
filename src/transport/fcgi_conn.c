/* fcgi_conn.c - one connection of a FastCGI server: its lists, its bytes, its end. */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clk.h"
#include "transport/fcgi_server.h"
#include "transport/request_env.h"

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
    gate_init(&c->gate, f->max_body);
    buf_init(&c->in, f->max_in);
    buf_init(&c->body, f->max_body);
    buf_init(&c->out, FCGI_OUT_MAX);
    c->state = CONN_MOVING;
    c->deadline = clk_mono_ms() + f->request_timeout_ms;

    pthread_mutex_lock(&f->lock);
    list_add(&f->lists[c->state], c);
    f->refs++;
    pthread_mutex_unlock(&f->lock);
    return c;
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
    gate_init(&c->gate, f->max_body);
    c->sent = 0;
    c->sending = false;

    pthread_mutex_lock(&f->lock);
    bool stopping = f->stopping, keep = !c->last && !f->loop_gone;
    if (keep) {
        c->deadline = stopping ? clk_mono_ms() + FCGI_STOP_GRACE : CLK_NEVER;
        conn_move(c, CONN_IDLE);
        keep = conn_arm(c, EPOLLIN) == ERR_OK;
    }
    pthread_mutex_unlock(&f->lock);
    if (!keep)
        conn_close(c);
    else if (stopping)
        fcgi_wake(f); /* the loop does not know of this deadline */
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
    buf_free(&c->out);
    request_free(&c->pub);
    free(c);
    if (awaited)
        fcgi_wake(f);
    fcgi_unref(f);
}
