/*
 * exec.h - a policy that is a program of the user's, in any language.
 *
 * No shell; a built environment, limits, and no secret of ours in reach. It is run once for each
 * question, which is its standard input, with the answer as its standard output; or, as a session
 * (policy/session.h), once for many. connect-webhook-policy(7) is the contract.
 */
#ifndef POLICY_EXEC_H
#define POLICY_EXEC_H

#include "base/err.h"
#include "conf/conf.h"
#include "policy/policy.h"
#include "policy/spawner.h"

/* A program's limits; its time is the configuration's. */
#define EXEC_MEMORY    (INT64_C(1) << 30) /* bytes of data */
#define EXEC_FILE_SIZE (INT64_C(1) << 30) /* bytes of a file it writes */
#define EXEC_FILES     1024               /* open at a time */
#define EXEC_PATIENCE  1000 /* ms: a session whose input has ended is left in peace so long */

/*
 * Nothing is run yet. Where root runs us, the program runs as the configured user, or nobody; never
 * as root. *ret is owned: policy_free(). ERR_CONFIG: there is no such user, or we cannot be it.
 */
enum err exec_open(const struct conf_policy *conf, struct spawner *spawner, struct policy **ret,
                   struct why *why);

#endif
