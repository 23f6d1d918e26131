/* fcgi_pool.c - the threads that decode whole requests and run the handler; and its answers. */
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clk.h"
#include "base/log.h"
#include "transport/fcgi_server.h"
#include "transport/request_env.h"

/* What the socket did not take is the loop's to send. */
static enum err leave_to_loop(struct conn *c)
{
    struct fcgi *f = c->server;
    enum err e = ERR_STOPPED;
    c->sending = true;
    c->deadline = clk_mono_ms() + f->request_timeout_ms;
    pthread_mutex_lock(&f->lock);
    if (!f->loop_gone)
        e = conn_arm(c, EPOLLOUT);
    if (e == ERR_OK) {
        conn_move(c, CONN_MOVING);
        /* It may be asleep beyond the deadline. After the unlock it, and the server, may be gone.
         */
        fcgi_wake(f);
    }
    pthread_mutex_unlock(&f->lock);
    return e;
}

/*
 * Any thread. A web server may use a kept connection again as soon as it has the answer. If we are
 * stopping, it is told around the answer that this was the last one: before, so that it cannot
 * send a request that nobody would read; and at once after, so that it does not try to.
 */
static void respond(struct request *r, const struct response *res)
{
    struct conn *c = (struct conn *)r;
    bool parting = !c->last && atomic_load(&c->server->stop);
    struct buf answer;
    buf_init(&answer, RESPONSE_PRINTED_MAX);
    enum err e = request_print(&answer, res);
    if (parting) {
        c->last = true;
        shutdown(c->fd, SHUT_RD);
    }
    if (e == ERR_OK)
        e = codec_encode(&c->server->codec, &c->fcgx, &answer, c->fd, &c->out);
    if (e == ERR_OK)
        e = conn_send(c);
    if (e == ERR_OK && parting)
        shutdown(c->fd, SHUT_WR);

    codec_drop(&c->fcgx);
    buf_free(&answer);
    request_free(r);
    if (e == ERR_OK)
        conn_answered(c);
    else if (e != ERR_BUSY || leave_to_loop(c) != ERR_OK)
        conn_close(c);
}

/* Make the request out of the records. Anything but ERR_OK: there is nobody to answer. */
static enum err decode(struct conn *c)
{
    static const struct request_ops ops = {.respond = respond};
    struct request *r = &c->pub;
    if (c->gate.err != ERR_OK && gate_cut(&c->gate, &c->in) != ERR_OK)
        return ERR_TOO_BIG;
    size_t body_len = c->gate.err == ERR_OK ? c->gate.body_len : 0;
    enum err e = codec_decode(&c->server->codec, &c->in, body_len, &c->fcgx, &c->body);
    if (e != ERR_OK)
        return e;
    if (!c->fcgx.keepConnection)
        c->last = true;
    if (c->in.cap > FCGI_KEEP_BYTES)
        buf_free(&c->in); /* the body has been copied out of it */
    conn_count_memory(c);

    int64_t length;
    request_init(r, &ops);
    r->received_us = c->received_us;
    r->body = c->body.data;
    r->body_len = c->body.len;
    if (c->gate.err != ERR_OK)
        request_fail(r, c->gate.err);
    request_read_env(r, c->fcgx.envp, &length);
    if (length >= 0 && (uint64_t)length != r->body_len)
        request_fail(r, (uint64_t)length > r->body_len ? ERR_ABORTED : ERR_SYNTAX);
    if (r->err != ERR_OK)
        c->last = true;
    return ERR_OK;
}

static void serve(struct conn *c)
{
    struct fcgi *f = c->server;
    enum err e = decode(c);
    if (e == ERR_OK) {
        f->handler(f->ctx, &c->pub);
    } else {
        log_warn("a FastCGI request could not be decoded (%s): connection closed", err_text(e));
        conn_close(c);
    }
}

/* The next request, now BUSY; NULL if the pool ends. */
static struct conn *next_request(struct fcgi *f)
{
    struct conn *c = NULL;
    pthread_mutex_lock(&f->lock);
    while ((c = f->lists[CONN_QUEUED].head) == NULL && !f->pool_ends) {
        f->waiting++;
        pthread_cond_wait(&f->work, &f->lock);
        f->waiting--;
    }
    if (c != NULL)
        conn_move(c, CONN_BUSY);
    pthread_mutex_unlock(&f->lock);
    return c;
}

static void *run(void *arg)
{
    struct fcgi *f = arg;
    struct conn *c;
    while ((c = next_request(f)) != NULL)
        serve(c);
    pthread_mutex_lock(&f->lock);
    f->running--;
    pthread_cond_signal(&f->ended);
    pthread_mutex_unlock(&f->lock);
    fcgi_unref(f);
    return NULL;
}

/* Threads are detached, since one that a handler never lets go cannot be joined. */
static enum err start_thread(struct fcgi *f, const pthread_attr_t *attr)
{
    pthread_t thread;
    pthread_mutex_lock(&f->lock);
    f->refs++;
    f->running++;
    pthread_mutex_unlock(&f->lock);
    if (pthread_create(&thread, attr, run, f) == 0)
        return ERR_OK;
    pthread_mutex_lock(&f->lock);
    f->running--;
    pthread_mutex_unlock(&f->lock);
    fcgi_unref(f);
    return ERR_NOMEM;
}

enum err pool_start(struct fcgi *f)
{
    pthread_attr_t attr;
    sigset_t all, before;
    if (pthread_attr_init(&attr) != 0)
        return ERR_NOMEM;
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    enum err e = ERR_OK;
    for (int i = 0; i < f->threads && e == ERR_OK; i++)
        e = start_thread(f, &attr);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    return e;
}

void pool_queue(struct conn *c)
{
    struct fcgi *f = c->server;
    pthread_mutex_lock(&f->lock);
    conn_move(c, CONN_QUEUED);
    pthread_mutex_unlock(&f->lock);
}

bool pool_kick(struct fcgi *f)
{
    pthread_mutex_lock(&f->lock);
    bool wake = f->waiting > 0 && f->lists[CONN_QUEUED].head != NULL;
    pthread_mutex_unlock(&f->lock);
    if (wake)
        pthread_cond_signal(&f->work);
    return wake;
}

void pool_end(struct fcgi *f, int64_t deadline)
{
    int64_t wall_ms = clk_wall_us() / 1000 + clk_left_ms(deadline);
    struct timespec until = {.tv_sec = (time_t)(wall_ms / 1000),
                             .tv_nsec = (long)(wall_ms % 1000) * 1000000};
    pthread_mutex_lock(&f->lock);
    f->pool_ends = true;
    pthread_cond_broadcast(&f->work);
    while (f->running > 0 && pthread_cond_timedwait(&f->ended, &f->lock, &until) == 0)
        continue;
    pthread_mutex_unlock(&f->lock);
}
