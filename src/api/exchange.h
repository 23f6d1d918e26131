/*
 * exchange.h - one call of Connect's API, and what its answer means. For the rooms of this
 * folder alone.
 */
#ifndef API_EXCHANGE_H
#define API_EXCHANGE_H

#include "api/api.h"
#include "api/rate.h"
#include "base/http.h"

#define API_PATH_MAX 4096 /* bytes of a path with its query */

struct api {
    char *account_id;
    char *url;
    struct secret *authorization; /* the whole header */
    struct http *http;
    struct rate *rate;
    const struct api_commons *commons; /* NULL: nobody else calls for the account */
    int64_t backoff_min_ms, backoff_max_ms;
};

/* Nothing has been sent yet, and nothing has failed. */
void exchange_begin(struct api_call *call);

/*
 * Send one request, once, and read the answer into `call`. `path` begins with a slash and
 * may have a query; `body` is borrowed, NULL for none. ERR_OK is a 2xx, in *ret_answer; free it
 * with http_response_free().
 */
enum err exchange(struct api *a, struct api_call *call, const char *method, const char *path,
                  struct json_object *body, struct http_response *ret_answer);

/*
 * GET, with further tries while the failure is one of the moment. *ret_answer as above.
 */
enum err exchange_get(struct api *a, struct api_call *call, const char *path,
                      struct http_response *ret_answer);

/*
 * Is this, however bad what stands in it, a whole object or array, and neither half an answer nor
 * some gateway's page?
 */
bool exchange_is_whole(const struct buf *body, char open, char close);

/* Tell that the body of a 2xx is not the JSON we need; `story` is the reader's. Returns `e`. */
enum err exchange_unreadable(struct api_call *call, enum err e, const char *method,
                             const char *path, const struct http_response *answer,
                             const char *story);

/*
 * The body of a 2xx as JSON of this type. ERR_HTTP_ANSWER for what is no JSON, or another type;
 * what jsonx_parse() refuses in a whole object is its error. *ret_root is owned.
 */
enum err exchange_parse(struct api_call *call, const char *method, const char *path,
                        const struct http_response *answer, enum json_type type,
                        struct json_object **ret_root);

/* GET and parse. */
enum err exchange_get_json(struct api *a, struct api_call *call, const char *path,
                           enum json_type type, struct json_object **ret_root);

#endif
