/* clients.c - the API clients of a program. */
#include "api/clients.h"

#include <inttypes.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

#define SETTINGS_MAX (64 * 1024) /* bytes; the configuration's limits are below it */

struct client {
    struct client *next;
    unsigned char settings[crypto_generichash_BYTES]; /* a hash of all of them */
    struct api *api;                                  /* owned */
    size_t users;
};

struct clients {
    const struct api_commons *commons;
    pthread_mutex_t lock; /* guards what follows */
    struct client *first;
    bool stopped;
};

struct clients *clients_new(const struct api_commons *commons)
{
    struct clients *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    c->commons = commons;
    pthread_mutex_init(&c->lock, NULL);
    return c;
}

static void forget(struct client **at)
{
    struct client *one = *at;
    *at = one->next;
    api_free(one->api);
    free(one);
}

void clients_free(struct clients *c)
{
    if (c == NULL)
        return;
    while (c->first != NULL)
        forget(&c->first);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

void clients_stop(struct clients *c)
{
    pthread_mutex_lock(&c->lock);
    c->stopped = true;
    for (struct client *one = c->first; one != NULL; one = one->next)
        api_stop(one->api);
    pthread_mutex_unlock(&c->lock);
}

/* One hash of all settings: of a line of those that are no secret, and of the key. */
static enum err hash_settings(const struct conf_account *a,
                              unsigned char ret[crypto_generichash_BYTES])
{
    crypto_generichash_state h;
    struct buf line;
    buf_init(&line, SETTINGS_MAX);
    buf_printf(&line, "%s\n%s\n%s\n%s\n%" PRId64 " %" PRId64 " %" PRId64 "\n", a->id, a->api_url,
               a->proxy != NULL ? a->proxy : "", a->ca_file != NULL ? a->ca_file : "",
               a->connect_timeout_ms, a->timeout_ms, a->rate_limit);
    crypto_generichash_init(&h, NULL, 0, crypto_generichash_BYTES);
    crypto_generichash_update(&h, (const unsigned char *)line.data, line.len);
    crypto_generichash_update(&h, secret_bytes(a->api_key.value), secret_len(a->api_key.value));
    crypto_generichash_final(&h, ret, crypto_generichash_BYTES);
    sodium_memzero(&h, sizeof h);
    enum err e = line.err;
    buf_free(&line);
    return e;
}

/* Under the lock. */
static enum err find_or_make(struct clients *c, const struct conf_account *a, struct client **ret,
                             struct why *why)
{
    unsigned char settings[crypto_generichash_BYTES];
    if (hash_settings(a, settings) != ERR_OK)
        return why_no_memory(why);
    for (*ret = c->first; *ret != NULL; *ret = (*ret)->next)
        if (memcmp((*ret)->settings, settings, sizeof settings) == 0)
            return ERR_OK;
    struct client *one = calloc(1, sizeof *one);
    if (one == NULL)
        return why_no_memory(why);
    enum err e = api_new(a, NULL, c->commons, &one->api, why);
    if (e != ERR_OK) {
        free(one);
        return e;
    }
    if (c->stopped)
        api_stop(one->api);
    memcpy(one->settings, settings, sizeof settings);
    one->next = c->first;
    *ret = c->first = one;
    return ERR_OK;
}

enum err clients_get(struct clients *c, const struct conf_account *a, struct api **ret,
                     struct why *why)
{
    struct client *one;
    pthread_mutex_lock(&c->lock);
    enum err e = find_or_make(c, a, &one, why);
    if (e == ERR_OK) {
        one->users++;
        *ret = one->api;
    }
    pthread_mutex_unlock(&c->lock);
    return e;
}

void clients_release(struct clients *c, struct api *api)
{
    pthread_mutex_lock(&c->lock);
    for (struct client **at = &c->first; *at != NULL; at = &(*at)->next)
        if ((*at)->api == api) {
            if (--(*at)->users == 0)
                forget(at);
            break;
        }
    pthread_mutex_unlock(&c->lock);
}
