/* fuzz_fcgi.c - FastCGI by strangers. */
#include <stdint.h>
#include <stdlib.h>

#include "transport/fcgi_codec.h"
#include "transport/request_env.h"

#define MAX_BODY 1000 /* bytes */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void decode(const struct fcgi_reader *reader)
{
    struct request r;
    struct buf text;
    char *env[REQUEST_PARAMS_MAX + 1];
    int64_t length;
    if (reader->body.len > MAX_BODY)
        abort();
    buf_init(&text, reader->params.max);
    request_init(&r, NULL, 0);
    reader_params(reader, &text, env);
    request_read_env(&r, env, &length);
    request_free(&r);
    buf_free(&text);
}

/* The first byte says in what pieces the rest comes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    size_t step = data[0] > 0 ? data[0] : size, used;
    struct fcgi_reader reader;
    reader_init(&reader);
    reader.body.max = MAX_BODY;
    for (size_t at = 1; at < size && reader.stage != READER_END; at += used) {
        size_t n = step < size - at ? step : size - at;
        if (reader_feed(&reader, data + at, n, &used) != ERR_OK)
            break;
        if (used > n || (used < n && reader.stage != READER_END))
            abort();
    }
    if (reader.stage == READER_END)
        decode(&reader);
    reader_free(&reader);
    return 0;
}
