/* quantity.c - numbers with a unit. */
#include "base/quantity.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define UNITS_MAX 6

struct unit {
    const char *name; /* NULL: the last one */
    int64_t factor;
};

/* Smallest first, and each divides the next. */
static const struct unit units[][UNITS_MAX] = {
    [QUANTITY_COUNT] = {{"", 1}},
    [QUANTITY_DURATION] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}},
    [QUANTITY_SIZE] = {{"", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}},
};

enum err quantity_parse(enum quantity q, const char *text, int64_t *ret)
{
    const char *unit = text + strspn(text, "0123456789");
    const struct unit *u = units[q];
    bool is_zero = strcmp(text, "0") == 0; /* of whatever unit */
    while (!is_zero && u->name != NULL && strcmp(u->name, unit) != 0)
        u++;
    if (unit == text || (text[0] == '0' && unit > text + 1) || u->name == NULL)
        return ERR_TYPE;
    errno = 0;
    long long value = strtoll(text, NULL, 10);
    if (errno != 0 || value > INT64_MAX / u->factor)
        return ERR_RANGE;
    *ret = value * u->factor;
    return ERR_OK;
}

void quantity_print(struct buf *b, enum quantity q, int64_t value)
{
    const struct unit *best = units[q];
    for (const struct unit *u = best; u->name != NULL; u++)
        if (value % u->factor == 0)
            best = u;
    if (value == 0)
        buf_addstr(b, "0");
    else
        buf_printf(b, "%" PRId64 "%s", value / best->factor, best->name);
}
