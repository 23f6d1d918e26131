/* delivery.c - one call of a webhook: made, sent, and counted. */
#include "sim/delivery.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/jwt.h"
#include "base/clk.h"

#define TOKEN_MAX (64 * 1024)

/* The time of an earlier answer, or null. */
static struct json_object *time_of(const struct json_object *hook, const char *key)
{
    return json_object_get(jsonx_get(jsonx_object(hook, key), "time"));
}

/* The claims in the order in which Connect's article shows them. */
static struct json_object *claims_of(const struct sim *s, const struct json_object *hook)
{
    struct json_object *o = json_object_new_object();
    char class_name[64];
    snprintf(class_name, sizeof class_name, "%.60s%s", jsonx_str(hook, "object_class", ""),
             s->options.plural ? "s" : "");
    jsonx_add_text(o, "webhook_id", jsonx_str(hook, "id", ""));
    jsonx_add_text(o, "webhook_name", jsonx_str(hook, "label", ""));
    jsonx_add_text(o, "object_class", class_name);
    jsonx_add_text(o, "account_id", jsonx_str(jsonx_get(hook, "account"), "id", ""));
    jsonx_add_text(o, "product_id", jsonx_str(jsonx_get(hook, "product"), "id", ""));
    jsonx_add_text(o, "api_url", s->url);
    jsonx_add(o, "triggered_at", sim_now());
    json_object_object_add(o, "last_success_at", time_of(hook, "last_success"));
    json_object_object_add(o, "last_failure_at", time_of(hook, "last_failure"));
    jsonx_add_int(o, "processing_timeout", SIM_PROCESSING_TIMEOUT);
    struct json_object *data = jsonx_object(hook, "data");
    jsonx_add(o, "data", data != NULL ? jsonx_copy(data) : json_object_new_object());
    return o;
}

void sim_delivery_free(struct sim_delivery *d)
{
    free(d->hook_id);
    free(d->url);
    free(d->method);
    buf_free(&d->token_header);
    buf_free(&d->body);
    json_object_put(d->headers);
    if (d->is_answered)
        http_response_free(&d->response);
}

static enum err make(const struct sim *s, const struct json_object *hook,
                     const struct json_object *document, struct sim_delivery *ret)
{
    const char *secret = jsonx_str(hook, "jwt_secret", "");
    struct json_object *claims = claims_of(s, hook);
    struct jwt_key *key = NULL;
    *ret = (struct sim_delivery){.hook_id = strdup(jsonx_str(hook, "id", "")),
                                 .url = strdup(jsonx_str(hook, "external_url", "")),
                                 .method = strdup(jsonx_str(hook, "http_method", "POST")),
                                 .headers = jsonx_copy(jsonx_object(hook, "headers"))};
    buf_init(&ret->token_header, TOKEN_MAX);
    buf_init(&ret->body, SIM_BODY_MAX);
    enum err e = jwt_key_new((const uint8_t *)secret, strlen(secret), &key);
    if (e == ERR_OK && strcmp(ret->method, "GET") != 0)
        e = jsonx_print(&ret->body, document != NULL ? document : claims);
    jsonx_add_int(claims, "exp", clk_wall_s() + SIM_PROCESSING_TIMEOUT);
    buf_printf(&ret->token_header, "%s: Bearer ", s->options.auth_header);
    if (e == ERR_OK)
        e = jwt_sign(claims, key, &ret->token_header);
    jwt_key_free(key);
    json_object_put(claims);
    return e;
}

/* Is the host 127.x.y.z, localhost or [::1]? */
static bool is_here(const char *url)
{
    static const char scheme[] = "http://";
    char host[64];
    struct in_addr address;
    if (strncmp(url, scheme, strlen(scheme)) != 0)
        return false;
    url += strlen(scheme);
    size_t len = *url == '[' ? strcspn(url, "]") + 1 : strcspn(url, ":/?#");
    if (len >= sizeof host || url[strcspn(url, "/?#@")] == '@')
        return false;
    snprintf(host, sizeof host, "%.*s", (int)len, url);
    if (strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0)
        return true;
    return inet_pton(AF_INET, host, &address) == 1 && ntohl(address.s_addr) >> 24 == 127;
}

bool sim_delivery_make(struct sim_call *c, const struct json_object *hook,
                       const struct json_object *document, struct sim_delivery *ret)
{
    enum err e = make(c->sim, hook, document, ret);
    if (e == ERR_OK && (c->sim->options.allow_remote || is_here(ret->url)))
        return true;
    sim_delivery_free(ret);
    return !sim_error(c, 400, "VAL_001", "%s",
                      e == ERR_OK
                          ? "external_url: connect-sim calls this machine only (--allow-remote)."
                          : "jwt_secret, data: no token can be made of them.");
}

void sim_delivery_send(struct sim *s, struct sim_delivery *d)
{
    struct http_request r = {.method = d->method, .url = d->url, .deadline = CLK_NEVER};
    size_t n = 0;
    char own[HTTP_HEADERS_MAX][512];
    r.headers[n++] = d->token_header.data;
    if (strcmp(d->method, "GET") != 0) {
        r.body = d->body.data;
        r.body_len = d->body.len;
    }
    if (d->headers != NULL) {
        struct json_object_iterator it = json_object_iter_begin(d->headers),
                                    end = json_object_iter_end(d->headers);
        for (; !json_object_iter_equal(&it, &end) && n < HTTP_HEADERS_MAX - 1;
             json_object_iter_next(&it)) {
            snprintf(own[n], sizeof own[n], "%.200s: %.300s", json_object_iter_peek_name(&it),
                     json_object_get_string(json_object_iter_peek_value(&it)));
            r.headers[n] = own[n];
            n++;
        }
    }
    int64_t began = clk_mono_ms();
    d->is_answered = http_call(s->http, &r, &d->response, NULL, &d->why) == ERR_OK;
    d->ms = clk_mono_ms() - began;
}

bool sim_delivery_succeeded(const struct sim_delivery *d)
{
    return d->is_answered && d->response.status >= 200 && d->response.status < 300;
}

static void count(struct json_object *hook, const char *key, bool reset)
{
    struct json_object *stats = jsonx_object(hook, "stats");
    int64_t n = reset ? 0 : jsonx_int(stats, key, 0) + 1;
    jsonx_add_int(stats, key, n);
}

/* What the user interface shows of the last call. */
static struct json_object *info_of(const struct sim_delivery *d)
{
    const struct buf *body = &d->response.body;
    struct json_object *info = json_object_new_object(), *response = NULL;
    if (d->is_answered &&
        jsonx_parse(body->data, body->len, SIM_RESPONSE_MAX, &response, NULL) != ERR_OK)
        response = json_object_new_string_len(body->data, (int)body->len);
    jsonx_add(info, "time", sim_now());
    jsonx_add(info, "response", response != NULL ? response : json_object_new_object());
    jsonx_add_int(info, "duration", d->ms);
    jsonx_add_text(info, "status", sim_delivery_succeeded(d) ? "success" : "failure");
    json_object_object_add(info, "status_code",
                           d->is_answered ? json_object_new_int(d->response.status) : NULL);
    jsonx_add_text(info, "errors", d->is_answered ? "" : d->why.text);
    return info;
}

struct json_object *sim_delivery_record(struct sim_call *c, const struct sim_delivery *d)
{
    bool success = sim_delivery_succeeded(d);
    struct json_object *hook = store_find(c->sim->store, STORE_WEBHOOKS, d->hook_id);
    if (hook == NULL)
        return NULL;
    if (jsonx_object(hook, "stats") == NULL)
        jsonx_add(hook, "stats", json_object_new_object());
    count(hook, "events", false);
    count(hook, "triggers", false);
    count(hook, success ? "success_triggers" : "failure_triggers", false);
    count(hook, "failure_since_last_success", success);
    jsonx_add(hook, "last_event", sim_now());
    json_object_object_add(hook, success ? "last_success" : "last_failure", info_of(d));
    sim_changed(c, STORE_WEBHOOKS, hook);
    return hook;
}
