/* test_object_class.c - the table: complete, and nothing that Connect does not know. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "event/object_class.h"

static void refuses_words_that_are_no_class(void **state)
{
    (void)state;
    static const char *const words[] = {"",
                                        "s",
                                        "request",
                                        "fulfillment",
                                        "fulfillment_requestss",
                                        "fulfillment_request ",
                                        "Fulfillment_Request",
                                        "usage_fil",
                                        "usage_filess"};
    enum object_class c = CLASS__COUNT;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        assert_err(object_class_parse(words[i], &c), ERR_INVALID);
    assert_int_equal(c, CLASS__COUNT);
    assert_string_equal(object_class_name(CLASS__COUNT), "unknown");
}

static void reads_classes_in_singular_and_plural(void **state)
{
    (void)state;
    assert_int_equal(CLASS__COUNT, 6);
    for (unsigned want = 0; want < CLASS__COUNT; want++) {
        char plural[64];
        enum object_class c = CLASS__COUNT;
        const char *name = object_class_name((enum object_class)want);
        assert_err(object_class_parse(name, &c), ERR_OK);
        assert_int_equal(c, want);
        snprintf(plural, sizeof plural, "%ss", name);
        c = CLASS__COUNT;
        assert_err(object_class_parse(plural, &c), ERR_OK);
        assert_int_equal(c, want);
    }
}

static void reads_every_type_and_no_other_word(void **state)
{
    (void)state;
    enum webhook_type t = TYPE__COUNT;
    assert_int_equal(TYPE__COUNT, 17);
    for (unsigned want = 0; want < TYPE__COUNT; want++) {
        assert_err(webhook_type_parse(webhook_type_name((enum webhook_type)want), &t), ERR_OK);
        assert_int_equal(t, want);
    }
    assert_err(webhook_type_parse("events", &t), ERR_INVALID);
    assert_err(webhook_type_parse("", &t), ERR_INVALID);
    assert_string_equal(webhook_type_name(TYPE__COUNT), "unknown");
}

/* Spelt out a second time, by the words that people see. */
static const struct {
    const char *object_class, *type, *title;
} known[] = {
    {"listing_request", "event", "Listing Request"},
    {"billing_request", "event", "Subscription Billing Request Queue Changes"},
    {"fulfillment_request", "event", "Subscription Fulfillment Requests Queue Changes"},
    {"tier_account_request", "event", "Tier Account Request Queue Changes"},
    {"tier_config_request", "event", "Tier Configuration Request Queue Changes"},
    {"usage_file", "event", "Usage File, Queue Changes"},
    {"fulfillment_request", "validator", "Subscription Purchase Request Draft Validation"},
    {"fulfillment_request", "inquiring_validator",
     "Subscription Purchase Request Inquiring Validation"},
    {"fulfillment_request", "change_validator", "Subscription Change Request Draft Validation"},
    {"fulfillment_request", "change_inquiring_validator",
     "Subscription Change Request Inquiring Validation"},
    {"tier_config_request", "draft_tcr_t1_val", "Tier 1 Config Setup Request Draft validation"},
    {"tier_config_request", "draft_tcr_t2_val", "Tier 2 Config Setup Request Draft validation"},
    {"tier_config_request", "tcr_setup_t1_inq_val",
     "Tier 1 Config Setup Request Inquiring Validation"},
    {"tier_config_request", "tcr_setup_t2_inq_val",
     "Tier 2 Config Setup Request Inquiring Validation"},
    {"tier_config_request", "tcr_update_t1_validator",
     "Tier 1 Config Update Request Draft Validation"},
    {"tier_config_request", "tcr_update_t2_validator",
     "Tier 2 Config Update Request Draft Validation"},
    {"tier_config_request", "tcr_update_t1_inq_val",
     "Tier 1 Config Update Request Inquiring Validation"},
    {"tier_config_request", "tcr_update_t2_inq_val",
     "Tier 2 Config Update Request Inquiring Validation"},
    {"fulfillment_request", "renew_validator", NULL},
    {"fulfillment_request", "renew_inquiring_validator", NULL},
    {"fulfillment_request", "transfer_validator", NULL},
    {"fulfillment_request", "transfer_inquiring_validator", NULL},
};
#define KNOWN (sizeof known / sizeof *known)

static void knows_the_pairs_and_their_titles_and_no_more(void **state)
{
    (void)state;
    size_t pairs = 0, titles = 0;
    assert_int_equal(KNOWN, 22);
    for (unsigned c = 0; c < CLASS__COUNT; c++)
        for (unsigned t = 0; t < TYPE__COUNT; t++) {
            enum object_class class = (enum object_class)c;
            enum webhook_type type = (enum webhook_type)t;
            pairs += webhook_pair_valid(class, type);
            titles += webhook_pair_title(class, type) != NULL;
        }
    assert_int_equal(pairs, 22);
    assert_int_equal(titles, 18);
    for (size_t i = 0; i < KNOWN; i++) {
        enum object_class c;
        enum webhook_type t;
        assert_err(object_class_parse(known[i].object_class, &c), ERR_OK);
        assert_err(webhook_type_parse(known[i].type, &t), ERR_OK);
        assert_true(webhook_pair_valid(c, t));
        if (known[i].title == NULL)
            assert_null(webhook_pair_title(c, t));
        else
            assert_string_equal(webhook_pair_title(c, t), known[i].title);
    }
}

static void knows_the_side_by_the_account(void **state)
{
    (void)state;
    static const char *const bad[] = {"",           "VA",      "VA-",        "va-240-990",
                                      "HB-240-990", "VAX-1-2", "VA-240/990", "PA 1"};
    enum side s;
    assert_err(side_of_account("VA-240-990", &s), ERR_OK);
    assert_string_equal(side_name(s), "vendor");
    assert_err(side_of_account("PA-800-926", &s), ERR_OK);
    assert_string_equal(side_name(s), "distributor");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_err(side_of_account(bad[i], &s), ERR_INVALID);
}

/* "a b c" */
static const char *words(const char *const *list)
{
    static char text[128];
    text[0] = '\0';
    for (; *list != NULL; list++) {
        strcat(text, text[0] != '\0' ? " " : "");
        strcat(text, *list);
    }
    return text;
}

static void knows_who_may_do_what_and_when(void **state)
{
    (void)state;
    static const struct {
        enum object_class c;
        enum side s;
        const char *state, *verbs;
    } rows[] = {
        {CLASS_FULFILLMENT_REQUEST, SIDE_VENDOR, "pending", "approve fail inquire schedule"},
        {CLASS_FULFILLMENT_REQUEST, SIDE_VENDOR, "revoking", "confirm"},
        {CLASS_FULFILLMENT_REQUEST, SIDE_VENDOR, "inquiring", "pend"},
        {CLASS_FULFILLMENT_REQUEST, SIDE_VENDOR, "approved", ""},
        {CLASS_FULFILLMENT_REQUEST, SIDE_VENDOR, "scheduled", ""},
        {CLASS_FULFILLMENT_REQUEST, SIDE_VENDOR, "", ""},
        {CLASS_FULFILLMENT_REQUEST, SIDE_DISTRIBUTOR, "scheduled", "revoke"},
        {CLASS_FULFILLMENT_REQUEST, SIDE_DISTRIBUTOR, "pending", ""},
        {CLASS_TIER_CONFIG_REQUEST, SIDE_VENDOR, "pending", "approve fail inquire"},
        {CLASS_TIER_CONFIG_REQUEST, SIDE_DISTRIBUTOR, "pending", ""},
        {CLASS_TIER_ACCOUNT_REQUEST, SIDE_VENDOR, "pending", "accept ignore"},
        {CLASS_LISTING_REQUEST, SIDE_DISTRIBUTOR, "reviewing", "deploy refine cancel"},
        {CLASS_LISTING_REQUEST, SIDE_DISTRIBUTOR, "deploying", "complete cancel"},
        {CLASS_LISTING_REQUEST, SIDE_VENDOR, "reviewing", ""},
        {CLASS_BILLING_REQUEST, SIDE_VENDOR, "", "annotate"},
        {CLASS_BILLING_REQUEST, SIDE_DISTRIBUTOR, "", "annotate"},
        {CLASS_USAGE_FILE, SIDE_VENDOR, "READY", "submit delete reprocess"},
        {CLASS_USAGE_FILE, SIDE_VENDOR, "uploaded", "submit delete reprocess"},
        {CLASS_USAGE_FILE, SIDE_DISTRIBUTOR, "pending", "accept reject"},
        {CLASS_USAGE_FILE, SIDE_DISTRIBUTOR, "accepted", "close"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(words(object_class_verbs(rows[i].c, rows[i].s, rows[i].state)),
                            rows[i].verbs);
}

static void lists_as_pending_what_somebody_can_act_on(void **state)
{
    (void)state;
    for (unsigned c = 0; c < CLASS__COUNT; c++)
        for (int s = SIDE_VENDOR; s <= SIDE_DISTRIBUTOR; s++) {
            enum object_class class = (enum object_class)c;
            const char *const *list = object_class_pending(class, (enum side)s);
            for (; *list != NULL; list++)
                assert_non_null(object_class_verbs(class, (enum side)s, *list)[0]);
        }
    assert_string_equal(words(object_class_pending(CLASS_FULFILLMENT_REQUEST, SIDE_VENDOR)),
                        "pending revoking");
    assert_string_equal(words(object_class_pending(CLASS_FULFILLMENT_REQUEST, SIDE_DISTRIBUTOR)),
                        "");
    assert_string_equal(words(object_class_pending(CLASS_TIER_CONFIG_REQUEST, SIDE_VENDOR)),
                        "pending");
    assert_string_equal(words(object_class_pending(CLASS_LISTING_REQUEST, SIDE_DISTRIBUTOR)),
                        "reviewing deploying");
    assert_string_equal(words(object_class_pending(CLASS_USAGE_FILE, SIDE_VENDOR)),
                        "ready uploaded");
    assert_string_equal(words(object_class_pending(CLASS_BILLING_REQUEST, SIDE_VENDOR)), "");
}

static void tells_verbs_from_other_words(void **state)
{
    (void)state;
    assert_true(object_class_has_verb(CLASS_FULFILLMENT_REQUEST, "approve"));
    assert_true(object_class_has_verb(CLASS_FULFILLMENT_REQUEST, "revoke"));
    assert_false(object_class_has_verb(CLASS_FULFILLMENT_REQUEST, "accept"));
    assert_false(object_class_has_verb(CLASS_FULFILLMENT_REQUEST, ""));
    assert_false(object_class_has_verb(CLASS_FULFILLMENT_REQUEST, "skip"));
    assert_false(object_class_has_verb(CLASS_FULFILLMENT_REQUEST, "approve/../fail"));
    assert_true(object_class_has_verb(CLASS_USAGE_FILE, "close"));
}

static void knows_where_the_state_is(void **state)
{
    (void)state;
    assert_string_equal(object_class_state_key(CLASS_FULFILLMENT_REQUEST), "status");
    assert_string_equal(object_class_state_key(CLASS_LISTING_REQUEST), "state");
    assert_null(object_class_state_key(CLASS_BILLING_REQUEST));
}

static void refuses_ids_that_could_leave_a_path(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",      "-",     "P-1",    "PRODX-1", "PR",      "PR-",    "PR--1",
        "PR-1-", "pr-1",  "PR-1/2", "PR-1/..", "../PR-1", "PR-1?a", "PR-1%2f",
        "PR-1 ", " PR-1", "PR-1\n", "PR-1.2",  "PR-\x80", "PR_1",   "1R-1",
    };
    static const char *const good[] = {"WH-623-978-334",        "PR-6990-1715-4162-001",
                                       "TCR-256-676-192-001",   "PRD-276-377-545-0001",
                                       "LSTR-308-918-054-001",  "TL-471-184-949",
                                       "CRD-00000-00000-00000", "PR-a_B"};
    char longest[OBJECT_ID_MAX + 1] = "PR-";
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(object_id_valid(bad[i]));
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(object_id_valid(good[i]));
    memset(longest + 3, '1', OBJECT_ID_MAX - 1 - 3);
    assert_true(object_id_valid(longest));
    longest[OBJECT_ID_MAX - 1] = '1';
    assert_false(object_id_valid(longest));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_words_that_are_no_class),
        cmocka_unit_test(reads_classes_in_singular_and_plural),
        cmocka_unit_test(reads_every_type_and_no_other_word),
        cmocka_unit_test(knows_the_pairs_and_their_titles_and_no_more),
        cmocka_unit_test(knows_the_side_by_the_account),
        cmocka_unit_test(knows_who_may_do_what_and_when),
        cmocka_unit_test(lists_as_pending_what_somebody_can_act_on),
        cmocka_unit_test(tells_verbs_from_other_words),
        cmocka_unit_test(knows_where_the_state_is),
        cmocka_unit_test(refuses_ids_that_could_leave_a_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
