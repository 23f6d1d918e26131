/* version.c - which program this is, and how it was built. */
#include "cmd/cmd.h"

#include <stdio.h>

#include "base/jsonx.h"

struct options {
    bool json;
};

static int run(const struct cmd *self, void *options, int argc, char **argv);

const struct cmd cmd_version = {
    .name = "version",
    .summary = "say which version this is and how it was built",
    .help = "Usage: connect-webhook version [--json]\n"
            "Print the version and what the program was built with, for reports.\n"
            "\n"
            "  --json   one JSON object\n"
            "  --help   show this help\n",
    .verbs =
        (const struct cmd_verb[]){
            {.options =
                 (const struct cmd_option[]){
                     CMD_FLAG("json", struct options, json),
                     {0},
                 },
             .size = sizeof(struct options),
             .run = run},
            {0},
        },
};

static void print_json(void)
{
    struct json_object *o = json_object_new_object();
    jsonx_add(o, "version", json_object_new_string(PACKAGE_VERSION));
    jsonx_add(o, "built", json_object_new_string(CONFIGURE_SUMMARY));
    puts(
        json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(o);
}

static int run(const struct cmd *self, void *options, int argc, char **argv)
{
    (void)self;
    (void)argc;
    (void)argv;
    if (((const struct options *)options)->json)
        print_json();
    else
        printf("connect-webhook %s\n%s", PACKAGE_VERSION, CONFIGURE_SUMMARY);
    return CMD_OK;
}
