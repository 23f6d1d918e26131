/*
 * inbox.c - how fast the inbox is, against the least that can be done with its storage.
 *
 *   inbox [FOLDER]    a folder on the disk in question; without one, a new one below /tmp
 *
 * append: calls stored a second, so many in flight at a time, each given again when it is stored;
 *         "least" inserts the same bytes into a table without an index, as many in a transaction.
 * claim:  tasks claimed and ended a second, of so many that are ready.
 * open:   the time to open a file with so many tasks.
 *
 * Ratios of one run count, not times.
 */
#include <pthread.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "inbox/inbox.h"

#define APPENDS 20000
#define CLAIMS  500
#define CLAIMS_OF                \
    {                            \
        100, 1000, 10000, 100000 \
    }
#define CLAIMS_MAX    100000
#define IN_FLIGHT_MAX 128
#define LEASE_MS      60000

static char folder[256] = "/tmp/bench-inbox.XXXXXX";
static char claims[554], body[430]; /* as long as real ones */
static int64_t took_us[APPENDS];

static int64_t now_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void check(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "inbox: %s failed\n", what);
    exit(1);
}

static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

struct figure {
    double per_s, p50_ms, p99_ms;
};

static struct figure figure_of(int64_t begun_us)
{
    double seconds = (double)(now_us() - begun_us) / 1e6;
    qsort(took_us, APPENDS, sizeof *took_us, by_number);
    return (struct figure){APPENDS / seconds, (double)took_us[APPENDS / 2] / 1e3,
                           (double)took_us[APPENDS * 99 / 100] / 1e3};
}

/* ------------------------------------------------------------------------- appends */

/* One place of those in flight: a delivery, and when it was given. */
struct place {
    struct appending *all;
    struct delivery delivery;
    int64_t given_us;
};

struct appending {
    struct inbox *inbox;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t over;
    int given, done;
    struct place places[IN_FLIGHT_MAX];
};

static void give(struct place *p);

static void on_stored(void *ctx, const struct inbox_receipt *receipt)
{
    struct place *p = ctx;
    struct appending *a = p->all;
    check(receipt->err == ERR_OK && receipt->seen == 1, "append");
    pthread_mutex_lock(&a->lock);
    took_us[a->done++] = now_us() - p->given_us;
    bool more = a->given < APPENDS;
    a->given += more;
    if (a->done == APPENDS)
        pthread_cond_signal(&a->over);
    pthread_mutex_unlock(&a->lock);
    if (more)
        give(p);
}

static void give(struct place *p)
{
    p->delivery = (struct delivery){.state = DELIVERY_STORED,
                                    .webhook_id = "WH-623-978-334",
                                    .account_id = "VA-240-990",
                                    .product_id = "PRD-578-226-824",
                                    .object_class = &class_fulfillment_request,
                                    .exp = 1900000000,
                                    .received_us = 1800000000000000,
                                    .claims = claims,
                                    .claims_len = sizeof claims,
                                    .body = body,
                                    .body_len = sizeof body};
    randombytes_buf(p->delivery.token_sha256, sizeof p->delivery.token_sha256);
    p->given_us = now_us();
    inbox_append(p->all->inbox, &p->delivery, on_stored, p);
}

static struct inbox *open_inbox(const char *name)
{
    char url[400];
    struct inbox *i;
    struct why why = {""};
    snprintf(url, sizeof url, "sqlite:%s/%s", folder, name);
    const struct inbox_options o = {.url = url, .lock_timeout_ms = 5000, .max_wal = 1 << 28};
    if (inbox_open(&o, &i, &why) == ERR_OK)
        return i;
    fprintf(stderr, "inbox: %s\n", why.text);
    exit(1);
}

static struct figure append(int in_flight)
{
    char name[32];
    static struct appending a;
    snprintf(name, sizeof name, "append-%d.db", in_flight);
    a = (struct appending){.inbox = open_inbox(name), .given = in_flight};
    pthread_mutex_init(&a.lock, NULL);
    pthread_cond_init(&a.over, NULL);
    int64_t begun_us = now_us();
    for (int n = 0; n < in_flight; n++) {
        a.places[n].all = &a;
        give(&a.places[n]);
    }
    pthread_mutex_lock(&a.lock);
    while (a.done < APPENDS)
        pthread_cond_wait(&a.over, &a.lock);
    pthread_mutex_unlock(&a.lock);
    struct figure f = figure_of(begun_us);
    inbox_close(a.inbox);
    return f;
}

static void run_sql(sqlite3 *db, const char *sql)
{
    check(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, sql);
}

static struct figure append_bare(int in_flight)
{
    char path[400];
    sqlite3 *db;
    sqlite3_stmt *q;
    snprintf(path, sizeof path, "%s/bare-%d.db", folder, in_flight);
    check(sqlite3_open(path, &db) == SQLITE_OK, path);
    run_sql(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
    run_sql(db, "CREATE TABLE t (id INTEGER PRIMARY KEY, token BLOB, claims TEXT, body BLOB)");
    sqlite3_prepare_v2(db, "INSERT INTO t (token, claims, body) VALUES (?1, ?2, ?3)", -1, &q, NULL);
    int64_t begun_us = now_us();
    for (int n = 0; n < APPENDS; n += in_flight) {
        int64_t given_us = now_us();
        int count = n + in_flight < APPENDS ? in_flight : APPENDS - n;
        run_sql(db, "BEGIN IMMEDIATE");
        for (int k = 0; k < count; k++) {
            uint8_t token[INBOX_TOKEN_HASH_LEN];
            randombytes_buf(token, sizeof token);
            sqlite3_bind_blob(q, 1, token, sizeof token, SQLITE_TRANSIENT);
            sqlite3_bind_text(q, 2, claims, sizeof claims, SQLITE_STATIC);
            sqlite3_bind_blob(q, 3, body, sizeof body, SQLITE_STATIC);
            check(sqlite3_step(q) == SQLITE_DONE, "insert");
            sqlite3_reset(q);
        }
        run_sql(db, "COMMIT");
        for (int k = 0; k < count; k++)
            took_us[n + k] = now_us() - given_us;
    }
    struct figure f = figure_of(begun_us);
    sqlite3_finalize(q);
    sqlite3_close(db);
    return f;
}

/* -------------------------------------------------------------------------- claims */

static const struct inbox_queue queue = {"VA-240-990", "PRD-578-226-824",
                                         &class_fulfillment_request};

static void ignore(void *ctx, const struct inbox_task *t)
{
    (void)ctx;
    (void)t;
}

static void add_tasks(struct inbox *i, int from, int to)
{
    static struct inbox_found found[INBOX_FOUND_MAX];
    static char ids[INBOX_FOUND_MAX][24];
    const struct inbox_sweep_end end = {.poll_ms = -1};
    struct inbox_sweep s;
    check(inbox_take_sweep(i, &queue, LEASE_MS, 0, &s, NULL) == ERR_OK, "take a sweep");
    for (int n = from; n < to; n += INBOX_FOUND_MAX) {
        int count = to - n < INBOX_FOUND_MAX ? to - n : INBOX_FOUND_MAX;
        for (int k = 0; k < count; k++) {
            snprintf(ids[k], sizeof ids[k], "PR-%d", n + k);
            found[k] = (struct inbox_found){.object_id = ids[k], .type = "", .state = "pending"};
        }
        check(inbox_found(i, &s.lease, found, (size_t)count, false, ignore, NULL, NULL) == ERR_OK,
              "add tasks");
    }
    check(inbox_end_sweep(i, &s.lease, &end, NULL) == ERR_OK, "end a sweep");
}

static double claim(struct inbox *i)
{
    static const struct inbox_story story = {.result = "done"};
    const struct inbox_task_end end = {.state = TASK_READY, .after_ms = LEASE_MS, .story = &story};
    const struct inbox_claim_terms terms = {.lease_ms = LEASE_MS};
    int64_t begun_us = now_us();
    for (int n = 0; n < CLAIMS; n++) {
        struct inbox_claimed c;
        check(inbox_claim(i, &terms, &c, NULL) == ERR_OK && c.kind == INBOX_TASK, "claim");
        free(c.event);
        check(inbox_end_task(i, &c.task.lease, &end, NULL) == ERR_OK, "end a task");
    }
    return CLAIMS / ((double)(now_us() - begun_us) / 1e6);
}

/* ----------------------------------------------------------------------------- all */

static void bench_appends(void)
{
    static const int in_flight[] = {32, 128};
    printf("append           a second    p50 ms    p99 ms    ratio\n");
    for (size_t n = 0; n < sizeof in_flight / sizeof *in_flight; n++) {
        struct figure bare = append_bare(in_flight[n]), f = append(in_flight[n]);
        printf("  least, %3d     %8.0f  %8.2f  %8.2f     1.00\n", in_flight[n], bare.per_s,
               bare.p50_ms, bare.p99_ms);
        printf("  inbox, %3d     %8.0f  %8.2f  %8.2f     %.2f\n", in_flight[n], f.per_s, f.p50_ms,
               f.p99_ms, f.per_s / bare.per_s);
    }
}

static void bench_claims(void)
{
    static const int ready[] = CLAIMS_OF;
    struct inbox *i = open_inbox("claim.db");
    double first = 0;
    int have = 0;
    printf("claim and end    a second    ratio to the fewest\n");
    for (size_t n = 0; n < sizeof ready / sizeof *ready; n++) {
        add_tasks(i, have, ready[n] + CLAIMS);
        have = ready[n] + CLAIMS;
        double per_s = claim(i);
        first = n == 0 ? per_s : first;
        printf("  of %-7d     %8.0f     %.2f\n", ready[n], per_s, per_s / first);
    }
    inbox_close(i);
    int64_t begun_us = now_us();
    i = open_inbox("claim.db");
    printf("open a file with %d tasks: %.1f ms\n", CLAIMS_MAX, (double)(now_us() - begun_us) / 1e3);
    inbox_close(i);
}

int main(int argc, char **argv)
{
    const struct log_options log = {.level = LOG_WARN, .file = "stderr"};
    char command[300];
    if (argc > 1)
        snprintf(folder, sizeof folder, "%s/bench-inbox.XXXXXX", argv[1]);
    check(sodium_init() >= 0 && log_open(&log, NULL) == ERR_OK && mkdtemp(folder) != NULL, folder);
    memset(claims, 'c', sizeof claims);
    memset(body, 'b', sizeof body);
    bench_appends();
    bench_claims();
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    return system(command) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
