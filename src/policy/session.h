/*
 * session.h - programs that run on: a pool of them, asked line by line.
 *
 * A line of JSON for each question and each answer, matched by `id`. A program is asked one
 * question at a time, unless its first line is {"hello":1,"in_flight":N}. Between question and
 * answer it may have Connect read for it: {"id":7,"get":"/assets/AS-1"} is answered with
 * {"id":7,"status":200,"body":...}. connect-webhook-policy(7) is the contract.
 *
 * There is no thread of the pool's own: one of those who wait for an answer reads for all.
 */
#ifndef POLICY_SESSION_H
#define POLICY_SESSION_H

#include <stdbool.h>

#include <json-c/json.h>

#include "base/err.h"
#include "policy/asking.h"
#include "policy/program.h"

#define SESSION_IN_FLIGHT_MAX 64    /* questions at a time that a program may ask for */
#define SESSION_GET_MAX       2048  /* bytes of a path that it asks us to read, with the NUL */
#define SESSION_BACKOFF_MAX   30000 /* ms; the first pause is WAITS_SESSION_BACKOFF */

struct sessions;

/* At most `count` programs at a time; each is started when there is work for it. Borrows `terms`.
 * *ret is owned. */
enum err sessions_new(const struct program_terms *terms, int count, struct sessions **ret,
                      struct why *why);
/*
 * Ask, and wait for the answer, in which the question's number is left out. Any thread. ERR_TIMEOUT
 * (that program is asked nothing more, and ended), ERR_STOPPED, ERR_PROGRAM, ERR_BUSY as
 * program_ending() has them. *ret_lost: it was killed from outside, and may be asked again.
 */
enum err sessions_ask(struct sessions *all, const struct asking *a, struct json_object **ret,
                      bool *ret_lost, struct why *why);
/* End questions under way, and those to come, beside making the terms' `stop` readable. */
void sessions_stop(struct sessions *all);
/* When nobody asks any more. Ends all programs: first their input ends. NULL is fine. */
void sessions_free(struct sessions *all);

#endif
