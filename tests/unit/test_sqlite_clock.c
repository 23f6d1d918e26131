/* test_sqlite_clock.c - the inbox's clock goes on, from boot to boot, seen or unseen. */
#include "unit.h"

#include <dlfcn.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clk.h"
#include "inbox/backend.h"
#include "temp_folder.h"

#define BOOT_ID "/proc/sys/kernel/random/boot_id"
#define DAY_US  (86400 * CLK_S_US)
#define SOON_US (120 * CLK_S_US) /* what is so near is the same */

static char folder[TEMP_FOLDER_MAX], path[TEMP_FOLDER_MAX + 32], url[TEMP_FOLDER_MAX + 40];

/* What the machine's clocks have been set on by, in days; and whether a sandbox hides the boot. */
static int booted_days, wall_days;
static bool hidden;

int clock_gettime(clockid_t id, struct timespec *ret)
{
    int status = (int)syscall(SYS_clock_gettime, id, ret);
    int days = id == CLOCK_BOOTTIME ? booted_days : id == CLOCK_REALTIME ? wall_days : 0;
    ret->tv_sec += (time_t)days * 86400;
    return status;
}

FILE *fopen(const char *name, const char *mode)
{
    FILE *(*real)(const char *, const char *);
    *(void **)&real = dlsym(RTLD_NEXT, "fopen");
    if (!hidden || strcmp(name, BOOT_ID) != 0)
        return real(name, mode);
    errno = ENOENT;
    return NULL;
}

static int set_up(void **state)
{
    (void)state;
    temp_folder_make(folder);
    snprintf(path, sizeof path, "%s/inbox.db", folder);
    snprintf(url, sizeof url, "sqlite:%s", path);
    booted_days = 100; /* so that it can be set back */
    wall_days = 0;
    hidden = false;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    temp_folder_remove(folder);
    return 0;
}

static void begin_anew(void **state)
{
    tear_down(state);
    set_up(state);
}

static struct inbox *open_inbox(bool looks)
{
    const struct inbox_options o = {
        .url = url, .lock_timeout_ms = 20000, .max_wal = 1 << 28, .looks = looks};
    struct inbox *i = NULL;
    assert_err(inbox_open(&o, &i, NULL), ERR_OK);
    return i;
}

static int64_t now(struct inbox *i)
{
    return i->backend->now_us(i);
}

/* What a program that is started now would be told. */
static int64_t now_of_another(bool looks)
{
    struct inbox *i = open_inbox(looks);
    int64_t told = now(i);
    inbox_close(i);
    return told;
}

static void change(const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* The power fails, and comes back after a day; what is stored of the boot is that of another. */
static void reboot(bool was_known)
{
    booted_days = 0;
    wall_days++;
    if (was_known)
        change("UPDATE clock SET boot = 'another'");
}

static void assert_near(int64_t a, int64_t b)
{
    assert_in_range(a, b - SOON_US, b + SOON_US);
}

static void no_step_of_the_time_of_day_moves_it(void **state)
{
    (void)state;
    for (int n = 0; n < 2; n++) {
        hidden = n == 1;
        int64_t before = now_of_another(false);
        for (wall_days = -3; wall_days <= 3; wall_days += 2) {
            assert_near(now_of_another(false), before);
            assert_near(now_of_another(true), before);
        }
        wall_days = 0;
    }
}

/* The time of day, if that is later: the waits of what is stored go on while the machine is off. */
static void a_boot_begins_it_anew(void **state)
{
    for (int n = 0; n < 4; n++) {
        bool was_hidden = n % 2 != 0, is_hidden = n / 2 != 0;
        begin_anew(state);
        hidden = was_hidden;
        int64_t before = now_of_another(false);
        reboot(!was_hidden);
        hidden = is_hidden;
        assert_near(now_of_another(true), before + DAY_US);
        assert_near(now_of_another(false), before + DAY_US);
        assert_near(now_of_another(true), before + DAY_US);
    }
}

/* Not even what came after the latest time that was kept is later than what comes now. */
static void it_never_falls(void **state)
{
    for (int n = 0; n < 2; n++) {
        begin_anew(state);
        hidden = n == 1;
        struct inbox *i = open_inbox(false);
        int64_t last = now(i) + 59 * CLK_S_US;
        inbox_close(i);
        reboot(true);
        wall_days = -1000;
        assert_true(now_of_another(false) > last);
    }
}

/* Nobody of an earlier boot can be there: what one program cannot see, another sees. */
static void it_goes_on_while_somebody_goes_by_it(void **state)
{
    (void)state;
    static const char *const stored[] = {"another", ""};
    for (size_t n = 0; n < sizeof stored / sizeof *stored; n++) {
        char sql[64];
        struct inbox *i = open_inbox(false);
        snprintf(sql, sizeof sql, "UPDATE clock SET boot = '%s'", stored[n]);
        change(sql);
        wall_days += 3;
        assert_near(now_of_another(false), now(i));
        inbox_close(i);
    }
    change("UPDATE clock SET boot = 'another'");
    assert_near(now_of_another(false), clk_wall_us());
}

/* ... and of this one nobody else is told another. */
static void a_look_changes_nothing(void **state)
{
    (void)state;
    int64_t before = now_of_another(false);
    change("UPDATE clock SET boot = 'another'");
    wall_days++;
    assert_near(now_of_another(true), before + DAY_US);
    hidden = true;
    assert_near(now_of_another(false), before);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(no_step_of_the_time_of_day_moves_it),
        TEST(a_boot_begins_it_anew),
        TEST(it_never_falls),
        TEST(it_goes_on_while_somebody_goes_by_it),
        TEST(a_look_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
