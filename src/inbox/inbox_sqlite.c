/* inbox_sqlite.c - the inbox in one SQLite file: which room does what. */
#include "inbox/sqlite_db.h"
#include "inbox/sqlite_delivery.h"
#include "inbox/sqlite_mark.h"
#include "inbox/sqlite_tally.h"
#include "inbox/sqlite_work.h"

const struct inbox_backend inbox_backend_sqlite = {
    .scheme = "sqlite",
    .open = sqlite_open,
    .close = sqlite_close,
    .stop = sqlite_stop,
    .append = sqlite_append,
    .set_state = sqlite_set_state,
    .transact = sqlite_transact,
    .heard = sqlite_heard,
    .wait = sqlite_wait,
    .tell = sqlite_tell,
    .now_us = sqlite_now_us,
    .sweep_find = sqlite_sweep_find,
    .sweep_get = sqlite_sweep_get,
    .sweep_put = sqlite_sweep_put,
    .sweep_first = sqlite_sweep_first,
    .sweep_page = sqlite_sweep_page,
    .task_find = sqlite_task_find,
    .task_get = sqlite_task_get,
    .task_put = sqlite_task_put,
    .task_first = sqlite_task_first,
    .task_next = sqlite_task_next,
    .task_page = sqlite_task_page,
    .backlog = sqlite_backlog,
    .attempt_add = sqlite_attempt_add,
    .attempt_each = sqlite_attempt_each,
    .held = sqlite_held,
    .held_count = sqlite_held_count,
    .account_next = sqlite_account_next,
    .account_find = sqlite_account_find,
    .account_put = sqlite_account_put,
    .delivery_renew = sqlite_delivery_renew,
    .delivery_page = sqlite_delivery_page,
    .prune = sqlite_prune,
    .mark_read = sqlite_mark_read,
    .mark_write = sqlite_mark_write,
    .mark_seen = sqlite_mark_seen,
    .tally_add = sqlite_tally_add,
    .tally_read = sqlite_tally_read,
};
