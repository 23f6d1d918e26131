/* array.c - room in arrays that grow. */
#include "base/array.h"

#include <stdlib.h>

#define FIRST_CAP 16 /* elements */

void *array_room(void *list, size_t count, size_t *cap, size_t size)
{
    if (count < *cap)
        return list;
    size_t more = *cap > 0 ? 2 * *cap : FIRST_CAP;
    void *moved = reallocarray(list, more, size);
    if (moved != NULL)
        *cap = more;
    return moved;
}

size_t array_place(const void *list, size_t count, size_t size, const void *key,
                   array_order_fn *order)
{
    const char *elements = list;
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (order(elements + middle * size, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}
