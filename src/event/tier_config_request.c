/*
 * tier_config_request.c - requests to set up or change what a product keeps of a reseller.
 *
 * The request of a first tier waits for that of the second, and purchases wait for both: so the
 * second tier comes first, and what has been decided frees others.
 */
#include "event/object_class.h"

static const struct object_verb verbs[] = {
    {.name = "approve",
     .from = {[SIDE_VENDOR] = {"pending"}},
     .leads_to = {"approved"},
     .fields = {{.name = "template", .place = PLACE_NOWHERE},
                {.name = "template_id", .place = "template.id"},
                {.name = "activation_tile", .place = "template.representation"},
                {.name = "effective_date", .place = "template.effective_date"}},
     .template_type = "fulfillment",
     .template_needed = true},
    {.name = "fail",
     .from = {[SIDE_VENDOR] = {"pending"}},
     .leads_to = {"failed"},
     .fields = {{.name = "reason", .needed = true, .max = 500}}},
    {.name = "inquire",
     .from = {[SIDE_VENDOR] = {"pending"}},
     .leads_to = {"inquiring"},
     .bare = true},
    {.name = "pend",
     .from = {[SIDE_VENDOR] = {"inquiring"}},
     .leads_to = {"pending"},
     .bare = true},
    {0},
};

const struct object_class class_tier_config_request = {
    .name = "tier_config_request",
    .list = "/tier/config-requests",
    .state = "status",
    .product = "configuration.product.id",
    .created = "created",
    .first = "-configuration.tier_level",
    .params = "params",
    .params_max = 50,
    .tier = "configuration.tier_level",
    .template_scope = "tier",
    .document = "configuration",
    .pending = {[SIDE_VENDOR] = {"pending"}},
    .verbs = verbs,
    .frees = {&class_tier_config_request, &class_fulfillment_request},
    .webhooks =
        {
            [TYPE_EVENT] = {.name = "Tier Configuration Request Queue Changes"},
            [TYPE_DRAFT_TCR_T1_VAL] = {"Tier 1 Config Setup Request Draft validation", "setup",
                                       "draft", "1"},
            [TYPE_DRAFT_TCR_T2_VAL] = {"Tier 2 Config Setup Request Draft validation", "setup",
                                       "draft", "2"},
            [TYPE_TCR_SETUP_T1_INQ_VAL] = {"Tier 1 Config Setup Request Inquiring Validation",
                                           "setup", "inquiring", "1"},
            [TYPE_TCR_SETUP_T2_INQ_VAL] = {"Tier 2 Config Setup Request Inquiring Validation",
                                           "setup", "inquiring", "2"},
            [TYPE_TCR_UPDATE_T1_VALIDATOR] = {"Tier 1 Config Update Request Draft Validation",
                                              "update", "draft", "1"},
            [TYPE_TCR_UPDATE_T2_VALIDATOR] = {"Tier 2 Config Update Request Draft Validation",
                                              "update", "draft", "2"},
            [TYPE_TCR_UPDATE_T1_INQ_VAL] = {"Tier 1 Config Update Request Inquiring Validation",
                                            "update", "inquiring", "1"},
            [TYPE_TCR_UPDATE_T2_INQ_VAL] = {"Tier 2 Config Update Request Inquiring Validation",
                                            "update", "inquiring", "2"},
        },
    .volatile_members = {"activation"},
};
