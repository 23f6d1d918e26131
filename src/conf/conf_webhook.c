/* conf_webhook.c - the webhooks of a configuration. */
#include <stdlib.h>
#include <string.h>

#include "conf/keys.h"
#include "conf/load.h"

static enum err read_class_and_type(struct load *l, const struct yamlx_node *n,
                                    struct conf_webhook *w)
{
    const struct yamlx_node *class_node, *type_node = yamlx_get(n, "type");
    const char *class_name = NULL, *type_name = NULL;
    enum err e = load_need_key(l, "webhooks", n, "object_class", &class_node);
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
    enum err e = load_need_key(l, "webhooks", n, "secrets", &list);
    if (e == ERR_OK)
        e = load_count(l, list, "webhooks.secrets", CONF_SECRETS_MAX, &count);
    for (size_t i = 0; i < count && e == ERR_OK; i++) {
        struct conf_secret *s = &w->secrets[w->secrets_count++];
        e = load_secret(l, yamlx_item(list, i), l->conf->has_secrets, s);
        if (e == ERR_OK && s->value != NULL && secret_len(s->value) < SECRET_WEAK)
            log_warn("%s:%d: webhook %s: secret %zu has %zu bytes; HS256 wants at least %d",
                     w->file, yamlx_line(yamlx_item(list, i)), w->id, i + 1, secret_len(s->value),
                     SECRET_WEAK);
    }
    return e;
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
    enum err e = load_count(l, list, "webhooks.states", CONF_STATES_MAX, &count);
    for (size_t i = 0; i < count && e == ERR_OK; i++) {
        e = load_text(l, yamlx_item(list, i), &w->states[i]);
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
    enum err e = load_section(l, "webhooks", n, w);
    w->file = load_keep(l, l->file);
    w->line = yamlx_line(n);
    if (e == ERR_OK)
        e = load_need_id(l, "webhooks", n, "id", &w->id);
    if (e == ERR_OK)
        e = load_need_id(l, "webhooks", n, "account", &account);
    if (e == ERR_OK && (w->account = conf_account(l->conf, account)) == NULL)
        e = yamlx_fail(yamlx_get(n, "account"), l->why, ERR_CONFIG,
                       "webhooks.account: %s: is not in accounts", account);
    if (e == ERR_OK)
        e = load_need_id(l, "webhooks", n, "product", &w->product);
    if (e == ERR_OK)
        e = read_class_and_type(l, n, w);
    if (e == ERR_OK)
        e = read_secrets(l, n, w);
    if (e == ERR_OK)
        e = load_policy(l, yamlx_get(n, "policy"), &w->policy);
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

enum err load_webhooks(struct load *l, const struct yamlx_node *n)
{
    if (yamlx_type(n) != YAMLX_SEQUENCE)
        return add_webhook(l, n);
    enum err e = ERR_OK;
    const struct yamlx_node *item;
    for (size_t i = 0; e == ERR_OK && (item = yamlx_item(n, i)) != NULL; i++)
        e = add_webhook(l, item);
    return e;
}
