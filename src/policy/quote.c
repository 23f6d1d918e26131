/* quote.c - ${path} in the texts of a rule's decision. */
#include "policy/quote.h"

#include <string.h>

#include "base/buf.h"
#include "base/jsonx.h"

/* "${" PATH [":-" DEFAULT] "}", taken apart. */
struct quote {
    char path[RQL_KEY_MAX];
    const char *otherwise; /* NULL if there is none */
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

/* `at` points to "${". */
static enum err take_apart(const char *at, struct quote *ret, struct why *why)
{
    const char *close = strchr(at, '}');
    if (close == NULL)
        return why_set(why, ERR_POLICY, "%.64s: this ${ is never closed", at);
    ret->len = (size_t)(close - at) + 1;
    const char *otherwise = memmem(at, ret->len, ":-", 2);
    size_t path_len = (size_t)((otherwise != NULL ? otherwise : close) - at) - 2;
    if (path_len >= sizeof ret->path)
        return why_set(why, ERR_POLICY, "%.64s...: the path is too long", at);
    memcpy(ret->path, at + 2, path_len);
    ret->path[path_len] = '\0';
    ret->otherwise = otherwise != NULL ? otherwise + 2 : NULL;
    ret->otherwise_len = otherwise != NULL ? (size_t)(close - otherwise) - 2 : 0;
    if (!rql_path_valid(ret->path))
        return why_set(why, ERR_POLICY, "${%s}: not a path", ret->path);
    if (!quote_path_known(ret->path))
        return why_set(why, ERR_POLICY, "${%s}: unknown; there are " QUOTE_VARS, ret->path);
    return ERR_OK;
}

static enum err add_quote(struct buf *b, const struct quote *q, const struct json_object *object,
                          const struct rql_var *vars, struct why *why)
{
    struct json_object *value = rql_lookup(q->path, object, vars);
    bool tree = json_object_is_type(value, json_type_object) ||
                json_object_is_type(value, json_type_array);
    const char *text = value != NULL && !tree ? json_object_get_string(value) : NULL;
    if (q->otherwise != NULL && (text == NULL || text[0] == '\0'))
        return buf_add(b, q->otherwise, q->otherwise_len);
    if (tree)
        return why_set(why, ERR_POLICY, "${%s} is no text but a list or an object", q->path);
    if (text == NULL)
        return why_set(why, ERR_POLICY, "${%s} leads nowhere; give it a default: ${%s:-...}",
                       q->path, q->path);
    return buf_addstr(b, text);
}

/* Fill in the quotes of one text; with `b` NULL only look whether they are well-formed. */
static enum err expand_text(struct buf *b, const char *text, const struct json_object *object,
                            const struct rql_var *vars, struct why *why)
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
            e = add_quote(b, &q, object, vars, why);
        if (e != ERR_OK)
            return e;
        at += q.len;
    }
    return b != NULL ? buf_addstr(b, text) : ERR_OK;
}

/* What quotes are filled in from. */
struct source {
    const struct json_object *object;
    const struct rql_var *vars;
    struct why *why;
};

static enum err expand_leaf(void *ctx, struct json_object *leaf, struct json_object **ret)
{
    const struct source *s = ctx;
    struct buf b;
    if (!json_object_is_type(leaf, json_type_string)) {
        *ret = jsonx_copy(leaf);
        return *ret != NULL ? ERR_OK : ERR_NOMEM;
    }
    buf_init(&b, QUOTE_TEXT_MAX);
    enum err e = expand_text(&b, json_object_get_string(leaf), s->object, s->vars, s->why);
    if (e == ERR_OK && (*ret = json_object_new_string_len(b.data, (int)b.len)) == NULL)
        e = ERR_NOMEM;
    if (b.err != ERR_OK)
        e = why_set(s->why, b.err, "a text with its quotes filled in: %s", err_text(b.err));
    buf_free(&b);
    return e;
}

/* Nothing of `json` is shared with the copy: other threads may expand the same rule, and json-c's
 * references are not counted safely. */
enum err quote_expand(struct json_object *json, const struct json_object *object,
                      const struct rql_var *vars, struct json_object **ret, struct why *why)
{
    struct source s = {object, vars, why};
    enum err e = jsonx_map(json, expand_leaf, &s, ret);
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
        c->err = expand_text(NULL, json_object_get_string(at), NULL, NULL, c->why);
    return c->err == ERR_OK;
}

enum err quote_check(struct json_object *json, struct why *why)
{
    struct checking c = {why, ERR_OK};
    jsonx_visit(json, check_text, &c);
    return c.err;
}
