/* test_store.c - connect-sim's objects, and lists that stay true while these change. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/jsonx.h"
#include "base/rql.h"
#include "json_text.h"
#include "sim/store.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static struct store *store_of(const char *seed)
{
    struct json_object *o = json(seed);
    struct store *s = NULL;
    assert_err(store_new(o, &s, NULL), ERR_OK);
    json_object_put(o);
    return s;
}

static void refuses_wrong_seeds(void **state)
{
    (void)state;
    static const struct {
        const char *seed;
        enum err err;
    } cases[] = {
        {"[]", ERR_TYPE},
        {"5", ERR_TYPE},
        {"{\"nothing\":[]}", ERR_INVALID},
        {"{\"requests\":{}}", ERR_TYPE},
        {"{\"requests\":null}", ERR_TYPE},
        {"{\"requests\":[null]}", ERR_TYPE},
        {"{\"requests\":[{\"id\":5}]}", ERR_TYPE},
        {"{\"requests\":[{\"id\":\"\"}]}", ERR_TYPE},
        {"{\"requests\":[{\"id\":\"a\"},{\"id\":\"b\"},{\"id\":\"a\"}]}", ERR_DUPLICATE},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct json_object *o = json(cases[i].seed);
        struct store *s = NULL;
        struct why why = {""};
        assert_err(store_new(o, &s, &why), cases[i].err);
        assert_null(s);
        assert_string_not_equal(why.text, "");
        json_object_put(o);
    }
    store_free(NULL);
}

static void refuses_wrong_objects_and_queries(void **state)
{
    (void)state;
    struct store *s = store_of("{\"requests\":[{\"id\":\"a\"}]}");
    static const char *const wrong[] = {"{}", "[]", "{\"id\":null}", "{\"id\":[]}"};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        struct json_object *o = json(wrong[i]);
        assert_err(store_add(s, STORE_REQUESTS, o), ERR_TYPE);
        json_object_put(o);
    }
    struct json_object *twice = json("{\"id\":\"a\"}"), *stranger = json("{\"id\":\"b\"}");
    assert_err(store_add(s, STORE_REQUESTS, twice), ERR_DUPLICATE);
    assert_null(store_find(s, STORE_REQUESTS, "b"));
    assert_null(store_find(s, STORE_WEBHOOKS, "a"));
    assert_null(store_newest(s, STORE_REQUESTS, "a"));
    assert_null(store_older(s, STORE_REQUESTS, stranger));
    assert_null(store_first(s, STORE_WEBHOOKS));
    store_changed(s, STORE_REQUESTS, stranger);
    store_remove(s, STORE_REQUESTS, stranger);
    assert_non_null(store_find(s, STORE_REQUESTS, "a"));
    struct store_page page;
    struct why why;
    assert_err(store_page(s, STORE_REQUESTS, NULL, "eq(", &page, &why), ERR_SYNTAX);
    assert_err(store_page(s, STORE_REQUESTS, "a", "eq(", &page, &why), ERR_SYNTAX);
    json_object_put(twice);
    json_object_put(stranger);
    store_free(s);
}

static void finds_by_the_second_key(void **state)
{
    (void)state;
    struct store *s = store_of("{\"requests\":["
                               "{\"id\":\"1\",\"asset\":{\"id\":\"x\"}},"
                               "{\"id\":\"2\",\"asset\":{\"id\":\"y\"}},"
                               "{\"id\":\"3\",\"asset\":{\"id\":5}},"
                               "{\"id\":\"4\",\"asset\":{\"id\":\"x\"}}]}");
    struct json_object *r = store_newest(s, STORE_REQUESTS, "x");
    assert_string_equal(jsonx_str(r, "id", ""), "4");
    r = store_older(s, STORE_REQUESTS, r);
    assert_string_equal(jsonx_str(r, "id", ""), "1");
    assert_null(store_older(s, STORE_REQUESTS, r));
    assert_null(store_newest(s, STORE_REQUESTS, "5"));
    store_free(s);
}

/* The ids on a page, and its place: "2,4 (0-1/7)". */
static void ids(struct store *s, const char *query, char *ret, size_t size)
{
    struct store_page page;
    assert_err(store_page(s, STORE_REQUESTS, NULL, query, &page, NULL), ERR_OK);
    size_t len = 0;
    for (size_t i = 0; i < json_object_array_length(page.objects); i++)
        len += (size_t)snprintf(ret + len, size - len, "%s,",
                                jsonx_str(json_object_array_get_idx(page.objects, i), "id", "?"));
    snprintf(ret + len, size - len, " (%zu-%zu/%zu)", page.first, page.last, page.total);
    json_object_put(page.objects);
}

static unsigned next(unsigned *seed, unsigned n)
{
    *seed = *seed * 1103515245U + 12345U;
    return (*seed >> 16) % n;
}

/* A store that is asked again and again while objects come, change and go answers what one does
 * that is made of the same objects and asked for the first time. */
static void lists_stay_true(void **state)
{
    (void)state;
    static const char *const queries[] = {
        "", "status=1", "ordering(n)", "ordering(-n)&limit=7&offset=3",
        "in(status,(0,2))&ordering(n)", "ne(status,2)&ordering(-status,n)&limit=20",
        "gt(n,5)&ordering(status)", "product_id=P1", "asset.id=A3&ordering(-n)", "status=1&limit=0",
        "status=1&offset=3", "n=99",
        /* more lists than are kept */
        "n=0", "n=1", "n=2", "n=3", "n=4", "n=5", "n=6", "n=7"};
    unsigned seed = 7;
    struct json_object *kept = json_object_new_array(); /* what the store should have */
    struct store *s = store_of("{}");
    for (int step = 0; step < 600; step++) {
        size_t count = json_object_array_length(kept);
        size_t at = count > 0 ? next(&seed, (unsigned)count) : 0;
        unsigned what = next(&seed, 10);
        if (count == 0 || what < 4) {
            char text[128];
            snprintf(text, sizeof text,
                     "{\"id\":\"%d\",\"status\":%u,\"n\":%u,\"asset\":{\"id\":\"A%u\","
                     "\"product\":{\"id\":\"P%u\"}}}",
                     step, next(&seed, 3), next(&seed, 10), next(&seed, 5), next(&seed, 2));
            struct json_object *o = json(text);
            assert_err(store_add(s, STORE_REQUESTS, o), ERR_OK);
            json_object_array_add(kept, o);
        } else {
            struct json_object *o = json_object_array_get_idx(kept, at);
            json_object_object_add(o, "status", json_object_new_int((int)next(&seed, 3)));
            json_object_object_add(o, "n", json_object_new_int((int)next(&seed, 10)));
            store_changed(s, STORE_REQUESTS, o);
        }
        if (next(&seed, 3) == 0)
            continue;
        struct json_object *all = json_object_new_object();
        json_object_object_add(all, "requests", json_object_get(kept));
        struct store *fresh = NULL;
        assert_err(store_new(all, &fresh, NULL), ERR_OK);
        for (size_t i = 0; i < COUNT(queries); i++) {
            char got[8192], want[8192];
            if (next(&seed, 2) == 0)
                continue;
            ids(s, queries[i], got, sizeof got);
            ids(fresh, queries[i], want, sizeof want);
            assert_string_equal(got, want);
        }
        store_free(fresh);
        json_object_put(all);
    }
    json_object_put(kept);
    store_free(s);
}

static void what_is_removed_is_gone(void **state)
{
    (void)state;
    char got[64];
    struct store *s = store_of("{\"webhooks\":[{\"id\":\"a\"},{\"id\":\"b\"},{\"id\":\"c\"}]}");
    for (int turn = 0; turn < 3; turn++) {
        struct store_page page;
        assert_err(store_page(s, STORE_WEBHOOKS, NULL, "ordering(-id)", &page, NULL), ERR_OK);
        assert_int_equal(page.total, 3 - turn);
        json_object_put(page.objects);
        store_remove(s, STORE_WEBHOOKS, store_first(s, STORE_WEBHOOKS));
    }
    assert_null(store_first(s, STORE_WEBHOOKS));
    struct json_object *again = json("{\"id\":\"a\"}");
    assert_err(store_add(s, STORE_WEBHOOKS, again), ERR_OK);
    assert_ptr_equal(store_find(s, STORE_WEBHOOKS, "a"), again);
    json_object_put(again);
    ids(s, "", got, sizeof got);
    assert_string_equal(got, " (0-0/0)");
    store_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_wrong_seeds),
        cmocka_unit_test(refuses_wrong_objects_and_queries),
        cmocka_unit_test(finds_by_the_second_key),
        cmocka_unit_test(lists_stay_true),
        cmocka_unit_test(what_is_removed_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
