/* test_log.c - what others wrote cannot forge, break or flood a record. */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <json-c/json.h>

#include "base/log.h"

static char path[] = "/tmp/test_log.XXXXXX";
static char text[256 * 1024];
static char flood[1024 * 1024];

/* What the log's file has now. */
static const char *written(void)
{
    int fd = open(path, O_RDONLY);
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    assert_true(n >= 0);
    text[n] = '\0';
    return text;
}

/* Write one record into an empty file and read it back. */
static const char *record(enum log_format format, const char *request, const char *message)
{
    struct log_options o = {.level = LOG_INFO, .format = format, .file = path};
    assert_int_equal(truncate(path, 0), 0);
    assert_err(log_open(&o, NULL), ERR_OK);
    log_set_request(request);
    log_info("%s", message);
    log_set_request(NULL);
    return written();
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

static const char *record_about(enum log_format format, const struct log_field *fields,
                                size_t count)
{
    struct log_options o = {.level = LOG_INFO, .format = format, .file = path};
    assert_int_equal(truncate(path, 0), 0);
    assert_err(log_open(&o, NULL), ERR_OK);
    log_set_request("8f2c");
    log_fields(LOG_DEBUG, fields, count, "not this");
    log_fields(LOG_WARN, fields, count, "re%s", "fused");
    log_set_request(NULL);
    return written();
}

static void fields_stand_before_the_message(void **state)
{
    (void)state;
    const struct log_field about[] = {
        LOG_TEXT("webhook", "WH-1"), LOG_TEXT("rule", ""), LOG_NUMBER("delivery", LOG_NOTHING),
        LOG_NUMBER("ms", 0),         LOG_NUMBER("n", -7),  LOG_TEXT("path", "/a b\"=\n"),
        LOG_TEXT("eq", "a=b")};
    size_t count = sizeof about / sizeof *about;
    const char *line = record_about(LOG_LOGFMT, about, count);
    assert_string_equal(strstr(line, " level="),
                        " level=warn request=8f2c webhook=WH-1 ms=0 n=-7 path=\"/a b\\\"=\\n\""
                        " eq=\"a=b\" msg=\"refused\"\n");
    struct json_object *o = json_tokener_parse(record_about(LOG_JSON, about, count));
    assert_non_null(o);
    assert_string_equal(json_object_get_string(json_object_object_get(o, "path")), "/a b\"=\n");
    assert_int_equal(json_object_get_int64(json_object_object_get(o, "n")), -7);
    assert_true(json_object_is_type(json_object_object_get(o, "ms"), json_type_int));
    assert_null(json_object_object_get(o, "rule"));
    assert_null(json_object_object_get(o, "delivery"));
    assert_string_equal(json_object_get_string(json_object_object_get(o, "msg")), "refused");
    json_object_put(o);
}

static void cuts_a_record_that_is_too_long(void **state)
{
    (void)state;
    static char long_one[2 * LOG_LINE_MAX];
    memset(long_one, '"', sizeof long_one - 1);
    for (int format = LOG_LOGFMT; format <= LOG_JSON; format++) {
        const char *line = record((enum log_format)format, NULL, long_one);
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

/* --------------------------------------------------------------- a log that nobody reads */

/* What has arrived at the other end so far. */
static size_t drain(int fd)
{
    size_t len = 0;
    ssize_t n;
    fcntl(fd, F_SETFL, O_NONBLOCK);
    while (len < sizeof flood - 1 && (n = read(fd, flood + len, sizeof flood - 1 - len)) > 0)
        len += (size_t)n;
    flood[len] = '\0';
    return len;
}

/* The records that a text has, and those that it says are lost. */
static int count_records(const char *lines)
{
    int n = 0, lost;
    for (const char *s = lines; (s = strstr(s, "msg=\"")) != NULL; s += 5) {
        /* Nine digits cannot overflow. NOLINTNEXTLINE(cert-err34-c) */
        n += sscanf(s, "msg=\"%9d log records were lost", &lost) == 1 ? lost : 1;
    }
    return n;
}

enum { RECORDS = 2000 };

/* Every record is there, or is counted in a record that says how many are not. */
static void loses_records_and_says_how_many(int writer, int reader)
{
    static char before[2 * sizeof flood];
    char padding[200];
    memset(padding, 'x', sizeof padding - 1);
    padding[sizeof padding - 1] = '\0';
    struct log_options o = {.level = LOG_INFO, .file = "stderr"};
    int real = dup(STDERR_FILENO);
    dup2(writer, STDERR_FILENO);
    close(writer);
    enum err e = log_open(&o, NULL);
    for (int i = 0; i < RECORDS; i++)
        log_info("record %d %s", i, padding); /* would hang here */
    size_t len = drain(reader);
    memcpy(before, flood, len + 1);
    log_info("again");
    memcpy(before + len, flood, drain(reader) + 1);
    int flags = fcntl(STDERR_FILENO, F_GETFL);
    dup2(real, STDERR_FILENO);
    close(real);
    close(reader);

    assert_err(e, ERR_OK);
    assert_int_equal(flags & O_NONBLOCK, 0); /* others who share it still wait for its reader */
    assert_in_range(len, 1, sizeof flood - 2);
    assert_non_null(strstr(before, " log records were lost here\"\n"));
    assert_string_equal(before + strlen(before) - strlen(" msg=\"again\"\n"), " msg=\"again\"\n");
    assert_int_equal(count_records(before), RECORDS + 1);
}

static void never_waits_for_a_pipe(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    loses_records_and_says_how_many(ends[1], ends[0]);
}

static void never_waits_for_a_socket(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    loses_records_and_says_how_many(ends[1], ends[0]);
}

static void refuses_a_fifo_that_nobody_reads(void **state)
{
    (void)state;
    char fifo[sizeof path + 8];
    snprintf(fifo, sizeof fifo, "%s.fifo", path);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    struct log_options o = {.file = fifo};
    assert_err(log_open(&o, NULL), ERR_IO); /* would hang here */
    unlink(fifo);
}

static void uses_nothing_that_is_only_prepared(void **state)
{
    (void)state;
    char other[sizeof path + 8];
    snprintf(other, sizeof other, "%s.other", path);
    struct log_options o = {.level = LOG_INFO, .file = path},
                       p = {.level = LOG_DEBUG, .file = other};
    struct log_sink *s;
    assert_err(log_open(&o, NULL), ERR_OK);
    assert_err(log_prepare(&p, &s, NULL), ERR_OK);
    assert_false(log_enabled(LOG_DEBUG));
    log_discard(s);
    assert_false(log_enabled(LOG_DEBUG));
    assert_err(log_prepare(&p, &s, NULL), ERR_OK);
    log_use(s);
    assert_true(log_enabled(LOG_DEBUG));
    unlink(other);
}

static void loses_what_the_disk_does_not_take(void **state)
{
    (void)state;
    struct log_options o = {.level = LOG_INFO, .file = "/dev/full"};
    assert_err(log_open(&o, NULL), ERR_OK);
    log_info("one");
    log_info("two");
    assert_non_null(
        strstr(record(LOG_LOGFMT, NULL, "three"), "msg=\"2 log records were lost here\""));
    assert_non_null(strstr(text, "msg=\"three\""));
}

/* ------------------------------------------------------------------------- rounds */

static void open_empty(const char *file)
{
    struct log_options o = {.level = LOG_INFO, .file = file};
    assert_int_equal(truncate(path, 0), 0);
    assert_err(log_open(&o, NULL), ERR_OK);
}

static void writes_a_round_together(void **state)
{
    (void)state;
    char first[64], second[64];
    open_empty(path);
    log_gather();
    log_flush();
    for (int i = 0; i < 3; i++)
        log_info("record %d", i);
    assert_string_equal(written(), "");
    log_flush();
    assert_int_equal(count_records(written()), 3);
    assert_non_null(strstr(text, "record 2"));
    assert_int_equal(sscanf(text, "time=%63s %*[^\n]\ntime=%63s", first, second), 2);
    assert_string_equal(first, second); /* of the round */
    log_info("the last");
    log_gather_end();
    assert_int_equal(count_records(written()), 4);
    log_info("at once");
    assert_int_equal(count_records(written()), 5);
}

static void writes_a_long_round_in_parts(void **state)
{
    (void)state;
    open_empty(path);
    log_gather();
    for (int i = 0; i < RECORDS; i++)
        log_info("record %d", i);
    int before = count_records(written());
    assert_in_range(before, RECORDS / 4, RECORDS - 1);
    log_flush();
    assert_int_equal(count_records(written()), RECORDS);
    log_gather_end();
}

static void writes_what_it_knows_of_a_request_before_others_go_on(void **state)
{
    (void)state;
    open_empty(path);
    log_gather();
    log_set_request("a");
    log_info("of a");
    log_set_request("b");
    log_hand_over(); /* there is nothing of b */
    assert_string_equal(written(), "");
    log_info("of b");
    log_hand_over();
    assert_int_equal(count_records(written()), 2);
    log_hand_over();
    log_set_request(NULL);
    log_gather_end();
    assert_int_equal(count_records(written()), 2);
}

/* A pipe takes as much of a round as it has room for: whole records, and one that was begun. */
static void loses_the_rest_of_a_round_and_says_how_many(void **state)
{
    (void)state;
    enum { ROUND = 400 };
    static char before[2 * sizeof flood];
    int ends[2];
    char writer[32];
    assert_int_equal(pipe(ends), 0);
    assert_true(fcntl(ends[1], F_SETPIPE_SZ, 4096) >= 4096);
    snprintf(writer, sizeof writer, "/proc/self/fd/%d", ends[1]);
    open_empty(writer);
    log_gather();
    for (int i = 0; i < ROUND; i++)
        log_info("record %d", i);
    log_flush();
    size_t len = drain(ends[0]);
    memcpy(before, flood, len);
    log_gather_end();
    log_info("again");
    memcpy(before + len, flood, drain(ends[0]) + 1);
    assert_in_range(len, 1, ROUND * 40);
    assert_non_null(strstr(before, " log records were lost here\"\n"));
    assert_string_equal(before + strlen(before) - strlen(" msg=\"again\"\n"), " msg=\"again\"\n");
    assert_int_equal(count_records(before), ROUND + 1);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    close(mkstemp(path));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_a_file_it_cannot_open),
        cmocka_unit_test(escapes_what_others_wrote),
        cmocka_unit_test(json_records_are_json),
        cmocka_unit_test(fields_stand_before_the_message),
        cmocka_unit_test(cuts_a_record_that_is_too_long),
        cmocka_unit_test(keeps_quiet_below_its_level),
        cmocka_unit_test(reopens_a_rotated_file),
        cmocka_unit_test(refuses_a_fifo_that_nobody_reads),
        cmocka_unit_test(uses_nothing_that_is_only_prepared),
        cmocka_unit_test(loses_what_the_disk_does_not_take),
        cmocka_unit_test(never_waits_for_a_pipe),
        cmocka_unit_test(never_waits_for_a_socket),
        cmocka_unit_test(writes_a_round_together),
        cmocka_unit_test(writes_a_long_round_in_parts),
        cmocka_unit_test(writes_what_it_knows_of_a_request_before_others_go_on),
        cmocka_unit_test(loses_the_rest_of_a_round_and_says_how_many),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
