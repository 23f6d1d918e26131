/*
 * sqlite_health.h - how an SQLite inbox fares, and who works on it. For inbox_sqlite.c alone; see
 * inbox/backend.h.
 */
#ifndef INBOX_SQLITE_HEALTH_H
#define INBOX_SQLITE_HEALTH_H

#include "inbox/backend.h"

enum err sqlite_probe(struct inbox *i, struct why *why);
enum err sqlite_worker_put(struct inbox *i, const char *owner, int64_t seen_us, int64_t forget_us,
                           struct why *why);
enum err sqlite_worker_drop(struct inbox *i, const char *owner, struct why *why);
enum err sqlite_worker_count(struct inbox *i, int64_t since_us, int64_t *ret, struct why *why);

#endif
