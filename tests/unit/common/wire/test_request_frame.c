#include "wire/request_frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct request_frame samples[] = {
    {.kind = REQUEST_ATTACH, .link = 7, .attach = 8, .chat = "a-chat", .has_since = true, .since = 9, .epoch = "e1"},
    {.kind = REQUEST_ATTACH, .link = 7, .attach = 9, .chat = "b"},
    {.kind = REQUEST_DETACH, .link = 7, .attach = 8},
    {.kind = REQUEST_BEAT, .link = 7, .number = UINT64_MAX},
    {.kind = REQUEST_CALL,
     .link = 7,
     .id = "0123456789abcde",
     .again = true,
     .call = CALL_EXECUTE,
     .chat = "a-chat",
     .trace = "0123456789abcdef0123456789abcdef",
     .body = {"{}", 2}},
    {.kind = REQUEST_FORGET, .id = "0123456789abcde"},
    {.kind = REQUEST_ANSWER, .id = "0123456789abcde", .status = 404, .message = {"no", 2}, .body = {"null", 4}},
    {.kind = REQUEST_ACCEPTED, .id = "0123456789abcde", .body = {"job", 3}},
    {.kind = REQUEST_HELLO, .number = 3},
};
#define SAMPLES (sizeof samples / sizeof *samples)

static void same_bytes(struct bytes a, struct bytes b)
{
    assert_int_equal(a.len, b.len);
    if (a.len)
        assert_memory_equal(a.at, b.at, a.len);
}

static void every_kind_comes_back_as_written(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        struct buf out = BUF_INIT(1000);
        struct request_frame read;
        assert_int_equal(request_frame_write(&samples[i], &out), ERR_OK);
        assert_int_equal(request_frame_read(&read, out.data, out.len), ERR_OK);
        assert_int_equal(read.kind, samples[i].kind);
        assert_true(read.link == samples[i].link && read.attach == samples[i].attach);
        assert_true(read.number == samples[i].number && read.since == samples[i].since);
        assert_int_equal(read.has_since, samples[i].has_since);
        assert_int_equal(read.again, samples[i].again);
        assert_int_equal(read.call, samples[i].call);
        assert_int_equal(read.status, samples[i].status);
        assert_memory_equal(read.id, samples[i].id, REQUEST_ID_LEN);
        assert_string_equal(read.chat, samples[i].chat);
        assert_string_equal(read.epoch, samples[i].epoch);
        assert_string_equal(read.trace, samples[i].trace);
        same_bytes(read.message, samples[i].message);
        same_bytes(read.body, samples[i].body);
        buf_fini(&out);
    }
}

static void cut_or_longer_frames_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        struct buf out = BUF_INIT(1000);
        struct request_frame read;
        assert_int_equal(request_frame_write(&samples[i], &out), ERR_OK);
        for (size_t len = 0; len < out.len; len++)
            assert_int_equal(request_frame_read(&read, out.data, len), ERR_PROTOCOL);
        assert_int_equal(buf_add_byte(&out, 0), ERR_OK);
        assert_int_equal(request_frame_read(&read, out.data, out.len), ERR_PROTOCOL);
        buf_fini(&out);
    }
}

static void check_refused(struct request_frame frame)
{
    struct buf out = BUF_INIT(1000);
    struct request_frame read;
    assert_int_equal(request_frame_write(&frame, &out), ERR_OK);
    assert_int_equal(request_frame_read(&read, out.data, out.len), ERR_PROTOCOL);
    buf_fini(&out);
}

static void values_out_of_range_are_refused(void **state)
{
    (void)state;
    struct request_frame read;
    check_refused((struct request_frame){.kind = REQUEST_CALL, .call = CALL_KINDS});
    check_refused((struct request_frame){.kind = REQUEST_CALL, .call = (enum call)0});
    check_refused((struct request_frame){.kind = REQUEST_CALL, .call = CALL_READY, .chat = "../etc"});
    assert_int_equal(request_frame_read(&read, "\2\3", 2), ERR_PROTOCOL);   /* version */
    assert_int_equal(request_frame_read(&read, "\1\x63", 2), ERR_PROTOCOL); /* kind */
    struct buf out = BUF_INIT(100);
    struct request_frame unknown = {.kind = (enum request_kind)99};
    assert_int_equal(request_frame_write(&unknown, &out), ERR_INVALID);
    buf_fini(&out);
}

static void every_call_has_a_name(void **state)
{
    (void)state;
    for (int call = CALL_READY; call < CALL_KINDS; call++)
        assert_string_not_equal(call_name((enum call)call), "unknown");
    assert_string_equal(call_name(CALL_KINDS), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_comes_back_as_written),
        cmocka_unit_test(cut_or_longer_frames_are_refused),
        cmocka_unit_test(values_out_of_range_are_refused),
        cmocka_unit_test(every_call_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
