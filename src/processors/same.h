/*
 * same.h - do two values say the same to Connect?
 *
 * An absent member, null, "" and {} are the same: Connect writes all of them for nothing. Scalars
 * compare by their text: a value of 8 is given back as "8", and numbers that differ in their
 * twentieth digit differ.
 */
#ifndef PROCESSORS_SAME_H
#define PROCESSORS_SAME_H

#include <stdbool.h>

#include <json-c/json.h>

bool same_value(struct json_object *a, struct json_object *b);
/* ... but for numbers, which compare as doubles: those that a program has read and written again
 * often are others in their text. */
bool same_to_a_program(struct json_object *a, struct json_object *b);
/* Does `present` say all that `wanted` does? It may say more, beside it. */
bool same_holds(struct json_object *wanted, struct json_object *present);

#endif
