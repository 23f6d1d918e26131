/*
 * event.h - what a verified token says: "a queue of this product changed".
 *
 * Only signed claims are trusted; an event names no object. Every claim but `webhook_id` and
 * `exp` is optional.
 */
#ifndef EVENT_EVENT_H
#define EVENT_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include <json-c/json.h>

#include "base/err.h"
#include "event/object_class.h"

struct event {
    struct json_object *claims; /* the whole payload; owned by the event */

    /* Borrowed from `claims`; NULL where absent. */
    const char *webhook_id; /* never NULL */
    const char *webhook_name;
    const char *account_id;
    const char *product_id;
    const char *object_class; /* as spelt */
    const char *api_url;
    const char *triggered_at; /* ISO 8601, as spelt */
    struct json_object *data; /* an object, or NULL */
    int64_t exp;              /* seconds since the epoch */
};

/*
 * Check the claims' types and fill *ret, which keeps a reference of its own to `claims`.
 * ERR_TOKEN_CLAIMS for a claim of the wrong type; null counts as absent.
 */
enum err event_from_claims(struct json_object *claims, struct event *ret, struct why *why);
void event_free(struct event *e);

#endif
