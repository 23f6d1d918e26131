/* fuzz_jsonx.c - whatever jsonx accepts, it prints as the same document. */
#include <stdint.h>
#include <stdlib.h>

#include "base/jsonx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json_object *root, *again;
    struct buf b;
    struct why why;
    if (jsonx_parse((const char *)data, size, JSONX_SIZE_MAX, &root, &why) != ERR_OK)
        return 0;
    buf_init(&b, JSONX_SIZE_MAX);
    if (jsonx_print(&b, root) != ERR_OK)
        abort();
    if (jsonx_parse(b.data, b.len, JSONX_SIZE_MAX, &again, &why) != ERR_OK)
        abort();
    if (!json_object_equal(root, again))
        abort();
    json_object_put(again);
    json_object_put(root);
    buf_free(&b);
    return 0;
}
