/* version.c - which program this is, and how it was built. */
#include "cmd/cmd.h"

#include <getopt.h>
#include <stdio.h>

#include "base/jsonx.h"

static int run(const struct cmd *self, int argc, char **argv);

const struct cmd cmd_version = {
    .name = "version",
    .summary = "say which version this is and how it was built",
    .help = "Usage: connect-webhook version [--json]\n"
            "Print the version and what the program was built with, for reports.\n"
            "\n"
            "  --json   one JSON object\n"
            "  --help   show this help\n",
    .run = run,
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

static int run(const struct cmd *self, int argc, char **argv)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {0}};
    bool json = false;
    for (int c; (c = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        if (c == 'h')
            return cmd_help(self);
        if (c != 'j')
            return cmd_usage(self, "unknown option");
        json = true;
    }
    if (optind < argc)
        return cmd_usage(self, "takes no arguments, but was given '%s'", argv[optind]);
    if (json)
        print_json();
    else
        printf("connect-webhook %s\n%s", PACKAGE_VERSION, CONFIGURE_SUMMARY);
    return CMD_OK;
}
