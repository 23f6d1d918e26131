/*
 * verbs.h - what is done with fulfillment requests.
 */
#ifndef SIM_VERBS_H
#define SIM_VERBS_H

#include "sim/reply.h"

/* POST /requests/{id}/{verb}. Called with the lock. */
bool sim_verb(struct sim_call *c, struct json_object *request);
/* Has the request come to its end? */
bool sim_is_over(const struct json_object *request);
/*
 * What the asset's status is while a request of this type waits; NULL if there is no such type.
 * *ret_on is the status that an asset must have for it: one, or two separated by a space.
 */
const char *sim_while_pending(const char *type, const char **ret_on);

#endif
