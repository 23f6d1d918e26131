/*
 * api.h - Connect's verbs by their own names, over base/http.
 *
 * One `struct api` speaks to one account's endpoint with that account's key, from any number of
 * threads. GETs that fail for the moment are retried here, with back-off and jitter, within the
 * caller's deadline. What changes something is sent once: when its outcome is unknown
 * (ERR_TIMEOUT, ERR_NETWORK, ERR_HTTP_SERVER, ERR_HTTP_ANSWER) the caller re-reads the object.
 *
 * A 429 or 503 halts the whole account for as long as its Retry-After says. A call that would
 * have to wait beyond its deadline fails at once, unsent: ERR_HTTP_THROTTLED (halted) or
 * ERR_TIMEOUT (too many calls in this second).
 *
 * Ids are checked against object_id_valid() before they enter a path (ERR_INVALID).
 */
#ifndef API_API_H
#define API_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>

#include "base/buf.h"
#include "base/err.h"
#include "conf/conf.h"
#include "event/object_class.h"

#define API_PAGE_SIZE   100     /* objects a page */
#define API_LIST_MAX    1000000 /* objects of one list; a server that gives more is stopped */
#define API_ERRORS_MAX  512     /* bytes of the server's own words that are kept */
#define API_GET_TRIES   4
#define API_BACKOFF_MIN 500   /* ms before the second try; doubles, with full jitter */
#define API_BACKOFF_MAX 15000 /* ms */
#define API_PAUSE_MAX   3600  /* s; longer than that no Retry-After halts an account */

struct api;

/* Of members that are 0 the limits above. */
struct api_limits {
    int64_t backoff_min_ms, backoff_max_ms;
    size_t answer_max; /* bytes of one answer; HTTP_ANSWER_MAX */
};

/*
 * What those who call for an account, in all programs, have in common. Any thread asks and tells,
 * and may have to wait for it.
 */
struct api_commons {
    void *ctx;
    /* Of the `per_s` calls of this second, some: *ret_calls, 0 if none is left for *ret_wait_ms.
     * False: nobody knows. */
    bool (*take)(void *ctx, const char *account_id, int64_t per_s, int64_t *ret_calls,
                 int64_t *ret_wait_ms);
    /* A call has come to: ERR_OK, for an answer that shows that Connect serves the account; why it
     * does not (ERR_HTTP_AUTH, ERR_HTTP_THROTTLED with what was asked for, ERR_HTTP_SERVER of a
     * gateway, ERR_NETWORK, ERR_TIMEOUT, ERR_TLS). What says neither is not told. */
    void (*came_to)(void *ctx, const char *account_id, enum err e, int64_t retry_after_s);
};

/* The key of the account must be loaded: "SU-...:..." with or without the word ApiKey. `limits` and
 * `commons` (borrowed) may be NULL. */
enum err api_new(const struct conf_account *account, const struct api_limits *limits,
                 const struct api_commons *commons, struct api **ret, struct why *why);
void api_free(struct api *a);
void api_stop(struct api *a); /* end calls under way with ERR_STOPPED; any thread */

/* Whether what changes something may still be sent; asked as late as can be. */
struct api_fence {
    bool (*holds)(void *ctx);
    void *ctx;
};

/* One call under one deadline, and what it came to; all but the first four is filled in, whatever
 * happens. A function's return is `result.err`. */
struct api_call {
    int64_t deadline;    /* clk_mono_ms */
    int64_t patience_ms; /* for a halt to end, and for further tries: 0 is up to the deadline */
    const struct api_fence *fence; /* NULL: there is none. ERR_FENCED: it did not hold */
    struct buf *trace;           /* if not NULL, each request that is sent is noted in it, as far as
                                    it has room: {"method":..,"path":..,"status":..,"error_code":..,
                                    "ms":..}, ... */
    int status;                  /* HTTP status, 0 if there was none */
    bool sent;                   /* may the server have seen it? */
    char error_code[32];         /* "VAL_001", as it was sent; "" if none */
    char errors[API_ERRORS_MAX]; /* Connect's own words, joined by "; "; "" if none */
    struct result result;        /* "GET /requests/PR-1: 404: ...", and its Retry-After */
};

/* What stands at one place of a list; all of it is borrowed. */
struct api_element {
    struct json_object *object; /* NULL if it cannot be used */
    const char *id;             /* found even in what cannot be used; "" if there is none */
    int64_t place;              /* in the list, from 0 */
    enum err err;               /* why it cannot: what jsonx_parse() says, ERR_TYPE for what is no
                                   object, ERR_TOO_BIG for one that no answer holds */
    const char *why;            /* the story; "" if there is an object */
};

/* Called for each element of a list. Return false to stop. */
typedef bool api_each_fn(void *ctx, const struct api_element *element);

/* What a list is asked for; all of it is borrowed. */
struct api_filter {
    const char *product_id;    /* of classes that belong to products */
    const char *const *states; /* of classes with states: any of these, NULL-terminated */
    int64_t since_us;          /* of classes without: made then or later, by our clock's epoch */
};

/*
 * List the objects of a class, as far as the filter is for it, oldest first unless the class
 * says what comes before, page by page until the end; every object is passed once, even where
 * pages shift because objects leave the list meanwhile. One that cannot be read, or is too big, is
 * passed as such and costs no other its place. Objects are passed as their page arrives: some may
 * have been passed when a later page fails.
 */
enum err api_list(struct api *a, struct api_call *call, const struct object_class *c,
                  const struct api_filter *f, api_each_fn *fn, void *ctx);

/* Read one object. ERR_HTTP_NOT_FOUND if there is none. *ret is owned. */
enum err api_get(struct api *a, struct api_call *call, const struct object_class *c, const char *id,
                 struct json_object **ret);

/* GET any path, which begins with a slash and may have a query, for a policy that wants to know
 * more than an object tells. What it gives, owned; status and errors are the call's. */
enum err api_read(struct api *a, struct api_call *call, const char *path, struct json_object **ret);

/* Change parameters by a PUT that holds nothing else. `params` (an array) is borrowed. */
enum err api_put_params(struct api *a, struct api_call *call, const struct object_class *c,
                        const char *id, struct json_object *params);

/* Send a verb with a JSON body, NULL for none. *ret_object is what came back, owned; NULL where the
 * verb answers without one. */
enum err api_act(struct api *a, struct api_call *call, const struct object_class *c, const char *id,
                 const struct object_verb *v, struct json_object *body,
                 struct json_object **ret_object);

/* GET /products/{id}/templates?scope=..&type=.. ("asset"; "fulfillment", "inquire", "pending").
 * An array, owned. One that cannot be read fails the call: nobody could say which is the only. */
enum err api_templates(struct api *a, struct api_call *call, const char *product_id,
                       const char *scope, const char *type, struct json_object **ret);

/*
 * Post to the object's open conversation (of type `conversation`, or of none as in old payloads),
 * unless our last message there says the same: then *ret_posted is false. ERR_NOT_FOUND if there
 * is none.
 */
enum err api_message(struct api *a, struct api_call *call, const char *object_id, const char *text,
                     bool *ret_posted);

#endif
