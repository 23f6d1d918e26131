/* signing.c - play Connect's part: options, key and claims. */
#include "cmd/signing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clk.h"
#include "base/jsonx.h"

#define EXPIRES_MAX 3153600000 /* s, a hundred years: no sum with a time overflows */

void signing_free(struct signing *s)
{
    json_object_put(s->given);
    jwt_key_free(s->key);
    conf_unref(s->conf);
    *s = (struct signing){0};
}

/* -------------------------------------------------------------------- options */

static enum err name_secret(struct secret_source *source, enum secret_kind kind, const char *name,
                            struct why *why)
{
    if (source->name != NULL)
        return why_set(why, ERR_DUPLICATE, "the secret is named twice");
    *source = (struct secret_source){.kind = kind, .name = name};
    return ERR_OK;
}

enum err signing_take_secret_file(void *at, const char *value, struct why *why)
{
    return name_secret(at, SECRET_FILE, value, why);
}

enum err signing_take_secret_env(void *at, const char *value, struct why *why)
{
    return name_secret(at, SECRET_ENV, value, why);
}

enum err signing_give(struct signing *s, const char *name, struct json_object *value)
{
    if (s->given == NULL)
        s->given = json_object_new_object();
    bool ok = jsonx_share(s->given, name, value);
    json_object_put(value);
    return ok ? ERR_OK : ERR_NOMEM;
}

/* "NAME=VALUE". */
enum err signing_take_claim(void *at, const char *value, struct why *why)
{
    const char *equals = strchr(value, '=');
    if (equals == NULL || equals == value)
        return why_set(why, ERR_INVALID, "--claim is given as NAME=VALUE, not '%s'", value);
    char *name = strndup(value, (size_t)(equals - value));
    struct json_object *claim;
    enum err e = name != NULL ? ERR_OK : ERR_NOMEM;
    if (jsonx_parse(equals + 1, strlen(equals + 1), SIGNING_JSON_MAX, &claim, NULL) != ERR_OK &&
        (claim = json_object_new_string(equals + 1)) == NULL)
        e = ERR_NOMEM;
    if (e == ERR_OK)
        e = signing_give(at, name, claim);
    else
        json_object_put(claim);
    free(name);
    return e == ERR_OK ? e : why_set(why, e, "%s", err_text(e));
}

enum err signing_take_claims(void *at, const char *value, struct why *why)
{
    struct json_object *claims;
    struct json_object_iter it;
    enum err e = jsonx_parse_file(value, SIGNING_JSON_MAX, &claims, why);
    if (e != ERR_OK)
        return e;
    if (!json_object_is_type(claims, json_type_object)) {
        json_object_put(claims);
        return why_set(why, ERR_TYPE, "%s: not a JSON object", value);
    }
    json_object_object_foreachC(claims, it)
    {
        if (e == ERR_OK)
            e = signing_give(at, it.key, json_object_get(it.val));
    }
    json_object_put(claims);
    return e == ERR_OK ? e : why_set(why, e, "%s", err_text(e));
}

enum err signing_take_type(void *at, const char *value, struct why *why)
{
    struct signing *s = at;
    if (webhook_type_parse(value, &s->type) == ERR_OK)
        return ERR_OK;
    return why_set(why, ERR_INVALID, "--type: %s is none of Connect's types of webhooks", value);
}

bool signing_is_validation(const struct signing *s)
{
    return s->type != TYPE__COUNT && s->type != TYPE_EVENT;
}

enum err signing_take_expires_in(void *at, const char *value, struct why *why)
{
    return cmd_number("--expires-in", value, -EXPIRES_MAX, EXPIRES_MAX, at, why);
}

/* ------------------------------------------------------------------ key and claims */

/* Is it one of those that may be meant? */
static bool may_be(const struct signing *s, const struct conf_webhook *w)
{
    return s->type == TYPE__COUNT || w->type == s->type;
}

/* The only one that may be meant. */
static enum err find_only_webhook(struct signing *s, struct why *why)
{
    size_t count = 0;
    for (size_t i = 0; i < s->conf->webhooks_count; i++)
        if (may_be(s, &s->conf->webhooks[i])) {
            s->hook = &s->conf->webhooks[i];
            count++;
        }
    if (count == 1)
        return ERR_OK;
    s->hook = NULL;
    const char *type = s->type != TYPE__COUNT ? webhook_type_name(s->type) : "";
    return why_set(why, ERR_INVALID, "%zu %s%swebhooks are configured%s", count, type,
                   *type != '\0' ? " " : "", count > 1 ? ": say which by --webhook ID" : "");
}

static enum err find_webhook(struct signing *s, struct why *why)
{
    if (s->webhook == NULL)
        return find_only_webhook(s, why);
    s->hook = conf_webhook(s->conf, s->webhook);
    if (s->hook == NULL)
        return why_set(why, ERR_NOT_FOUND, "webhook %s is not configured", s->webhook);
    if (!may_be(s, s->hook))
        return why_set(why, ERR_INVALID, "webhook %s is of type %s, not %s", s->webhook,
                       webhook_type_name(s->hook->type), webhook_type_name(s->type));
    return ERR_OK;
}

enum err signing_load_key(const struct secret_source *source, struct jwt_key **ret, struct why *why)
{
    struct secret *secret;
    enum err e = secret_load(source, &secret, why);
    if (e != ERR_OK)
        return e;
    e = jwt_key_new(secret_bytes(secret), secret_len(secret), ret);
    secret_free(secret);
    return e == ERR_OK ? e : why_set(why, e, "%s", err_text(e));
}

enum err signing_open(struct signing *s, struct why *why)
{
    enum err e = ERR_OK;
    if (s->config != NULL || s->source.name == NULL) {
        e = conf_load(conf_path(s->config), CONF_NO_API_KEYS, &s->conf, why);
        if (e == ERR_OK)
            e = find_webhook(s, why);
        if (e != ERR_OK)
            return e;
    }
    if (s->source.name != NULL)
        return signing_load_key(&s->source, &s->key, why);
    const struct secret *secret = s->hook->secrets[0].value;
    e = jwt_key_new(secret_bytes(secret), secret_len(secret), &s->key);
    return e == ERR_OK ? e : why_set(why, e, "%s", err_text(e));
}

/* Without a configuration: the class that has the type. */
static const struct object_class *class_of(enum webhook_type t)
{
    for (size_t i = 0; t != TYPE__COUNT && t != TYPE_EVENT && object_classes[i] != NULL; i++)
        if (object_classes[i]->webhooks[t].name != NULL)
            return object_classes[i];
    return &class_fulfillment_request;
}

/* Who calls: all that the configuration knows, or else only the webhook's id. */
static bool add_origin(const struct signing *s, struct json_object *claims)
{
    const struct conf_webhook *w = s->hook;
    if (w == NULL)
        return (s->webhook == NULL || jsonx_add_text(claims, "webhook_id", s->webhook)) &&
               jsonx_add_text(claims, "object_class", class_of(s->type)->name);
    return jsonx_add_text(claims, "webhook_id", w->id) &&
           jsonx_add_text(claims, "webhook_name", w->id) &&
           jsonx_add_text(claims, "object_class", w->object_class->name) &&
           jsonx_add_text(claims, "account_id", w->account->id) &&
           jsonx_add_text(claims, "product_id", w->product) &&
           jsonx_add_text(claims, "api_url", w->account->api_url);
}

static bool add_times(const struct signing *s, struct json_object *claims)
{
    int64_t now = clk_wall_s();
    char text[CLK_ISO_MAX];
    clk_iso(now, text);
    return jsonx_add_text(claims, "triggered_at", text) &&
           jsonx_add_text(claims, "last_success_at", NULL) &&
           jsonx_add_text(claims, "last_failure_at", NULL) &&
           jsonx_add_int(claims, "processing_timeout", SIGNING_TIMEOUT) &&
           jsonx_add(claims, "data", json_object_new_object()) &&
           jsonx_add_int(claims, "exp", now + s->expires_in);
}

/* Over what is there. */
static bool add_given(const struct signing *s, struct json_object *claims)
{
    struct json_object_iter it;
    bool ok = true;
    if (s->given == NULL)
        return ok;
    json_object_object_foreachC(s->given, it)
    {
        ok = ok && jsonx_share(claims, it.key, it.val);
    }
    return ok;
}

enum err signing_claims(const struct signing *s, struct json_object **ret, struct why *why)
{
    struct json_object *claims = json_object_new_object();
    enum err e = ERR_OK;
    if (!add_origin(s, claims) || !add_times(s, claims) || !add_given(s, claims))
        e = why_no_memory(why);
    else if (!json_object_object_get_ex(claims, "webhook_id", NULL))
        e = why_set(why, ERR_INVALID, "which webhook? Say it by --webhook ID");
    if (e == ERR_OK)
        *ret = claims;
    else
        json_object_put(claims);
    return e;
}
