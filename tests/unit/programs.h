/*
 * programs.h - what tests of policies that are programs share: a policy, a question, and a look at
 * what is left afterwards.
 */
#ifndef PROGRAMS_H
#define PROGRAMS_H

#include "json_text.h"
#include "policy/exec.h"

extern struct spawner *spawner;
extern struct policy *policy;
extern struct json_object *object; /* that is asked about; it has the password hush-hush */

/* For every main. `mark` is in the command line of what the tests start, so that it is found again,
 * and in no other test's. */
int programs_run(const char *mark, const struct CMUnitTest *tests, size_t count);
int programs_set_up(void **state);
/* After every test nothing is left: no process, no descriptor. */
int programs_tear_down(void **state);
#define TEST(f) cmocka_unit_test_setup_teardown(f, programs_set_up, programs_tear_down)

/* How many processes have this in their command line. */
int processes(const char *mark);
/* Kill those of them that are below this one, and wait until they are dead; returns how many. */
int kill_processes(const char *mark);

/* A policy that runs this script. */
struct conf_policy shell(const char *script);
void open_policy(const struct conf_policy *conf);
struct policy_question question(void);
/* Ask the policy that is open; *ret_reason is the decision's, or the story of the failure. */
enum err ask(char ret_reason[WHY_MAX]);
/* Ask the policy that is open, which never answers, and stop it meanwhile. */
void ends_when_stopped(void);
void has_logged(const char *text);

#endif
