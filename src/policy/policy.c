/* policy.c - asking. */
#include "policy/policy.h"

#include <string.h>

#include "base/jsonx.h"
#include "policy/rules.h"

/* Add a member that the object now owns; a NULL value is null. Sticky like a buffer. */
static void add(struct json_object *to, const char *key, struct json_object *value, bool *ok)
{
    if (*ok && json_object_object_add(to, key, value) != 0)
        *ok = false;
    if (!*ok)
        json_object_put(value);
}

static void add_text(struct json_object *to, const char *key, const char *text, bool *ok)
{
    struct json_object *value = json_object_new_string(text);
    *ok = *ok && value != NULL;
    add(to, key, value, ok);
}

static void add_int(struct json_object *to, const char *key, int64_t n, bool *ok)
{
    struct json_object *value = json_object_new_int64(n);
    *ok = *ok && value != NULL;
    add(to, key, value, ok);
}

enum err policy_question_json(enum policy_kind kind, const struct policy_question *q, int64_t id,
                              struct json_object **ret)
{
    struct json_object *root = json_object_new_object(), *webhook = json_object_new_object();
    bool ok = root != NULL && webhook != NULL;
    add_int(root, "version", POLICY_VERSION, &ok);
    add_int(root, "id", id, &ok);
    add_text(root, "kind", kind == POLICY_PROCESS ? "process" : "validate", &ok);
    add_text(root, "object_class", q->object_class->name, &ok);
    add_text(webhook, "id", q->webhook_id, &ok);
    add_text(webhook, "type", webhook_type_name(q->webhook_type), &ok);
    add(webhook, "data", json_object_get(jsonx_object(q->claims, "data")), &ok);
    add(root, "webhook", webhook, &ok);
    add(root, "event", json_object_get(q->claims), &ok);
    add(root, "object", json_object_get(q->object), &ok);
    add_int(root, "attempt", q->attempt, &ok);
    if (!ok) {
        json_object_put(root);
        return ERR_NOMEM;
    }
    *ret = root;
    return ERR_OK;
}

enum err policy_skip(const char *reason, struct json_object **ret)
{
    struct json_object *answer = json_object_new_object();
    bool ok = answer != NULL;
    add_text(answer, "action", "skip", &ok);
    add_text(answer, "reason", reason, &ok);
    if (!ok) {
        json_object_put(answer);
        return ERR_NOMEM;
    }
    *ret = answer;
    return ERR_OK;
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
