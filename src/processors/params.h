/*
 * params.h - parameters of an object: what a decision would change of them.
 */
#ifndef PROCESSORS_PARAMS_H
#define PROCESSORS_PARAMS_H

#include <json-c/json.h>

#include "base/err.h"

/*
 * Those of `wanted` (NULL is none) that say something else than `present` (an array, or NULL)
 * does (processors/same.h), each as it was written but for members that are null. Owned by the
 * caller. ERR_NOMEM.
 */
enum err params_changed(const struct json_object *wanted, const struct json_object *present,
                        struct json_object **ret);

#endif
