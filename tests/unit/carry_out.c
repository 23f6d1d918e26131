/* carry_out.c - a decision carried out against a server of the test's. */
#include "carry_out.h"
#include "json_text.h"

#include <stdio.h>
#include <string.h>

#include "base/clk.h"
#include "processors/template.h"

struct fake *fake;
struct job job;
static struct fake_api connect;

void connect_with(int64_t timeout_ms)
{
    connect.account.timeout_ms = timeout_ms;
    fake_api_connect(&connect, 0);
}

int set_up(void **state)
{
    (void)state;
    fake_api_start(&connect);
    fake = connect.server;
    return 0;
}

int tear_down(void **state)
{
    (void)state;
    fake_api_stop(&connect);
    return 0;
}

void answer(int status, const char *text)
{
    fake_api_answer(&connect, status, text);
}

const char *request(const char *status, const char *extra)
{
    static char text[2048];
    snprintf(text, sizeof text,
             "{'id':'" REQUEST "','type':'purchase','status':'%s',%s'asset':{'id':'AS-1','product':"
             "{'id':'" PRODUCT "'},'params':["
             "{'id':'email','type':'text','value':'a@b.c','value_error':''},"
             "{'id':'pin','type':'password','value':'old-secret','value_error':''},"
             "{'id':'where','type':'address','value':'','structured_value':{'city':'Bern'}},"
             "{'id':'tree','type':'object','structured_value':"
             "{'a':[1,{'n':1234567890123456789012345}],'b':'x'}},"
             "{'id':'seats','type':'text','value':8}]}}",
             status, extra);
    return text;
}

enum outcome carry_out_on(const struct object_class *c, const char *object_text,
                          const char *decision_text, bool dry_run)
{
    struct json_object *object = json(object_text), *answer_json = json(decision_text);
    struct decision decision;
    struct why why = {""};
    enum err e = decision_parse(answer_json, c, &decision, &why);
    assert_string_equal(why.text, "");
    assert_err(e, ERR_OK);
    json_object_put(answer_json);
    struct template_lists templates = {0};
    job = (struct job){.api = connect.api,
                       .templates = &templates,
                       .object_class = c,
                       .product_id = PRODUCT,
                       .object_id = REQUEST,
                       .object = object,
                       .decision = &decision,
                       .dry_run = dry_run,
                       .deadline = clk_mono_ms() + SOON_MS,
                       .recheck_by = clk_mono_ms() + 2 * SOON_MS};
    enum outcome o = job_carry_out(&job);
    template_lists_free(&templates);
    decision_free(&decision);
    json_object_put(object);
    return o;
}

enum outcome carry_out(const char *object_text, const char *decision_text)
{
    return carry_out_on(&class_fulfillment_request, object_text, decision_text, false);
}

void assert_sent(size_t i, const char *line, const char *body)
{
    assert_true(i < fake_requests(fake));
    const char *got = fake_request(fake, i);
    char first[1024], want[1024];
    const char *space = strchr(line, ' ');
    snprintf(first, sizeof first, "%.*s", (int)strcspn(got, "\r"), got);
    snprintf(want, sizeof want, "%.*s /public/v1%s", (int)(space - line), line, space + 1);
    assert_memory_equal(first, want, strlen(want));
    assert_non_null(strchr(" &", first[strlen(want)])); /* lists go on to name a page */
    char quoted[2048];
    snprintf(quoted, sizeof quoted, "%s", body);
    for (char *c = quoted; (c = strchr(c, '\'')) != NULL;)
        *c = '"';
    assert_string_equal(strstr(got, "\r\n\r\n") + 4, quoted);
}
