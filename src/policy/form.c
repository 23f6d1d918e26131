/* form.c - what a rule says about a form. */
#include "policy/form.h"

#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/jsonx.h"
#include "policy/check.h"
#include "policy/quote.h"

/* What is said about one parameter. */
struct entry {
    struct json_object *says; /* {"id":...,"value":...}: as written, quotes unresolved; with a check
                                 the error is "" */
    struct check *check;      /* NULL: there is none */
    struct json_object *message;
};

struct form {
    struct entry *entries;
    size_t count;
};

void form_free(struct form *f)
{
    if (f == NULL)
        return;
    for (size_t i = 0; i < f->count; i++) {
        json_object_put(f->entries[i].says);
        json_object_put(f->entries[i].message);
        check_free(f->entries[i].check);
    }
    free(f->entries);
    free(f);
}

/* ------------------------------------------------------------------------ loading */

static enum err load_message(const struct yamlx_node *n, struct json_object **ret, struct why *why)
{
    const char *text;
    enum err e = yamlx_str(n, &text, why);
    if (e != ERR_OK)
        return e;
    if (text[0] == '\0')
        return yamlx_fail(n, why, ERR_CONFIG, "an empty message would be no error");
    *ret = json_object_new_string(text);
    return *ret != NULL ? ERR_OK : why_no_memory(why);
}

static enum err load_member(const struct yamlx_node *key, const struct yamlx_node *value,
                            struct entry *e, struct why *why)
{
    const char *name;
    struct json_object *json = NULL;
    enum err err = yamlx_str(key, &name, why);
    if (err != ERR_OK)
        return err;
    if (strcmp(name, "check") == 0)
        return check_load(value, &e->check, why);
    if (strcmp(name, "message") == 0)
        return load_message(value, &e->message, why);
    err = yamlx_json(value, &json, why);
    if (err == ERR_OK && json_object_object_add(e->says, name, json) != 0) {
        json_object_put(json);
        err = why_no_memory(why);
    }
    return err;
}

/* Does what is written for a parameter make sense, besides the words? */
static enum err check_entry(const struct yamlx_node *n, const struct entry *e, struct why *why)
{
    const char *id = jsonx_str(e->says, "id", "");
    struct why inner = {""};
    if (e->check != NULL && e->message == NULL)
        return yamlx_fail(n, why, ERR_CONFIG,
                          "a check needs a message: what is shown if it does not hold");
    if (e->check == NULL && e->message != NULL)
        return yamlx_fail(n, why, ERR_CONFIG,
                          "a message needs a check (value_error is an error that always shows)");
    if (e->check != NULL && jsonx_get(e->says, "value_error") != NULL)
        return yamlx_fail(n, why, ERR_CONFIG, "either value_error, or check and message");
    if (e->check != NULL && check_same_as(e->check) != NULL &&
        strcmp(check_same_as(e->check), id) == 0)
        return yamlx_fail(n, why, ERR_CONFIG, "same_as: %.64s is always the same as itself", id);
    enum err err = quote_check(e->says, &inner);
    if (err == ERR_OK && e->message != NULL)
        err = quote_check(e->message, &inner);
    return err == ERR_OK ? err : yamlx_fail(n, why, ERR_CONFIG, "%s", inner.text);
}

static enum err load_entry(const struct yamlx_node *n, size_t i, struct entry *e, struct why *why)
{
    const struct yamlx_node *key;
    if (yamlx_type(n) != YAMLX_MAPPING)
        return yamlx_fail(n, why, ERR_CONFIG, "a parameter is { id: ..., ... }");
    e->says = json_object_new_object();
    struct why inner = {""};
    enum err err = e->says != NULL ? ERR_OK : why_no_memory(why);
    for (size_t k = 0; err == ERR_OK && (key = yamlx_key(n, k)) != NULL; k++)
        err = load_member(key, yamlx_value(n, k), e, why);
    if (err == ERR_OK)
        err = check_entry(n, e, why);
    if (err == ERR_OK && e->check != NULL && !jsonx_add_text(e->says, "value_error", ""))
        err = why_no_memory(why);
    if (err == ERR_OK && decision_check_form_draft(i, e->says, &inner) != ERR_OK)
        err = yamlx_fail(n, why, ERR_CONFIG, "%s", inner.text);
    return err;
}

/* A parameter may be checked several times, each with its own message; all else is said once. */
static enum err check_repeated(const struct yamlx_node *n, const struct form *f,
                               const struct entry *e, struct why *why)
{
    const char *id = jsonx_str(e->says, "id", "");
    for (const struct entry *other = f->entries; other < e; other++)
        if (strcmp(jsonx_str(other->says, "id", ""), id) == 0 &&
            (e->check == NULL || other->check == NULL || json_object_object_length(e->says) > 2))
            return yamlx_fail(n, why, ERR_CONFIG,
                              "%.64s is given twice: only check and message may be given again",
                              id);
    return ERR_OK;
}

static enum err load_params(const struct yamlx_node *params, struct form *f, struct why *why)
{
    size_t n = 0;
    if (yamlx_type(params) != YAMLX_SEQUENCE)
        return yamlx_fail(params, why, ERR_CONFIG, "params: must be a list");
    while (yamlx_item(params, n) != NULL)
        n++;
    if (n > DECISION_PARAMS_MAX)
        return yamlx_fail(params, why, ERR_CONFIG, "params: more than %d", DECISION_PARAMS_MAX);
    f->entries = calloc(n + 1, sizeof *f->entries);
    if (f->entries == NULL)
        return why_no_memory(why);
    for (size_t i = 0; i < n; i++) {
        const struct yamlx_node *item = yamlx_item(params, i);
        f->count = i + 1;
        enum err e = load_entry(item, i, &f->entries[i], why);
        if (e == ERR_OK)
            e = check_repeated(item, f, &f->entries[i], why);
        if (e != ERR_OK)
            return e;
    }
    return ERR_OK;
}

enum err form_load(const struct yamlx_node *then, struct form **ret, struct why *why)
{
    const struct yamlx_node *params = yamlx_get(then, "params");
    if (params == NULL || yamlx_key(then, 1) != NULL)
        return yamlx_fail(then, why, ERR_CONFIG,
                          "`then`: a form is answered with { params: [ { id: ..., ... } ] } and "
                          "nothing else");
    struct form *f = calloc(1, sizeof *f);
    enum err e = f != NULL ? load_params(params, f, why) : why_no_memory(why);
    if (e == ERR_OK)
        *ret = f;
    else
        form_free(f);
    return e;
}

/* ---------------------------------------------------------------------- answering */

/* One form that is answered. */
struct answering {
    const struct quote_source *from;
    struct json_object *params; /* of the form, NULL: it has none */
    struct json_object *answer; /* what is said about them, as far as that has come */
};

/* A member of a parameter as the customer will see it: what has been said about it, else what the
 * form has. */
static struct json_object *member_of(const struct answering *a, const char *id, const char *name)
{
    struct json_object *said = jsonx_get(jsonx_element(a->answer, id), name);
    return said != NULL ? said : jsonx_get(jsonx_element(a->params, id), name);
}

static const char *value_of(const struct answering *a, const char *id)
{
    struct json_object *value = member_of(a, id, "value");
    bool scalar = value != NULL && !json_object_is_type(value, json_type_object) &&
                  !json_object_is_type(value, json_type_array);
    return scalar ? json_object_get_string(value) : "";
}

/* Stops at what says something: a text, a number, a box that is ticked. */
static bool says_nothing(void *ctx, struct json_object *at)
{
    (void)ctx;
    switch (json_object_get_type(at)) {
    case json_type_string:
        return json_object_get_string_len(at) == 0;
    case json_type_boolean:
        return !json_object_get_boolean(at);
    case json_type_int:
    case json_type_double:
        return false;
    case json_type_null:
    case json_type_object:
    case json_type_array:
        break;
    }
    return true;
}

/* Look at the value that `said` leaves the parameter with; it gets the message if that is wrong. */
static enum err check(const struct answering *a, const struct entry *e, struct json_object *said,
                      struct why *why)
{
    const char *id = jsonx_str(said, "id", ""), *other = check_same_as(e->check);
    struct checked v = {.value = value_of(a, id), .other = other != NULL ? value_of(a, other) : ""};
    v.is_filled = v.value[0] != '\0' ||
                  !jsonx_visit(member_of(a, id, "structured_value"), says_nothing, NULL);
    bool holds = true;
    struct json_object *message;
    enum err err = check_holds(e->check, &v, &holds, why);
    if (err != ERR_OK || holds)
        return err;
    err = quote_expand(e->message, a->from, &message, why);
    if (err == ERR_OK && !jsonx_add(said, "value_error", message))
        err = why_no_memory(why);
    return err;
}

static enum err answer_entry(const struct answering *a, const struct entry *e, const char *id,
                             struct why *why)
{
    struct json_object *said = jsonx_element(a->answer, id);
    if (said != NULL && jsonx_str(said, "value_error", "")[0] != '\0')
        return ERR_OK; /* an earlier check has failed: its message stands */
    if (said == NULL) {
        enum err err = quote_expand(e->says, a->from, &said, why);
        if (err != ERR_OK)
            return err;
        if (!jsonx_append(a->answer, said))
            return why_no_memory(why);
    }
    return e->check != NULL ? check(a, e, said, why) : ERR_OK;
}

static enum err answer_all(const struct form *f, const struct answering *a, int64_t deadline,
                           struct why *why)
{
    for (size_t i = 0; i < f->count; i++) {
        const char *id = jsonx_str(f->entries[i].says, "id", "");
        if (jsonx_element(a->params, id) == NULL)
            continue;
        if (clk_mono_ms() >= deadline)
            return why_set(why, ERR_TIMEOUT, "params[%.64s]: no time is left to look at it", id);
        enum err e = answer_entry(a, &f->entries[i], id, why);
        if (e != ERR_OK)
            return why_prefix(why, e, "params[%.64s]", id);
    }
    return ERR_OK;
}

enum err form_answer(const struct form *f, const struct policy_question *q,
                     const struct rql_var *vars, struct json_object **ret, struct why *why)
{
    const struct quote_source from = {q->object, vars, .has_gaps = true};
    struct answering a = {.from = &from,
                          .params = object_params(q->object_class, q->object),
                          .answer = json_object_new_array()};
    struct json_object *root = json_object_new_object();
    if (!jsonx_share(root, "params", a.answer) || a.answer == NULL) {
        json_object_put(a.answer);
        json_object_put(root);
        return why_no_memory(why);
    }
    enum err e = answer_all(f, &a, q->deadline, why);
    json_object_put(a.answer);
    if (e == ERR_OK)
        *ret = root;
    else
        json_object_put(root);
    return e;
}
