#include "process/report.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void write_one(struct buf *out, const struct report *report)
{
    assert_int_equal(report_write(report, out), ERR_OK);
}

static void every_kind_comes_back_byte_by_byte(void **state)
{
    (void)state;
    struct buf bytes = BUF_INIT(REPORT_BYTES_MAX);
    write_one(&bytes, &(struct report){.kind = REPORT_PROGRESS, .percent = 45, .rows = 7, .text = "Row 7"});
    write_one(&bytes, &(struct report){.kind = REPORT_FAILED, .code = ERR_INVALID, .text = "no column"});
    unsigned char forbidden[REPORT_FORBIDDEN_BYTES];
    report_write_forbidden(257, forbidden);
    assert_int_equal(buf_add(&bytes, forbidden, sizeof forbidden), ERR_OK);
    write_one(&bytes, &(struct report){.kind = REPORT_DONE,
                                       .suffix = ".csv",
                                       .data_file = true,
                                       .made_table = true,
                                       .rows_read = 3,
                                       .rows_written = 2,
                                       .result = {.at = "{}", .len = 2}});
    struct report_reader reader = REPORT_READER_INIT;
    struct report got[4];
    int count = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        assert_int_equal(report_reader_feed(&reader, bytes.data + i, 1), ERR_OK);
        struct report one;
        enum err err = report_reader_next(&reader, &one);
        if (err == ERR_OK)
            got[count++] = one;
        else
            assert_int_equal(err, ERR_END);
    }
    assert_int_equal(count, 4);
    assert_int_equal(got[0].percent, 45);
    assert_int_equal(got[0].rows, 7);
    assert_string_equal(got[0].text, "Row 7");
    assert_int_equal(got[1].code, ERR_INVALID);
    assert_string_equal(got[1].text, "no column");
    assert_int_equal(got[2].kind, REPORT_FORBIDDEN);
    assert_int_equal(got[2].call, 257);
    assert_string_equal(got[3].suffix, ".csv");
    assert_true(got[3].data_file && got[3].made_table);
    assert_int_equal(got[3].rows_written, 2);
    assert_memory_equal(got[3].result.at, "{}", 2);
    report_reader_fini(&reader);
    buf_fini(&bytes);
}

static void check_refused(const char *bytes, size_t len)
{
    struct report_reader reader = REPORT_READER_INIT;
    struct report out;
    assert_int_equal(report_reader_feed(&reader, bytes, len), ERR_OK);
    assert_int_equal(report_reader_next(&reader, &out), ERR_PROTOCOL);
    assert_int_equal(report_reader_feed(&reader, "\1\0\0\0\1", 5), ERR_OK);
    assert_int_equal(report_reader_next(&reader, &out), ERR_PROTOCOL); /* for good */
    report_reader_fini(&reader);
}

static void hostile_messages_are_refused(void **state)
{
    (void)state;
    check_refused("\377\377\377\377", 4);               /* beyond the limit */
    check_refused("\0\0\0\0", 4);                       /* no kind */
    check_refused("\1\0\0\0\11", 5);                    /* unknown kind */
    check_refused("\2\0\0\0\1\1", 6);                   /* too short */
    check_refused("\6\0\0\0\4\1\0\0\0\0", 10);          /* too long */
    check_refused("\12\0\0\0\3\7\0\0\0\0\0\1\0\0", 14); /* a text beyond the message */
    static const char *const odd[] = {"/", ".", "csv", ".CSV", ".c/v", ".a.b"};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        struct buf bytes = BUF_INIT(REPORT_BYTES_MAX);
        struct report report = {.kind = REPORT_DONE};
        strcpy(report.suffix, odd[i]);
        write_one(&bytes, &report);
        check_refused(bytes.data, bytes.len);
        buf_fini(&bytes);
    }
}

static void values_from_the_process_are_clamped(void **state)
{
    (void)state;
    struct buf bytes = BUF_INIT(REPORT_BYTES_MAX);
    write_one(&bytes, &(struct report){.kind = REPORT_PROGRESS, .percent = 255});
    write_one(&bytes, &(struct report){.kind = REPORT_FAILED, .code = (enum err)4711});
    struct report_reader reader = REPORT_READER_INIT;
    struct report out;
    assert_int_equal(report_reader_feed(&reader, bytes.data, bytes.len), ERR_OK);
    assert_int_equal(report_reader_next(&reader, &out), ERR_OK);
    assert_int_equal(out.percent, 100);
    assert_int_equal(report_reader_next(&reader, &out), ERR_OK);
    assert_int_equal(out.code, ERR_INTERNAL);
    report_reader_fini(&reader);
    buf_fini(&bytes);
}

static void a_result_beyond_the_limit_is_not_written(void **state)
{
    (void)state;
    struct buf bytes = BUF_INIT(4 * REPORT_BYTES_MAX);
    char *large = calloc(1, REPORT_BYTES_MAX);
    struct report report = {.kind = REPORT_DONE, .result = {.at = large, .len = REPORT_BYTES_MAX}};
    assert_int_equal(report_write(&report, &bytes), ERR_TOO_LARGE);
    assert_int_equal(bytes.len, 0);
    free(large);
    buf_fini(&bytes);
}

static void a_pipe_is_read_to_its_end(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
    struct report_reader reader = REPORT_READER_INIT;
    struct report out;
    assert_int_equal(report_reader_fill(&reader, fds[0]), ERR_TIMEOUT);
    unsigned char forbidden[REPORT_FORBIDDEN_BYTES];
    report_write_forbidden(1, forbidden);
    assert_int_equal(write(fds[1], forbidden, sizeof forbidden), sizeof forbidden);
    assert_int_equal(report_reader_fill(&reader, fds[0]), ERR_OK);
    assert_int_equal(report_reader_next(&reader, &out), ERR_OK);
    assert_int_equal(report_reader_next(&reader, &out), ERR_END);
    close(fds[1]);
    assert_int_equal(report_reader_fill(&reader, fds[0]), ERR_END);
    close(fds[0]);
    report_reader_fini(&reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_comes_back_byte_by_byte),
        cmocka_unit_test(hostile_messages_are_refused),
        cmocka_unit_test(values_from_the_process_are_clamped),
        cmocka_unit_test(a_result_beyond_the_limit_is_not_written),
        cmocka_unit_test(a_pipe_is_read_to_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
