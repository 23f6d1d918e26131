/*
 * policy_actions.h - what a decision may say, told from the descriptors of the classes.
 */
#ifndef CMD_POLICY_ACTIONS_H
#define CMD_POLICY_ACTIONS_H

#include <stdbool.h>

#include "cmd/cmd.h"

struct actions_options {
    const char *class; /* NULL: all of them */
    bool json;
};

/* `connect-webhook policy actions`: the run of its struct cmd, with these options. */
int policy_actions(const struct cmd *self, void *options, char **arguments);

#endif
