/* quote.c - ${path} in the texts of a rule's decision. */
#include "policy/quote.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/jsonx.h"
#include "base/utf8.h"

/* What makes another text of a text: owned by the caller, NULL if memory ran out. */
typedef char *filter_fn(const char *text);

static const struct filter {
    const char *name;
    filter_fn *fn;
} filters[] = {{"trim", utf8_trim}, {"lower", utf8_lower}, {"upper", utf8_upper}};

/* "${" PATH {"|" FILTER} [":-" DEFAULT] "}", taken apart. */
struct quote {
    char path[RQL_KEY_MAX];
    filter_fn *filters[QUOTE_FILTERS_MAX + 1]; /* ends with a NULL */
    const char *otherwise;                     /* NULL if there is none */
    size_t otherwise_len;
    size_t len; /* of the whole */
};

bool quote_path_known(const char *path)
{
    static const char *const known[] = {"$object", "$event", "$webhook.id", "$webhook.type",
                                        "$webhook.data"};
    if (path[0] != '$' || strcmp(path, "$attempt") == 0)
        return true;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        size_t len = strlen(known[i]);
        if (strncmp(path, known[i], len) == 0 && strchr(".[", path[len]) != NULL) /* or the end */
            return true;
    }
    return false;
}

/* What stands between `at`, behind the path, and `end`. */
static enum err take_filters(const char *at, const char *end, struct quote *ret, struct why *why)
{
    for (size_t count = 0; at < end; count++) {
        const char *name = at + 1, *behind = memchr(name, '|', (size_t)(end - name));
        at = behind != NULL ? behind : end;
        size_t len = (size_t)(at - name);
        filter_fn *fn = NULL;
        for (size_t i = 0; i < sizeof filters / sizeof *filters; i++)
            if (strlen(filters[i].name) == len && memcmp(filters[i].name, name, len) == 0)
                fn = filters[i].fn;
        if (fn == NULL)
            return why_set(why, ERR_POLICY, "${%s|%.*s}: there are " QUOTE_FILTERS, ret->path,
                           (int)(len < 40 ? len : 40), name);
        if (count == QUOTE_FILTERS_MAX)
            return why_set(why, ERR_POLICY, "${%s|...}: at most %d of " QUOTE_FILTERS, ret->path,
                           QUOTE_FILTERS_MAX);
        ret->filters[count] = fn;
    }
    return ERR_OK;
}

/* `at` points to "${". */
static enum err take_apart(const char *at, struct quote *ret, struct why *why)
{
    const char *close = strchr(at, '}');
    if (close == NULL)
        return why_set(why, ERR_POLICY, "%.64s: this ${ is never closed", at);
    *ret = (struct quote){.len = (size_t)(close - at) + 1};
    const char *otherwise = memmem(at, ret->len, ":-", 2);
    const char *end = otherwise != NULL ? otherwise : close;
    const char *bar = memchr(at, '|', (size_t)(end - at));
    size_t path_len = (size_t)((bar != NULL ? bar : end) - at) - 2;
    if (path_len >= sizeof ret->path)
        return why_set(why, ERR_POLICY, "%.64s...: the path is too long", at);
    memcpy(ret->path, at + 2, path_len);
    ret->otherwise = otherwise != NULL ? otherwise + 2 : NULL;
    ret->otherwise_len = otherwise != NULL ? (size_t)(close - otherwise) - 2 : 0;
    if (!rql_path_valid(ret->path))
        return why_set(why, ERR_POLICY, "${%s}: not a path", ret->path);
    if (!quote_path_known(ret->path))
        return why_set(why, ERR_POLICY, "${%s}: unknown; there are " QUOTE_VARS, ret->path);
    return bar != NULL ? take_filters(bar, end, ret, why) : ERR_OK;
}

/* *ret_text: what the filters make of the text; owned. */
static enum err filter(const struct quote *q, const char *text, char **ret_text)
{
    char *made = strdup(text);
    for (filter_fn *const *fn = q->filters; *fn != NULL && made != NULL; fn++) {
        char *before = made;
        made = (*fn)(before);
        free(before);
    }
    if (made == NULL)
        return ERR_NOMEM;
    *ret_text = made;
    return ERR_OK;
}

static enum err add_quote(struct buf *b, const struct quote *q, const struct quote_source *from,
                          struct why *why)
{
    struct json_object *value = rql_lookup(q->path, from->object, from->vars);
    bool tree = json_object_is_type(value, json_type_object) ||
                json_object_is_type(value, json_type_array);
    char *text = NULL;
    if (tree && q->otherwise == NULL)
        return why_set(why, ERR_POLICY, "${%s} is no text but a list or an object", q->path);
    if (value == NULL && q->otherwise == NULL && !from->has_gaps)
        return why_set(why, ERR_POLICY, "${%s} leads nowhere; give it a default: ${%s:-...}",
                       q->path, q->path);
    enum err e = filter(q, value != NULL && !tree ? json_object_get_string(value) : "", &text);
    if (e != ERR_OK)
        return e;
    if (q->otherwise != NULL && text[0] == '\0')
        e = buf_add(b, q->otherwise, q->otherwise_len);
    else
        e = buf_addstr(b, text);
    free(text);
    return e;
}

/* Fill in the quotes of one text; with `b` NULL only look whether they are well-formed. */
static enum err expand_text(struct buf *b, const char *text, const struct quote_source *from,
                            struct why *why)
{
    const char *at;
    for (; (at = strstr(text, "${")) != NULL; text = at) {
        struct quote q;
        bool plain = at > text && at[-1] == '$';
        if (b != NULL)
            buf_add(b, text, (size_t)(at - text));
        if (plain) { /* "$${": its first character is added already */
            if (b != NULL)
                buf_addc(b, '{');
            at += 2;
            continue;
        }
        enum err e = take_apart(at, &q, why);
        if (e == ERR_OK && b != NULL)
            e = add_quote(b, &q, from, why);
        if (e != ERR_OK)
            return e;
        at += q.len;
    }
    return b != NULL ? buf_addstr(b, text) : ERR_OK;
}

struct expanding {
    const struct quote_source *from;
    struct why *why;
};

static enum err expand_leaf(void *ctx, struct json_object *leaf, struct json_object **ret)
{
    const struct expanding *x = ctx;
    struct buf b;
    if (!json_object_is_type(leaf, json_type_string)) {
        *ret = jsonx_copy(leaf);
        return *ret != NULL ? ERR_OK : ERR_NOMEM;
    }
    buf_init(&b, QUOTE_TEXT_MAX);
    enum err e = expand_text(&b, json_object_get_string(leaf), x->from, x->why);
    if (e == ERR_OK && (*ret = json_object_new_string_len(b.data, (int)b.len)) == NULL)
        e = ERR_NOMEM;
    if (b.err != ERR_OK)
        e = why_set(x->why, b.err, "a text with its quotes filled in: %s", err_text(b.err));
    buf_free(&b);
    return e;
}

/* Nothing of `json` is shared with the copy: other threads may expand the same rule, and json-c's
 * references are not counted safely. */
enum err quote_expand(struct json_object *json, const struct quote_source *from,
                      struct json_object **ret, struct why *why)
{
    struct expanding x = {from, why};
    enum err e = jsonx_map(json, expand_leaf, &x, ret);
    return e == ERR_NOMEM ? why_no_memory(why) : e;
}

struct checking {
    struct why *why;
    enum err err;
};

static bool check_text(void *ctx, struct json_object *at)
{
    struct checking *c = ctx;
    if (json_object_is_type(at, json_type_string))
        c->err = expand_text(NULL, json_object_get_string(at), NULL, c->why);
    return c->err == ERR_OK;
}

enum err quote_check(struct json_object *json, struct why *why)
{
    struct checking c = {why, ERR_OK};
    jsonx_visit(json, check_text, &c);
    return c.err;
}
