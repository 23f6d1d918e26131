/* object_class.c - the list of classes, and what can be read from a class. */
#include "event/object_class.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clk.h"
#include "base/jsonx.h"

const struct object_class *const object_classes[] = {
#define X(name) &class_##name,
    OBJECT_CLASS_LIST(X)
#undef X
        NULL,
};

const struct object_class *object_class_find(const char *name)
{
    for (const struct object_class *const *c = object_classes; *c != NULL; c++) {
        size_t n = strlen((*c)->name);
        if (strncmp(name, (*c)->name, n) == 0 && (name[n] == '\0' || strcmp(name + n, "s") == 0))
            return *c;
    }
    return NULL;
}

/* -------------------------------------------------------------------------- verbs */

const struct object_verb *object_verb_find(const struct object_class *c, const char *name)
{
    for (const struct object_verb *v = c->verbs; v->name != NULL; v++)
        if (strcmp(v->name, name) == 0)
            return v;
    return NULL;
}

bool state_is_among(const char *const *states, const char *state)
{
    while (*states != NULL && strcasecmp(*states, state) != 0)
        states++;
    return *states != NULL;
}

bool object_verb_allowed(const struct object_verb *v, enum side s, const char *state)
{
    return state_is_among(v->from[s], state);
}

bool object_verb_done(const struct object_verb *v, const char *state)
{
    return state_is_among(v->leads_to, state);
}

/* ------------------------------------------------------------------------ objects */

const char *object_state(const struct object_class *c, const struct json_object *object)
{
    return c->state != NULL ? jsonx_str_at(object, c->state, "") : "";
}

const char *object_product(const struct object_class *c, const struct json_object *object)
{
    return c->product != NULL ? jsonx_str_at(object, c->product, NULL) : NULL;
}

struct json_object *object_params(const struct object_class *c, const struct json_object *object)
{
    struct json_object *params = c->params != NULL ? jsonx_at(object, c->params) : NULL;
    return json_object_is_type(params, json_type_array) ? params : NULL;
}

/* NULL if it does not say. */
static const char *tier_of(const struct object_class *c, const struct json_object *object)
{
    /* An integer in data, a text in the description of the API. */
    struct json_object *value = c->tier != NULL ? jsonx_at(object, c->tier) : NULL;
    return json_object_is_type(value, json_type_int) || json_object_is_type(value, json_type_string)
               ? json_object_get_string(value)
               : NULL;
}

bool object_template_scope(const struct object_class *c, const struct json_object *object,
                           char ret[CLASS_SCOPE_MAX])
{
    const char *tier = c->tier != NULL ? tier_of(c, object) : "";
    return tier != NULL &&
           snprintf(ret, CLASS_SCOPE_MAX, "%s%s", c->template_scope, tier) < CLASS_SCOPE_MAX;
}

bool object_created(const struct object_class *c, const struct json_object *object, int64_t *ret_us)
{
    const char *text = jsonx_str_at(object, c->created, "");
    return clk_parse_iso(text, strlen(text), ret_us) == ERR_OK;
}

/* ---------------------------------------------------------------------- documents */

bool object_is_document(const struct object_class *c, const struct json_object *document)
{
    return c->document != NULL && jsonx_object(document, c->document) != NULL;
}

/* What tells the documents of one validation from those of another. */
struct traits {
    const char *type, *state, *tier; /* NULL: it does not say */
};

static struct traits traits_of(const struct object_class *c, const struct json_object *document)
{
    return (struct traits){jsonx_str(document, "type", NULL),
                           c->state != NULL ? jsonx_str_at(document, c->state, NULL) : NULL,
                           tier_of(c, document)};
}

static bool agrees(const char *wanted, const char *said)
{
    return wanted == NULL || said == NULL || strcasecmp(wanted, said) == 0;
}

enum err object_suits(const struct object_class *c, enum webhook_type t,
                      const struct json_object *document, struct why *why)
{
    const struct class_webhook *w = &c->webhooks[t];
    struct traits is = traits_of(c, document);
    if (!agrees(w->type, is.type))
        return why_set(why, ERR_TYPE, "its type is %.40s, not %s", is.type, w->type);
    if (!agrees(w->state, is.state))
        return why_set(why, ERR_TYPE, "its %s is %.40s, not %s", c->state, is.state, w->state);
    if (!agrees(w->tier, is.tier))
        return why_set(why, ERR_TYPE, "it is about tier %.10s, not %s", is.tier, w->tier);
    return ERR_OK;
}

enum webhook_type object_validator(const struct object_class *c, const struct json_object *document)
{
    struct traits is = traits_of(c, document);
    unsigned t = 0;
    for (; t < TYPE__COUNT; t++) {
        const struct class_webhook *w = &c->webhooks[t];
        if (w->type != NULL && is.type != NULL && is.state != NULL && agrees(w->type, is.type) &&
            agrees(w->state, is.state) && (w->tier == NULL || is.tier != NULL) &&
            agrees(w->tier, is.tier))
            break;
    }
    return (enum webhook_type)t;
}
