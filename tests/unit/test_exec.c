/* test_exec.c - policies that are programs, and all that programs do. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clk.h"
#include "programs.h"

#define MARK "987654" /* see programs_run() */

/* Ask a script, as a policy of its own. */
static enum err ask_shell(const char *script, char ret_reason[WHY_MAX])
{
    const struct conf_policy conf = shell(script);
    policy_free(policy);
    open_policy(&conf);
    return ask(ret_reason);
}

/* ------------------------------------------------------------------------ wrong answers */

static void takes_no_answer_for_a_decision(void **state)
{
    static const struct {
        const char *script;
        enum err err;
        const char *story;
    } cases[] = {
        {"true", ERR_PROGRAM, "sh answered nothing"},
        {"echo; echo", ERR_PROGRAM, "sh answered nothing"},
        {"echo garbage", ERR_PROGRAM, "sh answered what is no JSON object: "},
        {"echo '[1]'", ERR_PROGRAM, "sh answered what is no JSON object"},
        {"printf '{\"action\":\"sk'", ERR_PROGRAM, "sh answered what is no JSON object: "},
        {"echo '{\"action\":\"skip\"}{}'", ERR_PROGRAM, "sh answered what is no JSON object: "},
        {"echo '{\"action\":\"skip\",\"id\":4711}'", ERR_PROGRAM, "sh answered question 4711, but"},
        {"echo '{\"action\":\"dance\"}'", ERR_POLICY, "action dance is none for a fulfillment_"},
        {"exit 75", ERR_BUSY, "sh asks to be asked later (exit status 75)"},
        {"echo '{\"action\":\"skip\"}'; exit 1", ERR_PROGRAM, "sh ended with exit status 1"},
        {"echo one >&2; echo two >&2; exit 3", ERR_PROGRAM,
         "sh ended with exit status 3; it said: one | two"},
        {"kill -SEGV $$", ERR_PROGRAM, "sh was ended by signal 11 (SEGV)"},
        {"kill -KILL $$", ERR_PROGRAM, "sh was ended by signal 9 (KILL)"},
        {"yes", ERR_PROGRAM, "sh answers with more than 16777216 bytes"},
    };
    char story[WHY_MAX];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_err(ask_shell(cases[i].script, story), cases[i].err);
        if (strncmp(story, cases[i].story, strlen(cases[i].story)) != 0)
            fail_msg("%s: %s", cases[i].script, story);
    }
    /* And the next one is served. */
    assert_err(ask_shell("echo '{\"action\":\"skip\",\"reason\":\"fine\"}'", story), ERR_OK);
    assert_string_equal(story, "fine");
}

static void says_why_a_program_cannot_be_run(void **state)
{
    char story[WHY_MAX];
    struct conf_policy conf = shell("true");
    struct why why;
    (void)state;
    conf.cwd = "/nowhere";
    open_policy(&conf);
    assert_err(ask(story), ERR_PROGRAM);
    assert_string_equal(story, "sh: its folder cannot be entered: No such file or directory");
    policy_free(policy);
    conf = shell("true");
    conf.argv[0] = "/etc/passwd";
    open_policy(&conf);
    assert_err(ask(story), ERR_PROGRAM);
    assert_string_equal(story, "passwd: it cannot be executed: Permission denied");
    policy_free(policy);
    policy = NULL;
    conf.user = "no-such-user";
    assert_err(exec_open(&conf, spawner, &policy, &why), ERR_CONFIG);
    assert_string_equal(why.text, "policy.user: no-such-user: the system knows none of this name");
    conf.user = NULL;
    conf.group = "no-such-group";
    assert_err(exec_open(&conf, spawner, &policy, &why), ERR_CONFIG);
    conf.group = NULL;
    conf.user = "root";
    assert_err(exec_open(&conf, spawner, &policy, &why), ERR_CONFIG);
    assert_string_equal(why.text, "policy.user: no program runs as root");
    spawner_free(spawner);
    spawner = spawner_new("/nowhere/spawner");
    conf = shell("true");
    open_policy(&conf);
    assert_err(ask(story), ERR_IO);
    assert_string_equal(story, "/nowhere/spawner, which runs programs: No such file or directory");
}

/* Of a form, too, whoever asks has nothing to give back. */
static void owes_nothing_after_a_wrong_answer(void **state)
{
    const struct conf_policy conf = shell("echo '{\"id\":4711,\"params\":[]}'");
    struct policy_question q = question();
    struct json_object *changes;
    char rule[DECISION_RULE_MAX];
    struct why why;
    (void)state;
    q.kind = POLICY_VALIDATE;
    open_policy(&conf);
    for (int i = 0; i < 10; i++)
        assert_err(policy_validate(policy, &q, &changes, rule, &why), ERR_PROGRAM);
}

/* --------------------------------------------------------------------- what will not end */

static void ends_what_takes_too_long(void **state)
{
    static const char *const scripts[] = {
        "sleep " MARK,
        "trap '' TERM; sleep " MARK "; sleep " MARK,
        "setsid sleep " MARK " & exec sleep " MARK,
        "while :; do sleep " MARK " & sleep 0.01; done",
        "exec 0<&- 1>&- 2>&-; exec sleep " MARK,
    };
    char story[WHY_MAX];
    (void)state;
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        struct conf_policy conf = shell(scripts[i]);
        int64_t start = clk_mono_ms();
        conf.timeout_ms = 300;
        policy_free(policy);
        open_policy(&conf);
        assert_err(ask(story), ERR_TIMEOUT);
        assert_string_equal(story, "sh gave no answer in its time");
        assert_in_range(clk_mono_ms() - start, 300, 2000);
    }
}

static void leaves_no_daemon(void **state)
{
    char story[WHY_MAX];
    (void)state;
    assert_err(ask_shell("setsid sh -c 'sleep " MARK " & setsid sleep " MARK " & sleep " MARK
                         "' & sleep " MARK " & sleep 0.2; echo '{\"action\":\"skip\"}'",
                         story),
               ERR_OK);
    assert_int_equal(processes(MARK), 0);
}

static void needs_nobody_to_read_the_question(void **state)
{
    char story[WHY_MAX];
    char *large = malloc(1 << 20);
    (void)state;
    memset(large, 'x', 1 << 20);
    large[(1 << 20) - 1] = '\0';
    json_object_object_add(object, "large", json_object_new_string(large));
    assert_err(ask_shell("echo '{\"action\":\"skip\",\"reason\":\"unread\"}'", story), ERR_OK);
    assert_string_equal(story, "unread");
    assert_err(ask_shell("wc -c >&2; echo '{\"action\":\"skip\"}'", story), ERR_OK);
    has_logged("sh: 1048");
    free(large);
}

static void ends_with_a_stop(void **state)
{
    const struct conf_policy conf = shell("sleep " MARK);
    (void)state;
    open_policy(&conf);
    ends_when_stopped();
}

/* -------------------------------------------------------------------- what it is given */

static void gets_what_is_configured_and_nothing_else(void **state)
{
    char story[WHY_MAX];
    struct conf_policy conf = shell(
        "reason=\"$(env | grep -v ^_ | sort | tr '\\n' ' ')$(pwd) $(ls /proc/self/fd | wc -l)\";"
        "echo \"{\\\"action\\\":\\\"skip\\\",\\\"reason\\\":\\\"$reason\\\"}\"");
    (void)state;
    conf.env[0] = "TEST_EXEC_OURS";
    conf.env[1] = "TEST_EXEC_UNSET";
    conf.cwd = "/usr";
    setenv("TEST_EXEC_OURS", "given", 1);
    setenv("TEST_EXEC_SECRET", "kept", 1);
    open_policy(&conf);
    assert_err(ask(story), ERR_OK);
    /* 0, 1, 2, and the one with which ls reads the folder. */
    assert_string_equal(story, "LANG=C.UTF-8 PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:"
                               "/usr/sbin:/sbin PWD=/usr TEST_EXEC_OURS=given /usr 4");
}

static void has_limits_and_no_privileges(void **state)
{
    char story[WHY_MAX];
    (void)state;
    assert_err(
        ask_shell("r=\"$(id -u) $(ulimit -c) $(ulimit -n) $(ulimit -t) $(ulimit -d) "
                  "$(grep -E 'NoNewPrivs|SigBlk|SigIgn' /proc/self/status | tr -d '\\n\\t')\""
                  ";echo \"{\\\"action\\\":\\\"skip\\\",\\\"reason\\\":\\\"$r\\\"}\"",
                  story),
        ERR_OK);
    assert_int_not_equal(strtol(story, NULL, 10), 0);
    const char *limits = strchr(story, ' ');
    assert_string_equal(limits, " 0 1024 11 1048576 SigBlk:0000000000000000"
                                "SigIgn:0000000000000000NoNewPrivs:1");
    assert_err(ask_shell("dd if=/dev/zero of=/dev/null bs=1200M count=1 || exit 1;"
                         "echo '{\"action\":\"skip\"}'",
                         story),
               ERR_PROGRAM); /* more memory than it may have */
    assert_non_null(strstr(story, "exit status 1"));
}

static void hides_passwords_in_what_it_complains_of(void **state)
{
    char story[WHY_MAX];
    (void)state;
    assert_err(ask_shell("echo 'bad password hush-hush' >&2; exit 1", story), ERR_PROGRAM);
    assert_string_equal(story, "sh ended with exit status 1; it said: bad password ********");
    has_logged("webhook WH-1: PR-1: sh: bad password ********");
    assert_err(ask_shell("yes line | head -n 1200 >&2; exit 1", story), ERR_PROGRAM);
    has_logged("says more than 1000 lines: the others are left out");
}

/* ------------------------------------------------------------------- the spawner's death */

static char once[64]; /* a folder that the first run of a program makes */

static void *kill_spawner(void *arg)
{
    (void)arg;
    while (access(once, F_OK) != 0)
        usleep(1000);
    kill_processes(SPAWNER_PROGRAM); /* with all that look after programs */
    return NULL;
}

/* Once it sleeps for ever; asked again it finds what the first left, and answers. */
static void asks_again_when_the_spawner_dies(void **state)
{
    char folder[] = "/tmp/test_exec-XXXXXX", script[256], story[WHY_MAX];
    pthread_t killer;
    (void)state;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chmod(folder, 0777), 0);
    snprintf(once, sizeof once, "%s/once", folder);
    snprintf(script, sizeof script,
             "if mkdir %s; then setsid sleep " MARK " & exec sleep " MARK
             "; else echo '{\"action\":\"skip\",\"reason\":\"again\"}'; fi",
             once);
    const struct conf_policy conf = shell(script);
    open_policy(&conf);
    pthread_create(&killer, NULL, kill_spawner, NULL);
    assert_err(ask(story), ERR_OK);
    pthread_join(killer, NULL);
    assert_string_equal(story, "again");
    has_logged("connect-webhook-spawner has died (signal 9)");
    assert_int_equal(rmdir(once), 0);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(takes_no_answer_for_a_decision),
        TEST(says_why_a_program_cannot_be_run),
        TEST(owes_nothing_after_a_wrong_answer),
        TEST(ends_what_takes_too_long),
        TEST(leaves_no_daemon),
        TEST(needs_nobody_to_read_the_question),
        TEST(ends_with_a_stop),
        TEST(gets_what_is_configured_and_nothing_else),
        TEST(has_limits_and_no_privileges),
        TEST(hides_passwords_in_what_it_complains_of),
        TEST(asks_again_when_the_spawner_dies),
    };
    return programs_run(MARK, tests, sizeof tests / sizeof *tests);
}
