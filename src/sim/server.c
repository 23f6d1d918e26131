/* server.c - connect-sim's HTTP side, over libmicrohttpd: one thread a connection. */
#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "sim/rooms.h"
#define IDLE_TIMEOUT  60    /* s of a silent connection */
#define QUERY_LEN_MAX 16384 /* bytes of a request's query */

/* A request while it arrives. */
struct incoming {
    bool is_read; /* its head */
    char *query;  /* as it was sent; NULL: too long */
    struct buf body;
};

/* The only place that sees the query before it is decoded and split. */
static void *on_uri(void *ctx, const char *uri, struct MHD_Connection *connection)
{
    (void)ctx;
    (void)connection;
    struct incoming *in = calloc(1, sizeof *in);
    if (in == NULL)
        return NULL;
    const char *mark = strchr(uri, '?');
    const char *query = mark != NULL ? mark + 1 : "";
    in->query = strlen(query) <= QUERY_LEN_MAX ? strdup(query) : NULL;
    buf_init(&in->body, SIM_BODY_MAX);
    return in;
}

static void on_completed(void *ctx, struct MHD_Connection *connection, void **con_cls,
                         enum MHD_RequestTerminationCode code)
{
    (void)ctx;
    (void)connection;
    (void)code;
    struct incoming *in = *con_cls;
    if (in == NULL)
        return;
    buf_free(&in->body);
    free(in->query);
    free(in);
    *con_cls = NULL;
}

/* Half of an answer, then the end of the connection. */
struct half {
    size_t len;
    char text[];
};

static ssize_t read_half(void *ctx, uint64_t from, char *to, size_t max)
{
    const struct half *half = ctx;
    size_t left = from < half->len ? half->len - (size_t)from : 0;
    if (left == 0)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    left = left < max ? left : max;
    memcpy(to, half->text + from, left);
    return (ssize_t)left;
}

static struct MHD_Response *truncated(const struct buf *text)
{
    struct half *half = malloc(sizeof *half + text->len);
    if (half == NULL)
        return NULL;
    half->len = text->len / 2;
    memcpy(half->text, text->data, half->len);
    struct MHD_Response *r = MHD_create_response_from_callback(text->len, half->len + 1, read_half,
                                                               half, free);
    if (r == NULL)
        free(half);
    return r;
}

static struct MHD_Response *response_of(const struct sim_call *c)
{
    static char garbage[] = "<html><body>This is not what was asked for.";
    if (c->fault.body == FAULT_BODY_GARBAGE)
        return MHD_create_response_from_buffer(strlen(garbage), garbage, MHD_RESPMEM_PERSISTENT);
    if (c->fault.body == FAULT_BODY_TRUNCATED && c->out.len > 0)
        return truncated(&c->out);
    return MHD_create_response_from_buffer(c->out.len, c->out.data, MHD_RESPMEM_MUST_COPY);
}

static enum MHD_Result send_answer(struct MHD_Connection *connection, const struct sim_call *c)
{
    if (c->fault.close)
        return MHD_NO;
    struct MHD_Response *r = response_of(c);
    if (r == NULL)
        return MHD_NO;
    if (c->status != 204)
        MHD_add_response_header(r, "Content-Type", "application/json");
    MHD_add_response_header(r, "Connect-Version", "37.0");
    if (c->content_range[0] != '\0')
        MHD_add_response_header(r, "Content-Range", c->content_range);
    if (c->fault.retry_after >= 0) {
        char seconds[16];
        snprintf(seconds, sizeof seconds, "%d", c->fault.retry_after);
        MHD_add_response_header(r, "Retry-After", seconds);
    }
    enum MHD_Result queued = MHD_queue_response(connection, (unsigned)c->status, r);
    MHD_destroy_response(r);
    return queued;
}

/* Called with the head, then with each piece of the body, then at its end. */
static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **con_cls)
{
    (void)version;
    struct incoming *in = *con_cls;
    if (in == NULL)
        return MHD_NO;
    if (!in->is_read) {
        in->is_read = true;
        return MHD_YES;
    }
    if (*size > 0) {
        buf_add(&in->body, data, *size);
        *size = 0;
        return MHD_YES;
    }
    struct sim_call c = {
        .sim = ctx,
        .method = method,
        .url = url,
        .query = in->query,
        .key = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Authorization"),
        .sent = &in->body};
    sim_call(&c);
    log_debug("%s %s: %d", method, url, c.status);
    enum MHD_Result result = send_answer(connection, &c);
    sim_call_free(&c);
    return result;
}

/* "127.0.0.1:0". */
static enum err parse_listen(const struct sim *s, const char *listen, struct sockaddr_in *ret,
                             struct why *why)
{
    char host[64];
    const char *colon = strrchr(listen, ':');
    if (colon == NULL || (size_t)(colon - listen) >= sizeof host ||
        strspn(colon + 1, "0123456789") != strlen(colon + 1) || colon[1] == '\0' ||
        strtol(colon + 1, NULL, 10) > 65535)
        return why_set(why, ERR_INVALID, "--listen %s: ADDRESS:PORT is needed", listen);
    snprintf(host, sizeof host, "%.*s", (int)(colon - listen), listen);
    *ret = (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)strtol(colon + 1, NULL, 10))};
    if (inet_pton(AF_INET, host, &ret->sin_addr) != 1)
        return why_set(why, ERR_INVALID, "--listen %s: an IPv4 address is needed", listen);
    if (!s->options.allow_remote && (ntohl(ret->sin_addr.s_addr) >> 24) != 127)
        return why_set(why, ERR_INVALID,
                       "--listen %s: only 127.0.0.1 and its like, unless --allow-remote", listen);
    return ERR_OK;
}

enum err sim_serve(struct sim *s, const char *listen, struct why *why)
{
    struct sockaddr_in address;
    enum err e = parse_listen(s, listen, &address, why);
    if (e != ERR_OK)
        return e;

    /* Signals are waited for below, by this thread alone. */
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    pthread_sigmask(SIG_BLOCK, &stop, NULL);

    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL, 0, NULL,
        NULL, on_request, s, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&address,
        MHD_OPTION_URI_LOG_CALLBACK, on_uri, NULL, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_TIMEOUT, MHD_OPTION_LISTENING_ADDRESS_REUSE,
        1u, MHD_OPTION_END);
    if (daemon == NULL)
        return why_set(why, ERR_IO, "--listen %s: cannot listen there", listen);
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
    char host[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &address.sin_addr, host, sizeof host);
    pthread_mutex_lock(&s->lock);
    snprintf(s->url, sizeof s->url, "http://%s:%u/public/v1", host, (unsigned)info->port);
    pthread_mutex_unlock(&s->lock);
    printf("{\"ready\":true,\"url\":\"%s\"}\n", s->url);
    fflush(stdout);

    int signal;
    sigwait(&stop, &signal);
    /* Whoever waits for a webhook's answer, or for a fault's delay, waits no longer. */
    http_stop(s->http);
    pthread_mutex_lock(&s->lock);
    s->is_stopping = true;
    pthread_cond_broadcast(&s->stop);
    pthread_mutex_unlock(&s->lock);
    MHD_stop_daemon(daemon);
    return ERR_OK;
}
