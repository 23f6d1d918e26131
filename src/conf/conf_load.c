/* conf_load.c - from YAML files to a checked snapshot. */
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/keys.h"
#include "conf/load.h"
#include "conf/owner.h"

/* ------------------------------------------------------------------ accounts */

/* `processing` has been read before. */
static bool needs_api_keys(const struct load *l)
{
    const struct conf *c = l->conf;
    switch (l->need) {
    case CONF_CHECK:
    case CONF_TO_WORK:
        return true;
    case CONF_FOR_CGI:
        return !conf_queues(c, true);
    case CONF_FOR_FCGI:
        return !conf_queues(c, false) || c->processing.workers > 0;
    default:
        return false;
    }
}

static enum err read_api_key(struct load *l, const struct yamlx_node *n, struct conf_secret *ret)
{
    enum err e = load_secret(l, n, needs_api_keys(l), ret);
    if (e == ERR_OK && l->need == CONF_API_KEYS_AT_HAND &&
        secret_load(&ret->source, &ret->value, NULL) != ERR_OK)
        return ERR_OK;
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
    *ret = trimmed != NULL && *host != '\0' ? load_keep(l, trimmed) : NULL;
    free(trimmed);
    if (*host == '\0' || *host == '/' || *host == ':')
        return yamlx_fail(n, l->why, ERR_INVALID, "api_url: a host is needed");
    return *ret != NULL ? ERR_OK : why_no_memory(l->why);
}

static enum err read_account(struct load *l, const struct yamlx_node *n, struct conf_account *a)
{
    const struct yamlx_node *url, *api_key;
    load_defaults("accounts", a);
    enum err e = load_section(l, "accounts", n, a);
    if (e == ERR_OK && a->ca_file != NULL)
        e = load_need_access(l, yamlx_get(n, "ca_file"), "accounts.ca_file", a->ca_file, R_OK);
    if (e == ERR_OK)
        e = load_need_id(l, "accounts", n, "id", &a->id);
    if (e == ERR_OK && side_of_account(a->id, &a->side) != ERR_OK)
        e = yamlx_fail(yamlx_get(n, "id"), l->why, ERR_INVALID,
                       "accounts.id: %s: a vendor's is VA-..., a distributor's PA-...", a->id);
    if (e == ERR_OK && conf_account(l->conf, a->id) != a)
        e = yamlx_fail(yamlx_get(n, "id"), l->why, ERR_DUPLICATE, "accounts.id: %s: given twice",
                       a->id);
    if (e == ERR_OK)
        e = load_need_key(l, "accounts", n, "api_url", &url);
    if (e == ERR_OK)
        e = read_api_url(l, url, &a->api_url);
    if (e == ERR_OK)
        e = load_need_key(l, "accounts", n, "api_key", &api_key);
    if (e == ERR_OK)
        e = read_api_key(l, api_key, &a->api_key);
    return e;
}

static enum err read_accounts(struct load *l, const struct yamlx_node *n)
{
    size_t count = 0;
    enum err e = load_count(l, n, "accounts", CONF_ACCOUNTS_MAX, &count);
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

/* ------------------------------------------------------------------- include */

static enum err read_fragment(struct load *l, const char *path)
{
    struct yamlx *y = NULL;
    const char *outer = l->file;
    enum err e = yamlx_load(path, &y, l->why);
    if (e != ERR_OK)
        return e;
    l->file = path;
    if (yamlx_root(y) != NULL)
        e = load_webhooks(l, yamlx_root(y));
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
    e = n != NULL ? load_path(l, n, &pattern) : load_absolute(l, text, &pattern);
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
            e = load_section(l, name, yamlx_value(root, i), l->conf);
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
    char folder[LOAD_PATH_MAX];
    struct stat st;
    if (n == NULL || path[0] != '/' || !load_is_to_run(l) ||
        load_is_default(key_find(section, name), n))
        return ERR_OK;
    int len = snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path) + 1, path);
    if (len >= (int)sizeof folder)
        return yamlx_fail(n, l->why, ERR_TOO_BIG, "%s.%s: a path has at most %d bytes", section,
                          name, LOAD_PATH_MAX - 1);
    if (stat(folder, &st) != 0)
        return yamlx_fail(n, l->why, ERR_IO, "%s.%s: %s: %s: make its folder first", section, name,
                          path, strerror(errno));
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return yamlx_fail(n, l->why, ERR_IO, "%s.%s: %s is a folder", section, name, path);
    return ERR_OK;
}

static bool is_variable(const struct conf_secret *s, const char *name)
{
    return s->source.kind == SECRET_ENV && strcmp(s->source.name, name) == 0;
}

/* Is there a secret of ours in this variable? */
static bool is_secret(const struct conf *c, const char *name)
{
    for (size_t i = 0; i < c->accounts_count; i++)
        if (is_variable(&c->accounts[i].api_key, name))
            return true;
    for (size_t i = 0; i < c->webhooks_count; i++)
        for (size_t n = 0; n < c->webhooks[i].secrets_count; n++)
            if (is_variable(&c->webhooks[i].secrets[n], name))
                return true;
    return false;
}

/* No program holds a secret of ours, whichever part of the configuration says where it is. */
static enum err check_variables(struct load *l)
{
    for (size_t i = 0; i < l->conf->webhooks_count; i++) {
        const struct conf_webhook *w = &l->conf->webhooks[i];
        for (const char *const *name = w->policy.env; *name != NULL; name++)
            if (is_secret(l->conf, *name))
                return why_set(l->why, ERR_CONFIG,
                               "%s:%d: webhooks.policy.env: %s holds a secret of ours: no program "
                               "gets one (a session may have us read Connect)",
                               w->file, w->line, *name);
    }
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
    return check_variables(l);
}

static enum err read_root(struct load *l, const struct yamlx_node *root)
{
    const struct yamlx_node *accounts, *n;
    enum err e = load_need_mapping(l, root, "configuration");
    if (e == ERR_OK)
        e = read_top(l, root);
    if (e != ERR_OK)
        return e;
    if ((accounts = yamlx_get(root, "accounts")) == NULL)
        return yamlx_fail(root, l->why, ERR_CONFIG, "accounts: at least one is needed");
    e = read_accounts(l, accounts);
    if (e == ERR_OK && (n = yamlx_get(root, "webhooks")) != NULL)
        e = yamlx_type(n) == YAMLX_SEQUENCE
                ? load_webhooks(l, n)
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
    owner->conf.has_secrets = need != CONF_TO_LOOK && need != CONF_TO_WORK;
    for (const char *const *name = conf_sections; *name != NULL; name++)
        load_defaults(*name, l.conf);
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
