/* yamlx.c - reads libfyaml's events into a small tree that knows its places. */
#include "base/yamlx.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libfyaml.h>
#include <sodium.h>

#include "base/array.h"
#include "base/utf8.h"
#include "base/yamlx_priv.h"

/* ------------------------------------------------------------------ loading */

struct loader {
    struct fy_parser *parser;
    struct fy_diag *diag;
    struct yamlx *file;
    struct why *why;
    int depth;
};

static void node_free(struct yamlx_node *n)
{
    if (n == NULL)
        return;
    for (size_t i = 0; i < n->count; i++)
        node_free(n->children[i]);
    free(n->children);
    free(n->text);
    free(n);
}

void yamlx_free(struct yamlx *y)
{
    if (y == NULL)
        return;
    node_free(y->root);
    free(y->name);
    free(y);
}

static enum err fail_at(const struct loader *l, struct fy_event *event, enum err e,
                        const char *text)
{
    const struct fy_mark *mark = fy_event_start_mark(event);
    return why_set(l->why, e, "%s:%d:%d: %s", l->file->name, mark != NULL ? mark->line + 1 : 1,
                   mark != NULL ? mark->column + 1 : 1, text);
}

/* What libfyaml found wrong, which it has collected instead of printing. */
static enum err syntax_error(const struct loader *l)
{
    void *iterator = NULL;
    const struct fy_diag_error *first = fy_diag_errors_iterate(l->diag, &iterator);
    if (first == NULL)
        return why_set(l->why, ERR_SYNTAX, "%s:1:1: not YAML", l->file->name);
    return why_set(l->why, ERR_SYNTAX, "%s:%d:%d: %s", l->file->name, first->line, first->column,
                   first->msg);
}

static struct yamlx_node *node_new(const struct loader *l, struct fy_event *event,
                                   enum yamlx_type type)
{
    struct yamlx_node *n = calloc(1, sizeof *n);
    if (n == NULL)
        return NULL;
    const struct fy_mark *mark = fy_event_start_mark(event);
    n->type = type;
    n->file = l->file;
    n->line = mark != NULL ? mark->line + 1 : 1;
    n->column = mark != NULL ? mark->column + 1 : 1;
    return n;
}

static enum err add_child(struct yamlx_node *n, struct yamlx_node *child)
{
    struct yamlx_node **children = array_room(n->children, n->count, &n->room,
                                              sizeof(struct yamlx_node *));
    if (children == NULL)
        return ERR_NOMEM;
    n->children = children;
    n->children[n->count++] = child;
    return ERR_OK;
}

static bool is_null_word(const char *text)
{
    return *text == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0 ||
           strcmp(text, "Null") == 0 || strcmp(text, "NULL") == 0;
}

static enum err read_scalar(const struct loader *l, struct fy_event *event, struct yamlx_node **ret)
{
    struct yamlx_node *n = node_new(l, event, YAMLX_SCALAR);
    struct fy_token *token = event->scalar.value;
    size_t len = 0;
    const char *text = token != NULL ? fy_token_get_text(token, &len) : "";
    if (n == NULL || text == NULL || (n->text = malloc(len + 1)) == NULL) {
        node_free(n);
        return ERR_NOMEM;
    }
    memcpy(n->text, text, len);
    n->text[len] = '\0';
    n->len = len;
    enum fy_scalar_style style = token != NULL ? fy_token_scalar_style(token) : FYSS_PLAIN;
    n->plain = style == FYSS_PLAIN;
    /* libfyaml's mark stands behind the opening quote. */
    if (style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED)
        n->column--;
    if (n->plain && is_null_word(n->text))
        n->type = YAMLX_NULL;
    *ret = n;
    return ERR_OK;
}

static enum err read_node(struct loader *l, struct fy_event *event, struct yamlx_node **ret);

static enum err check_key(const struct loader *l, const struct yamlx_node *key)
{
    if (key->type != YAMLX_SCALAR)
        return yamlx_fail(key, l->why, ERR_TYPE, "a key has to be a plain word");
    if (key->plain && strcmp(key->text, "<<") == 0)
        return yamlx_fail(key, l->why, ERR_SYNTAX, "merge keys are not accepted");
    return ERR_OK;
}

static bool is_before(const struct yamlx_node *a, const struct yamlx_node *b)
{
    return a->line != b->line ? a->line < b->line : a->column < b->column;
}

/* By text, then by place. */
static int compare_keys(const void *left, const void *right)
{
    const struct yamlx_node *a = *(struct yamlx_node *const *)left;
    const struct yamlx_node *b = *(struct yamlx_node *const *)right;
    size_t common = a->len < b->len ? a->len : b->len;
    int order = memcmp(a->text, b->text, common);
    if (order == 0)
        order = (a->len > b->len) - (a->len < b->len);
    return order != 0 ? order : is_before(a, b) ? -1 : 1;
}

/* Sorted, because comparing each with each takes minutes in a file of the largest size. */
static enum err check_repeated(const struct loader *l, const struct yamlx_node *map)
{
    size_t keys = map->count / 2;
    if (keys < 2)
        return ERR_OK;
    const struct yamlx_node **sorted = malloc(keys * sizeof(const struct yamlx_node *));
    if (sorted == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < keys; i++)
        sorted[i] = map->children[2 * i];
    qsort(sorted, keys, sizeof(const struct yamlx_node *), compare_keys);
    const struct yamlx_node *again = NULL, *first = NULL; /* the first repetition in the file */
    for (size_t i = 1; i < keys; i++) {
        const struct yamlx_node *a = sorted[i - 1], *b = sorted[i];
        if (a->len == b->len && memcmp(a->text, b->text, a->len) == 0 &&
            (again == NULL || is_before(b, again))) {
            first = a;
            again = b;
        }
    }
    free(sorted);
    if (again == NULL)
        return ERR_OK;
    return yamlx_fail(again, l->why, ERR_DUPLICATE, "%.64s: given twice, first in line %d",
                      again->text, first->line);
}

/* What is not written at all, like the value in "a:": libfyaml gives it no place. */
static bool is_empty(const struct yamlx_node *n)
{
    return n->type == YAMLX_NULL && n->len == 0;
}

static void borrow_place(struct yamlx_node *n, const struct yamlx_node *from)
{
    n->line = from->line;
    n->column = from->column;
}

/* The elements of a collection, up to its end event. */
static enum err read_children(struct loader *l, struct yamlx_node *n)
{
    enum fy_event_type end = n->type == YAMLX_MAPPING ? FYET_MAPPING_END : FYET_SEQUENCE_END;
    for (;;) {
        struct fy_event *event = fy_parser_parse(l->parser);
        if (event == NULL)
            return syntax_error(l);
        bool over = event->type == end;
        struct yamlx_node *child = NULL;
        enum err e = over ? ERR_OK : read_node(l, event, &child);
        fy_parser_event_free(l->parser, event);
        if (over)
            return n->type == YAMLX_MAPPING ? check_repeated(l, n) : ERR_OK;
        if (e == ERR_OK && is_empty(child))
            borrow_place(child, n->count > 0 ? n->children[n->count - 1] : n);
        if (e == ERR_OK && n->type == YAMLX_MAPPING && n->count % 2 == 0)
            e = check_key(l, child);
        if (e == ERR_OK)
            e = add_child(n, child);
        if (e != ERR_OK) {
            node_free(child);
            return e;
        }
    }
}

static enum err read_collection(struct loader *l, struct fy_event *event, enum yamlx_type type,
                                struct yamlx_node **ret)
{
    if (l->depth == YAMLX_DEPTH_MAX)
        return fail_at(l, event, ERR_TOO_DEEP, "nested deeper than allowed");
    struct yamlx_node *n = node_new(l, event, type);
    if (n == NULL)
        return ERR_NOMEM;
    l->depth++;
    enum err e = read_children(l, n);
    l->depth--;
    if (e != ERR_OK) {
        node_free(n);
        return e;
    }
    *ret = n;
    return ERR_OK;
}

/* Plain data only: what could make one place stand for another is refused. */
static enum err check_plain(const struct loader *l, struct fy_event *event, struct fy_token *anchor,
                            struct fy_token *tag)
{
    if (anchor != NULL)
        return fail_at(l, event, ERR_SYNTAX, "anchors are not accepted");
    if (tag != NULL)
        return fail_at(l, event, ERR_SYNTAX, "tags are not accepted");
    return ERR_OK;
}

static enum err read_node(struct loader *l, struct fy_event *event, struct yamlx_node **ret)
{
    enum err e;
    switch ((int)event->type) {
    case FYET_SCALAR:
        e = check_plain(l, event, event->scalar.anchor, event->scalar.tag);
        return e == ERR_OK ? read_scalar(l, event, ret) : e;
    case FYET_SEQUENCE_START:
        e = check_plain(l, event, event->sequence_start.anchor, event->sequence_start.tag);
        return e == ERR_OK ? read_collection(l, event, YAMLX_SEQUENCE, ret) : e;
    case FYET_MAPPING_START:
        e = check_plain(l, event, event->mapping_start.anchor, event->mapping_start.tag);
        return e == ERR_OK ? read_collection(l, event, YAMLX_MAPPING, ret) : e;
    case FYET_ALIAS:
        return fail_at(l, event, ERR_SYNTAX, "aliases are not accepted");
    default:
        return fail_at(l, event, ERR_SYNTAX, "not YAML");
    }
}

static enum err second_document(const struct loader *l, struct fy_event *event)
{
    return fail_at(l, event, ERR_SYNTAX, "a second document: a file holds one");
}

static enum err read_stream(struct loader *l)
{
    int documents = 0;
    for (;;) {
        struct fy_event *event = fy_parser_parse(l->parser);
        if (event == NULL)
            return syntax_error(l);
        enum err e = ERR_OK;
        bool over = false;
        switch ((int)event->type) {
        case FYET_STREAM_START:
        case FYET_DOCUMENT_END:
            break;
        case FYET_STREAM_END:
            over = true;
            break;
        case FYET_DOCUMENT_START:
            documents++;
            /* One without "---" has no place of its own: its content has. */
            if (documents > 1 && fy_event_start_mark(event) != NULL)
                e = second_document(l, event);
            break;
        default:
            e = documents > 1 ? second_document(l, event) : read_node(l, event, &l->file->root);
        }
        fy_parser_event_free(l->parser, event);
        if (e != ERR_OK || over)
            return e;
    }
}

static enum err start(struct loader *l, const char *text, size_t len)
{
    struct fy_diag_cfg diag_cfg;
    fy_diag_cfg_default(&diag_cfg);
    l->diag = fy_diag_create(&diag_cfg);
    if (l->diag == NULL)
        return ERR_NOMEM;
    fy_diag_set_collect_errors(l->diag, true);
    struct fy_parse_cfg cfg = {.diag = l->diag};
    l->parser = fy_parser_create(&cfg);
    if (l->parser == NULL || fy_parser_set_string(l->parser, text, len) != 0)
        return ERR_NOMEM;
    return read_stream(l);
}

/*
 * Text and nothing else. libfyaml takes a byte that is not UTF-8 outside of quotes for the end of
 * the file, and would hand over half of a configuration as if it were all.
 */
static enum err check_text(const char *name, const char *text, size_t len, struct why *why)
{
    const unsigned char *s = (const unsigned char *)text;
    int line = 1, column = 1;
    for (size_t i = 0, n; i < len; i += n) {
        n = utf8_sequence(text + i, text + len);
        const char *wrong = NULL;
        if (n == 0)
            wrong = "not UTF-8";
        else if ((s[i] < 0x20 && strchr("\t\n\r", s[i]) == NULL) || s[i] == 0 || s[i] == 0x7f)
            wrong = "a control character: is it a text file?";
        else if (n == 3 && memcmp(s + i, "\xef\xbb\xbf", n) == 0)
            wrong = "a byte order mark: save the file without";
        if (wrong != NULL)
            return why_set(why, ERR_ENCODING, "%s:%d:%d: %s", name, line, column, wrong);
        column++;
        if (s[i] == '\n') {
            line++;
            column = 1;
        }
    }
    return ERR_OK;
}

enum err yamlx_parse(const char *name, const char *text, size_t len, struct yamlx **ret,
                     struct why *why)
{
    if (len > YAMLX_SIZE_MAX)
        return why_set(why, ERR_TOO_BIG, "%s: larger than %d bytes", name, YAMLX_SIZE_MAX);
    enum err e = check_text(name, text, len, why);
    if (e != ERR_OK)
        return e;
    struct yamlx *y = calloc(1, sizeof *y);
    if (y == NULL || (y->name = strdup(name)) == NULL) {
        free(y);
        return why_no_memory(why);
    }
    crypto_hash_sha256(y->sha256, (const unsigned char *)text, len);
    struct loader l = {.file = y, .why = why};
    e = start(&l, text, len);
    if (e == ERR_NOMEM)
        why_no_memory(why);
    if (l.parser != NULL)
        fy_parser_destroy(l.parser);
    if (l.diag != NULL)
        fy_diag_destroy(l.diag);
    if (e == ERR_OK && y->root != NULL && y->root->type == YAMLX_NULL) {
        node_free(y->root); /* "---" and nothing else */
        y->root = NULL;
    }
    if (e != ERR_OK) {
        yamlx_free(y);
        return e;
    }
    *ret = y;
    return ERR_OK;
}

static bool is_file(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

enum err yamlx_load(const char *path, struct yamlx **ret, struct why *why)
{
    struct buf text;
    /* Opening a FIFO, which is refused like all that is no file, must not wait for its writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return why_set(why, ERR_IO, "%s: %s", path, strerror(errno));
    buf_init(&text, YAMLX_SIZE_MAX);
    enum err e = is_file(fd) ? buf_read_all(&text, fd) : ERR_INVALID;
    if (e == ERR_INVALID)
        why_set(why, e, "%s: is not a regular file", path);
    else if (e != ERR_OK)
        why_set(why, e, "%s: %s", path, e == ERR_IO ? strerror(errno) : err_text(e));
    close(fd);
    if (e == ERR_OK)
        e = yamlx_parse(path, text.data, text.len, ret, why);
    buf_free(&text);
    return e;
}

/* ------------------------------------------------------------------ walking */

const uint8_t *yamlx_sha256(const struct yamlx *y)
{
    return y->sha256;
}

const struct yamlx_node *yamlx_root(const struct yamlx *y)
{
    return y->root;
}

enum yamlx_type yamlx_type(const struct yamlx_node *n)
{
    return n->type;
}

int yamlx_line(const struct yamlx_node *n)
{
    return n->line;
}

static const struct yamlx_node *child(const struct yamlx_node *n, enum yamlx_type type, size_t i)
{
    return n->type == type && i < n->count ? n->children[i] : NULL;
}

const struct yamlx_node *yamlx_item(const struct yamlx_node *n, size_t i)
{
    return child(n, YAMLX_SEQUENCE, i);
}

const struct yamlx_node *yamlx_key(const struct yamlx_node *n, size_t i)
{
    return child(n, YAMLX_MAPPING, i * 2);
}

const struct yamlx_node *yamlx_value(const struct yamlx_node *n, size_t i)
{
    return child(n, YAMLX_MAPPING, i * 2 + 1);
}

const struct yamlx_node *yamlx_get(const struct yamlx_node *n, const char *key)
{
    const struct yamlx_node *k;
    for (size_t i = 0; (k = yamlx_key(n, i)) != NULL; i++)
        if (strcmp(k->text, key) == 0)
            return yamlx_value(n, i);
    return NULL;
}

enum err(yamlx_fail)(const struct yamlx_node *n, struct why *why, enum err e, const char *fmt, ...)
{
    if (why != NULL) {
        char text[WHY_MAX];
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(text, sizeof text, fmt, ap);
        va_end(ap);
        why_set(why, e, "%s:%d:%d: %s", n->file->name, n->line, n->column, text);
    }
    return e;
}

enum err yamlx_str(const struct yamlx_node *n, const char **ret, struct why *why)
{
    if (n->type != YAMLX_SCALAR)
        return yamlx_fail(n, why, ERR_TYPE, "a text is needed here");
    if (strlen(n->text) != n->len)
        return yamlx_fail(n, why, ERR_ENCODING, "a NUL inside a text");
    *ret = n->text;
    return ERR_OK;
}

/* ------------------------------------------------------------------ writing */

/* What check_text() refuses, and what readers of YAML take for the end of a line, or drop. */
static bool needs_escape(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x2028 || c == 0x2029 || c == 0xfeff;
}

enum err yamlx_quote(struct buf *b, const char *text)
{
    const char *end = text + strlen(text);
    buf_addc(b, '"');
    for (size_t n; text < end; text += n) {
        n = utf8_sequence(text, end);
        if (n == 0)
            return b->err = b->err == ERR_OK ? ERR_ENCODING : b->err;
        uint32_t c = utf8_code_point(text, n);
        if (needs_escape(c))
            buf_printf(b, "\\u%04" PRIX32, c);
        else if (c == '"' || c == '\\')
            buf_printf(b, "\\%c", (char)c);
        else
            buf_add(b, text, n);
    }
    return buf_addc(b, '"');
}
