/* validation.c - the document of a form: as it came, and as it goes back. */
#include "processors/validation.h"

#include <stdbool.h>
#include <string.h>

#include "base/jsonx.h"
#include "processors/same.h"

enum err validation_read(const char *text, size_t len, const struct object_class *c,
                         struct validation *ret, struct why *why)
{
    *ret = (struct validation){.text = text, .len = len};
    enum err e = jsonx_parse(text, len, JSONX_SIZE_MAX, &ret->root, why);
    if (e != ERR_OK)
        return why_prefix(why, e, "the body");
    if (object_is_document(c, ret->root))
        return ERR_OK;
    validation_free(ret);
    return why_set(why, ERR_TYPE, "the body is no %s: it has no object \"%s\"", c->name,
                   c->document);
}

void validation_free(struct validation *d)
{
    json_object_put(d->root);
    d->root = NULL;
}

/* ------------------------------------------------------------------------ printing */

/* The text on its way to `out`; what stands before `at` is there. */
struct printing {
    struct buf *out;
    const char *at, *end;
};

static void copy_to(struct printing *p, const char *to)
{
    buf_add(p->out, p->at, (size_t)(to - p->at));
    p->at = to;
}

static void copy_space(struct printing *p)
{
    copy_to(p, jsonx_behind_space(p->at, p->end));
}

static void copy_value(struct printing *p)
{
    copy_to(p, jsonx_behind_value(p->at, p->end));
}

/* As an absent member does. */
static bool says_nothing(struct json_object *value)
{
    return same_value(value, NULL) ||
           (json_object_is_type(value, json_type_array) && json_object_array_length(value) == 0);
}

/* A list of things that have ids, so that each is changed by itself? */
static bool is_by_id(struct json_object *list)
{
    size_t n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
    for (size_t i = 0; i < n; i++)
        if (jsonx_str(json_object_array_get_idx(list, i), "id", "")[0] != '\0')
            return true;
    return false;
}

/* These say one thing together: half of an old one and half of a new one would be neither. */
static bool is_one(const char *name)
{
    return strcmp(name, "structured_value") == 0 || strcmp(name, "structured_error") == 0;
}

static void print_value(struct printing *p, const char *name, struct json_object *present,
                        struct json_object *changes);

static void print_list(struct printing *p, struct json_object *present, struct json_object *changes)
{
    size_t n = json_object_array_length(present);
    copy_to(p, p->at + 1);
    for (size_t i = 0; i < n; i++) {
        struct json_object *element = json_object_array_get_idx(present, i);
        const char *id = jsonx_str(element, "id", "");
        struct json_object *change = id[0] != '\0' ? jsonx_element(changes, id) : NULL;
        copy_space(p);
        if (change != NULL)
            print_value(p, "", element, change);
        else
            copy_value(p);
        copy_space(p);
        copy_to(p, p->at + 1); /* the comma, or the bracket */
    }
}

static void add_member(struct printing *p, const char *name, struct json_object *value)
{
    struct json_object *key = json_object_new_string(name);
    if (key == NULL && p->out->err == ERR_OK)
        p->out->err = ERR_NOMEM;
    jsonx_print(p->out, key);
    buf_addc(p->out, ':');
    jsonx_print(p->out, value);
    json_object_put(key);
}

/* `first`: there is no member yet that a comma would have to follow. */
static void add_members(struct printing *p, struct json_object *present,
                        struct json_object *changes, bool first)
{
    struct json_object_iterator it = json_object_iter_begin(changes),
                                end = json_object_iter_end(changes);
    for (; !json_object_iter_equal(&it, &end); json_object_iter_next(&it)) {
        const char *name = json_object_iter_peek_name(&it);
        struct json_object *value = json_object_iter_peek_value(&it);
        if (json_object_object_get_ex(present, name, NULL) || says_nothing(value) ||
            is_by_id(value))
            continue;
        if (!first)
            buf_addc(p->out, ',');
        first = false;
        add_member(p, name, value);
    }
}

static void print_members(struct printing *p, struct json_object *present,
                          struct json_object *changes)
{
    struct json_object_iterator it = json_object_iter_begin(present),
                                end = json_object_iter_end(present);
    copy_to(p, p->at + 1);
    for (bool first = true; !json_object_iter_equal(&it, &end); json_object_iter_next(&it)) {
        const char *name = json_object_iter_peek_name(&it);
        struct json_object *change;
        if (!first)
            copy_to(p, jsonx_behind_space(p->at, p->end) + 1); /* the comma */
        first = false;
        copy_space(p);
        copy_value(p);                                     /* the key */
        copy_to(p, jsonx_behind_space(p->at, p->end) + 1); /* the colon */
        copy_space(p);
        if (json_object_object_get_ex(changes, name, &change))
            print_value(p, name, json_object_iter_peek_value(&it), change);
        else
            copy_value(p);
    }
    add_members(p, present, changes, json_object_object_length(present) == 0);
    copy_to(p, jsonx_behind_space(p->at, p->end) + 1); /* the brace */
}

/* Does the change leave what is there as it is? */
static bool is_kept(struct json_object *present, struct json_object *change)
{
    return same_to_a_program(present, change) || (says_nothing(present) && says_nothing(change)) ||
           (is_by_id(change) && !is_by_id(present)); /* there is none of them, and none is added */
}

/* The value at p->at. Recursion is bounded by the depth that jsonx_parse() allows. */
static void print_value(struct printing *p, const char *name, struct json_object *present,
                        struct json_object *changes)
{
    bool objects = json_object_is_type(present, json_type_object) &&
                   json_object_is_type(changes, json_type_object);
    bool lists = is_by_id(present) && json_object_is_type(changes, json_type_array);
    if (is_kept(present, changes)) {
        copy_value(p);
    } else if (objects && !is_one(name)) {
        print_members(p, present, changes);
    } else if (lists) {
        print_list(p, present, changes);
    } else {
        jsonx_print(p->out, changes);
        p->at = jsonx_behind_value(p->at, p->end);
    }
}

enum err validation_print(struct buf *b, const struct validation *d, struct json_object *changes)
{
    struct printing p = {b, d->text, d->text + d->len};
    copy_space(&p);
    if (changes != NULL)
        print_value(&p, "", d->root, changes);
    copy_to(&p, p.end);
    return b->err;
}

size_t validation_errors(const struct object_class *c, const struct json_object *changes)
{
    const struct json_object *params = object_params(c, changes);
    size_t n = params != NULL ? json_object_array_length(params) : 0, errors = 0;
    for (size_t i = 0; i < n; i++)
        errors += jsonx_str(json_object_array_get_idx(params, i), "value_error", "")[0] != '\0';
    return errors;
}
