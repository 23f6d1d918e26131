/*
 * calls.h - what GET /_sim/calls shows: every API call, in the order in which they took effect.
 */
#ifndef SIM_CALLS_H
#define SIM_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define CALLS_MAX      250000             /* calls that are remembered */
#define CALLS_TEXT_MAX (64 * 1024 * 1024) /* bytes of their methods, paths and queries */

struct calls;

struct calls_entry {
    const char *method, *path, *query;
    int status;  /* 0: the connection was closed instead */
    bool effect; /* it changed an object */
};

enum err calls_new(struct calls **ret);
void calls_free(struct calls *c); /* NULL is fine */

/* One at a time. What is beyond a limit is forgotten, and a warning logged once. */
void calls_add(struct calls *c, const struct calls_entry *entry);
/* One at a time with calls_add(); what it returns may be printed beside further calls_add(). */
size_t calls_count(const struct calls *c);
/* Append the first `count` as a JSON array. */
enum err calls_print(const struct calls *c, size_t count, struct buf *ret);

#endif
