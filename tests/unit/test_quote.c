/* test_quote.c - ${path} in the texts of a rule's decision. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/jsonx.h"
#include "json_text.h"
#include "policy/quote.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

static struct json_object *object(void)
{
    return json("{\"id\":\"PR-1\",\"n\":42,\"price\":1.50,\"yes\":true,\"note\":\"\",\"none\":null,"
                "\"blank\":\" \",\"spaced\":\" \u00a0Gro\u00dfe "
                "Welt\u3000\",\"list\":[1],\"params\":[{\"id\":\"a b\",\"value\":\"${id}\"}]}");
}

/* Expand one text over object(); the result is owned. */
static enum err expand(const char *text, char **ret, struct why *why)
{
    struct json_object *o = object(), *event = json("{\"data\":{\"eu\":\"yes\"}}");
    struct json_object *in = json_object_new_string(text), *out = NULL;
    const struct rql_var vars[] = {{"event", event}, {NULL, NULL}};
    enum err e = quote_expand(in, &(struct quote_source){o, vars, false}, &out, why);
    if (e == ERR_OK)
        *ret = strdup(json_object_get_string(out));
    json_object_put(out);
    json_object_put(in);
    json_object_put(event);
    json_object_put(o);
    return e;
}

static void refuses_malformed_quotes(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "${",
        "${}",
        "x ${id",
        "${id} ${",
        "${:-x}",
        "${.id}",
        "${a..b}",
        "${a b}",
        "${$}",
        "${$other.x}",
        "${$webhook}",
        "${$webhook.name}",
        "${$attempts}",
        "${$attempt.x}",
        "${params[a.value}",
        "${1}",
        "${id|}",
        "${id|trim|}",
        "${id|trims}",
        "${id| trim}",
        "${|trim}",
        "${id|trim|lower|trim|lower|trim}",
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct json_object *text = json_object_new_string(bad[i]);
        struct json_object *list = json_object_new_array(), *root = json_object_new_object();
        json_object_array_add(list, text);
        json_object_object_add(root, "deep", list);
        struct why why = {""};
        if (quote_check(root, &why) != ERR_POLICY || why.text[0] == '\0')
            fail_msg("%s was let through", bad[i]);
        json_object_put(root);
    }
}

static void refuses_a_path_that_leads_nowhere(void **state)
{
    (void)state;
    static const struct {
        const char *text, *told;
    } bad[] = {
        {"${nothing}", "${nothing} leads nowhere"},
        {"${none}", "${none} leads nowhere"},
        {"${params[c].value}", "${params[c].value} leads nowhere"},
        {"${$event.data.us}", "leads nowhere"},
        {"${list}", "${list} is no text"},
        {"${params}", "is no text"},
        {"${$event}", "is no text"},
        {"${$webhook.id}", "leads nowhere"}, /* not given here */
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct why why = {""};
        char *got = NULL;
        assert_err(expand(bad[i].text, &got, &why), ERR_POLICY);
        if (strstr(why.text, bad[i].told) == NULL)
            fail_msg("%s: %s", bad[i].text, why.text);
        assert_null(got);
    }
}

static void refuses_a_text_that_grows_without_measure(void **state)
{
    (void)state;
    struct json_object *o = json_object_new_object(), *out = NULL;
    char *big = malloc(QUOTE_TEXT_MAX);
    memset(big, 'x', QUOTE_TEXT_MAX);
    json_object_object_add(o, "big", json_object_new_string_len(big, QUOTE_TEXT_MAX));
    struct json_object *in = json_object_new_string("${big}!");
    assert_err(quote_expand(in, &(struct quote_source){o, NULL, false}, &out, NULL), ERR_TOO_BIG);
    assert_null(out);
    json_object_put(in);
    json_object_put(o);
    free(big);
}

static void fills_quotes_in(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to;
    } good[] = {
        {"", ""},
        {"plain $5 {x} }", "plain $5 {x} }"},
        {"${id}", "PR-1"},
        {"<${id}> and <${id}>", "<PR-1> and <PR-1>"},
        {"${id}${n}", "PR-142"},
        {"${n}", "42"},
        {"${price}", "1.50"}, /* as spelt */
        {"${yes}", "true"},
        {"${note}", ""},
        {"${note:-nothing said}", "nothing said"},
        {"${nothing:-}", ""},
        {"${nothing:-a:-b}", "a:-b"},
        {"${list:-x}", "x"},
        {"${id:-x}", "PR-1"},
        {"${params[a b].value}", "${id}"}, /* what came from outside is not looked at again */
        {"${$event.data.eu}", "yes"},
        {"$${id}", "${id}"},
        {"cost $$${id}", "cost $${id}"},
        {"${id}$${id}", "PR-1${id}"},
        {"$", "$"},
        {"<${spaced|trim}>", "<Gro\u00dfe Welt>"},
        {"${spaced|trim|lower}", "gro\u00dfe welt"},
        {"${spaced|trim|upper}", "GROSSE WELT"},
        {"${blank|trim:-nothing}", "nothing"},
        {"${nothing|lower:-Else}", "Else"},
        {"${n|upper}", "42"},
        {"${id:-|trim}", "PR-1"},
        {"${nothing:-|trim}", "|trim"},
    };
    for (size_t i = 0; i < COUNT(good); i++) {
        struct json_object *text = json_object_new_string(good[i].from);
        assert_err(quote_check(text, NULL), ERR_OK);
        json_object_put(text);
        char *got = NULL;
        struct why why = {""};
        if (expand(good[i].from, &got, &why) != ERR_OK)
            fail_msg("%s: %s", good[i].from, why.text);
        assert_string_equal(got, good[i].to);
        free(got);
    }
}

static void copies_the_rest_as_it_is(void **state)
{
    (void)state;
    struct json_object *o = object(), *out = NULL;
    struct json_object *in = json("{\"a\":[1,null,{\"b\":\"${id}\",\"c\":true}],\"${id}\":2.50}");
    assert_err(quote_check(in, NULL), ERR_OK);
    assert_err(quote_expand(in, &(struct quote_source){o, NULL, false}, &out, NULL), ERR_OK);
    struct buf b;
    buf_init(&b, 1000);
    jsonx_print(&b, out);
    assert_string_equal(b.data, "{\"a\":[1,null,{\"b\":\"PR-1\",\"c\":true}],\"${id}\":2.50}");
    buf_free(&b);
    json_object_put(in); /* the copy lives on */
    assert_string_equal(json_object_get_string(rql_lookup("a.b", out, NULL)), "PR-1");
    json_object_put(out);
    json_object_put(o);
}

/* What a customer has not filled in yet stands nowhere in the form. */
static void takes_the_gaps_of_a_form_for_empty(void **state)
{
    (void)state;
    struct json_object *o = object(), *out = NULL;
    struct json_object *in = json("[\"<${nothing|trim}${none}>\",\"${nothing:-x}\"]");
    const struct quote_source form = {o, NULL, .has_gaps = true};
    assert_err(quote_expand(in, &form, &out, NULL), ERR_OK);
    assert_string_equal(json_object_to_json_string_ext(out, JSON_C_TO_STRING_PLAIN),
                        "[\"<>\",\"x\"]");
    json_object_put(out);
    json_object_put(in);
    in = json("[\"${list}\"]");
    assert_err(quote_expand(in, &form, &out, NULL), ERR_POLICY);
    json_object_put(in);
    json_object_put(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_malformed_quotes),
        cmocka_unit_test(refuses_a_path_that_leads_nowhere),
        cmocka_unit_test(refuses_a_text_that_grows_without_measure),
        cmocka_unit_test(fills_quotes_in),
        cmocka_unit_test(copies_the_rest_as_it_is),
        cmocka_unit_test(takes_the_gaps_of_a_form_for_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
