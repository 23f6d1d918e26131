/* usage_file.c - what subscriptions of a product have used: from the vendor to the distributor. */
#include "event/object_class.h"

/* A processed file is `ready`; newer documents call it `uploaded`. */
static const struct object_verb verbs[] = {
    {.name = "submit",
     .from = {[SIDE_VENDOR] = {"ready", "uploaded"}},
     .leads_to = {"pending"},
     .bare = true},
    {.name = "delete",
     .from = {[SIDE_VENDOR] = {"ready", "uploaded"}},
     .leads_to = {STATE_GONE},
     .bare = true},
    {.name = "reprocess",
     .from = {[SIDE_VENDOR] = {"ready", "uploaded"}},
     .leads_to = {"processing"},
     .bare = true},
    {.name = "accept",
     .from = {[SIDE_DISTRIBUTOR] = {"pending"}},
     .leads_to = {"accepted"},
     .fields = {{.name = "note", .place = "acceptance_note", .max = 200}}},
    {.name = "reject",
     .from = {[SIDE_DISTRIBUTOR] = {"pending"}},
     .leads_to = {"rejected"},
     .fields = {{.name = "note", .place = "rejection_note", .max = 200}}},
    {.name = "close",
     .from = {[SIDE_DISTRIBUTOR] = {"accepted"}},
     .leads_to = {"closed"},
     .bare = true},
    {0},
};

const struct object_class class_usage_file = {
    .name = "usage_file",
    .list = "/usage/files",
    .state = "status",
    .product = "product.id",
    .created = "created.at",
    .pending =
        {[SIDE_VENDOR] = {"ready", "uploaded"}, [SIDE_DISTRIBUTOR] = {"pending", "accepted"}},
    .verbs = verbs,
    .webhooks = {[TYPE_EVENT] = {.name = "Usage File, Queue Changes"}},
    .volatile_members = {"usage_file_uri", "processed_file_uri", "reconciliation_file_uri"},
};
