/* usage.c - usage files: uploaded by the vendor, accepted by the distributor. */
#include <string.h>

#include "base/jsonx.h"
#include "base/utf8.h"
#include "sim/kind.h"
#include "sim/rooms.h"

#define NOTE_MAX 200 /* characters of each of their texts */

static const struct sim_verb verbs[] = {
    {.name = "submit", .from = "ready uploaded", .to = "pending", .event = "submitted"},
    {.name = "accept",
     .from = "pending",
     .to = "accepted",
     .event = "accepted",
     .keeps = {{"acceptance_note", NOTE_MAX}}},
    {.name = "reject",
     .from = "pending",
     .to = "rejected",
     .event = "rejected",
     .keeps = {{"rejection_note", NOTE_MAX}}},
    {.name = "close", .from = "accepted", .to = "closed", .event = "closed"},
    {.name = "delete", .from = "draft ready uploaded invalid", .to = "deleted", .event = "deleted"},
    {.name = "reprocess", .from = "ready uploaded invalid", .to = "processing"},
    {0},
};

/* What may be written of a file, besides its period. */
static const char *const texts[] = {"name", "description", "note", "external_id", "currency"};

/* False, and the answer says why, if a text is too long. */
static bool write_fields(struct sim_call *c, struct json_object *file)
{
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const char *text = jsonx_str(c->body, texts[i], NULL);
        if (text != NULL && text[utf8_prefix(text, NOTE_MAX)] != '\0')
            return !sim_error(c, 400, "VAL_001",
                              "%s: Ensure this field has no more than %d characters.", texts[i],
                              NOTE_MAX);
    }
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (jsonx_str(c->body, texts[i], NULL) != NULL)
            jsonx_add_text(file, texts[i], jsonx_str(c->body, texts[i], ""));
    if (jsonx_object(c->body, "period") != NULL)
        json_object_object_add(file, "period", jsonx_copy(jsonx_object(c->body, "period")));
    return true;
}

static bool put(struct sim_call *c, struct json_object *file)
{
    if (!write_fields(c, file))
        return true;
    jsonx_add_at(file, "events.updated.at", sim_now());
    sim_changed(c, STORE_USAGE_FILES, file);
    return sim_ok(c, 200, json_object_get(file));
}

static bool create(struct sim_call *c)
{
    const struct json_object *product = store_find(
        c->sim->store, STORE_PRODUCTS, jsonx_str(jsonx_object(c->body, "product"), "id", ""));
    const char *contract_id = jsonx_str(jsonx_object(c->body, "contract"), "id", "");
    if (product == NULL)
        return sim_error(c, 400, "VAL_001", "product.id: there is no such product.");
    if (*contract_id == '\0')
        return sim_error(c, 400, "VAL_001", "contract.id: This field is required.");
    struct json_object *file = json_object_new_object();
    char id[40];
    sim_new_id(c->sim, STORE_USAGE_FILES, "UF", id);
    jsonx_add_text(file, "id", id);
    jsonx_add_text(file, "external_id", "");
    jsonx_add_text(file, "status", "draft");
    jsonx_add(file, "product", sim_members(product, sim_brief));
    jsonx_add_at(file, "contract.id", json_object_new_string(contract_id));
    jsonx_share(file, "vendor", jsonx_object(product, "owner"));
    jsonx_add_at(file, "events.created.at", sim_now());
    if (!write_fields(c, file)) {
        json_object_put(file);
        return true;
    }
    return sim_created(c, STORE_USAGE_FILES, file);
}

bool sim_is_upload(const struct sim_call *c)
{
    return sim_is(c, "POST", 4) && strcmp(c->parts[0], "usage") == 0 &&
           strcmp(c->parts[1], "files") == 0 && strcmp(c->parts[3], "upload") == 0;
}

/* POST .../upload: nobody looks into what is uploaded, so it is processed at once. */
static bool below(struct sim_call *c, struct json_object *file)
{
    if (!sim_is_upload(c))
        return false;
    if (!sim_has_word("draft invalid ready uploaded rejected", jsonx_str(file, "status", "")))
        return sim_error(c, 400, "UF_003", "status: what is %.40s takes no upload.",
                         jsonx_str(file, "status", ""));
    if (c->sent->len == 0)
        return sim_error(c, 400, "VAL_001", "usage_file: No file was submitted.");
    sim_move(c, &sim_kind_usage_files, file, "ready", "uploaded");
    return sim_ok(c, 201, json_object_get(file)); /* an older client insists on 201 */
}

const struct sim_kind sim_kind_usage_files = {
    .path = {"usage", "files"},
    .store = STORE_USAGE_FILES,
    .code = "UF",
    .state = "status",
    .last = "closed deleted",
    .touched = "events.updated.at",
    .verbs = verbs,
    .create = create,
    .put = put,
    .below = below,
};
