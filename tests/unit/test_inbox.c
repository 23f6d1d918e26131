/* test_inbox.c - the contract of the inbox. */
#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "append.h"
#include "base/clk.h"
#include "inbox/backend.h"
#include "temp_folder.h"

#define LEASE_MS 60000
#define LONG_MS  60000 /* a wait that an event ends */

/* ---------------------------------------------------------------------- the backend */

static char folder[TEMP_FOLDER_MAX], url[TEMP_FOLDER_MAX + 32];
static struct inbox *inbox;
static int64_t max_backlog;

/* The machine's time of day, which may step. (The C library's is not called by any name.) */
static _Atomic int64_t step_s;

int clock_gettime(clockid_t id, struct timespec *ret)
{
    int status = (int)syscall(SYS_clock_gettime, id, ret);
    if (id == CLOCK_REALTIME)
        ret->tv_sec += step_s;
    return status;
}

static struct inbox *open_inbox(void)
{
    const struct inbox_options o = {
        .url = url, .lock_timeout_ms = 20000, .max_wal = 1 << 28, .max_backlog = max_backlog};
    struct inbox *i = NULL;
    assert_err(inbox_open(&o, &i, NULL), ERR_OK);
    return i;
}

static int set_up(void **state)
{
    (void)state;
    step_s = 0;
    max_backlog = 0;
    temp_folder_make(folder);
    snprintf(url, sizeof url, "sqlite:%s/inbox.db", folder);
    inbox = open_inbox();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    inbox_close(inbox);
    temp_folder_remove(folder);
    return 0;
}

/* What is stored is there for the next program, too. */
static void reopen(void)
{
    inbox_close(inbox);
    inbox = open_inbox();
}

/* ------------------------------------------------------------------------ deliveries */

#define VENDOR "VA-1"
#define OTHER  "VA-2"

static const struct inbox_queue purchases = {VENDOR, "PRD-1", &class_fulfillment_request},
                                tiers = {VENDOR, "PRD-1", &class_tier_config_request},
                                files = {VENDOR, "PRD-1", &class_usage_file},
                                more_files = {VENDOR, "PRD-2", &class_usage_file},
                                others = {OTHER, "PRD-1", &class_fulfillment_request},
                                no_queue = {"../x", "PRD-1", &class_usage_file};

static struct inbox_receipt append(const struct delivery *d)
{
    return append_and_wait(inbox, d);
}

/* Another each time. */
static struct delivery delivery(const struct inbox_queue *q)
{
    static _Atomic uint32_t last;
    uint32_t token = ++last;
    struct delivery d = {
        .state = DELIVERY_STORED,
        .webhook_id = "WH-623-978-334",
        .account_id = q->account_id,
        .product_id = q->product_id,
        .object_class = q->object_class,
        .triggered_at = "2026-11-23T10:04:56+00:00",
        .exp = 1900000000,
        .received_us = 1800000000000000,
        .claims = "{\"a\":1}",
        .claims_len = 7,
        .body = "a\0b",
        .body_len = 3,
    };
    memcpy(d.token_sha256, &token, sizeof token);
    return d;
}

static int64_t tell_of(const struct inbox_queue *q)
{
    struct delivery d = delivery(q);
    struct inbox_receipt r = append(&d);
    assert_err(r.err, ERR_OK);
    assert_int_equal(r.seen, 1);
    return r.id;
}

/* "7 stored 1; 6 ignored 2; ": id, state, seen. */
static char told[4096];

static void tell_delivery(void *ctx, const struct inbox_delivery *d)
{
    size_t n = strlen(told);
    (void)ctx;
    snprintf(told + n, sizeof told - n, "%lld %s %lld; ", (long long)d->id,
             delivery_state_name(d->state), (long long)d->seen);
}

static const char *deliveries(const struct inbox_filter *f)
{
    told[0] = '\0';
    assert_err(inbox_each_delivery(inbox, f, tell_delivery, NULL, NULL), ERR_OK);
    return told;
}

static void assert_state(int64_t id, const char *state)
{
    const struct inbox_filter one = {.before_id = id + 1, .limit = 1};
    char want[64];
    snprintf(want, sizeof want, "%lld %s ", (long long)id, state);
    const char *got = deliveries(&one);
    if (strncmp(got, want, strlen(want)) != 0)
        fail_msg("%s, not %s", got, want);
}

static void refuses_what_no_backend_could_keep(void **state)
{
    (void)state;
    struct inbox_sweep s;
    struct inbox_task t;
    struct delivery d = delivery(&no_queue);
    assert_err(append(&d).err, ERR_INVALID);
    d = delivery(&files);
    d.claims_len = INBOX_CLAIMS_MAX + 1;
    assert_err(append(&d).err, ERR_TOO_BIG);
    assert_err(inbox_take_sweep(inbox, &no_queue, LEASE_MS, 0, &s, NULL), ERR_INVALID);
    assert_err(inbox_plan_poll(inbox, &no_queue, 0, NULL), ERR_INVALID);
    assert_err(inbox_claim_task(inbox, &no_queue, LEASE_MS, &t, NULL), ERR_INVALID);
    assert_err(inbox_halt(inbox, "../x", 1, NULL), ERR_INVALID);
    assert_err(inbox_set_state(inbox, 4711, DELIVERY_DONE, NULL), ERR_NOT_FOUND);
    assert_err(inbox_replay(inbox, 4711, NULL), ERR_NOT_FOUND);
    const struct inbox_filter all = {.limit = 10}, nobody = {.after_id = INT64_MAX - 1};
    struct inbox_ordered o = {1, 1};
    assert_err(inbox_retry_tasks(inbox, &all, &o, NULL), ERR_OK);
    assert_true(o.changed == 0 && o.held == 0);
    assert_err(inbox_discard_tasks(inbox, &nobody, &o, NULL), ERR_OK);
    assert_true(o.changed == 0 && o.held == 0);
    assert_string_equal(deliveries(&all), "");
}

static void note_bytes(void *ctx, const struct inbox_delivery *d)
{
    struct delivery *want = ctx;
    assert_memory_equal(d->token_sha256, want->token_sha256, INBOX_TOKEN_HASH_LEN);
    assert_string_equal(d->webhook_id, want->webhook_id);
    assert_string_equal(d->account_id, want->account_id);
    assert_string_equal(d->product_id, want->product_id);
    assert_string_equal(d->object_class, want->object_class->name);
    assert_string_equal(d->triggered_at, want->triggered_at);
    assert_true(d->received_us == want->received_us && d->last_received_us == want->received_us);
    assert_int_equal(d->claims_len, want->claims_len);
    assert_memory_equal(d->claims, want->claims, want->claims_len);
    assert_int_equal(d->body_len, want->body_len);
    assert_memory_equal(d->body, want->body, want->body_len);
    want->webhook_id = NULL; /* it was here */
}

static void keeps_every_byte_of_a_delivery(void **state)
{
    (void)state;
    struct delivery d = delivery(&files), want = d;
    const struct inbox_filter all = {.limit = 10};
    assert_err(append(&d).err, ERR_OK);
    reopen();
    assert_err(inbox_each_delivery(inbox, &all, note_bytes, &want, NULL), ERR_OK);
    assert_null(want.webhook_id);
}

static struct inbox_sweep take(const struct inbox_queue *q)
{
    struct inbox_sweep s;
    assert_err(inbox_take_sweep(inbox, q, LEASE_MS, 0, &s, NULL), ERR_OK);
    return s;
}

static enum err end(const struct inbox_sweep *s)
{
    const struct inbox_sweep_end well = {.poll_ms = -1};
    return inbox_end_sweep(inbox, &s->lease, &well, NULL);
}

/* Whatever became of the first, its sweep is due again. */
static void counts_a_repeated_token_up(void **state)
{
    (void)state;
    static const enum delivery_state before[] = {DELIVERY_STORED, DELIVERY_FAILED, DELIVERY_DONE};
    struct delivery d = delivery(&files);
    int64_t id = append(&d).id;
    tell_of(&files);
    for (int n = 0; n < 3; n++) {
        struct inbox_sweep s = take(&files);
        assert_err(end(&s), ERR_OK);
        assert_err(inbox_set_state(inbox, id, before[n], NULL), ERR_OK);
        struct inbox_receipt again = append(&d);
        assert_int_equal(again.id, id);
        assert_int_equal(again.seen, n + 2);
        assert_state(id, "stored");
        s = take(&files);
        assert_true(s.called);
        assert_err(end(&s), ERR_OK);
        assert_state(id, "done");
    }
    d.state = DELIVERY_IGNORED;
    assert_err(append(&d).err, ERR_OK);
    assert_state(id, "ignored");
    assert_false(take(&files).called);
}

#define THREADS          8
#define APPENDS_A_THREAD 50

static void *append_many(void *arg)
{
    (void)arg;
    for (int n = 0; n < APPENDS_A_THREAD; n++)
        tell_of(&files);
    return NULL;
}

static void run_threads(void *(*fn)(void *), void *arg)
{
    pthread_t threads[THREADS];
    for (int n = 0; n < THREADS; n++)
        assert_int_equal(pthread_create(&threads[n], NULL, fn, arg), 0);
    for (int n = 0; n < THREADS; n++)
        pthread_join(threads[n], NULL);
}

static void many_threads_may_append(void **state)
{
    (void)state;
    run_threads(append_many, NULL);
    struct inbox_filter page = {.limit = 100};
    int rows = 0;
    for (const char *text; *(text = deliveries(&page)) != '\0';)
        for (const char *at = text; at != NULL && *at != '\0'; at = strstr(at, "; ") + 2) {
            page.before_id = atoll(at);
            rows++;
        }
    assert_int_equal(rows, THREADS * APPENDS_A_THREAD);
}

static void looks_at_one_page_of_what_is_wanted(void **state)
{
    (void)state;
    int64_t first = tell_of(&files), second = tell_of(&others);
    struct delivery d = delivery(&more_files);
    d.state = DELIVERY_IGNORED;
    d.webhook_id = "WH-1";
    int64_t third = append(&d).id;
    char want[96];
    const struct inbox_filter all = {.limit = 10}, two = {.limit = 2}, hers = {.account_id = OTHER},
                              product = {.product_id = "PRD-2"}, hook = {.webhook_id = "WH-1"},
                              class = {.object_class = &class_fulfillment_request},
                              before = {.before_id = second};
    snprintf(want, sizeof want, "%lld ignored 1; %lld stored 1; ", (long long)third,
             (long long)second);
    assert_string_equal(deliveries(&two), want);
    snprintf(want + strlen(want), sizeof want - strlen(want), "%lld stored 1; ", (long long)first);
    assert_string_equal(deliveries(&all), want);
    snprintf(want, sizeof want, "%lld stored 1; ", (long long)second);
    assert_string_equal(deliveries(&hers), want);
    assert_string_equal(deliveries(&class), want);
    snprintf(want, sizeof want, "%lld ignored 1; ", (long long)third);
    assert_string_equal(deliveries(&product), want);
    assert_string_equal(deliveries(&hook), want);
    snprintf(want, sizeof want, "%lld stored 1; ", (long long)first);
    assert_string_equal(deliveries(&before), want);
}

static void looks_for_deliveries_in_a_state_and_of_late(void **state)
{
    (void)state;
    int64_t waits = tell_of(&files), ignored;
    struct delivery d = delivery(&others);
    d.state = DELIVERY_IGNORED;
    ignored = append(&d).id;
    struct inbox_sweep s;
    assert_err(inbox_take_sweep(inbox, &files, LEASE_MS, 0, &s, NULL), ERR_OK);
    assert_err(inbox_end_sweep(inbox, &s.lease, &(struct inbox_sweep_end){.poll_ms = -1}, NULL),
               ERR_OK);
    char want[96];
    const struct inbox_filter stored = {.states = 1U << DELIVERY_STORED},
                              done = {.states = 1U << DELIVERY_DONE}, after = {.after_id = waits},
                              late = {.age_ms = LONG_MS},
                              one = {.before_id = waits + 1, .after_id = waits - 1};
    assert_string_equal(deliveries(&stored), "");
    snprintf(want, sizeof want, "%lld done 1; ", (long long)waits);
    assert_string_equal(deliveries(&done), want);
    assert_string_equal(deliveries(&one), want);
    snprintf(want, sizeof want, "%lld ignored 1; ", (long long)ignored);
    assert_string_equal(deliveries(&after), want);
    snprintf(want + strlen(want), sizeof want - strlen(want), "%lld done 1; ", (long long)waits);
    assert_string_equal(deliveries(&late), want);
    const struct timespec moment = {0, 5000000};
    nanosleep(&moment, NULL);
    const struct inbox_filter last_moment = {.age_ms = 1};
    assert_string_equal(deliveries(&last_moment), "");
}

/* --------------------------------------------------------------------------- sweeps */

static struct inbox_claim_terms share_of(int64_t workers)
{
    return (struct inbox_claim_terms){.workers = workers, .lease_ms = LEASE_MS};
}

static enum err try_claim(const struct inbox_claim_terms *terms, struct inbox_claimed *ret)
{
    enum err e = inbox_claim(inbox, terms, ret, NULL);
    if (e == ERR_OK)
        free(ret->event);
    return e;
}

static struct inbox_claimed claim(int64_t workers)
{
    const struct inbox_claim_terms terms = share_of(workers);
    struct inbox_claimed c;
    assert_err(try_claim(&terms, &c), ERR_OK);
    return c;
}

static enum err wait_for_work(int64_t workers, int64_t until)
{
    const struct inbox_claim_terms terms = share_of(workers);
    return inbox_wait(inbox, &terms, until, NULL);
}

static struct inbox_sweep claim_sweep(void)
{
    struct inbox_claimed c = claim(0);
    assert_int_equal(c.kind, INBOX_SWEEP);
    return c.sweep;
}

static void assert_nothing_due(int64_t workers)
{
    const struct inbox_claim_terms terms = share_of(workers);
    struct inbox_claimed c;
    assert_err(try_claim(&terms, &c), ERR_NOT_FOUND);
}

static void a_call_wakes_its_queue_once(void **state)
{
    (void)state;
    assert_nothing_due(0);
    int64_t first = tell_of(&files);
    int64_t second = tell_of(&files);
    reopen();
    struct inbox_sweep s = claim_sweep();
    assert_string_equal(s.account_id, VENDOR);
    assert_string_equal(s.product_id, "PRD-1");
    assert_ptr_equal(s.object_class, &class_usage_file);
    assert_true(s.called);
    assert_int_equal(s.failures, 0);
    assert_nothing_due(0);
    assert_state(first, "stored");
    assert_err(end(&s), ERR_OK);
    assert_state(first, "done");
    assert_state(second, "done");
    assert_nothing_due(0);
    assert_err(end(&s), ERR_FENCED);
}

static void a_thousand_calls_during_a_sweep_make_one_more(void **state)
{
    (void)state;
    tell_of(&files);
    struct inbox_sweep s = claim_sweep();
    int64_t last = 0;
    for (int n = 0; n < 1000; n++)
        last = tell_of(&files);
    assert_nothing_due(0);
    assert_err(end(&s), ERR_OK);
    assert_state(last, "stored");
    s = claim_sweep();
    assert_true(s.called);
    assert_err(end(&s), ERR_OK);
    assert_state(last, "done");
    assert_nothing_due(0);
}

static void *end_soon(void *arg)
{
    usleep(20000); /* by then the other waits; if it does not, nothing is lost */
    assert_err(end(arg), ERR_OK);
    return NULL;
}

static void a_sweep_is_one_runners_at_a_time(void **state)
{
    (void)state;
    struct inbox_sweep s = take(&files), other = {.called = true};
    assert_false(s.called);
    assert_err(inbox_take_sweep(inbox, &files, LEASE_MS, 0, &other, NULL), ERR_BUSY);
    assert_err(inbox_take_sweep(inbox, &files, LEASE_MS, clk_mono_ms() + 20, &other, NULL),
               ERR_BUSY);
    struct inbox_sweep beside = take(&more_files);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, end_soon, &s), 0);
    assert_err(inbox_take_sweep(inbox, &files, LEASE_MS, clk_mono_ms() + LONG_MS, &other, NULL),
               ERR_OK);
    pthread_join(thread, NULL);
    assert_err(end(&s), ERR_FENCED);
    assert_err(end(&other), ERR_OK);
    assert_err(end(&beside), ERR_OK);
}

static void a_sweep_that_failed_comes_back(void **state)
{
    (void)state;
    const struct inbox_sweep_end at_once = {.error = "no list", .retry_ms = 0, .poll_ms = -1},
                                 later = {.error = "no list", .retry_ms = LONG_MS, .poll_ms = -1},
                                 never = {.error = "no list", .retry_ms = -1, .poll_ms = -1};
    int64_t id = tell_of(&files);
    struct inbox_sweep s = claim_sweep();
    assert_err(inbox_end_sweep(inbox, &s.lease, &at_once, NULL), ERR_OK);
    assert_state(id, "stored");
    s = claim_sweep();
    assert_true(s.called);
    assert_int_equal(s.failures, 1);
    assert_err(inbox_end_sweep(inbox, &s.lease, &later, NULL), ERR_OK);
    assert_nothing_due(0);
    s = take(&files); /* due or not */
    assert_int_equal(s.failures, 2);
    assert_err(inbox_end_sweep(inbox, &s.lease, &never, NULL), ERR_OK);
    assert_nothing_due(0);
    tell_of(&files);
    s = claim_sweep();
    assert_int_equal(s.failures, 3);
    assert_err(end(&s), ERR_OK);
    assert_int_equal(take(&files).failures, 0);
    assert_state(id, "done");
}

static void a_queue_is_polled_without_calls(void **state)
{
    (void)state;
    const struct inbox_sweep_end again = {.poll_ms = 0}, later = {.poll_ms = LONG_MS};
    assert_err(inbox_plan_poll(inbox, &files, LONG_MS, NULL), ERR_OK);
    assert_nothing_due(0);
    assert_err(inbox_plan_poll(inbox, &files, 0, NULL), ERR_OK);
    struct inbox_sweep s = claim_sweep();
    assert_false(s.called);
    assert_err(inbox_end_sweep(inbox, &s.lease, &again, NULL), ERR_OK);
    s = claim_sweep();
    assert_false(s.called);
    assert_err(inbox_end_sweep(inbox, &s.lease, &later, NULL), ERR_OK);
    assert_nothing_due(0);
}

/* ---------------------------------------------------------------------------- tasks */

static void tell_task(void *ctx, const struct inbox_task *t)
{
    size_t n = strlen(told);
    (void)ctx;
    snprintf(told + n, sizeof told - n, "%s %s%s; ", t->object_id, task_state_name(t->state),
             t->due_ms > 0 ? " later" : "");
}

static void ignore_task(void *ctx, const struct inbox_task *t)
{
    (void)ctx;
    (void)t;
}

/* Find objects "PR-1", "PR-2", ... as `shown`; what has become of them. */
static const char *find(const struct inbox_sweep *s, int count, uint8_t shown, bool retry_now)
{
    struct inbox_found found[INBOX_FOUND_MAX];
    char ids[INBOX_FOUND_MAX][16];
    for (int n = 0; n < count; n++) {
        snprintf(ids[n], sizeof ids[n], "PR-%d", n + 1);
        found[n] = (struct inbox_found){
            .object_id = ids[n], .type = "purchase", .state = "pending", .fingerprint = {shown}};
    }
    told[0] = '\0';
    assert_err(
        inbox_found(inbox, &s->lease, found, (size_t)count, retry_now, tell_task, NULL, NULL),
        ERR_OK);
    return told;
}

static const char *sweep_finds(const struct inbox_queue *q, int count, uint8_t shown)
{
    struct inbox_sweep s = take(q);
    find(&s, count, shown, false);
    assert_err(end(&s), ERR_OK);
    return told;
}

static struct inbox_task next(const struct inbox_queue *q)
{
    struct inbox_task t;
    assert_err(inbox_claim_task(inbox, q, LEASE_MS, &t, NULL), ERR_OK);
    return t;
}

static void assert_no_task(const struct inbox_queue *q)
{
    struct inbox_task t;
    assert_err(inbox_claim_task(inbox, q, LEASE_MS, &t, NULL), ERR_NOT_FOUND);
}

static const struct inbox_story story = {.result = "done",
                                         .type = "purchase",
                                         .before = "pending",
                                         .after = "approved",
                                         .action = "approve",
                                         .rule = "rules.yaml:7",
                                         .reason = "because"};

static enum err end_task(const struct inbox_task *t, enum task_state s, int64_t after_ms,
                         bool failed)
{
    const struct inbox_task_end e = {
        .state = s, .after_ms = after_ms, .failed = failed, .story = &story};
    return inbox_end_task(inbox, &t->lease, &e, NULL);
}

static void a_sweep_makes_a_task_of_each_object(void **state)
{
    (void)state;
    tell_of(&purchases);
    struct inbox_sweep s = claim_sweep();
    assert_string_equal(find(&s, 2, 1, false), "PR-1 ready; PR-2 ready; ");
    assert_string_equal(find(&s, 2, 1, false), "PR-1 ready; PR-2 ready; ");
    assert_err(end(&s), ERR_OK);
    reopen();
    struct inbox_task t = next(&purchases);
    assert_string_equal(t.object_id, "PR-1"); /* the oldest due */
    assert_string_equal(t.account_id, VENDOR);
    assert_string_equal(t.product_id, "PRD-1");
    assert_ptr_equal(t.object_class, &class_fulfillment_request);
    assert_int_equal(t.state, TASK_RUNNING);
    assert_true(t.called);
    assert_int_equal(t.asked, 1);
    assert_int_equal(t.failures, 0);
    assert_in_range(clk_wall_s() - t.created_s, 0, 60);
    assert_string_equal(next(&purchases).object_id, "PR-2");
    assert_no_task(&purchases);
    assert_string_equal(sweep_finds(&purchases, 3, 1), "PR-1 running; PR-2 running; PR-3 ready; ");
    assert_false(next(&purchases).called);
    const struct inbox_found odd = {.object_id = "../x"};
    s = take(&purchases);
    assert_err(inbox_found(inbox, &s.lease, &odd, 1, false, tell_task, NULL, NULL), ERR_INVALID);
    assert_err(
        inbox_found(inbox, &s.lease, &odd, INBOX_FOUND_MAX + 1, false, tell_task, NULL, NULL),
        ERR_TOO_BIG);
}

static void what_has_ended_is_remembered(void **state)
{
    (void)state;
    sweep_finds(&purchases, 4, 1);
    struct inbox_task t[4];
    for (int n = 0; n < 4; n++)
        t[n] = next(&purchases);
    assert_err(end_task(&t[0], TASK_DONE, 0, false), ERR_OK);
    assert_err(end_task(&t[1], TASK_DEAD, 0, true), ERR_OK);
    assert_err(end_task(&t[2], TASK_SKIPPED, LONG_MS, false), ERR_OK);
    assert_err(end_task(&t[3], TASK_SKIPPED, 0, false), ERR_OK);
    reopen();
    assert_string_equal(sweep_finds(&purchases, 4, 1),
                        "PR-1 done; PR-2 dead; PR-3 skipped later; PR-4 ready; ");
    t[3] = next(&purchases);
    assert_string_equal(t[3].object_id, "PR-4");
    assert_memory_equal(&t[3].story, &story, sizeof story);
    assert_int_equal(t[3].asked, 2);
    assert_no_task(&purchases);
    assert_err(end_task(&t[3], TASK_DONE, 0, false), ERR_OK);
    /* They have changed, or what decides has. */
    assert_string_equal(sweep_finds(&purchases, 4, 2),
                        "PR-1 ready; PR-2 ready; PR-3 ready; PR-4 ready; ");
    t[0] = next(&purchases);
    t[1] = next(&purchases);
    assert_int_equal(t[0].asked, 1); /* what was done begins anew */
    assert_int_equal(t[1].asked, 2);
    assert_int_equal(t[1].failures, 0);
}

static void what_waits_waits_until_it_is_due(void **state)
{
    (void)state;
    sweep_finds(&purchases, 2, 1);
    struct inbox_task failed = next(&purchases), asks = next(&purchases);
    assert_err(end_task(&failed, TASK_READY, LONG_MS, true), ERR_OK);
    assert_err(end_task(&asks, TASK_READY, LONG_MS, false), ERR_OK);
    assert_string_equal(sweep_finds(&purchases, 2, 1), "PR-1 ready later; PR-2 ready later; ");
    assert_no_task(&purchases);
    struct inbox_sweep s = take(&purchases);
    assert_string_equal(find(&s, 2, 1, true), "PR-1 ready; PR-2 ready later; ");
    assert_string_equal(find(&s, 2, 2, false), "PR-1 ready; PR-2 ready; ");
    assert_int_equal(next(&purchases).failures, 0); /* it came before its time */
}

/* max_attempts is about failures. */
static void questions_are_counted_and_failures_in_a_row(void **state)
{
    (void)state;
    sweep_finds(&purchases, 1, 1);
    for (int n = 1; n <= 40; n++) {
        struct inbox_task t = next(&purchases);
        assert_int_equal(t.asked, n);
        assert_int_equal(t.failures, 0);
        assert_err(end_task(&t, TASK_READY, 0, false), ERR_OK);
    }
    for (int n = 0; n < 3; n++) {
        struct inbox_task t = next(&purchases);
        assert_int_equal(t.failures, n);
        assert_err(end_task(&t, TASK_READY, 0, true), ERR_OK);
    }
    struct inbox_task t = next(&purchases);
    assert_err(end_task(&t, TASK_READY, 0, false), ERR_OK);
    assert_int_equal(next(&purchases).failures, 0);
}

static void what_changes_while_it_is_held_is_ready_again(void **state)
{
    (void)state;
    sweep_finds(&purchases, 2, 1);
    struct inbox_task t = next(&purchases), same = next(&purchases);
    assert_string_equal(sweep_finds(&purchases, 1, 2), "PR-1 running; ");
    assert_string_equal(sweep_finds(&purchases, 1, 2), "PR-1 running; ");
    assert_err(end_task(&t, TASK_DONE, 0, false), ERR_OK);
    assert_err(end_task(&same, TASK_DONE, 0, false), ERR_OK);
    t = next(&purchases);
    assert_string_equal(t.object_id, "PR-1");
    assert_err(end_task(&t, TASK_DONE, 0, false), ERR_OK);
    assert_no_task(&purchases);
}

static void attempt_count(void *ctx, const struct inbox_attempt *a)
{
    int *count = ctx;
    assert_string_equal(a->result, "done");
    assert_string_equal(a->reason, "because");
    assert_string_equal(a->calls, "[1]");
    assert_true(a->started_s <= a->ended_s);
    ++*count;
}

static void attempts_are_kept_but_not_all(void **state)
{
    (void)state;
    const struct inbox_task_end again = {.state = TASK_READY, .story = &story, .calls = "[1]"};
    int count = 0;
    sweep_finds(&purchases, 2, 1);
    struct inbox_task t = next(&purchases), other = next(&purchases);
    assert_err(end_task(&other, TASK_DONE, 0, false), ERR_OK);
    for (int n = 0; n < INBOX_ATTEMPTS_KEPT + 3; n++) {
        if (n > 0)
            t = next(&purchases);
        assert_err(inbox_end_task(inbox, &t.lease, &again, NULL), ERR_OK);
    }
    assert_err(inbox_each_attempt(inbox, t.id, attempt_count, &count, NULL), ERR_OK);
    assert_int_equal(count, INBOX_ATTEMPTS_KEPT);
}

/* "VA-1 PRD-1 usage_file running; ": queue, what it is; of a failure its number, its error and
 * whether it waits to be tried again. */
static void tell_sweep(void *ctx, const struct inbox_sweep_status *s)
{
    size_t n = strlen(told);
    (void)ctx;
    const char *is = s->running       ? "running"
                     : s->due_ms == 0 ? "due"
                     : s->due_ms > 0  ? "waits"
                                      : "rests";
    snprintf(told + n, sizeof told - n, "%s %s %s %s%s%s%s", s->account_id, s->product_id,
             s->object_class->name, is, s->called ? " for a call" : "",
             s->poll_ms > 0 ? ", polled later" : "", s->ended_s > 0 ? ", ended" : "");
    assert_true(s->ended_s == 0 || (s->started_s > 0 && s->started_s <= s->ended_s));
    n = strlen(told);
    snprintf(told + n, sizeof told - n, s->failures > 0 ? " (%lld: %s); " : "; ",
             (long long)s->failures, s->error);
    assert_true((s->failures == 0) == (*s->error == '\0'));
}

/* Its texts are gone by the time it is looked at. */
static void keep_sweep(void *ctx, const struct inbox_sweep_status *s)
{
    *(struct inbox_sweep_status *)ctx = *s;
}

static const char *sweeps(const struct inbox_filter *f)
{
    told[0] = '\0';
    assert_err(inbox_each_sweep(inbox, f, tell_sweep, NULL, NULL), ERR_OK);
    return told;
}

static void the_operator_sees_sweeps(void **state)
{
    (void)state;
    const struct inbox_filter all = {.limit = 10}, two = {.limit = 2}, hers = {.account_id = OTHER},
                              product = {.product_id = "PRD-2"},
                              class = {.object_class = &class_tier_config_request};
    const struct inbox_sweep_end failed = {
        .error = "no answer", .retry_ms = LONG_MS, .poll_ms = LONG_MS};
    assert_string_equal(sweeps(&all), "");
    tell_of(&purchases);
    tell_of(&others);
    assert_err(inbox_plan_poll(inbox, &more_files, LONG_MS, NULL), ERR_OK);
    assert_string_equal(sweeps(&all), "VA-1 PRD-2 usage_file rests, polled later; "
                                      "VA-2 PRD-1 fulfillment_request due for a call; "
                                      "VA-1 PRD-1 fulfillment_request due for a call; ");
    assert_string_equal(sweeps(&two), "VA-1 PRD-2 usage_file rests, polled later; "
                                      "VA-2 PRD-1 fulfillment_request due for a call; ");
    assert_string_equal(sweeps(&hers), "VA-2 PRD-1 fulfillment_request due for a call; ");
    assert_string_equal(sweeps(&product), "VA-1 PRD-2 usage_file rests, polled later; ");
    assert_string_equal(sweeps(&class), "");

    struct inbox_sweep s = take(&others);
    assert_string_equal(sweeps(&hers), "VA-2 PRD-1 fulfillment_request running; ");
    tell_of(&others);
    assert_string_equal(sweeps(&hers), "VA-2 PRD-1 fulfillment_request running for a call; ");
    assert_err(end(&s), ERR_OK);
    s = take(&others);
    assert_err(inbox_end_sweep(inbox, &s.lease, &failed, NULL), ERR_OK);
    reopen();
    assert_string_equal(sweeps(&hers), "VA-2 PRD-1 fulfillment_request waits for a call,"
                                       " polled later, ended (1: no answer); ");
    s = take(&others);
    assert_err(end(&s), ERR_OK);
    assert_string_equal(sweeps(&hers), "VA-2 PRD-1 fulfillment_request rests, ended; ");
}

static const char *tasks(const struct inbox_filter *f)
{
    told[0] = '\0';
    assert_err(inbox_each_task(inbox, f, tell_task, NULL, NULL), ERR_OK);
    return told;
}

typedef enum err order_fn(struct inbox *i, const struct inbox_filter *f, struct inbox_ordered *ret,
                          struct why *why);

static const char *order(order_fn *fn, const struct inbox_filter *f)
{
    static char text[64];
    struct inbox_ordered o;
    assert_err(fn(inbox, f, &o, NULL), ERR_OK);
    snprintf(text, sizeof text, "%" PRId64 " changed, %" PRId64 " held", o.changed, o.held);
    return text;
}

static void the_operator_sees_and_changes_tasks(void **state)
{
    (void)state;
    sweep_finds(&purchases, 3, 1);
    struct inbox_task held = next(&purchases), dead = next(&purchases);
    assert_err(end_task(&dead, TASK_DEAD, 0, true), ERR_OK);
    sweep_finds(&others, 1, 1);
    const struct inbox_filter all = {.limit = 10},
                              some = {.states = 1U << TASK_DEAD | 1U << TASK_RUNNING},
                              hers = {.account_id = OTHER}, one = {.object_id = "PR-3"},
                              two = {.limit = 2}, none = {.product_id = "PRD-9"},
                              class = {.object_class = &class_usage_file},
                              before = {.before_id = dead.id},
                              taken = {.before_id = held.id + 1, .after_id = held.id - 1},
                              dead_ones = {.states = 1U << TASK_DEAD};
    assert_string_equal(tasks(&all), "PR-1 ready; PR-3 ready; PR-2 dead; PR-1 running; ");
    assert_string_equal(tasks(&some), "PR-2 dead; PR-1 running; ");
    assert_string_equal(tasks(&hers), "PR-1 ready; ");
    assert_string_equal(tasks(&one), "PR-3 ready; ");
    assert_string_equal(tasks(&two), "PR-1 ready; PR-3 ready; ");
    assert_string_equal(tasks(&none), "");
    assert_string_equal(tasks(&class), "");
    assert_string_equal(tasks(&before), "PR-1 running; ");

    assert_string_equal(order(inbox_retry_tasks, &taken), "0 changed, 1 held");
    assert_string_equal(order(inbox_discard_tasks, &taken), "0 changed, 1 held");
    assert_string_equal(order(inbox_retry_tasks, &some), "1 changed, 1 held");
    assert_string_equal(next(&purchases).object_id, "PR-3");
    dead = next(&purchases);
    assert_string_equal(dead.object_id, "PR-2");
    assert_err(end_task(&dead, TASK_DEAD, 0, true), ERR_OK);
    assert_string_equal(order(inbox_discard_tasks, &dead_ones), "1 changed, 0 held");
    assert_string_equal(tasks(&before), "PR-1 running; ");
    assert_string_equal(sweep_finds(&purchases, 2, 1), "PR-1 running; PR-2 done; ");
}

static struct inbox_load load_of(const struct inbox_queue *q)
{
    struct inbox_load l;
    assert_err(inbox_load_of(inbox, q, &l, NULL), ERR_OK);
    return l;
}

static void the_operator_sees_what_waits(void **state)
{
    (void)state;
    struct inbox_load l;
    assert_err(inbox_load_of(inbox, &no_queue, &l, NULL), ERR_INVALID);
    l = load_of(&purchases);
    assert_true(l.ready == 0 && l.dead == 0 && l.due_ms == -1 && l.late_ms == 0);
    int64_t id = tell_of(&purchases);
    sweep_finds(&purchases, 3, 1);
    sweep_finds(&others, 2, 1);
    struct inbox_task dead = next(&purchases), later = next(&purchases);
    assert_err(end_task(&dead, TASK_DEAD, 0, true), ERR_OK);
    assert_err(end_task(&later, TASK_READY, LONG_MS, true), ERR_OK);
    const struct timespec moment = {0, 5000000};
    nanosleep(&moment, NULL);
    l = load_of(&purchases);
    assert_true(l.ready == 2 && l.dead == 1 && l.due_ms == 0);
    assert_in_range(l.late_ms, 1, LONG_MS);
    (void)next(&purchases);
    l = load_of(&purchases);
    assert_true(l.ready == 1 && l.dead == 1 && l.late_ms == 0);
    assert_in_range(l.due_ms, 1, LONG_MS);

    /* What a call has led to, and what polling alone. */
    const struct inbox_filter its = {.delivery_id = id}, hers = {.account_id = OTHER};
    assert_string_equal(tasks(&its), "PR-3 running; PR-2 ready later; PR-1 dead; ");
    struct inbox_sweep_status s = {.id = 0};
    assert_err(inbox_each_sweep(inbox, &hers, keep_sweep, &s, NULL), ERR_OK);
    assert_true(s.polled == 2 && s.delivery_id == 0);
    const struct inbox_filter mine = {.account_id = VENDOR};
    assert_err(inbox_each_sweep(inbox, &mine, keep_sweep, &s, NULL), ERR_OK);
    assert_true(s.polled == 0 && s.delivery_id == id);

    int64_t ms = -1;
    assert_err(inbox_halted(inbox, VENDOR, &ms, NULL), ERR_OK);
    assert_int_equal(ms, 0);
    assert_err(inbox_halt(inbox, VENDOR, LONG_MS, NULL), ERR_OK);
    assert_err(inbox_halted(inbox, VENDOR, &ms, NULL), ERR_OK);
    assert_in_range(ms, 1, LONG_MS);
}

/* PR-0 and so on. */
static void sweep_finds_many(const struct inbox_queue *q, int count)
{
    struct inbox_sweep s = take(q);
    struct inbox_found found[INBOX_FOUND_MAX];
    char ids[INBOX_FOUND_MAX][16];
    for (int from = 0; from < count; from += INBOX_FOUND_MAX) {
        for (int n = 0; n < INBOX_FOUND_MAX; n++) {
            snprintf(ids[n], sizeof ids[n], "PR-%d", from + n);
            found[n] = (struct inbox_found){.object_id = ids[n], .type = "", .state = ""};
        }
        told[0] = '\0';
        assert_err(
            inbox_found(inbox, &s.lease, found, INBOX_FOUND_MAX, false, ignore_task, NULL, NULL),
            ERR_OK);
    }
    assert_err(end(&s), ERR_OK);
}

#define MANY 41000 /* more than are looked through in one transaction */

static void few_are_found_among_many(void **state)
{
    (void)state;
    sweep_finds_many(&purchases, MANY);
    struct inbox_task dead = next(&purchases);
    assert_err(end_task(&dead, TASK_DEAD, 0, true), ERR_OK);
    const struct inbox_filter oldest = {.states = 1U << TASK_DEAD},
                              running = {.states = 1U << TASK_RUNNING};
    assert_string_equal(tasks(&oldest), "PR-0 dead; ");
    assert_string_equal(tasks(&running), "");
    const struct inbox_filter first = {.before_id = dead.id + 3, .limit = 5};
    assert_string_equal(tasks(&first), "PR-2 ready; PR-1 ready; PR-0 dead; ");
}

static void many_are_changed_and_each_once(void **state)
{
    (void)state;
    sweep_finds_many(&purchases, MANY);
    (void)next(&purchases);
    char text[64];
    snprintf(text, sizeof text, "%d changed, 1 held", MANY - 1);
    const struct inbox_filter all = {.limit = 1}, /* of a page: there is none */
        left = {.states = ~(1U << TASK_DONE)};
    assert_string_equal(order(inbox_discard_tasks, &all), text);
    assert_string_equal(tasks(&left), "PR-0 running; ");
    assert_string_equal(order(inbox_retry_tasks, &all), text);
    const struct inbox_filter ready = {.states = 1U << TASK_READY, .limit = 1};
    snprintf(text, sizeof text, "PR-%d ready; ", MANY - 1);
    assert_string_equal(tasks(&ready), text);
}

static void a_delivery_is_replayed(void **state)
{
    (void)state;
    struct delivery d = delivery(&files);
    d.state = DELIVERY_IGNORED;
    int64_t id = append(&d).id;
    assert_nothing_due(0);
    assert_err(inbox_replay(inbox, id, NULL), ERR_OK);
    assert_state(id, "stored");
    struct inbox_sweep s = claim_sweep();
    assert_true(s.called);
    assert_err(inbox_replay(inbox, id, NULL), ERR_OK);
    assert_err(end(&s), ERR_OK);
    assert_state(id, "stored");
    s = claim_sweep();
    assert_err(end(&s), ERR_OK);
    assert_state(id, "done");
}

static void what_is_needed_is_not_pruned(void **state)
{
    (void)state;
    const struct inbox_filter all = {.limit = 10};
    int64_t count;
    bool more;
    int64_t done = tell_of(&purchases);
    sweep_finds(&purchases, 3, 1);
    int64_t waits = tell_of(&purchases);
    struct inbox_task t = next(&purchases);
    assert_err(end_task(&t, TASK_DONE, 0, false), ERR_OK);
    t = next(&purchases);
    assert_err(inbox_prune(inbox, LONG_MS, 10, &count, &more, NULL), ERR_OK);
    assert_int_equal(count, 0);
    assert_false(more);
    assert_state(done, "done");
    assert_err(inbox_prune(inbox, 0, 10, &count, &more, NULL), ERR_OK);
    assert_int_equal(count, 2);
    assert_true(more);
    assert_err(inbox_prune(inbox, 0, 10, &count, &more, NULL), ERR_OK);
    assert_int_equal(count, 0);
    assert_false(more);
    assert_string_equal(tasks(&all), "PR-3 ready; PR-2 running; ");
    assert_state(waits, "stored");
    deliveries(&all);
    assert_null(strstr(strstr(told, "; ") + 2, "; "));
    int attempts = 0;
    assert_err(inbox_each_attempt(inbox, t.id - 1, attempt_count, &attempts, NULL), ERR_OK);
    assert_int_equal(attempts, 0);
    /* In small steps. */
    for (int n = 0; n < 5; n++)
        tell_of(&files);
    struct inbox_sweep s = take(&files);
    assert_err(end(&s), ERR_OK);
    struct inbox_receipt newest = {.id = 0};
    struct delivery d = delivery(&files);
    int64_t forgotten = 0, steps = 0;
    do {
        newest = append(&d);
        assert_err(inbox_prune(inbox, 0, 2, &count, &more, NULL), ERR_OK);
        assert_in_range(count, 0, 2);
        forgotten += count;
        steps++;
    } while (more);
    assert_int_equal(forgotten, 5);
    assert_in_range(steps, 3, 6);
    assert_int_equal(newest.seen, steps); /* it stays, being the newest */
    assert_state(waits, "stored");
}

/* --------------------------------------------------------------------------- leases */

static struct inbox *own;

/* All that follows is done by another program, which dies with what it holds. */
static void become_another(void)
{
    own = inbox;
    inbox = open_inbox();
}

static void die(void)
{
    inbox_close(inbox);
    inbox = own;
}

static int64_t recover(void)
{
    int64_t count;
    assert_err(inbox_recover(inbox, &count, NULL), ERR_OK);
    return count;
}

static void what_a_dead_program_held_is_taken_over_once(void **state)
{
    (void)state;
    tell_of(&purchases);
    tell_of(&files);
    sweep_finds(&purchases, 3, 1);
    struct inbox_task kept = next(&purchases);
    become_another();
    struct inbox_task lost = next(&purchases);
    struct inbox_sweep sweep = take(&files);
    assert_int_equal(recover(), 0);
    die();
    assert_int_equal(recover(), 2);
    assert_int_equal(recover(), 0);
    assert_err(end_task(&lost, TASK_DONE, 0, false), ERR_FENCED);
    assert_err(end(&sweep), ERR_FENCED);
    struct inbox_sweep again = take(&files);
    assert_true(again.called);
    assert_int_equal(again.failures, 1);
    assert_string_equal(next(&purchases).object_id, "PR-3");
    struct inbox_task back = next(&purchases);
    assert_string_equal(back.object_id, "PR-2");
    assert_int_equal(back.failures, 1);
    assert_int_equal(back.asked, 2);
    assert_no_task(&purchases);
    assert_err(end_task(&kept, TASK_DONE, 0, false), ERR_OK);
    /* One that is found, or asked for, need not be looked for. */
    become_another();
    sweep = take(&tiers);
    struct inbox_sweep mine;
    die();
    assert_err(inbox_take_sweep(inbox, &tiers, LEASE_MS, 0, &mine, NULL), ERR_OK);
    assert_err(end(&mine), ERR_OK);
    sweep_finds(&others, 1, 1);
    become_another();
    next(&others);
    die();
    assert_string_equal(sweep_finds(&others, 1, 1), "PR-1 ready; ");
}

/* Nobody knows what has become of them. */
static void whoever_cannot_be_shown_to_be_dead_is_alive(void **state)
{
    (void)state;
    char name[LEASE_OWNER_MAX], there[LEASE_OWNER_MAX];
    snprintf(name, sizeof name, "%s", inbox->taker.owner);
    const char *mark = strchr(name, ':');
    assert_non_null(mark);
    snprintf(there, sizeof there, "1%s", mark); /* of another file */
    const char *const owners[] = {
        "",    "host/pid:[4026531836] 9a3c... 4711 12", /* as the first versions have it */
        there, "0:1",
        "1",   ":1",
        "x:1", mark,
    };
    struct inbox_task held[sizeof owners / sizeof *owners];
    const size_t count = sizeof owners / sizeof *owners;
    sweep_finds(&purchases, 10, 1);
    for (size_t n = 0; n < count; n++) {
        snprintf(inbox->taker.owner, sizeof inbox->taker.owner, "%s", owners[n]);
        held[n] = next(&purchases);
    }
    snprintf(inbox->taker.owner, sizeof inbox->taker.owner, "%s", name);
    assert_int_equal(recover(), 0);
    for (size_t n = 0; n < count; n++) /* until its lease ends */
        assert_err(inbox_heartbeat(inbox, &held[n].lease, 0, NULL), ERR_OK);
    assert_int_equal(recover(), count);

    /* ... but of this file, and nobody holds it. */
    snprintf(inbox->taker.owner, sizeof inbox->taker.owner, "%.*s:1", (int)(mark - name), name);
    next(&purchases);
    snprintf(inbox->taker.owner, sizeof inbox->taker.owner, "%s", name);
    assert_int_equal(recover(), 1);

    /* And who cannot hold a mark can tell nothing of others. */
    become_another();
    next(&purchases);
    die();
    inbox->taker.file = 0;
    assert_int_equal(recover(), 0);
}

static void a_lease_that_has_ended_is_taken_over(void **state)
{
    (void)state;
    struct inbox_claimed c;
    sweep_finds(&purchases, 2, 1);
    struct inbox_task slow, alive = next(&purchases);
    assert_err(inbox_claim_task(inbox, &purchases, 0, &slow, NULL), ERR_OK);
    assert_err(inbox_heartbeat(inbox, &slow.lease, 0, NULL), ERR_OK); /* nobody else has it */
    assert_err(inbox_heartbeat(inbox, &alive.lease, LEASE_MS, NULL), ERR_OK);
    assert_int_equal(recover(), 1);
    assert_err(inbox_heartbeat(inbox, &slow.lease, LEASE_MS, NULL), ERR_FENCED);
    assert_err(end_task(&slow, TASK_DONE, 0, false), ERR_FENCED);
    struct inbox_task taken = next(&purchases);
    assert_string_equal(taken.object_id, slow.object_id);
    assert_err(end_task(&slow, TASK_DEAD, 0, true), ERR_FENCED);
    assert_err(inbox_heartbeat(inbox, &taken.lease, LEASE_MS, NULL), ERR_OK);
    assert_err(end_task(&taken, TASK_DONE, 0, false), ERR_OK);
    assert_err(end_task(&taken, TASK_DEAD, 0, true), ERR_FENCED);
    assert_string_equal(sweep_finds(&purchases, 2, 1), "PR-1 running; PR-2 done; ");

    tell_of(&files);
    assert_err(try_claim(&(struct inbox_claim_terms){.lease_ms = 0}, &c), ERR_OK);
    assert_err(inbox_heartbeat(inbox, &c.sweep.lease, 0, NULL), ERR_OK);
    assert_int_equal(recover(), 1);
    assert_err(inbox_heartbeat(inbox, &c.sweep.lease, 0, NULL), ERR_FENCED);
    const struct inbox_found found = {.object_id = "UF-1"};
    assert_err(inbox_found(inbox, &c.sweep.lease, &found, 1, false, tell_task, NULL, NULL),
               ERR_FENCED);
    assert_no_task(&files);
    assert_err(end(&c.sweep), ERR_FENCED);
}

/* The time of day steps an hour, either way. */
static void no_step_of_the_clock_breaks_a_lease(void **state)
{
    (void)state;
    static const int64_t steps[] = {3600, -3600};
    for (int n = 0; n < 2; n++) {
        step_s = 0;
        sweep_finds(&purchases, 2, (uint8_t)(n + 1));
        struct inbox_task held = next(&purchases), waits = next(&purchases);
        assert_err(end_task(&waits, TASK_READY, 1000 * 1800, false), ERR_OK);
        step_s = steps[n];
        become_another();
        assert_int_equal(recover(), 0);
        assert_no_task(&purchases);
        const struct inbox_filter one = {.object_id = waits.object_id};
        assert_string_equal(tasks(&one), "PR-2 ready later; ");
        assert_err(end_task(&held, TASK_DONE, 0, false), ERR_OK);
        int64_t id = tell_of(&files);
        struct inbox_sweep s = claim_sweep(); /* is due all the same */
        assert_err(end(&s), ERR_OK);
        assert_state(id, "done");
        die();
    }
}

/* ------------------------------------------------------------------- whatever is due */

static void what_others_wait_for_comes_first(void **state)
{
    (void)state;
    sweep_finds(&purchases, 1, 1);
    tell_of(&more_files);
    tell_of(&files);
    tell_of(&others);
    tell_of(&tiers);
    static const struct inbox_queue *const order[] = {&tiers, &purchases, &others, &more_files,
                                                      &files};
    for (size_t n = 0; n < sizeof order / sizeof *order; n++) {
        struct inbox_claimed c = claim(0);
        bool is_task = order[n] == &purchases;
        assert_int_equal(c.kind, is_task ? INBOX_TASK : INBOX_SWEEP);
        assert_string_equal(is_task ? c.task.account_id : c.sweep.account_id, order[n]->account_id);
        assert_string_equal(is_task ? c.task.product_id : c.sweep.product_id, order[n]->product_id);
        assert_ptr_equal(is_task ? c.task.object_class : c.sweep.object_class,
                         order[n]->object_class);
    }
    assert_nothing_due(0);
}

static void a_halted_account_is_left_out(void **state)
{
    (void)state;
    tell_of(&tiers);
    tell_of(&others);
    assert_err(inbox_halt(inbox, VENDOR, LONG_MS, NULL), ERR_OK);
    assert_err(inbox_halt(inbox, VENDOR, 1, NULL), ERR_OK); /* the longer one stays */
    reopen();
    assert_string_equal(claim_sweep().account_id, OTHER);
    assert_nothing_due(0);
    assert_err(inbox_resume(inbox, VENDOR, NULL), ERR_OK);
    assert_string_equal(claim_sweep().account_id, VENDOR);
    assert_err(inbox_halt(inbox, OTHER, 20, NULL), ERR_OK);
    tell_of(&files);
    assert_string_equal(claim_sweep().account_id, VENDOR);
    sweep_finds(&more_files, 1, 1);
    assert_err(inbox_halt(inbox, VENDOR, 20, NULL), ERR_OK);
    assert_nothing_due(0);
    assert_err(wait_for_work(0, clk_mono_ms() + LONG_MS), ERR_OK); /* it is over */
    assert_int_equal(claim(0).kind, INBOX_TASK);
}

/* What calls tell of, and sweeps find, is first theirs who work for the call that waits. */
static void who_works_for_a_call_goes_first(void **state)
{
    (void)state;
    const struct inbox_claim_terms late = {.lease_ms = LEASE_MS, .grace_ms = LONG_MS};
    struct inbox_claimed c;
    tell_of(&purchases);
    assert_err(try_claim(&late, &c), ERR_NOT_FOUND);
    assert_string_equal(sweep_finds(&purchases, 2, 1), "PR-1 ready; PR-2 ready; ");
    assert_err(try_claim(&late, &c), ERR_NOT_FOUND);
    struct inbox_task first = next(&purchases);
    assert_err(end_task(&first, TASK_READY, 0, true), ERR_OK); /* not the call's any more */
    usleep(2000);
    assert_err(inbox_plan_poll(inbox, &files, 0, NULL), ERR_OK); /* nobody waits for a poll */
    assert_err(try_claim(&late, &c), ERR_OK);
    assert_int_equal(c.kind, INBOX_SWEEP);
    assert_int_equal(claim(0).kind, INBOX_TASK);
}

/* With what they were told of last, though the next one has not come to a sweep yet. */
static void what_a_call_claims_goes_with_what_it_leads_to(void **state)
{
    (void)state;
    const struct inbox_claim_terms terms = share_of(0);
    struct inbox_claimed c;
    tell_of(&purchases);
    struct delivery d = delivery(&files);
    d.claims = "{\"b\":2}";
    assert_err(append(&d).err, ERR_OK);
    assert_err(inbox_claim(inbox, &terms, &c, NULL), ERR_OK);
    assert_string_equal(c.event, "{\"a\":1}");
    free(c.event);
    const struct inbox_found found = {.object_id = "PR-1"};
    assert_err(inbox_found(inbox, &c.sweep.lease, &found, 1, false, tell_task, NULL, NULL), ERR_OK);
    assert_err(end(&c.sweep), ERR_OK);
    assert_err(inbox_claim(inbox, &terms, &c, NULL), ERR_OK);
    assert_int_equal(c.kind, INBOX_TASK);
    assert_string_equal(c.event, "{\"a\":1}");
    free(c.event);
    assert_err(inbox_claim(inbox, &terms, &c, NULL), ERR_OK);
    assert_string_equal(c.event, "{\"b\":2}");
    free(c.event);
    assert_err(inbox_plan_poll(inbox, &others, 0, NULL), ERR_OK);
    assert_err(inbox_claim(inbox, &terms, &c, NULL), ERR_OK);
    assert_null(c.event); /* nobody has called */
}

static void a_full_backlog_holds_sweeps_back(void **state)
{
    (void)state;
    inbox_close(inbox);
    max_backlog = 3;
    inbox = open_inbox();
    sweep_finds(&purchases, 2, 1);
    tell_of(&purchases);
    struct inbox_sweep s = take(&purchases);
    static const struct inbox_found more[] = {{.object_id = "PR-8"}, {.object_id = "PR-9"}};
    assert_err(inbox_found(inbox, &s.lease, more, 2, false, tell_task, NULL, NULL), ERR_OK);
    assert_err(inbox_found(inbox, &s.lease, more, 2, false, tell_task, NULL, NULL), ERR_BUSY);
    assert_err(end(&s), ERR_OK);
    tell_of(&tiers); /* stored all the same, and would come first */
    reopen();
    struct inbox_claimed c = claim(0);
    assert_int_equal(c.kind, INBOX_TASK);
    assert_err(end_task(&c.task, TASK_DONE, 0, false), ERR_OK);
    assert_int_equal(claim(0).kind, INBOX_TASK); /* three are ready still; one of them now runs */
    assert_int_equal(claim(0).kind, INBOX_SWEEP);
}

static void what_is_decided_wakes_what_it_may_have_freed(void **state)
{
    (void)state;
    const struct object_class *const frees[] = {&class_tier_config_request,
                                                &class_fulfillment_request, NULL};
    const struct inbox_task_end freeing = {.state = TASK_DONE, .story = &story, .frees = frees};
    sweep_finds(&tiers, 1, 1);
    struct inbox_task t = claim(0).task;
    assert_err(inbox_end_task(inbox, &t.lease, &freeing, NULL), ERR_OK);
    reopen();
    struct inbox_sweep s = claim_sweep();
    assert_ptr_equal(s.object_class, &class_tier_config_request);
    assert_true(s.called); /* no poll has to find it */
    s = claim_sweep();
    assert_ptr_equal(s.object_class, &class_fulfillment_request);
    assert_string_equal(s.product_id, tiers.product_id);
    assert_nothing_due(0);
    assert_err(inbox_end_task(inbox, &t.lease, &freeing, NULL), ERR_FENCED);
}

static void an_account_has_its_share_of_the_workers(void **state)
{
    (void)state;
    sweep_finds(&purchases, 10, 1);
    struct inbox_task first[4];
    for (int n = 0; n < 4; n++) /* nobody else has work */
        first[n] = claim(4).task;
    assert_nothing_due(4);
    sweep_finds(&others, 3, 1);
    for (int n = 0; n < 2; n++)
        assert_string_equal(claim(4).task.account_id, OTHER);
    assert_nothing_due(4);
    assert_err(end_task(&first[0], TASK_DONE, 0, false), ERR_OK);
    assert_err(end_task(&first[1], TASK_DONE, 0, false), ERR_OK);
    assert_nothing_due(4); /* two of each */
    assert_err(wait_for_work(4, clk_mono_ms() + 20), ERR_TIMEOUT);
    assert_err(end_task(&first[2], TASK_DONE, 0, false), ERR_OK);
    assert_string_equal(claim(4).task.account_id, VENDOR);
    assert_nothing_due(1); /* one each at least */
}

static void rates_are_shared(void **state)
{
    (void)state;
    int64_t calls = 0, wait_ms = 0, sum = 0, second = 0;
    assert_err(inbox_take_rate(inbox, "../x", 10, &calls, &wait_ms, NULL), ERR_INVALID);
    assert_err(inbox_take_rate(inbox, VENDOR, 10, &calls, &wait_ms, NULL), ERR_OK);
    assert_in_range(calls, 5, 5);
    assert_in_range(wait_ms, 1, 1001);
    do {
        assert_err(inbox_take_rate(inbox, VENDOR, 10, &calls, &wait_ms, NULL), ERR_OK);
        sum += calls;
    } while (calls > 0);
    assert_true(sum >= 5 && sum % 5 == 0); /* a second may have ended meanwhile */
    assert_err(inbox_take_rate(inbox, OTHER, 10, &second, &wait_ms, NULL), ERR_OK);
    assert_int_equal(second, 5);
}

static void *append_soon(void *arg)
{
    usleep(20000);
    tell_of(arg);
    return NULL;
}

static void *stop_soon(void *arg)
{
    usleep(20000);
    inbox_stop(arg);
    return NULL;
}

static void who_waits_is_told(void **state)
{
    (void)state;
    pthread_t thread;
    assert_err(wait_for_work(0, clk_mono_ms() + 20), ERR_TIMEOUT);
    int64_t start = clk_mono_ms();
    assert_int_equal(pthread_create(&thread, NULL, append_soon, (void *)&files), 0);
    assert_err(wait_for_work(0, start + LONG_MS), ERR_OK);
    pthread_join(thread, NULL);
    struct inbox_sweep s = claim_sweep();
    const struct inbox_sweep_end soon = {.poll_ms = 30};
    assert_err(inbox_end_sweep(inbox, &s.lease, &soon, NULL), ERR_OK);
    assert_err(wait_for_work(0, start + LONG_MS), ERR_OK); /* due by itself */
    assert_false(claim_sweep().called);
    assert_true(clk_mono_ms() - start < LONG_MS);

    struct inbox *other = open_inbox();
    assert_int_equal(pthread_create(&thread, NULL, stop_soon, inbox), 0);
    assert_err(wait_for_work(0, start + 2 * LONG_MS), ERR_STOPPED);
    pthread_join(thread, NULL);
    struct inbox_sweep held;
    assert_err(inbox_take_sweep(inbox, &files, LEASE_MS, start + 2 * LONG_MS, &held, NULL),
               ERR_STOPPED);
    inbox_close(other);
    tell_of(&more_files); /* what needs no wait is still done */
}

/* ------------------------------------------------------------- several at the same time */

#define TASKS 300

/* Everything that is due, until nothing is. */
static int work_off(int64_t *ids)
{
    const struct inbox_claim_terms terms = share_of(0);
    struct inbox_claimed c;
    int count = 0;
    while (try_claim(&terms, &c) == ERR_OK) {
        assert_int_equal(c.kind, INBOX_TASK);
        ids[count++] = c.task.id;
        assert_err(end_task(&c.task, TASK_DONE, 0, false), ERR_OK);
        if (count == TASKS)
            break;
    }
    return count;
}

static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;
static int64_t all_ids[2 * TASKS];
static int all_count;

static void *work_thread(void *arg)
{
    int64_t ids[TASKS];
    int count = work_off(ids);
    (void)arg;
    pthread_mutex_lock(&all_lock);
    for (int n = 0; n < count && all_count < 2 * TASKS; n++)
        all_ids[all_count++] = ids[n];
    pthread_mutex_unlock(&all_lock);
    return NULL;
}

static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void assert_each_once(void)
{
    assert_int_equal(all_count, TASKS);
    qsort(all_ids, TASKS, sizeof *all_ids, by_number);
    for (int n = 1; n < TASKS; n++)
        assert_true(all_ids[n - 1] < all_ids[n]);
}

static void two_threads_never_hold_the_same_task(void **state)
{
    (void)state;
    all_count = 0;
    sweep_finds(&purchases, TASKS, 1);
    run_threads(work_thread, NULL);
    assert_each_once();
}

/* In a process of its own, that has nothing of ours open. */
static pid_t run_process(void (*fn)(int out), int out)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        inbox = open_inbox();
        fn(out);
        inbox_close(inbox);
        _exit(0);
    }
    return pid;
}

static void work_process(int out)
{
    int64_t ids[TASKS];
    int count = work_off(ids);
    if (write(out, ids, (size_t)count * sizeof *ids) < 0)
        _exit(1);
}

#define PROCESSES 4

static void two_processes_never_hold_the_same_task(void **state)
{
    (void)state;
    int ends[2];
    pid_t pids[PROCESSES];
    sweep_finds(&purchases, TASKS, 1);
    inbox_close(inbox);
    assert_int_equal(pipe(ends), 0);
    for (int n = 0; n < PROCESSES; n++)
        pids[n] = run_process(work_process, ends[1]);
    close(ends[1]);
    for (int n = 0; n < PROCESSES; n++) {
        int status;
        assert_int_equal(waitpid(pids[n], &status, 0), pids[n]);
        assert_int_equal(status, 0);
    }
    all_count = (int)(read(ends[0], all_ids, sizeof all_ids) / (ssize_t)sizeof *all_ids);
    close(ends[0]);
    inbox = open_inbox();
    assert_each_once();
}

static void tell_process(int out)
{
    (void)out;
    tell_of(&files);
}

static void hold_process(int out)
{
    (void)out;
    take(&more_files);
    next(&purchases);
    _exit(0); /* as if it were killed */
}

static void another_process_wakes_and_leaves_what_it_held(void **state)
{
    (void)state;
    int status;
    sweep_finds(&purchases, 1, 1);
    inbox_close(inbox);
    pid_t pid = run_process(hold_process, -1);
    waitpid(pid, &status, 0);
    inbox = open_inbox();
    assert_no_task(&purchases);
    assert_int_equal(recover(), 2);
    assert_string_equal(claim(0).task.object_id, "PR-1");
    assert_string_equal(claim_sweep().product_id, "PRD-2");
    inbox_close(inbox);

    /* The child begins to wait before there is anything. */
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid = fork();
    if (pid == 0) {
        inbox = open_inbox();
        wait_for_work(0, 0);
        uint64_t heard = inbox->backend->heard(inbox);
        if (write(ready[1], "", 1) != 1)
            _exit(1);
        _exit(inbox->backend->wait(inbox, heard, clk_mono_ms() + LONG_MS) == ERR_OK ? 0 : 1);
    }
    char byte;
    assert_int_equal(read(ready[0], &byte, 1), 1);
    pid_t teller = run_process(tell_process, -1);
    waitpid(teller, &status, 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    close(ready[0]);
    close(ready[1]);
    inbox = open_inbox();
}

/* -------------------------------------------------------------------- marks, tallies */

/* "UF-1@5 UF-2@7 " */
static void note_seen(void *ctx, const char *object_id, int64_t created_us)
{
    char *text = ctx;
    size_t n = strlen(text);
    snprintf(text + n, 128 - n, "%s@%lld ", object_id, (long long)created_us);
}

static void keeps_how_far_a_queue_has_been_seen(void **state)
{
    (void)state;
    struct inbox_mark m = {.from_us = 5, .since_us = CLK_UNKNOWN, .called = false};
    char seen[128] = "";
    assert_err(inbox_mark_read(inbox, &no_queue, &m, note_seen, seen, NULL), ERR_INVALID);
    assert_err(inbox_mark_write(inbox, &no_queue, &m, NULL), ERR_INVALID);
    assert_err(inbox_mark_seen(inbox, &files, "../UF-1", 5, NULL), ERR_INVALID);
    assert_err(inbox_mark_read(inbox, &files, &m, note_seen, seen, NULL), ERR_NOT_FOUND);
    assert_err(inbox_mark_write(inbox, &files, &m, NULL), ERR_OK);
    assert_err(inbox_mark_seen(inbox, &files, "UF-1", 5, NULL), ERR_OK);
    assert_err(inbox_mark_seen(inbox, &files, "UF-2", 6, NULL), ERR_OK);
    assert_err(inbox_mark_seen(inbox, &files, "UF-2", 7, NULL), ERR_OK);
    assert_err(inbox_mark_write(inbox, &more_files, &m, NULL), ERR_OK);
    assert_err(inbox_mark_seen(inbox, &more_files, "UF-1", 1, NULL), ERR_OK);
    reopen();

    m = (struct inbox_mark){.called = true};
    assert_err(inbox_mark_read(inbox, &files, &m, note_seen, seen, NULL), ERR_OK);
    assert_int_equal(m.from_us, 5);
    assert_true(m.since_us == CLK_UNKNOWN);
    assert_false(m.called);
    assert_string_equal(seen, "UF-1@5 UF-2@7 ");
    m = (struct inbox_mark){.from_us = 6, .since_us = 3, .called = true};
    assert_err(inbox_mark_write(inbox, &files, &m, NULL), ERR_OK);
    seen[0] = '\0';
    assert_err(inbox_mark_read(inbox, &files, &m, note_seen, seen, NULL), ERR_OK);
    assert_string_equal(seen, "UF-2@7 ");
    assert_int_equal(m.since_us, 3);
    assert_true(m.called);
    seen[0] = '\0';
    assert_err(inbox_mark_read(inbox, &more_files, &m, note_seen, seen, NULL), ERR_OK);
    assert_string_equal(seen, "UF-1@1 ");
}

static void counts_calls(void **state)
{
    (void)state;
    struct inbox_tally t = {0};
    int64_t before = clk_wall_us();
    assert_err(inbox_tally_read(inbox, "WH-1", &t, NULL), ERR_NOT_FOUND);
    inbox_tally_add(inbox, "WH-1", false);
    inbox_tally_add(inbox, "WH-1", true);
    inbox_tally_add(inbox, "WH-1", false);
    inbox_tally_add(inbox, "WH-1", false);
    inbox_tally_add(inbox, "WH-2", true);
    reopen(); /* loses nothing */
    assert_err(inbox_tally_read(inbox, "WH-1", &t, NULL), ERR_OK);
    assert_int_equal(t.success, 1);
    assert_int_equal(t.failure, 3);
    assert_int_equal(t.failure_since_last_success, 2);
    assert_true(t.last_success_us >= before && t.last_failure_us >= t.last_success_us);
    inbox_tally_add(inbox, "WH-2", true);
    inbox_put_counters(inbox);
    assert_err(inbox_tally_read(inbox, "WH-2", &t, NULL), ERR_OK);
    assert_int_equal(t.success, 2);
    assert_int_equal(t.failure, 0);
    assert_true(t.last_failure_us == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(refuses_what_no_backend_could_keep, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keeps_every_byte_of_a_delivery, set_up, tear_down),
        cmocka_unit_test_setup_teardown(counts_a_repeated_token_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_threads_may_append, set_up, tear_down),
        cmocka_unit_test_setup_teardown(looks_at_one_page_of_what_is_wanted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(looks_for_deliveries_in_a_state_and_of_late, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_call_wakes_its_queue_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_thousand_calls_during_a_sweep_make_one_more, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_sweep_is_one_runners_at_a_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_sweep_that_failed_comes_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_queue_is_polled_without_calls, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_sweep_makes_a_task_of_each_object, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_has_ended_is_remembered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_waits_waits_until_it_is_due, set_up, tear_down),
        cmocka_unit_test_setup_teardown(questions_are_counted_and_failures_in_a_row, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_changes_while_it_is_held_is_ready_again, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(attempts_are_kept_but_not_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_operator_sees_sweeps, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_operator_sees_and_changes_tasks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_operator_sees_what_waits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(few_are_found_among_many, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_are_changed_and_each_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_delivery_is_replayed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_needed_is_not_pruned, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_a_dead_program_held_is_taken_over_once, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(whoever_cannot_be_shown_to_be_dead_is_alive, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_lease_that_has_ended_is_taken_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_step_of_the_clock_breaks_a_lease, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_others_wait_for_comes_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_halted_account_is_left_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_works_for_a_call_goes_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_a_call_claims_goes_with_what_it_leads_to, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_full_backlog_holds_sweeps_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_decided_wakes_what_it_may_have_freed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_account_has_its_share_of_the_workers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rates_are_shared, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_waits_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(two_threads_never_hold_the_same_task, set_up, tear_down),
        cmocka_unit_test_setup_teardown(two_processes_never_hold_the_same_task, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_process_wakes_and_leaves_what_it_held, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(keeps_how_far_a_queue_has_been_seen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(counts_calls, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
