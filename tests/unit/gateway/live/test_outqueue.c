#include "live/outqueue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROOM 100000

static enum err put_keyed(struct outqueue *queue, const char *text, enum out_kind kind, const char *key)
{
    struct frame *frame;
    assert_int_equal(frame_new(&frame, text, strlen(text)), ERR_OK);
    enum err err = outqueue_put(queue, frame, kind, (struct bytes){key, strlen(key)});
    frame_unref(&frame);
    return err;
}

static void put(struct outqueue *queue, const char *text, enum out_kind kind, const char *key)
{
    assert_int_equal(put_keyed(queue, text, kind, key), ERR_OK);
}

/* Empties the queue in writes of at most `piece` bytes, but for larger frames; payloads (under 126 bytes) come back
 * joined by blanks. */
static void check_content(struct outqueue *queue, size_t piece, const char *expected)
{
    char raw[ROOM], text[ROOM] = "";
    size_t len = 0, frames, total = 0;
    while (!outqueue_empty(queue)) {
        size_t got = outqueue_take(queue, raw + len, piece, &frames);
        assert_true(got <= piece);
        if (got == 0) {
            struct frame *large = outqueue_pop(queue);
            assert_true(large->len > piece);
            memcpy(raw + len, large->bytes, large->len);
            got = large->len;
            frames = 1;
            frame_unref(&large);
        }
        len += got;
        total += frames;
    }
    size_t at = 0, found = 0;
    while (at < len) {
        size_t payload = (unsigned char)raw[at + 1];
        assert_int_equal((unsigned char)raw[at], 0x81);
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%.*s", found ? " " : "", (int)payload,
                 raw + at + 2);
        at += 2 + payload;
        found++;
    }
    assert_int_equal(found, total);
    assert_string_equal(text, expected);
    assert_int_equal(queue->bytes, 0);
}

static void frames_leave_in_order_and_whole_whatever_the_room(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 40; piece++) {
        struct outqueue queue;
        outqueue_init(&queue, ROOM);
        put(&queue, "one", OUT_DURABLE, "");
        put(&queue, "", OUT_DURABLE, "");
        put(&queue, "p1", OUT_PROGRESS, "k");
        put(&queue, "p2", OUT_PROGRESS, "k");
        put(&queue, "three", OUT_CLOSING, "k");
        check_content(&queue, piece, "one  p1 p2 three");
        outqueue_fini(&queue);
    }
}

static void progress_is_conflated_only_while_an_earlier_write_has_not_drained(void **state)
{
    (void)state;
    struct outqueue queue;
    outqueue_init(&queue, ROOM);
    put(&queue, "a10", OUT_PROGRESS, "a");
    put(&queue, "a20", OUT_PROGRESS, "a");
    outqueue_set_blocked(&queue, true);
    put(&queue, "b10", OUT_PROGRESS, "b");
    put(&queue, "a30", OUT_PROGRESS, "a");
    put(&queue, "a40", OUT_PROGRESS, "a");
    assert_int_equal(queue.conflated, 3);
    outqueue_set_blocked(&queue, false);
    put(&queue, "a50", OUT_PROGRESS, "a");
    check_content(&queue, ROOM, "b10 a40 a50");
    outqueue_fini(&queue);
}

static void newer_progress_goes_to_the_end_and_never_crosses_a_durable_frame(void **state)
{
    (void)state;
    struct outqueue queue;
    outqueue_init(&queue, ROOM);
    outqueue_set_blocked(&queue, true);
    put(&queue, "a10", OUT_PROGRESS, "a");
    put(&queue, "event", OUT_DURABLE, "");
    put(&queue, "a20", OUT_PROGRESS, "a");
    check_content(&queue, ROOM, "event a20");
    outqueue_fini(&queue);
}

static void closing_progress_is_kept_right_before_its_result(void **state)
{
    (void)state;
    struct outqueue queue;
    outqueue_init(&queue, ROOM);
    outqueue_set_blocked(&queue, true);
    put(&queue, "a90", OUT_PROGRESS, "a");
    put(&queue, "a100", OUT_CLOSING, "a");
    put(&queue, "result", OUT_DURABLE, "");
    put(&queue, "a0", OUT_PROGRESS, "a"); /* the step runs again: its old end stays where it was */
    put(&queue, "a100", OUT_CLOSING, "a");
    check_content(&queue, ROOM, "a100 result a100");
    assert_int_equal(queue.conflated, 2);
    outqueue_fini(&queue);
}

static void dropping_empties_the_queue(void **state)
{
    (void)state;
    struct outqueue queue;
    outqueue_init(&queue, ROOM);
    put(&queue, "one", OUT_DURABLE, "");
    put(&queue, "p", OUT_PROGRESS, "k");
    outqueue_drop(&queue);
    assert_true(outqueue_empty(&queue));
    assert_int_equal(queue.bytes, 0);
    assert_null(queue.progress);
    assert_null(outqueue_pop(&queue));
    outqueue_fini(&queue);
}

static void beyond_the_bound_nothing_is_taken_but_the_last_word(void **state)
{
    (void)state;
    struct outqueue queue;
    struct frame *last;
    outqueue_init(&queue, 1000);
    size_t count = 0;
    while (put_keyed(&queue, "0123456789", OUT_DURABLE, "") == ERR_OK)
        count++;
    assert_true(count > 3 && count < 1000 / 12);
    assert_true(queue.bytes <= 1000);
    assert_int_equal(put_keyed(&queue, "0123456789", OUT_CLOSING, "key"), ERR_FULL);
    assert_int_equal(frame_new(&last, "bye", 3), ERR_OK);
    assert_int_equal(outqueue_put_last(&queue, last), ERR_OK);
    assert_int_equal(last->references, 2);
    outqueue_fini(&queue);
    assert_int_equal(last->references, 1);
    frame_unref(&last);
}

static void conflated_progress_keeps_a_queue_bounded_for_ever(void **state)
{
    (void)state;
    struct outqueue queue;
    outqueue_init(&queue, 2000);
    outqueue_set_blocked(&queue, true);
    for (int i = 0; i < 10000; i++)
        put(&queue, "progress", OUT_PROGRESS, i % 2 ? "a" : "b");
    assert_int_equal(queue.conflated, 9998);
    check_content(&queue, 7, "progress progress");
    outqueue_fini(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_leave_in_order_and_whole_whatever_the_room),
        cmocka_unit_test(progress_is_conflated_only_while_an_earlier_write_has_not_drained),
        cmocka_unit_test(newer_progress_goes_to_the_end_and_never_crosses_a_durable_frame),
        cmocka_unit_test(closing_progress_is_kept_right_before_its_result),
        cmocka_unit_test(dropping_empties_the_queue),
        cmocka_unit_test(beyond_the_bound_nothing_is_taken_but_the_last_word),
        cmocka_unit_test(conflated_progress_keeps_a_queue_bounded_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
