/* test_inbox_sqlite.c - the file of an inbox; faults are caused, not imagined. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "append.h"
#include "base/clk.h"
#include "base/log.h"
#include "base/metric.h"
#include "inbox/inbox.h"
#include "temp_folder.h"

static char folder[TEMP_FOLDER_MAX], url[128], db_path[96];

static const struct inbox_queue queue = {"VA-1", "PRD-1", &class_usage_file};

static int make_folder(void **state)
{
    (void)state;
    temp_folder_make(folder);
    snprintf(db_path, sizeof db_path, "%s/inbox.db", folder);
    snprintf(url, sizeof url, "sqlite:%s", db_path);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    temp_folder_remove(folder);
    return 0;
}

static enum err open_url(const char *at, struct inbox **ret, struct why *why)
{
    struct inbox_options o = {.url = at, .lock_timeout_ms = 200, .max_wal = 1 << 28};
    return inbox_open(&o, ret, why);
}

static struct inbox *open_inbox(void)
{
    struct inbox *i = NULL;
    assert_err(open_url(url, &i, NULL), ERR_OK);
    return i;
}

static struct delivery delivery(uint8_t token)
{
    struct delivery d = {
        .token_sha256 = {token},
        .state = DELIVERY_STORED,
        .webhook_id = "WH-623-978-334",
        .account_id = "VA-240-990",
        .product_id = "PRD-578-226-824",
        .object_class = &class_fulfillment_request,
        .exp = 1900000000,
        .received_us = 1800000000000000,
        .claims = "{}",
        .claims_len = 2,
        .body = "",
    };
    return d;
}

/* One value of the database, read by a connection of our own. */
static int64_t query(const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *q;
    assert_int_equal(sqlite3_open_v2(db_path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &q, NULL), SQLITE_OK);
    int64_t value = sqlite3_step(q) == SQLITE_ROW ? sqlite3_column_int64(q, 0) : -1;
    sqlite3_finalize(q);
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_close(db);
    return value;
}

static void refuses_a_url_it_cannot_serve(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "sqlite", "sqlite:", "redis:x", "sqlite:/nonexistent/db"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct inbox *inbox = NULL;
        struct why why = {""};
        assert_int_not_equal(open_url(bad[i], &inbox, &why), ERR_OK);
        assert_null(inbox);
        assert_true(strlen(why.text) > 10);
    }
}

static void refuses_a_file_that_is_not_its_own(void **state)
{
    (void)state;
    struct inbox *i = NULL;
    struct why why;
    FILE *f = fopen(db_path, "w");
    fputs("this is no database, but it is long enough to be looked at as one, page by page", f);
    for (int n = 0; n < 100; n++)
        fputs("0123456789", f);
    fclose(f);
    assert_err(open_url(url, &i, &why), ERR_STORE);
    assert_non_null(strstr(why.text, "move the file aside"));
    unlink(db_path);

    sqlite3 *db;
    assert_int_equal(sqlite3_open(db_path, &db), SQLITE_OK);
    sqlite3_exec(db, "CREATE TABLE theirs (x)", NULL, NULL, NULL);
    sqlite3_close(db);
    assert_err(open_url(url, &i, &why), ERR_STORE);
    assert_non_null(strstr(why.text, "another program's"));
}

static void refuses_a_newer_schema(void **state)
{
    (void)state;
    inbox_close(open_inbox());
    query("PRAGMA user_version = 99");
    struct inbox *i = NULL;
    struct why why;
    assert_err(open_url(url, &i, &why), ERR_STORE);
    assert_non_null(strstr(why.text, "newer version"));
}

/* As the first version made it. */
static const char version_1[] =
    "PRAGMA journal_mode = WAL;"
    "CREATE TABLE delivery (id INTEGER PRIMARY KEY, token_sha256 BLOB NOT NULL,"
    " exp INTEGER NOT NULL, state TEXT NOT NULL, webhook_id TEXT NOT NULL,"
    " account_id TEXT NOT NULL, product_id TEXT NOT NULL, object_class TEXT NOT NULL,"
    " triggered_at TEXT, received_us INTEGER NOT NULL, last_received_us INTEGER NOT NULL,"
    " seen INTEGER NOT NULL DEFAULT 1, claims TEXT NOT NULL, body BLOB NOT NULL) STRICT;"
    "CREATE UNIQUE INDEX delivery_token ON delivery (exp, token_sha256);"
    "PRAGMA application_id = 1129801826; PRAGMA user_version = 1;"
    "INSERT INTO delivery (token_sha256, exp, state, webhook_id, account_id, product_id,"
    " object_class, received_us, last_received_us, claims, body)"
    " VALUES (x'00', 1, 'stored', 'WH-1', 'VA-1', 'PRD-1', 'usage_file', 1, 1, '{}', x'');";

static void takes_over_the_file_of_the_first_version(void **state)
{
    (void)state;
    sqlite3 *db;
    assert_int_equal(sqlite3_open(db_path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, version_1, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    struct inbox *i = open_inbox();
    struct inbox_claimed due;
    const struct inbox_claim_terms terms = {.lease_ms = 60000};
    assert_err(inbox_claim(i, &terms, &due, NULL), ERR_OK); /* what it has stored is to be done */
    free(due.event);
    assert_int_equal(due.kind, INBOX_SWEEP);
    assert_true(due.sweep.called && due.sweep.object_class == &class_usage_file);
    struct inbox_mark m = {.from_us = 5};
    struct delivery d = delivery(1);
    assert_err(inbox_mark_write(i, &queue, &m, NULL), ERR_OK);
    assert_err(append_and_wait(i, &d).err, ERR_OK);
    inbox_close(i);
    assert_int_equal(query("SELECT count(*) FROM delivery"), 2);
    assert_int_equal(query("SELECT count(*) FROM mark"), 1);
    assert_int_equal(query("SELECT count(*) FROM tally"), 0);
}

/* ------------------------------------------------------------------- who only looks */

static enum err look(struct inbox **ret, struct why *why)
{
    const struct inbox_options o = {
        .url = url, .lock_timeout_ms = 200, .max_wal = 1 << 28, .looks = true};
    return inbox_open(&o, ret, why);
}

static void looks_at_nothing_that_is_not_there_or_not_its_own(void **state)
{
    (void)state;
    struct inbox *i = NULL;
    struct why why;
    sqlite3 *db;
    assert_err(look(&i, &why), ERR_NOT_FOUND);
    assert_non_null(strstr(why.text, "when it starts"));
    assert_int_equal(access(db_path, F_OK), -1);
    assert_int_equal(sqlite3_open(db_path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, version_1, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_err(look(&i, &why), ERR_STORE);
    assert_non_null(strstr(why.text, "older version (schema 1,"));
    assert_int_equal(query("PRAGMA user_version"), 1);
    assert_int_equal(chmod(db_path, 0), 0);
    if (geteuid() != 0) {
        assert_err(look(&i, &why), ERR_STORE);
        assert_non_null(strstr(why.text, "one of its group"));
    }
    assert_null(i);
}

static void note_id(void *ctx, const struct inbox_delivery *d)
{
    *(int64_t *)ctx = d->id;
}

static int64_t newest(struct inbox *i)
{
    const struct inbox_filter one = {.limit = 1};
    int64_t id = 0;
    assert_err(inbox_each_delivery(i, &one, note_id, &id, NULL), ERR_OK);
    return id;
}

/* Not even somebody else's lock keeps it waiting, nor the other way round; and it leaves nothing
 * behind. */
static void looks_beside_others_and_changes_nothing(void **state)
{
    (void)state;
    struct inbox *works = open_inbox(), *looks = NULL;
    struct delivery d = delivery(1), more = delivery(2);
    struct why why;
    int64_t first = append_and_wait(works, &d).id;
    char lock[128];
    snprintf(lock, sizeof lock, "%s.lock", db_path);
    int fd = open(lock, O_RDWR);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_err(look(&looks, NULL), ERR_OK);
    assert_int_equal(newest(looks), first);
    assert_int_equal(flock(fd, LOCK_UN), 0);
    close(fd);
    int64_t second = append_and_wait(works, &more).id;
    assert_int_equal(newest(looks), second);
    assert_err(inbox_replay(looks, first, &why), ERR_STORE);
    assert_err(append_and_wait(looks, &d).err, ERR_STORE);
    inbox_close(works);
    assert_int_equal(newest(looks), second);
    inbox_close(looks);
    assert_err(look(&looks, NULL), ERR_OK); /* and of one that nobody has open */
    assert_int_equal(newest(looks), second);
    inbox_close(looks);
    assert_int_equal(query("SELECT sum(seen) FROM delivery"), 2);
}

#define TALLY_TIMEOUT_MS 30000

static int64_t wait_for_tally(void)
{
    int64_t counted = 0;
    for (int64_t until = clk_mono_ms() + TALLY_TIMEOUT_MS; counted == 0 && clk_mono_ms() < until;
         usleep(10000))
        counted = query("SELECT count(*) FROM tally");
    return counted;
}

/* Nobody waits, nobody closes, and nothing else is stored. */
static void keeps_a_count_for_no_longer_than_a_while(void **state)
{
    (void)state;
    struct inbox *i = open_inbox();
    inbox_tally_add(i, "WH-1", true);
    inbox_put_counters(i);
    assert_int_equal(wait_for_tally(), 1);
    inbox_close(i);
}

/* Who has nothing to do writes nothing: what has counted is not counted in its turn, not even
 * beside others who only look. */
static void counting_is_nothing_to_count(void **state)
{
    (void)state;
    struct inbox *i = open_inbox();
    struct delivery d = delivery(1);
    int64_t count;
    assert_err(append_and_wait(i, &d).err, ERR_OK);
    assert_true(metric_any());
    inbox_put_counters(i);
    assert_err(inbox_recover(i, &count, NULL), ERR_OK);
    assert_false(metric_any());
    assert_int_equal(query("SELECT n FROM counter WHERE name LIKE '%commit_changes_total'"), 1);
    inbox_close(i);
}

static void stores_before_it_says_so(void **state)
{
    (void)state;
    struct inbox *i = open_inbox();
    struct delivery d = delivery(1);
    d.body = "a\0b";
    d.body_len = 3;
    struct inbox_receipt r = append_and_wait(i, &d);
    assert_err(r.err, ERR_OK);
    assert_int_equal(r.seen, 1);
    /* A connection that knows nothing of ours sees it already. */
    assert_int_equal(query("SELECT length(body) FROM delivery WHERE state = 'stored'"), 3);
    inbox_close(i);
    assert_int_equal(query("SELECT count(*) FROM delivery"), 1);
}

static void count_stored(void *ctx, const struct inbox_receipt *receipt)
{
    int *stored = ctx;
    *stored += receipt->err == ERR_OK;
}

static void close_completes_what_was_appended(void **state)
{
    (void)state;
    struct inbox *i = open_inbox();
    int stored = 0;
    struct delivery d[20];
    for (uint8_t n = 0; n < 20; n++) {
        d[n] = delivery(n);
        inbox_append(i, &d[n], count_stored, &stored);
    }
    inbox_close(i);
    assert_int_equal(stored, 20);
}

static void a_full_disk_is_an_error_and_then_is_not(void **state)
{
    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    struct inbox *i = open_inbox();
    struct delivery d = delivery(1);
    static char big[200000];
    d.body = big;
    d.body_len = sizeof big;
    struct rlimit full = {100000, RLIM_INFINITY}, was;
    getrlimit(RLIMIT_FSIZE, &was);
    full.rlim_max = was.rlim_max;
    setrlimit(RLIMIT_FSIZE, &full);
    struct inbox_receipt r = append_and_wait(i, &d);
    setrlimit(RLIMIT_FSIZE, &was);
    assert_err(r.err, ERR_STORE);
    assert_non_null(strstr(r.why.text, db_path));
    r = append_and_wait(i, &d);
    assert_err(r.err, ERR_OK);
    assert_int_equal(r.seen, 1);
    inbox_close(i);
}

/* What the library calls to have data on the disk; the disk may fail. */
static _Atomic bool disk_fails;

int fdatasync(int fd)
{
    if (!disk_fails)
        return (int)syscall(SYS_fdatasync, fd);
    errno = EIO;
    return -1;
}

static void a_disk_that_fails_is_an_error_and_then_is_not(void **state)
{
    (void)state;
    struct inbox *i = open_inbox();
    struct inbox_sweep s;
    struct delivery d = delivery(1), other = delivery(2);
    const struct inbox_sweep_end well = {.poll_ms = -1};
    const struct inbox_queue q = {d.account_id, d.product_id, d.object_class};
    assert_err(append_and_wait(i, &d).err, ERR_OK);
    assert_err(inbox_take_sweep(i, &q, 60000, 0, &s, NULL), ERR_OK);
    disk_fails = true;
    struct inbox_receipt r = append_and_wait(i, &other);
    assert_err(r.err, ERR_STORE);
    assert_non_null(strstr(r.why.text, "disk I/O error"));
    assert_err(inbox_end_sweep(i, &s.lease, &well, NULL), ERR_STORE);
    disk_fails = false;
    assert_err(append_and_wait(i, &other).err, ERR_OK);
    /* Nobody has it any more, though nobody could say so. */
    assert_err(inbox_take_sweep(i, &q, 60000, 0, &s, NULL), ERR_OK);
    assert_int_equal(s.failures, 1);
    assert_err(inbox_end_sweep(i, &s.lease, &well, NULL), ERR_OK);
    inbox_close(i);
    assert_int_equal(query("SELECT count(*) FROM delivery"), 2);
    assert_int_equal(query("SELECT count(*) FROM pragma_integrity_check"), 1);
}

static struct inbox_receipt append_number(struct inbox *i, uint32_t n)
{
    struct delivery d = delivery(0);
    memcpy(d.token_sha256, &n, sizeof n);
    return append_and_wait(i, &d);
}

#define MANY 2300 /* more than are merged at once, twice */

/* However the tokens are kept: in memory, merged, by another program, or only tried. */
static void knows_every_token_again(void **state)
{
    (void)state;
    struct inbox *i = open_inbox(), *other = open_inbox();
    for (uint32_t n = 0; n < MANY; n++)
        assert_int_equal(append_number(n % 2 == 0 ? i : other, n).seen, 1);
    disk_fails = true;
    assert_err(append_number(i, MANY).err, ERR_STORE);
    disk_fails = false;
    for (uint32_t n = 0; n < MANY; n += 7) {
        struct inbox_receipt r = append_number(n % 2 == 0 ? other : i, n);
        assert_int_equal(r.id, n + 1);
        assert_int_equal(r.seen, 2);
    }
    assert_int_equal(append_number(i, MANY).seen, 1);
    inbox_close(other);
    inbox_close(i);
    i = open_inbox();
    for (uint32_t n = 1; n < MANY; n += 70)
        assert_int_equal(append_number(i, n).seen, n % 7 == 0 ? 3 : 2);
    inbox_close(i);
    assert_int_equal(query("SELECT count(*) FROM delivery"), MANY + 1);
    assert_in_range(query("SELECT count(*) FROM token"), MANY - 1000, MANY + 1);
}

/* Another program that reads, and does not end. */
static pid_t start_reader(void)
{
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        sqlite3 *db;
        sqlite3_stmt *q;
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        sqlite3_open_v2(db_path, &db, SQLITE_OPEN_READONLY, NULL);
        sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
        sqlite3_prepare_v2(db, "SELECT count(*) FROM delivery", -1, &q, NULL);
        sqlite3_step(q);
        if (write(ready[1], "", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return pid;
}

/* With a body of 100,000 bytes. */
static enum err append_much(struct inbox *i, int n)
{
    static char big[100000];
    struct delivery d = delivery(0);
    memcpy(d.token_sha256, &n, sizeof n);
    d.body = big;
    d.body_len = sizeof big;
    return append_and_wait(i, &d).err;
}

static int64_t size_of_wal(void)
{
    char path[160];
    struct stat st;
    snprintf(path, sizeof path, "%s-wal", db_path);
    assert_int_equal(stat(path, &st), 0);
    return st.st_size;
}

#define WAL_MAX     (4 << 20)
#define PATIENCE_MS 30000

static void a_reader_that_stays_is_named_and_the_wal_does_not_grow_for_ever(void **state)
{
    (void)state;
    struct inbox_options o = {.url = url, .lock_timeout_ms = 20000, .max_wal = WAL_MAX};
    struct log_options log = {.level = LOG_WARN};
    char log_path[96], named[64], said[4096] = "";
    struct inbox *i = NULL;
    int n = 0;
    snprintf(log_path, sizeof log_path, "%s/log", folder);
    log.file = log_path;
    inbox_close(open_inbox());
    pid_t reader = start_reader();
    assert_err(log_open(&log, NULL), ERR_OK);
    assert_err(inbox_open(&o, &i, NULL), ERR_OK);
    int64_t until = clk_mono_ms() + PATIENCE_MS;
    while (append_much(i, n) == ERR_OK)
        assert_true(++n < 100);
    assert_in_range(size_of_wal(), WAL_MAX, 2 * WAL_MAX);
    snprintf(named, sizeof named, "process %d (test_inbox", (int)reader);
    while (strstr(said, named) == NULL && clk_mono_ms() < until) {
        assert_err(append_much(i, n), ERR_TOO_BIG);
        FILE *f = fopen(log_path, "r");
        said[f != NULL ? fread(said, 1, sizeof said - 1, f) : 0] = '\0';
        if (f != NULL)
            fclose(f);
        usleep(10000);
    }
    assert_non_null(strstr(said, named));
    kill(reader, SIGKILL);
    waitpid(reader, NULL, 0);
    while (append_much(i, n) != ERR_OK) { /* it finds out by itself */
        assert_true(clk_mono_ms() < until);
        usleep(10000);
    }
    for (int more = 1; more < 100; more++) /* three times as much as there is room for */
        assert_err(append_much(i, n + more), ERR_OK);
    assert_true(size_of_wal() < 2 * WAL_MAX + (1 << 20));
    inbox_close(i);
    const struct log_options quiet = {.level = LOG_WARN, .file = "stderr"};
    assert_err(log_open(&quiet, NULL), ERR_OK);
    assert_int_equal(query("SELECT count(*) FROM delivery"), n + 100);
}

static void another_holder_of_the_lock_is_waited_for_and_then_named(void **state)
{
    (void)state;
    struct inbox *i = open_inbox();
    char path[160];
    snprintf(path, sizeof path, "%s.lock", db_path);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    struct delivery d = delivery(1);
    struct inbox_receipt r = append_and_wait(i, &d);
    assert_err(r.err, ERR_BUSY);
    assert_non_null(strstr(r.why.text, path));
    close(fd);
    assert_err(append_and_wait(i, &d).err, ERR_OK);
    inbox_close(i);
}

static void *stop_soon(void *arg)
{
    poll(NULL, 0, 50); /* by then the other thread waits; if it does not, nothing is lost */
    inbox_stop(arg);
    return NULL;
}

static void a_stop_ends_every_wait(void **state)
{
    (void)state;
    struct inbox_options o = {.url = url, .lock_timeout_ms = 60000, .max_wal = 1 << 28};
    struct inbox *i = NULL, *other = open_inbox();
    struct inbox_sweep lock, second;
    struct delivery d = delivery(1);
    char path[160];
    assert_err(inbox_open(&o, &i, NULL), ERR_OK);
    assert_err(inbox_take_sweep(other, &queue, 60000, 0, &lock, NULL), ERR_OK);
    int64_t start = clk_mono_ms();
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, stop_soon, i), 0);
    assert_err(inbox_take_sweep(i, &queue, 60000, start + 60000, &second, NULL), ERR_STOPPED);
    pthread_join(thread, NULL);
    /* What others hold is not waited for any more, and what is free is still had. */
    snprintf(path, sizeof path, "%s.lock", db_path);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_err(append_and_wait(i, &d).err, ERR_STOPPED);
    close(fd);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(db_path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_err(append_and_wait(i, &d).err, ERR_BUSY); /* a stranger, who knows of no lock file */
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    assert_err(append_and_wait(i, &d).err, ERR_OK);
    assert_true(clk_mono_ms() - start < 60000);
    inbox_close(other);
    inbox_close(i);
}

static void believes_no_commit_to_a_file_that_is_gone(void **state)
{
    (void)state;
    static const char *const suffixes[] = {"", "-wal", ".lock"};
    struct inbox *i = open_inbox();
    for (uint8_t n = 0; n < 3; n++) {
        struct delivery d = delivery(n);
        char path[160], aside[160];
        snprintf(path, sizeof path, "%s%s", db_path, suffixes[n]);
        snprintf(aside, sizeof aside, "%s/aside", folder);
        assert_int_equal(rename(path, aside), 0);
        struct inbox_receipt r = append_and_wait(i, &d);
        assert_err(r.err, ERR_STORE);
        assert_non_null(strstr(r.why.text, path));
        assert_non_null(strstr(r.why.text, "was deleted or replaced"));
        close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
        assert_err(append_and_wait(i, &d).err, ERR_STORE);
        assert_int_equal(rename(aside, path), 0);
        assert_err(append_and_wait(i, &d).err, ERR_OK);
    }
    inbox_close(i);
    assert_int_equal(query("SELECT count(*) FROM delivery"), 3);
}

static unsigned mode_of(const char *suffix)
{
    char path[160];
    struct stat st;
    snprintf(path, sizeof path, "%s%s", db_path, suffix);
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 0777;
}

static void files_have_the_rights_that_their_folder_gives(void **state)
{
    (void)state;
    mode_t umask_was = umask(077);
    inbox_close(open_inbox());
    assert_int_equal(mode_of(""), 0600);
    remove_folder(NULL);
    make_folder(NULL);
    assert_int_equal(chmod(folder, 02770), 0);
    struct inbox *i = open_inbox();
    struct delivery d = delivery(1);
    assert_err(append_and_wait(i, &d).err, ERR_OK);
    assert_int_equal(mode_of(""), 0660);
    assert_int_equal(mode_of("-wal"), 0660);
    assert_int_equal(mode_of(".lock"), 0660);
    inbox_close(i);
    umask(umask_was);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(refuses_a_url_it_cannot_serve),
        TEST(refuses_a_file_that_is_not_its_own),
        TEST(refuses_a_newer_schema),
        TEST(takes_over_the_file_of_the_first_version),
        TEST(looks_at_nothing_that_is_not_there_or_not_its_own),
        TEST(looks_beside_others_and_changes_nothing),
        TEST(keeps_a_count_for_no_longer_than_a_while),
        TEST(counting_is_nothing_to_count),
        TEST(stores_before_it_says_so),
        TEST(close_completes_what_was_appended),
        TEST(a_full_disk_is_an_error_and_then_is_not),
        TEST(a_disk_that_fails_is_an_error_and_then_is_not),
        TEST(knows_every_token_again),
        TEST(a_reader_that_stays_is_named_and_the_wal_does_not_grow_for_ever),
        TEST(another_holder_of_the_lock_is_waited_for_and_then_named),
        TEST(a_stop_ends_every_wait),
        TEST(believes_no_commit_to_a_file_that_is_gone),
        TEST(files_have_the_rights_that_their_folder_gives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
