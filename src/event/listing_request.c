/*
 * listing_request.c - a vendor's wish that a distributor's marketplace lists a product, or not.
 *
 * Its `status` is the listing's; what happens to the request is its `state`. Old ones name their
 * product only where the listing does.
 */
#include "event/object_class.h"

/* Where `refine` leads is not documented; back to the draft, as the same word does for contracts.
 */
static const struct object_verb verbs[] = {
    {.name = "deploy",
     .from = {[SIDE_DISTRIBUTOR] = {"reviewing"}},
     .leads_to = {"deploying"},
     .bare = true},
    {.name = "refine",
     .from = {[SIDE_DISTRIBUTOR] = {"reviewing"}},
     .leads_to = {"draft"},
     .bare = true},
    {.name = "complete",
     .from = {[SIDE_DISTRIBUTOR] = {"deploying"}},
     .leads_to = {"completed"},
     .bare = true},
    {.name = "cancel",
     .from = {[SIDE_DISTRIBUTOR] = {"reviewing", "deploying"}},
     .leads_to = {"canceled"},
     .bare = true},
    {0},
};

const struct object_class class_listing_request = {
    .name = "listing_request",
    .list = "/listing-requests",
    .state = "state",
    .product = "listing.product.id",
    .created = "created",
    .pending = {[SIDE_DISTRIBUTOR] = {"reviewing", "deploying"}},
    .verbs = verbs,
    .webhooks = {[TYPE_EVENT] = {.name = "Listing Request"}},
};
