/*
 * passwords.h - the values of the parameters of type `password` that an object and an answer hold.
 */
#ifndef POLICY_PASSWORDS_H
#define POLICY_PASSWORDS_H

#include <json-c/json.h>

#include "base/err.h"
#include "base/mask.h"

/*
 * Add to a mask the passwords of an object, wherever in it a parameter stands, and those that it
 * would be given by the parameters of an answer (an array; NULL is none): the value, and every text
 * and number of a structured one. Borrowed from the two. ERR_NOMEM.
 */
enum err passwords_collect(const struct json_object *object, const struct json_object *given,
                           struct mask *m);

#endif
