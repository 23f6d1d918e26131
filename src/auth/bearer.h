/*
 * bearer.h - find the one bearer token of a call (RFC 6750 section 2.1).
 *
 * Connect's documentation says `Authorization`, its sample and its receivers say
 * `Authentication`; Apache may hand the former over as REDIRECT_HTTP_AUTHORIZATION. The same
 * token in several places is one token; two different ones, or two joined by a comma, are refused.
 * A value whose scheme is not Bearer (in any case) counts as absent.
 */
#ifndef AUTH_BEARER_H
#define AUTH_BEARER_H

#include <stddef.h>

#include "base/err.h"

/*
 * `headers` are the values of the three places, NULL where absent. On ERR_OK *ret_token is
 * borrowed from one of them. ERR_TOKEN_MISSING, ERR_TOKEN_AMBIGUOUS, ERR_TOKEN_FORM.
 */
enum err bearer_find(const char *const *headers, size_t count, const char **ret_token,
                     size_t *ret_len);

#endif
