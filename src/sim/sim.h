/*
 * sim.h - the rooms of connect-sim: a stand-in for Connect on your own machine.
 *
 *     sim.c       options and seed            store.c, list.c  the objects, and their lists
 *     server.c    HTTP: bytes in, bytes out   requests.c       fulfillment requests: made, changed
 *     call.c      the life of one call        verbs.c          ... and what is done with them
 *     calls.c     what /_sim/calls shows      webhooks.c       webhooks: made, changed
 *     faults.c    what goes wrong on purpose  trigger.c        ... and called
 *                                             catalog.c        what processing looks up
 *
 * One lock guards the objects, the calls and the faults. It is never held while a webhook is
 * called (the handler calls back) or while a fault delays an answer.
 */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <json-c/json.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/http.h"
#include "base/jsonx.h"
#include "sim/calls.h"
#include "sim/faults.h"
#include "sim/store.h"

#define SIM_BODY_MAX   (1024 * 1024)                /* bytes of a request's body */
#define SIM_SEED_MAX   JSONX_SIZE_MAX               /* bytes of a seed */
#define SIM_ANSWER_MAX (256 * 1024 * 1024)          /* bytes of an answer */
#define SIM_API_KEY    "SU-000-000-000:connect-sim" /* unless --api-key says otherwise */

#define SIM_PROCESSING_TIMEOUT 600               /* s; how long a webhook's call may take */
#define SIM_RESPONSE_MAX       (4 * 1024 * 1024) /* bytes of what it answers */

struct sim_options {
    const char *api_key;
    const char *auth_header; /* that carries the token of a webhook's call */
    bool plural;             /* "fulfillment_requests" in claims */
    bool allow_remote;       /* call webhooks that are not on this machine */
};

struct sim {
    struct sim_options options;
    char url[128];        /* of the API; set before the first call */
    struct http *http;    /* that calls webhooks */
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t stop;  /* of CLOCK_MONOTONIC; is_stopping has become true */
    bool is_stopping;
    struct store *store;
    struct calls *calls;
    struct faults *faults;
    int64_t last_id;
};

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
    struct buf out; /* the answer as text: sim_call_free() */
};

/* call.c: serve one call, from any thread. Fills status, content_range, fault and out. */
void sim_call(struct sim_call *c);
void sim_call_free(struct sim_call *c);

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
void sim_changed(struct sim_call *c, enum store_name n, const struct json_object *object);

/* "ME-0000-0000-0001", the next that is free. */
void sim_new_id(struct sim *s, enum store_name n, const char *prefix, char ret_id[40]);
struct json_object *sim_now(void); /* a string, owned by the caller */
void sim_set(struct json_object *o, const char *key, const char *value);

/* False if the path is none of theirs. Called with the lock. */
bool sim_requests(struct sim_call *c);
bool sim_webhooks(struct sim_call *c);
bool sim_catalog(struct sim_call *c);

/* verbs.c: POST /requests/{id}/{verb}. Called with the lock. */
bool sim_verb(struct sim_call *c, struct json_object *request);
/* Has the request come to its end? */
bool sim_is_over(const struct json_object *request);
/*
 * What the asset's status is while a request of this type waits; NULL if there is no such type.
 * *ret_on is the status that an asset must have for it: one, or two separated by a space.
 */
const char *sim_while_pending(const char *type, const char **ret_on);

/* trigger.c: call a webhook for real. Called WITHOUT the lock. */
bool sim_is_trigger(const struct sim_call *c);
bool sim_trigger(struct sim_call *c);

/* Made of seed.json. */
extern const char sim_seed[];

/* server.c: serve until SIGTERM or SIGINT; prints the ready line. */
enum err sim_serve(struct sim *s, const char *listen, struct why *why);

#endif
