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

/*
 * Where `key` is among `count` sorted elements of `size` bytes, or belongs: the first that does not
 * come before it. order(): less than 0 if the element comes before the key, 0 if it is that.
 */
typedef int array_order_fn(const void *element, const void *key);
size_t array_place(const void *list, size_t count, size_t size, const void *key,
                   array_order_fn *order);

#endif
