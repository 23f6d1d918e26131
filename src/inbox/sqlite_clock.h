/*
 * sqlite_clock.h - the clock of an SQLite inbox. For the rooms of this folder alone.
 *
 * All programs that have the inbox open go by it. It runs at an even pace, whatever is done to the
 * machine's, and on from boot to boot: it never tells a time before one that the inbox has. So the
 * inbox knows what it was when the machine was booted. The first program after a boot finds that
 * out anew, by the machine's time; the others go on with it.
 *
 * A boot is told from another by its id, or by the clock, which would fall. A sandbox may hide the
 * id: then the clock just goes on. It goes on, too, while another program has the inbox open, which
 * is of the same boot.
 */
#ifndef INBOX_SQLITE_CLOCK_H
#define INBOX_SQLITE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct sqlite_db;

struct sqlite_clock {
    int64_t at_boot_us; /* what it was when the machine's was 0 */
    int64_t last_us;    /* what was told last */
    int64_t kept_us;    /* what was stored last */
};

/* Within the first transaction. `looks`: nothing is stored. */
enum err sqlite_clock_begin(struct sqlite_clock *c, struct sqlite_db *d, bool looks,
                            struct why *why);
int64_t sqlite_clock_now_us(struct sqlite_clock *c); /* later each time */
/* Within a transaction: is the time to be stored again, so that the next boot's come after it? */
bool sqlite_clock_is_late(const struct sqlite_clock *c);
enum err sqlite_clock_keep(struct sqlite_clock *c, struct sqlite_db *d, struct why *why);

#endif
