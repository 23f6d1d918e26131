/* test_cmd.c - the command line: read by a table, whatever the command. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"

struct options {
    const char *text;
    int number;
    bool flag;
};

static struct options got;
static int runs, frees;
static char first_argument[32];

static enum err take_number(void *at, const char *value, struct why *why)
{
    if (strspn(value, "0123456789") != strlen(value))
        return why_set(why, ERR_TYPE, "--number is a number");
    *(int *)at = atoi(value);
    return ERR_OK;
}

static int run(const struct cmd *self, void *options, char **arguments)
{
    assert_non_null(self->name);
    got = *(struct options *)options;
    snprintf(first_argument, sizeof first_argument, "%s", arguments[0] != NULL ? arguments[0] : "");
    runs++;
    return CMD_FAILED;
}

static void forget(void *options)
{
    assert_non_null(options);
    frees++;
}

static const struct cmd_option options[] = {
    CMD_TEXT("text", 't', struct options, text),
    CMD_TAKE("number", struct options, number, take_number),
    CMD_FLAG("flag", struct options, flag),
    {0},
};
static const struct cmd_option none[] = {{0}};

static const struct cmd plain = {
    .name = "plain",
    .help = "help\n",
    .options = options,
    .defaults = &(const struct options){.number = 7},
    .size = sizeof(struct options),
    .arguments_max = 1,
    .run = run,
    .free = forget,
};
static const struct cmd verbose = {
    .name = "verbose",
    .help = "help\n",
    .verbs =
        (const struct cmd_verb[]){
            {"do", {.options = options, .size = sizeof(struct options), .run = run}},
            {"undo", {.options = none, .size = sizeof(struct options), .run = run}},
            {0},
        },
};

static int set_up(void **state)
{
    (void)state;
    got = (struct options){0};
    runs = frees = 0;
    return 0;
}

/* "plain --flag x", split at its spaces. */
static int command(const struct cmd *cmd, const char *line)
{
    char text[128], *argv[16];
    int argc = 0;
    snprintf(text, sizeof text, "%s", line);
    for (char *save = NULL, *word = strtok_r(text, " ", &save); word != NULL;
         word = strtok_r(NULL, " ", &save))
        argv[argc++] = word;
    argv[argc] = NULL;
    return cmd_run(cmd, argc, argv);
}

static void refuses_what_the_table_does_not_have(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "plain --what",       "plain -x",  "plain --text",      "plain -t",
        "plain --flag=yes",   "plain a b", "plain --number 4x", "plain --number 4 --number x",
        "plain --text x a b",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        assert_int_equal(command(&plain, lines[i]), CMD_USAGE);
    assert_int_equal(runs, 0);
    assert_int_equal(frees, sizeof lines / sizeof *lines);
    assert_int_equal(command(&verbose, "verbose"), CMD_USAGE);
    assert_int_equal(command(&verbose, "verbose redo"), CMD_USAGE);
    assert_int_equal(command(&verbose, "verbose undo --flag"), CMD_USAGE);
    assert_int_equal(command(&verbose, "verbose do it"), CMD_USAGE);
    assert_int_equal(runs, 0);
}

static void fills_the_options_over_their_defaults(void **state)
{
    (void)state;
    assert_int_equal(command(&plain, "plain"), CMD_FAILED);
    assert_null(got.text);
    assert_int_equal(got.number, 7);
    assert_false(got.flag);
    assert_string_equal(first_argument, "");
    assert_int_equal(command(&plain, "plain --flag -t one x --number 8"), CMD_FAILED);
    assert_non_null(got.text);
    assert_int_equal(got.number, 8);
    assert_true(got.flag);
    assert_string_equal(first_argument, "x");
    assert_int_equal(command(&plain, "plain -- --flag"), CMD_FAILED);
    assert_false(got.flag);
    assert_string_equal(first_argument, "--flag");
    assert_int_equal(runs, 3);
    assert_int_equal(frees, 3);
}

static void runs_the_verb_that_is_named(void **state)
{
    (void)state;
    assert_int_equal(command(&verbose, "verbose do --number 3"), CMD_FAILED);
    assert_int_equal(got.number, 3);
    assert_int_equal(command(&verbose, "verbose undo"), CMD_FAILED);
    assert_int_equal(runs, 2);
}

static void helps_everywhere(void **state)
{
    (void)state;
    static const char *const lines[] = {"plain --help", "plain -h", "plain --flag --help x y z"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        assert_int_equal(command(&plain, lines[i]), CMD_OK);
    assert_int_equal(command(&verbose, "verbose --help"), CMD_OK);
    assert_int_equal(command(&verbose, "verbose do -h"), CMD_OK);
    assert_int_equal(runs, 0);
}

#define TEST(f) cmocka_unit_test_setup(f, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(refuses_what_the_table_does_not_have),
        TEST(fills_the_options_over_their_defaults),
        TEST(runs_the_verb_that_is_named),
        TEST(helps_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
