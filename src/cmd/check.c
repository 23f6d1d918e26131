/* check.c - is this configuration good, and what does it come to? */
#include "cmd/cmd.h"

#include <grp.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/jsonx.h"
#include "base/log.h"
#include "cmd/table.h"
#include "conf/conf.h"
#include "policy/user.h"
#include "tasks/snapshot.h"

#define PRINT_MAX (16 * 1024 * 1024) /* bytes of a printed configuration */

struct options {
    const char *config;
    bool print, keys, json;
};

static int run(const struct cmd *self, void *options, char **arguments);

const struct cmd cmd_check = {
    .name = "check",
    .summary = "check the configuration, with its secrets and rules",
    .help =
        "Usage: connect-webhook check [-c FILE] [--print | --keys] [--json]\n"
        "Load the configuration as the handler would, with every secret and every rules file,\n"
        "and say what is wrong as FILE:LINE:COLUMN, or list the webhooks. The inbox and sockets\n"
        "are left alone.\n"
        "\n"
        "  -c, --config FILE  the configuration to check\n"
        "      --print        print all of it with the defaults filled in; secrets as their "
        "source\n"
        "      --keys         print every key there is, with its default and range\n"
        "      --json         one JSON object a webhook\n"
        "      --help         show this help\n"
        "\n"
        "Exits with 0 if the configuration is good, with 1 if it is not.\n"
        "\n"
        "Examples:\n"
        "  connect-webhook check\n"
        "  connect-webhook check -c ./connect-webhook.yaml --print\n",
    .options =
        (const struct cmd_option[]){
            CMD_TEXT("config", 'c', struct options, config),
            CMD_FLAG("print", struct options, print),
            CMD_FLAG("keys", struct options, keys),
            CMD_FLAG("json", struct options, json),
            {0},
        },
    .size = sizeof(struct options),
    .run = run,
};

static int print_text(const struct cmd *self, const struct conf *conf)
{
    struct buf b;
    buf_init(&b, PRINT_MAX);
    enum err e = conf != NULL ? conf_print(conf, &b) : conf_print_keys(&b);
    fputs(b.data, stdout);
    buf_free(&b);
    return e == ERR_OK ? CMD_OK : cmd_failed(self, "%s", err_text(e));
}

/* What the handler would start with, but for the inbox and its sockets. */
static enum err bring_to_life(struct conf *conf, struct why *why)
{
    struct snapshots *snapshots;
    enum err e = snapshots_new(conf, NULL, &snapshots, why);
    if (e == ERR_OK)
        snapshots_free(snapshots);
    return e;
}

/* No mistake: a socket that is handed over needs no group. */
static void warn_of_group(const struct conf *conf)
{
    if (strncmp(conf->web.listen, "unix:", 5) == 0 && getgrnam(conf->web.group) == NULL)
        log_warn("web.group: there is no group %s: the handler cannot make its own socket",
                 conf->web.group);
}

static int list(const struct cmd *self, const char *path, const struct conf *conf, bool json)
{
    static const struct table_column columns[] = {{"id", "WEBHOOK"},
                                                  {"account", "ACCOUNT"},
                                                  {"product", "PRODUCT"},
                                                  {"object_class", "CLASS"},
                                                  {"type", "TYPE"},
                                                  {"policy", "POLICY"},
                                                  {0}};
    struct table *t;
    if (table_new(columns, json, stdout, &t) != ERR_OK)
        return cmd_failed(self, "%s", err_text(ERR_NOMEM));
    if (!json)
        printf("%s: ok: %zu account%s, %zu webhook%s\n\n", path, conf->accounts_count,
               conf->accounts_count == 1 ? "" : "s", conf->webhooks_count,
               conf->webhooks_count == 1 ? "" : "s");
    for (size_t i = 0; i < conf->webhooks_count; i++) {
        const struct conf_webhook *w = &conf->webhooks[i];
        struct json_object *row = json_object_new_object();
        jsonx_add_text(row, "id", w->id);
        jsonx_add_text(row, "account", w->account->id);
        jsonx_add_text(row, "product", w->product);
        jsonx_add_text(row, "object_class", w->object_class->name);
        jsonx_add_text(row, "type", webhook_type_name(w->type));
        jsonx_add_text(row, "policy",
                       w->policy.kind == CONF_POLICY_RULES  ? w->policy.path
                       : w->policy.kind == CONF_POLICY_EXEC ? w->policy.argv[0]
                                                            : "none");
        table_row(t, row);
    }
    table_print(t);
    table_free(t);
    return CMD_OK;
}

static int run(const struct cmd *self, void *options, char **arguments)
{
    const struct options *o = options;
    const char *path = conf_path(o->config);
    struct conf *conf = NULL;
    struct why why = {""};
    (void)arguments;
    if (o->keys)
        return print_text(self, NULL);
    enum err e = conf_load(path, CONF_CHECK, &conf, &why);
    if (e == ERR_OK)
        e = bring_to_life(conf, &why);
    if (e == ERR_OK)
        e = user_check(conf, &why);
    if (e == ERR_OK)
        warn_of_group(conf);
    int status = e != ERR_OK ? cmd_failed(self, "%s", *why.text != '\0' ? why.text : err_text(e))
                 : o->print ? print_text(self, conf)
                             : list(self, path, conf, o->json);
    conf_unref(conf);
    return status;
}
