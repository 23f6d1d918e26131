/* calls.c - the calls are texts, not documents: 200,000 of them shall fit into a small machine. */
#include "sim/calls.h"

#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/jsonx.h"
#include "base/log.h"

struct call {
    int64_t at; /* s since the epoch */
    int status;
    bool effect;
    char texts[]; /* method, path and query, each with its NUL */
};

struct calls {
    size_t count, text_len;
    bool is_full;
    struct call *all[CALLS_MAX]; /* pages of it that are not used cost nothing */
};

enum err calls_new(struct calls **ret)
{
    struct calls *c = calloc(1, sizeof *c);
    if (c == NULL)
        return ERR_NOMEM;
    *ret = c;
    return ERR_OK;
}

void calls_free(struct calls *c)
{
    for (size_t i = 0; c != NULL && i < c->count; i++)
        free(c->all[i]);
    free(c);
}

void calls_add(struct calls *c, const struct calls_entry *entry)
{
    size_t method = strlen(entry->method) + 1, path = strlen(entry->path) + 1;
    size_t query = strlen(entry->query) + 1, len = method + path + query;
    bool fits = !c->is_full && c->count < CALLS_MAX && len <= CALLS_TEXT_MAX - c->text_len;
    struct call *call = fits ? malloc(sizeof *call + len) : NULL;
    if (call == NULL) {
        if (!c->is_full)
            log_warn("no more calls are remembered for /_sim/calls than these %zu", c->count);
        c->is_full = true;
        return;
    }
    *call = (struct call){clk_wall_s(), entry->status, entry->effect};
    memcpy(call->texts, entry->method, method);
    memcpy(call->texts + method, entry->path, path);
    memcpy(call->texts + method + path, entry->query, query);
    c->all[c->count++] = call;
    c->text_len += len;
}

size_t calls_count(const struct calls *c)
{
    return c->count;
}

static void add_text(struct json_object *o, const char *key, const char *text)
{
    jsonx_add_text(o, key, text);
}

static enum err print(const struct call *call, struct buf *ret)
{
    const char *path = call->texts + strlen(call->texts) + 1;
    char at[CLK_ISO_MAX];
    clk_iso(call->at, at);
    struct json_object *o = json_object_new_object();
    add_text(o, "method", call->texts);
    add_text(o, "path", path);
    add_text(o, "query", path + strlen(path) + 1);
    jsonx_add_int(o, "status", call->status);
    jsonx_add(o, "effect", json_object_new_boolean(call->effect));
    add_text(o, "at", at);
    enum err e = jsonx_print(ret, o);
    json_object_put(o);
    return e;
}

enum err calls_print(const struct calls *c, size_t count, struct buf *ret)
{
    buf_addc(ret, '[');
    for (size_t i = 0; i < count && ret->err == ERR_OK; i++) {
        if (i > 0)
            buf_addc(ret, ',');
        print(c->all[i], ret);
    }
    return buf_addc(ret, ']');
}
