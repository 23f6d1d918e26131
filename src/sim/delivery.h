/*
 * delivery.h - one call of a webhook: made, sent for real, and counted.
 */
#ifndef SIM_DELIVERY_H
#define SIM_DELIVERY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/http.h"
#include "sim/reply.h"

/* All of it is owned: sim_delivery_free(). */
struct sim_delivery {
    char *hook_id, *url, *method;
    struct buf token_header, body;
    struct json_object *headers; /* object: the webhook's own */

    /* Once it has been sent: */
    bool is_answered;
    struct http_response response; /* if it is */
    struct why why;                /* if it is not */
    int64_t ms;
};

/* With the lock. `document`: what a validator is asked about; NULL: an event. False, and the answer
 * says why, if it cannot be made. */
bool sim_delivery_make(struct sim_call *c, const struct json_object *hook,
                       const struct json_object *document, struct sim_delivery *ret);
void sim_delivery_free(struct sim_delivery *d);
/* WITHOUT the lock. */
void sim_delivery_send(struct sim *s, struct sim_delivery *d);
/* Was the answer a 2xx? */
bool sim_delivery_succeeded(const struct sim_delivery *d);
/* With the lock: count it in the webhook's statistics. The webhook, borrowed; NULL if it is gone
 * meanwhile. */
struct json_object *sim_delivery_record(struct sim_call *c, const struct sim_delivery *d);

#endif
