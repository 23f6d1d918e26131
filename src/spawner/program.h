/*
 * program.h - becoming the program that was ordered.
 */
#ifndef SPAWNER_PROGRAM_H
#define SPAWNER_PROGRAM_H

#include <sys/types.h>

#include "policy/spawn.h"

/* Why a process did not become a program. */
struct program_failure {
    enum spawn_step step;
    int error; /* errno */
};

/*
 * In a process just forked by `keeper`: a session of its own, limits, rights, folder, and then the
 * program, with the three descriptors and no other. If that fails, a struct program_failure is
 * written to `failure` (which a program that runs has no longer). Never returns.
 */
_Noreturn void program_become(const struct spawn_terms *t, const int fds[SPAWN__FDS], int failure,
                              pid_t keeper);

#endif
