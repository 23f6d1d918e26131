/*
 * template.h - which of a product's templates a verb shows to the customer.
 */
#ifndef PROCESSORS_TEMPLATE_H
#define PROCESSORS_TEMPLATE_H

#include <json-c/json.h>

#include "processors/job.h"

#define TEMPLATE_KINDS_MAX 4 /* scopes and types that one class asks for */

/*
 * A product's templates by scope and type, as Connect listed them when they were asked for first.
 * Lives as long as one sweep: its objects are of one product. Zeroed, it is empty.
 */
struct template_lists {
    struct {
        char scope[CLASS_SCOPE_MAX];
        const char *type;         /* static */
        struct json_object *list; /* owned */
    } kinds[TEMPLATE_KINDS_MAX];
    size_t count;
};
void template_lists_free(struct template_lists *lists);

/*
 * The template of a type (static: "fulfillment") for the job's object and decision: the one that
 * its `template` names, by name or else by title; without that the object's own if it is of that
 * kind, else the product's only one. GO_ON with its id in *ret, borrowed from the job's lists; NULL
 * there if none was named and the product has none. A name that is no template's or several
 * templates', and a choice that nothing makes, end the job with ERR_POLICY: its story names the
 * candidates.
 */
enum outcome template_find(struct job *job, const char *type, const char **ret);

#endif
