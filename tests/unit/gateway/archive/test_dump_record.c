/* The JSON of dumps: members' names, times, and what does not belong together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "archive/dump_record.h"

#include <string.h>

static const char *member(const json_t *record, size_t i)
{
    return json_string_value(json_object_get(json_array_get(json_object_get(record, "files"), i), "member"));
}

static void the_newest_of_a_name_has_it_and_older_ones_are_numbered(void **state)
{
    json_t *record = json_loads("{\"files\":[{\"name\":\"a.csv\",\"type\":\"uploaded\"},"
                                "{\"name\":\"a.csv\",\"type\":\"uploaded\"},{\"name\":\"a.csv\",\"type\":\"output\"},"
                                "{\"name\":\"a.csv\",\"type\":\"uploaded\"},{\"name\":\"b.csv\","
                                "\"type\":\"intermediate\"}]}",
                                0, NULL);
    (void)state;
    assert_int_equal(dump_record_name_members(record), ERR_OK);
    assert_string_equal(member(record, 0), "uploads/a.csv.~2~");
    assert_string_equal(member(record, 1), "uploads/a.csv.~1~");
    assert_string_equal(member(record, 2), "outputs/a.csv");
    assert_string_equal(member(record, 3), "uploads/a.csv");
    assert_string_equal(member(record, 4), "intermediate/b.csv");
    json_decref(record);
}

static void keys_do_not_leave(void **state)
{
    json_t *export = json_loads("{\"conversation\":{\"chat_id\":\"c\"},\"record\":{\"version\":1,\"files\":[{\"name\":"
                                "\"a\",\"key\":\"secret\",\"member\":\"uploads/a\"}]}}",
                                0, NULL);
    struct buf text = BUF_INIT(4096);
    (void)state;
    assert_int_equal(dump_record_write(export, &text), ERR_OK);
    assert_string_equal(buf_text(&text), "{\"chat_id\":\"c\",\"record\":{\"version\":1,\"files\":[{\"name\":\"a\","
                                         "\"member\":\"uploads/a\"}]}}");
    buf_fini(&text);
    json_decref(export);
}

static void times_are_read_with_and_without_zone_and_fraction(void **state)
{
    (void)state;
    assert_int_equal(dump_record_time("2023-11-14T22:13:20"), 1700000000000000);
    assert_int_equal(dump_record_time("2023-11-14T22:13:20.000001"), 1700000000000001);
    assert_int_equal(dump_record_time("2023-11-14T22:13:20.5Z"), 1700000000500000);
    assert_int_equal(dump_record_time("2023-11-14T22:13:20.1234567890123456789012345+00:00"), 1700000000123456);
    assert_int_equal(dump_record_time("2023-11-14"), 0);
    assert_int_equal(dump_record_time("2023-11-14T22:13:20 o'clock"), 0);
    assert_int_equal(dump_record_time("1900-01-01T00:00:00"), 0);
    assert_int_equal(dump_record_time(""), 0);
}

static enum err import(const char *metadata, const struct dump_file *files, size_t count, struct buf *out,
                       struct fault *why)
{
    struct buf text = BUF_INIT(65536);
    assert_int_equal(buf_add_text(&text, metadata), ERR_OK);
    enum err err = dump_record_import(&text, "c", files, count, out, why);
    buf_fini(&text);
    return err;
}

static const struct dump_file one = {.member = "uploads/a.csv", .key = "2023/11/c/uploads/1", .bytes = 7};

static void a_record_gets_the_new_keys(void **state)
{
    struct buf out = BUF_INIT(65536);
    struct fault why;
    (void)state;
    assert_int_equal(import("{\"chat_id\":\"c\",\"status\":\"archived\",\"record\":{\"version\":1,\"jobs\":[1],"
                            "\"files\":[{\"name\":\"a.csv\",\"member\":\"uploads/a.csv\",\"type\":\"uploaded\"}]}}",
                            &one, 1, &out, &why),
                     ERR_OK);
    assert_non_null(strstr(buf_text(&out), "\"key\":\"2023/11/c/uploads/1\",\"bytes\":7"));
    assert_non_null(strstr(buf_text(&out), "\"status\":\"completed\""));
    assert_non_null(strstr(buf_text(&out), "\"jobs\":[1]"));
    assert_null(strstr(buf_text(&out), "member"));
    buf_fini(&out);
}

/* A record whose limit is 64 KiB; `count` of one item in the list. */
static enum err import_many(const char *before, const char *item, size_t count, const char *after)
{
    static char text[65536];
    struct buf out = BUF_INIT(65536);
    struct fault why = {.text = ""};
    size_t len = (size_t)snprintf(text, sizeof text, "{\"chat_id\":\"c\",%s[", before);
    for (size_t i = 0; i < count; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%s", i ? "," : "", item);
    snprintf(text + len, sizeof text - len, "]%s}", after);
    enum err err = import(text, NULL, 0, &out, &why);
    buf_fini(&out);
    if (err == ERR_TOO_LARGE)
        assert_non_null(strstr(why.text, "record_mb_max"));
    return err;
}

static void a_record_of_too_many_values_is_refused(void **state)
{
    static const char events[] = "\"record\":{\"version\":1,\"events\":", messages[] = "\"messages\":",
                      jobs[] = "\"record\":{\"version\":1,\"jobs\":",
                      steps[] = "\"record\":{\"version\":1,\"jobs\":[{\"steps\":", details[] = "\"metadata\":{\"a\":";
    (void)state;
    assert_int_equal(import_many(events, "1", 65536 / DUMP_BYTES_PER_EVENT, "}"), ERR_OK);
    assert_int_equal(import_many(events, "1", 65536 / DUMP_BYTES_PER_EVENT + 1, "}"), ERR_TOO_LARGE);
    assert_int_equal(import_many(jobs, "1", 65536 / DUMP_BYTES_PER_ROW, "}"), ERR_OK);
    assert_int_equal(import_many(jobs, "1", 65536 / DUMP_BYTES_PER_ROW + 1, "}"), ERR_TOO_LARGE);
    assert_int_equal(import_many(steps, "1", 65536 / DUMP_BYTES_PER_ROW, "}]}"), ERR_OK);
    assert_int_equal(import_many(steps, "1", 65536 / DUMP_BYTES_PER_ROW + 1, "}]}"), ERR_TOO_LARGE);
    assert_int_equal(import_many(messages, "1", 65536 / DUMP_BYTES_PER_ROW, ""), ERR_OK);
    assert_int_equal(import_many(messages, "1", 65536 / DUMP_BYTES_PER_ROW + 1, ""), ERR_TOO_LARGE);
    assert_int_equal(import_many(details, "[]", 2000, "}"), ERR_OK);
    assert_int_equal(import_many(details, "[]", 3000, "}"), ERR_TOO_LARGE); /* before it is read */
}

static void what_does_not_belong_together_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",
        "[]",
        "{",
        "{\"chat_id\":\"d\"}",
        "{\"chat_id\":1}",
        "{\"chat_id\":\"c\",\"chat_id\":\"c\"}",
        "{\"chat_id\":\"c\",\"record\":{}}",
        "{\"chat_id\":\"c\",\"record\":{\"version\":2}}",
        "{\"chat_id\":\"c\",\"record\":{\"version\":1,\"files\":[]}}",
        "{\"chat_id\":\"c\",\"record\":{\"version\":1,\"files\":[1]}}",
        "{\"chat_id\":\"c\",\"record\":{\"version\":1,\"files\":[{\"name\":\"a.csv\",\"member\":\"uploads/b.csv\"}]}}",
        "{\"chat_id\":\"c\",\"record\":{\"version\":1,\"files\":[{\"name\":\"a b\",\"member\":\"uploads/a.csv\"}]}}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct buf out = BUF_INIT(65536);
        struct fault why = {.text = ""};
        if (import(wrong[i], &one, 1, &out, &why) != ERR_INVALID || !why.text[0])
            fail_msg("accepted: %s", wrong[i]);
        buf_fini(&out);
    }
}

static void a_record_beyond_its_limit_is_refused(void **state)
{
    struct buf out = BUF_INIT(64);
    struct fault why;
    (void)state;
    assert_int_equal(import("{\"chat_id\":\"c\"}", &one, 1, &out, &why), ERR_TOO_LARGE);
    assert_non_null(strstr(why.text, "chat_workflows.dump.record_mb_max"));
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_of_a_name_has_it_and_older_ones_are_numbered),
        cmocka_unit_test(keys_do_not_leave),
        cmocka_unit_test(times_are_read_with_and_without_zone_and_fraction),
        cmocka_unit_test(a_record_gets_the_new_keys),
        cmocka_unit_test(a_record_of_too_many_values_is_refused),
        cmocka_unit_test(what_does_not_belong_together_is_refused),
        cmocka_unit_test(a_record_beyond_its_limit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
