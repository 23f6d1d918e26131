/*
 * waits.h - waits that are no settings, because no user has a reason to change them.
 *
 * Tests have one: $CONNECT_WEBHOOK_WAITS names some and says how long they are instead, as in
 * "hangs=1s stop_grace=200ms".
 */
#ifndef BASE_WAITS_H
#define BASE_WAITS_H

#include <stdint.h>

#include "base/err.h"

#define WAITS_LIST(X)                                                                             \
    X(WAITS_HANGS, "hangs", 10000)            /* who keeps others waiting for so long hangs */    \
    X(WAITS_STOP_GRACE, "stop_grace", 5000)   /* beyond web.stop_timeout, for who heeds none */   \
    X(WAITS_STUCK, "stuck", 10000)            /* a worker at one thing for so long is held up */  \
    X(WAITS_MISSED_TELL, "missed_tell", 5000) /* until who was told of nothing looks for work */  \
    X(WAITS_SESSION_BACKOFF, "session_backoff", 100) /* after one that gave no answer; doubles */ \
    X(WAITS_INLINE, "inline", 1000) /* a call's for a thread; Connect repeats what was refused */

enum wait {
#define X(code, name, ms) code,
    WAITS_LIST(X)
#undef X
        WAITS__COUNT
};

/* In milliseconds. Any thread. */
int64_t waits_ms(enum wait w);

/* Take them from a text as above; NULL: leave all as they are. Before other threads run.
 * ERR_INVALID, of a word that is none: nothing has changed. */
enum err waits_load(const char *text, struct why *why);

#endif
