/*
 * json_text.h - JSON in a test's text, made a tree.
 */
#ifndef JSON_TEXT_H
#define JSON_TEXT_H

#include <string.h>

#include "base/jsonx.h"
#include "unit.h"

/* Owned by the caller; what is no JSON fails the test. */
static inline struct json_object *json(const char *text)
{
    struct json_object *root = NULL;
    struct why why = {""};
    if (jsonx_parse(text, strlen(text), JSONX_SIZE_MAX, &root, &why) != ERR_OK)
        fail_msg("%s: %s", text, why.text);
    return root;
}

#endif
