/* conf.c - a snapshot's life, and what is looked up in it. */
#include "conf/conf.h"

#include <stdlib.h>
#include <string.h>

#include "conf/owner.h"

const char *conf_path(const char *option)
{
    if (option != NULL)
        return option;
    const char *named = getenv("CONNECT_WEBHOOK_CONFIG");
    return named != NULL && *named != '\0' ? named
                                           : SYSCONFDIR "/connect-webhook/connect-webhook.yaml";
}

struct conf_owner *conf_owner_new(void)
{
    struct conf_owner *o = calloc(1, sizeof *o);
    if (o != NULL)
        o->refs = 1;
    return o;
}

const char *conf_keep(struct conf_owner *o, const char *text)
{
    char **texts = realloc(o->texts, (o->texts_count + 1) * sizeof(char *));
    if (texts == NULL)
        return NULL;
    o->texts = texts;
    char *copy = strdup(text);
    if (copy != NULL)
        o->texts[o->texts_count++] = copy;
    return copy;
}

struct conf *conf_ref(struct conf *c)
{
    ((struct conf_owner *)c)->refs++;
    return c;
}

void conf_unref(struct conf *c)
{
    struct conf_owner *o = (struct conf_owner *)c;
    if (o == NULL || --o->refs > 0)
        return;
    for (size_t i = 0; i < c->accounts_count; i++)
        secret_free(c->accounts[i].api_key.value);
    for (size_t i = 0; i < c->webhooks_count; i++)
        for (size_t n = 0; n < c->webhooks[i].secrets_count; n++)
            secret_free(c->webhooks[i].secrets[n].value);
    free(c->accounts);
    free(c->webhooks);
    for (size_t i = 0; i < o->texts_count; i++)
        free(o->texts[i]);
    free(o->texts);
    free(o);
}

bool conf_queues(const struct conf *c, bool cgi)
{
    return c->processing.mode == MODE_QUEUE || (c->processing.mode == MODE_AUTO && !cgi);
}

const struct conf_webhook *conf_webhook(const struct conf *c, const char *id)
{
    for (size_t i = 0; i < c->webhooks_count; i++)
        if (strcmp(c->webhooks[i].id, id) == 0)
            return &c->webhooks[i];
    return NULL;
}

const struct conf_account *conf_account(const struct conf *c, const char *id)
{
    for (size_t i = 0; i < c->accounts_count; i++)
        if (strcmp(c->accounts[i].id, id) == 0)
            return &c->accounts[i];
    return NULL;
}

bool conf_same_queue(const struct conf_webhook *a, const struct conf_webhook *b)
{
    return a->type == TYPE_EVENT && b->type == TYPE_EVENT && a->account == b->account &&
           a->object_class == b->object_class && strcmp(a->product, b->product) == 0;
}

/* NULL is the same as NULL only. */
static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool same_texts(const char *const *a, const char *const *b)
{
    while (*a != NULL && same_text(*a, *b)) {
        a++;
        b++;
    }
    return same_text(*a, *b);
}

bool conf_same_policy(const struct conf_policy *a, const struct conf_policy *b)
{
    return a->kind == b->kind && same_text(a->path, b->path) && same_texts(a->argv, b->argv) &&
           a->session == b->session && a->sessions == b->sessions &&
           a->timeout_ms == b->timeout_ms && same_texts(a->env, b->env) &&
           same_text(a->cwd, b->cwd) && same_text(a->user, b->user) &&
           same_text(a->group, b->group);
}
