/* fcgi.c - a FastCGI server's life: open, run, stop, close. */
#include "transport/fcgi.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clk.h"
#include "transport/fcgi_server.h"

/* libfcgi's own handlers for these would race with whoever handles signals here. */
static enum err init_library(void)
{
    static const int signals[] = {SIGPIPE, SIGUSR1, SIGTERM};
    struct sigaction before[sizeof signals / sizeof signals[0]];
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        sigaction(signals[i], NULL, &before[i]);
    int rc = FCGX_Init();
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        sigaction(signals[i], &before[i], NULL);
    return rc == 0 ? ERR_OK : ERR_NOMEM;
}

static enum err open_listeners(struct fcgi *f, const struct fcgi_options *o, struct why *why)
{
    int first;
    size_t count = fcgi_inherited(&first);
    if (count == 0) {
        enum err e = listener_open(o->listen, o->mode, o->group, &f->listeners[0], why);
        f->listener_count = e == ERR_OK;
        return e;
    }
    if (count > FCGI_LISTENERS_MAX)
        return why_set(why, ERR_TOO_BIG, "LISTEN_FDS: at most %d sockets", FCGI_LISTENERS_MAX);
    for (; f->listener_count < count; f->listener_count++) {
        enum err e = listener_adopt(first + (int)f->listener_count,
                                    &f->listeners[f->listener_count], why);
        if (e != ERR_OK)
            return e;
    }
    return ERR_OK;
}

static enum err open_descriptors(struct fcgi *f, const struct fcgi_options *o, struct why *why)
{
    f->epoll = epoll_create1(EPOLL_CLOEXEC);
    f->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (f->epoll < 0 || f->wake < 0)
        return why_set(why, ERR_IO, "epoll: %s", strerror(errno));
    enum err e = peers_read(getenv("FCGI_WEB_SERVER_ADDRS"), &f->peers, why);
    return e == ERR_OK ? open_listeners(f, o, why) : e;
}

enum err fcgi_open(const struct fcgi_options *options, struct fcgi **ret, struct why *why)
{
    struct fcgi *f = calloc(1, sizeof *f);
    if (f == NULL || init_library() != ERR_OK) {
        free(f);
        return why_no_memory(why);
    }
    f->threads = options->threads > 0 ? options->threads : 1;
    fcgi_set_limits(f, &options->limits);
    f->epoll = f->wake = -1;
    f->refs = 1;
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->work, NULL);
    pthread_cond_init(&f->ended, NULL);
    codec_init(&f->codec);

    enum err e = open_descriptors(f, options, why);
    if (e != ERR_OK) {
        fcgi_close(f);
        return e;
    }
    *ret = f;
    return ERR_OK;
}

void fcgi_set_limits(struct fcgi *f, const struct fcgi_limits *limits)
{
    f->max_body = limits->max_body;
    f->request_timeout_ms = limits->request_timeout_ms;
    f->stop_timeout_ms = limits->stop_timeout_ms;
}

const char *fcgi_address(const struct fcgi *f, size_t n)
{
    return n < f->listener_count ? f->listeners[n].name : NULL;
}

/* Close whatever the handler does not have yet; what it has ends when it answers. */
static void leave_loop(struct fcgi *f)
{
    static const enum conn_state ours[] = {CONN_IDLE, CONN_MOVING};
    pthread_mutex_lock(&f->lock);
    f->stopping = f->loop_gone = true;
    while (f->lists[CONN_QUEUED].head != NULL)
        conn_move(f->lists[CONN_QUEUED].head, CONN_MOVING);
    pthread_mutex_unlock(&f->lock);
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
        struct conn *c;
        while ((c = f->lists[ours[i]].head) != NULL)
            conn_close(c);
    }
}

enum err fcgi_run(struct fcgi *f, request_handler *handler, void *ctx)
{
    f->handler = handler;
    f->ctx = ctx;
    enum err e = pool_start(f);
    if (e == ERR_OK)
        e = fcgi_loop(f);
    leave_loop(f);
    pool_end(f, clk_mono_ms() + (e == ERR_OK ? f->stop_timeout_ms : FCGI_STOP_GRACE));
    return e;
}

void fcgi_wake(const struct fcgi *f)
{
    eventfd_write(f->wake, 1);
}

void fcgi_stop(struct fcgi *f)
{
    int saved = errno;
    atomic_store(&f->stop, true);
    fcgi_wake(f);
    errno = saved;
}

void fcgi_unref(struct fcgi *f)
{
    pthread_mutex_lock(&f->lock);
    size_t left = --f->refs;
    pthread_mutex_unlock(&f->lock);
    if (left > 0)
        return;
    codec_free(&f->codec);
    if (f->epoll >= 0)
        close(f->epoll);
    if (f->wake >= 0)
        close(f->wake);
    pthread_cond_destroy(&f->ended);
    pthread_cond_destroy(&f->work);
    pthread_mutex_destroy(&f->lock);
    free(f);
}

void fcgi_close(struct fcgi *f)
{
    if (f == NULL)
        return;
    for (size_t i = 0; i < f->listener_count; i++) {
        listener_unlink(&f->listeners[i]);
        listener_close(&f->listeners[i]);
    }
    fcgi_unref(f);
}
