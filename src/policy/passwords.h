/*
 * passwords.h - the values of the parameters of type `password` that an object and a decision hold.
 */
#ifndef POLICY_PASSWORDS_H
#define POLICY_PASSWORDS_H

#include <json-c/json.h>

#include "base/err.h"
#include "base/mask.h"

/*
 * Add to a mask the passwords of an object, wherever in it a parameter stands, and those that a
 * decision (NULL is none) would give to its parameters: the value, and every text and number of a
 * structured one. Borrowed from the two. ERR_NOMEM.
 */
enum err passwords_collect(const struct json_object *object, const struct json_object *decision,
                           struct mask *m);

#endif
