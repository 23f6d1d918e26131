/*
 * form.h - what a rule says about a form: which of its parameters get which values and errors.
 *
 *     then:
 *       params:
 *         - { id: domain, value: "${asset.params[domain].value|trim|lower}",
 *             check: { required: true, domain: true }, message: "must be a domain name" }
 *         - { id: seats, check: { min: 1, max: 100 }, message: "from 1 to 100" }
 *         - { id: region, value_choices: [ { label: Europe, value: eu } ] }
 *
 * A check (policy/check.h) looks at the value that the entry gives, else at the one that the form
 * has. If it holds, the parameter's error is cleared, else it is the message. Of parameters that
 * the form does not have nothing is said. Quotes of what is not filled in are empty texts.
 */
#ifndef POLICY_FORM_H
#define POLICY_FORM_H

#include "base/err.h"
#include "base/rql.h"
#include "base/yamlx.h"
#include "policy/policy.h"

struct form; /* immutable */

/* Load a `then`. *ret is owned: form_free(). ERR_CONFIG and others; `why` says
 * file:line:column. */
enum err form_load(const struct yamlx_node *then, struct form **ret, struct why *why);
void form_free(struct form *f); /* NULL is fine */

/*
 * *ret: {"params":[...]}, owned by the caller. ERR_POLICY, ERR_TIMEOUT (the question's deadline is
 * over), ERR_TOO_BIG, ERR_NOMEM; `why` names the parameter and never tells a value.
 */
enum err form_answer(const struct form *f, const struct policy_question *q,
                     const struct rql_var *vars, struct json_object **ret, struct why *why);

#endif
