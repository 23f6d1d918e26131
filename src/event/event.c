/* event.c - from a token's payload to what it says. */
#include "event/event.h"

#include <stddef.h>
#include <string.h>

#include "base/jsonx.h"

#define NAME_MAX_BYTES 1024 /* of a webhook's name: 100 characters in Connect */
#define WORD_MAX_BYTES 64   /* of a class or a time */
#define URL_MAX_BYTES  4096 /* Connect's own limit */

/* The claims that are texts, and where they go. */
static const struct text_claim {
    const char *name;
    size_t max; /* bytes */
    size_t at;  /* offset in struct event */
} text_claims[] = {
    {"webhook_id", OBJECT_ID_MAX - 1, offsetof(struct event, webhook_id)},
    {"webhook_name", NAME_MAX_BYTES, offsetof(struct event, webhook_name)},
    {"account_id", OBJECT_ID_MAX - 1, offsetof(struct event, account_id)},
    {"product_id", OBJECT_ID_MAX - 1, offsetof(struct event, product_id)},
    {"object_class", WORD_MAX_BYTES, offsetof(struct event, object_class)},
    {"api_url", URL_MAX_BYTES, offsetof(struct event, api_url)},
    {"triggered_at", WORD_MAX_BYTES, offsetof(struct event, triggered_at)},
};

static enum err read_text(const struct json_object *claims, const struct text_claim *c,
                          const char **ret, struct why *why)
{
    struct json_object *value;
    if (!json_object_object_get_ex(claims, c->name, &value) || value == NULL) {
        *ret = NULL;
        return ERR_OK;
    }
    if (!json_object_is_type(value, json_type_string))
        return why_set(why, ERR_TOKEN_CLAIMS, "claim %s: must be a text", c->name);
    const char *text = json_object_get_string(value);
    size_t len = (size_t)json_object_get_string_len(value);
    if (strlen(text) != len)
        return why_set(why, ERR_TOKEN_CLAIMS, "claim %s: has a NUL in it", c->name);
    if (len > c->max)
        return why_set(why, ERR_TOKEN_CLAIMS, "claim %s: longer than %zu bytes", c->name, c->max);
    *ret = text;
    return ERR_OK;
}

static enum err read_exp(const struct json_object *claims, int64_t *ret, struct why *why)
{
    if (!jsonx_whole(jsonx_get(claims, "exp"), ret))
        return why_set(why, ERR_TOKEN_CLAIMS,
                       "claim exp: must be there, a moment in whole seconds");
    return ERR_OK;
}

static enum err read_data(const struct json_object *claims, struct json_object **ret,
                          struct why *why)
{
    struct json_object *value;
    if (!json_object_object_get_ex(claims, "data", &value))
        value = NULL;
    if (value != NULL && !json_object_is_type(value, json_type_object))
        return why_set(why, ERR_TOKEN_CLAIMS, "claim data: must be an object");
    *ret = value;
    return ERR_OK;
}

enum err event_from_claims(struct json_object *claims, struct event *ret, struct why *why)
{
    struct event event = {0};
    if (!json_object_is_type(claims, json_type_object))
        return why_set(why, ERR_TOKEN_CLAIMS, "the claims must be an object");
    for (size_t i = 0; i < sizeof text_claims / sizeof *text_claims; i++) {
        const char *text = NULL;
        enum err e = read_text(claims, &text_claims[i], &text, why);
        if (e != ERR_OK)
            return e;
        memcpy((char *)&event + text_claims[i].at, &text, sizeof text);
    }
    if (event.webhook_id == NULL || event.webhook_id[0] == '\0')
        return why_set(why, ERR_TOKEN_CLAIMS, "claim webhook_id: must be there, a text");
    enum err e = read_exp(claims, &event.exp, why);
    if (e == ERR_OK)
        e = read_data(claims, &event.data, why);
    if (e != ERR_OK)
        return e;
    event.claims = json_object_get(claims);
    *ret = event;
    return ERR_OK;
}

void event_free(struct event *e)
{
    json_object_put(e->claims);
    *e = (struct event){0};
}
