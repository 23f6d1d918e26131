/* test_object_class.c - the table: complete, and nothing that Connect does not know. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "event/object_class.h"
#include "json_text.h"

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
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        assert_null(object_class_find(words[i]));
}

static void reads_classes_in_singular_and_plural(void **state)
{
    (void)state;
    size_t n = 0;
    for (; object_classes[n] != NULL; n++) {
        char plural[64];
        snprintf(plural, sizeof plural, "%ss", object_classes[n]->name);
        assert_ptr_equal(object_class_find(object_classes[n]->name), object_classes[n]);
        assert_ptr_equal(object_class_find(plural), object_classes[n]);
    }
    assert_int_equal(n, 6);
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
    for (size_t c = 0; object_classes[c] != NULL; c++)
        for (unsigned t = 0; t < TYPE__COUNT; t++) {
            const char *title = object_classes[c]->webhooks[t].name;
            pairs += title != NULL;
            titles += title != NULL && title[0] != '\0';
        }
    assert_int_equal(pairs, 22);
    assert_int_equal(titles, 18);
    for (size_t i = 0; i < KNOWN; i++) {
        const struct object_class *c = object_class_find(known[i].object_class);
        enum webhook_type t;
        assert_non_null(c);
        assert_err(webhook_type_parse(known[i].type, &t), ERR_OK);
        assert_non_null(c->webhooks[t].name);
        assert_string_equal(c->webhooks[t].name, known[i].title != NULL ? known[i].title : "");
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

/* Those that a side may use in a state, as `words()`. */
static const char *verbs(const struct object_class *c, enum side s, const char *state)
{
    const char *list[8] = {NULL};
    size_t n = 0;
    for (const struct object_verb *v = c->verbs; v->name != NULL; v++)
        if (object_verb_allowed(v, s, state))
            list[n++] = v->name;
    return words(list);
}

static void knows_who_may_do_what_and_when(void **state)
{
    (void)state;
    static const struct {
        const struct object_class *c;
        enum side s;
        const char *state, *verbs;
    } rows[] = {
        {&class_fulfillment_request, SIDE_VENDOR, "pending", "approve fail inquire schedule"},
        {&class_fulfillment_request, SIDE_VENDOR, "revoking", "confirm"},
        {&class_fulfillment_request, SIDE_VENDOR, "inquiring", "pend"},
        {&class_fulfillment_request, SIDE_VENDOR, "approved", ""},
        {&class_fulfillment_request, SIDE_VENDOR, "scheduled", ""},
        {&class_fulfillment_request, SIDE_VENDOR, "", ""},
        {&class_fulfillment_request, SIDE_DISTRIBUTOR, "scheduled", "revoke"},
        {&class_fulfillment_request, SIDE_DISTRIBUTOR, "pending", ""},
        {&class_tier_config_request, SIDE_VENDOR, "pending", "approve fail inquire"},
        {&class_tier_config_request, SIDE_DISTRIBUTOR, "pending", ""},
        {&class_tier_account_request, SIDE_VENDOR, "pending", "accept ignore"},
        {&class_listing_request, SIDE_DISTRIBUTOR, "reviewing", "deploy refine cancel"},
        {&class_listing_request, SIDE_DISTRIBUTOR, "deploying", "complete cancel"},
        {&class_listing_request, SIDE_VENDOR, "reviewing", ""},
        {&class_billing_request, SIDE_VENDOR, "", "annotate"},
        {&class_billing_request, SIDE_DISTRIBUTOR, "", "annotate"},
        {&class_usage_file, SIDE_VENDOR, "READY", "submit delete reprocess"},
        {&class_usage_file, SIDE_VENDOR, "uploaded", "submit delete reprocess"},
        {&class_usage_file, SIDE_DISTRIBUTOR, "pending", "accept reject"},
        {&class_usage_file, SIDE_DISTRIBUTOR, "accepted", "close"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(verbs(rows[i].c, rows[i].s, rows[i].state), rows[i].verbs);
}

static void lists_as_pending_what_somebody_can_act_on(void **state)
{
    (void)state;
    for (size_t c = 0; object_classes[c] != NULL; c++)
        for (unsigned s = 0; s < SIDE__COUNT; s++) {
            const char *const *list = object_classes[c]->pending[s];
            for (; *list != NULL; list++)
                assert_string_not_equal(verbs(object_classes[c], (enum side)s, *list), "");
        }
    assert_string_equal(words(class_fulfillment_request.pending[SIDE_VENDOR]), "pending revoking");
    assert_string_equal(words(class_fulfillment_request.pending[SIDE_DISTRIBUTOR]), "");
    assert_string_equal(words(class_tier_config_request.pending[SIDE_VENDOR]), "pending");
    assert_string_equal(words(class_listing_request.pending[SIDE_DISTRIBUTOR]),
                        "reviewing deploying");
    assert_string_equal(words(class_usage_file.pending[SIDE_VENDOR]), "ready uploaded");
    assert_string_equal(words(class_billing_request.pending[SIDE_VENDOR]), "");
}

static void tells_verbs_from_other_words(void **state)
{
    (void)state;
    const struct object_class *c = &class_fulfillment_request;
    assert_string_equal(object_verb_find(c, "approve")->name, "approve");
    assert_string_equal(object_verb_find(c, "revoke")->name, "revoke");
    assert_null(object_verb_find(c, "accept"));
    assert_null(object_verb_find(c, ""));
    assert_null(object_verb_find(c, "skip"));
    assert_null(object_verb_find(c, "approve/../fail"));
    assert_non_null(object_verb_find(&class_usage_file, "close"));
}

static void knows_what_has_been_done_already(void **state)
{
    (void)state;
    static const struct {
        const char *action, *status;
        bool done;
    } rows[] = {
        {"approve", "approved", true},   {"approve", "pending", false},
        {"approve", "failed", false},    {"fail", "failed", true},
        {"inquire", "inquiring", true},  {"pend", "pending", true},
        {"schedule", "scheduled", true}, {"revoke", "revoking", true},
        {"revoke", "revoked", true},     {"confirm", "revoked", true},
        {"confirm", "revoking", false},  {"confirm", "", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct object_verb *v = object_verb_find(&class_fulfillment_request, rows[i].action);
        assert_int_equal(object_verb_done(v, rows[i].status), rows[i].done);
    }
}

static void reads_an_object_by_its_class(void **state)
{
    (void)state;
    struct json_object *o = json("{'status':'pending','state':'reviewing','product':{'id':'PRD-1'},"
                                 "'params':[1],'asset':{'product':{'id':'PRD-2'},'params':[1,2]}}");
    assert_string_equal(object_state(&class_fulfillment_request, o), "pending");
    assert_string_equal(object_state(&class_listing_request, o), "reviewing");
    assert_string_equal(object_state(&class_billing_request, o), "");
    assert_string_equal(object_product(&class_fulfillment_request, o), "PRD-2");
    assert_string_equal(object_product(&class_usage_file, o), "PRD-1");
    assert_null(object_product(&class_listing_request, o));
    assert_int_equal(json_object_array_length(object_params(&class_fulfillment_request, o)), 2);
    assert_int_equal(json_object_array_length(object_params(&class_tier_config_request, o)), 1);
    assert_null(object_params(&class_usage_file, o));
    json_object_put(o);
    o = json("{'status':7,'asset':{'product':'PRD-2','params':{}}}");
    assert_string_equal(object_state(&class_fulfillment_request, o), "");
    assert_null(object_product(&class_fulfillment_request, o));
    assert_null(object_params(&class_fulfillment_request, o));
    assert_null(object_product(&class_fulfillment_request, NULL));
    json_object_put(o);
}

static void knows_when_an_object_was_made(void **state)
{
    (void)state;
    static const char *const none[] = {"{}", "{'events':null}", "{'events':{'created':{'at':7}}}",
                                       "{'events':{'created':{'at':'soon'}}}"};
    int64_t us = 7;
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        struct json_object *o = json(none[i]);
        assert_false(object_created(&class_billing_request, o, &us));
        json_object_put(o);
    }
    assert_int_equal(us, 7);
    struct json_object *o = json("{'events':{'created':{'at':'1970-01-01T00:00:01.5+00:00'}}}");
    assert_true(object_created(&class_billing_request, o, &us));
    assert_int_equal(us, 1500000);
    json_object_put(o);
}

static void makes_sense_in_itself(void **state)
{
    (void)state;
    for (size_t i = 0; object_classes[i] != NULL; i++) {
        const struct object_class *c = object_classes[i];
        assert_non_null(c->webhooks[TYPE_EVENT].name);
        assert_non_null(c->list);
        assert_int_equal(c->list[0], '/');
        assert_non_null(c->created);
        assert_non_null(c->verbs);
        assert_true(c->tier == NULL || c->template_scope != NULL);
        for (unsigned t = 0; t < TYPE__COUNT; t++) {
            const struct class_webhook *w = &c->webhooks[t];
            bool validates = w->name != NULL && t != TYPE_EVENT;
            assert_int_equal(w->type != NULL, validates);
            assert_int_equal(w->state != NULL, validates);
            assert_true(!validates || (c->document != NULL && c->params != NULL));
            assert_int_equal(w->tier != NULL, validates && c->tier != NULL);
        }
        for (const struct object_verb *v = c->verbs; v->name != NULL; v++) {
            assert_true(v->from[SIDE_VENDOR][0] != NULL || v->from[SIDE_DISTRIBUTOR][0] != NULL);
            for (unsigned s = 0; s < SIDE__COUNT; s++)
                for (size_t n = 0; v->from[s][n] != NULL; n++)
                    assert_int_equal(v->from[s][n][0] == '\0', c->state == NULL);
            assert_true(v->template_type == NULL || c->template_scope != NULL);
            assert_true(!v->bare || (v->fields[0].name == NULL && v->put == NULL));
            assert_int_equal(v->lands != NULL, c->state == NULL);
            assert_int_equal(v->leads_to[0] != NULL, c->state != NULL);
        }
    }
}

/* Of which document which validation is asked: all sixteen, and none of the others. */
static void knows_whose_documents_are_whose(void **state)
{
    (void)state;
    static const struct {
        const char *object_class, *document, *type;
    } cases[] = {
        {"fulfillment_request", "{'type':'purchase','status':'draft'}", "validator"},
        {"fulfillment_request", "{'type':'purchase','status':'inquiring'}", "inquiring_validator"},
        {"fulfillment_request", "{'type':'change','status':'draft'}", "change_validator"},
        {"fulfillment_request", "{'type':'change','status':'inquiring'}",
         "change_inquiring_validator"},
        {"fulfillment_request", "{'type':'renew','status':'draft'}", "renew_validator"},
        {"fulfillment_request", "{'type':'renew','status':'inquiring'}",
         "renew_inquiring_validator"},
        {"fulfillment_request", "{'type':'transfer','status':'draft'}", "transfer_validator"},
        {"fulfillment_request", "{'type':'transfer','status':'inquiring'}",
         "transfer_inquiring_validator"},
        {"fulfillment_request", "{'type':'cancel','status':'draft'}", NULL},
        {"fulfillment_request", "{'type':'purchase','status':'pending'}", NULL},
        {"fulfillment_request", "{'status':'draft'}", NULL},
        {"fulfillment_request", "{'type':'purchase'}", NULL},
        {"tier_config_request",
         "{'type':'setup','status':'draft','configuration':{'tier_level':1}}", "draft_tcr_t1_val"},
        {"tier_config_request",
         "{'type':'setup','status':'draft','configuration':{'tier_level':'2'}}",
         "draft_tcr_t2_val"},
        {"tier_config_request",
         "{'type':'setup','status':'inquiring','configuration':{'tier_level':1}}",
         "tcr_setup_t1_inq_val"},
        {"tier_config_request",
         "{'type':'setup','status':'inquiring','configuration':{'tier_level':2}}",
         "tcr_setup_t2_inq_val"},
        {"tier_config_request",
         "{'type':'update','status':'draft','configuration':{'tier_level':1}}",
         "tcr_update_t1_validator"},
        {"tier_config_request",
         "{'type':'update','status':'draft','configuration':{'tier_level':2}}",
         "tcr_update_t2_validator"},
        {"tier_config_request",
         "{'type':'update','status':'inquiring','configuration':{'tier_level':1}}",
         "tcr_update_t1_inq_val"},
        {"tier_config_request",
         "{'type':'update','status':'inquiring','configuration':{'tier_level':2}}",
         "tcr_update_t2_inq_val"},
        {"tier_config_request", "{'type':'setup','status':'draft','configuration':{}}", NULL},
        {"tier_config_request",
         "{'type':'adjustment','status':'draft','configuration':{'tier_level':1}}", NULL},
        {"usage_file", "{'type':'purchase','status':'draft'}", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct object_class *c = object_class_find(cases[i].object_class);
        struct json_object *document = json(cases[i].document);
        enum webhook_type t = object_validator(c, document);
        if (cases[i].type == NULL)
            assert_int_equal(t, TYPE__COUNT);
        else
            assert_string_equal(webhook_type_name(t), cases[i].type);
        for (unsigned other = 0; other < TYPE__COUNT && cases[i].type != NULL; other++)
            if (c->webhooks[other].type != NULL)
                assert_int_equal(object_suits(c, other, document, NULL) == ERR_OK, other == t);
        json_object_put(document);
    }
}

/* Drafts are sparse: what does not say what it is may be anything. */
static void takes_a_document_that_says_little_for_what_it_may_be(void **state)
{
    (void)state;
    static const struct {
        const char *document, *told;
    } cases[] = {
        {"{}", NULL},
        {"{'type':'setup','configuration':{'tier_level':null}}", NULL},
        {"{'type':7,'status':null,'configuration':[]}", NULL},
        {"{'type':'update'}", "its type is update, not setup"},
        {"{'status':'pending'}", "its status is pending, not draft"},
        {"{'configuration':{'tier_level':1}}", "it is about tier 1, not 2"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct json_object *document = json(cases[i].document);
        struct why why = {""};
        enum err e = object_suits(&class_tier_config_request, TYPE_DRAFT_TCR_T2_VAL, document,
                                  &why);
        assert_err(e, cases[i].told == NULL ? ERR_OK : ERR_TYPE);
        assert_string_equal(why.text, cases[i].told != NULL ? cases[i].told : "");
        json_object_put(document);
    }
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
        cmocka_unit_test(knows_what_has_been_done_already),
        cmocka_unit_test(reads_an_object_by_its_class),
        cmocka_unit_test(knows_when_an_object_was_made),
        cmocka_unit_test(makes_sense_in_itself),
        cmocka_unit_test(knows_whose_documents_are_whose),
        cmocka_unit_test(takes_a_document_that_says_little_for_what_it_may_be),
        cmocka_unit_test(refuses_ids_that_could_leave_a_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
