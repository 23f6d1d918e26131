/*
 * template.h - which of a product's templates a verb shows to the customer.
 */
#ifndef PROCESSORS_TEMPLATE_H
#define PROCESSORS_TEMPLATE_H

#include <json-c/json.h>

#include "processors/processor.h"

/*
 * Find the product's only template of a scope and type; `own` (or NULL) is taken before the
 * others if it is among them. DONE with its id in *ret, owned by *ret_list (json_object_put()),
 * or with NULL if there is none; with several the job ends, and its story names them.
 */
enum outcome template_only(struct job *job, const char *scope, const char *type, const char *own,
                           struct json_object **ret_list, const char **ret);

#endif
