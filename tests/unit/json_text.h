/*
 * json_text.h - JSON in a test's text, made a tree.
 */
#ifndef JSON_TEXT_H
#define JSON_TEXT_H

#include <stdlib.h>
#include <string.h>

#include "base/jsonx.h"
#include "unit.h"

/* Owned by the caller; what is no JSON fails the test. A text without any " may have ' for it. */
static inline struct json_object *json(const char *text)
{
    struct json_object *root = NULL;
    struct why why = {""};
    char *quoted = strdup(text);
    assert_non_null(quoted);
    if (strchr(text, '"') == NULL)
        for (char *c = quoted; (c = strchr(c, '\'')) != NULL;)
            *c = '"';
    if (jsonx_parse(quoted, strlen(quoted), JSONX_SIZE_MAX, &root, &why) != ERR_OK)
        fail_msg("%s: %s", text, why.text);
    free(quoted);
    return root;
}

#endif
