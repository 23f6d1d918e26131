/*
 * list.c - lists of a collection by query, page by page.
 *
 * A client that reads 100,000 objects in pages asks the same query a thousand times, and changes
 * objects in between. So what a query finds is kept as a view, and before each page it is mended:
 * places that changed since are dropped, looked at again, and merged in. That costs a pass over
 * numbers, and a look at the few documents that changed.
 */
#include <stdlib.h>
#include <string.h>

#include "base/jsonx.h"
#include "base/rql.h"
#include "sim/store_priv.h"

#define PAGE_DEFAULT 100
#define PAGE_MAX     1000

void view_free(struct view *v)
{
    rql_free(v->query);
    free(v->text);
    free(v->found);
    *v = (struct view){0};
}

/* Names that Connect's filters and orderings have, and its objects have not. */
static const struct alias {
    enum store_name store;
    const char *name, *path;
} aliases[] = {
    {STORE_REQUESTS, "product_id", "asset.product.id"},
    {STORE_REQUESTS, "asset_id", "asset.id"},
    {STORE_TIER_CONFIG_REQUESTS, "created", "events.created.at"},
    {STORE_TIER_CONFIG_REQUESTS, "updated", "events.updated.at"},
    {STORE_TIER_CONFIGS, "created", "events.created.at"},
    {STORE_TIER_CONFIGS, "updated", "events.updated.at"},
    {STORE_ASSETS, "created", "events.created.at"},
    {STORE_ASSETS, "updated", "events.updated.at"},
    {STORE_USAGE_FILES, "product_id", "product.id"},
    {STORE_USAGE_FILES, "provider_id", "provider.id"},
    {STORE_USAGE_FILES, "vendor_id", "vendor.id"},
    {STORE_USAGE_FILES, "marketplace_id", "marketplace.id"},
    {STORE_USAGE_FILES, "created", "events.created"}, /* created.at */
};
#define ALIASES (sizeof aliases / sizeof *aliases)

/* The object, with its aliases where it has none of these names itself; owned. */
static struct json_object *with_aliases(enum store_name n, struct json_object *o)
{
    struct json_object *view = NULL;
    for (size_t i = 0; i < ALIASES; i++) {
        struct json_object *value = aliases[i].store == n ? jsonx_at(o, aliases[i].path) : NULL;
        if (value == NULL || json_object_object_get_ex(o, aliases[i].name, NULL))
            continue;
        if (view == NULL)
            view = jsonx_shallow(o);
        jsonx_share(view, aliases[i].name, value);
    }
    return view != NULL ? view : json_object_get(o);
}

/* Does a query order by an alias? Most do not, and are spared the copies. */
static bool orders_by_alias(enum store_name n, const struct rql *q)
{
    const char *key;
    for (size_t k = 0; (key = rql_ordering(q, k)) != NULL; k++)
        for (size_t i = 0; i < ALIASES; i++) {
            size_t len = strlen(aliases[i].name);
            const char *name = key[0] == '-' ? key + 1 : key;
            if (aliases[i].store == n && strncmp(name, aliases[i].name, len) == 0 &&
                (name[len] == '\0' || name[len] == '.'))
                return true;
        }
    return false;
}

struct order {
    const struct collection *collection;
    const struct rql *query;
    bool by_alias;
};

/* By the query's ordering, then as they came. */
static int compare(uint32_t a, uint32_t b, const struct order *o)
{
    const struct place *places = o->collection->places;
    int order;
    if (o->by_alias) {
        struct json_object *one = with_aliases(o->collection->name, places[a].object);
        struct json_object *other = with_aliases(o->collection->name, places[b].object);
        order = rql_compare(o->query, one, other);
        json_object_put(one);
        json_object_put(other);
    } else {
        order = rql_compare(o->query, places[a].object, places[b].object);
    }
    return order != 0 ? order : (a > b) - (a < b);
}

static int by_order(const void *a, const void *b, void *order)
{
    return compare(*(const uint32_t *)a, *(const uint32_t *)b, order);
}

static enum err reserve(struct view *v, size_t count)
{
    if (count <= v->cap)
        return ERR_OK;
    size_t cap = v->cap > 0 ? v->cap : 64;
    while (cap < count)
        cap *= 2;
    uint32_t *found = realloc(v->found, cap * sizeof *found);
    if (found == NULL)
        return ERR_NOMEM;
    v->found = found;
    v->cap = cap;
    return ERR_OK;
}

/* Merge found[known..count) into the sorted found[0..known), from the end: what is new is mostly
 * last. */
static enum err merge(struct view *v, const struct collection *c, size_t known)
{
    struct order order = {c, v->query, orders_by_alias(c->name, v->query)};
    size_t fresh = v->count - known, to = v->count;
    if (fresh == 0)
        return ERR_OK;
    uint32_t *news = malloc(fresh * sizeof *news);
    if (news == NULL)
        return ERR_NOMEM;
    memcpy(news, v->found + known, fresh * sizeof *news);
    size_t sorted = 1; /* objects mostly come in the order that is asked for */
    while (sorted < fresh && compare(news[sorted - 1], news[sorted], &order) < 0)
        sorted++;
    if (sorted < fresh)
        qsort_r(news, fresh, sizeof *news, by_order, &order);
    while (fresh > 0) {
        bool old_is_last = known > 0 && compare(v->found[known - 1], news[fresh - 1], &order) > 0;
        v->found[--to] = old_is_last ? v->found[--known] : news[--fresh];
    }
    free(news);
    return ERR_OK;
}

/* Add a place if the query finds it. */
static enum err note(struct view *v, const struct collection *c, uint32_t place)
{
    struct json_object *object = c->places[place].object;
    bool holds = false;
    if (object == NULL)
        return ERR_OK;
    struct json_object *seen = with_aliases(c->name, object);
    enum err e = rql_match(v->query, seen, NULL, &holds);
    json_object_put(seen);
    if (e == ERR_OK && holds)
        e = reserve(v, v->count + 1);
    if (e == ERR_OK && holds)
        v->found[v->count++] = place;
    return e;
}

static enum err mend(struct view *v, const struct collection *c)
{
    if (v->version == c->version)
        return ERR_OK;
    size_t known = 0;
    for (size_t i = 0; i < v->count; i++)
        if (c->places[v->found[i]].changed <= v->version)
            v->found[known++] = v->found[i];
    v->count = known;
    for (size_t i = 0; i < c->count; i++) {
        enum err e = c->places[i].changed > v->version ? note(v, c, (uint32_t)i) : ERR_OK;
        if (e != ERR_OK)
            return e;
    }
    enum err e = merge(v, c, known);
    if (e == ERR_OK)
        v->version = c->version;
    return e;
}

/* Those with one second key: few, so nothing is kept. */
static enum err gather(struct view *v, const struct collection *c, const char *key)
{
    for (uint32_t at = place_of(c->newest, key); at != NOWHERE; at = c->places[at].older) {
        enum err e = note(v, c, at);
        if (e != ERR_OK)
            return e;
    }
    return merge(v, c, 0);
}

/* The view of a query, or the one least recently used, emptied for it. Takes the query. */
static enum err view_of(struct collection *c, struct rql *query, struct view **ret)
{
    struct buf text;
    buf_init(&text, 2 * RQL_LEN_MAX);
    enum err e = rql_print_list(&text, query);
    struct view *v = &c->views[0];
    for (size_t i = 0; e == ERR_OK && i < STORE_VIEWS; i++) {
        struct view *one = &c->views[i];
        if (one->query != NULL && strcmp(one->text, text.data) == 0) {
            v = one;
            break;
        }
        v = one->used < v->used ? one : v;
    }
    if (e == ERR_OK && v->query != NULL && strcmp(v->text, text.data) == 0) {
        rql_free(query);
    } else {
        view_free(v);
        *v = (struct view){.query = query, .text = e == ERR_OK ? strdup(text.data) : NULL};
        if (v->text == NULL) {
            view_free(v);
            e = e != ERR_OK ? e : ERR_NOMEM;
        }
    }
    buf_free(&text);
    v->used = ++c->clock;
    if (e == ERR_OK)
        *ret = v;
    return e;
}

/* "instance_id=PR-1" or "instance_id=PR-1&...": the value of the second key, "" if the query does
 * not begin so. */
static void asked_key(enum store_name n, const char *query, char ret[64])
{
    const char *path = store_second_key(n);
    size_t len = path != NULL ? strlen(path) : 0;
    ret[0] = '\0';
    if (len == 0 || strncmp(query, path, len) != 0 || query[len] != '=')
        return;
    const char *value = query + len + 1;
    size_t size = strspn(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-");
    if (size > 0 && size < 64 && (value[size] == '\0' || value[size] == '&')) {
        memcpy(ret, value, size);
        ret[size] = '\0';
    }
}

static enum err cut(const struct view *v, const struct collection *c, int64_t from, int64_t wanted,
                    struct store_page *ret)
{
    size_t limit = wanted < PAGE_MAX ? (size_t)wanted : PAGE_MAX, offset = (size_t)from;
    size_t count = offset < v->count ? v->count - offset : 0;
    count = count < limit ? count : limit;
    struct json_object *page = json_object_new_array_ext((int)count + 1);
    if (page == NULL)
        return ERR_NOMEM;
    for (size_t i = offset; i < offset + count; i++)
        json_object_array_add(page, json_object_get(c->places[v->found[i]].object));
    /* An empty page: "items 0-0/0", "items 0-0/N" for limit=0, "items N-N/T" beyond the end. */
    size_t first = limit == 0 || v->count == 0 ? 0 : offset;
    *ret = (struct store_page){page, first, count > 0 ? offset + count - 1 : first, v->count};
    return ERR_OK;
}

/* Variables are for rules: Connect's lists know none. */
static bool is_field(void *ctx, const char *path)
{
    const char **variable = ctx;
    *variable = path[0] == '$' ? path : *variable;
    return *variable == NULL;
}

static enum err parse(const char *query, struct rql **ret, struct why *why)
{
    const char *variable = NULL;
    enum err e = rql_parse_url(query, strlen(query), ret, why);
    if (e != ERR_OK)
        return e;
    rql_each_path(*ret, is_field, &variable);
    if (variable == NULL)
        return ERR_OK;
    e = why_set(why, ERR_SYNTAX, "%.64s is no field", variable);
    rql_free(*ret);
    return e;
}

enum err store_page(struct store *s, enum store_name n, const char *key, const char *query,
                    struct store_page *ret, struct why *why)
{
    struct collection *c = &s->collections[n];
    struct rql *q = NULL;
    enum err e = parse(query, &q, why);
    if (e != ERR_OK)
        return e;
    int64_t offset = rql_offset(q, 0), limit = rql_limit(q, PAGE_DEFAULT);
    char asked[64];
    asked_key(n, query, asked);
    if (key == NULL && asked[0] != '\0')
        key = asked;
    if (key != NULL) {
        struct view few = {.query = q};
        e = gather(&few, c, key);
        if (e == ERR_OK)
            e = cut(&few, c, offset, limit, ret);
        view_free(&few);
        return e == ERR_OK ? e : why_set(why, e, "%s", err_text(e));
    }
    struct view *v = NULL;
    e = view_of(c, q, &v);
    if (e == ERR_OK)
        e = mend(v, c);
    if (e == ERR_OK)
        e = cut(v, c, offset, limit, ret);
    return e == ERR_OK ? e : why_set(why, e, "%s", err_text(e));
}
