/*
 * keeper.h - looking after one program: from its start until nothing of it is left.
 */
#ifndef SPAWNER_KEEPER_H
#define SPAWNER_KEEPER_H

#include "policy/spawn.h"

/*
 * In a process just forked for it: run the program, wait until it has ended or the leash is let go
 * of, end it then (SIGTERM after its patience, SIGKILL SPAWN_GRACE_MS later), kill all that it has
 * left, report on the leash. Never returns.
 */
_Noreturn void keeper_run(const struct spawn_terms *t, const int fds[SPAWN__FDS]);

/* Report on a leash that nothing runs. */
void keeper_refuse(int leash, enum spawn_step step, int error);

#endif
