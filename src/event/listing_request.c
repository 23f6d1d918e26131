/* listing_request.c - a vendor's wish that a distributor's marketplace lists a product, or not. */
#include "event/object_class.h"

/* Where `refine` leads is not documented; back to the draft, as the same word does for contracts.
 */
static const struct object_verb verbs[] = {
    {.name = "deploy", .from = {[SIDE_DISTRIBUTOR] = {"reviewing"}}, .leads_to = {"deploying"}},
    {.name = "refine", .from = {[SIDE_DISTRIBUTOR] = {"reviewing"}}, .leads_to = {"draft"}},
    {.name = "complete", .from = {[SIDE_DISTRIBUTOR] = {"deploying"}}, .leads_to = {"completed"}},
    {.name = "cancel",
     .from = {[SIDE_DISTRIBUTOR] = {"reviewing", "deploying"}},
     .leads_to = {"canceled"}},
    {0},
};

const struct object_class class_listing_request = {
    .name = "listing_request",
    .state = "state", /* its `status` is the listing's */
    .product = "product.id",
    .created = "created",
    .pending = {[SIDE_DISTRIBUTOR] = {"reviewing", "deploying"}},
    .verbs = verbs,
    .webhooks = {[TYPE_EVENT] = "Listing Request"},
};
