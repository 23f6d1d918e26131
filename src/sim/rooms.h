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
/* Read what was sent; false if it is not JSON within the limit, with the answer that says so. */
bool sim_read_body(struct sim_call *c);

/* Who answers which path: false if it is none of theirs. Called with the lock. */
bool sim_kinds(struct sim_call *c);
bool sim_webhooks(struct sim_call *c);
bool sim_catalog(struct sim_call *c);

/* usage.c: is what is sent a file, and not JSON? */
bool sim_is_upload(const struct sim_call *c);

/* The same of what calls webhooks for real, and so is called WITHOUT the lock: trigger.c,
 * validate.c. */
bool sim_trigger(struct sim_call *c);
bool sim_validate(struct sim_call *c);

#endif
