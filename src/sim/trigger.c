/* trigger.c - call a webhook for real, signed, and record how that went. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/jwt.h"
#include "base/clk.h"
#include "base/http.h"
#include "sim/rooms.h"

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

/* What is sent; owned. */
struct shot {
    char *url, *method;
    struct buf token_header, body;
    struct json_object *headers; /* object: the webhook's own */
};

static void shot_free(struct shot *s)
{
    free(s->url);
    free(s->method);
    buf_free(&s->token_header);
    buf_free(&s->body);
    json_object_put(s->headers);
}

static enum err make_shot(const struct sim *s, const struct json_object *hook, struct shot *ret)
{
    const char *secret = jsonx_str(hook, "jwt_secret", "");
    struct json_object *claims = claims_of(s, hook);
    struct jwt_key *key = NULL;
    *ret = (struct shot){.url = strdup(jsonx_str(hook, "external_url", "")),
                         .method = strdup(jsonx_str(hook, "http_method", "POST")),
                         .headers = jsonx_copy(jsonx_object(hook, "headers"))};
    buf_init(&ret->token_header, TOKEN_MAX);
    buf_init(&ret->body, SIM_BODY_MAX);
    enum err e = jwt_key_new((const uint8_t *)secret, strlen(secret), &key);
    if (e == ERR_OK && strcmp(ret->method, "GET") != 0)
        e = jsonx_print(&ret->body, claims);
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

static enum err shoot(struct http *http, const struct shot *s, struct http_response *ret,
                      struct why *why)
{
    struct http_request r = {.method = s->method, .url = s->url, .deadline = CLK_NEVER};
    size_t n = 0;
    char own[HTTP_HEADERS_MAX][512];
    r.headers[n++] = s->token_header.data;
    if (strcmp(s->method, "GET") != 0) {
        r.body = s->body.data;
        r.body_len = s->body.len;
    }
    if (s->headers != NULL) {
        struct json_object_iterator it = json_object_iter_begin(s->headers),
                                    end = json_object_iter_end(s->headers);
        for (; !json_object_iter_equal(&it, &end) && n < HTTP_HEADERS_MAX - 1;
             json_object_iter_next(&it)) {
            snprintf(own[n], sizeof own[n], "%.200s: %.300s", json_object_iter_peek_name(&it),
                     json_object_get_string(json_object_iter_peek_value(&it)));
            r.headers[n] = own[n];
            n++;
        }
    }
    return http_call(http, &r, ret, NULL, why);
}

static void count(struct json_object *hook, const char *key, bool reset)
{
    struct json_object *stats = jsonx_object(hook, "stats");
    int64_t n = reset ? 0 : jsonx_int(stats, key, 0) + 1;
    jsonx_add_int(stats, key, n);
}

/* What the user interface shows of the last call. */
static void record(struct json_object *hook, int64_t ms, enum err e, const struct http_response *r,
                   const struct why *why)
{
    bool success = e == ERR_OK && r->status >= 200 && r->status < 300;
    struct json_object *info = json_object_new_object(), *response = NULL;
    if (e == ERR_OK &&
        jsonx_parse(r->body.data, r->body.len, SIM_RESPONSE_MAX, &response, NULL) != ERR_OK)
        response = json_object_new_string_len(r->body.data, (int)r->body.len);
    jsonx_add(info, "time", sim_now());
    jsonx_add(info, "response", response != NULL ? response : json_object_new_object());
    jsonx_add_int(info, "duration", ms);
    jsonx_add_text(info, "status", success ? "success" : "failure");
    json_object_object_add(info, "status_code",
                           e == ERR_OK ? json_object_new_int(r->status) : NULL);
    jsonx_add_text(info, "errors", e == ERR_OK ? "" : why->text);
    if (jsonx_object(hook, "stats") == NULL)
        jsonx_add(hook, "stats", json_object_new_object());
    count(hook, "events", false);
    count(hook, "triggers", false);
    count(hook, success ? "success_triggers" : "failure_triggers", false);
    count(hook, "failure_since_last_success", success);
    jsonx_add(hook, "last_event", sim_now());
    json_object_object_add(hook, success ? "last_success" : "last_failure", info);
}

bool sim_is_trigger(const struct sim_call *c)
{
    return sim_is(c, "POST", 4) && strcmp(c->parts[0], "notifications") == 0 &&
           strcmp(c->parts[1], "webhooks") == 0 && strcmp(c->parts[3], "trigger") == 0;
}

bool sim_trigger(struct sim_call *c)
{
    struct sim *s = c->sim;
    struct shot shot = {0};
    struct why why = {""};
    pthread_mutex_lock(&s->lock);
    struct json_object *hook = store_find(s->store, STORE_WEBHOOKS, c->parts[2]);
    enum err e = hook != NULL ? make_shot(s, hook, &shot) : ERR_NOT_FOUND;
    pthread_mutex_unlock(&s->lock);
    if (hook == NULL)
        return sim_error(c, 404, "WH_404", "Not found.");
    bool is_allowed = e == ERR_OK && (s->options.allow_remote || is_here(shot.url));
    if (!is_allowed) {
        shot_free(&shot);
        return sim_error(c, 400, "VAL_001", "%s",
                         e == ERR_OK
                             ? "external_url: connect-sim calls this machine only (--allow-remote)."
                             : "jwt_secret, data: no token can be made of them.");
    }
    struct http_response r = {0};
    int64_t began = clk_mono_ms();
    e = shoot(s->http, &shot, &r, &why);
    shot_free(&shot);
    pthread_mutex_lock(&s->lock);
    hook = store_find(s->store, STORE_WEBHOOKS, c->parts[2]); /* it may be gone meanwhile */
    if (hook != NULL) {
        record(hook, clk_mono_ms() - began, e, &r, &why);
        sim_changed(c, STORE_WEBHOOKS, hook);
    }
    sim_ok(c, 200, jsonx_copy(hook));
    pthread_mutex_unlock(&s->lock);
    if (e == ERR_OK)
        http_response_free(&r);
    return true;
}
