/* rules.c - a policy written as a YAML list of rules: first match wins. */
#include "policy/rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/jsonx.h"
#include "base/rql.h"
#include "base/yamlx.h"
#include "policy/form.h"
#include "policy/quote.h"

/* Of `then` and `form` it has one. */
struct rule {
    struct rql *when;         /* NULL: always */
    struct json_object *then; /* a decision as written, quotes unresolved */
    struct form *form;
    int line;
};

struct rules {
    struct policy head;
    char *name; /* the file's, without folders */
    struct rule *rules;
    size_t count;
    uint8_t text_sha256[YAMLX_SHA256_LEN];
};

static void rules_free(struct policy *p)
{
    struct rules *r = (struct rules *)p;
    for (size_t i = 0; i < r->count; i++) {
        rql_free(r->rules[i].when);
        json_object_put(r->rules[i].then);
        form_free(r->rules[i].form);
    }
    free(r->rules);
    free(r->name);
    free(r);
}

/* ------------------------------------------------------------------------- asking */

/* No rule matches. */
static enum err answer_nothing(const struct rules *r, const struct policy_question *q,
                               struct json_object **ret_answer, struct why *why)
{
    char text[256];
    *ret_answer = NULL;
    if (q->kind == POLICY_VALIDATE)
        return ERR_OK;
    snprintf(text, sizeof text, "no rule of %.200s matches", r->name);
    return policy_skip(text, ret_answer) == ERR_OK ? ERR_OK : why_no_memory(why);
}

static enum err answer(const struct rules *r, const struct policy_question *q,
                       const struct rql_var *vars, struct json_object **ret_answer,
                       char ret_rule[DECISION_RULE_MAX], struct why *why)
{
    const struct quote_source from = {q->object, vars, .has_gaps = false};
    for (size_t i = 0; i < r->count; i++) {
        const struct rule *rule = &r->rules[i];
        bool holds = true;
        if (rule->when != NULL && rql_match(rule->when, q->object, vars, &holds) != ERR_OK)
            return why_no_memory(why);
        if (!holds)
            continue;
        char place[DECISION_RULE_MAX] = "";
        snprintf(place, sizeof place, "%.100s:%d", r->name, rule->line);
        enum err e = rule->form != NULL ? form_answer(rule->form, q, vars, ret_answer, why)
                                        : quote_expand(rule->then, &from, ret_answer, why);
        if (e != ERR_OK)
            return why_prefix(why, e, "%s", place);
        memcpy(ret_rule, place, sizeof place);
        return ERR_OK;
    }
    ret_rule[0] = '\0';
    return answer_nothing(r, q, ret_answer, why);
}

/* The rules read what a program would be asked. */
static enum err rules_ask(struct policy *p, const struct policy_question *q,
                          struct json_object **ret_answer, char ret_rule[DECISION_RULE_MAX],
                          struct why *why)
{
    struct json_object *question;
    if (policy_question_json(q, 0, &question) != ERR_OK)
        return why_no_memory(why);
    const struct rql_var vars[] = {{"event", jsonx_get(question, "event")},
                                   {"webhook", jsonx_get(question, "webhook")},
                                   {"attempt", jsonx_get(question, "attempt")},
                                   {NULL, NULL}};
    enum err e = answer((const struct rules *)p, q, vars, ret_answer, ret_rule, why);
    json_object_put(question);
    return e;
}

/* ------------------------------------------------------------------------ loading */

/* Keep the first path that is none of ours. */
static bool check_path(void *ctx, const char *path)
{
    const char **unknown = ctx;
    if (quote_path_known(path))
        return true;
    *unknown = path;
    return false;
}

static enum err load_when(const struct yamlx_node *n, struct rql **ret, struct why *why)
{
    const char *text;
    struct why inner = {""};
    struct rql *q;
    enum err e = yamlx_str(n, &text, why);
    if (e != ERR_OK)
        return e;
    if (text[strspn(text, " \t\r\n")] == '\0')
        return yamlx_fail(n, why, ERR_CONFIG,
                          "an empty `when`: leave the key out for a rule that always matches");
    e = rql_parse(text, strlen(text), &q, &inner);
    if (e != ERR_OK)
        return yamlx_fail(n, why, ERR_CONFIG, "`when`: %s", inner.text);

    const char *unknown = NULL;
    rql_each_path(q, check_path, &unknown);
    if (unknown != NULL)
        e = yamlx_fail(n, why, ERR_CONFIG, "`when`: unknown %.64s; there are " QUOTE_VARS, unknown);
    else if (rql_limit(q, -1) >= 0 || rql_offset(q, -1) >= 0 || rql_ordering(q, 0) != NULL ||
             rql_select(q, 0) != NULL)
        e = yamlx_fail(n, why, ERR_CONFIG,
                       "`when`: limit, offset, ordering and select have no meaning in a rule");
    if (e != ERR_OK)
        rql_free(q);
    else
        *ret = q;
    return e;
}

static enum err load_then(const struct yamlx_node *n, const struct object_class *c,
                          struct json_object **ret, struct why *why)
{
    struct json_object *then;
    struct why inner = {""};
    enum err e = yamlx_json(n, &then, why);
    if (e != ERR_OK)
        return e;
    e = decision_check_draft(then, c, &inner);
    if (e == ERR_OK)
        e = quote_check(then, &inner);
    if (e != ERR_OK) {
        json_object_put(then);
        return yamlx_fail(n, why, ERR_CONFIG, "`then`: %s", inner.text);
    }
    *ret = then;
    return ERR_OK;
}

/* Fills `ret` as far as it gets: rules_free() frees that, too. */
static enum err load_rule(const struct yamlx_node *n, enum policy_kind kind,
                          const struct object_class *c, struct rule *ret, struct why *why)
{
    if (yamlx_type(n) != YAMLX_MAPPING)
        return yamlx_fail(n, why, ERR_CONFIG, "a rule is `when: ...` and `then: {...}`");
    const struct yamlx_node *key, *then = NULL;
    ret->line = yamlx_line(n);
    for (size_t i = 0; (key = yamlx_key(n, i)) != NULL; i++) {
        const char *name;
        enum err e = yamlx_str(key, &name, why);
        if (e != ERR_OK)
            return e;
        if (strcmp(name, "then") == 0)
            then = yamlx_value(n, i);
        else if (strcmp(name, "when") == 0)
            e = load_when(yamlx_value(n, i), &ret->when, why);
        else
            e = yamlx_fail(key, why, ERR_CONFIG, "unknown key %.64s: a rule has `when` and `then`",
                           name);
        if (e != ERR_OK)
            return e;
    }
    if (then == NULL)
        return yamlx_fail(n, why, ERR_CONFIG, "a rule needs `then`");
    return kind == POLICY_VALIDATE ? form_load(then, &ret->form, why)
                                   : load_then(then, c, &ret->then, why);
}

static enum err load_list(const struct yamlx_node *root, enum policy_kind kind,
                          const struct object_class *c, struct rules *r, struct why *why)
{
    if (yamlx_type(root) != YAMLX_SEQUENCE)
        return yamlx_fail(root, why, ERR_CONFIG, "a file of rules is a list: - when: ...");
    size_t n = 0;
    while (yamlx_item(root, n) != NULL)
        n++;
    if (n == 0 || n > RULES_MAX)
        return yamlx_fail(root, why, ERR_CONFIG, "a file has from 1 to %d rules", RULES_MAX);
    r->rules = calloc(n, sizeof *r->rules);
    if (r->rules == NULL)
        return why_no_memory(why);
    for (size_t i = 0; i < n; i++) {
        const struct yamlx_node *item = yamlx_item(root, i);
        if (i > 0 && r->rules[i - 1].when == NULL)
            return yamlx_fail(item, why, ERR_CONFIG,
                              "never reached: the rule in line %d has no `when` and always matches",
                              r->rules[i - 1].line);
        r->count = i + 1;
        enum err e = load_rule(item, kind, c, &r->rules[i], why);
        if (e != ERR_OK)
            return e;
    }
    return ERR_OK;
}

static enum err rules_note(const struct policy *p, struct buf *b)
{
    const struct rules *r = (const struct rules *)p;
    return buf_add(b, r->text_sha256, sizeof r->text_sha256);
}

enum err rules_load(const char *path, enum policy_kind kind, const struct object_class *c,
                    struct policy **ret, struct why *why)
{
    static const struct policy_ops ops = {.ask = rules_ask, .note = rules_note, .free = rules_free};
    struct yamlx *file;
    enum err e = yamlx_load(path, &file, why);
    if (e != ERR_OK)
        return e;
    const char *slash = strrchr(path, '/');
    struct rules *r = calloc(1, sizeof *r);
    if (r == NULL || (r->name = strdup(slash != NULL ? slash + 1 : path)) == NULL)
        e = why_no_memory(why);
    else if (yamlx_root(file) == NULL)
        e = why_set(why, ERR_CONFIG, "%s: has no rules", path);
    else
        e = load_list(yamlx_root(file), kind, c, r, why);
    if (e == ERR_OK)
        memcpy(r->text_sha256, yamlx_sha256(file), sizeof r->text_sha256);
    yamlx_free(file);
    if (e == ERR_OK) {
        r->head.ops = &ops;
        *ret = &r->head;
    } else if (r != NULL) {
        rules_free(&r->head);
    }
    return e;
}
