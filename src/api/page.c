/* page.c - Connect's lists, page by page. */
#include "api/page.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/exchange.h"
#include "base/jsonx.h"

#define PAGES_MAX (2 * API_LIST_MAX / API_PAGE_SIZE)

/* "items 0-9/120" */
struct range {
    int64_t first, last, total;
};

struct list {
    const char *path;
    api_each_fn *fn;
    void *ctx;
    struct json_object *seen; /* a set: ids that were passed */
    int64_t offset;           /* of the page to read next */
    int64_t total;            /* as told last; -1 if the server does not tell */
    int64_t furthest;         /* where the furthest page so far ended */
    bool done;
};

static bool parse_range(const char *text, struct range *ret)
{
    struct range r;
    int end = 0;
    /* Nine digits cannot overflow. NOLINTNEXTLINE(cert-err34-c) */
    if (sscanf(text, "items %9" SCNd64 "-%9" SCNd64 "/%9" SCNd64 "%n", &r.first, &r.last, &r.total,
               &end) != 3 ||
        text[end] != '\0' || r.first < 0 || r.last < r.first || r.total < 0)
        return false;
    *ret = r;
    return true;
}

static enum err nonsense(struct api_call *call, const struct list *l, const char *what)
{
    return why_set(&call->why, ERR_HTTP_ANSWER, "GET %.*s: offset %" PRId64 ": %s",
                   (int)strcspn(l->path, "?"), l->path, l->offset, what);
}

/* Pass the objects of one page that were not passed before; count them. */
static enum err pass(struct api_call *call, struct list *l, struct json_object *page, size_t *fresh)
{
    for (size_t i = 0; i < json_object_array_length(page) && !l->done; i++) {
        struct json_object *object = json_object_array_get_idx(page, i);
        const char *id = jsonx_str(object, "id", NULL);
        if (id == NULL)
            return nonsense(call, l, "an object without an id");
        if (json_object_object_get_ex(l->seen, id, NULL))
            continue;
        if (json_object_object_add(l->seen, id, NULL) != 0)
            return why_set(&call->why, ERR_NOMEM, "out of memory");
        ++*fresh;
        if (json_object_object_length(l->seen) > API_LIST_MAX)
            return nonsense(call, l, "the list is too long");
        l->done = !l->fn(l->ctx, object);
    }
    return ERR_OK;
}

/* Where the next page begins, if there is one. */
static enum err advance(struct api_call *call, struct list *l, int64_t n, size_t fresh,
                        const char *range_text)
{
    struct range r;
    bool told = parse_range(range_text, &r);
    if (told && n > 0 && r.first != l->offset)
        return nonsense(call, l, "the server gave another page than the one asked for");
    if (told && n > 0 && r.last - r.first + 1 != n)
        return nonsense(call, l, "Content-Range does not count what the page holds");
    if (n > 0 && fresh == 0 && l->offset >= l->furthest)
        return nonsense(call, l, "the server repeats itself");

    int64_t end = l->offset + n;
    int64_t left_list = told && l->total > r.total ? l->total - r.total : 0;
    l->total = told ? r.total : -1;
    l->furthest = end > l->furthest ? end : l->furthest;
    if (left_list > 0 && r.total > 0) {
        /* As many may have been skipped before this page: go back for them. */
        l->offset = left_list < l->offset ? l->offset - left_list : 0;
        return ERR_OK;
    }
    /* A server may cut pages shorter than asked for: only its own total ends such a list. */
    l->done = n == 0 || (told ? end >= r.total : n < API_PAGE_SIZE);
    l->offset = end;
    return ERR_OK;
}

static enum err read_page(struct api *a, struct api_call *call, struct list *l)
{
    char path[API_PATH_MAX], range[64];
    struct json_object *page;
    int len = snprintf(path, sizeof path, "%s&limit=%d&offset=%" PRId64, l->path, API_PAGE_SIZE,
                       l->offset);
    if (len < 0 || (size_t)len >= sizeof path)
        return why_set(&call->why, ERR_TOO_BIG, "the query of the list is too long");
    enum err e = exchange_get(a, call, path, json_type_array, &page, range);
    if (e != ERR_OK)
        return e;
    size_t fresh = 0;
    e = pass(call, l, page, &fresh);
    if (e == ERR_OK && !l->done)
        e = advance(call, l, (int64_t)json_object_array_length(page), fresh, range);
    json_object_put(page);
    return e;
}

enum err page_each(struct api *a, struct api_call *call, const char *path, api_each_fn *fn,
                   void *ctx)
{
    struct list l = {.path = path, .fn = fn, .ctx = ctx, .total = -1};
    enum err e = ERR_OK;
    l.seen = json_object_new_object();
    if (l.seen == NULL)
        return why_set(&call->why, ERR_NOMEM, "out of memory");
    for (int pages = 0; e == ERR_OK && !l.done; pages++)
        e = pages < PAGES_MAX ? read_page(a, call, &l) : nonsense(call, &l, "the list never ends");
    json_object_put(l.seen);
    return e;
}
