/* template.c - the product's only template, or the names of all. */
#include "processors/template.h"

#include <stdbool.h>
#include <string.h>

#include "base/buf.h"
#include "base/jsonx.h"
#include "processors/act.h"

/* Servers that know no filter send everything. */
static bool matches(const struct json_object *t, const char *scope, const char *type)
{
    return strcmp(jsonx_str(t, "scope", scope), scope) == 0 &&
           strcmp(jsonx_str(t, "type", type), type) == 0 && object_id_valid(jsonx_str(t, "id", ""));
}

static enum outcome name_them(struct job *job, const char *type, const struct json_object *list,
                              const char *scope)
{
    struct buf names;
    struct why why;
    buf_init(&names, WHY_MAX / 2);
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        const struct json_object *t = json_object_array_get_idx(list, i);
        const char *name = jsonx_str(t, "name", jsonx_str(t, "title", ""));
        if (matches(t, scope, type))
            buf_printf(&names, "%s%s (%.40s)", names.len > 0 ? ", " : "", jsonx_str(t, "id", ""),
                       name);
    }
    why_set(&why, ERR_POLICY, "%s needs a template_id: product %s has several of type %s: %s%s",
            job->decision->action, job->product_id, type, names.data,
            names.err != ERR_OK ? ", ..." : "");
    buf_free(&names);
    return act_fail(job, ERR_POLICY, &why);
}

enum outcome template_only(struct job *job, const char *scope, const char *type, const char *own,
                           struct json_object **ret_list, const char **ret)
{
    struct api_call call = {.deadline = job->deadline};
    struct json_object *list;
    const char *only = NULL;
    size_t count = 0;
    enum err e = api_templates(job->api, &call, job->product_id, scope, type, &list);
    if (e != ERR_OK)
        return act_fail_call(job, e, &call);
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        const struct json_object *t = json_object_array_get_idx(list, i);
        if (!matches(t, scope, type))
            continue;
        const char *id = jsonx_str(t, "id", "");
        bool is_own = own != NULL && strcmp(id, own) == 0;
        only = is_own || count == 0 ? id : only;
        count++;
        if (is_own) {
            count = 1;
            break;
        }
    }
    if (count > 1) {
        enum outcome o = name_them(job, type, list, scope);
        json_object_put(list);
        return o;
    }
    *ret_list = list;
    *ret = only;
    return OUTCOME_DONE;
}
