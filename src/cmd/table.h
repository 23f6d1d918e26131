/*
 * table.h - rows for people, or one JSON object a line.
 *
 * Columns are named once; a row is given cell by cell. As a table it is printed by
 * table_print() when all rows are known, aligned, with a bold head on a terminal, lists with commas
 * and booleans as yes or nothing; as JSON each row is one object whose keys are the columns' keys.
 */
#ifndef CMD_TABLE_H
#define CMD_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <json-c/json.h>

#include "base/err.h"

#define TABLE_COLUMNS_MAX 16
#define TABLE_CELL_MAX                                                      \
    60 /* characters of a cell shown to people; longer ones are cut, but in \
          the last column */

struct table_column {
    const char *key;   /* in JSON */
    const char *title; /* for people; NULL: shown in JSON only */
};

struct table;

/* `columns` ends with a NULL key and is borrowed for the table's life. */
enum err table_new(const struct table_column *columns, bool json, FILE *out, struct table **ret);
/* A row: an object whose members are the cells; consumed. JSON is printed at once. */
enum err table_row(struct table *t, struct json_object *row);
/* Print the rows for people; nothing for JSON. */
void table_print(struct table *t);
void table_free(struct table *t);

#endif
