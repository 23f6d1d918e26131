/*
 * carry_out.h - a fulfillment request, a decision, and a server that plays Connect: what
 * becomes of them.
 */
#ifndef CARRY_OUT_H
#define CARRY_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>

#include "fake_api.h"
#include "processors/job.h"

#define REQUEST    "PR-1234-5678-001"
#define PRODUCT    "PRD-111-222-333"
#define OBJECT     "GET /requests/" REQUEST
#define PUT        "PUT /requests/" REQUEST
#define ACT        "POST /requests/" REQUEST "/"
#define ACTIVATION "GET /products/" PRODUCT "/templates?scope=asset&type=fulfillment"
#define INQUIRY    "GET /products/" PRODUCT "/templates?scope=asset&type=inquire"

extern struct fake *fake;
extern struct job job; /* of the last decision, with its results */

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int set_up(void **state);
int tear_down(void **state);

/* Connect anew, to give calls less time. */
void connect_with(int64_t timeout_ms);

/* The server's next answer, as json_text.h takes it. */
void answer(int status, const char *text);
/* A request of a status, with the parameters that the tests change; `extra` are more members,
 * each with its comma. Static, until the next call. */
const char *request(const char *status, const char *extra);

/* Carry out a decision on an object of a class, or of a fulfillment request. */
enum outcome carry_out_on(const struct object_class *c, const char *object_text,
                          const char *decision_text, bool dry_run);
enum outcome carry_out(const char *object_text, const char *decision_text);

#define assert_outcome(got, want) assert_string_equal(outcome_name(got), outcome_name(want))

/* The i-th request was "METHOD /path", with this body ("" for none). */
void assert_sent(size_t i, const char *line, const char *body);

#endif
