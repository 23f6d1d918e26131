/*
 * reply.h - the ground of every room of connect-sim: a call, its answer, and what it changes.
 */
#ifndef SIM_REPLY_H
#define SIM_REPLY_H

#include <stdbool.h>
#include <stdint.h>

#include <json-c/json.h>

#include "base/buf.h"
#include "sim/sim.h"

/* One call. */
struct sim_call {
    struct sim *sim;
    const char *method;
    const char *url;        /* its path, decoded */
    const char *query;      /* as it came, "" if none; NULL: too long */
    const char *key;        /* the header Authorization, or NULL */
    const struct buf *sent; /* its body; may be in error */

    const char *parts[8];     /* of the path behind /public/v1/, NULL-terminated */
    struct json_object *body; /* what was sent, NULL if nothing */
    bool effect;              /* it changed an object */

    int status;
    struct json_object *answer; /* owned by the call; NULL for an empty body */
    char content_range[64];     /* "" if none */
    struct fault fault;
    struct buf out; /* the answer as text: call.h */
};

/* Answers. Each returns true, so that a handler can end with it. */
bool sim_ok(struct sim_call *c, int status, struct json_object *answer); /* takes `answer` */
bool sim_error(struct sim_call *c, int status, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
bool sim_no_method(struct sim_call *c);
/* A page of a list; of those with this second key, if `key` is not NULL. */
bool sim_list(struct sim_call *c, enum store_name n, const char *key);

/* Is the method `method` and has the path `count` parts? */
bool sim_is(const struct sim_call *c, const char *method, int count);
/* The object is new (`object` is taken; the answer becomes 500 and false if it cannot be), or has
 * changed. */
bool sim_add(struct sim_call *c, enum store_name n, struct json_object *object);
/* ... and answer 201 with it. */
bool sim_created(struct sim_call *c, enum store_name n, struct json_object *object);
void sim_changed(struct sim_call *c, enum store_name n, const struct json_object *object);

/* "ME-0000-0000-0001", the next that is free. */
void sim_new_id(struct sim *s, enum store_name n, const char *prefix, char ret_id[40]);
struct json_object *sim_now(void); /* a string, owned by the caller */

#endif
