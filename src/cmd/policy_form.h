/*
 * policy_form.h - `policy test --kind validate`: ask about a form, and show what comes back.
 */
#ifndef CMD_POLICY_FORM_H
#define CMD_POLICY_FORM_H

#include <stdbool.h>
#include <stddef.h>

#include "cmd/cmd.h"
#include "policy/policy.h"

/*
 * Ask the policy about the document `text` as the handler would, and show which rule answers and
 * what it changes. The question's webhook_type may be TYPE_EVENT: then it becomes the one for the
 * document's situation. Returns the exit status.
 */
int policy_form(const struct cmd *self, struct policy *p, struct policy_question *q,
                const char *text, size_t len, bool as_json);

#endif
