/*
 * rql.h - Connect's query language: parse, evaluate on JSON, print.
 *
 * RQL is what a Connect user filters lists with, and what a rule's `when` is written in:
 *     and(eq(type,purchase),in(asset.connection.type,(test,preview)))
 *     status=pending&product_id=PRD-1&ordering(-created)&limit=100
 *
 * Operators: eq ne lt le gt ge like ilike in out, and or not (also a&b, a,b, (a|b), (a;b)),
 * constants null() and empty(), the forms a=b and a=eq=b, quoted values, tuples; and on the top
 * level only: select(...), ordering(...), limit=N, offset=N. `&` binds closer than `,` `|` `;`,
 * and alternatives stand in parentheses. White space around words does not count.
 *
 * A path is keys joined by dots (or, as Connect's older filters have it, by "__"). A path
 * through an array means "any element"; `params[subscription_id].value` picks the element
 * whose `id` is subscription_id (of an object, `[key]` picks the member, whatever its spelling).
 * `params=t(id=a,value=b)` asks for one element that is both. A path may begin with $name, a
 * second document. The path `search` stands for every text of the document: search=words.
 *
 * On the right side $name is a path, too (in quotes it is a text), and $object the document:
 * gt(items.quantity,$object.items.old_quantity). Where both paths go through the same array they
 * are in the same element; else any value of the one side may be compared with any of the other.
 *
 * How values compare: as numbers if both sides are numbers or spell one as JSON does (so "007"
 * is a text); as instants if both are ISO 8601 times; else as text. null() is a missing value or
 * null; empty() is "", {} or []; neither is the other. `ne` and `out` deny `eq` and `in`: over an
 * array they hold if no element is equal. Two missing values are equal; two lists or objects are
 * not. Less and greater are numbers and times only: a literal that is neither is refused, and a
 * value that is neither makes the comparison false. `like` is case-sensitive, `ilike` is not, for
 * all of Unicode; `*` matches any run of characters, `\*` a star.
 */
#ifndef BASE_RQL_H
#define BASE_RQL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>

#include "base/buf.h"
#include "base/err.h"

#define RQL_LEN_MAX   16384 /* bytes of a query */
#define RQL_DEPTH_MAX 32    /* nested logical operators */
#define RQL_NODES_MAX 1024  /* operators and values of one query */
#define RQL_KEY_MAX   256   /* bytes of one key of a path, with the NUL */

struct rql; /* a parsed query; immutable, so any thread may evaluate it */

/*
 * Parse a filter or a whole query. `text` is not percent-encoded (rql_parse_url() decodes
 * first: Connect takes a query string that is encoded as a whole; a `+` stays a plus, so that
 * times written with a zone survive). An empty text is a query that matches everything. *ret is
 * owned: rql_free(). ERR_SYNTAX, ERR_DUPLICATE (limit given twice), ERR_TOO_BIG, ERR_TOO_DEEP;
 * `why` tells the column, counted in bytes after decoding.
 */
enum err rql_parse(const char *text, size_t len, struct rql **ret, struct why *why);
enum err rql_parse_url(const char *query, size_t len, struct rql **ret, struct why *why);
void rql_free(struct rql *q); /* NULL is fine */

/* What `$name` paths mean: a list that ends with a NULL name. Borrowed. */
struct rql_var {
    const char *name; /* "event" for $event.account_id */
    struct json_object *value;
};

/* Does the filter part of `q` hold for `root`? `vars` may be NULL. ERR_NOMEM. */
enum err rql_match(const struct rql *q, const struct json_object *root, const struct rql_var *vars,
                   bool *ret);

/* Is it a path, with dots and without "__"? */
bool rql_path_valid(const char *path);
/* The first value that `path` leads to, borrowed; NULL if missing, null or no path. */
struct json_object *rql_lookup(const char *path, const struct json_object *root,
                               const struct rql_var *vars);

/*
 * Called for each path that a filter names, but for those that a tuple asks its elements for;
 * return false to stop. For checking allowed fields.
 */
typedef bool rql_path_fn(void *ctx, const char *path);
void rql_each_path(const struct rql *q, rql_path_fn *fn, void *ctx);

/* The rest of a query. */
int64_t rql_limit(const struct rql *q, int64_t otherwise);  /* >= 0 */
int64_t rql_offset(const struct rql *q, int64_t otherwise); /* >= 0 */
/* The i-th key of ordering(): "created" or "-created"; NULL beyond the end. Borrowed. */
const char *rql_ordering(const struct rql *q, size_t i);
/* The i-th key of select(), in the same way: "-asset.params". */
const char *rql_select(const struct rql *q, size_t i);
/* Compare two documents by ordering(), as qsort does; 0 where there is none. Missing is least. */
int rql_compare(const struct rql *q, const struct json_object *a, const struct json_object *b);

/* Append the query in its canonical form; rql_parse() of it gives an equal query. */
enum err rql_print(struct buf *b, const struct rql *q);
/* Its filter and ordering alone: what the queries for the pages of one list have in common. */
enum err rql_print_list(struct buf *b, const struct rql *q);

/*
 * Write one value into a query under construction, quoted where RQL needs it, then
 * percent-encoded for a URL. ERR_INVALID for control characters and for a text with both
 * kinds of quotes, which RQL cannot express.
 */
enum err rql_add_value(struct buf *url, const char *value);

#endif
