/* load.c - what reading any part of a configuration needs. */
#include "conf/load.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "conf/keys.h"
#include "conf/owner.h"

/* ------------------------------------------------------------------- helpers */

const char *load_keep(struct load *l, const char *text)
{
    return conf_keep(l->owner, text);
}

enum err load_text(struct load *l, const struct yamlx_node *n, const char **ret)
{
    const char *text;
    enum err e = yamlx_str(n, &text, l->why);
    if (e == ERR_OK && (*ret = load_keep(l, text)) == NULL)
        e = why_no_memory(l->why);
    return e;
}

enum err load_absolute(struct load *l, const char *text, const char **ret)
{
    const char *slash = strrchr(l->file, '/');
    int folder = text[0] == '/' || slash == NULL ? 0 : (int)(slash - l->file) + 1;
    char path[LOAD_PATH_MAX], here[LOAD_PATH_MAX] = "";
    bool from_here = text[0] != '/' && l->file[0] != '/';
    if (from_here && getcwd(here, sizeof here) == NULL)
        return ERR_IO;
    int len = snprintf(path, sizeof path, "%s%s%.*s%s", here, from_here ? "/" : "", folder, l->file,
                       text);
    if (len < 0 || (size_t)len >= sizeof path)
        return ERR_TOO_BIG;
    *ret = load_keep(l, path);
    return *ret != NULL ? ERR_OK : why_no_memory(l->why);
}

enum err load_path(struct load *l, const struct yamlx_node *n, const char **ret)
{
    const char *text;
    enum err e = yamlx_str(n, &text, l->why);
    if (e != ERR_OK)
        return e;
    if (*text == '\0')
        return yamlx_fail(n, l->why, ERR_INVALID, "a path is needed");
    e = load_absolute(l, text, ret);
    if (e == ERR_TOO_BIG)
        return yamlx_fail(n, l->why, e, "a path has at most %d bytes", LOAD_PATH_MAX - 1);
    return e == ERR_OK ? e : yamlx_fail(n, l->why, e, "%s", err_text(e));
}

enum err load_need_access(struct load *l, const struct yamlx_node *n, const char *key,
                          const char *path, int mode)
{
    if (l->need == CONF_TO_LOOK || access(path, mode) == 0)
        return ERR_OK;
    return yamlx_fail(n, l->why, ERR_IO, "%s: %s: %s", key, path, strerror(errno));
}

enum err load_need_mapping(struct load *l, const struct yamlx_node *n, const char *what)
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
    enum err e = load_text(l, n, &text);
    if (e != ERR_OK)
        return e;
    e = key_read(k, text, base, &why);
    if (e != ERR_OK)
        yamlx_fail(n, l->why, e, "%s.%s: %s", k->section, k->name, why.text);
    return e;
}

void load_defaults(const char *section, void *base)
{
    for (const struct key *k = conf_keys; k->name != NULL; k++)
        if (strcmp(k->section, section) == 0 && k->type != KEY_SPECIAL)
            key_read(k, k->otherwise, base, NULL);
}

bool load_is_default(const struct key *k, const struct yamlx_node *value)
{
    const char *text;
    return k->otherwise != NULL && yamlx_str(value, &text, NULL) == ERR_OK &&
           strcmp(text, k->otherwise) == 0;
}

bool load_is_to_run(const struct load *l)
{
    return l->need == CONF_CHECK || l->need == CONF_TO_WORK || l->need == CONF_FOR_CGI ||
           l->need == CONF_FOR_FCGI;
}

enum err load_section(struct load *l, const char *section, const struct yamlx_node *n, void *base)
{
    enum err e = load_need_mapping(l, n, section);
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
    }
    return e;
}

enum err load_need_key(struct load *l, const char *section, const struct yamlx_node *n,
                       const char *name, const struct yamlx_node **ret)
{
    *ret = yamlx_get(n, name);
    if (*ret != NULL)
        return ERR_OK;
    const struct key *k = key_find(section, name);
    return yamlx_fail(n, l->why, ERR_CONFIG, "%s: `%s` is missing: %s", section, name, k->help);
}

enum err load_need_id(struct load *l, const char *section, const struct yamlx_node *n,
                      const char *name, const char **ret)
{
    const struct yamlx_node *value;
    enum err e = load_need_key(l, section, n, name, &value);
    if (e == ERR_OK)
        e = load_text(l, value, ret);
    if (e == ERR_OK && !object_id_valid(*ret))
        e = yamlx_fail(value, l->why, ERR_INVALID, "%s.%s: %.64s is no id: %s is needed", section,
                       name, *ret, key_find(section, name)->help);
    return e;
}

enum err load_count(struct load *l, const struct yamlx_node *n, const char *what, size_t max,
                    size_t *ret)
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

/* ------------------------------------------------------------------- secrets */

enum err load_secret(struct load *l, const struct yamlx_node *n, bool load, struct conf_secret *ret)
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
        e = i == SECRET_FILE ? load_path(l, yamlx_value(n, 0), &ret->source.name)
                             : load_text(l, yamlx_value(n, 0), &ret->source.name);
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
