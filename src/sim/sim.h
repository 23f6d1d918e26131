/*
 * sim.h - connect-sim: a stand-in for Connect on your own machine.
 *
 *     sim.c       options and seed            store.c, list.c  the objects, and their lists
 *     server.c    HTTP: bytes in, bytes out   kind.c           what has a life: states and verbs
 *     call.c      the life of one call        requests.c ...   ... and each kind: its own file
 *     reply.c     the ground of every room    webhooks.c       webhooks: made, changed
 *     calls.c     what /_sim/calls shows      delivery.c       ... and called: by trigger.c, and
 *     faults.c    what goes wrong on purpose  validate.c       about a form that is filled in
 *     catalog.c   what processing looks up
 *
 * One lock guards the objects, the calls and the faults. It is never held while a webhook is
 * called (the handler calls back) or while a fault delays an answer.
 */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

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

/* Made of seed.json. */
extern const char sim_seed[];

#endif
