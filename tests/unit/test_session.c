/* test_session.c - programs that run on, and are asked line by line. */
#include "policy/session.h"

#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/waits.h"
#include "programs.h"

#define MARK "987655" /* see programs_run() */

#define PLENTY 10000 /* ms */

/* Before the body of a loop over questions: its id is in $id. */
#define EACH "while read -r line; do id=${line#*\\\"id\\\":}; id=${id%%,*}; "
#define ANSWER(reason) \
    "echo \"{\\\"id\\\":$id,\\\"action\\\":\\\"skip\\\",\\\"reason\\\":\\\"" reason "\\\"}\"; "

static void open_session(const char *script, int sessions, int64_t timeout_ms)
{
    struct conf_policy conf = shell(script);
    conf.session = true;
    conf.sessions = sessions;
    conf.timeout_ms = timeout_ms;
    policy_free(policy);
    open_policy(&conf);
}

static void asks_the_same_one_again(void **state)
{
    char story[WHY_MAX], first[WHY_MAX];
    (void)state;
    open_session(EACH ANSWER("$$") "done", 4, PLENTY);
    assert_err(ask(first), ERR_OK);
    for (int i = 0; i < 20; i++) {
        assert_err(ask(story), ERR_OK);
        assert_string_equal(story, first);
    }
    /* A whole document of a form has an id of its own, and one question needs no number. */
    open_session("while read -r line; do echo '{\"action\":\"skip\",\"reason\":\"mute\"}'; done", 1,
                 PLENTY);
    assert_err(ask(story), ERR_OK);
    assert_string_equal(story, "mute");
}

/* What is no answer, and what becomes of the next question. */
static void outlives_what_is_no_answer(void **state)
{
    static const struct {
        const char *script;
        enum err err;
        const char *story;
    } cases[] = {
        {EACH "echo garbage; done", ERR_PROGRAM, "sh answered what is no JSON object: "},
        {EACH "echo '{\"id\":4711,\"action\":\"skip\"}'; done", ERR_PROGRAM,
         "sh answered a question that it was not asked"},
        {EACH "echo; done", ERR_PROGRAM, "sh answered nothing"},
        {EACH "printf '{\"id\":'; exit 0; done", ERR_PROGRAM, "sh ended, and owes the answer"},
        {EACH "printf '{\"id\":'; done", ERR_TIMEOUT, "sh gave no answer in its time"},
        {EACH "exit 75; done", ERR_BUSY, "sh asks to be asked later"},
        {EACH "echo alas >&2; exit 3; done", ERR_PROGRAM,
         "sh ended with exit status 3; it said: alas"},
        {EACH "kill -9 $$; done", ERR_PROGRAM, "sh was ended by signal 9"},
        {EACH "yes | tr -d '\\n'; done", ERR_PROGRAM, "sh answers with more than"},
        {EACH "echo '{\"id\":'$id',\"action\":\"dance\"}'; done", ERR_POLICY, "action dance"},
        {"exit 1", ERR_PROGRAM, "sh ended with exit status 1"},
        {"sleep " MARK " & setsid sleep " MARK " & trap '' TERM; sleep " MARK, ERR_TIMEOUT,
         "sh gave no answer in its time"},
    };
    char story[WHY_MAX];
    (void)state;
    assert_err(waits_load("session_backoff=20ms", NULL), ERR_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        open_session(cases[i].script, 1, cases[i].err == ERR_TIMEOUT ? 500 : PLENTY);
        for (int twice = 0; twice < 2; twice++) {
            enum err e = ask(story);
            if (e != cases[i].err || strncmp(story, cases[i].story, strlen(cases[i].story)) != 0)
                fail_msg("%s: %s: %s", cases[i].script, err_name(e), story);
        }
    }
    assert_err(waits_load("session_backoff=100ms", NULL), ERR_OK);
}

static void starts_what_fails_more_and_more_slowly(void **state)
{
    char story[WHY_MAX];
    int64_t start = clk_mono_ms();
    (void)state;
    open_session("echo no key >&2; exit 1", 1, 2000);
    for (int i = 0; i < 5; i++)
        assert_err(ask(story), ERR_PROGRAM); /* after 0, 100, 200, 400 and 800 ms */
    assert_in_range(clk_mono_ms() - start, 1500, 4000);
    /* Beyond the time of a question nobody waits for it. */
    assert_err(ask(story), ERR_PROGRAM);
    start = clk_mono_ms();
    assert_err(ask(story), ERR_PROGRAM);
    assert_string_equal(story, "sh ended 6 times without an answer; it said: no key");
    assert_in_range(clk_mono_ms() - start, 0, 1000);
}

/* ---------------------------------------------------------------------- many at a time */

struct asker {
    pthread_t thread;
    enum err err;
    char reason[WHY_MAX];
};

static void *ask_once(void *arg)
{
    struct asker *a = arg;
    a->err = ask(a->reason);
    return NULL;
}

static void ask_many(struct asker *askers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        pthread_create(&askers[i].thread, NULL, ask_once, &askers[i]);
    for (size_t i = 0; i < count; i++)
        pthread_join(askers[i].thread, NULL);
}

static void asks_several_programs_at_a_time(void **state)
{
    struct asker askers[8];
    int64_t start = clk_mono_ms();
    (void)state;
    open_session(EACH "sleep 0.2; " ANSWER("slowly") "done", 4, PLENTY);
    ask_many(askers, 8);
    for (int i = 0; i < 8; i++)
        assert_err(askers[i].err, ERR_OK);
    assert_in_range(clk_mono_ms() - start, 400, 1500);
}

/* Of those that it asked for at a time, it answers the last one first. */
static void asks_as_many_as_a_hello_wants(void **state)
{
    struct asker askers[9];
    (void)state;
    open_session(
        "echo '{\"hello\":1,\"in_flight\":3}'; ids=; " EACH "ids=\"$id $ids\"; n=$((n + 1));"
        "if [ $((n % 3)) = 0 ]; then for id in $ids; do " ANSWER("of three") "done; ids=; fi; done",
        1, PLENTY);
    /* One alone would wait for two more: the hello is read with the first question. */
    ask_many(askers, 9);
    for (int i = 0; i < 9; i++) {
        assert_err(askers[i].err, ERR_OK);
        assert_string_equal(askers[i].reason, "of three");
    }
}

static void one_that_is_late_costs_no_other_its_answer(void **state)
{
    struct asker askers[3];
    int timeouts = 0, answers = 0;
    (void)state;
    /* The first question is never answered. */
    open_session("echo '{\"hello\":1,\"in_flight\":3}'; read -r never; " EACH ANSWER("fine") "done",
                 1, 1000);
    ask_many(askers, 3);
    for (int i = 0; i < 3; i++) {
        timeouts += askers[i].err == ERR_TIMEOUT;
        answers += askers[i].err == ERR_OK;
    }
    assert_int_equal(timeouts, 1);
    assert_int_equal(answers, 2);
}

/* --------------------------------------------------------------------- reading Connect */

static void reads(void *ctx, const char *path, int64_t deadline, struct policy_got *ret)
{
    assert_string_equal(ctx, "context");
    assert_true(deadline > clk_mono_ms());
    *ret = (struct policy_got){.status = strcmp(path, "/assets/AS-1?limit=1") == 0 ? 200 : 404};
    if (ret->status == 200)
        ret->body = json("{'id':'AS-1'}");
    else
        why_set(&ret->why, ERR_HTTP_NOT_FOUND, "GET %s: 404", path);
}

static void has_connect_read(const char *wish, policy_get_fn *get, const char *answered)
{
    char script[1000];
    struct policy_question q = question();
    struct decision d = {0};
    struct why why = {""};
    snprintf(script, sizeof script, "%s%s%s", EACH "echo '{\"id\":'$id',\"get\":", wish,
             "}'; read -r got; echo \"$got\" >&2;" ANSWER("read") "done");
    open_session(script, 1, PLENTY);
    q.get = get;
    q.get_ctx = (char[]){"context"};
    if (policy_ask(policy, &q, &d, &why) != ERR_OK)
        fail_msg("%s", why.text);
    decision_free(&d);
    has_logged(answered);
}

static void has_connect_read_for_it(void **state)
{
    (void)state;
    has_connect_read("\"/assets/AS-1?limit=1\"", reads,
                     "{\\\"id\\\":1,\\\"status\\\":200,\\\"body\\\":{\\\"id\\\":\\\"AS-1\\\"}}");
    has_connect_read("\"/assets/AS-2\"", reads,
                     "{\\\"id\\\":1,\\\"status\\\":404,\\\"body\\\":null,\\\"error\\\":\\\"GET "
                     "/assets/AS-2: 404\\\"}");
    has_connect_read("\"/assets/AS-2\"", NULL,
                     "\\\"error\\\":\\\"here nobody can read Connect\\\"}");
    static const char *const bad[] = {
        "\"\"", "\"https://example.com/\"", "\"assets\"", "7", "\"/a b\"", "\"/../x\"", "\"/#x\""};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        has_connect_read(bad[i], reads,
                         "\\\"status\\\":0,\\\"body\\\":null,\\\"error\\\":\\\"a path");
}

/* Two are asked at a time. What reads Connect for the one takes until the other has failed. */
struct pair {
    char folder[sizeof "/tmp/test_session-XXXXXX"];
    char begun[64]; /* this file tells the program that Connect is being read */
    sem_t failed;
    enum err errs[2];
    _Atomic int count;
};

static void reads_late(void *ctx, const char *path, int64_t deadline, struct policy_got *ret)
{
    struct pair *p = ctx;
    (void)deadline;
    close(open(p->begun, O_CREAT | O_WRONLY, 0600));
    sem_wait(&p->failed);
    *ret = (struct policy_got){.status = (int)strlen(path)};
}

static void *ask_one_of_two(void *arg)
{
    struct pair *p = arg;
    struct policy_question q = question();
    struct decision d = {0};
    struct why why = {""};
    q.get = reads_late;
    q.get_ctx = p;
    p->errs[p->count++] = policy_ask(policy, &q, &d, &why);
    sem_post(&p->failed);
    return NULL;
}

static void survives_a_second_wish_during_the_first(void **state)
{
    struct pair p = {.folder = "/tmp/test_session-XXXXXX"};
    pthread_t threads[2];
    char script[500];
    (void)state;
    assert_non_null(mkdtemp(p.folder));
    assert_int_equal(chmod(p.folder, 0755), 0); /* the program may be somebody else's */
    snprintf(p.begun, sizeof p.begun, "%s/begun", p.folder);
    sem_init(&p.failed, 0, 0);
    snprintf(script, sizeof script,
             "echo '{\"hello\":1,\"in_flight\":2}'; read -r one; read -r two;"
             "echo '{\"id\":1,\"get\":\"/assets\"}'; while [ ! -e %s ]; do sleep 0.01; done;"
             "echo '{\"id\":1,\"get\":\"/requests\"}'; sleep " MARK,
             p.begun);
    open_session(script, 1, PLENTY);
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, ask_one_of_two, &p);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_err(p.errs[0], ERR_PROGRAM);
    assert_err(p.errs[1], ERR_PROGRAM);
    sem_destroy(&p.failed);
    unlink(p.begun);
    rmdir(p.folder);
}

/* ------------------------------------------------------------------------------ ends */

static void hides_the_passwords_of_earlier_questions(void **state)
{
    char story[WHY_MAX];
    (void)state;
    open_session(EACH ANSWER("said") "sleep 0.1; echo \"it was hush-hush\" >&2; done", 1, PLENTY);
    assert_err(ask(story), ERR_OK);
    json_object_put(object);
    object = json("{'id':'PR-2'}");
    assert_err(ask(story), ERR_OK);
    has_logged("sh: it was ********");
}

static void limits_what_is_logged_of_a_question(void **state)
{
    char story[WHY_MAX];
    (void)state;
    open_session(EACH "i=0; while [ $i -lt 12 ]; do yes line | head -n 100 >&2; sleep 0.02;"
                      "i=$((i + 1)); done; " ANSWER("at last") "done",
                 1, PLENTY);
    assert_err(ask(story), ERR_OK);
    has_logged("says more than 1000 lines: the others are left out");
}

static void ends_with_a_stop(void **state)
{
    (void)state;
    open_session("sleep " MARK, 1, PLENTY);
    ends_when_stopped();
}

static void asks_another_when_all_that_ran_is_killed(void **state)
{
    char first[WHY_MAX], story[WHY_MAX];
    (void)state;
    open_session("setsid sleep " MARK " & " EACH ANSWER("$$") "done", 1, PLENTY);
    assert_err(ask(first), ERR_OK);
    assert_int_equal(kill_processes(SPAWNER_PROGRAM), 2); /* itself, and who keeps the program */
    do { /* the program itself lives a moment longer */
        assert_err(ask(story), ERR_OK);
    } while (strcmp(first, story) == 0);
    assert_true(processes(MARK) <= 2); /* of the second: the script, and what it started */
    /* Of the program alone: one question at most learns of it. */
    assert_true(kill_processes("while read") > 0);
    enum err e = ask(story);
    assert_true(e == ERR_OK || e == ERR_PROGRAM);
    assert_err(ask(story), ERR_OK);
}

static void leaves_nothing_when_the_spawner_has_died_unnoticed(void **state)
{
    char story[WHY_MAX];
    (void)state;
    open_session("setsid sleep " MARK " & " EACH ANSWER("fine") "done", 1, PLENTY);
    assert_err(ask(story), ERR_OK);
    assert_int_equal(kill_processes(SPAWNER_PROGRAM), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(asks_the_same_one_again),
        TEST(outlives_what_is_no_answer),
        TEST(starts_what_fails_more_and_more_slowly),
        TEST(asks_several_programs_at_a_time),
        TEST(asks_as_many_as_a_hello_wants),
        TEST(one_that_is_late_costs_no_other_its_answer),
        TEST(has_connect_read_for_it),
        TEST(survives_a_second_wish_during_the_first),
        TEST(hides_the_passwords_of_earlier_questions),
        TEST(limits_what_is_logged_of_a_question),
        TEST(ends_with_a_stop),
        TEST(asks_another_when_all_that_ran_is_killed),
        TEST(leaves_nothing_when_the_spawner_has_died_unnoticed),
    };
    return programs_run(MARK, tests, sizeof tests / sizeof *tests);
}
