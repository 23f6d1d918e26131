/* test_log.c - what others wrote cannot forge, break or flood a record. */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <json-c/json.h>

#include "base/log.h"

static char path[] = "/tmp/test_log.XXXXXX";
static char text[3 * LOG_LINE_MAX];

/* Write one record into an empty file and read it back. */
static const char *record(enum log_format format, const char *request, const char *message)
{
    struct log_options o = {.level = LOG_INFO, .format = format, .file = path};
    assert_int_equal(truncate(path, 0), 0);
    assert_err(log_open(&o, NULL), ERR_OK);
    log_set_request(request);
    log_info("%s", message);
    log_set_request(NULL);
    int fd = open(path, O_RDONLY);
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    assert_true(n >= 0);
    text[n] = '\0';
    return text;
}

static void refuses_a_file_it_cannot_open(void **state)
{
    (void)state;
    struct log_options o = {.file = "/nonexistent/log"};
    struct why why;
    assert_err(log_open(&o, &why), ERR_IO);
    assert_non_null(strstr(why.text, "/nonexistent/log"));
    enum log_level level;
    assert_err(log_level_parse("loud", &level), ERR_INVALID);
}

static void escapes_what_others_wrote(void **state)
{
    (void)state;
    const char *line = record(LOG_LOGFMT, NULL,
                              "id \"a\"\nlevel=error \x1b[2J \xc2\x9b \xff\xc0\xaf");
    assert_non_null(strstr(
        line, "msg=\"id \\\"a\\\"\\nlevel=error \\u001b[2J \\u009b \\ufffd\\ufffd\\ufffd\"\n"));
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
}

static void json_records_are_json(void **state)
{
    (void)state;
    const char *line = record(LOG_JSON, "8f2c", "tab\there \"q\" \xe2\x82\xac");
    struct json_object *o = json_tokener_parse(line);
    assert_non_null(o);
    assert_string_equal(json_object_get_string(json_object_object_get(o, "msg")),
                        "tab\there \"q\" \xe2\x82\xac");
    assert_string_equal(json_object_get_string(json_object_object_get(o, "request")), "8f2c");
    assert_string_equal(json_object_get_string(json_object_object_get(o, "level")), "info");
    json_object_put(o);
}

static void cuts_a_record_that_is_too_long(void **state)
{
    (void)state;
    static char flood[2 * LOG_LINE_MAX];
    memset(flood, '"', sizeof flood - 1);
    for (int format = LOG_LOGFMT; format <= LOG_JSON; format++) {
        const char *line = record((enum log_format)format, NULL, flood);
        size_t len = strlen(line);
        assert_in_range(len, LOG_LINE_MAX / 2, LOG_LINE_MAX);
        assert_string_equal(line + len - (format == LOG_JSON ? 6 : 5),
                            format == LOG_JSON ? "...\"}\n" : "...\"\n");
    }
}

static void keeps_quiet_below_its_level(void **state)
{
    (void)state;
    struct log_options o = {.level = LOG_WARN, .file = path};
    assert_int_equal(truncate(path, 0), 0);
    assert_err(log_open(&o, NULL), ERR_OK);
    log_info("not this");
    assert_false(log_enabled(LOG_INFO));
    assert_true(log_enabled(LOG_ERROR));
    int fd = open(path, O_RDONLY);
    assert_int_equal(read(fd, text, 1), 0);
    close(fd);
}

static void reopens_a_rotated_file(void **state)
{
    (void)state;
    record(LOG_LOGFMT, NULL, "before");
    char moved[sizeof path + 4];
    snprintf(moved, sizeof moved, "%s.1", path);
    assert_int_equal(rename(path, moved), 0);
    assert_err(log_reopen(NULL), ERR_OK);
    assert_non_null(strstr(record(LOG_LOGFMT, NULL, "after"), "after"));
    unlink(moved);
}

int main(void)
{
    close(mkstemp(path));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_a_file_it_cannot_open),
        cmocka_unit_test(escapes_what_others_wrote),
        cmocka_unit_test(json_records_are_json),
        cmocka_unit_test(cuts_a_record_that_is_too_long),
        cmocka_unit_test(keeps_quiet_below_its_level),
        cmocka_unit_test(reopens_a_rotated_file),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
