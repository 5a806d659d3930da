#include "live/frames.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void heads_follow_rfc_6455(void **state)
{
    (void)state;
    unsigned char head[FRAME_HEAD_MAX];
    assert_int_equal(frame_head(head, 0), 2);
    assert_memory_equal(head, "\x81\x00", 2);
    assert_int_equal(frame_head(head, 125), 2);
    assert_memory_equal(head, "\x81\x7d", 2);
    assert_int_equal(frame_head(head, 126), 4);
    assert_memory_equal(head, "\x81\x7e\x00\x7e", 4);
    assert_int_equal(frame_head(head, 65535), 4);
    assert_memory_equal(head, "\x81\x7e\xff\xff", 4);
    assert_int_equal(frame_head(head, 65536), 10);
    assert_memory_equal(head, "\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00", 10);
}

static void check_payload(struct frame *frame, const char *expected)
{
    size_t len = strlen(expected), head = frame->len - len;
    unsigned char expected_head[FRAME_HEAD_MAX];
    assert_int_equal(frame_head(expected_head, len), head);
    assert_memory_equal(frame->bytes, expected_head, head);
    assert_memory_equal(frame->bytes + head, expected, len);
    frame_unref(&frame);
    assert_null(frame);
}

static void a_frame_lives_until_its_last_reference(void **state)
{
    (void)state;
    struct frame *frame, *other;
    assert_int_equal(frame_new(&frame, "hello", 5), ERR_OK);
    other = frame_ref(frame);
    frame_unref(&frame);
    assert_memory_equal(other->bytes, "\x81\x05hello", 7);
    frame_unref(&other);
    frame_unref(&other);
    assert_int_equal(frame_new(&frame, NULL, 0), ERR_OK);
    assert_int_equal(frame->len, 2);
    frame_unref(&frame);
}

#define NOON_US 1795348800000000
#define NOON    "2026-11-22T12:00:00.000000Z"

static void connected_says_where_the_client_stands(void **state)
{
    (void)state;
    struct frame *frame;
    struct connected what = {
        .chat = "c", .wall_us = NOON_US, .epoch = {"e", 1}, .resume = FEED_GAP, .seq = 3, .head = 4};
    what.snapshot = (struct bytes){"{\"status\":null}", 15};
    assert_int_equal(frames_connected(&frame, &what), ERR_OK);
    check_payload(frame, "{\"type\":\"connected\",\"chat_id\":\"c\",\"timestamp\":\"" NOON "\",\"epoch\":\"e\","
                         "\"resume\":\"gap\",\"seq\":3,\"head\":4,\"snapshot\":{\"status\":null}}");
    what.snapshot.len = 0;
    const char *const names[] = {"snapshot", "resumed", "gap", "reset"};
    for (int resume = FEED_SNAPSHOT; resume <= FEED_RESET_HISTORY; resume++) {
        what.resume = (enum feed_resume)resume;
        assert_int_equal(frames_connected(&frame, &what), ERR_OK);
        assert_non_null(memmem(frame->bytes, frame->len, names[resume], strlen(names[resume])));
        assert_null(memmem(frame->bytes, frame->len, "\"snapshot\":", 11));
        frame_unref(&frame);
    }
}

static void connected_to_no_chat_has_nulls(void **state)
{
    (void)state;
    struct frame *frame;
    assert_int_equal(frames_connected(&frame, &(struct connected){.wall_us = NOON_US}), ERR_OK);
    check_payload(frame, "{\"type\":\"connected\",\"chat_id\":null,\"timestamp\":\"" NOON "\",\"epoch\":null,"
                         "\"resume\":\"snapshot\",\"seq\":0,\"head\":0}");
}

static void small_answers_are_as_the_guide_prints_them(void **state)
{
    (void)state;
    struct frame *frame;
    assert_int_equal(frames_pong(&frame), ERR_OK);
    check_payload(frame, "{\"type\":\"pong\"}");
    assert_int_equal(frames_ack(&frame, (struct bytes){"{\"a\": 1}", 8}, NOON_US), ERR_OK);
    check_payload(frame, "{\"type\":\"ack\",\"original\":{\"a\": 1},\"timestamp\":\"" NOON "\"}");
    assert_int_equal(frames_error(&frame, "say \"hi\"", NOON_US), ERR_OK);
    check_payload(frame, "{\"type\":\"error\",\"message\":\"say \\\"hi\\\"\",\"timestamp\":\"" NOON "\"}");
}

static void a_close_frame_never_exceeds_a_control_frame(void **state)
{
    (void)state;
    struct frame *frame;
    char reason[200];
    assert_int_equal(frames_close(&frame, 1013, "later"), ERR_OK);
    assert_int_equal(frame->len, 9);
    assert_memory_equal(frame->bytes, "\x88\x07\x03\xf5later", 9);
    frame_unref(&frame);
    memset(reason, 'r', sizeof reason - 1);
    reason[sizeof reason - 1] = '\0';
    assert_int_equal(frames_close(&frame, 1001, reason), ERR_OK);
    assert_int_equal(frame->len, 2 + 125);
    assert_memory_equal(frame->bytes, "\x88\x7d\x03\xe9rrr", 7);
    frame_unref(&frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_follow_rfc_6455),
        cmocka_unit_test(a_frame_lives_until_its_last_reference),
        cmocka_unit_test(connected_says_where_the_client_stands),
        cmocka_unit_test(connected_to_no_chat_has_nulls),
        cmocka_unit_test(small_answers_are_as_the_guide_prints_them),
        cmocka_unit_test(a_close_frame_never_exceeds_a_control_frame),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
