/*
 * faults.h - what goes wrong on purpose: answers that are errors, late, cut short or missing.
 *
 * A fault is a JSON object:
 *
 *     method       "POST"; without it any
 *     path         fnmatch(3) pattern of the path below /public/v1, where a star matches slashes,
 *                  too: "/requests/PR-*"; without it any
 *     status       answer this one (200 to 599), with a body as Connect's errors have it
 *     retry_after  with status: the header, in seconds
 *     delay_ms     wait; before the effect, unless `effect` is true
 *     close        "before": close the connection instead of doing anything; "after": do it first
 *     body         "truncated": half of the answer that Content-Length announces; "garbage": no
 * JSON effect       with status or delay_ms: true lets the call take effect first, false never.
 *                  Without it, a call takes effect unless it gets a `status` or `close` "before"
 *     count        how often it happens: 1 without it, 0 for ever
 *     probability  of happening to a call that matches: 0 to 1, 1 without it
 *     seed         of the dice: the same seed throws the same
 *
 * A call meets the first fault, in the order given, that is for it and not used up; a fault whose
 * dice say no leaves the call to the next one.
 *
 * Nothing here locks: the caller holds `lock` of struct sim.
 */
#ifndef SIM_FAULTS_H
#define SIM_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

#include <json-c/json.h>

#include "base/err.h"

#define FAULTS_MAX       1000             /* faults at one time */
#define FAULTS_DELAY_MAX (10 * 60 * 1000) /* ms */
#define FAULTS_RETRY_MAX (24 * 3600)      /* s of Retry-After */

enum fault_body { FAULT_BODY_WHOLE, FAULT_BODY_TRUNCATED, FAULT_BODY_GARBAGE };

/* What happens to one call. All zero but `effect`: nothing. */
struct fault {
    int status;       /* 0: its own */
    int retry_after;  /* s; -1: no header */
    int64_t delay_ms; /* 0: none */
    bool is_late;     /* the delay comes after the effect */
    bool effect;      /* the call takes effect */
    bool close;
    enum fault_body body;
};

extern const struct fault fault_none;

struct faults;
enum err faults_new(struct faults **ret);
void faults_free(struct faults *f); /* NULL is fine */

/* Add one, or an array of them: all or none. ERR_INVALID; `why` names the member. */
enum err faults_add(struct faults *f, struct json_object *given, struct why *why);
void faults_clear(struct faults *f);
/* As they were given, with `fired`; an array, owned by the caller. */
struct json_object *faults_list(const struct faults *f);
/* The fault that this call meets, or fault_none. */
struct fault faults_meet(struct faults *f, const char *method, const char *path);

#endif
