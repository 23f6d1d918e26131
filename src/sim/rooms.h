/*
 * rooms.h - from the socket to the object: each room is asked by those above it.
 */
#ifndef SIM_ROOMS_H
#define SIM_ROOMS_H

#include "sim/reply.h"

/* server.c: serve until SIGTERM or SIGINT; prints the ready line. */
enum err sim_serve(struct sim *s, const char *listen, struct why *why);

/* call.c: serve one call, from any thread. Fills status, content_range, fault and out. */
void sim_call(struct sim_call *c);
void sim_call_free(struct sim_call *c);

/* Who answers which path: false if it is none of theirs. Called with the lock. */
bool sim_requests(struct sim_call *c);
bool sim_webhooks(struct sim_call *c);
bool sim_catalog(struct sim_call *c);

/* trigger.c: call a webhook for real. Called WITHOUT the lock. */
bool sim_is_trigger(const struct sim_call *c);
bool sim_trigger(struct sim_call *c);

/* verbs.c: POST /requests/{id}/{verb}. Called with the lock. */
bool sim_verb(struct sim_call *c, struct json_object *request);
/* Has the request come to its end? */
bool sim_is_over(const struct json_object *request);
/*
 * What the asset's status is while a request of this type waits; NULL if there is no such type.
 * *ret_on is the status that an asset must have for it: one, or two separated by a space.
 */
const char *sim_while_pending(const char *type, const char **ret_on);

#endif
