/* keyring.c - from a token to the webhook that it proves itself to be from. */
#include "auth/keyring.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "auth/jwt.h"
#include "base/jsonx.h"

#define DECOY_BYTES 32 /* of the key that stands in for webhooks that are not there */
#define QUOTED_MAX  64 /* bytes of an unknown webhook's id that the log quotes */

struct entry {
    const struct conf_webhook *webhook;
    struct jwt_key *keys[CONF_SECRETS_MAX];
};

struct keyring {
    struct jwt_key *decoy;
    struct entry *entries; /* sorted by the webhook's id */
    size_t count;
    size_t
        rounds; /* signatures checked before any token is refused: the most secrets of a webhook */
};

static int by_id(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    return strcmp(x->webhook->id, y->webhook->id);
}

static int id_against(const void *id, const void *entry)
{
    return strcmp(id, ((const struct entry *)entry)->webhook->id);
}

static enum err add_entry(struct keyring *k, const struct conf_webhook *w, struct why *why)
{
    struct entry *entry = &k->entries[k->count++];
    entry->webhook = w;
    for (size_t i = 0; i < w->secrets_count; i++) {
        const struct secret *s = w->secrets[i].value;
        if (s == NULL)
            return why_set(why, ERR_CONFIG, "webhook %s: a secret is not loaded", w->id);
        enum err e = jwt_key_new(secret_bytes(s), secret_len(s), &entry->keys[i]);
        if (e != ERR_OK)
            return why_set(why, e, "webhook %s: %s", w->id, err_text(e));
    }
    if (w->secrets_count > k->rounds)
        k->rounds = w->secrets_count;
    return ERR_OK;
}

static enum err add_decoy(struct keyring *k)
{
    uint8_t random[DECOY_BYTES];
    randombytes_buf(random, sizeof random);
    enum err e = jwt_key_new(random, sizeof random, &k->decoy);
    sodium_memzero(random, sizeof random);
    return e;
}

enum err keyring_new(const struct conf *conf, struct keyring **ret, struct why *why)
{
    struct keyring *k = calloc(1, sizeof *k);
    if (k == NULL)
        return why_no_memory(why);
    k->rounds = 1;
    k->entries = calloc(conf->webhooks_count + 1, sizeof *k->entries);
    enum err e = k->entries != NULL ? add_decoy(k) : ERR_NOMEM;
    if (e != ERR_OK)
        why_set(why, e, "%s", err_text(e));
    for (size_t i = 0; i < conf->webhooks_count && e == ERR_OK; i++)
        e = add_entry(k, &conf->webhooks[i], why);
    if (e != ERR_OK) {
        keyring_free(k);
        return e;
    }
    qsort(k->entries, k->count, sizeof *k->entries, by_id);
    *ret = k;
    return ERR_OK;
}

void keyring_free(struct keyring *k)
{
    if (k == NULL)
        return;
    for (size_t i = 0; i < k->count; i++)
        for (size_t j = 0; j < CONF_SECRETS_MAX; j++)
            jwt_key_free(k->entries[i].keys[j]);
    free(k->entries);
    jwt_key_free(k->decoy);
    free(k);
}

/*
 * Which of the webhook's secrets made the signature? Where there are fewer secrets than
 * elsewhere, or no webhook at all, the decoy is tried instead: to be refused always takes as long.
 */
static enum err find_secret(const struct keyring *k, const struct entry *entry,
                            const struct jwt_parts *p, size_t *ret_secret)
{
    size_t secrets = entry != NULL ? entry->webhook->secrets_count : 0;
    for (size_t i = 0; i < k->rounds; i++) {
        const struct jwt_key *key = i < secrets ? entry->keys[i] : k->decoy;
        if (jwt_check_signature(p, key) == ERR_OK && i < secrets) {
            *ret_secret = i;
            return ERR_OK;
        }
    }
    return entry != NULL ? ERR_TOKEN_SIGNATURE : ERR_TOKEN_UNKNOWN;
}

enum err keyring_verify(const struct keyring *k, const char *token, size_t len, int64_t now,
                        struct buf *payload, struct verified *ret, struct why *why)
{
    struct jwt_parts p;
    size_t secret;
    enum err e = jwt_parse(token, len, payload, &p, why);
    if (e != ERR_OK)
        return e;
    const char *id = jsonx_str(p.claims, "webhook_id", "");
    const struct entry *entry = bsearch(id, k->entries, k->count, sizeof *k->entries, id_against);
    e = find_secret(k, entry, &p, &secret);
    if (e != ERR_OK) {
        why_set(why, e, "%s: webhook \"%.*s\"", err_text(e), QUOTED_MAX, id);
    } else if ((e = jwt_check_times(p.claims, now, why)) != ERR_OK) {
        why_prefix(why, e, "webhook %s", entry->webhook->id);
    } else {
        *ret = (struct verified){
            .webhook = entry->webhook, .claims = json_object_get(p.claims), .secret = secret};
    }
    jwt_parts_free(&p);
    return e;
}
