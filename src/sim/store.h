/*
 * store.h - the objects that connect-sim keeps: collections of JSON documents, each with an `id`.
 *
 * A collection remembers the order in which its objects came. It finds one by its id, and those
 * that belong together by a second key (the requests of an asset, the messages of a conversation),
 * without looking at all. Lists by query are kept and mended: see list.c.
 *
 * Whoever changes a document says so with store_changed(), else lists go on showing what was. The
 * id and the second key of a stored document do not change.
 *
 * Nothing here locks: the caller holds `lock` of struct sim. Documents returned are borrowed.
 */
#ifndef SIM_STORE_H
#define SIM_STORE_H

#include <stddef.h>

#include <json-c/json.h>

#include "base/err.h"

/* The name in a seed, and the path of the second key. */
#define STORE_LIST(X)                                             \
    X(STORE_ACCOUNTS, "accounts", NULL)                           \
    X(STORE_PRODUCTS, "products", NULL)                           \
    X(STORE_TEMPLATES, "templates", "product_id")                 \
    X(STORE_CONVERSATIONS, "conversations", "instance_id")        \
    X(STORE_MESSAGES, "messages", "conversation")                 \
    X(STORE_WEBHOOKS, "webhooks", NULL)                           \
    X(STORE_REQUESTS, "requests", "asset.id")                     \
    X(STORE_ASSETS, "assets", NULL)                               \
    X(STORE_TIER_ACCOUNTS, "tier_accounts", NULL)                 \
    X(STORE_TIER_CONFIGS, "tier_configs", NULL)                   \
    X(STORE_TIER_CONFIG_REQUESTS, "tier_config_requests", NULL)   \
    X(STORE_TIER_ACCOUNT_REQUESTS, "tier_account_requests", NULL) \
    X(STORE_LISTING_REQUESTS, "listing_requests", NULL)           \
    X(STORE_BILLING_REQUESTS, "billing_requests", NULL)           \
    X(STORE_USAGE_FILES, "usage_files", NULL)

enum store_name {
#define X(code, name, key) code,
    STORE_LIST(X)
#undef X
        STORE__COUNT
};

struct store;

/*
 * A store with the objects of a seed: {"requests":[...],"templates":[...]}; NULL is an empty one.
 * *ret is owned: store_free(). ERR_TYPE, ERR_INVALID (an unknown collection), ERR_DUPLICATE (an
 * id given twice); `why` says where.
 */
enum err store_new(struct json_object *seed, struct store **ret, struct why *why);
void store_free(struct store *s); /* NULL is fine */

struct json_object *store_find(const struct store *s, enum store_name n, const char *id);
/* The last one that came, of all or (`key`) of those with this second key; NULL if there is none.
 */
struct json_object *store_first(const struct store *s, enum store_name n);
struct json_object *store_newest(const struct store *s, enum store_name n, const char *key);
/* The one before it with the same second key. */
struct json_object *store_older(const struct store *s, enum store_name n,
                                const struct json_object *object);

/* All of them, in the order in which they came: the i-th, NULL if it was removed. */
size_t store_count(const struct store *s, enum store_name n);
struct json_object *store_at(const struct store *s, enum store_name n, size_t i);

/* Takes a reference on success. ERR_TYPE (it has no id), ERR_DUPLICATE, ERR_NOMEM. */
enum err store_add(struct store *s, enum store_name n, struct json_object *object);
/* In the place of the one with its id, or as a new one; of collections without a second key. As
 * store_add(). */
enum err store_replace(struct store *s, enum store_name n, struct json_object *object);
void store_changed(struct store *s, enum store_name n, const struct json_object *object);
void store_remove(struct store *s, enum store_name n, const struct json_object *object);

/* One page of a list. */
struct store_page {
    struct json_object *objects; /* an array, owned by the caller */
    size_t first, last, total;   /* as Content-Range has them */
};

/*
 * The page that `query` (of a URL, as it came) asks for, of all objects or of those with the
 * second key `key`. As rql_parse_url(), or ERR_NOMEM.
 */
enum err store_page(struct store *s, enum store_name n, const char *key, const char *query,
                    struct store_page *ret, struct why *why);

#endif
