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
bool sim_kinds(struct sim_call *c);
bool sim_webhooks(struct sim_call *c);
bool sim_catalog(struct sim_call *c);

/* usage.c: is what is sent a file, and not JSON? */
bool sim_is_upload(const struct sim_call *c);

/* trigger.c: call a webhook for real. Called WITHOUT the lock. */
bool sim_is_trigger(const struct sim_call *c);
bool sim_trigger(struct sim_call *c);

#endif
