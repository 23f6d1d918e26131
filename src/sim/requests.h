/*
 * requests.h - fulfillment requests, and the assets that follow them. For the rooms of both alone,
 * and for what waits for tier configurations.
 */
#ifndef SIM_REQUESTS_H
#define SIM_REQUESTS_H

#include "sim/kind.h"

/* requests.c */
bool sim_request_create(struct sim_call *c);
bool sim_request_put(struct sim_call *c, struct json_object *request);

/*
 * request_verbs.c: what the asset's status is while a request of this type waits; NULL if there is
 * no such type. *ret_on is the status that an asset must have for it: one, or two separated by a
 * space.
 */
const char *sim_while_pending(const char *type, const char **ret_on);
/* The request goes on to this state, and takes its asset with it. */
void sim_request_goes(struct sim_call *c, struct json_object *request, const char *to);

/* assets.c: the asset as the last request that went through left it, borrowed; NULL if there is
 * none. */
struct json_object *sim_present_asset(const struct store *s, const char *asset_id);
/* A request is new, or has gone on: what is listed as its asset becomes what it is now. */
void sim_asset_follows(struct store *s, const struct json_object *request);

#endif
