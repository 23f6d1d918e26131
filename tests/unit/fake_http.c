/* fake_http.c - a server in a thread of the test. */
#include "fake_http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/http.h"

#define CONNECTIONS_MAX 256
#define REQUEST_MAX     (1024 * 1024)

struct answer {
    char *bytes;
    enum fake_end end;
};

struct connection {
    struct fake *fake;
    int fd;
    bool open;
    pthread_t thread;
};

struct fake {
    int fd;
    char url[64];
    pthread_t thread;
    pthread_mutex_t lock;
    struct answer answers[FAKE_REQUESTS_MAX];
    char *requests[FAKE_REQUESTS_MAX];
    size_t n_answers, n_requests, n_connections;
    struct connection connections[CONNECTIONS_MAX];
};

/* Read one request, head and body; false if the client left before its end. */
static bool read_request(int fd, struct buf *b)
{
    for (;;) {
        const char *end = strstr(b->data, "\r\n\r\n");
        if (end != NULL) {
            const char *field = strcasestr(b->data, "\r\nContent-Length:");
            size_t body = field != NULL && field < end ? strtoul(field + 17, NULL, 10) : 0;
            if (b->len >= (size_t)(end - b->data) + 4 + body)
                return true;
        }
        if (buf_reserve(b, 4096) != ERR_OK)
            return false;
        ssize_t n = recv(fd, b->data + b->len, 4096, 0);
        if (n <= 0)
            return false;
        b->len += (size_t)n;
        b->data[b->len] = '\0';
    }
}

/* Note the request, and find what the test put down for it. */
static struct answer note_request(struct fake *f, const char *text)
{
    struct answer a = {NULL, FAKE_RESET};
    pthread_mutex_lock(&f->lock);
    size_t i = f->n_requests;
    if (i < FAKE_REQUESTS_MAX) {
        f->requests[f->n_requests++] = strdup(text);
        if (i < f->n_answers)
            a = f->answers[i];
    }
    pthread_mutex_unlock(&f->lock);
    return a;
}

static bool send_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

static void wait_for_leave(int fd)
{
    char c;
    while (recv(fd, &c, 1, 0) > 0)
        ;
}

static void *serve(void *ctx)
{
    struct connection *c = ctx;
    struct buf b;
    buf_init(&b, REQUEST_MAX);
    bool keep = true;
    while (keep && (buf_reset(&b), read_request(c->fd, &b))) {
        struct answer a = note_request(c->fake, b.data);
        size_t len = a.bytes != NULL ? strlen(a.bytes) : 0;
        keep = send_all(c->fd, a.bytes, len) && a.end == FAKE_KEEP;
        if (a.end == FAKE_HANG)
            wait_for_leave(c->fd);
        while (a.end == FAKE_FLOOD &&
               send_all(c->fd, a.bytes + len - FAKE_FLOOD_LEN, FAKE_FLOOD_LEN))
            ;
        if (a.end == FAKE_RESET) {
            struct linger now = {.l_onoff = 1, .l_linger = 0};
            setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        }
    }
    buf_free(&b);
    pthread_mutex_lock(&c->fake->lock);
    c->open = false;
    close(c->fd);
    pthread_mutex_unlock(&c->fake->lock);
    return NULL;
}

static void *accept_all(void *ctx)
{
    struct fake *f = ctx;
    int fd;
    while ((fd = accept(f->fd, NULL, NULL)) >= 0) {
        pthread_mutex_lock(&f->lock);
        if (f->n_connections < CONNECTIONS_MAX) {
            struct connection *c = &f->connections[f->n_connections];
            *c = (struct connection){.fake = f, .fd = fd, .open = true};
            if (pthread_create(&c->thread, NULL, serve, c) == 0)
                f->n_connections++;
            else
                close(fd);
        } else {
            close(fd);
        }
        pthread_mutex_unlock(&f->lock);
    }
    return NULL;
}

struct fake *fake_start(void)
{
    struct fake *f = calloc(1, sizeof *f);
    assert_non_null(f);
    pthread_mutex_init(&f->lock, NULL);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    f->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(f->fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(f->fd, 64), 0);
    assert_int_equal(getsockname(f->fd, (struct sockaddr *)&a, &len), 0);
    snprintf(f->url, sizeof f->url, "http://127.0.0.1:%d", ntohs(a.sin_port));
    assert_int_equal(pthread_create(&f->thread, NULL, accept_all, f), 0);
    return f;
}

void fake_stop(struct fake *f)
{
    shutdown(f->fd, SHUT_RDWR); /* wakes accept() */
    pthread_join(f->thread, NULL);
    close(f->fd);
    for (size_t i = 0; i < f->n_connections; i++) {
        pthread_mutex_lock(&f->lock);
        if (f->connections[i].open)
            shutdown(f->connections[i].fd, SHUT_RDWR);
        pthread_mutex_unlock(&f->lock);
        pthread_join(f->connections[i].thread, NULL);
    }
    for (size_t i = 0; i < FAKE_REQUESTS_MAX; i++) {
        free(f->requests[i]);
        free(f->answers[i].bytes);
    }
    pthread_mutex_destroy(&f->lock);
    free(f);
}

const char *fake_url(const struct fake *f)
{
    return f->url;
}

void fake_raw(struct fake *f, enum fake_end end, const char *bytes)
{
    pthread_mutex_lock(&f->lock);
    assert_true(f->n_answers < FAKE_REQUESTS_MAX);
    f->answers[f->n_answers++] = (struct answer){strdup(bytes), end};
    pthread_mutex_unlock(&f->lock);
}

void fake_answer(struct fake *f, int status, const char *headers, const char *body)
{
    bool typed = strcasestr(headers, "Content-Type:") != NULL;
    char *bytes;
    assert_true(asprintf(&bytes, "HTTP/1.1 %d Status\r\n%s%sContent-Length: %zu\r\n\r\n%s", status,
                         headers, typed ? "" : "Content-Type: application/json\r\n", strlen(body),
                         body) > 0);
    fake_raw(f, FAKE_KEEP, bytes);
    free(bytes);
}

size_t fake_requests(struct fake *f)
{
    pthread_mutex_lock(&f->lock);
    size_t n = f->n_requests;
    pthread_mutex_unlock(&f->lock);
    return n;
}

size_t fake_connections(struct fake *f)
{
    pthread_mutex_lock(&f->lock);
    size_t n = f->n_connections;
    pthread_mutex_unlock(&f->lock);
    return n;
}

const char *fake_request(struct fake *f, size_t i)
{
    pthread_mutex_lock(&f->lock);
    assert_true(i < f->n_requests);
    const char *text = f->requests[i];
    pthread_mutex_unlock(&f->lock);
    return text;
}

int fake_run(const struct CMUnitTest *tests, size_t count)
{
    signal(SIGPIPE, SIG_IGN);
    if (sodium_init() < 0 || http_global_init(NULL) != ERR_OK)
        return 1;
    int failed = _cmocka_run_group_tests("tests", tests, count, NULL, NULL);
    http_global_free();
    return failed;
}
