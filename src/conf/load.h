/*
 * load.h - one load of a configuration on its way; for the files of this folder only.
 *
 * conf_load.c reads the whole, conf_webhook.c the webhooks, conf_policy.c what decides for them. An
 * error says FILE:LINE:COLUMN, the key, and what to do.
 */
#ifndef CONF_LOAD_H
#define CONF_LOAD_H

#include "base/yamlx.h"
#include "conf/conf.h"
#include "conf/keys.h"

#define LOAD_PATH_MAX 4096 /* bytes of a path, with the NUL */

struct conf_owner;

struct load {
    struct conf_owner *owner;
    struct conf *conf;
    const char *file; /* that is being read; relative paths start in its folder */
    enum conf_need need;
    struct why *why;
};

/* A copy for the snapshot's life; NULL when memory ran out. */
const char *load_keep(struct load *l, const char *text);

/* A scalar's text, kept. */
enum err load_text(struct load *l, const struct yamlx_node *n, const char **ret);
/* An absolute path, kept: a relative one starts where its file is. ERR_IO, ERR_TOO_BIG. */
enum err load_absolute(struct load *l, const char *text, const char **ret);
/* A scalar that is a path. */
enum err load_path(struct load *l, const struct yamlx_node *n, const char **ret);
/* What is opened later, perhaps in the middle of a call, is missed now; `mode` as access() has it.
 */
enum err load_need_access(struct load *l, const struct yamlx_node *n, const char *key,
                          const char *path, int mode);

enum err load_need_mapping(struct load *l, const struct yamlx_node *n, const char *what);
/* A member that has to be there. */
enum err load_need_key(struct load *l, const char *section, const struct yamlx_node *n,
                       const char *name, const struct yamlx_node **ret);
/* ... and is an id. */
enum err load_need_id(struct load *l, const char *section, const struct yamlx_node *n,
                      const char *name, const char **ret);
/* The number of elements of a list that has from one to `max`. */
enum err load_count(struct load *l, const struct yamlx_node *n, const char *what, size_t max,
                    size_t *ret);

/* Is it loaded by a program that is to run on it, or for one? */
bool load_is_to_run(const struct load *l);
/* Give a section's keys their defaults. */
void load_defaults(const char *section, void *base);
/* Is the value written as the key's default? */
bool load_is_default(const struct key *k, const struct yamlx_node *value);
/* Refuse unknown keys; read those that the table can read alone. */
enum err load_section(struct load *l, const char *section, const struct yamlx_node *n, void *base);

/* `load`: what it is now, too, not only where it is. */
enum err load_secret(struct load *l, const struct yamlx_node *n, bool load,
                     struct conf_secret *ret);

/* One webhook, or a list of them, beside those that are there. */
enum err load_webhooks(struct load *l, const struct yamlx_node *n);
/* What decides for a webhook: the value of its `policy`, NULL if it has none. */
enum err load_policy(struct load *l, const struct yamlx_node *n, struct conf_policy *ret);

#endif
