/*
 * rules.h - a policy written as a YAML list of rules: first match wins.
 *
 *     - when: and(eq(type,purchase),eq(asset.connection.type,test))     # RQL, see base/rql.h
 *       then: { action: approve, template_id: TL-471-184-949 }
 *     - then: { action: skip, reason: "nothing matched" }               # no `when`: always
 *
 * About a form a rule says which parameters get which values and errors: policy/form.h.
 *
 * No match is `skip`, and leaves a form as it is. Bare paths are the object's; $event., $webhook.
 * and $attempt are the rest. Values may quote: "${asset.params[subscription_id].value}".
 */
#ifndef POLICY_RULES_H
#define POLICY_RULES_H

#include "base/err.h"
#include "policy/policy.h"

#define RULES_MAX 1000 /* rules of a file */

/*
 * Load and check a file for questions of one kind about one class: every `when` parses, every
 * `then` is a decision of the class, or an answer to a form. *ret is owned: policy_free().
 * ERR_CONFIG and others; `why` says file:line:column.
 */
enum err rules_load(const char *path, enum policy_kind kind, const struct object_class *c,
                    struct policy **ret, struct why *why);

#endif
