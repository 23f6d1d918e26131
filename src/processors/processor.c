/* processor.c - from a class to what handles it. */
#include "processors/processor.h"

#include "processors/list.h"

static const struct processor *const processors[] = {
#define X(name) &processor_##name,
    PROCESSOR_LIST(X)
#undef X
};

const char *outcome_name(enum outcome o)
{
    static const char *const names[] = {
#define X(code, name) [code] = name,
        OUTCOME_LIST(X)
#undef X
    };
    return (unsigned)o < sizeof names / sizeof *names ? names[o] : "unknown";
}

const struct processor *processor_find(enum object_class c)
{
    for (size_t i = 0; i < sizeof processors / sizeof processors[0]; i++)
        if (processors[i]->object_class == c)
            return processors[i];
    return NULL;
}
