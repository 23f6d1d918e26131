/* fcgi.c - a FastCGI server's life: open, run, stop, close. */
#include "transport/fcgi.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "transport/fcgi_server.h"

#define PROCESSORS_A_LOOP 2 /* the web server needs as much as we do */

static enum err open_listeners(struct fcgi *f, const struct fcgi_options *o, struct why *why)
{
    int first;
    size_t count = o->own ? 0 : fcgi_inherited(&first);
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

static enum err open_all(struct fcgi *f, const struct fcgi_options *o, struct why *why)
{
    for (int i = 0; i < f->loop_count; i++)
        if (loop_open(&f->loops[i], f) != ERR_OK)
            return why_set(why, ERR_IO, "epoll: %s", strerror(errno));
    enum err e = peers_read(getenv("FCGI_WEB_SERVER_ADDRS"), &f->peers, why);
    return e == ERR_OK ? open_listeners(f, o, why) : e;
}

static int loops_that_fit(void)
{
    cpu_set_t ours;
    int processors = sched_getaffinity(0, sizeof ours, &ours) == 0 ? CPU_COUNT(&ours) : 1;
    int loops = processors / PROCESSORS_A_LOOP;
    return loops < 1 ? 1 : loops > FCGI_LOOPS_AUTO ? FCGI_LOOPS_AUTO : loops;
}

enum err fcgi_open(const struct fcgi_options *options, struct fcgi **ret, struct why *why)
{
    int loops = options->loops > 0 ? options->loops : loops_that_fit();
    struct fcgi *f = calloc(1, sizeof *f + (size_t)loops * sizeof f->loops[0]);
    if (f == NULL)
        return why_no_memory(why);
    f->loop_count = loops;
    fcgi_set_limits(f, &options->limits);
    enum err e = open_all(f, options, why);
    if (e == ERR_OK)
        *ret = f;
    else
        fcgi_close(f);
    return e;
}

void fcgi_set_limits(struct fcgi *f, const struct fcgi_limits *limits)
{
    f->max_body = limits->max_body;
    f->request_timeout_ms = limits->request_timeout_ms;
    f->stop_timeout_ms = limits->stop_timeout_ms;
}

int64_t fcgi_busy_ms(const struct fcgi *f)
{
    int64_t now = clk_mono_ms(), since = now;
    for (int i = 0; i < f->loop_count; i++)
        since = clk_earlier(since, f->loops[i].busy_since);
    return now - since;
}

const char *fcgi_address(const struct fcgi *f, size_t n)
{
    return n < f->listener_count ? f->listeners[n].name : NULL;
}

static void *thread_main(void *arg)
{
    loop_run(arg);
    return NULL;
}

/* Start the threads of all loops but the first; returns how many loops there are then. */
static int start_threads(struct fcgi *f)
{
    int count = 1;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (count < f->loop_count &&
           pthread_create(&f->loops[count].thread, NULL, thread_main, &f->loops[count]) == 0)
        count++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return count;
}

enum err fcgi_run(struct fcgi *f, request_handler *handler, void *ctx)
{
    f->handler = handler;
    f->ctx = ctx;
    f->listening = f->loop_count;
    int count = start_threads(f);
    enum err e = ERR_OK;
    if (count < f->loop_count) {
        e = ERR_NOMEM;
        atomic_fetch_sub(&f->listening, f->loop_count - count);
        fcgi_stop(f);
    }
    loop_run(&f->loops[0]);
    for (int i = 1; i < count; i++)
        pthread_join(f->loops[i].thread, NULL);
    for (int i = 0; i < count && e == ERR_OK; i++)
        e = f->loops[i].result;
    return e;
}

void fcgi_stop(struct fcgi *f)
{
    int saved = errno;
    atomic_store(&f->stop, true);
    for (int i = 0; i < f->loop_count; i++)
        loop_wake(&f->loops[i]);
    errno = saved;
}

void fcgi_close(struct fcgi *f)
{
    if (f == NULL)
        return;
    for (size_t i = 0; i < f->listener_count; i++) {
        listener_unlink(&f->listeners[i]);
        listener_close(&f->listeners[i]);
    }
    for (int i = 0; i < f->loop_count; i++)
        loop_close(&f->loops[i]);
    free(f);
}
