/* page.c - Connect's lists, page by page. */
#include "api/page.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/exchange.h"
#include "base/jsonx.h"

#define PAGES_MAX (2 * API_LIST_MAX / API_PAGE_SIZE)
#define LOST_MAX  16 /* objects that make their page unreadable; a list with more is so itself */

/* "items 0-9/120" */
struct range {
    int64_t first, last, total;
};

struct list {
    struct api_call *call;
    const char *path;
    api_each_fn *fn;
    void *ctx;
    struct json_object *seen; /* a set: ids that were passed, and places of what has none */
    int64_t limit;            /* objects asked for at once */
    int64_t offset;           /* of the page to read next */
    int64_t total;            /* as told last; -1 if the server does not tell */
    int64_t furthest;         /* where the furthest page so far ended */
    int lost;                 /* objects that no page could be read with */
    bool done;

    /* The page that is being passed. */
    int64_t count;
    size_t fresh; /* elements of it that were not passed before */
    enum err err;
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

static enum err nonsense(const struct list *l, const char *what)
{
    return result_set(&l->call->result, ERR_HTTP_ANSWER, "GET %.*s: offset %" PRId64 ": %s",
                      (int)strcspn(l->path, "?"), l->path, l->offset, what);
}

static enum err no_memory(const struct list *l)
{
    return result_no_memory(&l->call->result);
}

/* ---------------------------------------------------------------------- one element */

/* Pass what was not passed before. */
static enum err pass(struct list *l, const struct api_element *e)
{
    char place[32];
    snprintf(place, sizeof place, "#%" PRId64, e->place);
    const char *key = e->id[0] != '\0' ? e->id : place;
    if (json_object_object_get_ex(l->seen, key, NULL))
        return ERR_OK;
    if (json_object_object_add(l->seen, key, NULL) != 0)
        return no_memory(l);
    l->fresh++;
    if (json_object_object_length(l->seen) > API_LIST_MAX)
        return nonsense(l, "the list is too long");
    l->done = !l->fn(l->ctx, e);
    return ERR_OK;
}

/* An id is a text; a number that stands for one is what people would look for. */
static const char *id_of(struct json_object *object)
{
    struct json_object *id = jsonx_get(object, "id");
    bool is_word = json_object_is_type(id, json_type_string) ||
                   json_object_is_type(id, json_type_int) ||
                   json_object_is_type(id, json_type_double);
    return is_word ? json_object_get_string(id) : "";
}

static bool take_element(void *ctx, const char *text, size_t len)
{
    struct list *l = ctx;
    struct json_object *value = NULL;
    struct why why = {""};
    char loose[OBJECT_ID_MAX] = "";
    struct api_element element = {.id = "", .place = l->offset + l->count++, .why = why.text};
    element.err = jsonx_parse(text, len, len, &value, &why);
    if (element.err == ERR_OK && !json_object_is_type(value, json_type_object))
        element.err = why_set(&why, ERR_TYPE, "is no object");
    if (element.err == ERR_OK) {
        element.object = value;
        element.id = id_of(value);
    } else if (jsonx_loose_text(text, len, "id", loose, sizeof loose)) {
        element.id = loose;
    }
    l->err = element.err == ERR_NOMEM ? no_memory(l) : pass(l, &element);
    json_object_put(value);
    return l->err == ERR_OK && !l->done;
}

/* ------------------------------------------------------------------------- one page */

/* Where the next page begins, if there is one. */
static enum err advance(struct list *l, const char *range_text)
{
    struct range r;
    int64_t n = l->count;
    bool told = parse_range(range_text, &r);
    if (told && n > 0 && r.first != l->offset)
        return nonsense(l, "the server gave another page than the one asked for");
    if (told && n > 0 && r.last - r.first + 1 != n)
        return nonsense(l, "Content-Range does not count what the page holds");
    bool repeats = n > 0 && l->fresh == 0 && l->offset >= l->furthest;
    if (repeats && told)
        return nonsense(l, "the server repeats itself");

    int64_t end = l->offset + n;
    int64_t left_list = told && l->total > r.total ? l->total - r.total : 0;
    l->total = told ? r.total : -1;
    l->furthest = end > l->furthest ? end : l->furthest;
    if (left_list > 0 && r.total > 0) {
        /* As many may have been skipped before this page: go back for them. */
        l->offset = left_list < l->offset ? l->offset - left_list : 0;
        return ERR_OK;
    }
    /*
     * A server, or a gateway before it, may cut pages shorter than asked for: such a list ends
     * where its total says, else at an empty page. One that knows no pages gives all of it again.
     */
    l->done = n == 0 || repeats || (told && end >= r.total);
    l->offset = end;
    return ERR_OK;
}

/*
 * The page is too big, or one of its objects hides where the next begins: ask for fewer, down to
 * the one whose fault it is, and go on behind it.
 */
static enum err shrink(struct list *l, enum err err, const char *id, const char *why)
{
    if (l->limit > 1) {
        l->limit /= 2;
        return ERR_OK;
    }
    if (++l->lost > LOST_MAX)
        return result_set(&l->call->result, err,
                          "GET %.*s: more than %d objects cannot be read: %s",
                          (int)strcspn(l->path, "?"), l->path, LOST_MAX, why);
    const struct api_element element = {.id = id, .place = l->offset, .err = err, .why = why};
    enum err e = pass(l, &element);
    l->offset++;
    l->limit = API_PAGE_SIZE;
    return e;
}

static enum err pass_page(struct list *l, const struct http_response *answer)
{
    const struct buf *body = &answer->body;
    char id[OBJECT_ID_MAX] = "";
    struct why why;
    l->count = 0;
    l->fresh = 0;
    l->err = ERR_OK;
    enum err e = jsonx_each(body->data, body->len, HTTP_ANSWER_MAX, take_element, l, &why);
    if (e != ERR_OK && exchange_is_whole(body, '[', ']')) {
        (void)jsonx_loose_text(body->data + 1, body->len - 1, "id", id, sizeof id);
        return shrink(l, e, id, why.text);
    }
    if (e != ERR_OK)
        return exchange_unreadable(l->call, ERR_HTTP_ANSWER, "GET", l->path, answer, why.text);
    if (l->err != ERR_OK || l->done)
        return l->err;
    return advance(l, answer->content_range);
}

static enum err read_page(struct api *a, struct list *l)
{
    struct http_response answer;
    char path[API_PATH_MAX];
    int len = snprintf(path, sizeof path, "%s&limit=%" PRId64 "&offset=%" PRId64, l->path, l->limit,
                       l->offset);
    if (len < 0 || (size_t)len >= sizeof path)
        return result_set(&l->call->result, ERR_INVALID, "the query of the list is too long");
    enum err e = exchange_get(a, l->call, path, &answer);
    if (e == ERR_TOO_BIG)
        return shrink(l, e, "", "is larger than an answer may be");
    if (e != ERR_OK)
        return e;
    e = pass_page(l, &answer);
    http_response_free(&answer);
    return e;
}

enum err page_each(struct api *a, struct api_call *call, const char *path, api_each_fn *fn,
                   void *ctx)
{
    struct list l = {.call = call,
                     .path = path,
                     .fn = fn,
                     .ctx = ctx,
                     .seen = json_object_new_object(),
                     .limit = API_PAGE_SIZE,
                     .total = -1};
    enum err e = l.seen != NULL ? ERR_OK : no_memory(&l);
    for (int pages = 0; e == ERR_OK && !l.done; pages++)
        e = pages < PAGES_MAX ? read_page(a, &l) : nonsense(&l, "the list never ends");
    json_object_put(l.seen);
    return e;
}
