/* bearer.c - find the one bearer token of a call. */
#include "auth/bearer.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#define SCHEME "bearer"

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

/* The characters of a header's word (RFC 9110 section 5.6.2), which a longer scheme would have. */
static bool is_word(char c)
{
    return isalnum((unsigned char)c) || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

/* The characters of a token (RFC 6750 section 2.1). */
#define TOKEN "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/="

/* The token in one header's value; *ret_len is 0 if the scheme is another. */
static enum err token_in(const char *value, const char **ret_token, size_t *ret_len)
{
    size_t len = 0;
    while (is_space(*value))
        value++;
    const char *after = value + strlen(SCHEME);
    if (strncasecmp(value, SCHEME, strlen(SCHEME)) != 0 || is_word(*after)) {
        *ret_len = 0;
        return ERR_OK;
    }
    if (*after != ' ')
        return ERR_TOKEN_FORM;
    while (*after == ' ')
        after++;
    len = strspn(after, TOKEN);
    const char *rest = after + len;
    while (is_space(*rest))
        rest++;
    /* A web server joins headers that came twice by a comma. */
    if (*rest == ',')
        return ERR_TOKEN_AMBIGUOUS;
    if (*rest != '\0' || len == 0)
        return ERR_TOKEN_FORM;
    *ret_token = after;
    *ret_len = len;
    return ERR_OK;
}

enum err bearer_find(const char *const *headers, size_t count, const char **ret_token,
                     size_t *ret_len)
{
    const char *found = NULL, *token;
    size_t found_len = 0, len;
    for (size_t i = 0; i < count; i++) {
        if (headers[i] == NULL)
            continue;
        enum err e = token_in(headers[i], &token, &len);
        if (e != ERR_OK)
            return e;
        if (len == 0)
            continue;
        if (found != NULL && (len != found_len || memcmp(token, found, len) != 0))
            return ERR_TOKEN_AMBIGUOUS;
        found = token;
        found_len = len;
    }
    if (found == NULL)
        return ERR_TOKEN_MISSING;
    *ret_token = found;
    *ret_len = found_len;
    return ERR_OK;
}
