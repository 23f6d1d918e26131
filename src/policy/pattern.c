/* pattern.c - regular expressions that match a whole value, and give up rather than go on. */
#include "policy/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#define OPTIONS (PCRE2_UTF | PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_NEVER_BACKSLASH_C)

struct pattern {
    pcre2_code *code;
    pcre2_match_context *limits;
};

/* What PCRE2 says of an error, for people. */
static void describe(int error, char ret[128])
{
    if (pcre2_get_error_message(error, (PCRE2_UCHAR *)ret, 128) < 0)
        memcpy(ret, "unknown error", sizeof "unknown error");
}

enum err pattern_new(const char *text, struct pattern **ret, struct why *why)
{
    int error = 0;
    PCRE2_SIZE at = 0;
    size_t len = strlen(text);
    if (len > PATTERN_LEN_MAX)
        return why_set(why, ERR_INVALID, "longer than %d bytes", PATTERN_LEN_MAX);
    struct pattern *p = calloc(1, sizeof *p);
    if (p == NULL)
        return why_no_memory(why);
    p->limits = pcre2_match_context_create(NULL);
    p->code = pcre2_compile((PCRE2_SPTR)text, len, OPTIONS, &error, &at, NULL);
    if (p->limits == NULL || p->code == NULL) {
        bool no_memory = p->limits == NULL || error == PCRE2_ERROR_HEAP_FAILED;
        char said[128];
        describe(error, said);
        pattern_free(p);
        return no_memory ? why_no_memory(why)
                         : why_set(why, ERR_INVALID, "at byte %zu: %s", (size_t)at + 1, said);
    }
    pcre2_set_match_limit(p->limits, PATTERN_STEPS_MAX);
    pcre2_set_depth_limit(p->limits, PATTERN_DEPTH_MAX);
    pcre2_set_heap_limit(p->limits, PATTERN_HEAP_MAX);
    *ret = p;
    return ERR_OK;
}

void pattern_free(struct pattern *p)
{
    if (p == NULL)
        return;
    pcre2_match_context_free(p->limits);
    pcre2_code_free(p->code);
    free(p);
}

enum err pattern_matches(const struct pattern *p, const char *value, bool *ret, struct why *why)
{
    char said[128];
    size_t len = strlen(value);
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    if (data == NULL)
        return why_no_memory(why);
    int count = pcre2_match(p->code, (PCRE2_SPTR)value, len, 0, 0, data, p->limits);
    pcre2_match_data_free(data);
    if (count >= 0 || count == PCRE2_ERROR_NOMATCH) {
        *ret = count >= 0;
        return ERR_OK;
    }
    if (count == PCRE2_ERROR_NOMEMORY)
        return why_no_memory(why);
    describe(count, said);
    return why_set(why, ERR_POLICY, "gave up on a value of %zu bytes: %s", len, said);
}
