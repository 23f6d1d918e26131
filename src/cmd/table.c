/* table.c - rows for people, or one JSON object a line. */
#include "cmd/table.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/jsonx.h"
#include "base/utf8.h"

#define ROW_MAX (1024 * 1024) /* bytes of a row as JSON */

struct table {
    const struct table_column *columns;
    bool json;
    FILE *out;
    struct json_object *rows; /* array; for people only */
};

enum err table_new(const struct table_column *columns, bool json, FILE *out, struct table **ret)
{
    struct table *t = calloc(1, sizeof *t);
    struct json_object *rows = json_object_new_array();
    if (t == NULL || rows == NULL) {
        free(t);
        json_object_put(rows);
        return ERR_NOMEM;
    }
    *t = (struct table){.columns = columns, .json = json, .out = out, .rows = rows};
    *ret = t;
    return ERR_OK;
}

void table_free(struct table *t)
{
    if (t == NULL)
        return;
    json_object_put(t->rows);
    free(t);
}

enum err table_row(struct table *t, struct json_object *row)
{
    if (!t->json)
        return jsonx_append(t->rows, row) ? ERR_OK : ERR_NOMEM;
    struct buf line;
    buf_init(&line, ROW_MAX);
    jsonx_print(&line, row);
    enum err e = buf_addc(&line, '\n');
    if (e == ERR_OK && fwrite(line.data, 1, line.len, t->out) != line.len)
        e = ERR_IO;
    fflush(t->out);
    buf_free(&line);
    json_object_put(row);
    return e;
}

/* Columns on a terminal that a UTF-8 text takes; wide characters count as one. */
static size_t width(const char *s)
{
    size_t n = 0;
    for (; *s != '\0'; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

/* A value in words: a list with commas, a boolean as yes or nothing. */
static void add_words(struct buf *b, struct json_object *value)
{
    size_t n = json_object_is_type(value, json_type_array) ? json_object_array_length(value) : 0;
    for (size_t i = 0; i < n; i++)
        buf_printf(b, "%s%s", i > 0 ? ", " : "",
                   json_object_get_string(json_object_array_get_idx(value, i)));
    if (json_object_is_type(value, json_type_boolean))
        buf_addstr(b, json_object_get_boolean(value) ? "yes" : "");
    else if (value != NULL && !json_object_is_type(value, json_type_array))
        buf_addstr(b, json_object_get_string(value));
}

/* What a cell says to people: on one line, without control characters. */
static const char *cell(struct buf *b, const struct json_object *row, const char *key)
{
    buf_reset(b);
    add_words(b, jsonx_get(row, key));
    for (char *c = b->data; *c != '\0'; c++)
        *c = (unsigned char)*c < 0x20 || *c == 0x7f ? ' ' : *c;
    return b->len > 0 ? b->data : "-";
}

/* Nothing stands behind the last cell, so that it may be as long as it needs. */
static void print_cell(FILE *out, const char *text, size_t columns, bool last)
{
    size_t w = width(text);
    if (last) {
        fputs(text, out);
    } else if (w > TABLE_CELL_MAX) {
        fprintf(out, "%.*s...%*s", (int)utf8_prefix(text, TABLE_CELL_MAX - 3), text,
                (int)(columns - TABLE_CELL_MAX) + 2, "");
    } else {
        fprintf(out, "%s%*s", text, (int)(columns - w) + 2, "");
    }
}

void table_print(struct table *t)
{
    size_t rows = json_object_array_length(t->rows), shown[TABLE_COLUMNS_MAX], count = 0;
    size_t widths[TABLE_COLUMNS_MAX];
    struct buf text;

    if (t->json)
        return;
    buf_init(&text, ROW_MAX);
    for (size_t c = 0; t->columns[c].key != NULL && count < TABLE_COLUMNS_MAX; c++) {
        if (t->columns[c].title == NULL)
            continue;
        size_t max = width(t->columns[c].title);
        for (size_t r = 0; r < rows; r++) {
            size_t w = width(cell(&text, json_object_array_get_idx(t->rows, r), t->columns[c].key));
            max = w > max ? w : max;
        }
        widths[count] = max > TABLE_CELL_MAX ? TABLE_CELL_MAX : max;
        shown[count++] = c;
    }

    bool bold = isatty(fileno(t->out)) != 0;
    fputs(bold ? "\033[1m" : "", t->out);
    for (size_t i = 0; i < count; i++)
        print_cell(t->out, t->columns[shown[i]].title, widths[i], i + 1 == count);
    fputs(bold ? "\033[0m\n" : "\n", t->out);
    for (size_t r = 0; r < rows; r++) {
        struct json_object *row = json_object_array_get_idx(t->rows, r);
        for (size_t i = 0; i < count; i++)
            print_cell(t->out, cell(&text, row, t->columns[shown[i]].key), widths[i],
                       i + 1 == count);
        fputc('\n', t->out);
    }
    buf_free(&text);
}
