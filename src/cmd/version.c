/* version.c - which program this is, and how it was built. */
#include "cmd/cmd.h"

#include <stdio.h>

#include "base/jsonx.h"

struct options {
    bool json;
};

static int run(const struct cmd *self, void *options, char **arguments);

const struct cmd cmd_version = {
    .name = "version",
    .summary = "say which version this is and how it was built",
    .help = "Usage: connect-webhook version [--json]\n"
            "Print the version and what the program was built with, for reports.\n"
            "\n"
            "  --json   one JSON object\n"
            "  --help   show this help\n",
    .options =
        (const struct cmd_option[]){
            CMD_FLAG("json", struct options, json),
            {0},
        },
    .size = sizeof(struct options),
    .run = run,
};

static int print_json(const struct cmd *self)
{
    struct json_object *o = json_object_new_object();
    jsonx_add_text(o, "version", PACKAGE_VERSION);
    jsonx_add_text(o, "built", CONFIGURE_SUMMARY);
    return cmd_print_json(self, o);
}

static int run(const struct cmd *self, void *options, char **arguments)
{
    (void)arguments;
    if (((const struct options *)options)->json)
        return print_json(self);
    printf("connect-webhook %s\n%s", PACKAGE_VERSION, CONFIGURE_SUMMARY);
    return CMD_OK;
}
