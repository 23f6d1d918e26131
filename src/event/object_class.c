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

bool object_template_scope(const struct object_class *c, const struct json_object *object,
                           char ret[CLASS_SCOPE_MAX])
{
    const char *level = "";
    if (c->template_level != NULL) {
        /* An integer in data, a text in the description of the API. */
        struct json_object *value = jsonx_at(object, c->template_level);
        if (!json_object_is_type(value, json_type_int) &&
            !json_object_is_type(value, json_type_string))
            return false;
        level = json_object_get_string(value);
    }
    return snprintf(ret, CLASS_SCOPE_MAX, "%s%s", c->template_scope, level) < CLASS_SCOPE_MAX;
}

bool object_created(const struct object_class *c, const struct json_object *object, int64_t *ret_us)
{
    const char *text = jsonx_str_at(object, c->created, "");
    return clk_parse_iso(text, strlen(text), ret_us) == ERR_OK;
}
