/* programs.c - what tests of policies that are programs share. */
#include "programs.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/jsonx.h"
#include "base/log.h"
#include "base/proc.h"

#define PROCESSES_MAX 1000

static char spawner_path[4096], log_path[] = "/tmp/test_programs-XXXXXX";
static const char *our_mark;
struct spawner *spawner;
struct policy *policy;
struct json_object *object;
static int descriptors; /* open before the test */

static int entries(const char *folder)
{
    int n = 0;
    DIR *d = opendir(folder);
    assert_non_null(d);
    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n;
}

static bool is_below_us(pid_t pid)
{
    while (pid > 1 && pid != getpid()) {
        char path[64];
        int parent = 0;
        snprintf(path, sizeof path, "/proc/%d/stat", pid);
        FILE *f = fopen(path, "r");
        if (f == NULL || fscanf(f, "%*d (%*[^)]) %*c %d", &parent) != 1)
            parent = 0;
        if (f != NULL)
            fclose(f);
        pid = parent;
    }
    return pid == getpid();
}

/* A zombie has no command line any more. */
static bool has_mark(pid_t pid, const char *mark)
{
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
    FILE *f = fopen(path, "r");
    size_t len = f != NULL ? fread(text, 1, sizeof text, f) : 0;
    if (f != NULL)
        fclose(f);
    return len > 0 && memmem(text, len, mark, strlen(mark)) != NULL;
}

static int find_processes(const char *mark, pid_t ret[PROCESSES_MAX])
{
    int n = 0;
    DIR *d = opendir("/proc");
    assert_non_null(d);
    for (const struct dirent *e; (e = readdir(d)) != NULL && n < PROCESSES_MAX;) {
        pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
        if (pid > 0 && has_mark(pid, mark))
            ret[n++] = pid;
    }
    closedir(d);
    return n;
}

int processes(const char *mark)
{
    pid_t found[PROCESSES_MAX];
    return find_processes(mark, found);
}

int kill_processes(const char *mark)
{
    pid_t found[PROCESSES_MAX];
    int n = find_processes(mark, found), ours = 0;
    for (int i = 0; i < n; i++)
        if (is_below_us(found[i]))
            found[ours++] = found[i];
    for (int i = 0; i < ours; i++)
        kill(found[i], SIGKILL);
    for (int i = 0; i < ours; i++)
        while (has_mark(found[i], mark))
            usleep(1000);
    return ours;
}

int programs_set_up(void **state)
{
    (void)state;
    const struct log_options o = {LOG_DEBUG, LOG_LOGFMT, log_path};
    assert_int_equal(truncate(log_path, 0), 0);
    assert_err(log_open(&o, NULL), ERR_OK);
    descriptors = entries("/proc/self/fd");
    spawner = spawner_new(spawner_path);
    assert_non_null(spawner);
    object = json("{'id':'PR-1','params':[{'id':'p','type':'password','value':'hush-hush'}]}");
    return 0;
}

int programs_tear_down(void **state)
{
    (void)state;
    policy_free(policy);
    policy = NULL;
    spawner_free(spawner);
    json_object_put(object);
    assert_int_equal(processes(our_mark), 0);
    assert_false(proc_has_children());
    assert_int_equal(entries("/proc/self/fd"), descriptors);
    return 0;
}

struct conf_policy shell(const char *script)
{
    return (struct conf_policy){.kind = CONF_POLICY_EXEC,
                                .argv = {"/bin/sh", "-c", script},
                                .timeout_ms = 10000,
                                .cwd = "/"};
}

void open_policy(const struct conf_policy *conf)
{
    struct why why = {""};
    if (policy_open(conf, POLICY_PROCESS, object_class_find("fulfillment_request"), spawner,
                    &policy, &why) != ERR_OK)
        fail_msg("%s", why.text);
}

struct policy_question question(void)
{
    return (struct policy_question){.object_class = object_class_find("fulfillment_request"),
                                    .side = SIDE_VENDOR,
                                    .webhook_id = "WH-1",
                                    .webhook_type = TYPE_EVENT,
                                    .object = object,
                                    .attempt = 1,
                                    .deadline = clk_mono_ms() + 20000};
}

enum err ask(char ret_reason[WHY_MAX])
{
    struct policy_question q = question();
    struct decision d = {0};
    struct why why = {""};
    q.object = jsonx_copy(
        object); /* json-c counts who has one without a lock: each thread its own */
    enum err e = policy_ask(policy, &q, &d, &why);
    json_object_put(q.object);
    snprintf(ret_reason, WHY_MAX, "%s", e != ERR_OK ? why.text : d.reason != NULL ? d.reason : "");
    if (e == ERR_OK)
        decision_free(&d);
    return e;
}

static void *stop_when_it_runs(void *arg)
{
    (void)arg;
    while (processes(our_mark) == 0)
        usleep(1000);
    policy_stop(policy);
    return NULL;
}

void ends_when_stopped(void)
{
    char story[WHY_MAX];
    pthread_t stopper;
    pthread_create(&stopper, NULL, stop_when_it_runs, NULL);
    assert_err(ask(story), ERR_STOPPED);
    pthread_join(stopper, NULL);
    assert_err(ask(story), ERR_STOPPED);
}

void has_logged(const char *text)
{
    static char log[256 * 1024];
    int fd = open(log_path, O_RDONLY);
    ssize_t len = read(fd, log, sizeof log - 1);
    close(fd);
    log[len > 0 ? len : 0] = '\0';
    if (strstr(log, text) == NULL)
        fail_msg("%s is not in the log: %s", text, log);
}

int programs_run(const char *mark, const struct CMUnitTest *tests, size_t count)
{
    char self[2048];
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    our_mark = mark;
    signal(SIGPIPE, SIG_IGN);
    self[len > 0 ? len : 0] = '\0';
    /* It was built at the top of the folder in which this is tests/unit/test_.... */
    for (int up = 0; up < 3; up++)
        *strrchr(self, '/') = '\0';
    snprintf(spawner_path, sizeof spawner_path, "%s/" SPAWNER_PROGRAM, self);
    int fd = mkstemp(log_path);
    if (fd >= 0)
        close(fd);
    int failed = _cmocka_run_group_tests("programs", tests, count, NULL, NULL);
    unlink(log_path);
    return failed;
}
