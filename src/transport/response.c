/* response.c - an answer to a call, and its CGI form. */
#include "transport/response.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void response_init(struct response *res, int status, const char *content_type)
{
    *res = (struct response){.status = status, .content_type = content_type};
    buf_init(&res->body, RESPONSE_BODY_MAX);
}

void response_free(struct response *res)
{
    buf_free(&res->body);
}

/* The characters of a header's name (RFC 9110 section 5.6.2, without the exotic ones). */
static int is_name(const char *s)
{
    return *s != '\0' && s[strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                     "0123456789-_")] == '\0';
}

/* A value is one line of visible characters: what could end the line ends the answer's trust. */
static int is_value(const char *s)
{
    for (; *s != '\0'; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            return 0;
    return 1;
}

enum err response_header(struct response *res, const char *name, const char *fmt, ...)
{
    size_t i = 0;
    while (i < RESPONSE_HEADERS_MAX && res->headers[i].name != NULL)
        i++;
    if (i == RESPONSE_HEADERS_MAX)
        return ERR_TOO_BIG;

    char value[sizeof res->headers[i].value];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(value, sizeof value, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= sizeof value)
        return ERR_TOO_BIG;
    if (!is_name(name) || !is_value(value))
        return ERR_INVALID;
    res->headers[i].name = name;
    memcpy(res->headers[i].value, value, (size_t)n + 1);
    return ERR_OK;
}

/* RFC 9110 section 15, as far as we answer so or may be asked to. */
static const char *reason_phrase(int status)
{
    static const struct {
        int status;
        const char *phrase;
    } table[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {411, "Length Required"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {422, "Unprocessable Content"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].status == status)
            return table[i].phrase;
    return "Status"; /* a reason is for people only; the number decides */
}

enum err response_print(struct buf *b, const struct response *res)
{
    if (res->status < 100 || res->status > 599)
        return ERR_INVALID;
    if (res->body.err != ERR_OK)
        return res->body.err;
    if (res->content_type != NULL && !is_value(res->content_type))
        return ERR_INVALID;

    buf_printf(b, "Status: %d %s\r\n", res->status, reason_phrase(res->status));
    if (res->content_type != NULL)
        buf_printf(b, "Content-Type: %s\r\n", res->content_type);
    for (size_t i = 0; i < RESPONSE_HEADERS_MAX && res->headers[i].name != NULL; i++)
        buf_printf(b, "%s: %s\r\n", res->headers[i].name, res->headers[i].value);
    if (res->status != 204 && res->status != 304)
        buf_printf(b, "Content-Length: %zu\r\n", res->body.len);
    buf_addstr(b, "\r\n");
    return buf_add(b, res->body.data, res->body.len);
}
