/* snapshot.c - everything that one version of the configuration decides about a call. */
#include "tasks/snapshot.h"

#include <pthread.h>
#include <stdlib.h>

struct snapshots {
    struct clients *clients;
    struct spawner *spawner;
    pthread_mutex_t lock;   /* guards what follows, and the users of each */
    struct snapshot *first; /* all there are */
    struct snapshot *current;
    bool stopped;
};

static void forget(struct snapshot *s)
{
    queues_free(s->queues);
    keyring_free(s->keyring);
    conf_unref(s->conf);
    free(s->foreign_api_urls);
    free(s);
}

static enum err make(struct snapshots *among, struct conf *conf, struct snapshot **ret,
                     struct why *why)
{
    struct snapshot *s = calloc(1, sizeof *s);
    if (s == NULL)
        return why_no_memory(why);
    s->among = among;
    s->conf = conf_ref(conf);
    s->foreign_api_urls = calloc(conf->webhooks_count + 1, sizeof *s->foreign_api_urls);
    enum err e = s->foreign_api_urls == NULL ? why_no_memory(why) : ERR_OK;
    if (e == ERR_OK && conf->has_secrets)
        e = keyring_new(conf, &s->keyring, why);
    if (e == ERR_OK)
        e = queues_new(conf, among->clients, among->spawner, &s->queues, why);
    if (e == ERR_OK)
        *ret = s;
    else
        forget(s);
    return e;
}

enum err snapshots_new(struct conf *conf, const struct api_commons *commons, struct snapshots **ret,
                       struct why *why)
{
    struct snapshots *s = calloc(1, sizeof *s);
    if (s == NULL)
        return why_no_memory(why);
    pthread_mutex_init(&s->lock, NULL);
    s->clients = clients_new(commons);
    s->spawner = spawner_new(NULL);
    enum err e = s->clients != NULL && s->spawner != NULL ? snapshots_replace(s, conf, why)
                                                          : why_no_memory(why);
    if (e == ERR_OK)
        *ret = s;
    else
        snapshots_free(s);
    return e;
}

void snapshots_free(struct snapshots *s)
{
    if (s == NULL)
        return;
    if (s->current != NULL)
        snapshot_release(s->current);
    clients_free(s->clients);
    spawner_free(s->spawner);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

enum err snapshots_replace(struct snapshots *s, struct conf *conf, struct why *why)
{
    struct snapshot *fresh = NULL;
    enum err e = make(s, conf, &fresh, why);
    if (e != ERR_OK)
        return e;
    pthread_mutex_lock(&s->lock);
    struct snapshot *old = s->current;
    if (s->stopped)
        queues_stop(fresh->queues);
    fresh->users = 1;
    fresh->next = s->first;
    s->first = s->current = fresh;
    pthread_mutex_unlock(&s->lock);
    if (old != NULL)
        snapshot_release(old);
    return ERR_OK;
}

struct snapshot *snapshots_take(struct snapshots *s)
{
    pthread_mutex_lock(&s->lock);
    struct snapshot *current = s->current;
    current->users++;
    pthread_mutex_unlock(&s->lock);
    return current;
}

void snapshot_release(struct snapshot *s)
{
    struct snapshots *among = s->among;
    pthread_mutex_lock(&among->lock);
    bool last = --s->users == 0;
    struct snapshot **at = &among->first;
    while (last && *at != s)
        at = &(*at)->next;
    if (last)
        *at = s->next;
    pthread_mutex_unlock(&among->lock);
    if (last)
        forget(s);
}

void snapshots_reap(struct snapshots *s)
{
    spawner_reap(s->spawner);
}

void snapshots_stop(struct snapshots *s)
{
    clients_stop(s->clients);
    pthread_mutex_lock(&s->lock);
    s->stopped = true;
    for (struct snapshot *one = s->first; one != NULL; one = one->next)
        queues_stop(one->queues);
    pthread_mutex_unlock(&s->lock);
}
