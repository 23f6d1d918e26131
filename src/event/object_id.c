/* object_id.c - what an id looks like, and what it tells. */
#include "event/object_id.h"

#include <string.h>

bool object_id_valid(const char *id)
{
    static const char capitals[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static const char word[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
    size_t prefix = strspn(id, capitals);
    const char *at = id + prefix;
    if (prefix < 2 || prefix > 4 || *at != '-' || strnlen(id, OBJECT_ID_MAX) == OBJECT_ID_MAX)
        return false;
    while (*at == '-') {
        size_t n = strspn(at + 1, word);
        if (n == 0)
            return false;
        at += 1 + n;
    }
    return *at == '\0';
}

const char *side_name(enum side s)
{
    return s == SIDE_VENDOR ? "vendor" : "distributor";
}

enum err side_of_account(const char *account_id, enum side *ret)
{
    if (!object_id_valid(account_id))
        return ERR_INVALID;
    if (strncmp(account_id, "VA-", 3) == 0)
        *ret = SIDE_VENDOR;
    else if (strncmp(account_id, "PA-", 3) == 0)
        *ret = SIDE_DISTRIBUTOR;
    else
        return ERR_INVALID;
    return ERR_OK;
}
