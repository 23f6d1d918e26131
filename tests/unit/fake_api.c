/* fake_api.c - a server that plays Connect, and a client of ours that talks to it. */
#include "fake_api.h"

#include <stdio.h>

#include "json_text.h"

void fake_api_start(struct fake_api *f)
{
    *f = (struct fake_api){.server = fake_start()};
    snprintf(f->url, sizeof f->url, "%s/public/v1", fake_url(f->server));
    assert_err(secret_from_bytes(FAKE_KEY, strlen(FAKE_KEY), &f->key), ERR_OK);
    f->account = (struct conf_account){.id = FAKE_ACCOUNT,
                                       .side = SIDE_VENDOR,
                                       .api_url = f->url,
                                       .api_key = {.value = f->key},
                                       .connect_timeout_ms = SOON_MS,
                                       .timeout_ms = SOON_MS};
    fake_api_connect(f, 0);
}

void fake_api_stop(struct fake_api *f)
{
    api_free(f->api);
    secret_free(f->key);
    fake_stop(f->server);
}

void fake_api_connect(struct fake_api *f, size_t answer_max)
{
    const struct api_limits limits = {1, 1, answer_max};
    api_free(f->api);
    f->api = NULL;
    assert_err(api_new(&f->account, &limits, NULL, &f->api, NULL), ERR_OK);
}

void fake_api_answer(struct fake_api *f, int status, const char *text)
{
    if (text[0] == '\0') {
        fake_answer(f->server, status, "", "");
        return;
    }
    struct json_object *body = json(text);
    char range[64] = "";
    if (json_object_is_type(body, json_type_array)) {
        size_t n = json_object_array_length(body);
        snprintf(range, sizeof range, "Content-Range: items 0-%zu/%zu\r\n", n > 0 ? n - 1 : 0, n);
    }
    fake_answer(f->server, status, range,
                json_object_to_json_string_ext(body, JSON_C_TO_STRING_PLAIN));
    json_object_put(body);
}
