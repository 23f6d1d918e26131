/*
 * responder.c - for the tests of the transports: answers each call with what it got.
 *
 *     responder [--listen ADDRESS] [--mode OCTAL] [--group NAME] [--loops N] [--max-body BYTES]
 *               [--request-timeout MS] [--stop-timeout MS]
 *
 * Started as CGI it serves that call. Else it serves FastCGI until SIGTERM or SIGINT, after one
 * line on standard output: "listening ADDRESS". The query chooses how it answers:
 *
 *     (none)     JSON: method, path, query, body length and checksum, id, err
 *     hello      "hello"
 *     later      the JSON, by another thread
 *     hold=MS    the same, after that time
 *     big=BYTES  as many bytes
 *     inject     tries to put a line into a header
 *     block=MS   "ok", once its loop has done nothing else for that time; "blocks" on standard
 *                output when it begins
 *     busy       for how many ms some loop has been busy
 */
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "transport/cgi.h"
#include "transport/fcgi.h"

static struct fcgi *server;

/* FNV-1a: enough to see that a body came whole. */
static uint64_t checksum(const char *data, size_t len)
{
    uint64_t h = 14695981039346656037u;
    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)data[i]) * 1099511628211u;
    return h;
}

/* A JSON string; what is not plain ASCII is shown as '?'. */
static void add_string(struct buf *b, const char *name, const char *s)
{
    buf_printf(b, "\"%s\":", name);
    if (s == NULL) {
        buf_addstr(b, "null,");
        return;
    }
    buf_addc(b, '"');
    for (; *s != '\0'; s++)
        buf_addc(b, *s >= 0x20 && *s < 0x7f && *s != '"' && *s != '\\' ? *s : '?');
    buf_addstr(b, "\",");
}

static void describe(struct buf *b, const struct request *r)
{
    buf_addc(b, '{');
    add_string(b, "method", r->method);
    add_string(b, "path", r->path);
    add_string(b, "query", r->query);
    add_string(b, "remote_addr", r->remote_addr);
    add_string(b, "content_type", r->content_type);
    add_string(b, "content_encoding", r->content_encoding);
    add_string(b, "authentication", r->authentication);
    add_string(b, "authorization", r->authorization);
    add_string(b, "redirect_authorization", r->redirect_authorization);
    add_string(b, "id", r->id);
    add_string(b, "err", err_name(r->err));
    buf_printf(b, "\"body_len\":%zu,\"checksum\":\"%016" PRIx64 "\"}\n", r->body_len,
               checksum(r->body, r->body_len));
}

/* The milliseconds of a query, "hold=20". */
static void wait_as_said(const char *query)
{
    long ms = strtol(query + strcspn(query, "0123456789"), NULL, 10);
    struct timespec t = {ms / 1000, (ms % 1000) * 1000000};
    nanosleep(&t, NULL);
}

static void answer(struct request *r)
{
    const char *query = r->query != NULL ? r->query : "";
    struct response res;
    response_init(&res, r->err == ERR_OK ? 200 : 400, "application/json");
    if (strcmp(query, "busy") == 0) {
        buf_printf(&res.body, "%" PRId64, fcgi_busy_ms(server));
    } else if (strncmp(query, "block=", 6) == 0) {
        puts("blocks");
        fflush(stdout);
        wait_as_said(query);
        buf_addstr(&res.body, "ok");
    } else if (strcmp(query, "hello") == 0) {
        buf_addstr(&res.body, "hello\n");
    } else if (strncmp(query, "big=", 4) == 0) {
        size_t len = strtoul(query + 4, NULL, 10);
        if (buf_reserve(&res.body, len) == ERR_OK) {
            memset(res.body.data, 'x', len);
            res.body.len = len;
            res.body.data[len] = '\0';
        }
    } else if (strcmp(query, "inject") == 0) {
        enum err e = response_header(&res, "X-Echo", "%s", "a\r\nX-Evil: 1");
        buf_addstr(&res.body, err_name(e));
    } else {
        describe(&res.body, r);
    }
    request_respond(r, &res);
    response_free(&res);
}

static void answer_resumed(void *r)
{
    answer(r);
}

static void *hold(void *arg)
{
    struct request *r = arg;
    wait_as_said(r->query);
    request_resume(r, answer_resumed, r);
    return NULL;
}

static void handle(void *ctx, struct request *r)
{
    (void)ctx;
    const char *query = r->query != NULL ? r->query : "";
    bool held = strncmp(query, "hold=", 5) == 0 || strcmp(query, "later") == 0;
    pthread_t thread;
    if (held && pthread_create(&thread, NULL, hold, r) == 0)
        pthread_detach(thread);
    else
        answer(r);
}

static void on_signal(int sig)
{
    (void)sig;
    fcgi_stop(server);
}

static int serve(const struct fcgi_options *o)
{
    struct why why;
    if (fcgi_open(o, &server, &why) != ERR_OK) {
        fprintf(stderr, "responder: %s\n", why.text);
        return 1;
    }
    const struct sigaction stop = {.sa_handler = on_signal};
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGINT, &stop, NULL);
    for (size_t i = 0; fcgi_address(server, i) != NULL; i++)
        printf("listening %s\n", fcgi_address(server, i));
    fflush(stdout);
    enum err e = fcgi_run(server, handle, NULL);
    if (e == ERR_TIMEOUT) /* somebody still has a request */
        _exit(1);
    fcgi_close(server);
    if (e != ERR_OK)
        fprintf(stderr, "responder: %s\n", err_text(e));
    return e == ERR_OK ? 0 : 1;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"listen", required_argument, NULL, 'l'},
        {"mode", required_argument, NULL, 'm'},
        {"group", required_argument, NULL, 'g'},
        {"loops", required_argument, NULL, 'n'},
        {"max-body", required_argument, NULL, 'b'},
        {"request-timeout", required_argument, NULL, 'r'},
        {"stop-timeout", required_argument, NULL, 's'},
        {NULL, 0, NULL, 0},
    };
    struct fcgi_options o = {
        .listen = "tcp:127.0.0.1:0",
        .mode = 0660,
        .loops = 2,
        .limits = {.max_body = 1024 * 1024, .request_timeout_ms = 30000, .stop_timeout_ms = 30000}};
    signal(SIGPIPE, SIG_IGN);
    if (cgi_is_call()) {
        const char *limit = getenv("RESPONDER_MAX_BODY"), *timeout = getenv("RESPONDER_TIMEOUT");
        struct cgi_options c = {limit != NULL ? strtoul(limit, NULL, 10) : o.limits.max_body,
                                timeout != NULL ? strtol(timeout, NULL, 10) : 30000};
        return cgi_run(&c, handle, NULL) == ERR_OK ? 0 : 1;
    }
    int opt;
    while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (opt) {
        case 'l':
            o.listen = optarg;
            break;
        case 'm':
            o.mode = (unsigned)strtoul(optarg, NULL, 8);
            break;
        case 'g':
            o.group = optarg;
            break;
        case 'n':
            o.loops = atoi(optarg);
            break;
        case 'b':
            o.limits.max_body = strtoul(optarg, NULL, 10);
            break;
        case 'r':
            o.limits.request_timeout_ms = strtol(optarg, NULL, 10);
            break;
        case 's':
            o.limits.stop_timeout_ms = strtol(optarg, NULL, 10);
            break;
        default:
            return 2;
        }
    }
    return serve(&o);
}
