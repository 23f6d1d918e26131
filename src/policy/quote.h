/*
 * quote.h - ${path} in the texts of a rule's decision.
 *
 * "${asset.id}" is what the path leads to, as text: a number is spelt as in the document. A
 * path that leads nowhere, or to a list or an object, is an error unless a default follows:
 * "${asset.external_id:-unknown}", which also stands for an empty text. "$${" is a plain "${".
 * Between the two may stand what is done to the text, in this order: "${asset.id|trim|lower:-x}".
 */
#ifndef POLICY_QUOTE_H
#define POLICY_QUOTE_H

#include <stdbool.h>

#include <json-c/json.h>

#include "base/err.h"
#include "base/rql.h"

#define QUOTE_TEXT_MAX    65536 /* bytes of a text with its quotes filled in */
#define QUOTE_FILTERS_MAX 4     /* of one quote */
#define QUOTE_FILTERS     "trim, lower, upper"

/* The paths beside the object's own, which may also be written so. */
#define QUOTE_VARS "$object.PATH, $event.CLAIM, $webhook.id, $webhook.type, $webhook.data, $attempt"

/* Is it one of the object's, or one of QUOTE_VARS? */
bool quote_path_known(const char *path);

/* Is every quote in every text of `json` well-formed? ERR_POLICY tells which is not. */
enum err quote_check(struct json_object *json, struct why *why);

/* What quotes are filled in from. Borrowed. */
struct quote_source {
    const struct json_object *object;
    const struct rql_var *vars; /* may be NULL */
    bool has_gaps;              /* a path that leads nowhere is an empty text: of a form, which is
                                   yet to be filled in */
};

/* A copy of `json` with every quote filled in; owned. ERR_POLICY, ERR_TOO_BIG, ERR_NOMEM. */
enum err quote_expand(struct json_object *json, const struct quote_source *from,
                      struct json_object **ret, struct why *why);

#endif
