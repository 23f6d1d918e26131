/* store.c - collections of JSON documents. */
#include "sim/store.h"

#include <stdlib.h>
#include <string.h>

#include "base/jsonx.h"
#include "base/rql.h"
#include "sim/store_priv.h"

#define FIRST_CAP   16 /* places of the first allocation */
#define TABLE_FIRST 16 /* entries that a table begins with */

static const struct {
    const char *name, *key;
} kinds[] = {
#define X(code, name, key) {name, key},
    STORE_LIST(X)
#undef X
};

const char *store_second_key(enum store_name n)
{
    return kinds[n].key;
}

uint32_t place_of(struct lh_table *table, const char *text)
{
    void *found = NULL;
    return lh_table_lookup_ex(table, text, &found) ? (uint32_t)((uintptr_t)found - 1) : NOWHERE;
}

/* The keys of a table are texts of stored documents, and live as long as these. */
static enum err note(struct lh_table *table, const char *text, size_t place)
{
    struct lh_entry *known = lh_table_lookup_entry(table, text);
    if (known != NULL)
        known->v = (void *)(uintptr_t)(place + 1);
    else if (lh_table_insert(table, text, (void *)(uintptr_t)(place + 1)) != 0)
        return ERR_NOMEM;
    return ERR_OK;
}

static const char *second_key(enum store_name n, struct json_object *object)
{
    struct json_object *value = kinds[n].key != NULL ? rql_lookup(kinds[n].key, object, NULL)
                                                     : NULL;
    return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
}

static enum err grow(struct collection *c)
{
    if (c->count < c->cap)
        return ERR_OK;
    size_t cap = c->cap > 0 ? c->cap * 2 : FIRST_CAP;
    struct place *places = cap < NOWHERE ? realloc(c->places, cap * sizeof *places) : NULL;
    if (places == NULL)
        return ERR_NOMEM;
    c->places = places;
    c->cap = cap;
    return ERR_OK;
}

enum err store_add(struct store *s, enum store_name n, struct json_object *object)
{
    struct collection *c = &s->collections[n];
    const char *id = jsonx_str(object, "id", NULL), *key = second_key(n, object);
    if (id == NULL || *id == '\0')
        return ERR_TYPE;
    if (place_of(c->by_id, id) != NOWHERE)
        return ERR_DUPLICATE;
    enum err e = grow(c);
    uint32_t older = key != NULL ? place_of(c->newest, key) : NOWHERE;
    if (e == ERR_OK)
        e = note(c->by_id, id, c->count);
    if (e == ERR_OK && key != NULL)
        e = note(c->newest, key, c->count);
    if (e != ERR_OK)
        return e;
    c->places[c->count++] = (struct place){json_object_get(object), ++c->version, older};
    return ERR_OK;
}

static struct json_object *object_at(const struct collection *c, uint32_t place)
{
    return place != NOWHERE ? c->places[place].object : NULL;
}

struct json_object *store_find(const struct store *s, enum store_name n, const char *id)
{
    const struct collection *c = &s->collections[n];
    return object_at(c, place_of(c->by_id, id));
}

struct json_object *store_first(const struct store *s, enum store_name n)
{
    const struct collection *c = &s->collections[n];
    for (size_t i = 0; i < c->count; i++)
        if (c->places[i].object != NULL)
            return c->places[i].object;
    return NULL;
}

size_t store_count(const struct store *s, enum store_name n)
{
    return s->collections[n].count;
}

struct json_object *store_at(const struct store *s, enum store_name n, size_t i)
{
    return s->collections[n].places[i].object;
}

struct json_object *store_newest(const struct store *s, enum store_name n, const char *key)
{
    const struct collection *c = &s->collections[n];
    return object_at(c, place_of(c->newest, key));
}

struct json_object *store_older(const struct store *s, enum store_name n,
                                const struct json_object *object)
{
    const struct collection *c = &s->collections[n];
    uint32_t place = place_of(c->by_id, jsonx_str(object, "id", ""));
    return place != NOWHERE ? object_at(c, c->places[place].older) : NULL;
}

void store_changed(struct store *s, enum store_name n, const struct json_object *object)
{
    struct collection *c = &s->collections[n];
    uint32_t place = place_of(c->by_id, jsonx_str(object, "id", ""));
    if (place != NOWHERE)
        c->places[place].changed = ++c->version;
}

enum err store_replace(struct store *s, enum store_name n, struct json_object *object)
{
    struct collection *c = &s->collections[n];
    const char *id = jsonx_str(object, "id", "");
    uint32_t place = place_of(c->by_id, id);
    if (place == NOWHERE)
        return store_add(s, n, object);
    struct json_object *old = c->places[place].object;
    c->places[place].object = json_object_get(object);
    c->places[place].changed = ++c->version;
    /* The table's key is a text of the document that goes. */
    lh_table_delete(c->by_id, id);
    enum err e = note(c->by_id, id, place);
    json_object_put(old);
    return e;
}

/* Only of collections without a second key: their objects need not be found by it any more. */
void store_remove(struct store *s, enum store_name n, const struct json_object *object)
{
    struct collection *c = &s->collections[n];
    const char *id = jsonx_str(object, "id", "");
    uint32_t place = place_of(c->by_id, id);
    if (place == NOWHERE)
        return;
    lh_table_delete(c->by_id, id);
    json_object_put(c->places[place].object);
    c->places[place] = (struct place){NULL, ++c->version, NOWHERE};
}

/* ------------------------------------------------------------------- a seed */

static enum err load(struct store *s, enum store_name n, struct json_object *objects,
                     struct why *why)
{
    if (!json_object_is_type(objects, json_type_array))
        return why_set(why, ERR_TYPE, "%s: an array is needed", kinds[n].name);
    for (size_t i = 0; i < json_object_array_length(objects); i++) {
        struct json_object *o = json_object_array_get_idx(objects, i);
        enum err e = store_add(s, n, o);
        if (e == ERR_TYPE)
            return why_set(why, e, "%s[%zu]: an object with an id is needed", kinds[n].name, i);
        if (e != ERR_OK)
            return why_set(why, e, "%s[%zu]: %.80s: %s", kinds[n].name, i, jsonx_str(o, "id", ""),
                           err_text(e));
    }
    return ERR_OK;
}

static enum err load_member(struct store *s, const char *name, struct json_object *objects,
                            struct why *why)
{
    for (int n = 0; n < STORE__COUNT; n++)
        if (strcmp(kinds[n].name, name) == 0)
            return load(s, (enum store_name)n, objects, why);
    return why_set(why, ERR_INVALID, "%.80s: there is no such collection", name);
}

enum err store_new(struct json_object *seed, struct store **ret, struct why *why)
{
    if (seed != NULL && !json_object_is_type(seed, json_type_object))
        return why_set(why, ERR_TYPE, "an object of collections is needed");
    struct store *s = calloc(1, sizeof *s);
    enum err e = s != NULL ? ERR_OK : ERR_NOMEM;
    for (int n = 0; e == ERR_OK && n < STORE__COUNT; n++) {
        s->collections[n].name = (enum store_name)n;
        s->collections[n].by_id = lh_kchar_table_new(TABLE_FIRST, NULL);
        s->collections[n].newest = lh_kchar_table_new(TABLE_FIRST, NULL);
        if (s->collections[n].by_id == NULL || s->collections[n].newest == NULL)
            e = ERR_NOMEM;
    }
    if (e == ERR_OK && seed != NULL) {
        struct json_object_iterator it = json_object_iter_begin(seed),
                                    end = json_object_iter_end(seed);
        for (; e == ERR_OK && !json_object_iter_equal(&it, &end); json_object_iter_next(&it))
            e = load_member(s, json_object_iter_peek_name(&it), json_object_iter_peek_value(&it),
                            why);
    }
    if (e == ERR_NOMEM)
        why_set(why, e, "out of memory");
    if (e == ERR_OK)
        *ret = s;
    else
        store_free(s);
    return e;
}

void store_free(struct store *s)
{
    for (int n = 0; s != NULL && n < STORE__COUNT; n++) {
        struct collection *c = &s->collections[n];
        for (size_t i = 0; i < STORE_VIEWS; i++)
            view_free(&c->views[i]);
        if (c->by_id != NULL)
            lh_table_free(c->by_id);
        if (c->newest != NULL)
            lh_table_free(c->newest);
        for (size_t i = 0; i < c->count; i++)
            json_object_put(c->places[i].object);
        free(c->places);
    }
    free(s);
}
