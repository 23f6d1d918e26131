/* webhook_type.c - the types of webhooks by their names. */
#include "event/webhook_type.h"

#include <string.h>

static const char *const names[TYPE__COUNT] = {
#define X(code, name) [code] = name,
    WEBHOOK_TYPE_LIST(X)
#undef X
};

const char *webhook_type_name(enum webhook_type t)
{
    return (unsigned)t < TYPE__COUNT ? names[t] : "unknown";
}

enum err webhook_type_parse(const char *name, enum webhook_type *ret)
{
    for (unsigned t = 0; t < TYPE__COUNT; t++)
        if (strcmp(name, names[t]) == 0) {
            *ret = (enum webhook_type)t;
            return ERR_OK;
        }
    return ERR_INVALID;
}
