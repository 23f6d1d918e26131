/* conf_load.c - from YAML files to a checked snapshot. */
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/yamlx.h"
#include "conf/keys.h"
#include "conf/owner.h"

#define PATH_LEN_MAX 4096 /* bytes of a path, with the NUL */

/* One load on its way. */
struct load {
    struct conf_owner *owner;
    struct conf *conf;
    const char *file; /* that is being read; relative paths start in its folder */
    enum conf_need need;
    struct why *why;
};

/* ------------------------------------------------------------------- helpers */

static const char *keep(struct load *l, const char *text)
{
    return conf_keep(l->owner, text);
}

/* A scalar's text, kept for the snapshot's life. */
static enum err text_of(struct load *l, const struct yamlx_node *n, const char **ret)
{
    const char *text;
    enum err e = yamlx_str(n, &text, l->why);
    if (e == ERR_OK && (*ret = keep(l, text)) == NULL)
        e = why_no_memory(l->why);
    return e;
}

/* An absolute path, kept: a relative one starts where its file is. ERR_IO, ERR_TOO_BIG. */
static enum err absolute(struct load *l, const char *text, const char **ret)
{
    const char *slash = strrchr(l->file, '/');
    int folder = text[0] == '/' || slash == NULL ? 0 : (int)(slash - l->file) + 1;
    char path[PATH_LEN_MAX], here[PATH_LEN_MAX] = "";
    bool from_here = text[0] != '/' && l->file[0] != '/';
    if (from_here && getcwd(here, sizeof here) == NULL)
        return ERR_IO;
    int len = snprintf(path, sizeof path, "%s%s%.*s%s", here, from_here ? "/" : "", folder, l->file,
                       text);
    if (len < 0 || (size_t)len >= sizeof path)
        return ERR_TOO_BIG;
    *ret = keep(l, path);
    return *ret != NULL ? ERR_OK : why_no_memory(l->why);
}

/* A scalar that is a path. */
static enum err path_of(struct load *l, const struct yamlx_node *n, const char **ret)
{
    const char *text;
    enum err e = yamlx_str(n, &text, l->why);
    if (e != ERR_OK)
        return e;
    if (*text == '\0')
        return yamlx_fail(n, l->why, ERR_INVALID, "a path is needed");
    e = absolute(l, text, ret);
    if (e == ERR_TOO_BIG)
        return yamlx_fail(n, l->why, e, "a path has at most %d bytes", PATH_LEN_MAX - 1);
    return e == ERR_OK ? e : yamlx_fail(n, l->why, e, "%s", err_text(e));
}

/* What is opened later, perhaps in the middle of a call, is missed now. */
static enum err need_readable(struct load *l, const struct yamlx_node *n, const char *key,
                              const char *path)
{
    if (access(path, R_OK) == 0)
        return ERR_OK;
    return yamlx_fail(n, l->why, ERR_IO, "%s: %s: %s", key, path, strerror(errno));
}

static enum err need_mapping(struct load *l, const struct yamlx_node *n, const char *what)
{
    if (yamlx_type(n) == YAMLX_MAPPING)
        return ERR_OK;
    return yamlx_fail(n, l->why, ERR_TYPE, "%s: `key: value` pairs are needed", what);
}

/* An unknown key, with the ones that there are. */
static enum err unknown_key(struct load *l, const struct yamlx_node *key, const char *section)
{
    const char *name = "?";
    yamlx_str(key, &name, NULL);
    struct buf names;
    buf_init(&names, WHY_MAX);
    key_names(&names, section);
    yamlx_fail(key, l->why, ERR_CONFIG, "%s.%.64s: unknown key; there are %s", section, name,
               names.data);
    buf_free(&names);
    return ERR_CONFIG;
}

static enum err read_plain_key(struct load *l, const struct key *k, const struct yamlx_node *n,
                               void *base)
{
    const char *text;
    struct why why = {""};
    enum err e = text_of(l, n, &text);
    if (e != ERR_OK)
        return e;
    e = key_read(k, text, base, &why);
    if (e != ERR_OK)
        yamlx_fail(n, l->why, e, "%s.%s: %s", k->section, k->name, why.text);
    return e;
}

static void set_defaults(const char *section, void *base)
{
    for (const struct key *k = conf_keys; k->name != NULL; k++)
        if (strcmp(k->section, section) == 0 && k->type != KEY_SPECIAL)
            key_read(k, k->otherwise, base, NULL);
}

/* Is the value written as the key's default? */
static bool is_default(const struct key *k, const struct yamlx_node *value)
{
    const char *text;
    return k->otherwise != NULL && yamlx_str(value, &text, NULL) == ERR_OK &&
           strcmp(text, k->otherwise) == 0;
}

static void warn_if_idle(const struct load *l, const struct key *k, const struct yamlx_node *value)
{
    if (l->need == CONF_CHECK && (k->traits & KEY_IDLE) != 0 && !is_default(k, value))
        log_warn("%s:%d: %s.%s has no effect in this version", l->file, yamlx_line(value),
                 k->section, k->name);
}

/* Refuse unknown keys; read those that the table can read alone. */
static enum err read_section(struct load *l, const char *section, const struct yamlx_node *n,
                             void *base)
{
    enum err e = need_mapping(l, n, section);
    const struct yamlx_node *key;
    for (size_t i = 0; e == ERR_OK && (key = yamlx_key(n, i)) != NULL; i++) {
        const char *name;
        e = yamlx_str(key, &name, l->why);
        if (e != ERR_OK)
            break;
        const struct key *k = key_find(section, name);
        if (k == NULL)
            e = unknown_key(l, key, section);
        else if (k->type != KEY_SPECIAL)
            e = read_plain_key(l, k, yamlx_value(n, i), base);
        if (e == ERR_OK)
            warn_if_idle(l, k, yamlx_value(n, i));
    }
    return e;
}

/* A member that has to be there. */
static enum err need_key(struct load *l, const char *section, const struct yamlx_node *n,
                         const char *name, const struct yamlx_node **ret)
{
    *ret = yamlx_get(n, name);
    if (*ret != NULL)
        return ERR_OK;
    const struct key *k = key_find(section, name);
    return yamlx_fail(n, l->why, ERR_CONFIG, "%s: `%s` is missing: %s", section, name, k->help);
}

static enum err need_id(struct load *l, const char *section, const struct yamlx_node *n,
                        const char *name, const char **ret)
{
    const struct yamlx_node *value;
    enum err e = need_key(l, section, n, name, &value);
    if (e == ERR_OK)
        e = text_of(l, value, ret);
    if (e == ERR_OK && !object_id_valid(*ret))
        e = yamlx_fail(value, l->why, ERR_INVALID, "%s.%s: %.64s is no id: %s is needed", section,
                       name, *ret, key_find(section, name)->help);
    return e;
}

/* ------------------------------------------------------------------- secrets */

static enum err read_secret(struct load *l, const struct yamlx_node *n, bool load,
                            struct conf_secret *ret)
{
    static const char *const kinds[] = {
        [SECRET_FILE] = "file", [SECRET_ENV] = "env", [SECRET_CREDENTIAL] = "credential"};
    const char *kind = "";
    if (yamlx_type(n) == YAMLX_MAPPING && yamlx_key(n, 0) != NULL && yamlx_key(n, 1) == NULL)
        yamlx_str(yamlx_key(n, 0), &kind, NULL);
    enum err e = ERR_TYPE;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kind, kinds[i]) != 0)
            continue;
        ret->source.kind = (enum secret_kind)i;
        e = i == SECRET_FILE ? path_of(l, yamlx_value(n, 0), &ret->source.name)
                             : text_of(l, yamlx_value(n, 0), &ret->source.name);
        if (e != ERR_OK)
            return e;
    }
    /* The text of a secret written here would be repeated by an error that quoted it. */
    if (e != ERR_OK)
        return yamlx_fail(n, l->why, e,
                          "a secret is { file: PATH }, { env: NAME } or { credential: NAME }");
    struct why why = {""};
    e = load ? secret_load(&ret->source, &ret->value, &why) : ERR_OK;
    return e == ERR_OK ? e : yamlx_fail(n, l->why, e, "%s", why.text);
}

/* ------------------------------------------------------------------ accounts */

static enum err read_api_key(struct load *l, const struct yamlx_node *n, struct conf_secret *ret)
{
    enum err e = read_secret(l, n, l->need != CONF_NO_API_KEYS, ret);
    if (e == ERR_OK && ret->value != NULL && secret_word(ret->value, "ApiKey ") == NULL)
        e = yamlx_fail(n, l->why, ERR_INVALID,
                       "%s holds no API key: one word is, like SU-123-456-789:..., with or without "
                       "ApiKey before it",
                       ret->source.name);
    return e;
}

/* Does "HOST..." name this machine itself? */
static bool is_loopback(const char *host)
{
    size_t len = strcspn(host, ":/");
    if (host[0] == '[')
        return strncmp(host, "[::1]", 5) == 0 && (host[5] == '\0' || strchr(":/", host[5]) != NULL);
    if (len == strlen("localhost") && strncmp(host, "localhost", len) == 0)
        return true;
    return strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == len;
}

static enum err read_api_url(struct load *l, const struct yamlx_node *n, const char **ret)
{
    const char *url;
    enum err e = yamlx_str(n, &url, l->why);
    if (e != ERR_OK)
        return e;
    bool https = strncmp(url, "https://", 8) == 0, http = strncmp(url, "http://", 7) == 0;
    const char *host = url + (https ? 8 : 7);
    if (!https && !(http && is_loopback(host)))
        return yamlx_fail(n, l->why, ERR_INVALID,
                          "api_url: https://... is needed (http:// to this machine itself only)");
    for (const char *c = url; *c != '\0'; c++)
        if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 0x7f || strchr("@?#\\\"", *c) != NULL)
            return yamlx_fail(n, l->why, ERR_INVALID,
                              "api_url: no user, query, fragment, space or special character");
    size_t len = strlen(url);
    while (len > 0 && url[len - 1] == '/')
        len--;
    char *trimmed = strndup(url, len);
    *ret = trimmed != NULL && *host != '\0' ? keep(l, trimmed) : NULL;
    free(trimmed);
    if (*host == '\0' || *host == '/' || *host == ':')
        return yamlx_fail(n, l->why, ERR_INVALID, "api_url: a host is needed");
    return *ret != NULL ? ERR_OK : why_no_memory(l->why);
}

static enum err read_account(struct load *l, const struct yamlx_node *n, struct conf_account *a)
{
    const struct yamlx_node *url, *api_key;
    set_defaults("accounts", a);
    enum err e = read_section(l, "accounts", n, a);
    if (e == ERR_OK && a->ca_file != NULL)
        e = need_readable(l, yamlx_get(n, "ca_file"), "accounts.ca_file", a->ca_file);
    if (e == ERR_OK)
        e = need_id(l, "accounts", n, "id", &a->id);
    if (e == ERR_OK && side_of_account(a->id, &a->side) != ERR_OK)
        e = yamlx_fail(yamlx_get(n, "id"), l->why, ERR_INVALID,
                       "accounts.id: %s: a vendor's is VA-..., a distributor's PA-...", a->id);
    if (e == ERR_OK && conf_account(l->conf, a->id) != a)
        e = yamlx_fail(yamlx_get(n, "id"), l->why, ERR_DUPLICATE, "accounts.id: %s: given twice",
                       a->id);
    if (e == ERR_OK)
        e = need_key(l, "accounts", n, "api_url", &url);
    if (e == ERR_OK)
        e = read_api_url(l, url, &a->api_url);
    if (e == ERR_OK)
        e = need_key(l, "accounts", n, "api_key", &api_key);
    if (e == ERR_OK)
        e = read_api_key(l, api_key, &a->api_key);
    return e;
}

static enum err count_items(struct load *l, const struct yamlx_node *n, const char *what,
                            size_t max, size_t *ret)
{
    size_t count = 0;
    while (yamlx_item(n, count) != NULL)
        count++;
    if (count == 0)
        return yamlx_fail(n, l->why, ERR_CONFIG, "%s: a list with at least one element is needed",
                          what);
    if (count > max)
        return yamlx_fail(n, l->why, ERR_TOO_BIG, "%s: at most %zu", what, max);
    *ret = count;
    return ERR_OK;
}

static enum err read_accounts(struct load *l, const struct yamlx_node *n)
{
    size_t count = 0;
    enum err e = count_items(l, n, "accounts", CONF_ACCOUNTS_MAX, &count);
    if (e != ERR_OK)
        return e;
    l->conf->accounts = calloc(count, sizeof *l->conf->accounts);
    if (l->conf->accounts == NULL)
        return why_no_memory(l->why);
    for (size_t i = 0; i < count && e == ERR_OK; i++) {
        struct conf_account *a = &l->conf->accounts[l->conf->accounts_count++];
        a->id = ""; /* so that looking for twins finds nothing in an unfinished one */
        e = read_account(l, yamlx_item(n, i), a);
    }
    return e;
}

/* ------------------------------------------------------------------ webhooks */

static enum err read_class_and_type(struct load *l, const struct yamlx_node *n,
                                    struct conf_webhook *w)
{
    const struct yamlx_node *class_node, *type_node = yamlx_get(n, "type");
    const char *class_name = NULL, *type_name = NULL;
    enum err e = need_key(l, "webhooks", n, "object_class", &class_node);
    if (e == ERR_OK)
        e = yamlx_str(class_node, &class_name, l->why);
    if (e == ERR_OK && (w->object_class = object_class_find(class_name)) == NULL)
        return yamlx_fail(class_node, l->why, ERR_INVALID,
                          "webhooks.object_class: %.64s: there are " OBJECT_CLASS_WORDS
                          "or their plurals",
                          class_name);
    w->type = TYPE_EVENT;
    if (e != ERR_OK || type_node == NULL)
        return e;
    e = yamlx_str(type_node, &type_name, l->why);
    if (e != ERR_OK)
        return e;
    if (webhook_type_parse(type_name, &w->type) != ERR_OK)
        return yamlx_fail(type_node, l->why, ERR_INVALID,
                          "webhooks.type: %.64s: not one of Connect's webhook types", type_name);
    if (w->object_class->webhooks[w->type].name == NULL)
        return yamlx_fail(type_node, l->why, ERR_INVALID,
                          "webhooks.type: Connect has no %s webhook for a %s", type_name,
                          w->object_class->name);
    if (w->type != TYPE_EVENT && w->account->side != SIDE_VENDOR)
        return yamlx_fail(type_node, l->why, ERR_INVALID,
                          "webhooks.type: only vendors have validators, and %s is a distributor's "
                          "account",
                          w->account->id);
    return ERR_OK;
}

static enum err read_secrets(struct load *l, const struct yamlx_node *n, struct conf_webhook *w)
{
    const struct yamlx_node *list;
    size_t count = 0;
    enum err e = need_key(l, "webhooks", n, "secrets", &list);
    if (e == ERR_OK)
        e = count_items(l, list, "webhooks.secrets", CONF_SECRETS_MAX, &count);
    for (size_t i = 0; i < count && e == ERR_OK; i++) {
        struct conf_secret *s = &w->secrets[w->secrets_count++];
        e = read_secret(l, yamlx_item(list, i), true, s);
        if (e == ERR_OK && secret_len(s->value) < SECRET_WEAK)
            log_warn("%s:%d: webhook %s: secret %zu has %zu bytes; HS256 wants at least %d",
                     w->file, yamlx_line(yamlx_item(list, i)), w->id, i + 1, secret_len(s->value),
                     SECRET_WEAK);
    }
    return e;
}

static enum err read_policy(struct load *l, const struct yamlx_node *n, struct conf_webhook *w)
{
    const struct yamlx_node *policy = yamlx_get(n, "policy");
    const char *word = "";
    if (policy == NULL)
        return ERR_OK;
    if (yamlx_type(policy) == YAMLX_SCALAR && yamlx_str(policy, &word, NULL) == ERR_OK &&
        strcmp(word, "none") == 0)
        return ERR_OK;
    const struct yamlx_node *rules = yamlx_get(policy, "rules");
    if (rules == NULL || yamlx_key(policy, 1) != NULL)
        return yamlx_fail(policy, l->why, ERR_CONFIG,
                          "webhooks.policy: { rules: PATH } or none is needed (programs and "
                          "services are not in this version)");
    w->policy.kind = CONF_POLICY_RULES;
    enum err e = path_of(l, rules, &w->policy.path);
    return e == ERR_OK ? need_readable(l, rules, "webhooks.policy", w->policy.path) : e;
}

/* A state that this side can do something in. */
static bool is_workable(const struct conf_webhook *w, const char *state)
{
    enum side side = w->account->side;
    for (const struct object_verb *v = w->object_class->verbs; v->name != NULL; v++)
        if (object_verb_allowed(v, side, state))
            return true;
    return state_is_among(w->object_class->pending[side], state);
}

static enum err read_states(struct load *l, const struct yamlx_node *n, struct conf_webhook *w)
{
    const struct yamlx_node *list = yamlx_get(n, "states");
    size_t count = 0;
    if (list == NULL) {
        const char *const *pending = w->object_class->pending[w->account->side];
        for (; count < CONF_STATES_MAX && pending[count] != NULL; count++)
            w->states[count] = pending[count];
        if (count == 0 && w->object_class->state != NULL && w->type == TYPE_EVENT)
            log_warn("%s:%d: webhook %s: nothing of a %s is pending for a %s, so nothing will be "
                     "done (is it the other side's account, or are `states` missing?)",
                     w->file, w->line, w->id, w->object_class->name, side_name(w->account->side));
        return ERR_OK;
    }
    if (w->type != TYPE_EVENT)
        return yamlx_fail(list, l->why, ERR_CONFIG,
                          "webhooks.states: a %s is asked about forms, and works off no queue",
                          webhook_type_name(w->type));
    enum err e = count_items(l, list, "webhooks.states", CONF_STATES_MAX, &count);
    for (size_t i = 0; i < count && e == ERR_OK; i++) {
        e = text_of(l, yamlx_item(list, i), &w->states[i]);
        if (e == ERR_OK && !is_workable(w, w->states[i]))
            e = yamlx_fail(yamlx_item(list, i), l->why, ERR_INVALID,
                           "webhooks.states: %.64s: a %s can do nothing with a %s in this state",
                           w->states[i], side_name(w->account->side), w->object_class->name);
    }
    return e;
}

static enum err read_since(struct load *l, const struct yamlx_node *n, struct conf_webhook *w)
{
    const struct yamlx_node *since = yamlx_get(n, "since");
    const char *text = NULL;
    int64_t us;
    w->since_us = CLK_UNKNOWN;
    if (since == NULL)
        return ERR_OK;
    if (w->object_class->state != NULL)
        return yamlx_fail(since, l->why, ERR_CONFIG,
                          "webhooks.since: is for objects without a state; a %s has one",
                          w->object_class->name);
    enum err e = yamlx_str(since, &text, l->why);
    if (e != ERR_OK)
        return e;
    if (clk_parse_iso(text, strlen(text), &us) != ERR_OK || us < 0)
        return yamlx_fail(since, l->why, ERR_INVALID,
                          "webhooks.since: %.64s: a time like 2026-11-01T00:00:00Z is needed",
                          text);
    w->since_us = clk_second(us) * CLK_S_US;
    return ERR_OK;
}

/* Against the webhooks read before it. */
static enum err check_twins(struct load *l, const struct yamlx_node *n,
                            const struct conf_webhook *w)
{
    for (const struct conf_webhook *other = l->conf->webhooks; other < w; other++) {
        if (strcmp(other->id, w->id) == 0)
            return yamlx_fail(n, l->why, ERR_DUPLICATE,
                              "webhooks.id: %s: given twice, first at %s:%d", w->id, other->file,
                              other->line);
        if (!conf_same_queue(w, other))
            continue;
        if (!conf_same_policy(&w->policy, &other->policy))
            return yamlx_fail(n, l->why, ERR_CONFIG,
                              "webhooks.policy: %s and %s (%s:%d) watch the same queue: they must "
                              "name the same policy",
                              w->id, other->id, other->file, other->line);
        if (w->since_us != other->since_us)
            return yamlx_fail(n, l->why, ERR_CONFIG,
                              "webhooks.since: %s and %s (%s:%d) watch the same queue: they must "
                              "begin with the same time",
                              w->id, other->id, other->file, other->line);
    }
    return ERR_OK;
}

static enum err read_webhook(struct load *l, const struct yamlx_node *n, struct conf_webhook *w)
{
    const char *account = NULL;
    enum err e = read_section(l, "webhooks", n, w);
    w->file = keep(l, l->file);
    w->line = yamlx_line(n);
    if (e == ERR_OK)
        e = need_id(l, "webhooks", n, "id", &w->id);
    if (e == ERR_OK)
        e = need_id(l, "webhooks", n, "account", &account);
    if (e == ERR_OK && (w->account = conf_account(l->conf, account)) == NULL)
        e = yamlx_fail(yamlx_get(n, "account"), l->why, ERR_CONFIG,
                       "webhooks.account: %s: is not in accounts", account);
    if (e == ERR_OK)
        e = need_id(l, "webhooks", n, "product", &w->product);
    if (e == ERR_OK)
        e = read_class_and_type(l, n, w);
    if (e == ERR_OK)
        e = read_secrets(l, n, w);
    if (e == ERR_OK)
        e = read_policy(l, n, w);
    if (e == ERR_OK)
        e = read_states(l, n, w);
    if (e == ERR_OK)
        e = read_since(l, n, w);
    return e == ERR_OK ? check_twins(l, n, w) : e;
}

static enum err add_webhook(struct load *l, const struct yamlx_node *n)
{
    struct conf *c = l->conf;
    if (c->webhooks_count == CONF_WEBHOOKS_MAX)
        return yamlx_fail(n, l->why, ERR_TOO_BIG, "webhooks: at most %d", CONF_WEBHOOKS_MAX);
    struct conf_webhook *all = realloc(c->webhooks, (c->webhooks_count + 1) * sizeof *all);
    if (all == NULL)
        return why_no_memory(l->why);
    c->webhooks = all;
    all[c->webhooks_count] = (struct conf_webhook){.id = ""};
    return read_webhook(l, n, &all[c->webhooks_count++]);
}

/* One webhook, or a list of them. */
static enum err add_webhooks(struct load *l, const struct yamlx_node *n)
{
    if (yamlx_type(n) != YAMLX_SEQUENCE)
        return add_webhook(l, n);
    enum err e = ERR_OK;
    const struct yamlx_node *item;
    for (size_t i = 0; e == ERR_OK && (item = yamlx_item(n, i)) != NULL; i++)
        e = add_webhook(l, item);
    return e;
}

static enum err read_fragment(struct load *l, const char *path)
{
    struct yamlx *y = NULL;
    const char *outer = l->file;
    enum err e = yamlx_load(path, &y, l->why);
    if (e != ERR_OK)
        return e;
    l->file = path;
    if (yamlx_root(y) != NULL)
        e = add_webhooks(l, yamlx_root(y));
    l->file = outer;
    yamlx_free(y);
    return e;
}

/* For glob(): a folder that is not there has no files; one that cannot be read may have some. */
static int is_fatal(const char *path, int error)
{
    (void)path;
    return error != ENOENT;
}

/* `n` is NULL where the file says nothing. Only the default may find nothing: more is a slip. */
static enum err read_include(struct load *l, const struct yamlx_node *n)
{
    const char *text = CONF_INCLUDE, *pattern = NULL;
    enum err e = n != NULL ? yamlx_str(n, &text, l->why) : ERR_OK;
    if (e != ERR_OK || strcmp(text, "none") == 0)
        return e;
    e = n != NULL ? path_of(l, n, &pattern) : absolute(l, text, &pattern);
    if (e != ERR_OK)
        return e;
    glob_t found = {0};
    int failed = glob(pattern, 0, is_fatal, &found);
    if (failed == GLOB_NOMATCH && n != NULL && strcmp(text, CONF_INCLUDE) != 0)
        e = yamlx_fail(n, l->why, ERR_NOT_FOUND, "include: no file is %s", pattern);
    else if (failed != 0 && failed != GLOB_NOMATCH)
        e = n != NULL ? yamlx_fail(n, l->why, ERR_IO, "include: %s cannot be read", pattern)
                      : why_set(l->why, ERR_IO, "%s: include: %s cannot be read", l->file, pattern);
    for (size_t i = 0; i < found.gl_pathc && e == ERR_OK; i++)
        e = read_fragment(l, found.gl_pathv[i]);
    globfree(&found);
    return e;
}

/* ---------------------------------------------------------------- the whole */

static bool is_among(const char *const *names, const char *name)
{
    while (*names != NULL && strcmp(*names, name) != 0)
        names++;
    return *names != NULL;
}

static enum err read_top(struct load *l, const struct yamlx_node *root)
{
    static const char *const others[] = {"accounts", "webhooks", "include", NULL};
    const struct yamlx_node *key;
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && (key = yamlx_key(root, i)) != NULL; i++) {
        const char *name = "";
        e = yamlx_str(key, &name, l->why);
        if (e == ERR_OK && is_among(conf_sections, name))
            e = read_section(l, name, yamlx_value(root, i), l->conf);
        else if (e == ERR_OK && !is_among(others, name))
            e = yamlx_fail(key, l->why, ERR_CONFIG,
                           "%.64s: unknown key; there are log, accounts, inbox, processing, web, "
                           "include, webhooks",
                           name);
    }
    return e;
}

/* What will be made in a folder that is not there is missed now. A default may be the system's to
 * make: systemd's StateDirectory, for instance. */
static enum err need_folder(struct load *l, const struct yamlx_node *root, const char *section,
                            const char *name, const char *path)
{
    const struct yamlx_node *group = yamlx_get(root, section);
    const struct yamlx_node *n = group != NULL ? yamlx_get(group, name) : NULL;
    char folder[PATH_LEN_MAX];
    struct stat st;
    if (n == NULL || path[0] != '/' || l->need != CONF_CHECK ||
        is_default(key_find(section, name), n))
        return ERR_OK;
    int len = snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path) + 1, path);
    if (len >= (int)sizeof folder)
        return yamlx_fail(n, l->why, ERR_TOO_BIG, "%s.%s: a path has at most %d bytes", section,
                          name, PATH_LEN_MAX - 1);
    if (stat(folder, &st) != 0)
        return yamlx_fail(n, l->why, ERR_IO, "%s.%s: %s: %s: make its folder first", section, name,
                          path, strerror(errno));
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return yamlx_fail(n, l->why, ERR_IO, "%s.%s: %s is a folder", section, name, path);
    return ERR_OK;
}

static enum err cross_check(struct load *l, const struct yamlx_node *root)
{
    const struct conf *c = l->conf;
    enum err e = need_folder(l, root, "log", "file", c->log.file);
    if (e == ERR_OK)
        e = need_folder(l, root, "inbox", "url", strchr(c->inbox.url, ':') + 1);
    if (e != ERR_OK)
        return e;
    if (c->processing.backoff_min_ms > c->processing.backoff_max_ms) {
        const struct yamlx_node *processing = yamlx_get(root, "processing");
        const struct yamlx_node *max = yamlx_get(processing, "backoff_max");
        return yamlx_fail(max != NULL ? max : yamlx_get(processing, "backoff_min"), l->why,
                          ERR_CONFIG,
                          "processing.backoff_min is longer than processing.backoff_max");
    }
    if (c->webhooks_count == 0)
        return yamlx_fail(root, l->why, ERR_CONFIG,
                          "webhooks: at least one is needed, here or in a file of `include`");
    return ERR_OK;
}

static enum err read_root(struct load *l, const struct yamlx_node *root)
{
    const struct yamlx_node *accounts, *n;
    enum err e = need_mapping(l, root, "configuration");
    if (e == ERR_OK)
        e = read_top(l, root);
    if (e != ERR_OK)
        return e;
    if ((accounts = yamlx_get(root, "accounts")) == NULL)
        return yamlx_fail(root, l->why, ERR_CONFIG, "accounts: at least one is needed");
    e = read_accounts(l, accounts);
    if (e == ERR_OK && (n = yamlx_get(root, "webhooks")) != NULL)
        e = yamlx_type(n) == YAMLX_SEQUENCE
                ? add_webhooks(l, n)
                : yamlx_fail(n, l->why, ERR_TYPE, "webhooks: a list is needed");
    if (e == ERR_OK)
        e = read_include(l, yamlx_get(root, "include"));
    return e == ERR_OK ? cross_check(l, root) : e;
}

enum err conf_load(const char *path, enum conf_need need, struct conf **ret, struct why *why)
{
    struct yamlx *y = NULL;
    enum err e = yamlx_load(path, &y, why);
    if (e != ERR_OK)
        return e;
    struct conf_owner *owner = conf_owner_new();
    if (owner == NULL) {
        yamlx_free(y);
        return why_no_memory(why);
    }
    struct load l = {.owner = owner, .conf = &owner->conf, .file = path, .need = need, .why = why};
    for (const char *const *name = conf_sections; *name != NULL; name++)
        set_defaults(*name, l.conf);
    if (yamlx_root(y) == NULL)
        e = why_set(why, ERR_CONFIG, "%s:1:1: the file is empty", path);
    else
        e = read_root(&l, yamlx_root(y));
    yamlx_free(y);
    if (e != ERR_OK) {
        conf_unref(l.conf);
        return e;
    }
    *ret = l.conf;
    return ERR_OK;
}
