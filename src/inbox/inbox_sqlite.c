/* inbox_sqlite.c - the inbox in one SQLite file: which room does what. */
#include "inbox/sqlite_db.h"
#include "inbox/sqlite_delivery.h"
#include "inbox/sqlite_mark.h"
#include "inbox/sqlite_tally.h"

const struct inbox_backend inbox_backend_sqlite = {
    .scheme = "sqlite",
    .open = sqlite_open,
    .close = sqlite_close,
    .stop = sqlite_stop,
    .append = sqlite_append,
    .set_state = sqlite_set_state,
    .lock = sqlite_lock,
    .unlock = sqlite_unlock,
    .mark_read = sqlite_mark_read,
    .mark_write = sqlite_mark_write,
    .mark_seen = sqlite_mark_seen,
    .tally_add = sqlite_tally_add,
    .tally_read = sqlite_tally_read,
};
