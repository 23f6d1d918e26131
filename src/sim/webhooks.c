/* webhooks.c - webhooks: create, change, delete, and trigger one for real. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/jwt.h"
#include "base/clk.h"
#include "base/http.h"
#include "base/jsonx.h"
#include "event/object_class.h"
#include "sim/sim.h"

#define PROCESSING_TIMEOUT 600 /* s; how long a token lives */
#define TOKEN_MAX          (64 * 1024)
#define RESPONSE_MAX       (4 * 1024 * 1024) /* bytes of a handler's answer */

static void set(struct json_object *o, const char *key, const char *value)
{
    json_object_object_add(o, key, json_object_new_string(value));
}

/* Take over what a body may set. */
static bool write_fields(struct sim_call *c, struct json_object *hook)
{
    static const char *const texts[] = {"object_class", "type",        "label",       "description",
                                        "jwt_secret",   "http_method", "external_url"};
    enum object_class cls;
    const char *name = jsonx_str(c->body, "object_class", NULL);
    if (name != NULL && object_class_parse(name, &cls) != ERR_OK)
        return sim_error(c, 400, "VAL_001", "object_class: \"%.40s\" is not a valid choice.", name);
    const char *method = jsonx_str(c->body, "http_method", "POST");
    if (strcmp(method, "POST") != 0 && strcmp(method, "GET") != 0)
        return sim_error(c, 400, "VAL_001", "http_method: \"%.20s\" is not a valid choice.",
                         method);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (jsonx_str(c->body, texts[i], NULL) != NULL)
            set(hook, texts[i], jsonx_str(c->body, texts[i], ""));
    if (jsonx_str(c->body, "product_id", NULL) != NULL) {
        struct json_object *product = json_object_new_object();
        set(product, "id", jsonx_str(c->body, "product_id", ""));
        json_object_object_add(hook, "product", product);
    }
    static const char *const objects[] = {"data", "headers"};
    for (size_t i = 0; i < 2; i++)
        if (jsonx_object(c->body, objects[i]) != NULL)
            json_object_object_add(hook, objects[i], jsonx_copy(jsonx_object(c->body, objects[i])));
    if (jsonx_get(c->body, "active") != NULL)
        json_object_object_add(hook, "active",
                               json_object_new_boolean(jsonx_bool(c->body, "active", false)));
    c->effect = true;
    return false;
}

static bool create(struct sim_call *c)
{
    static const char *const required[] = {"object_class", "label", "product_id", "external_url",
                                           "jwt_secret"};
    for (size_t i = 0; i < sizeof required / sizeof required[0]; i++)
        if (*jsonx_str(c->body, required[i], "") == '\0')
            return sim_error(c, 400, "VAL_001", "%s: This field is required.", required[i]);
    struct json_object *hook = json_object_new_object();
    char id[40];
    sim_new_id(c->sim, "WH", id);
    set(hook, "id", id);
    set(hook, "type", "event");
    set(hook, "http_method", "POST");
    json_object_object_add(hook, "active", json_object_new_boolean(true));
    json_object_object_add(hook, "data", json_object_new_object());
    json_object_object_add(hook, "headers", json_object_new_object());
    struct json_object *account = json_object_new_object();
    set(account, "id",
        jsonx_str(json_object_array_get_idx(sim_collection(c->sim, "accounts"), 0), "id",
                  "VA-000-000"));
    json_object_object_add(hook, "account", account);
    json_object_object_add(hook, "stats", json_object_new_object());
    json_object_object_add(hook, "created_at", sim_now());
    if (write_fields(c, hook)) {
        json_object_put(hook);
        return true;
    }
    json_object_array_add(sim_collection(c->sim, "webhooks"), hook);
    return sim_ok(c, 201, json_object_get(hook));
}

static bool drop(struct sim_call *c, const struct json_object *hook)
{
    struct json_object *all = sim_collection(c->sim, "webhooks");
    for (size_t i = 0; i < json_object_array_length(all); i++)
        if (json_object_array_get_idx(all, i) == hook) {
            json_object_array_del_idx(all, i, 1);
            break;
        }
    c->effect = true;
    return sim_ok(c, 204, NULL);
}

static bool is_webhooks(const struct sim_call *c)
{
    return c->parts[0] != NULL && strcmp(c->parts[0], "notifications") == 0 &&
           c->parts[1] != NULL && strcmp(c->parts[1], "webhooks") == 0;
}

bool sim_is_trigger(const struct sim_call *c)
{
    return is_webhooks(c) && sim_is(c, "POST", 4) && strcmp(c->parts[3], "trigger") == 0;
}

bool sim_webhooks(struct sim_call *c)
{
    if (!is_webhooks(c))
        return false;
    if (sim_is(c, "GET", 2))
        return sim_list(c, sim_collection(c->sim, "webhooks"));
    if (sim_is(c, "POST", 2))
        return create(c);
    struct json_object *hook = c->parts[2] != NULL ? sim_find(c->sim, "webhooks", c->parts[2])
                                                   : NULL;
    if (hook == NULL)
        return sim_error(c, 404, "WH_404", "Not found.");
    if (sim_is(c, "GET", 3))
        return sim_ok(c, 200, json_object_get(hook));
    if (sim_is(c, "DELETE", 3))
        return drop(c, hook);
    if (!sim_is(c, "PUT", 3))
        return sim_error(c, 405, "SYS_405", "Method not allowed.");
    return write_fields(c, hook) || sim_ok(c, 200, json_object_get(hook));
}

/* ------------------------------------------------------------------ trigger */

/* The time of an earlier answer, or null. */
static struct json_object *time_of(const struct json_object *hook, const char *key)
{
    return json_object_get(jsonx_at(hook, key, "time", NULL));
}

/* The claims in the order in which Connect's article shows them. */
static struct json_object *claims_of(const struct sim *s, const struct json_object *hook)
{
    struct json_object *o = json_object_new_object();
    char class_name[64];
    snprintf(class_name, sizeof class_name, "%.60s%s", jsonx_str(hook, "object_class", ""),
             s->options.plural ? "s" : "");
    set(o, "webhook_id", jsonx_str(hook, "id", ""));
    set(o, "webhook_name", jsonx_str(hook, "label", ""));
    set(o, "object_class", class_name);
    set(o, "account_id", jsonx_str(jsonx_get(hook, "account"), "id", ""));
    set(o, "product_id", jsonx_str(jsonx_get(hook, "product"), "id", ""));
    set(o, "api_url", s->url);
    json_object_object_add(o, "triggered_at", sim_now());
    json_object_object_add(o, "last_success_at", time_of(hook, "last_success"));
    json_object_object_add(o, "last_failure_at", time_of(hook, "last_failure"));
    json_object_object_add(o, "processing_timeout", json_object_new_int(PROCESSING_TIMEOUT));
    struct json_object *data = jsonx_object(hook, "data");
    json_object_object_add(o, "data", data != NULL ? jsonx_copy(data) : json_object_new_object());
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
    json_object_object_add(claims, "exp", json_object_new_int64(clk_wall_s() + PROCESSING_TIMEOUT));
    buf_printf(&ret->token_header, "%s: Bearer ", s->options.auth_header);
    if (e == ERR_OK)
        e = jwt_sign(claims, key, &ret->token_header);
    jwt_key_free(key);
    json_object_put(claims);
    return e;
}

/* "http://127...", "http://localhost", "http://[::1]". */
static bool is_here(const char *url)
{
    static const char *const starts[] = {"http://127.", "http://localhost:", "http://localhost/",
                                         "http://[::1]"};
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++)
        if (strncmp(url, starts[i], strlen(starts[i])) == 0 && strchr(url, '@') == NULL)
            return true;
    return false;
}

static enum err shoot(const struct shot *s, struct http_response *ret, struct why *why)
{
    struct http_options options = {.user_agent = "connect-sim/" PACKAGE_VERSION,
                                   .connect_timeout_ms = 10 * 1000,
                                   .timeout_ms = PROCESSING_TIMEOUT * 1000,
                                   .answer_max = RESPONSE_MAX};
    struct http *http = NULL;
    enum err e = http_new(&options, &http, why);
    if (e != ERR_OK)
        return e;
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
    e = http_call(http, &r, ret, NULL, why);
    http_free(http);
    return e;
}

static void count(struct json_object *hook, const char *key, bool reset)
{
    struct json_object *stats = jsonx_object(hook, "stats");
    int64_t n = reset ? 0 : jsonx_int(stats, key, 0) + 1;
    json_object_object_add(stats, key, json_object_new_int64(n));
}

/* What the user interface shows of the last call. */
static void record(struct json_object *hook, int64_t ms, enum err e, const struct http_response *r,
                   const struct why *why)
{
    bool success = e == ERR_OK && r->status >= 200 && r->status < 300;
    struct json_object *info = json_object_new_object(), *response = NULL;
    if (e == ERR_OK &&
        jsonx_parse(r->body.data, r->body.len, RESPONSE_MAX, &response, NULL) != ERR_OK)
        response = json_object_new_string_len(r->body.data, (int)r->body.len);
    json_object_object_add(info, "time", sim_now());
    json_object_object_add(info, "response",
                           response != NULL ? response : json_object_new_object());
    json_object_object_add(info, "duration", json_object_new_int64(ms));
    set(info, "status", success ? "success" : "failure");
    json_object_object_add(info, "status_code",
                           e == ERR_OK ? json_object_new_int(r->status) : NULL);
    set(info, "errors", e == ERR_OK ? "" : why->text);
    if (jsonx_object(hook, "stats") == NULL)
        json_object_object_add(hook, "stats", json_object_new_object());
    count(hook, "events", false);
    count(hook, "triggers", false);
    count(hook, success ? "success_triggers" : "failure_triggers", false);
    count(hook, "failure_since_last_success", success);
    json_object_object_add(hook, "last_event", sim_now());
    json_object_object_add(hook, success ? "last_success" : "last_failure", info);
}

bool sim_trigger(struct sim_call *c)
{
    struct sim *s = c->sim;
    struct shot shot = {0};
    struct why why = {""};
    pthread_mutex_lock(&s->lock);
    struct json_object *hook = sim_find(s, "webhooks", c->parts[2]);
    enum err e = hook != NULL ? make_shot(s, hook, &shot) : ERR_NOT_FOUND;
    pthread_mutex_unlock(&s->lock);
    if (hook == NULL)
        return sim_error(c, 404, "WH_404", "Not found.");
    if (e == ERR_OK && !s->options.allow_remote && !is_here(shot.url))
        e = ERR_INVALID;
    if (e != ERR_OK) {
        shot_free(&shot);
        return sim_error(c, 400, "VAL_001",
                         "external_url: connect-sim calls this machine only (--allow-remote).");
    }
    struct http_response r = {0};
    int64_t began = clk_mono_ms();
    e = shoot(&shot, &r, &why);
    shot_free(&shot);
    pthread_mutex_lock(&s->lock);
    hook = sim_find(s, "webhooks", c->parts[2]); /* it may be gone meanwhile */
    if (hook != NULL)
        record(hook, clk_mono_ms() - began, e, &r, &why);
    c->effect = true;
    sim_ok(c, 200, jsonx_copy(hook));
    pthread_mutex_unlock(&s->lock);
    if (e == ERR_OK)
        http_response_free(&r);
    return true;
}
