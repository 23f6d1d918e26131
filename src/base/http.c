/* http.c - the one HTTP client, over libcurl. */
#include "base/http.h"

#include <ctype.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>
#include <sodium.h>

#include "base/clk.h"

#define HEADER_BYTES_MAX (64 * 1024) /* of one answer's header */
#define URL_BYTES_MAX    (64 * 1024)
#define STORY_URL_MAX    256 /* bytes of a URL as it is told to people */

/* A place for one call at a time. Its multi handle keeps the connection for the next call. */
struct slot {
    CURL *easy;
    CURLM *multi;
    bool busy;
    struct slot *next;
};

struct http {
    char *proxy, *ca_file, *user_agent; /* proxy is "" for none, ca_file may be NULL */
    int64_t connect_timeout_ms, timeout_ms;
    size_t answer_max;
    atomic_bool stopped;
    pthread_mutex_t lock; /* over the list and `busy` */
    struct slot *slots;   /* grows to the most calls that were ever made at once */
};

/* What the callbacks of one call share. */
struct call {
    struct http_response answer;
    size_t header_bytes;
    bool header_whole; /* the empty line came */
    bool in_body;
    enum err err; /* why a callback gave up */
    char trouble[CURL_ERROR_SIZE];
};

enum err http_global_init(struct why *why)
{
    CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
    return code == CURLE_OK
               ? ERR_OK
               : why_set(why, ERR_NOMEM, "libcurl does not start: %s", curl_easy_strerror(code));
}

void http_global_free(void)
{
    curl_global_cleanup();
}

/* ------------------------------------------------------------------------ slots */

static void slot_free(struct slot *s)
{
    if (s->easy != NULL)
        curl_easy_cleanup(s->easy);
    if (s->multi != NULL)
        curl_multi_cleanup(s->multi);
    free(s);
}

static struct slot *slot_new(void)
{
    struct slot *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->easy = curl_easy_init();
    s->multi = curl_multi_init();
    if (s->easy != NULL && s->multi != NULL)
        return s;
    slot_free(s);
    return NULL;
}

/* The first free place of the list, so that few connections are kept warm. NULL: no memory. */
static struct slot *slot_take(struct http *h)
{
    pthread_mutex_lock(&h->lock);
    struct slot *s = h->slots;
    while (s != NULL && s->busy)
        s = s->next;
    if (s == NULL && (s = slot_new()) != NULL) {
        s->next = h->slots;
        h->slots = s;
    }
    if (s != NULL)
        s->busy = true;
    pthread_mutex_unlock(&h->lock);
    return s;
}

static void slot_give(struct http *h, struct slot *s)
{
    curl_easy_reset(s->easy); /* forgets the options, keys among them; keeps TLS sessions */
    pthread_mutex_lock(&h->lock);
    s->busy = false;
    pthread_mutex_unlock(&h->lock);
}

/* ----------------------------------------------------------------------- client */

static bool copy(char **to, const char *from)
{
    *to = from != NULL ? strdup(from) : NULL;
    return from == NULL || *to != NULL;
}

static bool copy_user_agent(char **to, const char *from)
{
    if (from != NULL)
        return copy(to, from);
    return asprintf(to, PACKAGE_NAME "/" PACKAGE_VERSION " (libcurl/%s)",
                    curl_version_info(CURLVERSION_NOW)->version) >= 0 ||
           (*to = NULL, false);
}

enum err http_new(const struct http_options *options, struct http **ret, struct why *why)
{
    struct http *h = calloc(1, sizeof *h);
    if (h == NULL)
        return why_no_memory(why);
    pthread_mutex_init(&h->lock, NULL);
    h->connect_timeout_ms = options->connect_timeout_ms;
    h->timeout_ms = options->timeout_ms;
    h->answer_max = options->answer_max > 0 ? options->answer_max : HTTP_ANSWER_MAX;
    if (!copy(&h->proxy, options->proxy != NULL ? options->proxy : "") ||
        !copy(&h->ca_file, options->ca_file) ||
        !copy_user_agent(&h->user_agent, options->user_agent)) {
        http_free(h);
        return why_no_memory(why);
    }
    *ret = h;
    return ERR_OK;
}

void http_free(struct http *h)
{
    if (h == NULL)
        return;
    while (h->slots != NULL) {
        struct slot *s = h->slots;
        h->slots = s->next;
        slot_free(s);
    }
    pthread_mutex_destroy(&h->lock);
    free(h->proxy);
    free(h->ca_file);
    free(h->user_agent);
    free(h);
}

void http_stop(struct http *h)
{
    pthread_mutex_lock(&h->lock);
    atomic_store(&h->stopped, true);
    for (struct slot *s = h->slots; s != NULL; s = s->next)
        if (s->busy)
            curl_multi_wakeup(s->multi);
    pthread_mutex_unlock(&h->lock);
}

/* ------------------------------------------------------- what a request may hold */

static bool printable(const char *s)
{
    for (; *s != '\0'; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            return false;
    return true;
}

static bool header_valid(const char *header)
{
    const char *colon = strchr(header, ':');
    if (colon == NULL || colon == header || !printable(header))
        return false;
    for (const char *p = header; p < colon; p++)
        if (!isalnum((unsigned char)*p) && strchr("!#$%&'*+-.^_`|~", *p) == NULL)
            return false;
    return true;
}

static bool method_valid(const char *method)
{
    return *method != '\0' && strspn(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == strlen(method);
}

/* http or https, without a user: what curl makes of it is what counts. */
static bool url_valid(const char *url)
{
    if (strlen(url) > URL_BYTES_MAX || !printable(url) || strpbrk(url, " \\") != NULL)
        return false;
    CURLU *u = curl_url();
    if (u == NULL)
        return false;
    char *scheme = NULL;
    bool valid = curl_url_set(u, CURLUPART_URL, url, CURLU_DISALLOW_USER) == CURLUE_OK &&
                 curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                 (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
    curl_free(scheme);
    curl_url_cleanup(u);
    return valid;
}

static enum err check_request(const struct http_request *r, struct why *why)
{
    if (!method_valid(r->method))
        return why_set(why, ERR_INVALID, "not a method");
    if (!url_valid(r->url))
        return why_set(why, ERR_INVALID, "not an http:// or https:// URL, or with a user in it");
    for (size_t i = 0; i < HTTP_HEADERS_MAX && r->headers[i] != NULL; i++)
        if (!header_valid(r->headers[i]))
            return why_set(why, ERR_INVALID, "request header %zu is malformed", i + 1);
    return ERR_OK;
}

/* Put "GET https://host/path: " before the story: no query, and nothing a header held. */
static enum err tell(const struct http_request *r, enum err e, struct why *why)
{
    if (e == ERR_INVALID)
        return why_prefix(why, e, "HTTP call"); /* neither method nor URL are fit to be shown */
    size_t len = strcspn(r->url, "?#");
    return why_prefix(why, e, "%s %.*s", r->method,
                      (int)(len < STORY_URL_MAX ? len : STORY_URL_MAX), r->url);
}

/* ------------------------------------------------------------------- the answer */

static size_t on_body(char *data, size_t size, size_t n, void *ctx)
{
    struct call *c = ctx;
    c->in_body = true;
    c->err = buf_add(&c->answer.body, data, size * n);
    return c->err == ERR_OK ? size * n : 0;
}

/* "Name: value" with this name: the value, without the white space around it. */
static bool header_value(const char *line, size_t len, const char *name, const char **ret_value,
                         size_t *ret_len)
{
    size_t n = strlen(name);
    if (len <= n || strncasecmp(line, name, n) != 0 || line[n] != ':')
        return false;
    line += n + 1;
    len -= n + 1;
    for (; len > 0 && isspace((unsigned char)*line); len--)
        line++;
    while (len > 0 && isspace((unsigned char)line[len - 1]))
        len--;
    *ret_value = line;
    *ret_len = len;
    return true;
}

static void keep_content_type(struct http_response *r, const char *value, size_t len)
{
    size_t n = 0;
    while (n < len && n < sizeof r->content_type - 1 && value[n] != ';' &&
           !isspace((unsigned char)value[n])) {
        r->content_type[n] = (char)tolower((unsigned char)value[n]);
        n++;
    }
    r->content_type[n] = '\0';
}

/* A number of seconds or a date; what is neither counts as absent. */
static int64_t retry_after(const char *value)
{
    int64_t seconds = -1;
    if (isdigit((unsigned char)*value)) {
        if (value[strspn(value, "0123456789")] != '\0')
            return -1;
        seconds = 0;
        for (; *value != '\0' && seconds <= HTTP_RETRY_AFTER_MAX; value++)
            seconds = seconds * 10 + (*value - '0');
    } else if (isalpha((unsigned char)*value)) {
        time_t when = curl_getdate(value, NULL);
        if (when == -1)
            return -1;
        seconds = (int64_t)when - clk_wall_s();
        seconds = seconds < 0 ? 0 : seconds;
    }
    return seconds > HTTP_RETRY_AFTER_MAX ? HTTP_RETRY_AFTER_MAX : seconds;
}

static void forget_headers(struct http_response *r)
{
    r->content_type[0] = '\0';
    r->content_range[0] = '\0';
    r->retry_after_s = -1;
}

static size_t on_header(char *line, size_t size, size_t n, void *ctx)
{
    struct call *c = ctx;
    struct http_response *r = &c->answer;
    const char *value;
    size_t len = size * n, value_len;
    c->header_bytes += len;
    if (c->header_bytes > HEADER_BYTES_MAX) {
        c->err = ERR_TOO_BIG;
        return 0;
    }
    if (c->in_body) /* a trailer says nothing that we believe */
        return len;
    if (len > 5 && memcmp(line, "HTTP/", 5) == 0)
        forget_headers(r); /* those of an interim answer */
    c->header_whole = len <= 2;
    if (header_value(line, len, "Content-Type", &value, &value_len)) {
        keep_content_type(r, value, value_len);
    } else if (header_value(line, len, "Content-Range", &value, &value_len)) {
        snprintf(r->content_range, sizeof r->content_range, "%.*s", (int)value_len, value);
    } else if (header_value(line, len, "Retry-After", &value, &value_len)) {
        char text[64];
        snprintf(text, sizeof text, "%.*s", (int)value_len, value);
        r->retry_after_s = value_len < sizeof text ? retry_after(text) : -1;
    }
    return len;
}

void http_response_free(struct http_response *r)
{
    buf_free(&r->body);
}

/* ---------------------------------------------------------------------- the call */

static void set_limits(const struct http *h, CURL *easy)
{
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
#if LIBCURL_VERSION_NUM >= 0x075700
    /* Giving a call up does not wait for a name server that is silent. */
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    /* Both are always set: libcurl would ask the environment for one that is not. */
    curl_easy_setopt(easy, CURLOPT_PROXY, h->proxy);
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    if (h->ca_file != NULL)
        curl_easy_setopt(easy, CURLOPT_CAINFO, h->ca_file);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)h->connect_timeout_ms);
    /* Refuses an honest giant by its Content-Length; on_body() refuses the others. */
    curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)h->answer_max);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    /* One call at a time on a connection: HTTP/2 would add nothing but its own errors. */
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, h->user_agent);
}

static void set_request(CURL *easy, const struct http_request *r)
{
    bool get = strcmp(r->method, "GET") == 0;
    curl_easy_setopt(easy, CURLOPT_URL, r->url);
    if (r->body != NULL || !get) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                         (curl_off_t)(r->body != NULL ? r->body_len : 0));
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, r->body != NULL ? r->body : "");
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, r->method);
    /*
     * When a kept connection dies before a byte of answer came, libcurl sends the request once
     * more, whatever its method. Fine for GET; what changes something gets a new connection.
     */
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, get ? 0L : 1L);
}

/* To connect may take long, and whoever was to send may have lost the right to meanwhile. An older
 * libcurl cannot ask so late. */
#if LIBCURL_VERSION_NUM >= 0x075000
static int on_connected(void *ctx, char *our_ip, char *ip, int our_port, int port)
{
    const struct http_request *r = ctx;
    (void)our_ip;
    (void)ip;
    (void)our_port;
    (void)port;
    return r->may_send == NULL || r->may_send(r->may_send_ctx) ? CURL_PREREQFUNC_OK
                                                               : CURL_PREREQFUNC_ABORT;
}
#endif

static void set_last_word(CURL *easy, const struct http_request *r)
{
#if LIBCURL_VERSION_NUM >= 0x075000
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connected);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, (void *)r);
#else
    (void)easy;
    (void)r;
#endif
}

static void set_answer(CURL *easy, struct call *c)
{
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, c);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, c);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, c->trouble);
}

/* Wiped: one of them holds a key. */
static void free_headers(struct curl_slist *list)
{
    for (struct curl_slist *l = list; l != NULL; l = l->next)
        sodium_memzero(l->data, strlen(l->data));
    curl_slist_free_all(list);
}

static struct curl_slist *make_headers(const struct http_request *r)
{
    struct curl_slist *list = NULL, *longer;
    /* What libcurl would add by itself to a body; a Content-Type of the caller's comes first. */
    static const char *const not_these[] = {"Expect:", "Content-Type:"};
    for (size_t i = 0; i < HTTP_HEADERS_MAX && r->headers[i] != NULL; i++) {
        if ((longer = curl_slist_append(list, r->headers[i])) == NULL)
            goto no_memory;
        list = longer;
    }
    for (size_t i = 0; i < sizeof not_these / sizeof *not_these; i++) {
        if ((longer = curl_slist_append(list, not_these[i])) == NULL)
            goto no_memory;
        list = longer;
    }
    return list;

no_memory:
    free_headers(list);
    return NULL;
}

static enum err map_code(CURLcode code, const struct call *c)
{
    if (c->err != ERR_OK)
        return c->err;
    switch ((int)code) { /* an enum of a hundred values, most of other protocols */
    case CURLE_OK:
        return ERR_OK;
    case CURLE_OPERATION_TIMEDOUT:
        return ERR_TIMEOUT;
    case CURLE_FILESIZE_EXCEEDED:
        return ERR_TOO_BIG;
    case CURLE_OUT_OF_MEMORY:
        return ERR_NOMEM;
    case CURLE_URL_MALFORMAT:
        return ERR_INVALID;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CRL_BADFILE:
        return ERR_TLS;
    case CURLE_ABORTED_BY_CALLBACK:
        return ERR_FENCED;
    case CURLE_UNSUPPORTED_PROTOCOL: /* the URL was checked: the answer was not HTTP */
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
        return ERR_HTTP_ANSWER;
    default:
        return ERR_NETWORK;
    }
}

/* Drive the transfer to its end, to the deadline or to http_stop(). */
static enum err drive(struct http *h, struct slot *s, struct call *c, int64_t deadline,
                      struct why *why)
{
    int running = 1;
    for (;;) {
        if (atomic_load(&h->stopped))
            return why_set(why, ERR_STOPPED, "%s", err_text(ERR_STOPPED));
        CURLMcode code = curl_multi_perform(s->multi, &running);
        if (code == CURLM_OK && running == 0)
            break;
        int left = clk_left_ms(deadline);
        if (left == 0)
            return why_set(why, ERR_TIMEOUT, "no whole answer in time");
        if (code == CURLM_OK)
            code = curl_multi_poll(s->multi, NULL, 0, left, NULL);
        if (code != CURLM_OK)
            return why_set(why, ERR_IO, "%s", curl_multi_strerror(code));
    }
    int queued;
    const CURLMsg *message = curl_multi_info_read(s->multi, &queued);
    CURLcode result = message != NULL ? message->data.result : CURLE_RECV_ERROR;
    enum err e = map_code(result, c);
    if (e == ERR_OK && !c->header_whole) /* to libcurl, an end is an end */
        return why_set(why, ERR_NETWORK, "the answer broke off in its header");
    if (e == ERR_TOO_BIG)
        return why_set(why, e, "the answer is larger than allowed");
    if (e == ERR_FENCED)
        return why_set(why, e, "not sent: %s", err_text(e));
    return e == ERR_OK ? e
                       : why_set(why, e, "%s",
                                 c->trouble[0] != '\0' ? c->trouble : curl_easy_strerror(result));
}

/* Once the connection stands, nobody can promise any more that the server saw nothing. */
static bool may_have_been_seen(CURL *easy)
{
    long bytes = 0;
    curl_off_t ready_us = 0;
    curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &bytes);
    curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &ready_us);
    return bytes > 0 || ready_us > 0;
}

static enum err call_on(struct http *h, struct slot *s, const struct http_request *r,
                        struct call *c, bool *sent, struct why *why)
{
    struct curl_slist *headers = make_headers(r);
    if (headers == NULL)
        return why_no_memory(why);
    set_limits(h, s->easy);
    set_request(s->easy, r);
    set_last_word(s->easy, r);
    set_answer(s->easy, c);
    curl_easy_setopt(s->easy, CURLOPT_HTTPHEADER, headers);

    int64_t own = clk_mono_ms() + h->timeout_ms;
    enum err e = ERR_OK;
    CURLMcode code = curl_multi_add_handle(s->multi, s->easy);
    if (code != CURLM_OK) {
        e = why_set(why, ERR_IO, "%s", curl_multi_strerror(code));
    } else {
        e = drive(h, s, c, own < r->deadline ? own : r->deadline, why);
        *sent = e != ERR_FENCED && may_have_been_seen(s->easy);
        if (e == ERR_OK) {
            long status = 0;
            curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &status);
            c->answer.status = (int)status;
        }
        curl_multi_remove_handle(s->multi, s->easy);
    }
    curl_easy_setopt(s->easy, CURLOPT_HTTPHEADER, NULL);
    free_headers(headers);
    return e;
}

enum err http_call(struct http *h, const struct http_request *request,
                   struct http_response *ret_response, bool *ret_sent, struct why *why)
{
    bool sent = false;
    struct call c = {.answer.retry_after_s = -1};
    buf_init(&c.answer.body, h->answer_max);

    enum err e = check_request(request, why);
    if (e == ERR_OK && clk_left_ms(request->deadline) == 0)
        e = why_set(why, ERR_TIMEOUT, "no time left to begin");
    if (e == ERR_OK && request->may_send != NULL && !request->may_send(request->may_send_ctx))
        e = why_set(why, ERR_FENCED, "not sent: %s", err_text(ERR_FENCED));
    struct slot *s = NULL;
    if (e == ERR_OK && (s = slot_take(h)) == NULL)
        e = why_no_memory(why);
    if (e == ERR_OK)
        e = call_on(h, s, request, &c, &sent, why);
    if (s != NULL)
        slot_give(h, s);

    if (ret_sent != NULL)
        *ret_sent = sent;
    if (e == ERR_OK) {
        *ret_response = c.answer;
        return ERR_OK;
    }
    http_response_free(&c.answer);
    return tell(request, e, why);
}
