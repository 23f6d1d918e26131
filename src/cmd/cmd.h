/*
 * cmd.h - one subcommand of connect-webhook: one file, one constant, one line in the list.
 *
 * cmd/<name>.c defines `cmd_<name>`, and CMD_LIST names it. A command prints what was asked for
 * on standard output, says what went wrong on standard error, and ends with an enum cmd_exit.
 */
#ifndef CMD_CMD_H
#define CMD_CMD_H

#include <stdbool.h>

#include "base/err.h"

/* In the order in which --help shows them. */
#define CMD_LIST(X) \
    X(check)        \
    X(poll)         \
    X(policy)       \
    X(token)        \
    X(send)         \
    X(version)

enum cmd_exit {
    CMD_OK = 0,
    CMD_FAILED = 1, /* tried, and it did not end well */
    CMD_USAGE = 2,  /* not tried: the command line makes no sense */
};

struct cmd {
    const char *name;
    const char *summary; /* one line for `connect-webhook --help` */
    const char *help;    /* what `connect-webhook NAME --help` prints: usage, options, examples */
    int (*run)(const struct cmd *self, int argc, char **argv); /* argv[0] is the name */
};

#define X(name) extern const struct cmd cmd_##name;
CMD_LIST(X)
#undef X

/* Print "connect-webhook NAME: ..." and a pointer to --help on stderr; returns CMD_USAGE. */
int cmd_usage(const struct cmd *self, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Print "connect-webhook NAME: ..." on stderr; returns CMD_FAILED. */
int cmd_failed(const struct cmd *self, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Print the command's help on stdout; returns CMD_OK. */
int cmd_help(const struct cmd *self);

#endif
