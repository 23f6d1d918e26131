/* snapshot.c - everything that one version of the configuration decides about a call. */
#include "web/snapshot.h"

#include <stdatomic.h>
#include <stdlib.h>

enum err snapshot_new(struct conf *conf, struct inbox *inbox, struct snapshot **ret,
                      struct why *why)
{
    struct snapshot *s = calloc(1, sizeof *s);
    if (s == NULL)
        return why_no_memory(why);
    atomic_init(&s->refs, 1);
    s->conf = conf_ref(conf);
    s->foreign_api_urls = calloc(conf->webhooks_count + 1, sizeof *s->foreign_api_urls);
    enum err e = s->foreign_api_urls == NULL ? why_no_memory(why) : ERR_OK;
    if (e == ERR_OK)
        e = keyring_new(conf, &s->keyring, why);
    if (e == ERR_OK)
        e = dispatch_new(conf, inbox, &s->dispatch, why);
    if (e != ERR_OK) {
        snapshot_unref(s);
        return e;
    }
    *ret = s;
    return ERR_OK;
}

struct snapshot *snapshot_ref(struct snapshot *s)
{
    atomic_fetch_add(&s->refs, 1);
    return s;
}

void snapshot_unref(struct snapshot *s)
{
    if (s == NULL || atomic_fetch_sub(&s->refs, 1) > 1)
        return;
    dispatch_unref(s->dispatch);
    keyring_free(s->keyring);
    conf_unref(s->conf);
    free(s->foreign_api_urls);
    free(s);
}
