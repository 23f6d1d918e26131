/* store.c - collections of JSON documents, and their lists. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/jsonx.h"
#include "base/rql.h"
#include "sim/sim.h"

#define PAGE_DEFAULT 100
#define PAGE_MAX     1000

struct json_object *sim_collection(struct sim *s, const char *name)
{
    struct json_object *all = jsonx_array(s->store, name);
    if (all == NULL) {
        all = json_object_new_array();
        json_object_object_add(s->store, name, all);
    }
    return all;
}

struct json_object *sim_find(struct sim *s, const char *collection, const char *id)
{
    struct json_object *all = sim_collection(s, collection);
    for (size_t i = 0; i < json_object_array_length(all); i++) {
        struct json_object *o = json_object_array_get_idx(all, i);
        if (strcmp(jsonx_str(o, "id", ""), id) == 0)
            return o;
    }
    return NULL;
}

void sim_new_id(struct sim *s, const char *prefix, char text[40])
{
    int64_t n = ++s->next_id;
    snprintf(text, 40, "%.8s-%04d-%04d-001", prefix, (int)(n / 10000 % 10000), (int)(n % 10000));
}

struct json_object *sim_now(void)
{
    char text[CLK_ISO_MAX];
    clk_iso(clk_wall_s(), text);
    return json_object_new_string(text);
}

bool sim_is(const struct sim_call *c, const char *method, int count)
{
    int parts = 0;
    while (c->parts[parts] != NULL)
        parts++;
    return parts == count && strcmp(c->method, method) == 0;
}

/* The object with the short names that Connect's older filters use. */
static struct json_object *with_aliases(struct json_object *o)
{
    struct json_object *view = json_object_new_object();
    struct json_object *asset = jsonx_object(o, "asset");
    struct json_object_iterator it = json_object_iter_begin(o), end = json_object_iter_end(o);
    for (; !json_object_iter_equal(&it, &end); json_object_iter_next(&it))
        json_object_object_add(view, json_object_iter_peek_name(&it),
                               json_object_get(json_object_iter_peek_value(&it)));
    if (asset != NULL) {
        json_object_object_add(view, "product_id",
                               json_object_get(jsonx_at(asset, "product", "id", NULL)));
        json_object_object_add(view, "asset_id", json_object_get(jsonx_get(asset, "id")));
    }
    return view;
}

struct found {
    struct json_object *object;
    const struct rql *query;
    size_t index;
};

static int by_ordering(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    int order = rql_compare(x->query, x->object, y->object);
    return order != 0 ? order : (x->index > y->index) - (x->index < y->index);
}

static size_t filter(const struct rql *q, struct json_object *all, struct found *found)
{
    size_t count = 0;
    for (size_t i = 0; i < json_object_array_length(all); i++) {
        struct json_object *o = json_object_array_get_idx(all, i), *view = with_aliases(o);
        if (rql_match(q, view, NULL))
            found[count++] = (struct found){o, q, i};
        json_object_put(view);
    }
    qsort(found, count, sizeof *found, by_ordering);
    return count;
}

bool sim_list(struct sim_call *c, struct json_object *all)
{
    struct rql *q = NULL;
    struct why why;
    if (rql_parse_url(c->query, strlen(c->query), &q, &why) != ERR_OK)
        return sim_error(c, 400, "VAL_001", "query: %s", why.text);
    struct found *found = calloc(json_object_array_length(all) + 1, sizeof *found);
    if (found == NULL) {
        rql_free(q);
        return sim_error(c, 500, "SYS_001", "out of memory");
    }
    size_t total = filter(q, all, found);
    size_t offset = (size_t)rql_offset(q, 0), limit = (size_t)rql_limit(q, PAGE_DEFAULT);
    limit = limit > PAGE_MAX ? PAGE_MAX : limit;
    struct json_object *page = json_object_new_array();
    size_t end = offset + limit < total ? offset + limit : total;
    for (size_t i = offset; i < end; i++)
        json_object_array_add(page, json_object_get(found[i].object));
    /* An empty page: "items 0-0/0", "items 0-0/N" for limit=0, "items N-N/T" beyond the end. */
    size_t first = limit == 0 || total == 0 ? 0 : offset;
    size_t last = end > offset ? end - 1 : first;
    snprintf(c->content_range, sizeof c->content_range, "items %zu-%zu/%zu", first, last, total);
    free(found);
    rql_free(q);
    return sim_ok(c, 200, page);
}
