/*
 * quantity.h - numbers with a unit, as people write them: 30s, 64KiB.
 */
#ifndef BASE_QUANTITY_H
#define BASE_QUANTITY_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum quantity {
    QUANTITY_COUNT,    /* no unit */
    QUANTITY_DURATION, /* ms, s, m, h, d; in ms */
    QUANTITY_SIZE,     /* none, KiB, MiB, GiB; in bytes */
};

/* Digits without a sign or zeros before them, and a unit; 0 needs none. ERR_TYPE: it is nothing of
 * the kind; ERR_RANGE: that is more than an int64_t can be. */
enum err quantity_parse(enum quantity q, const char *text, int64_t *ret);

/* In the largest unit that divides it. `value` is not negative. */
void quantity_print(struct buf *b, enum quantity q, int64_t value);

#endif
