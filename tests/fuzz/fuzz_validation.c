/*
 * fuzz_validation.c - a form comes back as it came but for the changes, whatever both are.
 *
 * An input is a document of a fulfillment request, a form feed, and the changes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/jsonx.h"
#include "processors/validation.h"

#define CLASS &class_fulfillment_request

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The document with the changes. */
static void print(struct buf *b, const char *text, size_t len, struct json_object *changes)
{
    struct validation d;
    buf_init(b, JSONX_SIZE_MAX);
    if (validation_read(text, len, CLASS, &d, NULL) != ERR_OK ||
        validation_print(b, &d, changes) != ERR_OK)
        abort();
    validation_free(&d);
}

static void try_changes(const char *text, size_t len, struct json_object *changes)
{
    struct buf same, once, twice;
    print(&same, text, len, NULL);
    if (same.len != len || memcmp(same.data, text, len) != 0)
        abort();
    if (changes == NULL || object_is_document(CLASS, changes)) {
        print(&once, text, len, changes);
        print(&twice, once.data, once.len, changes); /* is there already */
        if (once.len != twice.len || memcmp(once.data, twice.data, once.len) != 0)
            abort();
        buf_free(&once);
        buf_free(&twice);
    }
    buf_free(&same);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data, *end = text + size;
    const char *feed = size > 0 ? memchr(text, '\f', size) : NULL;
    struct json_object *changes;
    struct validation d;
    if (feed == NULL || validation_read(text, (size_t)(feed - text), CLASS, &d, NULL) != ERR_OK)
        return 0;
    validation_free(&d);
    if (jsonx_parse(feed + 1, (size_t)(end - feed - 1), JSONX_SIZE_MAX, &changes, NULL) != ERR_OK)
        return 0;
    try_changes(text, (size_t)(feed - text), changes);
    json_object_put(changes);
    return 0;
}
