/* carry_out.c - a decision carried out against a server of the test's. */
#include "carry_out.h"
#include "json_text.h"

#include <stdio.h>
#include <string.h>

#include "base/clk.h"
#include "processors/template.h"

struct fake *fake;
static struct api *api;
static struct secret *key;
struct job job;

void connect_with(int64_t timeout_ms)
{
    char url[128];
    snprintf(url, sizeof url, "%s/public/v1", fake_url(fake));
    struct api_options o = {.account_id = "VA-240-990",
                            .url = url,
                            .key = key,
                            .connect_timeout_ms = SOON_MS,
                            .timeout_ms = timeout_ms,
                            .backoff_min_ms = 1,
                            .backoff_max_ms = 1};
    api_free(api);
    api = NULL;
    assert_err(api_new(&o, &api, NULL), ERR_OK);
}

int set_up(void **state)
{
    (void)state;
    fake = fake_start();
    assert_err(secret_from_bytes("SU-1:secret", 11, &key), ERR_OK);
    connect_with(SOON_MS);
    return 0;
}

int tear_down(void **state)
{
    (void)state;
    api_free(api);
    api = NULL;
    secret_free(key);
    fake_stop(fake);
    return 0;
}

void answer(int status, const char *text)
{
    struct json_object *body = json(text);
    char range[64] = "";
    if (json_object_is_type(body, json_type_array)) {
        size_t n = json_object_array_length(body);
        snprintf(range, sizeof range, "Content-Range: items 0-%zu/%zu\r\n", n > 0 ? n - 1 : 0, n);
    }
    fake_answer(fake, status, range, json_object_to_json_string_ext(body, JSON_C_TO_STRING_PLAIN));
    json_object_put(body);
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
    job = (struct job){.api = api,
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
