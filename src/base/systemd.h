/*
 * systemd.h - telling the service manager how it goes: sd_notify(3), which is one datagram.
 *
 * Where nobody asked ($NOTIFY_SOCKET is not set), nothing is told.
 */
#ifndef BASE_SYSTEMD_H
#define BASE_SYSTEMD_H

#include <stdint.h>

/* "READY=1", "STOPPING=1", "WATCHDOG=1"; several lines may go together. */
void systemd_notify(const char *state);
/* RELOADING=1, with the time that goes with it; READY=1 is to follow. */
void systemd_notify_reloading(void);
/* How often "WATCHDOG=1" is wanted, in ms: half of what the manager waits; 0: never. */
int64_t systemd_watchdog_ms(void);

#endif
