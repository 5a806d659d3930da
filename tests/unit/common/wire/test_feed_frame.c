#include "wire/feed_frame.h"

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

static const struct feed_record samples[] = {
    {.kind = FEED_ATTACHED,
     .attach = 3,
     .chat = TEXT("c"),
     .resume = FEED_RESET_HISTORY,
     .epoch = TEXT("e"),
     .seq = 4,
     .head = 5,
     .body = TEXT("{}")},
    {.kind = FEED_REPLAY, .attach = 3, .chat = TEXT("c"), .seq = 5, .terminal = true, .body = TEXT("{\"a\":1}")},
    {.kind = FEED_LIVE, .attach = 3, .chat = TEXT("c")},
    {.kind = FEED_EVENT, .chat = TEXT("c"), .seq = 6, .body = TEXT("{\"b\":1}")},
    {.kind = FEED_PROGRESS, .chat = TEXT("c"), .key = TEXT("job/step"), .closing = true, .body = TEXT("{\"c\":1}")},
    {.kind = FEED_RESET, .chat = TEXT("c"), .epoch = TEXT("f"), .seq = 1, .head = 1, .body = TEXT("{}")},
};
#define SAMPLES (sizeof samples / sizeof *samples)

static void same_bytes(struct bytes a, struct bytes b)
{
    assert_int_equal(a.len, b.len);
    if (a.len)
        assert_memory_equal(a.at, b.at, a.len);
}

static void write_samples(struct buf *out)
{
    assert_int_equal(feed_batch_open(out, 11), ERR_OK);
    for (size_t i = 0; i < SAMPLES; i++)
        assert_int_equal(feed_batch_add(out, &samples[i]), ERR_OK);
    feed_batch_close(out, 0x0102030405060708, SAMPLES);
}

static void a_batch_comes_back_as_written(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(2000);
    struct feed_batch batch;
    struct unpack rest;
    write_samples(&out);
    assert_int_equal(feed_batch_read(&batch, &rest, out.data, out.len), ERR_OK);
    assert_true(batch.term == 11 && batch.number == 0x0102030405060708 && batch.count == SAMPLES);
    for (size_t i = 0; i < SAMPLES; i++) {
        struct feed_record read;
        assert_int_equal(feed_record_read(&read, &rest), ERR_OK);
        assert_int_equal(read.kind, samples[i].kind);
        assert_int_equal(read.resume, samples[i].resume);
        assert_true(read.attach == samples[i].attach && read.seq == samples[i].seq && read.head == samples[i].head);
        assert_true(read.terminal == samples[i].terminal && read.closing == samples[i].closing);
        same_bytes(read.chat, samples[i].chat);
        same_bytes(read.epoch, samples[i].epoch);
        same_bytes(read.key, samples[i].key);
        same_bytes(read.body, samples[i].body);
    }
    assert_true(unpack_done(&rest));
    buf_fini(&out);
}

static bool reads_whole(const char *data, size_t len)
{
    struct feed_batch batch;
    struct unpack rest;
    struct feed_record record;
    if (feed_batch_read(&batch, &rest, data, len) != ERR_OK)
        return false;
    for (uint32_t i = 0; i < batch.count; i++)
        if (feed_record_read(&record, &rest) != ERR_OK)
            return false;
    return unpack_done(&rest);
}

static void a_batch_cut_anywhere_is_refused(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(2000);
    write_samples(&out);
    assert_true(reads_whole(out.data, out.len));
    for (size_t len = 0; len < out.len; len++)
        assert_false(reads_whole(out.data, len));
    buf_fini(&out);
}

static void a_beat_is_a_batch_without_records(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(100);
    assert_int_equal(feed_batch_open(&out, 1), ERR_OK);
    feed_batch_close(&out, 9, 0);
    assert_true(reads_whole(out.data, out.len));
    assert_int_equal(buf_add_byte(&out, 0), ERR_OK);
    assert_false(reads_whole(out.data, out.len));
    buf_fini(&out);
}

static void a_record_that_does_not_fit_leaves_the_batch_whole(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(60);
    assert_int_equal(feed_batch_open(&out, 1), ERR_OK);
    assert_int_equal(feed_batch_add(&out, &samples[2]), ERR_OK);
    assert_int_equal(feed_batch_add(&out, &samples[0]), ERR_FULL);
    feed_batch_close(&out, 1, 1);
    assert_true(reads_whole(out.data, out.len));
    buf_fini(&out);
}

static void odd_records_are_refused(void **state)
{
    (void)state;
    struct feed_record record;
    const struct {
        const char *at;
        size_t len;
    } odd[] = {
        {"\x09\0\1\0\0\0c", 7},                    /* kind */
        {"\x03\4\1\0\0\0c\1\0\0\0\0\0\0\0", 15},   /* flag */
        {"\x03\0\0\0\0\0\1\0\0\0\0\0\0\0", 14},    /* no chat */
        {"\x03\0\1\0\0\0/\1\0\0\0\0\0\0\0", 15},   /* no chat id */
        {"\x01\0\1\0\0\0c\1\0\0\0\0\0\0\0\4", 16}, /* resume */
    };
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        struct unpack from = {odd[i].at, odd[i].len, false};
        assert_int_equal(feed_record_read(&record, &from), ERR_PROTOCOL);
    }
}

static void topics_come_back_and_others_are_no_links(void **state)
{
    (void)state;
    char topic[1 + FEED_TOPIC_MAX] = "\1";
    uint64_t link;
    assert_int_equal(feed_topic(0xFEDCBA9876543210, topic + 1), 22);
    assert_string_equal(topic, "\1link/fedcba9876543210/");
    assert_true(feed_topic_parse(topic, strlen(topic), &link));
    assert_true(link == 0xFEDCBA9876543210);
    assert_false(feed_topic_parse(topic, strlen(topic) - 1, &link));
    assert_false(feed_topic_parse("\1", 1, &link));
    assert_false(feed_topic_parse("", 0, &link));
    assert_false(feed_topic_parse("\1chat/fedcba9876543210/", 23, &link));
    assert_false(feed_topic_parse("\1link/FEDCBA9876543210/", 23, &link));
    assert_false(feed_topic_parse("\1link/fedcba987654321\0/", 23, &link));
    assert_false(feed_topic_parse("\1link/fedcba98765432100", 23, &link));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_comes_back_as_written),
        cmocka_unit_test(a_batch_cut_anywhere_is_refused),
        cmocka_unit_test(a_beat_is_a_batch_without_records),
        cmocka_unit_test(a_record_that_does_not_fit_leaves_the_batch_whole),
        cmocka_unit_test(odd_records_are_refused),
        cmocka_unit_test(topics_come_back_and_others_are_no_links),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
