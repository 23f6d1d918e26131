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

/* Of two webhooks whose programs run as the same user. */
static enum err judge(const struct conf_webhook *a, const struct conf_webhook *b, bool *warned,
                      struct why *why)
{
    struct why story;
    bool root = geteuid() == 0;
    bool is_meant = a->policy.user != NULL && b->policy.user != NULL;
    why_set(
        &story, ERR_CONFIG,
        "webhooks %s and %s: programs of two accounts, %s and %s, run as the same user, and may "
        "read each other's memory: %s",
        a->id, b->id, a->account->id, b->account->id,
        root ? "give each account's a policy.user of its own"
             : "only where root starts us can each have a policy.user of its own");
    if (root && !is_meant)
        return why_set(why, ERR_CONFIG, "%s", story.text);
    if (!*warned)
        log_warn("%s", story.text);
    *warned = true;
    return ERR_OK;
}

enum err user_check(const struct conf *conf, struct why *why)
{
    const struct conf_webhook *w = conf->webhooks;
    bool warned = false;
    uid_t *users = calloc(conf->webhooks_count + 1, sizeof *users);
    enum err e = users != NULL ? ERR_OK : why_no_memory(why);
    for (size_t n = 0; e == ERR_OK && n < conf->webhooks_count; n++) {
        struct spawn_terms t = {.uid = 0};
        if (w[n].policy.kind != CONF_POLICY_EXEC)
            continue;
        e = user_take(&w[n].policy, &t, why);
        users[n] = t.uid;
        for (size_t i = 0; e == ERR_OK && i < n; i++)
            if (w[i].policy.kind == CONF_POLICY_EXEC && w[i].account != w[n].account &&
                users[i] == users[n])
                e = judge(&w[i], &w[n], &warned, why);
    }
    free(users);
    return e;
}
