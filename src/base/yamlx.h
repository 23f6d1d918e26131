/*
 * yamlx.h - a typed walk over libfyaml's tree, with errors that say file:line:column.
 *
 * One document, plain data: a second document, an alias, an anchor, a tag, a merge key and a
 * repeated key are refused when the file is loaded. Nodes are borrowed from the document.
 * Every getter leaves "FILE:LINE:COLUMN: what is wrong" in `why`.
 */
#ifndef BASE_YAMLX_H
#define BASE_YAMLX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>

#include "base/buf.h"
#include "base/err.h"

#define YAMLX_SIZE_MAX   (1024 * 1024) /* bytes of a file */
#define YAMLX_DEPTH_MAX  16            /* nested sequences and mappings */
#define YAMLX_SHA256_LEN 32            /* bytes */

struct yamlx;      /* a loaded file */
struct yamlx_node; /* a place in it; borrowed */

/*
 * *ret is owned: yamlx_free(). ERR_IO, ERR_INVALID (no regular file), ERR_TOO_BIG, ERR_TOO_DEEP,
 * ERR_SYNTAX, ERR_DUPLICATE, ERR_TYPE (a key that is no text), ERR_ENCODING (not UTF-8, a control
 * character, a byte order mark).
 */
enum err yamlx_load(const char *path, struct yamlx **ret, struct why *why);
/* The same from memory; `name` stands for the file in errors. */
enum err yamlx_parse(const char *name, const char *text, size_t len, struct yamlx **ret,
                     struct why *why);
void yamlx_free(struct yamlx *y);                   /* NULL is fine */
const uint8_t *yamlx_sha256(const struct yamlx *y); /* of its text; borrowed */

const struct yamlx_node *yamlx_root(const struct yamlx *y); /* NULL for an empty document */

enum yamlx_type { YAMLX_NULL, YAMLX_SCALAR, YAMLX_SEQUENCE, YAMLX_MAPPING };
enum yamlx_type yamlx_type(const struct yamlx_node *n);

/* Walk a sequence (i-th element) or a mapping (i-th pair in the file's order); NULL at the end. */
const struct yamlx_node *yamlx_item(const struct yamlx_node *n, size_t i);
const struct yamlx_node *yamlx_key(const struct yamlx_node *n, size_t i);
const struct yamlx_node *yamlx_value(const struct yamlx_node *n, size_t i);
/* The value of `key`, or NULL. */
const struct yamlx_node *yamlx_get(const struct yamlx_node *n, const char *key);

/* The line that it begins in, counted from 1. */
int yamlx_line(const struct yamlx_node *n);

/* A scalar's text, borrowed; ERR_TYPE for others, ERR_ENCODING for a NUL inside. */
enum err yamlx_str(const struct yamlx_node *n, const char **ret, struct why *why);

/*
 * A sub-tree as JSON, by YAML 1.2's core schema; owned by the caller, NULL for a null. ERR_RANGE: a
 * number that JSON or 64 bits cannot hold. Decimal fractions keep their spelling where JSON allows.
 */
enum err yamlx_json(const struct yamlx_node *n, struct json_object **ret, struct why *why);

/*
 * Append `text` as a double-quoted scalar of one line that reads back as the same text, whatever
 * is in it. ERR_ENCODING, also left in `b`: not UTF-8, which no YAML file can hold.
 */
enum err yamlx_quote(struct buf *b, const char *text);

/* Tell a failure at `n`: writes "FILE:LINE:COLUMN: " and the text; returns `e`. */
enum err yamlx_fail(const struct yamlx_node *n, struct why *why, enum err e, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
#ifdef __clang_analyzer__ /* see why_set() */
#define yamlx_fail(n, why, e, ...) (yamlx_fail((n), (why), (e), __VA_ARGS__), (e))
#endif

#endif
