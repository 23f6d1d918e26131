/* signing.c - play Connect's part: options, key and claims. */
#include "cmd/signing.h"

#include <errno.h>
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

/* Set a member, consuming the value. */
static enum err set(struct json_object *o, const char *name, struct json_object *value)
{
    if (o != NULL && json_object_object_add(o, name, value) == 0)
        return ERR_OK;
    json_object_put(value);
    return ERR_NOMEM;
}

static enum err set_string(struct json_object *o, const char *name, const char *value)
{
    struct json_object *v = json_object_new_string(value);
    return v != NULL ? set(o, name, v) : ERR_NOMEM;
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
    return set(s->given, name, value);
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

enum err signing_take_expires_in(void *at, const char *value, struct why *why)
{
    char *end;
    errno = 0;
    long long seconds = strtoll(value, &end, 10);
    if (errno != 0 || end == value || *end != '\0' || seconds > EXPIRES_MAX ||
        seconds < -EXPIRES_MAX)
        return why_set(why, ERR_INVALID, "--expires-in is a number of seconds, not '%s'", value);
    ((struct signing *)at)->expires_in = seconds;
    return ERR_OK;
}

/* ------------------------------------------------------------------ key and claims */

static enum err find_webhook(struct signing *s, struct why *why)
{
    if (s->webhook == NULL && s->conf->webhooks_count != 1)
        return why_set(why, ERR_INVALID, "%zu webhooks are configured: say which by --webhook ID",
                       s->conf->webhooks_count);
    s->hook = s->webhook != NULL ? conf_webhook(s->conf, s->webhook) : &s->conf->webhooks[0];
    if (s->hook == NULL)
        return why_set(why, ERR_NOT_FOUND, "webhook %s is not configured", s->webhook);
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

static enum err set_int(struct json_object *o, const char *name, int64_t value)
{
    struct json_object *v = json_object_new_int64(value);
    return v != NULL ? set(o, name, v) : ERR_NOMEM;
}

/* Who calls: all that the configuration knows, or else only the webhook's id. */
static enum err add_origin(const struct signing *s, struct json_object *claims)
{
    const struct conf_webhook *w = s->hook;
    if (w == NULL) {
        enum err named = s->webhook != NULL ? set_string(claims, "webhook_id", s->webhook) : ERR_OK;
        return named == ERR_OK ? set_string(claims, "object_class", "fulfillment_request") : named;
    }
    const char *const members[][2] = {
        {"webhook_id", w->id},
        {"webhook_name", w->id},
        {"object_class", w->object_class->name},
        {"account_id", w->account->id},
        {"product_id", w->product},
        {"api_url", w->account->api_url},
    };
    enum err e = ERR_OK;
    for (size_t i = 0; i < sizeof members / sizeof members[0] && e == ERR_OK; i++)
        e = set_string(claims, members[i][0], members[i][1]);
    return e;
}

static enum err add_times(const struct signing *s, struct json_object *claims)
{
    int64_t now = clk_wall_s();
    char text[CLK_ISO_MAX];
    clk_iso(now, text);
    enum err e = set_string(claims, "triggered_at", text);
    if (e == ERR_OK)
        e = set(claims, "last_success_at", NULL);
    if (e == ERR_OK)
        e = set(claims, "last_failure_at", NULL);
    if (e == ERR_OK)
        e = set_int(claims, "processing_timeout", SIGNING_TIMEOUT);
    struct json_object *data = e == ERR_OK ? json_object_new_object() : NULL;
    if (e == ERR_OK)
        e = data != NULL ? set(claims, "data", data) : ERR_NOMEM;
    return e == ERR_OK ? set_int(claims, "exp", now + s->expires_in) : e;
}

/* Over what is there. */
static enum err add_given(const struct signing *s, struct json_object *claims)
{
    enum err e = ERR_OK;
    struct json_object_iter it;
    if (s->given == NULL)
        return ERR_OK;
    json_object_object_foreachC(s->given, it)
    {
        if (e == ERR_OK)
            e = set(claims, it.key, json_object_get(it.val));
    }
    return e;
}

enum err signing_claims(const struct signing *s, struct json_object **ret, struct why *why)
{
    struct json_object *claims = json_object_new_object();
    enum err e = claims != NULL ? add_origin(s, claims) : ERR_NOMEM;
    if (e == ERR_OK)
        e = add_times(s, claims);
    if (e == ERR_OK)
        e = add_given(s, claims);
    if (e == ERR_OK && !json_object_object_get_ex(claims, "webhook_id", NULL))
        e = why_set(why, ERR_INVALID, "which webhook? Say it by --webhook ID");
    else if (e != ERR_OK)
        why_set(why, e, "%s", err_text(e));
    if (e == ERR_OK)
        *ret = claims;
    else
        json_object_put(claims);
    return e;
}

enum err signing_print(const struct json_object *o)
{
    struct buf line;
    buf_init(&line, JSONX_SIZE_MAX);
    jsonx_print(&line, o);
    enum err e = buf_addc(&line, '\n');
    if (e == ERR_OK && fwrite(line.data, 1, line.len, stdout) != line.len)
        e = ERR_IO;
    buf_free(&line);
    return e;
}
