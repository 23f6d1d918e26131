/* waits.c - one number for each. */
#include "base/waits.h"

#include <stdlib.h>
#include <string.h>

#include "base/quantity.h"

static int64_t waits[] = {
#define X(code, name, ms) [code] = ms,
    WAITS_LIST(X)
#undef X
};

static const char *const names[] = {
#define X(code, name, ms) [code] = name,
    WAITS_LIST(X)
#undef X
};

int64_t waits_ms(enum wait w)
{
    return waits[w];
}

static enum err load_word(char *word, int64_t *into, struct why *why)
{
    char *value = strchr(word, '=');
    if (value != NULL)
        *value++ = '\0';
    for (int w = 0; value != NULL && w < WAITS__COUNT; w++)
        if (strcmp(word, names[w]) == 0 &&
            quantity_parse(QUANTITY_DURATION, value, &into[w]) == ERR_OK)
            return ERR_OK;
    return why_set(why, ERR_INVALID, "CONNECT_WEBHOOK_WAITS: '%s' is no wait with its length",
                   word);
}

enum err waits_load(const char *text, struct why *why)
{
    int64_t loaded[WAITS__COUNT];
    char *rest = NULL, *copy = text != NULL ? strdup(text) : NULL;
    enum err e = ERR_OK;
    if (text == NULL)
        return ERR_OK;
    if (copy == NULL)
        return why_no_memory(why);
    memcpy(loaded, waits, sizeof loaded);
    for (char *word = strtok_r(copy, " ", &rest); word != NULL && e == ERR_OK;
         word = strtok_r(NULL, " ", &rest))
        e = load_word(word, loaded, why);
    if (e == ERR_OK)
        memcpy(waits, loaded, sizeof waits);
    free(copy);
    return e;
}
