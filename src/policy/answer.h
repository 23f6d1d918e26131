/*
 * answer.h - what a program says, read as the answer to a question.
 */
#ifndef POLICY_ANSWER_H
#define POLICY_ANSWER_H

#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>

#include "base/err.h"

/* Read one JSON object. `name` is the program's, for people. ERR_PROGRAM for anything else; `why`
 * tells no value. *ret is owned. */
enum err answer_read(const char *name, const char *text, size_t len, struct json_object **ret,
                     struct why *why);

/* Take the number of the question, which has to be `id`, out of the answer, if it is there. (The
 * `id` of a form's document is a text, and stays.) ERR_PROGRAM: another one's. */
enum err answer_check_id(const char *name, struct json_object *answer, int64_t id, struct why *why);

#endif
