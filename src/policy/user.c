/* user.c - users and groups, as the system knows them. */
#include "policy/user.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

#define NOBODY      "nobody"
#define NAME_BUFFER (64 * 1024) /* bytes for what the system knows of a user or a group */

static enum err unknown(const char *what, const char *name, int error, struct why *why)
{
    return why_set(why, ERR_CONFIG, "policy.%s: %s: %s", what, name,
                   error != 0 ? strerror(error) : "the system knows none of this name");
}

static enum err find_user(const char *name, struct spawn_terms *t, struct why *why)
{
    char *buffer = malloc(NAME_BUFFER);
    struct passwd user, *found = NULL;
    int error = buffer != NULL ? getpwnam_r(name, &user, buffer, NAME_BUFFER, &found) : ENOMEM;
    if (found != NULL) {
        t->uid = user.pw_uid;
        t->gid = user.pw_gid;
    }
    free(buffer);
    return found != NULL ? ERR_OK : unknown("user", name, error, why);
}

static enum err find_group(const char *name, struct spawn_terms *t, struct why *why)
{
    char *buffer = malloc(NAME_BUFFER);
    struct group group, *found = NULL;
    int error = buffer != NULL ? getgrnam_r(name, &group, buffer, NAME_BUFFER, &found) : ENOMEM;
    if (found != NULL)
        t->gid = group.gr_gid;
    free(buffer);
    return found != NULL ? ERR_OK : unknown("group", name, error, why);
}

/* Only root can be somebody else; and nobody else than we need be named. */
enum err user_take(const struct conf_policy *conf, struct spawn_terms *t, struct why *why)
{
    bool root = geteuid() == 0;
    t->uid = geteuid();
    t->gid = getegid();
    enum err e = ERR_OK;
    if (root || conf->user != NULL)
        e = find_user(conf->user != NULL ? conf->user : NOBODY, t, why);
    if (e == ERR_OK && conf->group != NULL)
        e = find_group(conf->group, t, why);
    if (e != ERR_OK)
        return e;
    if (t->uid == 0 || (root && t->gid == 0))
        return why_set(why, ERR_CONFIG, "policy.user: no program runs as root");
    if (!root && (t->uid != geteuid() || t->gid != getegid()))
        return why_set(why, ERR_CONFIG,
                       "policy.user: only root can run programs as somebody else, and we are not");
    t->as_user = root;
    return ERR_OK;
}

static bool is_shared(const struct conf_webhook *a, uid_t of_a, const struct conf_webhook *b,
                      uid_t of_b)
{
    return a->policy.kind == CONF_POLICY_EXEC && b->policy.kind == CONF_POLICY_EXEC &&
           a->account != b->account && of_a == of_b;
}

static void tell(const struct conf_webhook *a, const struct conf_webhook *b, struct why *why)
{
    why_set(
        why, ERR_CONFIG,
        "webhooks %s and %s: programs of two accounts, %s and %s, run as the same user, and may "
        "read each other's memory: %s",
        a->id, b->id, a->account->id, b->account->id,
        geteuid() == 0 ? "give each account's a policy.user of its own"
                       : "only where root starts us can each have a policy.user of its own");
}

/* Of each webhook, as whom its program runs. */
static enum err find_users(const struct conf *conf, uid_t *ret, struct why *why)
{
    enum err e = ERR_OK;
    for (size_t n = 0; e == ERR_OK && n < conf->webhooks_count; n++) {
        struct spawn_terms t = {.uid = 0};
        if (conf->webhooks[n].policy.kind == CONF_POLICY_EXEC)
            e = user_take(&conf->webhooks[n].policy, &t, why);
        ret[n] = t.uid;
    }
    return e;
}

/* All pairs, for one that is an error may come behind others. */
static enum err judge(const struct conf *conf, const uid_t *users, struct why *why)
{
    const struct conf_webhook *w = conf->webhooks, *meant[2] = {NULL, NULL};
    bool root = geteuid() == 0;
    for (size_t n = 0; n < conf->webhooks_count; n++)
        for (size_t i = 0; i < n; i++) {
            if (!is_shared(&w[i], users[i], &w[n], users[n]))
                continue;
            if (root && (w[i].policy.user == NULL || w[n].policy.user == NULL)) {
                tell(&w[i], &w[n], why);
                return ERR_CONFIG;
            }
            meant[0] = &w[i];
            meant[1] = &w[n];
        }
    if (meant[0] != NULL) {
        struct why story;
        tell(meant[0], meant[1], &story);
        log_warn("%s", story.text);
    }
    return ERR_OK;
}

enum err user_check(const struct conf *conf, struct why *why)
{
    uid_t *users = calloc(conf->webhooks_count + 1, sizeof *users);
    enum err e = users != NULL ? find_users(conf, users, why) : why_no_memory(why);
    if (e == ERR_OK)
        e = judge(conf, users, why);
    free(users);
    return e;
}
