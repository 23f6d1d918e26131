/* err.c - names, texts and stories of failures. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

const char *err_name(enum err e)
{
    static const char *const names[] = {
#define X(code, name, lasting, text) [code] = name,
        ERR_LIST(X)
#undef X
    };
    return (unsigned)e < ERR__COUNT ? names[e] : "unknown";
}

const char *err_text(enum err e)
{
    static const char *const texts[] = {
#define X(code, name, lasting, text) [code] = text,
        ERR_LIST(X)
#undef X
    };
    return (unsigned)e < ERR__COUNT ? texts[e] : "unknown error";
}

bool err_passes(enum err e)
{
    enum { STAYS, PASSES };
    static const char lasting[] = {
#define X(code, name, lasting, text) [code] = lasting,
        ERR_LIST(X)
#undef X
    };
    return (unsigned)e < ERR__COUNT && lasting[e] == PASSES;
}

__attribute__((format(printf, 2, 0))) static void tell(struct why *why, const char *fmt, va_list ap)
{
    vsnprintf(why->text, sizeof why->text, fmt, ap);
    utf8_clean(why->text);
}

enum err(why_set)(struct why *why, enum err e, const char *fmt, ...)
{
    if (why != NULL) {
        va_list ap;
        va_start(ap, fmt);
        tell(why, fmt, ap);
        va_end(ap);
    }
    return e;
}

enum err(why_no_memory)(struct why *why)
{
    return why_set(why, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
}

enum err why_prefix(struct why *why, enum err e, const char *fmt, ...)
{
    if (why != NULL) {
        char prefix[WHY_MAX / 2];
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(prefix, sizeof prefix - 2, fmt, ap);
        va_end(ap);
        size_t n = strlen(prefix);
        memcpy(prefix + n, ": ", sizeof ": ");
        n += 2;
        size_t told = strlen(why->text);
        if (told > sizeof why->text - n - 1)
            told = sizeof why->text - n - 1;
        memmove(why->text + n, why->text, told);
        memcpy(why->text, prefix, n);
        why->text[n + told] = '\0';
        utf8_clean(why->text);
    }
    return e;
}

enum err(result_set)(struct result *r, enum err e, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    tell(&r->why, fmt, ap);
    va_end(ap);
    return r->err = e;
}

enum err(result_no_memory)(struct result *r)
{
    return r->err = why_no_memory(&r->why);
}
