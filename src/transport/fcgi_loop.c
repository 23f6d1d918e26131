/* fcgi_loop.c - a thread that waits for its sockets, and serves them. */
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/log.h"
#include "transport/fcgi_server.h"

#define EVENTS_AT_ONCE  64
#define ACCEPTS_AT_ONCE 64  /* connections taken before others get their turn */
#define ACCEPT_PAUSE    100 /* ms to wait when descriptors or memory are out */

/* ------------------------------------------------------------------------- accept */

/* Each new connection wakes one of the loops that watch, not all of them. False: out of memory. */
static bool watch_listeners(struct fcgi_loop *l)
{
    struct fcgi *f = l->server;
    bool ok = true;
    for (size_t i = 0; i < f->listener_count; i++) {
        struct epoll_event ev = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.ptr = &f->listeners[i]};
        if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, f->listeners[i].fd, &ev) != 0)
            ok = ok && errno == EEXIST;
    }
    return ok;
}

static void unwatch_listeners(struct fcgi_loop *l)
{
    for (size_t i = 0; i < l->server->listener_count; i++)
        epoll_ctl(l->epoll, EPOLL_CTL_DEL, l->server->listeners[i].fd, NULL);
}

/* Descriptors are out: whoever has been idle longest gives one up. */
static bool close_oldest_idle(struct fcgi_loop *l)
{
    struct conn *c = l->lists[CONN_IDLE].head;
    if (c != NULL)
        conn_close(c);
    return c != NULL;
}

static void welcome(struct fcgi_loop *l, int fd, const struct sockaddr *peer)
{
    const int yes = 1;
    if (!peers_allow(&l->server->peers, peer)) {
        log_warn("a connection from an address not in FCGI_WEB_SERVER_ADDRS was refused");
        close(fd);
        return;
    }
    if (peer->sa_family != AF_UNIX)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    struct conn *c = conn_new(l, fd);
    if (c == NULL)
        close(fd);
    else if (conn_watch(c, EPOLLIN) != ERR_OK)
        conn_close(c);
}

/* ERR_BUSY when descriptors or memory are out. */
static enum err accept_some(struct fcgi_loop *l, int listener, int count)
{
    while (count-- > 0) {
        union {
            struct sockaddr sa;
            struct sockaddr_storage any;
        } peer = {.sa = {.sa_family = AF_UNIX}};
        socklen_t len = sizeof peer;
        int fd = accept4(listener, &peer.sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            welcome(l, fd, &peer.sa);
            continue;
        }
        switch (errno) {
        case EAGAIN:
            return ERR_OK;
        case EMFILE:
        case ENFILE:
        case ENOBUFS:
        case ENOMEM:
            if (close_oldest_idle(l))
                break;
            return ERR_BUSY;
        default: /* this connection is gone already; the next one may be well */
            break;
        }
    }
    return ERR_OK;
}

/* Watch no listener for a while, for there is nothing that we could do for whoever waits there. */
static void pause_accepting(struct fcgi_loop *l)
{
    if (!l->starved)
        log_warn("out of descriptors or memory, new connections must wait");
    l->starved = true;
    l->accept_again = clk_mono_ms() + ACCEPT_PAUSE;
    unwatch_listeners(l);
}

static void accept_again(struct fcgi_loop *l)
{
    if (watch_listeners(l))
        l->accept_again = CLK_NEVER;
    else
        pause_accepting(l);
}

/*
 * Accept where somebody waits. Done after a round's events, never among them: it may close a
 * connection that one of them is about. Several loops take one at a time, so that each gets its
 * share of those that come at once.
 */
static void accept_waiting(struct fcgi_loop *l)
{
    struct fcgi *f = l->server;
    int count = f->loop_count == 1 ? ACCEPTS_AT_ONCE : 1;
    l->somebody_waits = false;
    for (size_t i = 0; i < f->listener_count; i++)
        if (accept_some(l, f->listeners[i].fd, count) != ERR_OK) {
            pause_accepting(l);
            return;
        }
    l->starved = false;
}

/* ------------------------------------------------------------------ serve, time out */

static void serve(struct conn *c)
{
    struct fcgi *f = c->loop->server;
    conn_move(c, CONN_BUSY);
    conn_decode(c);
    f->handler(f->ctx, &c->pub);
}

static void read_from(struct conn *c)
{
    if (conn_read(c))
        serve(c);
}

static bool is_listener(const struct fcgi *f, const void *what)
{
    size_t i = 0;
    while (i < f->listener_count && what != &f->listeners[i])
        i++;
    return i < f->listener_count;
}

static void on_event(struct fcgi_loop *l, void *what)
{
    struct conn *c = what;
    if (what == &l->wake)
        l->woken = true;
    else if (is_listener(l->server, what))
        l->somebody_waits = true;
    else if (c->state == CONN_BUSY || c->state == CONN_ANSWERED)
        conn_watch(c, 0); /* gone, or too early: that is seen when the answer is out */
    else if (c->out.len > 0)
        conn_send(c);
    else
        read_from(c);
}

static void go_on_with_resumed(struct fcgi_loop *l)
{
    l->woken = false;
    pthread_mutex_lock(&l->lock);
    struct conn *c = l->resumed;
    l->resumed = NULL;
    l->last_resumed = &l->resumed;
    pthread_mutex_unlock(&l->lock);
    while (c != NULL) {
        struct conn *next = c->next_resumed;
        c->resume(c->resume_ctx);
        c = next;
    }
}

/*
 * The time of an idle or moving connection is over. An idle one, when we stop, may have a request
 * that came this moment. Of a moving one the web server is told that it took too long, if the
 * parameters are complete and so the call has a name; else it is just cut off.
 */
static void time_out(struct conn *c)
{
    if (c->state == CONN_IDLE) {
        if (!conn_part(c))
            read_from(c);
    } else if (c->out.len == 0 && c->reader.stage == READER_BODY) {
        reader_refuse(&c->reader, ERR_TIMEOUT);
        c->last = true;
        serve(c);
    } else {
        conn_close(c);
    }
}

static const enum conn_state timed[] = {CONN_MOVING, CONN_IDLE};

static void end_overdue(struct fcgi_loop *l, int64_t now)
{
    struct conn *c;
    for (size_t i = 0; i < sizeof timed / sizeof timed[0]; i++)
        while ((c = l->lists[timed[i]].head) != NULL && c->deadline <= now)
            time_out(c);
}

/* ------------------------------------------------------------------------- the end */

/* Nothing new: but what is on its way, or waits to be accepted, is still served; by the loop that
 * is the last to stop. */
static void stop_listening(struct fcgi_loop *l)
{
    struct fcgi *f = l->server;
    unwatch_listeners(l);
    l->accept_again = CLK_NEVER;
    if (atomic_fetch_sub(&f->listening, 1) > 1)
        return;
    for (size_t i = 0; i < f->listener_count; i++) {
        listener_unlink(&f->listeners[i]);
        accept_some(l, f->listeners[i].fd, SOMAXCONN);
        listener_close(&f->listeners[i]);
    }
}

static void begin_stop(struct fcgi_loop *l)
{
    stop_listening(l);
    l->stop_by = clk_mono_ms() + l->server->stop_timeout_ms;
    for (struct conn *c = l->lists[CONN_MOVING].head, *next; c != NULL; c = next) {
        next = c->next;
        if (c->out.len == 0 && c->reader.seen == 0)
            conn_move(c, CONN_IDLE);
    }
    int64_t grace = clk_mono_ms() + FCGI_STOP_GRACE;
    for (struct conn *c = l->lists[CONN_IDLE].head; c != NULL; c = c->next)
        c->deadline = grace;
}

static bool is_empty(const struct fcgi_loop *l)
{
    bool empty = true;
    for (int i = 0; i < CONN_STATES; i++)
        empty = empty && l->lists[i].head == NULL;
    return empty;
}

/* ------------------------------------------------------------------------ the loop */

/* What no event tells of. */
static void do_what_is_due(struct fcgi_loop *l)
{
    if (l->stop_by == CLK_NEVER && atomic_load(&l->server->stop))
        begin_stop(l);
    int64_t now = clk_mono_ms();
    if (l->accept_again <= now)
        accept_again(l);
    end_overdue(l, now);
}

static void end_round(struct fcgi_loop *l)
{
    struct conn *c;
    log_flush();
    while ((c = l->lists[CONN_ANSWERED].head) != NULL)
        conn_send(c);
}

/* Has it been stopped, and is there nothing left that could be waited for? */
static bool is_over(const struct fcgi_loop *l)
{
    return l->stop_by != CLK_NEVER && (is_empty(l) || l->stop_by <= clk_mono_ms());
}

/* How long events may take to come, in ms, or -1. */
static int patience(const struct fcgi_loop *l)
{
    int64_t until = l->stop_by < l->accept_again ? l->stop_by : l->accept_again;
    for (size_t i = 0; i < sizeof timed / sizeof timed[0]; i++) {
        const struct conn *c = l->lists[timed[i]].head;
        if (c != NULL && c->deadline < until)
            until = c->deadline;
    }
    return until == CLK_NEVER ? -1 : clk_left_ms(until);
}

void loop_run(struct fcgi_loop *l)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    log_gather();
    accept_again(l);
    while (!is_over(l)) {
        l->busy_since = CLK_NEVER;
        int n = epoll_wait(l->epoll, events, EVENTS_AT_ONCE, patience(l));
        l->busy_since = clk_mono_ms();
        for (int i = 0; i < n; i++)
            on_event(l, events[i].data.ptr);
        if (l->woken)
            go_on_with_resumed(l);
        if (l->somebody_waits)
            accept_waiting(l);
        do_what_is_due(l);
        end_round(l);
    }
    log_gather_end();
    l->busy_since = CLK_NEVER;
    l->result = is_empty(l) ? ERR_OK : ERR_TIMEOUT;
}

/* The descriptor that wakes it is never read: each write to it is an event of its own. */
enum err loop_open(struct fcgi_loop *l, struct fcgi *server)
{
    struct epoll_event ev = {.events = EPOLLIN | EPOLLET, .data.ptr = &l->wake};
    l->server = server;
    l->stop_by = l->accept_again = CLK_NEVER;
    l->busy_since = CLK_NEVER;
    l->last_resumed = &l->resumed;
    pthread_mutex_init(&l->lock, NULL);
    buf_init(&l->answer, RESPONSE_PRINTED_MAX);
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    l->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return l->epoll >= 0 && l->wake >= 0 && epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->wake, &ev) == 0
               ? ERR_OK
               : ERR_IO;
}

void loop_close(struct fcgi_loop *l)
{
    if (l->server == NULL) /* never opened */
        return;
    if (l->epoll >= 0)
        close(l->epoll);
    if (l->wake >= 0)
        close(l->wake);
    buf_free(&l->answer);
    pthread_mutex_destroy(&l->lock);
}

void loop_wake(const struct fcgi_loop *l)
{
    eventfd_write(l->wake, 1);
}
