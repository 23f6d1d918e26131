/* policy.c - asking. */
#include "policy/policy.h"

#include <string.h>

#include "base/jsonx.h"
#include "policy/rules.h"

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

enum err policy_question_json(enum policy_kind kind, const struct policy_question *q, int64_t id,
                              struct json_object **ret)
{
    struct json_object *root = json_object_new_object();
    if (jsonx_add_int(root, "version", POLICY_VERSION) && jsonx_add_int(root, "id", id) &&
        jsonx_add_text(root, "kind", kind == POLICY_PROCESS ? "process" : "validate") &&
        jsonx_add_text(root, "object_class", q->object_class->name) &&
        jsonx_add(root, "webhook", webhook_json(q)) && jsonx_share(root, "event", q->claims) &&
        jsonx_share(root, "object", q->object) && jsonx_add_int(root, "attempt", q->attempt)) {
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
                           struct json_object **ret_answer, char ret_rule[128], struct why *why)
{
    (void)p;
    (void)q;
    if (policy_skip("the webhook has no policy", ret_answer) != ERR_OK)
        return why_no_memory(why);
    ret_rule[0] = '\0';
    return ERR_OK;
}

enum err policy_open(const struct conf_policy *conf, const struct object_class *c,
                     struct policy **ret, struct why *why)
{
    static const struct policy_ops none_ops = {.name = "none", .ask = ask_nobody};
    static struct policy none = {&none_ops};
    switch (conf->kind) {
    case CONF_POLICY_RULES:
        return rules_load(conf->path, c, ret, why);
    case CONF_POLICY_NONE:
        break;
    }
    *ret = &none;
    return ERR_OK;
}

enum err policy_ask(struct policy *p, const struct policy_question *q, struct decision *ret,
                    struct why *why)
{
    struct json_object *answer = NULL;
    char rule[sizeof ret->rule] = "";
    enum err e = p->ops->ask(p, q, &answer, rule, why);
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
