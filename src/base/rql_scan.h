/*
 * rql_scan.h - the words of a query, for the parser alone.
 *
 * A scan walks the text from the left; what it finds lives as long as the query. Failures tell
 * the column.
 */
#ifndef BASE_RQL_SCAN_H
#define BASE_RQL_SCAN_H

#include "base/rql_priv.h"

struct rql_scan {
    const char *start, *at, *end;
    struct rql *q;
    unsigned depth;     /* of operators; 0 on the top level */
    const char *within; /* the whole path of the tuple that is being read; NULL outside of any */
    size_t nodes;
    struct why *why;
};

enum err rql_fail_at(const struct rql_scan *p, const char *at, enum err e, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
#define fail(p, e, ...) rql_fail_at(p, (p)->at, e, __VA_ARGS__)

/* Zeroed memory of the query's; NULL when there is none. */
void *rql_take(struct rql *q, size_t size);
/* Count an operator or a value against RQL_NODES_MAX. */
enum err rql_count_node(struct rql_scan *p);

void rql_skip_space(struct rql_scan *p);
/* The next character that counts, or NUL at the end (which the text itself never holds). */
char rql_peek(struct rql_scan *p);
bool rql_accept(struct rql_scan *p, char c);
bool rql_accept_word(struct rql_scan *p, const char *word);
/* `where` says for people what needs the character. */
enum err rql_expect(struct rql_scan *p, char c, const char *where);

/* A path, or the name of an operator: which of them tells the character after it. */
enum err rql_scan_path(struct rql_scan *p, const char **ret);
/* Append a value to the list that `tail` ends. */
enum err rql_scan_value(struct rql_scan *p, struct rql_value ***tail);
/* Cut a pattern at its stars, so that matching need not look for them; fold it, if case is not to
 * count. */
enum err rql_make_pattern(struct rql_scan *p, struct rql_value *v, bool fold);

#endif
