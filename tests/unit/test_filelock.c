/* test_filelock.c - one at a time, whoever they are, and each in its turn. */
#include "unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clk.h"
#include "inbox/filelock.h"

#define MODE    0660
#define SHORT   20    /* ms */
#define LONG    20000 /* ms */
#define HOLD_MS 2
#define TIMES   20
#define TURNS   10 /* that another has while one waits: far more than there should be */

static char folder[64], path[96];
static atomic_bool stop;
static int ours, theirs;

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/test_filelock.XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/lock", folder);
    stop = false;
    assert_err(filelock_open(path, MODE, &ours, NULL), ERR_OK);
    assert_err(filelock_open(path, MODE, &theirs, NULL), ERR_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    close(ours);
    close(theirs);
    unlink(path);
    return rmdir(folder);
}

static enum err take(int fd, int64_t within_ms)
{
    return filelock_take(fd, clk_mono_ms() + within_ms, &stop);
}

static void refuses_what_is_no_file_of_its_own(void **state)
{
    (void)state;
    struct why why;
    char link[96];
    int fd = -1;
    assert_err(filelock_open("/nonexistent/lock", MODE, &fd, &why), ERR_STORE);
    assert_string_equal(why.text, "lock file /nonexistent/lock: No such file or directory");
    assert_err(filelock_open(folder, MODE, &fd, NULL), ERR_STORE);
    snprintf(link, sizeof link, "%s/link", folder);
    assert_int_equal(symlink(path, link), 0);
    assert_err(filelock_open(link, MODE, &fd, NULL), ERR_STORE);
    unlink(link);
    assert_int_equal(fd, -1);
    assert_err(take(-1, LONG), ERR_STORE);
}

static void has_its_mode_whatever_the_umask(void **state)
{
    (void)state;
    struct stat st;
    int fd;
    unlink(path);
    mode_t before = umask(0077);
    assert_err(filelock_open(path, MODE, &fd, NULL), ERR_OK);
    umask(before);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_mode & 0777, MODE);
    close(fd);
}

static void waits_until_it_is_free_or_time_is_up(void **state)
{
    (void)state;
    assert_err(take(theirs, 0), ERR_OK);
    assert_err(take(ours, 0), ERR_BUSY);
    assert_err(take(ours, SHORT), ERR_BUSY);
    stop = true;
    assert_err(take(ours, LONG), ERR_STOPPED);
    filelock_give(theirs);
    assert_err(take(ours, LONG), ERR_OK); /* free, and so it is taken all the same */
    filelock_give(ours);
}

static void ends_with_who_has_it(void **state)
{
    (void)state;
    int fd;
    assert_err(filelock_open(path, MODE, &fd, NULL), ERR_OK);
    assert_err(take(fd, 0), ERR_OK);
    close(fd);
    assert_err(take(ours, 0), ERR_OK);
    filelock_give(ours);
}

/* Who is next and does not come, for it was stopped, keeps nobody out. */
static void a_turn_that_is_not_taken_passes(void **state)
{
    (void)state;
    struct flock turn = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
    assert_int_equal(fcntl(theirs, F_OFD_SETLK, &turn), 0);
    assert_err(take(ours, 0), ERR_OK);
    filelock_give(ours);
    assert_err(take(ours, LONG), ERR_OK);
    filelock_give(ours);
}

/* ------------------------------------------------------------------------- the marks */

static void a_mark_is_anothers_until_he_is_gone(void **state)
{
    (void)state;
    int fd;
    assert_err(filelock_open(path, MODE, &fd, NULL), ERR_OK);
    assert_true(filelock_mark(fd, INT64_MAX));
    assert_true(filelock_mark(fd, FILELOCK_MARKS));
    assert_true(filelock_mark(theirs, 7));
    assert_false(filelock_mark(ours, 7));
    assert_false(filelock_unmarked(ours, 7, 1));
    assert_false(filelock_unmarked(ours, INT64_MAX, 1));
    assert_false(filelock_unmarked(ours, FILELOCK_MARKS, 0));
    assert_true(filelock_unmarked(ours, 8, 1));
    assert_false(filelock_unmarked(ours, 8, 0));
    close(fd);
    assert_true(filelock_unmarked(ours, 8, 0));
    assert_false(filelock_unmarked(ours, FILELOCK_MARKS, 0));
    assert_true(filelock_unmarked(theirs, FILELOCK_MARKS, 0)); /* but for its own */
}

/* Who has the lock, and whose turn it is, is another thing. */
static void a_mark_is_no_lock(void **state)
{
    (void)state;
    assert_true(filelock_mark(theirs, FILELOCK_MARKS));
    assert_err(take(ours, 0), ERR_OK);
    assert_true(filelock_unmarked(theirs, FILELOCK_MARKS, 0));
    filelock_give(ours);
    assert_err(take(theirs, 0), ERR_OK);
    filelock_give(theirs);
    assert_false(filelock_unmarked(ours, FILELOCK_MARKS, 1));
}

static void what_cannot_be_asked_is_not_certain(void **state)
{
    (void)state;
    assert_false(filelock_mark(-1, FILELOCK_MARKS));
    assert_false(filelock_unmarked(-1, FILELOCK_MARKS, 1));
    assert_false(filelock_unmarked(ours, -1, 1));
}

/* ------------------------------------------------------------------------- the turns */

static _Atomic int turns; /* of who wants it again and again */
static atomic_bool enough;

static void *want_it_again_and_again(void *arg)
{
    const struct timespec hold = {0, HOLD_MS * 1000000L};
    (void)arg;
    while (!enough) {
        if (take(theirs, LONG) != ERR_OK)
            return NULL;
        turns++;
        nanosleep(&hold, NULL);
        filelock_give(theirs);
    }
    return NULL;
}

static void who_wants_it_again_comes_after_who_waits(void **state)
{
    (void)state;
    pthread_t thread;
    turns = 0;
    enough = false;
    assert_int_equal(pthread_create(&thread, NULL, want_it_again_and_again, NULL), 0);
    enum err e = ERR_OK;
    int waited = 0;
    while (turns == 0)
        sched_yield();
    for (int n = 0; n < TIMES && e == ERR_OK; n++) {
        int before = turns;
        e = take(ours, LONG);
        waited += turns - before;
        if (e == ERR_OK)
            filelock_give(ours);
    }
    enough = true;
    pthread_join(thread, NULL);
    assert_err(e, ERR_OK);
    assert_in_range(waited, 0, TIMES * TURNS);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(refuses_what_is_no_file_of_its_own),   TEST(has_its_mode_whatever_the_umask),
        TEST(waits_until_it_is_free_or_time_is_up), TEST(ends_with_who_has_it),
        TEST(a_turn_that_is_not_taken_passes),      TEST(who_wants_it_again_comes_after_who_waits),
        TEST(a_mark_is_anothers_until_he_is_gone),  TEST(a_mark_is_no_lock),
        TEST(what_cannot_be_asked_is_not_certain),
    };
    return cmocka_run_group_tests_name("filelock", tests, NULL, NULL);
}
