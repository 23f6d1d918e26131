/* policy.c - asking. */
#include "policy/policy.h"

#include <string.h>

#include "base/clk.h"
#include "base/jsonx.h"
#include "base/metric.h"
#include "policy/exec.h"
#include "policy/passwords.h"
#include "policy/rules.h"

enum policy_kind policy_kind_of(enum webhook_type t)
{
    return t == TYPE_EVENT ? POLICY_PROCESS : POLICY_VALIDATE;
}

struct policy_question policy_question_of(const struct conf_webhook *w)
{
    return (struct policy_question){.kind = policy_kind_of(w->type),
                                    .object_class = w->object_class,
                                    .side = w->account->side,
                                    .webhook_id = w->id,
                                    .webhook_type = w->type,
                                    .attempt = 1};
}

/* NULL: out of memory. */
static struct json_object *webhook_json(const struct policy_question *q)
{
    struct json_object *webhook = json_object_new_object();
    if (jsonx_add_text(webhook, "id", q->webhook_id) &&
        jsonx_add_text(webhook, "type", webhook_type_name(q->webhook_type)) &&
        jsonx_share(webhook, "data", jsonx_object(q->claims, "data")))
        return webhook;
    json_object_put(webhook);
    return NULL;
}

enum err policy_question_json(const struct policy_question *q, int64_t id, struct json_object **ret)
{
    struct json_object *root = json_object_new_object();
    if (jsonx_add_int(root, "version", POLICY_VERSION) && jsonx_add_int(root, "id", id) &&
        jsonx_add_text(root, "kind", q->kind == POLICY_PROCESS ? "process" : "validate") &&
        jsonx_add_text(root, "object_class", q->object_class->name) &&
        jsonx_add_text(root, "side", side_name(q->side)) &&
        jsonx_add(root, "webhook", webhook_json(q)) && jsonx_share(root, "event", q->claims) &&
        jsonx_share(root, "object", q->object) && jsonx_add_int(root, "attempt", q->attempt) &&
        jsonx_add(root, "dry_run", json_object_new_boolean(q->dry_run)) &&
        jsonx_add_int(root, "deadline_ms", clk_left_ms(q->deadline))) {
        *ret = root;
        return ERR_OK;
    }
    json_object_put(root);
    return ERR_NOMEM;
}

enum err policy_skip(const char *reason, struct json_object **ret)
{
    struct json_object *answer = json_object_new_object();
    if (jsonx_add_text(answer, "action", "skip") && jsonx_add_text(answer, "reason", reason)) {
        *ret = answer;
        return ERR_OK;
    }
    json_object_put(answer);
    return ERR_NOMEM;
}

static enum err ask_nobody(struct policy *p, const struct policy_question *q,
                           struct json_object **ret_answer, char ret_rule[DECISION_RULE_MAX],
                           struct why *why)
{
    (void)p;
    *ret_answer = NULL;
    if (q->kind == POLICY_PROCESS && policy_skip("the webhook has no policy", ret_answer) != ERR_OK)
        return why_no_memory(why);
    ret_rule[0] = '\0';
    return ERR_OK;
}

enum err policy_open(const struct conf_policy *conf, enum policy_kind kind,
                     const struct object_class *c, struct spawner *spawner, struct policy **ret,
                     struct why *why)
{
    static const struct policy_ops none_ops = {.ask = ask_nobody};
    static struct policy none = {&none_ops};
    switch (conf->kind) {
    case CONF_POLICY_RULES:
        return rules_load(conf->path, kind, c, ret, why);
    case CONF_POLICY_EXEC:
        return exec_open(conf, spawner, ret, why);
    case CONF_POLICY_NONE:
        break;
    }
    *ret = &none;
    return ERR_OK;
}

static enum err ask(struct policy *p, const struct policy_question *q,
                    struct json_object **ret_answer, char ret_rule[DECISION_RULE_MAX],
                    struct why *why)
{
    int64_t began = clk_mono_ms();
    enum err e = p->ops->ask(p, q, ret_answer, ret_rule, why);
    metric_time(METRIC_POLICY_TIME, q->webhook_id, (clk_mono_ms() - began) * 1000);
    return e;
}

enum err policy_ask(struct policy *p, const struct policy_question *q, struct decision *ret,
                    struct why *why)
{
    struct json_object *answer = NULL;
    char rule[sizeof ret->rule] = "";
    enum err e = ask(p, q, &answer, rule, why);
    if (e != ERR_OK)
        return e;
    e = decision_parse(answer, q->object_class, ret, why);
    json_object_put(answer);
    if (e == ERR_OK)
        memcpy(ret->rule, rule, sizeof rule);
    else if (rule[0] != '\0')
        why_prefix(why, e, "%s", rule);
    return e;
}

/* ------------------------------------------------------------------------- forms */

/* What is said about the parameters alone, where a document of the class has them; owned. */
static enum err changes_of_params(struct json_object *answer, const struct object_class *c,
                                  struct json_object **ret, struct why *why)
{
    struct json_object *params = jsonx_array(answer, "params"), *said = json_object_new_array();
    struct json_object *changes = json_object_new_object();
    enum err e = decision_check_form(params, why);
    bool ok = said != NULL;
    for (size_t i = 0; e == ERR_OK && ok && i < json_object_array_length(params); i++)
        ok = jsonx_append(said, jsonx_without_nulls(json_object_array_get_idx(params, i)));
    if (e == ERR_OK && !(ok && jsonx_add_at(changes, c->params, json_object_get(said))))
        e = why_no_memory(why);
    json_object_put(said);
    if (e == ERR_OK)
        *ret = changes;
    else
        json_object_put(changes);
    return e;
}

/* Is it about the form that was asked about, as far as it says? A session's answer has the id of
 * its question there, a number. */
static bool is_about(const struct json_object *answer, const struct json_object *document)
{
    const char *said = jsonx_str(answer, "id", NULL), *id = jsonx_str(document, "id", NULL);
    return said == NULL || id == NULL || strcmp(said, id) == 0;
}

static enum err changes_of(struct json_object *answer, const struct policy_question *q,
                           struct json_object **ret, struct why *why)
{
    if (!is_about(answer, q->object))
        return why_set(why, ERR_POLICY, "the answer is about another document: %.64s",
                       jsonx_str(answer, "id", ""));
    if (object_is_document(q->object_class, answer)) {
        *ret = json_object_get(answer);
        return ERR_OK;
    }
    int known = 1 + (jsonx_get(answer, "id") != NULL);
    if (jsonx_array(answer, "params") == NULL || json_object_object_length(answer) != known)
        return why_set(why, ERR_POLICY,
                       "a form is answered with {\"params\":[...]} and nothing else, or with the "
                       "whole document");
    return changes_of_params(answer, q->object_class, ret, why);
}

static enum err hide_in(struct json_object *param, const char *name, struct mask *m)
{
    struct json_object *hidden, *error = jsonx_get(param, name);
    if (error == NULL)
        return ERR_OK;
    enum err e = mask_json(m, error, &hidden);
    return e == ERR_OK && !jsonx_add(param, name, hidden) ? ERR_NOMEM : e;
}

/* Rules may quote anything: of a password nothing gets out of its own field. */
static enum err hide_passwords(const struct policy_question *q, struct json_object *changes,
                               struct why *why)
{
    struct json_object *params = object_params(q->object_class, changes);
    size_t n = params != NULL ? json_object_array_length(params) : 0;
    struct mask m = {0};
    enum err e = passwords_collect(q->object, params, &m);
    for (size_t i = 0; e == ERR_OK && m.count > 0 && i < n; i++) {
        struct json_object *param = json_object_array_get_idx(params, i);
        e = hide_in(param, "value_error", &m);
        if (e == ERR_OK)
            e = hide_in(param, "structured_error", &m);
    }
    mask_free(&m);
    return e == ERR_OK ? e : why_no_memory(why);
}

enum err policy_validate(struct policy *p, const struct policy_question *q,
                         struct json_object **ret_changes, char ret_rule[DECISION_RULE_MAX],
                         struct why *why)
{
    struct json_object *answer = NULL;
    char rule[DECISION_RULE_MAX] = "";
    *ret_changes = NULL;
    enum err e = ask(p, q, &answer, rule, why);
    if (e == ERR_OK && answer != NULL) {
        e = changes_of(answer, q, ret_changes, why);
        if (e == ERR_OK && (e = hide_passwords(q, *ret_changes, why)) != ERR_OK) {
            json_object_put(*ret_changes);
            *ret_changes = NULL;
        }
        if (e != ERR_OK && rule[0] != '\0')
            why_prefix(why, e, "%s", rule);
    }
    json_object_put(answer);
    if (e == ERR_OK)
        memcpy(ret_rule, rule, sizeof rule);
    return e;
}

enum err policy_note(const struct policy *p, struct buf *b)
{
    return p->ops->note != NULL ? p->ops->note(p, b) : b->err;
}

void policy_stop(struct policy *p)
{
    if (p != NULL && p->ops->stop != NULL)
        p->ops->stop(p);
}

void policy_free(struct policy *p)
{
    if (p != NULL && p->ops->free != NULL)
        p->ops->free(p);
}
