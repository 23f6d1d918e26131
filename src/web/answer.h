/*
 * answer.h - what Connect is told: errors as HTTP statuses, and the bodies.
 *
 * Errors are RFC 9457 problems. A refusal of a token is one same answer whatever was wrong with
 * it; the log has the reason.
 */
#ifndef WEB_ANSWER_H
#define WEB_ANSWER_H

#include <stdint.h>

#include <json-c/json.h>

#include "base/err.h"
#include "transport/response.h"

#define ANSWER_JSON        "application/json"
#define ANSWER_RETRY_AFTER 30 /* s, when nobody has a better idea */

/* The HTTP status of a failure: 401 for every ERR_TOKEN_..., 503 for what may pass. */
int answer_status(enum err e);

/*
 * Make `res` the problem that `r` is, under this status: answer_status(r->err), unless the caller
 * knows better. Its story is for Connect's user to read, and left out of refusals of a token; that
 * of a fault of this machine is for the log alone. `objects` (an array, or NULL) is consumed.
 */
void answer_problem(struct response *res, int status, const struct result *r,
                    struct json_object *objects);

/* After the body of an answer was printed: one for which memory ran out is left out, for its status
 * alone says what matters. */
void answer_finish(struct response *res);

#endif
