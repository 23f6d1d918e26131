/* fcgi_loop.c - the one thread that waits for all sockets. */
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/log.h"
#include "transport/fcgi_server.h"

#define KICK_AGAIN      1 /* ms until one more thread is woken if requests still wait */
#define EVENTS_AT_ONCE  64
#define ACCEPTS_AT_ONCE 64          /* connections taken before others get their turn */
#define ACCEPT_PAUSE    100         /* ms to wait when descriptors or memory are out */
#define READ_AT_ONCE    (64 * 1024) /* bytes taken of a connection before others get their turn */

static enum err arm_listener(struct fcgi *f, struct fcgi_listener *l, int op)
{
    struct epoll_event ev = {.events = EPOLLIN | EPOLLONESHOT, .data.ptr = l};
    return epoll_ctl(f->epoll, op, l->fd, &ev) == 0 ? ERR_OK : ERR_IO;
}

/* Descriptors are out: whoever has been idle longest gives one up. */
static bool close_oldest_idle(struct fcgi *f)
{
    pthread_mutex_lock(&f->lock);
    struct conn *c = f->lists[CONN_IDLE].head;
    pthread_mutex_unlock(&f->lock);
    if (c != NULL)
        conn_close(c);
    return c != NULL;
}

static void welcome(struct fcgi *f, int fd, const struct sockaddr *peer)
{
    const int yes = 1;
    if (!peers_allow(&f->peers, peer)) {
        log_warn("a connection from an address not in FCGI_WEB_SERVER_ADDRS was refused");
        close(fd);
        return;
    }
    if (peer->sa_family != AF_UNIX)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    struct conn *c = conn_new(f, fd);
    if (c == NULL)
        close(fd);
    else if (conn_arm(c, EPOLLIN) != ERR_OK)
        conn_close(c);
}

/* Take up to `count` waiting connections. ERR_BUSY: no resources for more, try again later. */
static enum err accept_some(struct fcgi *f, const struct fcgi_listener *l, int count)
{
    while (count-- > 0) {
        union {
            struct sockaddr sa;
            struct sockaddr_storage any;
        } peer = {.sa = {.sa_family = AF_UNIX}};
        socklen_t len = sizeof peer;
        int fd = accept4(l->fd, &peer.sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            welcome(f, fd, &peer.sa);
            continue;
        }
        switch (errno) {
        case EAGAIN:
            return ERR_OK;
        case EMFILE:
        case ENFILE:
        case ENOBUFS:
        case ENOMEM:
            if (close_oldest_idle(f))
                break;
            return ERR_BUSY;
        default: /* this connection is gone already; the next one may be well */
            break;
        }
    }
    return ERR_OK;
}

/*
 * Accept where somebody waits. Done after a round's events, never among them: it may close a
 * connection that one of them is about.
 */
static void accept_ready(struct fcgi *f)
{
    if (f->accept_again > clk_mono_ms())
        return;
    f->accept_again = 0;
    for (size_t i = 0; i < f->listener_count; i++) {
        struct fcgi_listener *l = &f->listeners[i];
        if (!l->ready)
            continue;
        if (accept_some(f, l, ACCEPTS_AT_ONCE) == ERR_OK &&
            arm_listener(f, l, EPOLL_CTL_MOD) == ERR_OK) {
            l->ready = false;
            f->starved = false;
        } else {
            if (!f->starved)
                log_warn("%s: out of descriptors or memory, new connections must wait", l->name);
            f->starved = true;
            f->accept_again = clk_mono_ms() + ACCEPT_PAUSE;
        }
    }
}

/* The first byte of a request starts its time. */
static void request_begins(struct conn *c)
{
    struct fcgi *f = c->server;
    c->received_us = clk_wall_us();
    conn_begin(c);
    if (c->state == CONN_MOVING)
        return; /* the time of a new connection has begun when it was accepted */
    c->deadline = clk_mono_ms() + f->request_timeout_ms;
    pthread_mutex_lock(&f->lock);
    conn_move(c, CONN_MOVING);
    pthread_mutex_unlock(&f->lock);
}

/* Of a request that is refused, only what its refusal needs stays. */
static void keep_good(struct conn *c)
{
    struct buf good;
    buf_init(&good, c->in.max);
    if (c->in.len >= c->gate.good)
        buf_add(&good, c->in.data, c->gate.good);
    buf_free(&c->in);
    c->in = good;
    conn_count_memory(c);
}

/* Keep the bytes of a request that is good so far; of one that is refused, only follow them. */
static enum err take_bytes(struct conn *c, const uint8_t *data, size_t len)
{
    size_t used;
    bool good = c->gate.err == ERR_OK;
    enum err e = gate_feed(&c->gate, data, len, &used);
    if (e != ERR_OK)
        return e;
    if (good) {
        e = buf_add(&c->in, data, used);
        if (e == ERR_OK && !conn_count_memory(c))
            e = ERR_NOMEM;
        if (c->gate.err == ERR_OK)
            c->gate.err = e;
        if (c->gate.err != ERR_OK)
            keep_good(c);
    }
    if (used < len)
        c->last = true; /* what follows is not for us to guess */
    return ERR_OK;
}

static void read_ready(struct conn *c)
{
    uint8_t data[READ_AT_ONCE];
    ssize_t n = recv(c->fd, data, sizeof data, 0);
    if (n > 0) {
        if (c->gate.seen == 0)
            request_begins(c);
        enum err e = take_bytes(c, data, (size_t)n);
        if (e != ERR_OK) {
            if (e == ERR_SYNTAX)
                log_warn("a connection was closed that does not speak FastCGI as a web server does "
                         "(is it fastcgi_pass in nginx, fcgi:// in Apache?)");
            conn_close(c);
            return;
        }
        if (c->gate.stage == GATE_END) {
            pool_queue(c);
            return;
        }
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        conn_close(c);
        return;
    }
    if (conn_arm(c, EPOLLIN) != ERR_OK)
        conn_close(c);
}

static void write_ready(struct conn *c)
{
    enum err e = conn_send(c);
    if (e == ERR_OK)
        conn_answered(c);
    else if (e != ERR_BUSY || conn_arm(c, EPOLLOUT) != ERR_OK)
        conn_close(c);
}

/*
 * The time of an idle or moving connection is over. An idle one, when we stop, may have a request
 * that came this moment. Of a moving one the web server is told that it took too long, if the
 * parameters are complete and so the call has a name; else it is just cut off.
 */
static void time_out(struct conn *c)
{
    conn_disarm(c); /* it may get another owner */
    if (c->state == CONN_IDLE && !conn_part(c)) {
        read_ready(c);
    } else if (c->state == CONN_MOVING && !c->sending && c->gate.good_stage == GATE_STDIN) {
        c->last = true;
        c->gate.err = ERR_TIMEOUT;
        pool_queue(c);
    } else {
        conn_close(c);
    }
}

/* The next connection whose time is over, or NULL; *ret_next is when the next one's is. */
static struct conn *overdue(struct fcgi *f, int64_t *ret_next)
{
    static const enum conn_state timed[] = {CONN_MOVING, CONN_IDLE};
    struct conn *found = NULL;
    *ret_next = CLK_NEVER;
    int64_t now = clk_mono_ms();
    pthread_mutex_lock(&f->lock);
    for (size_t i = 0; i < sizeof timed / sizeof timed[0]; i++) {
        struct conn *c = f->lists[timed[i]].head;
        if (c == NULL)
            continue;
        if (c->deadline <= now)
            found = c;
        else if (c->deadline < *ret_next)
            *ret_next = c->deadline;
    }
    pthread_mutex_unlock(&f->lock);
    return found;
}

/* Nothing new: but what is on its way, or waits to be accepted, is still served. */
static void begin_stop(struct fcgi *f)
{
    for (size_t i = 0; i < f->listener_count; i++) {
        listener_unlink(&f->listeners[i]);
        accept_some(f, &f->listeners[i], SOMAXCONN);
        arm_listener(f, &f->listeners[i], EPOLL_CTL_DEL); /* others may hold the socket, too */
        listener_close(&f->listeners[i]);
    }
    f->accept_again = CLK_NEVER;

    int64_t grace = clk_mono_ms() + FCGI_STOP_GRACE;
    pthread_mutex_lock(&f->lock);
    f->stopping = true;
    for (struct conn *c = f->lists[CONN_MOVING].head, *next; c != NULL; c = next) {
        next = c->next;
        if (!c->sending && c->gate.seen == 0)
            conn_move(c, CONN_IDLE);
    }
    for (struct conn *c = f->lists[CONN_IDLE].head; c != NULL; c = c->next)
        c->deadline = grace;
    pthread_mutex_unlock(&f->lock);
}

static bool is_empty(struct fcgi *f)
{
    pthread_mutex_lock(&f->lock);
    bool empty = true;
    for (int i = 0; i < CONN_STATES; i++)
        empty = empty && f->lists[i].head == NULL;
    pthread_mutex_unlock(&f->lock);
    return empty;
}

static void on_event(struct fcgi *f, void *what)
{
    struct fcgi_listener *first = f->listeners, *end = first + f->listener_count;
    if (what == &f->wake) {
        eventfd_t count;
        eventfd_read(f->wake, &count);
        return;
    }
    for (struct fcgi_listener *l = first; l < end; l++)
        if (what == l) {
            l->ready = true;
            return;
        }
    struct conn *c = what;
    if (c->sending)
        write_ready(c);
    else
        read_ready(c);
}

static enum err start_listening(struct fcgi *f)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = &f->wake};
    if (epoll_ctl(f->epoll, EPOLL_CTL_ADD, f->wake, &ev) != 0)
        return ERR_IO;
    for (size_t i = 0; i < f->listener_count; i++)
        if (arm_listener(f, &f->listeners[i], EPOLL_CTL_ADD) != ERR_OK)
            return ERR_IO;
    return ERR_OK;
}

enum err fcgi_loop(struct fcgi *f)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    int64_t stop_by = CLK_NEVER;
    if (start_listening(f) != ERR_OK)
        return ERR_IO;

    for (;;) {
        if (atomic_load(&f->stop) && stop_by == CLK_NEVER) {
            stop_by = clk_mono_ms() + f->stop_timeout_ms;
            begin_stop(f);
        }
        struct conn *late;
        int64_t until;
        while ((late = overdue(f, &until)) != NULL)
            time_out(late);
        if (stop_by != CLK_NEVER && is_empty(f))
            return ERR_OK;
        if (stop_by <= clk_mono_ms())
            return ERR_TIMEOUT;
        if (stop_by < until)
            until = stop_by;
        if (f->accept_again > 0 && f->accept_again < until)
            until = f->accept_again;

        int timeout = until == CLK_NEVER ? -1 : clk_left_ms(until);
        if (pool_kick(f) && (timeout < 0 || timeout > KICK_AGAIN))
            timeout = KICK_AGAIN;

        int n = epoll_wait(f->epoll, events, EVENTS_AT_ONCE, timeout);
        /* Whoever armed these connections did so under the lock, and is done once we had it. */
        pthread_mutex_lock(&f->lock);
        pthread_mutex_unlock(&f->lock);
        for (int i = 0; i < n; i++)
            on_event(f, events[i].data.ptr);
        accept_ready(f);
    }
}
