/* sqlite_clock.c - the inbox's clock: one row, and what this program knows of it. */
#include "inbox/sqlite_clock.h"

#include "base/clk.h"
#include "base/proc.h"
#include "inbox/sqlite_bind.h"
#include "inbox/sqlite_db.h"

#define KEEP_US \
    (60 * CLK_S_US)       /* the inbox has times that are so much later than the latest kept */
#define FALL_US  CLK_S_US /* what is no fall: times are told one after the other */
#define BOOT_MAX 40       /* bytes of a boot's id, with the NUL */

/* What the inbox has of it. */
struct row {
    int64_t at_boot_us, latest_us;
    int64_t same_boot, has_boot;
};

static enum err read_row(struct sqlite_db *d, const char *boot, struct row *ret, struct why *why)
{
    static const char sql[] = "SELECT at_boot_us, latest_us, boot = ?1, boot <> '' FROM clock";
    sqlite3_stmt *q = sqlite_db_statement(d, sql, why);
    int64_t row[4] = {0};
    sqlite_bind_text(q, 1, boot);
    enum err e = sqlite_db_step(d, q, row, 4, "read the clock", why);
    *ret = (struct row){row[0], row[1], row[2], row[3]};
    return e;
}

static enum err put_row(struct sqlite_db *d, const char *boot, int64_t at_boot_us, struct why *why)
{
    static const char sql[] =
        "INSERT INTO clock (id, boot, at_boot_us, latest_us) VALUES (1, ?1, ?2, ?3)"
        " ON CONFLICT (id) DO UPDATE SET boot = ?1, at_boot_us = ?2, latest_us = max(latest_us, "
        "?3)";
    sqlite3_stmt *q = sqlite_db_statement(d, sql, why);
    sqlite_bind_text(q, 1, boot);
    sqlite3_bind_int64(q, 2, at_boot_us);
    sqlite3_bind_int64(q, 3, at_boot_us + clk_boot_us());
    return sqlite_db_run(d, q, "begin the clock", why);
}

static bool is_of_this_boot(const struct row *r, const char *boot, int64_t boot_us, bool alone)
{
    bool differs = boot[0] != '\0' && r->has_boot && !r->same_boot;
    bool falls = r->at_boot_us + boot_us < r->latest_us - FALL_US;
    return !falls && !(differs && alone);
}

enum err sqlite_clock_begin(struct sqlite_clock *c, struct sqlite_db *d, bool looks,
                            struct why *why)
{
    const struct lease_taker *taker = &((const struct inbox *)d)->taker;
    int64_t boot_us = clk_boot_us(), now_us = clk_wall_us();
    char boot[BOOT_MAX];
    struct row r;
    proc_line("/proc/sys/kernel/random/boot_id", boot, sizeof boot);
    enum err e = read_row(d, boot, &r, why);
    if (e != ERR_OK && e != ERR_NOT_FOUND)
        return e;
    bool goes_on = e == ERR_OK &&
                   is_of_this_boot(&r, boot, boot_us, looks || lease_taker_alone(taker));
    if (now_us < r.latest_us + KEEP_US)
        now_us = r.latest_us + KEEP_US;
    c->at_boot_us = goes_on ? r.at_boot_us : now_us - boot_us;
    bool is_known = goes_on && (r.same_boot || boot[0] == '\0');
    return is_known || looks ? ERR_OK : put_row(d, boot, c->at_boot_us, why);
}

int64_t sqlite_clock_now_us(struct sqlite_clock *c)
{
    int64_t now_us = c->at_boot_us + clk_boot_us();
    c->last_us = now_us > c->last_us ? now_us : c->last_us + 1;
    return c->last_us;
}

bool sqlite_clock_is_late(const struct sqlite_clock *c)
{
    return c->last_us - c->kept_us >= KEEP_US;
}

enum err sqlite_clock_keep(struct sqlite_clock *c, struct sqlite_db *d, struct why *why)
{
    static const char sql[] = "UPDATE clock SET latest_us = max(latest_us, ?1)";
    sqlite3_stmt *q = sqlite_db_statement(d, sql, why);
    sqlite3_bind_int64(q, 1, sqlite_clock_now_us(c));
    c->kept_us = c->last_us;
    return sqlite_db_run(d, q, "keep the clock", why);
}
