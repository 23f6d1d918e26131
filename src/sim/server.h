/*
 * server.h - HTTP: bytes in, bytes out.
 */
#ifndef SIM_SERVER_H
#define SIM_SERVER_H

#include "sim/sim.h"

/* Serve until SIGTERM or SIGINT; prints the ready line. */
enum err sim_serve(struct sim *s, const char *listen, struct why *why);

#endif
