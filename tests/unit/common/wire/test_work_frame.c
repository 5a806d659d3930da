#include "wire/work_frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TEXT(literal)                                                                                                  \
    {                                                                                                                  \
        literal, sizeof literal - 1                                                                                    \
    }

static const struct work_frame samples[] = {
    {.kind = WORK_HELLO,
     .worker = "w1",
     .slots = 4,
     .free_slots = 2,
     .token_count = 2,
     .tokens = {{1, 2}, {3, UINT64_MAX}}},
    {.kind = WORK_BEAT, .worker = "w1", .slots = 4, .free_slots = 4},
    {.kind = WORK_EVENT,
     .token = {5, 6},
     .number = 7,
     .what = WORK_RUN_DONE,
     .event = TEXT("{}"),
     .body = TEXT("{\"index\":0}")},
    {.kind = WORK_BYE, .worker = "w1"},
    {.kind = WORK_WELCOME, .term = 8, .lease_ms = 9000, .beat_ms = 1000},
    {.kind = WORK_JOB, .token = {5, 6}, .body = TEXT("{\"job_id\":\"j\"}")},
    {.kind = WORK_ACK, .token = {5, 6}, .number = 7},
    {.kind = WORK_REVOKE, .token = {5, 6}, .body = TEXT("cancelled")},
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
        struct work_frame read;
        assert_int_equal(work_frame_write(&samples[i], &out), ERR_OK);
        assert_int_equal(work_frame_read(&read, out.data, out.len), ERR_OK);
        assert_int_equal(read.kind, samples[i].kind);
        assert_string_equal(read.worker, samples[i].worker);
        assert_true(read.term == samples[i].term && read.number == samples[i].number);
        assert_true(read.lease_ms == samples[i].lease_ms && read.beat_ms == samples[i].beat_ms);
        assert_true(read.slots == samples[i].slots && read.free_slots == samples[i].free_slots);
        assert_int_equal(read.token_count, samples[i].token_count);
        assert_memory_equal(read.tokens, samples[i].tokens, sizeof read.tokens);
        assert_memory_equal(&read.token, &samples[i].token, sizeof read.token);
        assert_int_equal(read.what, samples[i].what);
        same_bytes(read.event, samples[i].event);
        same_bytes(read.body, samples[i].body);
        buf_fini(&out);
    }
}

static void cut_or_longer_frames_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        struct buf out = BUF_INIT(1000);
        struct work_frame read;
        assert_int_equal(work_frame_write(&samples[i], &out), ERR_OK);
        for (size_t len = 0; len < out.len; len++)
            assert_int_equal(work_frame_read(&read, out.data, len), ERR_PROTOCOL);
        assert_int_equal(buf_add_byte(&out, 0), ERR_OK);
        assert_int_equal(work_frame_read(&read, out.data, out.len), ERR_PROTOCOL);
        buf_fini(&out);
    }
}

static void values_out_of_range_are_refused(void **state)
{
    (void)state;
    struct work_frame frame = {.kind = WORK_BEAT, .worker = "w", .token_count = WORK_TOKENS_MAX + 1}, read;
    struct buf out = BUF_INIT(10000);
    assert_int_equal(work_frame_write(&frame, &out), ERR_INVALID);
    frame.token_count = WORK_TOKENS_MAX;
    assert_int_equal(work_frame_write(&frame, &out), ERR_OK);
    assert_int_equal(work_frame_read(&read, out.data, out.len), ERR_OK);
    /* One token more, with its bytes: version, kind, "w", slots, free slots, then the count. */
    size_t count_at = 2 + 4 + 1 + 4 + 4;
    out.data[count_at]++;
    assert_int_equal(buf_add(&out, "0123456789abcdef", 16), ERR_OK);
    assert_int_equal(work_frame_read(&read, out.data, out.len), ERR_PROTOCOL);
    buf_clear(&out);
    struct work_frame odd = {.kind = WORK_EVENT, .what = (enum work_what)(WORK_RUN_DONE + 1)};
    assert_int_equal(work_frame_write(&odd, &out), ERR_OK);
    assert_int_equal(work_frame_read(&read, out.data, out.len), ERR_PROTOCOL);
    buf_clear(&out);
    struct work_frame nameless = {.kind = WORK_BYE};
    assert_int_equal(work_frame_write(&nameless, &out), ERR_OK);
    assert_int_equal(work_frame_read(&read, out.data, out.len), ERR_PROTOCOL);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_comes_back_as_written),
        cmocka_unit_test(cut_or_longer_frames_are_refused),
        cmocka_unit_test(values_out_of_range_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
