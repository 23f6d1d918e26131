/* test_secret.c - where secrets come from, and what is refused. */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/secret.h"

static char folder[] = "/tmp/test_secret.XXXXXX";
static char path[sizeof folder + 8];

static void write_file(const char *content, size_t len, mode_t mode)
{
    unlink(path); /* its mode may let nobody write it again */
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, len), len);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static enum err load(enum secret_kind kind, const char *name, struct secret **ret, struct why *why)
{
    const struct secret_source source = {.kind = kind, .name = name};
    return secret_load(&source, ret, why);
}

static void refuse(enum secret_kind kind, const char *name, enum err want, const char *says)
{
    struct secret *s = NULL;
    struct why why = {""};
    assert_err(load(kind, name, &s, &why), want);
    assert_null(s);
    assert_non_null(strstr(why.text, name));
    if (strstr(why.text, says) == NULL)
        fail_msg("'%s' does not say '%s'", why.text, says);
    assert_null(strstr(why.text, "hush"));
}

static void refuses_files_that_are_no_secret(void **state)
{
    (void)state;
    unlink(path);
    refuse(SECRET_FILE, path, ERR_NOT_FOUND, "No such file");
    refuse(SECRET_FILE, folder, ERR_INVALID, "not a regular file");
    refuse(SECRET_FILE, "/dev/null", ERR_INVALID, "not a regular file");
    static const char *const empty[] = {"", "\n", "\r\n"};
    for (size_t i = 0; i < sizeof empty / sizeof empty[0]; i++) {
        write_file(empty[i], strlen(empty[i]), 0600);
        refuse(SECRET_FILE, path, ERR_INVALID, "is empty");
    }
    char big[SECRET_MAX + 3];
    memset(big, 'x', sizeof big);
    write_file(big, sizeof big, 0600);
    refuse(SECRET_FILE, path, ERR_TOO_BIG, "longer than");
    big[SECRET_MAX + 1] = '\n';
    write_file(big, SECRET_MAX + 2, 0600);
    refuse(SECRET_FILE, path, ERR_TOO_BIG, "longer than");
}

static void refuses_a_fifo_without_waiting(void **state)
{
    (void)state;
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    refuse(SECRET_FILE, path, ERR_INVALID, "not a regular file");
    unlink(path);
}

static void refuses_files_that_others_may_read_or_write(void **state)
{
    (void)state;
    static const mode_t bad[] = {0604, 0644, 0602, 0666, 0404};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        write_file("hush", 4, bad[i]);
        refuse(SECRET_FILE, path, ERR_INVALID, "chmod");
    }
    struct secret *s;
    write_file("hush", 4, 0640);
    assert_err(load(SECRET_FILE, path, &s, NULL), ERR_OK);
    secret_free(s);
}

static void refuses_what_was_added_unseen(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        size_t len;
        const char *says;
    } cases[] = {
        {"\xef\xbb\xbfhush\n", 8, "byte order mark"},
        {"\xff\xfeh\0u\0s\0h\0", 10, "UTF-16"},
        {"hush\n\n", 6, "more than one line"},
        {"hush\nhush\n", 10, "more than one line"},
        {"hush\r\nhush", 10, "more than one line"},
        {"hush\r", 5, "more than one line"},
        {"\n\n", 2, "more than one line"},
        {" hush\n", 6, "white space"},
        {"hush \n", 6, "white space"},
        {"hush\t", 5, "white space"},
        {"\"hush\"\n", 7, "quotes"},
        {"'hush'", 6, "quotes"},
        {"\0hush\0\n", 7, "control character"},
        {"hu\x1bsh", 5, "control character"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_file(cases[i].file, cases[i].len, 0600);
        refuse(SECRET_FILE, path, ERR_INVALID, cases[i].says);
    }
    setenv("TEST_SECRET", "\"hush\"", 1);
    refuse(SECRET_ENV, "TEST_SECRET", ERR_INVALID, "quotes");
    setenv("TEST_SECRET", "hush ", 1);
    refuse(SECRET_ENV, "TEST_SECRET", ERR_INVALID, "white space");
    unsetenv("TEST_SECRET");
}

static void takes_the_line_without_its_newline(void **state)
{
    (void)state;
    static const struct {
        const char *file, *want;
    } cases[] = {
        {"hush", "hush"},
        {"hush\n", "hush"},
        {"hush\r\n", "hush"},
        {"hu sh\n", "hu sh"},
        {"\"hush", "\"hush"},
        {"hush'\n", "hush'"},
        {"'", "'"},
        {"h\xc3\xa4sh", "h\xc3\xa4sh"},
        {"\"hush'\n", "\"hush'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct secret *s;
        write_file(cases[i].file, strlen(cases[i].file), 0600);
        assert_err(load(SECRET_FILE, path, &s, NULL), ERR_OK);
        assert_int_equal(secret_len(s), strlen(cases[i].want));
        assert_string_equal((const char *)secret_bytes(s), cases[i].want);
        secret_free(s);
    }
}

static void knows_a_word(void **state)
{
    (void)state;
    static const struct {
        const char *secret, *word;
    } cases[] = {
        {"SU-1:x", "SU-1:x"}, {"ApiKey SU-1:x", "SU-1:x"}, {"apikey SU-1:x", "SU-1:x"},
        {"SU-1 :x", NULL},    {"ApiKey  SU-1", NULL},      {"ApiKey ", NULL},
        {"ApiKey", "ApiKey"}, {"SU-\xc3\xa4", NULL},       {"SU-1\n", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct secret *s;
        assert_err(secret_from_bytes(cases[i].secret, strlen(cases[i].secret), &s), ERR_OK);
        const char *word = secret_word(s, "ApiKey ");
        if (cases[i].word == NULL)
            assert_null(word);
        else
            assert_string_equal(word, cases[i].word);
        secret_free(s);
    }
    struct secret *s;
    assert_err(secret_from_bytes("SU\0x", 4, &s), ERR_OK);
    assert_null(secret_word(s, "ApiKey "));
    secret_free(s);
}

static void takes_the_longest_secret(void **state)
{
    (void)state;
    char big[SECRET_MAX + 2];
    struct secret *s;
    memset(big, 'x', SECRET_MAX);
    memcpy(big + SECRET_MAX, "\r\n", 2);
    write_file(big, sizeof big, 0600);
    assert_err(load(SECRET_FILE, path, &s, NULL), ERR_OK);
    assert_int_equal(secret_len(s), SECRET_MAX);
    secret_free(s);
}

static void reads_the_environment(void **state)
{
    (void)state;
    struct secret *s;
    unsetenv("TEST_SECRET");
    refuse(SECRET_ENV, "TEST_SECRET", ERR_NOT_FOUND, "is not set");
    setenv("TEST_SECRET", "", 1);
    refuse(SECRET_ENV, "TEST_SECRET", ERR_INVALID, "is empty");
    setenv("TEST_SECRET", "hush", 1);
    assert_err(load(SECRET_ENV, "TEST_SECRET", &s, NULL), ERR_OK);
    assert_string_equal((const char *)secret_bytes(s), "hush");
    secret_free(s);
}

static void reads_credentials(void **state)
{
    (void)state;
    struct secret *s;
    unsetenv("CREDENTIALS_DIRECTORY");
    refuse(SECRET_CREDENTIAL, "key", ERR_NOT_FOUND, "LoadCredential");
    setenv("CREDENTIALS_DIRECTORY", folder, 1);
    refuse(SECRET_CREDENTIAL, "../key", ERR_INVALID, "slash");
    refuse(SECRET_CREDENTIAL, "/etc/passwd", ERR_INVALID, "slash");
    refuse(SECRET_CREDENTIAL, "..", ERR_INVALID, "slash");
    refuse(SECRET_CREDENTIAL, "absent", ERR_NOT_FOUND, "No such file");
    write_file("hush\n", 5, 0400);
    assert_err(load(SECRET_CREDENTIAL, "secret", &s, NULL), ERR_OK);
    assert_string_equal((const char *)secret_bytes(s), "hush");
    secret_free(s);
}

static void takes_bytes_from_memory(void **state)
{
    (void)state;
    struct secret *a = NULL, *b;
    assert_err(secret_from_bytes("", 0, &a), ERR_INVALID);
    assert_err(secret_from_bytes("x", SECRET_MAX + 1, &a), ERR_TOO_BIG);
    assert_null(a);
    assert_err(secret_from_bytes("hush", 4, &a), ERR_OK);
    assert_err(secret_from_bytes("bush", 4, &b), ERR_OK);
    secret_free(a); /* what one had, the other keeps */
    assert_string_equal((const char *)secret_bytes(b), "bush");
    secret_free(b);
    secret_free(NULL);
}

int main(void)
{
    if (mkdtemp(folder) == NULL)
        return 1;
    snprintf(path, sizeof path, "%s/secret", folder);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_files_that_are_no_secret),
        cmocka_unit_test(refuses_a_fifo_without_waiting),
        cmocka_unit_test(refuses_files_that_others_may_read_or_write),
        cmocka_unit_test(refuses_what_was_added_unseen),
        cmocka_unit_test(takes_the_line_without_its_newline),
        cmocka_unit_test(knows_a_word),
        cmocka_unit_test(takes_the_longest_secret),
        cmocka_unit_test(reads_the_environment),
        cmocka_unit_test(reads_credentials),
        cmocka_unit_test(takes_bytes_from_memory),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    rmdir(folder);
    return failed;
}
