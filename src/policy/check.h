/*
 * check.h - what must hold of the value of a parameter: `check: { min: 1, max: 100 }`.
 *
 *     required: true                a value is filled in
 *     pattern: "[a-z]{3}-[0-9]+"    PCRE2, the whole value (policy/pattern.h)
 *     min_length, max_length: 8     characters
 *     min, max: 100                 a decimal number, and so big
 *     one_of: [small, large]        one of these texts
 *     same_as: PARAM_ID             what the other parameter has
 *     email, domain, url, phone: true
 *
 * Several may stand together: all must hold. An empty value fails `required` only.
 */
#ifndef POLICY_CHECK_H
#define POLICY_CHECK_H

#include <stdbool.h>

#include "base/err.h"
#include "base/yamlx.h"

#define CHECK_CHOICES_MAX 1000 /* texts of a one_of */

struct check; /* immutable, so any thread may use it */

/* What is checked. Borrowed. */
struct checked {
    const char *value; /* "" if it is empty or missing */
    bool is_filled;    /* there is a value, be it a structured one */
    const char *other; /* the value of the parameter that check_same_as() names */
};

/* Load the mapping. *ret is owned: check_free(). ERR_CONFIG and others; `why` says
 * file:line:column. */
enum err check_load(const struct yamlx_node *n, struct check **ret, struct why *why);
void check_free(struct check *c); /* NULL is fine */

/* The id of the parameter that the value must be the same as; NULL: none. */
const char *check_same_as(const struct check *c);

/* Does all of it hold? ERR_POLICY: it could not be found out; `why` says by which check. */
enum err check_holds(const struct check *c, const struct checked *v, bool *ret, struct why *why);

#endif
