/*
 * rooms.h - who answers which path of the API.
 */
#ifndef SIM_ROOMS_H
#define SIM_ROOMS_H

#include "sim/reply.h"

/* False if the path is none of theirs. Called with the lock. */
bool sim_requests(struct sim_call *c);
bool sim_webhooks(struct sim_call *c);
bool sim_catalog(struct sim_call *c);

/* Call a webhook for real. Called WITHOUT the lock. */
bool sim_is_trigger(const struct sim_call *c);
bool sim_trigger(struct sim_call *c);

#endif
