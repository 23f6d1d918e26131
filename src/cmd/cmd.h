/*
 * cmd.h - what is called by a command line: a program, or a subcommand of connect-webhook.
 *
 * A subcommand is one file, one constant, one line in the list: cmd/<name>.c defines `cmd_<name>`,
 * and CMD_LIST names it. What stands on the command line is a
 * table of the command's; reading it is cmd_run()'s. A command prints what was asked for on
 * standard output, says what went wrong on standard error, and ends with an enum cmd_exit.
 */
#ifndef CMD_CMD_H
#define CMD_CMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>

#include "base/err.h"

/* In the order in which --help shows them. */
#define CMD_LIST(X) \
    X(check)        \
    X(worker)       \
    X(poll)         \
    X(deliveries)   \
    X(tasks)        \
    X(stats)        \
    X(policy)       \
    X(token)        \
    X(send)         \
    X(version)

#define CMD_OPTIONS_MAX 24 /* of one command */

enum cmd_exit {
    CMD_OK = 0,
    CMD_FAILED = 1, /* tried, and it did not end well */
    CMD_USAGE = 2,  /* not tried: the command line makes no sense */
};

/* An option, and where it goes in the struct that the command has for them all. Every one has
 * --help and -h besides, and programs have --version and -V. */
struct cmd_option {
    const char *name; /* "dry-run": --dry-run */
    char letter;      /* 'c': -c; 0 for none */
    bool has_value;
    size_t at; /* offset of a const char *, of a bool without a value, or of what `take` gets */
    enum err (*take)(void *at, const char *value, struct why *why); /* NULL: it is kept as it is */
};
#define CMD_FLAG(name, type, member)                 \
    {                                                \
        name, 0, false, offsetof(type, member), NULL \
    }
#define CMD_TEXT(name, letter, type, member)             \
    {                                                    \
        name, letter, true, offsetof(type, member), NULL \
    }
#define CMD_TAKE(name, type, member, take)          \
    {                                               \
        name, 0, true, offsetof(type, member), take \
    }

struct cmd {
    const char *program; /* "connect-sim": all there is of it; NULL: `connect-webhook NAME` */
    const char *name;
    const char *summary; /* one line for `connect-webhook --help` */
    const char *help;    /* what `connect-webhook NAME --help` prints: usage, options, examples */

    const struct cmd_option *options; /* ends with a NULL name */
    const void *defaults;             /* the options' struct, if none is given; NULL: zeroes */
    size_t size;                      /* bytes of it */
    int arguments_max;                /* behind the options */
    int (*run)(const struct cmd *self, void *options, char **arguments); /* NULL-terminated */
    void (*free)(void *options); /* what the struct owns, however that ends; NULL: nothing */

    /* Instead of these: what the command's first argument may be, each with what is its own, and
     * with the command's name and help. Ends with a NULL name. */
    const struct cmd_verb *verbs;
};
struct cmd_verb {
    const char *name;
    struct cmd cmd;
};

#define X(name) extern const struct cmd cmd_##name;
CMD_LIST(X)
#undef X

/* Read the command line (argv[0] is the command's name) and run the verb. Returns the exit status.
 */
int cmd_run(const struct cmd *self, int argc, char **argv);

/* Print "connect-webhook NAME: ..." (or the program's name) and a pointer to --help on stderr;
 * returns CMD_USAGE. */
int cmd_usage(const struct cmd *self, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Print "connect-webhook NAME: ..." on stderr; returns CMD_FAILED. */
int cmd_failed(const struct cmd *self, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* For `take`: a whole number from `min` to `max`. ERR_RANGE tells "NAME is ...". */
enum err cmd_number(const char *name, const char *value, int64_t min, int64_t max, int64_t *ret,
                    struct why *why);
/* Print a text of others on stdout: its control characters become spaces. */
void cmd_print_plain(const char *text);
/* Print one line of JSON on stdout; `o` is consumed. CMD_OK, or CMD_FAILED if memory ran out. */
int cmd_print_json(const struct cmd *self, struct json_object *o);
/* Print the command's help on stdout; returns CMD_OK. */
int cmd_help(const struct cmd *self);

#endif
