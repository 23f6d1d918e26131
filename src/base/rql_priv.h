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

enum rql_constant { RQL_TEXT, RQL_NULL, RQL_EMPTY, RQL_PATH };

struct rql_value {
    struct rql_value *next;
    enum rql_constant constant;
    /*
     * Of RQL_TEXT and RQL_PATH. In a pattern, which ilike has folded, each star that stands for a
     * run is a NUL.
     */
    const char *text;
    size_t stars; /* how many of these NULs */
    /* Of RQL_PATH: the start of the node's own path that leads to the same place, NULL if the two
     * have nothing in common, and what of `text` follows it. */
    const char *common, *apart;
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
#define RQL_VAR_OBJECT  "object" /* $object is the document */

/* How many bytes of two paths are the same keys and picks. */
size_t rql_path_common(const char *a, const char *b);

/* Called with each value that a path leads to, NULL where there is none; true stops the walk. */
typedef bool rql_visit_fn(void *ctx, struct json_object *value);

struct rql_walk {
    rql_visit_fn *visit;
    void *ctx;
};

/* What paths with a $ begin at. */
struct rql_scope {
    const struct json_object *root;
    const struct rql_var *vars;
};

/* Walk a path, or what is left of one (".b", "[id].c", ""), from a value. */
bool rql_walk(const struct rql_walk *w, const char *path, struct json_object *at);
/* Walk from `at`, or from the variable that the path names. */
bool rql_walk_from(const struct rql_walk *w, const char *path, const struct json_object *at,
                   const struct rql_scope *scope);

/* Does the pattern hold for the whole of `text`? In linear time. */
bool rql_like(const struct rql_value *pattern, const char *text);

/* A leaf of a document, in words. */
struct rql_scalar {
    enum { RQL_IS_NULL, RQL_IS_EMPTY, RQL_IS_TEXT, RQL_IS_NUMBER, RQL_IS_TREE } kind;
    const char *text; /* of texts and numbers; borrowed from the document or from `room` */
    char room[40];
};
void rql_scalar(struct rql_scalar *s, struct json_object *value);

/* How two texts or numbers stand to each other, if both are numbers or both are times. */
bool rql_order_alike(const struct rql_scalar *a, const struct rql_scalar *b, int *ret);
/* The same, else as texts. */
int rql_order(const struct rql_scalar *a, const struct rql_scalar *b);
/* Is the text a number or a time? */
bool rql_orderable(const char *text);

#endif
