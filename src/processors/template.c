/* template.c - by name, the object's own, or the only one there is. */
#include "processors/template.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/jsonx.h"

/* What is looked for. */
struct wanted {
    const char *scope, *type;
    const char *key, *value; /* a member of the template and what it must be; NULL for any */
};

void template_lists_free(struct template_lists *lists)
{
    for (size_t i = 0; i < lists->count; i++)
        json_object_put(lists->kinds[i].list);
    lists->count = 0;
}

/* Our key may not see the product's templates; it may send the id of one all the same. */
static enum outcome fail_list(struct job *job, struct api_call *call)
{
    enum err e = call->result.err;
    if (e == ERR_HTTP_FORBIDDEN || e == ERR_HTTP_NOT_FOUND)
        why_prefix(&call->result.why, e, "%s needs a template_id, as templates cannot be looked up",
                   job->decision->action);
    return job_fail_call(job, call);
}

static enum outcome list_them(struct job *job, const char *scope, const char *type,
                              const struct json_object **ret)
{
    struct template_lists *lists = job->templates;
    for (size_t i = 0; i < lists->count; i++)
        if (strcmp(lists->kinds[i].scope, scope) == 0 && strcmp(lists->kinds[i].type, type) == 0) {
            *ret = lists->kinds[i].list;
            return OUTCOME_GO_ON;
        }
    struct api_call call = job_call(job, job->deadline);
    struct json_object *list;
    if (lists->count == TEMPLATE_KINDS_MAX)
        return job_fail(result_set(&job->result, ERR_INVALID, "more than %d kinds of templates",
                                   TEMPLATE_KINDS_MAX));
    if (api_templates(job->api, &call, job->product_id, scope, type, &list) != ERR_OK)
        return fail_list(job, &call);
    snprintf(lists->kinds[lists->count].scope, CLASS_SCOPE_MAX, "%s", scope);
    lists->kinds[lists->count].type = type;
    lists->kinds[lists->count++].list = list;
    *ret = list;
    return OUTCOME_GO_ON;
}

static bool has(const struct json_object *t, const char *key, const char *value)
{
    const char *is = jsonx_str(t, key, NULL);
    return is != NULL && strcmp(is, value) == 0;
}

/* Servers that know no filter send everything. */
static bool matches(const struct json_object *t, const struct wanted *w)
{
    return strcmp(jsonx_str(t, "scope", w->scope), w->scope) == 0 &&
           strcmp(jsonx_str(t, "type", w->type), w->type) == 0 &&
           object_id_valid(jsonx_str(t, "id", "")) && (w->key == NULL || has(t, w->key, w->value));
}

/* How many there are; *ret is the id of one. */
static size_t count(const struct json_object *list, const struct wanted *w, const char **ret)
{
    size_t n = 0;
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        const struct json_object *t = json_object_array_get_idx(list, i);
        if (matches(t, w)) {
            *ret = jsonx_str(t, "id", NULL);
            n++;
        }
    }
    return n;
}

/* "TL-1-2-3 (Default), TL-4-5-6 (Trial)" */
static void name_them(struct buf *b, const struct json_object *list, const struct wanted *w)
{
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        const struct json_object *t = json_object_array_get_idx(list, i);
        if (matches(t, w))
            buf_printf(b, "%s%s (%.40s)", b->len > 0 ? ", " : "", jsonx_str(t, "id", ""),
                       jsonx_str(t, "name", jsonx_str(t, "title", "")));
    }
}

static enum outcome fail(struct job *job, const struct json_object *list, const struct wanted *w,
                         const char *problem)
{
    struct buf names;
    buf_init(&names, WHY_MAX / 2);
    name_them(&names, list, w);
    result_set(&job->result, ERR_POLICY, "%s: %.160s; product %s has of type %s: %s%s",
               job->decision->action, problem, job->product_id, w->type,
               names.len > 0 ? names.data : "none", names.err != ERR_OK ? ", ..." : "");
    buf_free(&names);
    return job_fail(ERR_POLICY);
}

static enum outcome find_named(struct job *job, const struct json_object *list,
                               const struct wanted *any, const char *name, const char **ret)
{
    const struct wanted by_name = {any->scope, any->type, "name", name};
    const struct wanted by_title = {any->scope, any->type, "title", name};
    char problem[160];
    size_t n = count(list, &by_name, ret);
    if (n == 0)
        n = count(list, &by_title, ret);
    if (n == 1)
        return OUTCOME_GO_ON;
    snprintf(problem, sizeof problem, "%s called \"%.100s\"",
             n == 0 ? "no template is" : "several templates are", name);
    return fail(job, list, any, problem);
}

enum outcome template_find(struct job *job, const char *type, const char **ret)
{
    char scope[CLASS_SCOPE_MAX];
    const struct json_object *list = NULL;
    const char *name = jsonx_str(job->decision->json, "template", NULL);
    const char *own = jsonx_str(jsonx_object(job->object, "template"), "id", "");
    const struct wanted any = {scope, type, NULL, NULL}, this = {scope, type, "id", own};
    *ret = NULL;
    if (!object_template_scope(job->object_class, job->object, scope))
        return job_fail(result_set(&job->result, ERR_POLICY,
                                   "%s needs a template_id, as the object does not say its %s",
                                   job->decision->action, job->object_class->tier));
    enum outcome o = list_them(job, scope, type, &list);
    if (o != OUTCOME_GO_ON)
        return o;
    if (name != NULL)
        return find_named(job, list, &any, name, ret);
    if (count(list, &this, ret) > 0 || count(list, &any, ret) <= 1)
        return OUTCOME_GO_ON;
    return fail(job, list, &any, "needs a template or a template_id");
}
