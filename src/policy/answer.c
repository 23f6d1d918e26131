/* answer.c - what a program says. */
#include "policy/answer.h"

#include <inttypes.h>

#include "base/jsonx.h"

enum err answer_read(const char *name, const char *text, size_t len, struct json_object **ret,
                     struct why *why)
{
    struct why story = {""};
    struct json_object *root = NULL;
    if (jsonx_behind_space(text, text + len) == text + len)
        return why_set(why, ERR_PROGRAM, "%s answered nothing", name);
    enum err e = jsonx_parse(text, len, len, &root, &story);
    if (e == ERR_NOMEM)
        return why_no_memory(why);
    if (e == ERR_OK && json_object_is_type(root, json_type_object)) {
        *ret = root;
        return ERR_OK;
    }
    json_object_put(root);
    return why_set(why, ERR_PROGRAM, "%s answered what is no JSON object%s%s", name,
                   story.text[0] != '\0' ? ": " : "", story.text);
}

enum err answer_check_id(const char *name, struct json_object *answer, int64_t id, struct why *why)
{
    int64_t said;
    if (!jsonx_whole(jsonx_get(answer, "id"), &said))
        return ERR_OK;
    if (said != id)
        return why_set(why, ERR_PROGRAM, "%s answered question %" PRId64 ", but was asked %" PRId64,
                       name, said, id);
    json_object_object_del(answer, "id");
    return ERR_OK;
}
