/*
 * sim.h - the rooms of connect-sim: a stand-in for Connect on your own machine.
 *
 * The store is one JSON document, of the shape that --seed reads:
 *     {"requests":[...],"templates":[...],"products":[...],"conversations":[...],
 *      "webhooks":[...],"accounts":[...]}
 * One lock guards it. It is never held while a webhook is called: the handler calls back.
 */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include <pthread.h>
#include <stdbool.h>

#include <json-c/json.h>

#include "base/err.h"

#define SIM_BODY_MAX  (1024 * 1024)                /* bytes of a request's body */
#define SIM_SEED_MAX  (16 * 1024 * 1024)           /* bytes of a seed */
#define SIM_CALLS_MAX 100000                       /* calls that are remembered */
#define SIM_API_KEY   "SU-000-000-000:connect-sim" /* unless --api-key says otherwise */

struct sim_options {
    const char *api_key;
    const char *auth_header; /* that carries the token of a webhook's call */
    bool plural;             /* "fulfillment_requests" in claims */
    bool allow_remote;       /* call webhooks that are not on this machine */
};

struct sim {
    struct sim_options options;
    char url[128];        /* of the API */
    pthread_mutex_t lock; /* guards what follows */
    struct json_object *store;
    struct json_object *calls; /* GET /_sim/calls */
    int64_t next_id;
};

/* One API call. */
struct sim_call {
    struct sim *sim;
    const char *method;
    const char *parts[8];     /* of the path behind /public/v1/, NULL-terminated */
    const char *query;        /* as it came, "" if none */
    struct json_object *body; /* NULL if none; owned by the caller */
    bool effect;              /* it changed an object */

    int status;
    struct json_object *answer; /* owned by the call; NULL for an empty body */
    char content_range[64];
};

/* Answers. Each returns true, so that a handler can end with it. */
bool sim_ok(struct sim_call *c, int status, struct json_object *answer); /* takes `answer` */
bool sim_error(struct sim_call *c, int status, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* requests.c, webhooks.c, catalog.c: false if the path is none of theirs. Called with the lock. */
bool sim_requests(struct sim_call *c);
bool sim_webhooks(struct sim_call *c);
bool sim_catalog(struct sim_call *c);
/* Calls a webhook for real. Called WITHOUT the lock. */
bool sim_trigger(struct sim_call *c);
bool sim_is_trigger(const struct sim_call *c);

/* store.c */
struct json_object *sim_collection(struct sim *s, const char *name); /* an array, borrowed */
struct json_object *sim_find(struct sim *s, const char *collection, const char *id);
/* "PR-0000-0001"; borrowed from `text`. */
void sim_new_id(struct sim *s, const char *prefix, char text[40]);
struct json_object *sim_now(void); /* a string, owned by the caller */
/* A whole list answer: filter, ordering, page, Content-Range. */
bool sim_list(struct sim_call *c, struct json_object *collection);
/* Is the method `method` and has the path `count` parts? */
bool sim_is(const struct sim_call *c, const char *method, int count);

/* seed.c */
extern const char sim_seed[];

/* server.c: serve until `stop_fd` is readable. *ret_port is set before the ready line. */
enum err sim_serve(struct sim *s, const char *listen, struct why *why);

#endif
