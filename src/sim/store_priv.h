/*
 * store_priv.h - how a collection is kept, for store.c and list.c alone.
 */
#ifndef SIM_STORE_PRIV_H
#define SIM_STORE_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#include <json-c/linkhash.h>

#include "sim/store.h"

#define STORE_VIEWS 16 /* lists of a collection that are kept */

/* An object's place. Places are numbered as objects come, and never change. */
struct place {
    struct json_object *object; /* owned; NULL when it was removed */
    uint64_t changed;           /* the collection's version that it changed with */
    uint32_t older;             /* the place before it with the same second key, or NOWHERE */
};

#define NOWHERE UINT32_MAX

/* The places that a query finds, in its order. */
struct view {
    struct rql *query; /* NULL: not used */
    char *text;        /* of its filter and ordering */
    uint32_t *found;
    size_t count, cap;
    uint64_t version; /* of the collection, that it is true for */
    uint64_t used;    /* when it was last asked for */
};

struct collection {
    enum store_name name;
    struct place *places;
    size_t count, cap;
    uint64_t version;
    struct lh_table *by_id, *newest; /* a text, and the place + 1 */
    struct view views[STORE_VIEWS];
    uint64_t clock; /* of their use */
};

struct store {
    struct collection collections[STORE__COUNT];
};

/* The place that a table has for a text, or NOWHERE. */
uint32_t place_of(struct lh_table *table, const char *text);
const char *store_second_key(enum store_name n); /* its path, or NULL */

void view_free(struct view *v);

#endif
