/* server.c - connect-sim's HTTP side, over libmicrohttpd: one thread a connection. */
#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/jsonx.h"
#include "base/log.h"
#include "sim/sim.h"

#define API_PATH      "/public/v1/"
#define IDLE_TIMEOUT  60   /* s of a silent connection */
#define PATH_LEN_MAX  512  /* bytes of a request's path */
#define QUERY_LEN_MAX 4096 /* bytes of its query */
#define ANSWER_MAX    (64 * 1024 * 1024)

/* A request while its body arrives. */
struct incoming {
    struct buf body;
    char query[QUERY_LEN_MAX]; /* as sent */
};

bool sim_ok(struct sim_call *c, int status, struct json_object *answer)
{
    c->status = status;
    c->answer = answer;
    return true;
}

bool sim_error(struct sim_call *c, int status, const char *code, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    struct json_object *o = json_object_new_object(), *errors = json_object_new_array();
    json_object_array_add(errors, json_object_new_string(text));
    json_object_object_add(o, "error_code", json_object_new_string(code));
    json_object_object_add(o, "errors", errors);
    return sim_ok(c, status, o);
}

/* "ApiKey SU-...:...", as --api-key has it. */
static bool is_authorized(const struct sim *s, const char *header)
{
    static const char word[] = "ApiKey ";
    return header != NULL && strncmp(header, word, strlen(word)) == 0 &&
           strcmp(header + strlen(word), s->options.api_key) == 0;
}

static void remember(struct sim *s, const struct sim_call *c, const char *path)
{
    if (json_object_array_length(s->calls) >= SIM_CALLS_MAX)
        return;
    struct json_object *o = json_object_new_object();
    json_object_object_add(o, "method", json_object_new_string(c->method));
    json_object_object_add(o, "path", json_object_new_string(path));
    json_object_object_add(o, "query", json_object_new_string(c->query));
    json_object_object_add(o, "status", json_object_new_int(c->status));
    json_object_object_add(o, "effect", json_object_new_boolean(c->effect && c->status < 300));
    json_object_object_add(o, "at", sim_now());
    json_object_array_add(s->calls, o);
}

/* Split "requests/PR-1/approve/" in place; an empty last part is a slash at the end. */
static bool split(char *path, const char *parts[], size_t max)
{
    size_t n = 0;
    for (char *save = NULL, *part = strtok_r(path, "/", &save); part != NULL;
         part = strtok_r(NULL, "/", &save)) {
        if (n + 1 == max)
            return false;
        parts[n++] = part;
    }
    parts[n] = NULL;
    return true;
}

static void route(struct sim_call *c, const struct incoming *in)
{
    struct why why;
    if (in->body.err != ERR_OK) {
        sim_error(c, 413, "SYS_413", "The body is too large.");
        return;
    }
    if (in->body.len > 0 &&
        jsonx_parse(in->body.data, in->body.len, SIM_BODY_MAX, &c->body, &why) != ERR_OK) {
        sim_error(c, 400, "VAL_001", "JSON parse error - %s", why.text);
        return;
    }
    if (!sim_requests(c) && !sim_webhooks(c) && !sim_catalog(c))
        sim_error(c, 404, "SYS_404", "Not found.");
}

/* Serve one call into `out`; the answer is printed while nothing can change it. */
static void serve(struct sim_call *c, const char *url, const struct incoming *in,
                  const char *authorization, struct buf *out)
{
    struct sim *s = c->sim;
    char path[PATH_LEN_MAX];
    bool sim_path = strcmp(url, "/_sim/calls") == 0;
    snprintf(path, sizeof path, "%s", url);
    const char *api = url + strlen(API_PATH) - 1; /* "/requests..." */
    bool is_api = strncmp(url, API_PATH, strlen(API_PATH)) == 0 && strlen(url) < sizeof path &&
                  split(path + strlen(API_PATH), c->parts, sizeof c->parts / sizeof c->parts[0]);

    if (is_api && is_authorized(s, authorization) && sim_is_trigger(c))
        sim_trigger(c);
    pthread_mutex_lock(&s->lock);
    if (sim_path)
        sim_ok(c, 200, json_object_get(s->calls));
    else if (!is_api)
        sim_error(c, 404, "SYS_404", "Not found.");
    else if (!is_authorized(s, authorization))
        sim_error(c, 401, "AUTH_001", "API request is unauthorized.");
    else if (c->status == 0)
        route(c, in);
    if (is_api)
        remember(s, c, api);
    if (c->answer != NULL)
        jsonx_print(out, c->answer);
    json_object_put(c->answer);
    json_object_put(c->body);
    pthread_mutex_unlock(&s->lock);
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **con_cls)
{
    (void)version;
    struct incoming *in = *con_cls;
    if (in == NULL)
        return MHD_NO;
    if (in->query[0] == '\1') { /* the first of several calls: only the head is there */
        const char *found = strchr(in->query + 1, '?');
        memmove(in->query, found != NULL ? found + 1 : "",
                found != NULL ? strlen(found + 1) + 1 : 1);
        return MHD_YES;
    }
    if (*size > 0) {
        buf_add(&in->body, data, *size);
        *size = 0;
        return MHD_YES;
    }
    struct sim_call c = {.sim = ctx, .method = method, .query = in->query};
    struct buf out;
    buf_init(&out, ANSWER_MAX);
    serve(&c, url, in, MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Authorization"),
          &out);
    log_debug("%s %s: %d", method, url, c.status);
    struct MHD_Response *r = MHD_create_response_from_buffer(out.len, out.data,
                                                             MHD_RESPMEM_MUST_COPY);
    if (out.len > 0)
        MHD_add_response_header(r, "Content-Type", "application/json");
    MHD_add_response_header(r, "Connect-Version", "37.0");
    if (c.content_range[0] != '\0')
        MHD_add_response_header(r, "Content-Range", c.content_range);
    enum MHD_Result queued = MHD_queue_response(connection, (unsigned)c.status, r);
    MHD_destroy_response(r);
    buf_free(&out);
    return queued;
}

/* The only place that sees the query before it is decoded and split. */
static void *on_uri(void *ctx, const char *uri, struct MHD_Connection *connection)
{
    (void)ctx;
    (void)connection;
    struct incoming *in = calloc(1, sizeof *in);
    if (in == NULL || strlen(uri) + 2 > sizeof in->query) {
        free(in);
        return NULL;
    }
    buf_init(&in->body, SIM_BODY_MAX);
    snprintf(in->query, sizeof in->query, "\1%s", uri);
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
    free(in);
    *con_cls = NULL;
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
    MHD_stop_daemon(daemon);
    return ERR_OK;
}
