#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/stamp.h"

#include <string.h>

static void check(const struct stamp *stamp, const char *extra, const char *json, const char *const *dropped,
                  const char *expected)
{
    struct json_members members;
    struct buf out = BUF_INIT(4096);
    assert_int_equal(json_scan_object(json, strlen(json), &members, NULL), ERR_OK);
    assert_int_equal(stamp_write(&out, stamp, extra, &members, dropped), ERR_OK);
    assert_string_equal(buf_text(&out), expected);
    assert_int_equal(json_scan_object(out.data, out.len, &members, NULL), ERR_OK);
    buf_fini(&out);
}

#define NOW  "1970-01-01T00:00:01.000000Z"
#define TIME ",\"timestamp\":\"" NOW "\""

static void state_has_no_number(void **state)
{
    (void)state;
    struct stamp stamp = {.type = "progress", .chat_id = "c", .timestamp = NOW};
    check(&stamp, NULL, "{}", NULL, "{\"type\":\"progress\",\"chat_id\":\"c\"" TIME "}");
    check(&stamp, "\"a\":1", "{\"b\":[1, 2]}", NULL,
          "{\"type\":\"progress\",\"chat_id\":\"c\"" TIME ",\"a\":1,\"b\":[1, 2]}");
}

static void a_record_carries_number_epoch_and_job(void **state)
{
    (void)state;
    struct stamp stamp = {
        .type = "x", .chat_id = "c", .seq = 7, .epoch = "ee", .timestamp = NOW, .job_id = "j", .attempt = 2};
    check(&stamp, NULL, "{}", NULL,
          "{\"type\":\"x\",\"chat_id\":\"c\",\"seq\":7,\"epoch\":\"ee\"" TIME ",\"job_id\":\"j\",\"attempt\":2}");
}

/* A reader that takes the last of two equal names must not be told a number of the sender's. */
static void our_names_come_off_however_they_are_spelt(void **state)
{
    (void)state;
    struct stamp stamp = {.type = "x", .chat_id = "c", .seq = 1, .epoch = "e", .timestamp = NOW, .outside = true};
    const char *const dropped[] = {"status", NULL};
    check(&stamp, NULL,
          "{\"seq\":2,\"\\u0073eq\":3,\"s\\u0065\\u0071\":4,\"job_id\":1,\"\\u006Aob_id\":1,\"source\":0,"
          "\"st\\u0061tus\":1,"
          "\"SEQ\":5,\"\\\\seq\":6,\"\\u00e9\":8}",
          dropped,
          "{\"type\":\"x\",\"chat_id\":\"c\",\"seq\":1,\"epoch\":\"e\"" TIME
          ",\"source\":\"outside\",\"SEQ\":5,\"\\\\seq\":6,\"\\u00e9\":8}");
}

static void beyond_the_limit_is_full(void **state)
{
    (void)state;
    struct stamp stamp = {.type = "x", .chat_id = "c", .timestamp = NOW};
    for (size_t limit = 0; limit < 60; limit += 7) {
        struct buf out = BUF_INIT(limit);
        assert_int_equal(stamp_write(&out, &stamp, NULL, NULL, NULL), ERR_FULL);
        buf_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(state_has_no_number),
        cmocka_unit_test(a_record_carries_number_epoch_and_job),
        cmocka_unit_test(our_names_come_off_however_they_are_spelt),
        cmocka_unit_test(beyond_the_limit_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
