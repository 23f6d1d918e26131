/* yamlx_priv.h - what yamlx.c and yamlx_json.c share: the tree. */
#ifndef BASE_YAMLX_PRIV_H
#define BASE_YAMLX_PRIV_H

#include <stdbool.h>
#include <stddef.h>

#include "base/yamlx.h"

struct yamlx_node {
    enum yamlx_type type;
    const struct yamlx *file;
    int line, column; /* from 1 */
    bool plain;       /* a scalar without quotes */
    char *text;       /* of a scalar; owned */
    size_t len;
    struct yamlx_node **children; /* of a sequence; of a mapping key, value, key, value; owned */
    size_t count, room;
};

struct yamlx {
    char *name;
    struct yamlx_node *root; /* NULL for an empty document */
    uint8_t sha256[YAMLX_SHA256_LEN];
};

#endif
