/*
 * array.h - room in arrays that grow.
 */
#ifndef BASE_ARRAY_H
#define BASE_ARRAY_H

#include <stddef.h>

/*
 * Room for one more behind `count` elements of `size` bytes, of which `list` holds *cap; an empty
 * array is NULL and 0. Returns the array, which may have moved, and is free()d by its owner; NULL:
 * out of memory, and all is as it was.
 *
 *     struct place *places = array_room(c->places, c->count, &c->cap, sizeof *places);
 *     if (places == NULL)
 *         return ERR_NOMEM;
 *     c->places = places;
 *     c->places[c->count++] = place;
 */
void *array_room(void *list, size_t count, size_t *cap, size_t size);

#endif
