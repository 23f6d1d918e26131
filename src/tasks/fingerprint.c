/* fingerprint.c - SHA-256 of what a decision depends on. */
#include "tasks/fingerprint.h"

#include <sodium.h>
#include <string.h>

#include "base/buf.h"

#define NOTE_MAX (1024 * 1024) /* bytes of what a policy says of itself */

enum err fingerprint_queue(const struct queue *q, bool dry_run, uint8_t ret[FINGERPRINT_LEN])
{
    struct buf note;
    buf_init(&note, NOTE_MAX);
    buf_printf(&note, "%d %d\n", (int)q->webhook->policy.kind, dry_run);
    enum err e = policy_note(q->policy, &note);
    if (e == ERR_OK)
        crypto_hash_sha256(ret, (const unsigned char *)note.data, note.len);
    buf_free(&note);
    return e;
}

static bool is_volatile(const struct object_class *c, const char *member)
{
    const char *const *v = c->volatile_members;
    while (*v != NULL && strcmp(*v, member) != 0)
        v++;
    return *v != NULL;
}

void fingerprint_object(const uint8_t of_queue[FINGERPRINT_LEN], const struct object_class *c,
                        struct json_object *object, uint8_t ret[FINGERPRINT_LEN])
{
    crypto_hash_sha256_state hash;
    crypto_hash_sha256_init(&hash);
    crypto_hash_sha256_update(&hash, of_queue, FINGERPRINT_LEN);
    struct json_object_iterator it = json_object_iter_begin(object),
                                end = json_object_iter_end(object);
    for (; !json_object_iter_equal(&it, &end); json_object_iter_next(&it)) {
        const char *key = json_object_iter_peek_name(&it);
        size_t len;
        if (is_volatile(c, key))
            continue;
        const char *text = json_object_to_json_string_length(json_object_iter_peek_value(&it),
                                                             JSON_C_TO_STRING_PLAIN, &len);
        crypto_hash_sha256_update(&hash, (const unsigned char *)key, strlen(key) + 1);
        crypto_hash_sha256_update(&hash, (const unsigned char *)text, len + 1);
    }
    crypto_hash_sha256_final(&hash, ret);
}
