/*
 * clients.h - the API clients of a program: one an account and its settings.
 *
 * Whoever needs an account's client asks for it, and gets the one that is there if account,
 * endpoint, key and all other settings are the same. So it outlives a reload: connections are kept,
 * a pause that Connect asked for still holds, and the rate is spent once, by old and new
 * configuration together. Other settings make another client: a new key is not held up by what the
 * old one did.
 *
 * Any thread may call.
 */
#ifndef API_CLIENTS_H
#define API_CLIENTS_H

#include "api/api.h"
#include "base/err.h"
#include "conf/conf.h"

struct clients;

/* `commons` is borrowed; NULL: nobody else calls. NULL: out of memory. */
struct clients *clients_new(const struct api_commons *commons);
/* When every client has been given back. NULL is fine. */
void clients_free(struct clients *c);
/* End all calls under way, and those to come: for a stop that cannot wait. */
void clients_stop(struct clients *c);

/* The account's client, whose key must be loaded. Give it back with clients_release(). */
enum err clients_get(struct clients *c, const struct conf_account *a, struct api **ret,
                     struct why *why);
void clients_release(struct clients *c, struct api *api); /* NULL is fine */

#endif
