/*
 * err.h - the one list of error codes, and the words that go with a failure.
 *
 * Every code has a stable name (logs, metrics, stored rows), a sentence for people, and
 * whether it PASSES: the fault lies outside of what was asked (network, server, key, machine), so
 * that the same may succeed later; or STAYS, until something else is asked. Add a code by adding a
 * line: the enum, the names and the texts follow. A code is never renamed or reused.
 *
 * A function that can fail returns `enum err`; what it produces goes to `ret_...`
 * parameters, which are written on ERR_OK only. Where a person will have to act
 * on the failure, the function also takes a `struct why *`, which may be NULL,
 * and leaves there what went wrong, where, and what to do.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>
#include <stdint.h>

#define ERR_LIST(X)                                                                                \
    X(ERR_OK, "ok", STAYS, "success")                                                              \
    /* the machine */                                                                              \
    X(ERR_NOMEM, "no-memory", PASSES, "out of memory")                                             \
    X(ERR_IO, "io", PASSES, "input or output failed")                                              \
    X(ERR_TIMEOUT, "timeout", PASSES, "took longer than allowed")                                  \
    X(ERR_STOPPED, "stopped", PASSES, "cut short because the program is stopping")                 \
    X(ERR_BUSY, "busy", PASSES, "held by somebody else")                                           \
    /* what was given to us */                                                                     \
    X(ERR_SYNTAX, "syntax", STAYS, "malformed")                                                    \
    X(ERR_ENCODING, "encoding", STAYS, "not valid in its encoding")                                \
    X(ERR_TOO_BIG, "too-big", STAYS, "exceeds its limit")                                          \
    X(ERR_TOO_DEEP, "too-deep", STAYS, "nested deeper than allowed")                               \
    X(ERR_DUPLICATE, "duplicate", STAYS, "given twice")                                            \
    X(ERR_RANGE, "range", STAYS, "number out of range")                                            \
    X(ERR_TYPE, "type", STAYS, "of the wrong type")                                                \
    X(ERR_INVALID, "invalid", STAYS, "value not allowed")                                          \
    X(ERR_NOT_FOUND, "not-found", STAYS, "does not exist")                                         \
    X(ERR_CONFIG, "config", STAYS, "configuration refused")                                        \
    /* a webhook's call */                                                                         \
    X(ERR_ABORTED, "aborted", STAYS, "the web server gave the request up")                         \
    X(ERR_METHOD, "method", STAYS, "method not allowed")                                           \
    X(ERR_CONTENT_ENCODING, "content-encoding", STAYS, "encoded bodies are not accepted")          \
    X(ERR_TOKEN_MISSING, "token-missing", STAYS, "no bearer token")                                \
    X(ERR_TOKEN_AMBIGUOUS, "token-ambiguous", STAYS, "more than one bearer token")                 \
    X(ERR_TOKEN_FORM, "token-form", STAYS, "token is not a compact JWS")                           \
    X(ERR_TOKEN_ALG, "token-alg", STAYS, "token algorithm is not HS256")                           \
    X(ERR_TOKEN_UNKNOWN, "token-unknown", STAYS, "token names no configured webhook")              \
    X(ERR_TOKEN_SIGNATURE, "token-signature", STAYS, "token signature is wrong")                   \
    X(ERR_TOKEN_CLAIMS, "token-claims", STAYS, "token claims are malformed")                       \
    X(ERR_TOKEN_EXPIRED, "token-expired", STAYS, "token has expired")                              \
    /* the inbox */                                                                                \
    X(ERR_STORE, "store", PASSES, "storage failed")                                                \
    X(ERR_FENCED, "fenced", STAYS, "the lease is no longer ours")                                  \
    /* Connect's API, policies that are services */                                                \
    X(ERR_NETWORK, "network", PASSES, "no answer from the network")                                \
    X(ERR_TLS, "tls", PASSES, "the peer's certificate was not accepted")                           \
    X(ERR_HTTP_CLIENT, "http-client", STAYS, "the server refused the request (4xx)")               \
    X(ERR_HTTP_AUTH, "http-auth", PASSES, "the server did not accept our key (401)")               \
    X(ERR_HTTP_FORBIDDEN, "http-forbidden", STAYS, "our key may not do this (403)")                \
    X(ERR_HTTP_NOT_FOUND, "http-not-found", STAYS, "the server knows no such object (404)")        \
    X(ERR_HTTP_THROTTLED, "http-throttled", PASSES, "the server asked us to slow down (429, 503)") \
    X(ERR_HTTP_SERVER, "http-server", PASSES, "the server failed (5xx)")                           \
    X(ERR_HTTP_ANSWER, "http-answer", PASSES, "the server's answer made no sense")                 \
    /* what decides */                                                                             \
    X(ERR_POLICY, "policy", STAYS, "the policy gave no usable decision")                           \
    X(ERR_PROGRAM, "program", PASSES, "the policy's program gave no answer")                       \
    X(ERR_STATE, "state", STAYS, "the object's state does not allow it")

enum err {
#define X(code, name, lasting, text) code,
    ERR_LIST(X)
#undef X
        ERR__COUNT
};

/* "token-signature"; static, never NULL. */
const char *err_name(enum err e);
/* "token signature is wrong"; static, never NULL. */
const char *err_text(enum err e);
/* Does it pass? */
bool err_passes(enum err e);

#define WHY_MAX 512 /* bytes with the NUL; longer texts are cut */

/* The story of one failure, for people, in UTF-8 whatever it is made of. Holds no secret, ever. */
struct why {
    char text[WHY_MAX];
};

/*
 * Write the story (if `why` is not NULL) and return `e`, so that a failure reads
 *     return why_set(why, ERR_RANGE, "%s: at most %d", key, max);
 */
enum err why_set(struct why *why, enum err e, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* ... for the commonest of failures: ERR_NOMEM. */
enum err why_no_memory(struct why *why);
#ifdef __clang_analyzer__ /* which cannot look into another file, and would assume the worst */
#define why_set(why, e, ...) (why_set((why), (e), __VA_ARGS__), (e))
#define why_no_memory(why)   (why_no_memory(why), ERR_NOMEM)
#endif

/*
 * What something came to, where who asked for it may ask again: passed as one, from the call that
 * failed to the answer that tells of it.
 */
struct result {
    enum err err;
    int64_t retry_after_s; /* how long to wait before that; -1 if nobody said */
    struct why why;
};
#define RESULT_NONE ((struct result){.err = ERR_OK, .retry_after_s = -1, .why = {""}})

/* Set the error and its story, and leave the wait; returns `e`. */
enum err result_set(struct result *r, enum err e, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
enum err result_no_memory(struct result *r);
#ifdef __clang_analyzer__
#define result_set(r, e, ...) (result_set((r), (e), __VA_ARGS__), (e))
#define result_no_memory(r)   (result_no_memory(r), ERR_NOMEM)
#endif

/* Put "prefix: " before a story already told; returns `e`. */
enum err why_prefix(struct why *why, enum err e, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
