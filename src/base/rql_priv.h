/*
 * rql_priv.h - a parsed query, for the files rql*.c alone.
 */
#ifndef BASE_RQL_PRIV_H
#define BASE_RQL_PRIV_H

#include "base/rql.h"

/* The comparisons that have the form a=op=b stand together. */
#define RQL_OP_LIST(X)    \
    X(RQL_AND, "and")     \
    X(RQL_OR, "or")       \
    X(RQL_NOT, "not")     \
    X(RQL_TUPLE, "t")     \
    X(RQL_EQ, "eq")       \
    X(RQL_NE, "ne")       \
    X(RQL_LT, "lt")       \
    X(RQL_LE, "le")       \
    X(RQL_GT, "gt")       \
    X(RQL_GE, "ge")       \
    X(RQL_LIKE, "like")   \
    X(RQL_ILIKE, "ilike") \
    X(RQL_IN, "in")       \
    X(RQL_OUT, "out")

enum rql_op {
#define X(code, name) code,
    RQL_OP_LIST(X)
#undef X
        RQL_OP__COUNT
};

const char *rql_op_name(enum rql_op op); /* "eq"; static */

enum rql_constant { RQL_TEXT, RQL_NULL, RQL_EMPTY };

struct rql_value {
    struct rql_value *next;
    enum rql_constant constant;
    const char *text; /* of RQL_TEXT. In a pattern, each star that stands for a run is a NUL */
    size_t stars;     /* how many of these NULs */
};

/*
 * and, or, not: children. t: a path and children, which hold for one element there. The others:
 * a path and one value, or several for in and out.
 */
struct rql_node {
    struct rql_node *next; /* the next child of the same parent */
    enum rql_op op;
    const char *path; /* keys joined by dots */
    struct rql_value *values;
    struct rql_node *children;
};

struct rql {
    struct rql_block *blocks;   /* what all of the below lives in */
    struct rql_node *filter;    /* NULL matches everything */
    struct rql_value *ordering; /* keys with their "-" */
    struct rql_value *select;
    int64_t limit, offset; /* -1 if not given */
};

#define RQL_PATH_SEARCH "search"

/* Take the next key off a path: up to a dot, a bracket or the end. false if there is none. */
bool rql_path_key(const char **path, char ret_key[RQL_KEY_MAX]);
/* Take "[id]" off a path, if it is next. */
bool rql_path_pick(const char **path, char ret_id[RQL_KEY_MAX]);

/* Does the pattern hold for the whole of `text`? In linear time. */
bool rql_like(const struct rql_value *pattern, const char *text, bool ignore_case);

/* A leaf of a document, in words. */
struct rql_scalar {
    enum { RQL_IS_NULL, RQL_IS_EMPTY, RQL_IS_TEXT, RQL_IS_NUMBER, RQL_IS_TREE } kind;
    const char *text; /* of texts and numbers; borrowed from the document or from `room` */
    char room[40];
};
void rql_scalar(struct rql_scalar *s, struct json_object *value);
/* Order two texts as values compare; `number` says that the first is a JSON number. */
int rql_order(const char *a, bool a_number, const char *b, bool b_number);

#endif
