/* conf_policy.c - what decides for a webhook. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/keys.h"
#include "conf/load.h"

#define SECTION  "webhooks.policy"
#define ARGS_LEN (64 * 1024) /* bytes of a program's arguments together, with their NULs */

/* A list of texts, kept and NULL-terminated; `ret` has room for `max` and the NULL. */
static enum err read_texts(struct load *l, const struct yamlx_node *n, const char *key, size_t max,
                           const char **ret)
{
    size_t count = 0;
    enum err e = load_count(l, n, key, max, &count);
    for (size_t i = 0; e == ERR_OK && i < count; i++)
        e = load_text(l, yamlx_item(n, i), &ret[i]);
    return e;
}

/* A whole command line in one text is the slip of those who are used to a shell. */
static enum err read_program(struct load *l, const struct yamlx_node *n, const char **ret)
{
    enum err e = load_path(l, n, ret);
    struct stat st;
    if (e == ERR_OK)
        e = load_need_access(l, n, SECTION ".exec", *ret, X_OK);
    if (e == ERR_OK && (stat(*ret, &st) != 0 || !S_ISREG(st.st_mode)))
        e = yamlx_fail(n, l->why, ERR_IO, SECTION ".exec: %s is no program", *ret);
    return e;
}

static enum err read_exec(struct load *l, const struct yamlx_node *n, struct conf_policy *p)
{
    size_t len = 0;
    if (yamlx_type(n) != YAMLX_SEQUENCE)
        return yamlx_fail(n, l->why, ERR_TYPE,
                          SECTION ".exec: a list is needed, [PROGRAM, ARGUMENT, ...]: no shell "
                                  "takes a line apart");
    enum err e = read_texts(l, n, SECTION ".exec", CONF_ARGS_MAX, p->argv);
    if (e == ERR_OK)
        e = read_program(l, yamlx_item(n, 0), &p->argv[0]);
    for (size_t i = 0; e == ERR_OK && p->argv[i] != NULL; i++)
        len += strlen(p->argv[i]) + 1;
    if (len > ARGS_LEN)
        return yamlx_fail(n, l->why, ERR_TOO_BIG, SECTION ".exec: at most %d bytes", ARGS_LEN);
    return e;
}

/* NAME, as programs can have it. Of a CGI call the web server makes HTTP_... of what the caller
 * sends, whoever that is. */
static enum err check_variable(struct load *l, const struct yamlx_node *n, const char *name)
{
    if (name[0] == '\0' || strchr(name, '=') != NULL)
        return yamlx_fail(n, l->why, ERR_INVALID,
                          SECTION ".env: names of variables are needed, without values");
    if (strncmp(name, "HTTP_", 5) == 0)
        return yamlx_fail(
            n, l->why, ERR_INVALID,
            SECTION ".env: %.64s: a web server sets HTTP_... to what its callers send", name);
    return ERR_OK;
}

static enum err read_env(struct load *l, const struct yamlx_node *n, struct conf_policy *p)
{
    enum err e = read_texts(l, n, SECTION ".env", CONF_ENV_MAX, p->env);
    for (size_t i = 0; e == ERR_OK && p->env[i] != NULL; i++)
        e = check_variable(l, yamlx_item(n, i), p->env[i]);
    return e;
}

static enum err read_cwd(struct load *l, const struct yamlx_node *n, struct conf_policy *p)
{
    struct stat st;
    enum err e = load_path(l, n, &p->cwd);
    if (e == ERR_OK && (stat(p->cwd, &st) != 0 || !S_ISDIR(st.st_mode)))
        e = yamlx_fail(n, l->why, ERR_IO, SECTION ".cwd: %s is no folder", p->cwd);
    return e;
}

/* What is there but for the program itself. */
static enum err read_terms(struct load *l, const struct yamlx_node *n, struct conf_policy *p)
{
    const struct yamlx_node *env = yamlx_get(n, "env"), *cwd = yamlx_get(n, "cwd");
    const struct yamlx_node *sessions = yamlx_get(n, "sessions");
    p->cwd = "/";
    load_defaults(SECTION, p);
    enum err e = load_section(l, SECTION, n, p);
    if (e == ERR_OK && env != NULL)
        e = read_env(l, env, p);
    if (e == ERR_OK && cwd != NULL)
        e = read_cwd(l, cwd, p);
    if (e == ERR_OK && sessions != NULL && !p->session)
        e = yamlx_fail(sessions, l->why, ERR_CONFIG,
                       SECTION ".sessions: is for `session: true` only");
    return e;
}

static enum err read_rules(struct load *l, const struct yamlx_node *n,
                           const struct yamlx_node *rules, struct conf_policy *p)
{
    if (yamlx_key(n, 1) != NULL)
        return yamlx_fail(n, l->why, ERR_CONFIG, SECTION ": beside `rules` there is nothing");
    p->kind = CONF_POLICY_RULES;
    enum err e = load_path(l, rules, &p->path);
    return e == ERR_OK ? load_need_access(l, rules, SECTION, p->path, R_OK) : e;
}

enum err load_policy(struct load *l, const struct yamlx_node *n, struct conf_policy *ret)
{
    const char *word = "";
    if (n == NULL)
        return ERR_OK;
    if (yamlx_type(n) == YAMLX_SCALAR && yamlx_str(n, &word, NULL) == ERR_OK &&
        strcmp(word, "none") == 0)
        return ERR_OK;
    const struct yamlx_node *rules = yamlx_get(n, "rules"), *exec = yamlx_get(n, "exec");
    if (rules != NULL)
        return read_rules(l, n, rules, ret);
    if (exec == NULL)
        return yamlx_fail(n, l->why, ERR_CONFIG,
                          SECTION ": { rules: PATH }, { exec: [PROGRAM, ...] } or none is needed "
                                  "(services are not in this version)");
    ret->kind = CONF_POLICY_EXEC;
    enum err e = read_terms(l, n, ret);
    return e == ERR_OK ? read_exec(l, exec, ret) : e;
}
