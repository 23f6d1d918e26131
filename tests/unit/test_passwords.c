/* test_passwords.c - which values of an object and a decision are passwords. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/jsonx.h"
#include "json_text.h"
#include "policy/passwords.h"

/* The values that are collected, joined by spaces. Static. */
static const char *collected(const char *object_text, const char *decision_text)
{
    static char list[256];
    struct json_object *object = json(object_text), *decision = json(decision_text);
    struct mask m = {0};
    assert_err(passwords_collect(object, jsonx_array(decision, "params"), &m), ERR_OK);
    list[0] = '\0';
    for (size_t i = 0; i < m.count; i++)
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s ", m.values[i]);
    mask_free(&m);
    json_object_put(object);
    json_object_put(decision);
    return list;
}

static void finds_none_where_there_are_none(void **state)
{
    (void)state;
    assert_string_equal(collected("null", "null"), "");
    assert_string_equal(collected("{}", "{\"params\":[{\"id\":\"a\",\"value\":\"b\"}]}"), "");
    assert_string_equal(
        collected("{\"params\":[{\"id\":\"a\",\"type\":\"text\",\"value\":\"b\"},"
                  "{\"id\":\"c\",\"type\":\"password\",\"value\":\"\",\"title\":\"d\"}]}",
                  "{\"params\":[{\"id\":\"a\",\"value\":\"b\"},{\"id\":\"c\",\"value\":null}]}"),
        "");
}

static void finds_them_wherever_parameters_stand(void **state)
{
    (void)state;
    assert_string_equal(
        collected(
            "{\"asset\":{\"params\":[{\"id\":\"a\",\"type\":\"password\",\"value\":\"one\"}],"
            "\"configuration\":{\"params\":[{\"id\":\"b\",\"type\":\"password\",\"value\":2,"
            "\"structured_value\":{\"x\":[\"three\",true,null,4.50]}}]},"
            "\"items\":[{\"params\":[{\"id\":\"c\",\"type\":\"password\",\"value\":\"five\"}]}"
            "]}}",
            "null"),
        "one 2 three 4.50 five ");
}

static void finds_those_that_a_decision_gives(void **state)
{
    (void)state;
    assert_string_equal(
        collected("{\"asset\":{\"params\":[{\"id\":\"a\",\"type\":\"password\",\"value\":\"\"},"
                  "{\"id\":\"b\",\"type\":\"text\",\"value\":\"seen\"}]}}",
                  "{\"params\":[{\"id\":\"b\",\"value\":\"seen\"},{\"id\":\"a\",\"value\":\"new\","
                  "\"structured_value\":[\"deep\"],\"value_error\":\"too short\"}]}"),
        "new deep ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_none_where_there_are_none),
        cmocka_unit_test(finds_them_wherever_parameters_stand),
        cmocka_unit_test(finds_those_that_a_decision_gives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
