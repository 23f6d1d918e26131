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
