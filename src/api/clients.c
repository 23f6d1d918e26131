/* clients.c - the API clients of a program. */
#include "api/clients.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

struct client {
    struct client *next;
    unsigned char settings[crypto_generichash_BYTES]; /* a hash of all of them */
    struct api *api;                                  /* owned */
    size_t users;
};

struct clients {
    pthread_mutex_t lock; /* guards what follows */
    struct client *first;
    bool stopped;
};

struct clients *clients_new(void)
{
    struct clients *c = calloc(1, sizeof *c);
    if (c != NULL)
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

/* With the NUL, so that no two settings run together; NULL is told from "". */
static void hash_text(crypto_generichash_state *h, const char *text)
{
    crypto_generichash_update(h, (const unsigned char *)(text != NULL ? "+" : "-"), 1);
    if (text != NULL)
        crypto_generichash_update(h, (const unsigned char *)text, strlen(text) + 1);
}

static void hash_settings(const struct api_options *o, unsigned char ret[crypto_generichash_BYTES])
{
    const int64_t numbers[] = {o->connect_timeout_ms, o->timeout_ms, o->rate_limit};
    crypto_generichash_state h;
    crypto_generichash_init(&h, NULL, 0, crypto_generichash_BYTES);
    hash_text(&h, o->account_id);
    hash_text(&h, o->url);
    hash_text(&h, o->proxy);
    hash_text(&h, o->ca_file);
    crypto_generichash_update(&h, (const unsigned char *)numbers, sizeof numbers);
    crypto_generichash_update(&h, secret_bytes(o->key), secret_len(o->key));
    crypto_generichash_final(&h, ret, crypto_generichash_BYTES);
    sodium_memzero(&h, sizeof h);
}

/* Under the lock. */
static enum err find_or_make(struct clients *c, const struct api_options *o, struct client **ret,
                             struct why *why)
{
    unsigned char settings[crypto_generichash_BYTES];
    hash_settings(o, settings);
    for (*ret = c->first; *ret != NULL; *ret = (*ret)->next)
        if (memcmp((*ret)->settings, settings, sizeof settings) == 0)
            return ERR_OK;
    struct client *one = calloc(1, sizeof *one);
    if (one == NULL)
        return why_no_memory(why);
    enum err e = api_new(o, &one->api, why);
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
    const struct api_options options = {.account_id = a->id,
                                        .url = a->api_url,
                                        .key = a->api_key.value,
                                        .proxy = a->proxy,
                                        .ca_file = a->ca_file,
                                        .connect_timeout_ms = a->connect_timeout_ms,
                                        .timeout_ms = a->timeout_ms,
                                        .rate_limit = a->rate_limit};
    struct client *one;
    pthread_mutex_lock(&c->lock);
    enum err e = find_or_make(c, &options, &one, why);
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
