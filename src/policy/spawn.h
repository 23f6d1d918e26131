/*
 * spawn.h - what the spawner is told, and what it tells: the words between the handler and
 * connect-webhook-spawner.
 *
 * The handler sends one message for each program that shall run, a `struct spawn_order` and its
 * texts, with four descriptors. The fourth is the leash: on it comes, when the program and all that
 * it has started are gone, one `struct spawn_report`; and who lets go of it, on purpose or by
 * dying, has the program ended.
 *
 * Both ends are of one version: another one is refused.
 */
#ifndef POLICY_SPAWN_H
#define POLICY_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SPAWN_VERSION   1
#define SPAWN_SOCKET    0            /* the spawner's end of the socket pair (SOCK_SEQPACKET) */
#define SPAWN_ORDER_MAX (128 * 1024) /* bytes of a message */
#define SPAWN_TEXTS_MAX 256          /* arguments, and variables */
#define SPAWN_GRACE_MS  1000         /* from SIGTERM to SIGKILL */

enum spawn_fd { SPAWN_STDIN, SPAWN_STDOUT, SPAWN_STDERR, SPAWN_LEASH, SPAWN__FDS };

/* How a program is to be run; texts are borrowed. */
struct spawn_terms {
    const char *cwd;
    const char *const *argv; /* NULL-terminated; the first is the program's path */
    const char *const *env;  /* "NAME=VALUE", NULL-terminated: all that it gets */
    bool as_user;            /* take on `uid` and `gid`; needs root */
    uid_t uid;
    gid_t gid;
    /* Limits, 0 for none of ours. */
    int64_t cpu_s;       /* of processor time */
    int64_t memory;      /* bytes of its data (RLIMIT_DATA): what it has reserved is no harm */
    int64_t file_size;   /* bytes of a file it writes */
    int64_t files;       /* that it has open */
    int64_t patience_ms; /* from letting go of the leash to SIGTERM */
};

/* Write the message; returns its length, 0 if it is too big. */
size_t spawn_write(const struct spawn_terms *t, char ret[SPAWN_ORDER_MAX]);

/* A message as it was read; its lists point into it. */
struct spawn_order {
    struct spawn_terms terms;
    const char *texts[2 * (SPAWN_TEXTS_MAX + 1)];
};
/* False for any message that spawn_write() of this version does not make. `message` has to stay,
 * and `ret` where it is. */
bool spawn_read(const char *message, size_t len, struct spawn_order *ret);

/* How a program ended. */
enum spawn_end {
    SPAWN_EXITED, /* with status `value` */
    SPAWN_KILLED, /* by signal `value` */
    SPAWN_FAILED, /* it never ran: `step` failed with errno `value` */
};
/* The steps to a program that runs, and what is told to people of one that failed. */
#define SPAWN_STEPS(X)                                  \
    X(SPAWN_ORDER, "the spawner is of another version") \
    X(SPAWN_FORK, "no process can be made")             \
    X(SPAWN_LIMITS, "its limits cannot be set")         \
    X(SPAWN_USER, "its user cannot be taken on")        \
    X(SPAWN_FOLDER, "its folder cannot be entered")     \
    X(SPAWN_EXEC, "it cannot be executed")

enum spawn_step {
#define X(code, text) code,
    SPAWN_STEPS(X)
#undef X
        SPAWN__STEPS
};
const char *spawn_step_text(enum spawn_step s); /* static */

struct spawn_report {
    int32_t how; /* enum spawn_end */
    int32_t value;
    int32_t step; /* enum spawn_step */
};

#endif
