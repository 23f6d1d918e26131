/*
 * keyring.h - from a token to the webhook that it proves itself to be from.
 *
 * A keyring is made from a configuration snapshot and is immutable. The key is chosen by the
 * unverified `webhook_id`, the signature is then checked with each of that webhook's secrets,
 * and only then is any other claim believed. A token that names no webhook costs the same
 * signature checks, against a key that nobody knows: refusals all look and take alike.
 */
#ifndef AUTH_KEYRING_H
#define AUTH_KEYRING_H

#include <stdint.h>

#include <json-c/json.h>

#include "base/err.h"
#include "conf/conf.h"

struct keyring;

/* Borrows `conf`. *ret is owned: keyring_free(). */
enum err keyring_new(const struct conf *conf, struct keyring **ret, struct why *why);
void keyring_free(struct keyring *k);

struct verified {
    const struct conf_webhook *webhook; /* borrowed from the snapshot */
    struct json_object *claims;         /* owned by the caller */
    size_t secret;                      /* which of the webhook's secrets signed it, from 0 */
};

/*
 * Verify a token at `now` (seconds since the epoch). ERR_TOKEN_...; `why` is for the log only,
 * never for the answer. `payload` is overwritten with the text of the claims, as it was signed.
 */
enum err keyring_verify(const struct keyring *k, const char *token, size_t len, int64_t now,
                        struct buf *payload, struct verified *ret, struct why *why);

#endif
