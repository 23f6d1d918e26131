/*
 * call.h - the life of one call: meet a fault, be let in, find a room, be remembered, be answered.
 */
#ifndef SIM_CALL_H
#define SIM_CALL_H

#include "sim/reply.h"

/* Serve one call, from any thread. Fills status, content_range, fault and out. */
void sim_call(struct sim_call *c);
void sim_call_free(struct sim_call *c);

#endif
