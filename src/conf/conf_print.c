/* conf_print.c - the configuration as YAML, and the table of its keys. */
#include <string.h>

#include "base/yamlx.h"
#include "conf/conf.h"
#include "conf/keys.h"

#define VALUE_MAX (16 * 1024) /* bytes of one value as the file has it */

/* Where a secret is, never what it is. */
static void source(struct buf *b, const struct secret_source *s)
{
    static const char *const kinds[] = {
        [SECRET_FILE] = "file", [SECRET_ENV] = "env", [SECRET_CREDENTIAL] = "credential"};
    buf_printf(b, "{ %s: ", kinds[s->kind]);
    yamlx_quote(b, s->name);
    buf_addstr(b, " }");
}

static void pair(struct buf *b, const struct key *k, const char *indent, const void *base)
{
    buf_printf(b, "%s%s: ", indent, k->name);
    key_print(b, k, base);
    buf_addc(b, '\n');
}

static void section(struct buf *b, const char *name, const char *indent, const void *base)
{
    for (const struct key *k = conf_keys; k->name != NULL; k++)
        if (strcmp(k->section, name) == 0 && k->type != KEY_SPECIAL)
            pair(b, k, indent, base);
}

static void account(struct buf *b, const struct conf_account *a)
{
    buf_printf(b, "  - id: %s\n    api_url: ", a->id);
    yamlx_quote(b, a->api_url);
    buf_addstr(b, "\n    api_key: ");
    source(b, &a->api_key.source);
    buf_addc(b, '\n');
    section(b, "accounts", "    ", a);
}

static void list(struct buf *b, const char *key, const char *const *texts)
{
    buf_printf(b, "      %s: [", key);
    for (const char *comma = ""; *texts != NULL; texts++, comma = ", ") {
        buf_addstr(b, comma);
        yamlx_quote(b, *texts);
    }
    buf_addstr(b, "]\n");
}

static void program(struct buf *b, const struct conf_policy *p)
{
    buf_addstr(b, "    policy:\n");
    list(b, "exec", p->argv);
    for (const struct key *k = conf_keys; k->name != NULL; k++) {
        /* How many at a time is a session's alone. */
        if (strcmp(k->section, "webhooks.policy") != 0 || k->type == KEY_SPECIAL ||
            (strcmp(k->name, "sessions") == 0 && !p->session))
            continue;
        pair(b, k, "      ", p);
    }
    if (p->env[0] != NULL)
        list(b, "env", p->env);
    buf_addstr(b, "      cwd: ");
    yamlx_quote(b, p->cwd);
    buf_addc(b, '\n');
}

static void policy(struct buf *b, const struct conf_policy *p)
{
    switch (p->kind) {
    case CONF_POLICY_NONE:
        buf_addstr(b, "    policy: none\n");
        break;
    case CONF_POLICY_RULES:
        buf_addstr(b, "    policy: { rules: ");
        yamlx_quote(b, p->path);
        buf_addstr(b, " }\n");
        break;
    case CONF_POLICY_EXEC:
        program(b, p);
        break;
    }
}

static void webhook(struct buf *b, const struct conf_webhook *w)
{
    buf_printf(b,
               "  - id: %s\n    account: %s\n    product: %s\n    object_class: %s\n    type: %s\n"
               "    secrets:\n",
               w->id, w->account->id, w->product, w->object_class->name,
               webhook_type_name(w->type));
    for (size_t i = 0; i < w->secrets_count; i++) {
        buf_addstr(b, "      - ");
        source(b, &w->secrets[i].source);
        buf_addc(b, '\n');
    }
    policy(b, &w->policy);
    if (w->since_us != CLK_UNKNOWN) {
        char text[CLK_ISO_MAX];
        clk_iso(clk_second(w->since_us), text);
        buf_printf(b, "    since: \"%s\"\n", text);
    }
    if (w->states[0] == NULL)
        return;
    buf_addstr(b, "    states: [");
    for (size_t i = 0; w->states[i] != NULL; i++)
        buf_printf(b, "%s%s", i > 0 ? ", " : "", w->states[i]);
    buf_addstr(b, "]\n");
}

enum err conf_print(const struct conf *c, struct buf *b)
{
    for (const char *const *name = conf_sections; *name != NULL; name++) {
        buf_printf(b, "%s:\n", *name);
        section(b, *name, "  ", c);
    }
    buf_addstr(b, "include: none\naccounts:\n");
    for (size_t i = 0; i < c->accounts_count; i++)
        account(b, &c->accounts[i]);
    buf_addstr(b, "webhooks:\n");
    for (size_t i = 0; i < c->webhooks_count; i++)
        webhook(b, &c->webhooks[i]);
    return b->err;
}

void conf_fixed_changes(const struct conf *running, const struct conf *fresh, struct buf *b)
{
    struct buf old, new;
    buf_init(&old, VALUE_MAX);
    buf_init(&new, VALUE_MAX);
    for (const struct key *k = conf_keys; k->name != NULL; k++) {
        if ((k->traits & KEY_FIXED) == 0)
            continue;
        buf_reset(&old);
        buf_reset(&new);
        key_print(&old, k, running);
        key_print(&new, k, fresh);
        if (strcmp(old.data, new.data) != 0)
            buf_printf(b, "%s%s.%s", b->len > 0 ? ", " : "", k->section, k->name);
    }
    buf_free(&old);
    buf_free(&new);
}

enum err conf_print_keys(struct buf *b)
{
    for (const struct key *k = conf_keys; k->name != NULL; k++) {
        const char *below = strchr(k->section, '.'); /* "webhooks[].policy.exec" */
        int first = (int)strcspn(k->section, ".");
        bool element = strcmp(k->section, "accounts") == 0 || strcmp(k->section, "webhooks") == 0 ||
                       below != NULL;
        buf_printf(b, "%.*s%s%s%s%s\n    %s\n    ", first, k->section, element ? "[]" : "",
                   below != NULL ? below : "", *k->section != '\0' ? "." : "", k->name, k->help);
        const char *kind = k->type == KEY_INT        ? "number"
                           : k->type == KEY_DURATION ? "time"
                           : k->type == KEY_SIZE     ? "size"
                                                     : NULL;
        if (kind != NULL) {
            buf_printf(b, "%s from ", kind);
            key_print_number(b, k->type, k->min);
            buf_addstr(b, " to ");
            key_print_number(b, k->type, k->max);
            buf_addstr(b, "; ");
        }
        if (k->otherwise != NULL)
            buf_printf(b, "default: %s\n", k->otherwise);
        else
            buf_addstr(b, "must be given\n");
    }
    return b->err;
}
