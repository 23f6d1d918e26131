/* api.c - Connect's verbs by their own names. */
#include "api/api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/exchange.h"
#include "api/page.h"
#include "base/clk.h"
#include "base/jsonx.h"
#include "base/rql.h"

/* ---------------------------------------------------------------------- account */

/* "Authorization: ApiKey SU-...:...", whether or not the key came with the word. */
static enum err make_authorization(const struct secret *key, struct secret **ret, struct why *why)
{
    static const char word[] = "ApiKey ";
    const char *text = secret_word(key, word);
    if (text == NULL)
        return why_set(why, ERR_INVALID, "the API key is no key: one word, \"SU-...:...\", is");
    char header[sizeof "Authorization: " + sizeof word + SECRET_MAX];
    int n = snprintf(header, sizeof header, "Authorization: %s%s", word, text);
    enum err e = secret_from_bytes(header, (size_t)n, ret);
    explicit_bzero(header, sizeof header);
    return e == ERR_OK ? e : why_set(why, e, "the API key: %s", err_text(e));
}

static bool take_share(void *ctx, int64_t per_s, int64_t *ret_turns, int64_t *ret_wait_ms)
{
    const struct api *a = ctx;
    return a->commons->take(a->commons->ctx, a->account_id, per_s, ret_turns, ret_wait_ms);
}

static enum err fill(struct api *a, const struct conf_account *account,
                     const struct api_limits *limits, struct why *why)
{
    const struct http_options h = {.proxy = account->proxy,
                                   .ca_file = account->ca_file,
                                   .connect_timeout_ms = account->connect_timeout_ms,
                                   .timeout_ms = account->timeout_ms,
                                   .answer_max = limits->answer_max};
    a->account_id = strdup(account->id);
    a->url = strdup(account->api_url);
    a->rate = rate_new(account->rate_limit, a->commons != NULL ? take_share : NULL, a);
    a->backoff_min_ms = limits->backoff_min_ms > 0 ? limits->backoff_min_ms : API_BACKOFF_MIN;
    a->backoff_max_ms = limits->backoff_max_ms > 0 ? limits->backoff_max_ms : API_BACKOFF_MAX;
    if (a->account_id == NULL || a->url == NULL || a->rate == NULL)
        return why_no_memory(why);
    enum err e = make_authorization(account->api_key.value, &a->authorization, why);
    return e == ERR_OK ? http_new(&h, &a->http, why) : e;
}

enum err api_new(const struct conf_account *account, const struct api_limits *limits,
                 const struct api_commons *commons, struct api **ret, struct why *why)
{
    static const struct api_limits usual = {0};
    struct api *a = calloc(1, sizeof *a);
    if (a == NULL)
        return why_no_memory(why);
    a->commons = commons;
    enum err e = fill(a, account, limits != NULL ? limits : &usual, why);
    if (e != ERR_OK) {
        api_free(a);
        return why_prefix(why, e, "account %s", account->id);
    }
    *ret = a;
    return ERR_OK;
}

void api_free(struct api *a)
{
    if (a == NULL)
        return;
    http_free(a->http);
    rate_free(a->rate);
    secret_free(a->authorization);
    free(a->account_id);
    free(a->url);
    free(a);
}

void api_stop(struct api *a)
{
    rate_stop(a->rate);
    http_stop(a->http);
}

/* ------------------------------------------------------------------------ paths */

/* What nothing was sent for: a mistake of the caller's. */
static enum err invalid(struct api_call *call, const char *what)
{
    exchange_begin(call);
    return result_set(&call->result, ERR_INVALID, "%s", what);
}

/* The path of an object, and of what is below it if `below` is not NULL. */
static enum err object_path(struct api_call *call, const struct object_class *c, const char *id,
                            const char *below, char ret[static API_PATH_MAX])
{
    if (!object_id_valid(id))
        return invalid(call, "not an id of Connect's");
    snprintf(ret, API_PATH_MAX, "%s/%s%s%s", c->list, id, below != NULL ? "/" : "",
             below != NULL ? below : "");
    return ERR_OK;
}

/* eq(asset.product.id,PRD-1) */
static enum err add_comparison(struct buf *path, const char *op, const char *filter,
                               const char *value)
{
    buf_printf(path, "%s(%s,", op, filter);
    enum err e = rql_add_value(path, value);
    buf_addc(path, ')');
    return e;
}

/* in(status,(pending,revoking)) */
static enum err add_states(struct buf *path, const char *filter, const char *const *states)
{
    enum err e = ERR_OK;
    buf_printf(path, "in(%s,(", filter);
    for (size_t i = 0; e == ERR_OK && states[i] != NULL; i++) {
        buf_addstr(path, i > 0 ? "," : "");
        e = rql_add_value(path, states[i]);
    }
    buf_addstr(path, "))");
    return e;
}

/* ge(events.created.at,2026-11-23T10:04:56+00:00), in whole seconds: rather too early. */
static enum err add_since(struct buf *path, const char *filter, int64_t since_us)
{
    char text[CLK_ISO_MAX];
    clk_iso(clk_second(since_us), text);
    return add_comparison(path, "ge", filter, text);
}

/* /requests?and(eq(asset.product.id,PRD-1),in(status,(pending,revoking)))&ordering(created), or as
 * much of it as the class has. */
static enum err list_path(const struct object_class *c, const struct api_filter *f,
                          struct buf *path)
{
    enum err e = ERR_OK;
    buf_printf(path, "%s?%s", c->list, c->product != NULL ? "and(" : "");
    if (c->product != NULL) {
        e = add_comparison(path, "eq", c->product, f->product_id);
        buf_addc(path, ',');
    }
    if (e == ERR_OK)
        e = c->state != NULL ? add_states(path, c->state, f->states)
                             : add_since(path, c->created, f->since_us);
    buf_printf(path, "%s&ordering(%s%s%s)", c->product != NULL ? ")" : "",
               c->first != NULL ? c->first : "", c->first != NULL ? "," : "", c->created);
    return e != ERR_OK ? e : path->err;
}

/* ---------------------------------------------------------------------- reading */

enum err api_list(struct api *a, struct api_call *call, const struct object_class *c,
                  const struct api_filter *f, api_each_fn *fn, void *ctx)
{
    if (!object_id_valid(f->product_id) || (c->state != NULL && f->states[0] == NULL))
        return invalid(call, "a list needs a product and a state");
    struct buf path;
    buf_init(&path, API_PATH_MAX);
    enum err e = list_path(c, f, &path);
    if (e == ERR_OK)
        e = page_each(a, call, path.data, fn, ctx);
    else
        e = invalid(call, "a state that no query can hold");
    buf_free(&path);
    return e;
}

enum err api_get(struct api *a, struct api_call *call, const struct object_class *c, const char *id,
                 struct json_object **ret)
{
    char path[API_PATH_MAX];
    enum err e = object_path(call, c, id, NULL, path);
    return e == ERR_OK ? exchange_get_json(a, call, path, json_type_object, ret) : e;
}

/* A list that is needed as a whole. */
struct collection {
    struct json_object *all; /* owned */
    enum err err;
    struct why why;
};

static bool collect(void *ctx, const struct api_element *element)
{
    struct collection *c = ctx;
    if (element->object == NULL) {
        c->err = why_set(&c->why, element->err, "place %lld: %s", (long long)element->place,
                         element->why);
    } else if (!jsonx_append(c->all, json_object_get(element->object))) {
        c->err = why_no_memory(&c->why);
    }
    return c->err == ERR_OK;
}

enum err api_templates(struct api *a, struct api_call *call, const char *product_id,
                       const char *scope, const char *type, struct json_object **ret)
{
    if (!object_id_valid(product_id))
        return invalid(call, "not a product's id");
    struct buf path;
    buf_init(&path, API_PATH_MAX);
    buf_printf(&path, "/products/%s/templates?scope=", product_id);
    enum err e = rql_add_value(&path, scope);
    buf_addstr(&path, "&type=");
    if (e == ERR_OK)
        e = rql_add_value(&path, type);
    if (e != ERR_OK || path.err != ERR_OK) {
        buf_free(&path);
        return invalid(call, "a scope or type that no query can hold");
    }
    struct collection c = {.all = json_object_new_array()};
    e = c.all != NULL ? page_each(a, call, path.data, collect, &c)
                      : result_no_memory(&call->result);
    /* One that cannot be read might be the one that counts. */
    if (e == ERR_OK && c.err != ERR_OK)
        e = result_set(&call->result, c.err, "GET /products/%s/templates: %s", product_id,
                       c.why.text);
    buf_free(&path);
    if (e == ERR_OK)
        *ret = c.all;
    else
        json_object_put(c.all);
    return e;
}

/* --------------------------------------------------------------------- changing */

/* Send once. Where the answer's body is not empty it must be an object. */
static enum err change(struct api *a, struct api_call *call, const char *method, const char *path,
                       struct json_object *body, struct json_object **ret_object)
{
    struct http_response answer;
    struct json_object *object = NULL;
    enum err e = exchange(a, call, method, path, body, &answer);
    if (e != ERR_OK)
        return e;
    if (answer.body.len > 0)
        e = exchange_parse(call, method, path, &answer, json_type_object, &object);
    http_response_free(&answer);
    if (e == ERR_OK && ret_object != NULL)
        *ret_object = object;
    else
        json_object_put(object);
    return e;
}

enum err api_act(struct api *a, struct api_call *call, const struct object_class *c, const char *id,
                 const struct object_verb *v, struct json_object *body,
                 struct json_object **ret_object)
{
    char path[API_PATH_MAX];
    const char *method = v->put != NULL ? "PUT" : "POST";
    enum err e = object_path(call, c, id, v->put != NULL ? v->put : v->name, path);
    return e == ERR_OK ? change(a, call, method, path, body, ret_object) : e;
}

enum err api_read(struct api *a, struct api_call *call, const char *path, struct json_object **ret)
{
    struct http_response answer;
    struct why why = {""};
    enum err e = exchange_get(a, call, path, &answer);
    if (e != ERR_OK)
        return e;
    e = jsonx_parse(answer.body.data, answer.body.len, HTTP_ANSWER_MAX, ret, &why);
    if (e != ERR_OK)
        exchange_unreadable(call, e, "GET", path, &answer, why.text);
    http_response_free(&answer);
    return e;
}

enum err api_put_params(struct api *a, struct api_call *call, const struct object_class *c,
                        const char *id, struct json_object *params)
{
    char path[API_PATH_MAX];
    enum err e = c->params != NULL ? object_path(call, c, id, NULL, path)
                                   : invalid(call, "objects of this class have no parameters");
    if (e != ERR_OK)
        return e;
    struct json_object *body = json_object_new_object();
    if (jsonx_add_at(body, c->params, json_object_get(params)))
        e = change(a, call, "PUT", path, body, NULL);
    else
        e = result_no_memory(&call->result);
    json_object_put(body);
    return e;
}

/* ---------------------------------------------------------------- conversations */

/* The last message that is ours, or may be. */
struct last_message {
    const char *account_id;
    struct json_object *message; /* owned */
    int64_t created_us;
};

/* One that cannot be read says nothing that we would say. */
static bool look_at_message(void *ctx, const struct api_element *element)
{
    struct last_message *last = ctx;
    struct json_object *message = element->object;
    const char *author = jsonx_str(jsonx_object(message, "account"), "id", last->account_id);
    const char *created = jsonx_str(message, "created", "");
    int64_t us = last->created_us; /* without a time, the order of the list counts */
    if (message == NULL || strcmp(author, last->account_id) != 0 ||
        strcmp(jsonx_str(message, "type", "message"), "state_change") == 0)
        return true;
    (void)clk_parse_iso(created, strlen(created), &us);
    if (us >= last->created_us) {
        json_object_put(last->message);
        last->message = json_object_get(message);
        last->created_us = us;
    }
    return true;
}

/* Is the last thing that we said there this text? */
static enum err said_before(struct api *a, struct api_call *call, const char *path,
                            const char *text, bool *ret)
{
    char query[API_PATH_MAX];
    struct last_message last = {.account_id = a->account_id, .created_us = INT64_MIN};
    if (snprintf(query, sizeof query, "%s?ordering(created)", path) >= (int)sizeof query)
        return invalid(call, "the path of a conversation is too long");
    enum err e = page_each(a, call, query, look_at_message, &last);
    if (e == ERR_OK)
        *ret = last.message != NULL && strcmp(jsonx_str(last.message, "text", ""), text) == 0;
    json_object_put(last.message);
    return e;
}

/* The open conversation about an object: the path of its messages, "" if there is none. */
static enum err find_conversation(struct api *a, struct api_call *call, const char *object_id,
                                  char ret_path[static API_PATH_MAX])
{
    char path[API_PATH_MAX];
    struct json_object *list;
    snprintf(path, sizeof path, "/conversations?instance_id=%s", object_id);
    enum err e = exchange_get_json(a, call, path, json_type_array, &list);
    ret_path[0] = '\0';
    if (e != ERR_OK)
        return e == ERR_HTTP_NOT_FOUND ? ERR_OK : e;
    for (size_t i = 0; i < json_object_array_length(list) && ret_path[0] == '\0'; i++) {
        struct json_object *one = json_object_array_get_idx(list, i);
        const char *id = jsonx_str(one, "id", "");
        if (object_id_valid(id) && strcmp(jsonx_str(one, "status", "open"), "open") == 0 &&
            strcmp(jsonx_str(one, "type", "conversation"), "conversation") == 0)
            snprintf(ret_path, API_PATH_MAX, "/conversations/%s/messages", id);
    }
    json_object_put(list);
    return ERR_OK;
}

enum err api_message(struct api *a, struct api_call *call, const char *object_id, const char *text,
                     bool *ret_posted)
{
    char path[API_PATH_MAX];
    bool said = false;
    if (!object_id_valid(object_id))
        return invalid(call, "not an id of Connect's");
    enum err e = find_conversation(a, call, object_id, path);
    if (e == ERR_OK && path[0] != '\0')
        e = said_before(a, call, path, text, &said);
    if (e != ERR_OK)
        return e;
    if (path[0] == '\0')
        return result_set(&call->result, ERR_NOT_FOUND, "%s has no open conversation", object_id);
    if (said) {
        *ret_posted = false;
        return ERR_OK;
    }
    struct json_object *body = json_object_new_object();
    if (jsonx_add_text(body, "text", text))
        e = change(a, call, "POST", path, body, NULL);
    else
        e = result_no_memory(&call->result);
    json_object_put(body);
    if (e == ERR_OK)
        *ret_posted = true;
    return e;
}
