/* connect-webhook.c - the operator's command: finds the subcommand and runs it. */
#include "cmd/cmd.h"

#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/http.h"
#include "base/secret.h"

static const struct cmd *const commands[] = {
#define X(name) &cmd_##name,
    CMD_LIST(X)
#undef X
};

#define COMMANDS_COUNT (sizeof commands / sizeof commands[0])

static void print_help(FILE *out)
{
    fputs("Usage: connect-webhook COMMAND [OPTION]...\n"
          "Look after the handler of CloudBlue Connect's webhooks.\n"
          "\n"
          "Commands:\n",
          out);
    for (size_t i = 0; i < COMMANDS_COUNT; i++)
        fprintf(out, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
    fputs("\n"
          "'connect-webhook COMMAND --help' explains a command and shows examples.\n"
          "The configuration is -c FILE, else $CONNECT_WEBHOOK_CONFIG, else\n" SYSCONFDIR
          "/connect-webhook/connect-webhook.yaml.\n",
          out);
}

static const struct cmd *find(const char *name)
{
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
        name = "version";
    for (size_t i = 0; i < COMMANDS_COUNT; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

/* Run the command; what it printed must have arrived, or it has not done its work. */
static int run(const struct cmd *cmd, int argc, char **argv)
{
    struct why why;
    if (sodium_init() < 0)
        return cmd_failed(cmd, "libsodium does not start");
    if (http_global_init(&why) != ERR_OK)
        return cmd_failed(cmd, "%s", why.text);
    int status = cmd_run(cmd, argc, argv);
    http_global_free();
    if (fflush(stdout) != 0 || ferror(stdout))
        status = cmd_failed(cmd, "standard output cannot be written");
    return status;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a limit on the size of files is an error of write() */
    secret_guard_process();
    if (argc < 2) {
        print_help(stderr);
        return CMD_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        const struct cmd *about = argc > 2 ? find(argv[2]) : NULL;
        if (about != NULL)
            return cmd_help(about);
        print_help(stdout);
        return CMD_OK;
    }
    const struct cmd *cmd = find(name);
    if (cmd == NULL) {
        fprintf(stderr, "connect-webhook: no command '%s'\nTry 'connect-webhook --help'.\n", name);
        return CMD_USAGE;
    }
    return run(cmd, argc - 1, argv + 1);
}
