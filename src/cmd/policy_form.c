/* policy_form.c - ask about a form, and show what comes back as a difference to what went in. */
#include "cmd/policy_form.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/jsonx.h"
#include "base/mask.h"
#include "policy/passwords.h"
#include "processors/validation.h"

#define OUTPUT_MAX (64 * 1024 * 1024) /* bytes of a document and of what is printed */
#define WHERE_MAX  600                /* bytes of where a difference is */

/* A form, what was said about it, and what came of it. */
struct outcome {
    struct validation document;
    struct json_object *after; /* the document that goes back; owned */
    struct json_object *differences;
    char rule[DECISION_RULE_MAX];
};

/* -------------------------------------------------------------------- differences */

static bool add_difference(struct json_object *list, const char *path, struct json_object *before,
                           struct json_object *after)
{
    struct json_object *one = json_object_new_object();
    if (jsonx_add_text(one, "path", path) && jsonx_share(one, "before", before) &&
        jsonx_share(one, "after", after))
        return jsonx_append(list, one);
    json_object_put(one);
    return false;
}

static bool compare(struct json_object *list, const char *path, struct json_object *before,
                    struct json_object *after);

/* Elements are where they were: nothing is added to a list, or taken off it. */
static bool compare_lists(struct json_object *list, const char *path, struct json_object *before,
                          struct json_object *after)
{
    bool ok = true;
    for (size_t i = 0; ok && i < json_object_array_length(after); i++) {
        struct json_object *element = json_object_array_get_idx(after, i);
        const char *id = jsonx_str(element, "id", "");
        char inner[WHERE_MAX];
        if (id[0] != '\0')
            snprintf(inner, sizeof inner, "%.300s[%.200s]", path, id);
        else
            snprintf(inner, sizeof inner, "%.300s[%zu]", path, i);
        ok = compare(list, inner, json_object_array_get_idx(before, i), element);
    }
    return ok;
}

static bool compare_objects(struct json_object *list, const char *path, struct json_object *before,
                            struct json_object *after)
{
    bool ok = true;
    struct json_object_iterator it = json_object_iter_begin(after),
                                end = json_object_iter_end(after);
    for (; ok && !json_object_iter_equal(&it, &end); json_object_iter_next(&it)) {
        const char *name = json_object_iter_peek_name(&it);
        char inner[WHERE_MAX];
        snprintf(inner, sizeof inner, "%.300s%s%.200s", path, *path != '\0' ? "." : "", name);
        ok = compare(list, inner, jsonx_get(before, name), json_object_iter_peek_value(&it));
    }
    return ok;
}

static bool compare(struct json_object *list, const char *path, struct json_object *before,
                    struct json_object *after)
{
    if (json_object_equal(before, after))
        return true;
    if (json_object_is_type(before, json_type_object) &&
        json_object_is_type(after, json_type_object))
        return compare_objects(list, path, before, after);
    if (json_object_is_type(before, json_type_array) &&
        json_object_is_type(after, json_type_array) &&
        json_object_array_length(before) == json_object_array_length(after))
        return compare_lists(list, path, before, after);
    return add_difference(list, path, before, after);
}

/* --------------------------------------------------------------------------- ask */

static enum err find_differences(struct outcome *o, struct json_object *changes, struct why *why)
{
    struct buf text;
    buf_init(&text, OUTPUT_MAX);
    enum err e = validation_print(&text, &o->document, changes);
    if (e == ERR_OK)
        e = jsonx_parse(text.data, text.len, OUTPUT_MAX, &o->after, why);
    else
        why_set(why, e, "the answer: %s", err_text(e));
    buf_free(&text);
    o->differences = json_object_new_array();
    if (e == ERR_OK &&
        (o->differences == NULL || !compare(o->differences, "", o->document.root, o->after)))
        e = why_no_memory(why);
    return e;
}

static enum err ask(struct policy *p, struct policy_question *q, struct outcome *o, struct why *why)
{
    struct json_object *changes;
    struct why misfit;
    q->object = o->document.root;
    if (q->webhook_type == TYPE_EVENT)
        q->webhook_type = object_validator(q->object_class, q->object);
    else if (object_suits(q->object_class, q->webhook_type, q->object, &misfit) != ERR_OK)
        fprintf(stderr, "the document is not one for a %s: %s\n",
                webhook_type_name(q->webhook_type), misfit.text);
    enum err e = policy_validate(p, q, &changes, o->rule, why);
    if (e == ERR_OK) {
        e = find_differences(o, changes, why);
        json_object_put(changes);
    }
    return e;
}

/* Passwords, from the document and from what became of it. */
static enum err hide(struct outcome *o, struct why *why)
{
    struct mask m = {0};
    struct json_object *shown = NULL;
    enum err e = passwords_collect(o->document.root, NULL, &m);
    if (e == ERR_OK && o->after != NULL)
        e = passwords_collect(o->after, NULL, &m);
    if (e == ERR_OK)
        e = mask_text(&m, why->text, sizeof why->text);
    if (e == ERR_OK && o->differences != NULL)
        e = mask_json(&m, o->differences, &shown);
    mask_free(&m);
    if (e == ERR_OK && shown != NULL) {
        json_object_put(o->differences);
        o->differences = shown;
    }
    return e;
}

/* --------------------------------------------------------------------------- show */

/* As JSON, so that a text is told from a number, and nothing steers the terminal. */
static const char *text_of(struct json_object *value)
{
    return value != NULL ? json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN |
                                                                     JSON_C_TO_STRING_NOSLASHESCAPE)
                         : "null";
}

static void print_people(const struct policy_question *q, const struct outcome *o)
{
    const char *state = object_state(q->object_class, o->document.root);
    size_t n = json_object_array_length(o->differences);
    printf("document  ");
    cmd_print_plain(jsonx_str(o->document.root, "id", "without an id"));
    printf(" (%s%s", q->object_class->name, state[0] != '\0' ? ", " : "");
    cmd_print_plain(state);
    printf(")\n");
    printf("rule      %s\n", o->rule[0] != '\0' ? o->rule : "none");
    printf("errors    %zu\n", validation_errors(q->object_class, o->after));
    printf("changes   %zu\n", n);
    for (size_t i = 0; i < n; i++) {
        struct json_object *one = json_object_array_get_idx(o->differences, i);
        putchar('\n');
        cmd_print_plain(jsonx_str(one, "path", ""));
        printf("\n  - %s\n", text_of(jsonx_get(one, "before")));
        printf("  + %s\n", text_of(jsonx_get(one, "after")));
    }
}

static int print_json(const struct cmd *self, const struct policy_question *q,
                      const struct outcome *o, const char *problem)
{
    struct json_object *root = json_object_new_object();
    jsonx_add_text(root, "object", jsonx_str(o->document.root, "id", NULL));
    jsonx_add_text(root, "object_class", q->object_class->name);
    jsonx_add_text(root, "state", object_state(q->object_class, o->document.root));
    jsonx_add_text(root, "type",
                   q->webhook_type != TYPE__COUNT ? webhook_type_name(q->webhook_type) : NULL);
    jsonx_add_text(root, "rule", o->rule[0] != '\0' ? o->rule : NULL);
    if (problem == NULL)
        jsonx_add_int(root, "errors", (int64_t)validation_errors(q->object_class, o->after));
    else
        jsonx_share(root, "errors", NULL);
    jsonx_share(root, "changes", problem == NULL ? o->differences : NULL);
    jsonx_add_text(root, "problem", problem);
    return cmd_print_json(self, root);
}

int policy_form(const struct cmd *self, struct policy *p, struct policy_question *q,
                const char *text, size_t len, bool as_json)
{
    struct outcome o = {0};
    struct why why = {""};
    enum err e = validation_read(text, len, q->object_class, &o.document, &why);
    if (e != ERR_OK)
        return cmd_failed(self, "%s", why.text);
    e = ask(p, q, &o, &why);
    if (hide(&o, &why) != ERR_OK)
        e = why_no_memory(&why);
    int status = CMD_OK;
    if (as_json)
        status = print_json(self, q, &o, e != ERR_OK ? why.text : NULL);
    else if (e == ERR_OK)
        print_people(q, &o);
    fflush(stdout);
    if (e != ERR_OK)
        status = cmd_failed(self, "%s", why.text);
    json_object_put(o.differences);
    json_object_put(o.after);
    validation_free(&o.document);
    return status;
}
