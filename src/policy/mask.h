/*
 * mask.h - passwords hidden before a decision is shown or kept.
 */
#ifndef POLICY_MASK_H
#define POLICY_MASK_H

#include <json-c/json.h>

#include "base/err.h"

#define MASK_TEXT "********"

/*
 * A copy of a decision in which the parameters that `object` knows as passwords have no values;
 * owned by the caller.
 */
enum err mask_decision(const struct json_object *decision, const struct json_object *object,
                       struct json_object **ret);

#endif
