/*
 * user.h - as whom programs run.
 *
 * Programs of one user may read each other's memory, and with it what one account's knows of
 * another's customers. connect-webhook-policy(7) is the contract.
 */
#ifndef POLICY_USER_H
#define POLICY_USER_H

#include "base/err.h"
#include "conf/conf.h"
#include "policy/spawn.h"

/* Where root runs us, the configured user and group, or nobody; never root. Else who we are. Sets
 * uid, gid and as_user. ERR_CONFIG: there is no such user, or we cannot be it. */
enum err user_take(const struct conf_policy *conf, struct spawn_terms *t, struct why *why);

/*
 * Do programs of two accounts run as the same user? ERR_CONFIG if root runs us, so that each could
 * have its own, and nobody has said that this one is meant; else it is a warning in the log.
 */
enum err user_check(const struct conf *conf, struct why *why);

#endif
