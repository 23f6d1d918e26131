/* secret.c - a secret: where it comes from, and memory that is locked and wiped. */
#include "base/secret.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEWLINE_MAX 2 /* bytes of the one newline that may follow a secret */

/*
 * Each secret has its pages to itself: locks do not nest, so a page shared with another
 * secret would be unlocked, and let into core files, by whichever goes first.
 */
struct secret {
    size_t size; /* bytes of the whole pages, this struct included */
    size_t len;
    uint8_t bytes[];
};

static struct secret *alloc(size_t len)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t size = (sizeof(struct secret) + len + 1 + page - 1) / page * page;
    struct secret *s = aligned_alloc(page, size);
    if (s == NULL)
        return NULL;
    /* Fails where RLIMIT_MEMLOCK is low; the secret then is as safe as memory is. */
    int locked = sodium_mlock(s, size);
    (void)locked;
    s->size = size;
    s->len = len;
    s->bytes[len] = '\0';
    return s;
}

void secret_free(struct secret *s)
{
    if (s == NULL)
        return;
    sodium_munlock(s, s->size); /* wipes, too */
    free(s);
}

const uint8_t *secret_bytes(const struct secret *s)
{
    return s->bytes;
}

size_t secret_len(const struct secret *s)
{
    return s->len;
}

const char *secret_word(const struct secret *s, const char *prefix)
{
    const char *text = (const char *)s->bytes;
    if (strncasecmp(text, prefix, strlen(prefix)) == 0)
        text += strlen(prefix);
    const char *at = text;
    while ((unsigned char)*at > ' ' && (unsigned char)*at < 0x7f)
        at++;
    return at > text && at == (const char *)s->bytes + s->len ? text : NULL;
}

enum err secret_from_bytes(const void *bytes, size_t len, struct secret **ret)
{
    if (len == 0)
        return ERR_INVALID;
    if (len > SECRET_MAX)
        return ERR_TOO_BIG;
    struct secret *s = alloc(len);
    if (s == NULL)
        return ERR_NOMEM;
    memcpy(s->bytes, bytes, len);
    *ret = s;
    return ERR_OK;
}

static bool is_quoted(const uint8_t *bytes, size_t len)
{
    return len > 1 && bytes[0] == bytes[len - 1] && (bytes[0] == '"' || bytes[0] == '\'');
}

/* What was added to a secret unseen, and how to get rid of it; NULL if nothing was. */
static const char *find_flaw(const uint8_t *bytes, size_t len)
{
    static const uint8_t mark[] = {0xef, 0xbb, 0xbf};
    if (len >= sizeof mark && memcmp(bytes, mark, sizeof mark) == 0)
        return "begins with a byte order mark: save it as UTF-8 without one";
    if (memchr(bytes, '\n', len) != NULL || memchr(bytes, '\r', len) != NULL)
        return "has more than one line: let the secret stand there alone";
    if (len > 0 && (isspace(bytes[0]) || isspace(bytes[len - 1])))
        return "begins or ends with white space: take it away";
    if (is_quoted(bytes, len))
        return "stands in quotes: take them away";
    for (size_t i = 0; i < len; i++)
        if (iscntrl(bytes[i]))
            return "holds a control character (is it UTF-16?): save it as plain text";
    return NULL;
}

/* What a source gave, less its trailing newline. `where` names the source for people. */
static enum err from_source(const uint8_t *bytes, size_t len, const char *where,
                            struct secret **ret, struct why *why)
{
    if (len > 0 && bytes[len - 1] == '\n')
        len -= len > 1 && bytes[len - 2] == '\r' ? 2 : 1;
    const char *flaw = find_flaw(bytes, len);
    if (flaw != NULL)
        return why_set(why, ERR_INVALID, "%s %s", where, flaw);
    enum err e = secret_from_bytes(bytes, len, ret);
    if (e == ERR_INVALID)
        return why_set(why, e, "%s is empty", where);
    if (e == ERR_TOO_BIG)
        return why_set(why, e, "%s is longer than %d bytes", where, SECRET_MAX);
    return e == ERR_OK ? e : why_set(why, e, "%s: %s", where, err_text(e));
}

static enum err check_file(int fd, const char *where, struct why *why)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return why_set(why, ERR_IO, "%s: %s", where, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return why_set(why, ERR_INVALID, "%s is not a regular file", where);
    if (st.st_mode & (S_IROTH | S_IWOTH))
        return why_set(why, ERR_INVALID,
                       "%s is open to everybody: take the rights of others away (chmod o=)", where);
    return ERR_OK;
}

/* Read to the end, or to one byte more than any secret has. */
static enum err read_file(int fd, const char *where, struct secret **ret, struct why *why)
{
    struct secret *raw = alloc(SECRET_MAX + NEWLINE_MAX + 1);
    if (raw == NULL)
        return why_set(why, ERR_NOMEM, "%s: out of memory", where);
    size_t len = 0;
    ssize_t n = 1;
    while (n != 0 && len < raw->len) {
        n = read(fd, raw->bytes + len, raw->len - len);
        if (n < 0 && errno != EINTR)
            break;
        len += n > 0 ? (size_t)n : 0;
    }
    enum err e = n < 0 ? why_set(why, ERR_IO, "%s: %s", where, strerror(errno))
                       : from_source(raw->bytes, len, where, ret, why);
    secret_free(raw);
    return e;
}

static enum err load_file(const char *path, const char *where, struct secret **ret, struct why *why)
{
    /* Non-blocking: opening a FIFO, which is refused, must not wait for its writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return why_set(why, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s: %s", where,
                       strerror(errno));
    enum err e = check_file(fd, where, why);
    if (e == ERR_OK)
        e = read_file(fd, where, ret, why);
    close(fd);
    return e;
}

static enum err load_env(const char *name, const char *where, struct secret **ret, struct why *why)
{
    const char *value = getenv(name);
    if (value == NULL)
        return why_set(why, ERR_NOT_FOUND, "%s is not set", where);
    return from_source((const uint8_t *)value, strlen(value), where, ret, why);
}

static enum err load_credential(const char *name, const char *where, struct secret **ret,
                                struct why *why)
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    if (strchr(name, '/') != NULL || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return why_set(why, ERR_INVALID, "%s: the name of a credential has no slash", where);
    if (folder == NULL)
        return why_set(
            why, ERR_NOT_FOUND,
            "%s: $CREDENTIALS_DIRECTORY is not set; is LoadCredential= missing in the unit?",
            where);
    char *path;
    if (asprintf(&path, "%s/%s", folder, name) < 0)
        return why_set(why, ERR_NOMEM, "%s: out of memory", where);
    enum err e = load_file(path, where, ret, why);
    free(path);
    return e;
}

enum err secret_load(const struct secret_source *source, struct secret **ret, struct why *why)
{
    static const struct {
        const char *what;
        enum err (*load)(const char *, const char *, struct secret **, struct why *);
    } kinds[] = {
        [SECRET_FILE] = {"secret file", load_file},
        [SECRET_ENV] = {"environment variable", load_env},
        [SECRET_CREDENTIAL] = {"credential", load_credential},
    };
    char where[WHY_MAX / 2];
    snprintf(where, sizeof where, "%s %s", kinds[source->kind].what, source->name);
    return kinds[source->kind].load(source->name, where, ret, why);
}

void secret_guard_process(void)
{
#ifndef SANITIZE /* the leak checker traces its own process */
    prctl(PR_SET_DUMPABLE, 0);
#endif
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
}
