#include "live/client_message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct client_message read(const char *text)
{
    struct client_message message;
    assert_int_equal(client_message_read(&message, text, strlen(text)), ERR_OK);
    return message;
}

static void pings(void **state)
{
    (void)state;
    assert_int_equal(read("{\"type\":\"ping\"}").kind, CLIENT_PING);
    assert_int_equal(read(" {\"x\":1,\"type\" : \"ping\"} \n").kind, CLIENT_PING);
    assert_int_equal(read("ping").kind, CLIENT_PING);
    assert_int_equal(read(" ping\r\n").kind, CLIENT_PING);
}

static void subscribes(void **state)
{
    (void)state;
    struct client_message message = read("{\"type\":\"subscribe\",\"chat_id\":\"a-b.c_d~e:9\"}");
    assert_int_equal(message.kind, CLIENT_SUBSCRIBE);
    assert_string_equal(message.chat, "a-b.c_d~e:9");
    assert_false(message.has_since);
    assert_string_equal(message.epoch, "");
    message = read("{\"type\":\"subscribe\",\"chat_id\":\"c\",\"since\":17,\"epoch\":\"0f\"}");
    assert_int_equal(message.kind, CLIENT_SUBSCRIBE);
    assert_true(message.has_since);
    assert_int_equal(message.since, 17);
    assert_string_equal(message.epoch, "0f");
    message = read("{\"type\":\"subscribe\",\"chat_id\":\"c\",\"since\":null,\"epoch\":null}");
    assert_int_equal(message.kind, CLIENT_SUBSCRIBE);
    assert_false(message.has_since);
}

static void a_subscribe_without_chat_gets_no_answer(void **state)
{
    (void)state;
    assert_int_equal(read("{\"type\":\"subscribe\"}").kind, CLIENT_NOTHING);
    assert_int_equal(read("{\"type\":\"subscribe\",\"chat_id\":null}").kind, CLIENT_NOTHING);
}

static void check_wrong(const char *text, const char *part)
{
    struct client_message message = read(text);
    assert_int_equal(message.kind, CLIENT_WRONG);
    if (!strstr(message.problem.text, part))
        fail_msg("%s: %s", text, message.problem.text);
}

static void wrong_subscribes_name_what_is_wrong(void **state)
{
    (void)state;
    check_wrong("{\"type\":\"subscribe\",\"chat_id\":\"\"}", "Invalid chat_id \"\"");
    check_wrong("{\"type\":\"subscribe\",\"chat_id\":\"a b\"}", "Invalid chat_id \"a b\"");
    check_wrong("{\"type\":\"subscribe\",\"chat_id\":\"a/b\"}", "Invalid chat_id");
    check_wrong("{\"type\":\"subscribe\",\"chat_id\":\"\\u0061\"}", "Invalid chat_id");
    check_wrong("{\"type\":\"subscribe\",\"chat_id\":7}", "Invalid chat_id 7");
    check_wrong("{\"type\":\"subscribe\",\"chat_id\":\"c\",\"since\":-1}", "since must be");
    check_wrong("{\"type\":\"subscribe\",\"chat_id\":\"c\",\"since\":1.5}", "since must be");
    check_wrong("{\"type\":\"subscribe\",\"chat_id\":\"c\",\"since\":\"1\"}", "since must be");
    check_wrong("{\"type\":\"subscribe\",\"chat_id\":\"c\",\"epoch\":1}", "epoch must be");
    check_wrong("{\"type\":\"subscribe\",\"chat_id\":\"c\",\"epoch\":\"0123456789012345678901234567890123\"}",
                "epoch must be");
}

static void other_objects_are_acknowledged_as_sent(void **state)
{
    (void)state;
    const char *const others[] = {"{}", "{\"type\":\"hello\"}", "{\"type\": 5, \"list\" : [1, {\"a\":null}]}",
                                  "{\"type\":\"PING\"}", "{\"type\":\"a type much longer than any we know of\"}"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct client_message message = read(others[i]);
        assert_int_equal(message.kind, CLIENT_OTHER);
        assert_int_equal(message.original.len, strlen(others[i]));
        assert_ptr_equal(message.original.at, others[i]);
    }
    struct client_message trimmed = read("  {\"a\":1}\t");
    assert_int_equal(trimmed.original.len, 7);
}

static void what_is_no_json_is_said_to_be_invalid(void **state)
{
    (void)state;
    const char *const texts[] = {"",          "   ", "nope", "{",   "{\"a\":1}}", "{'a':1}",
                                 "1,\"b\":2", "1}",  "[1",   "\"a", "pingping"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct client_message message = read(texts[i]);
        assert_int_equal(message.kind, CLIENT_WRONG);
        assert_string_equal(message.problem.text, "Invalid JSON");
    }
}

static void an_empty_message_is_invalid(void **state)
{
    (void)state;
    struct client_message message;
    assert_int_equal(client_message_read(&message, NULL, 0), ERR_OK);
    assert_string_equal(message.problem.text, "Invalid JSON");
}

static void json_that_is_no_object_is_answered_in_clear_words(void **state)
{
    (void)state;
    check_wrong("[1,2]", "must be a JSON object");
    check_wrong("\"text\"", "must be a JSON object");
    check_wrong(" 5 ", "must be a JSON object");
    check_wrong("null", "must be a JSON object");
    check_wrong("true", "must be a JSON object");
}

static void too_many_levels_or_members_are_refused(void **state)
{
    (void)state;
    char text[1000] = "{\"a\":";
    memset(text + 5, '[', 100);
    memset(text + 105, ']', 100);
    strcpy(text + 205, "}");
    check_wrong(text, "64 levels");
}

static void since_and_epoch_texts(void **state)
{
    (void)state;
    bool has;
    uint64_t since;
    char epoch[EPOCH_MAX];
    struct fault why;
    assert_true(client_since_read(NULL, &has, &since, &why) && !has);
    assert_true(client_since_read("", &has, &since, &why) && !has);
    assert_true(client_since_read("0", &has, &since, &why) && has && since == 0);
    assert_true(client_since_read("922337203685477580", &has, &since, &why) && since == 922337203685477580u);
    assert_false(client_since_read("99999999999999999999999", &has, &since, &why));
    assert_false(client_since_read("+1", &has, &since, &why));
    assert_true(client_epoch_read(NULL, epoch, &why));
    assert_string_equal(epoch, "");
    assert_true(client_epoch_read("0123456789abcdef0123456789abcdef", epoch, &why));
    assert_string_equal(epoch, "0123456789abcdef0123456789abcdef");
    assert_false(client_epoch_read("a b", epoch, &why));
}

static enum client_message_kind kind_of(const char *text, struct client_message *out)
{
    assert_int_equal(client_message_read(out, text, strlen(text)), ERR_OK);
    return out->kind;
}

static void chats_are_added_and_left(void **state)
{
    (void)state;
    struct client_message m;
    assert_int_equal(kind_of("{\"type\":\"subscribe\",\"chat_id\":\"a\",\"add\":true}", &m), CLIENT_SUBSCRIBE);
    assert_true(m.add);
    assert_int_equal(kind_of("{\"type\":\"subscribe\",\"chat_id\":\"a\",\"add\":false}", &m), CLIENT_SUBSCRIBE);
    assert_false(m.add);
    assert_int_equal(kind_of("{\"type\":\"subscribe\",\"chat_id\":\"a\",\"add\":1}", &m), CLIENT_WRONG);
    assert_int_equal(kind_of("{\"type\":\"unsubscribe\",\"chat_id\":\"a\"}", &m), CLIENT_UNSUBSCRIBE);
    assert_string_equal(m.chat, "a");
    assert_int_equal(kind_of("{\"type\":\"unsubscribe\"}", &m), CLIENT_WRONG);
    assert_int_equal(kind_of("{\"type\":\"unsubscribe\",\"chat_id\":\"a b\"}", &m), CLIENT_WRONG);
}

static void a_cancel_names_a_job_of_a_chat(void **state)
{
    (void)state;
    struct client_message m;
    assert_int_equal(kind_of("{\"type\":\"cancel\",\"job_id\":\"c1_workflow_17_ab\"}", &m), CLIENT_CANCEL);
    assert_string_equal(m.chat, "c1");
    assert_string_equal(m.job, "c1_workflow_17_ab");
    assert_int_equal(kind_of("{\"type\":\"cancel\",\"job_id\":\"a_workflow_b_workflow_17_ab\"}", &m), CLIENT_CANCEL);
    assert_string_equal(m.chat, "a_workflow_b");
    static const char *const odd[] = {"{\"type\":\"cancel\"}", "{\"type\":\"cancel\",\"job_id\":7}",
                                      "{\"type\":\"cancel\",\"job_id\":\"\"}", "{\"type\":\"cancel\",\"job_id\":\"x\"}",
                                      "{\"type\":\"cancel\",\"job_id\":\"_workflow_1\"}"};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        assert_int_equal(kind_of(odd[i], &m), CLIENT_WRONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chats_are_added_and_left),
        cmocka_unit_test(a_cancel_names_a_job_of_a_chat),
        cmocka_unit_test(pings),
        cmocka_unit_test(subscribes),
        cmocka_unit_test(a_subscribe_without_chat_gets_no_answer),
        cmocka_unit_test(wrong_subscribes_name_what_is_wrong),
        cmocka_unit_test(other_objects_are_acknowledged_as_sent),
        cmocka_unit_test(what_is_no_json_is_said_to_be_invalid),
        cmocka_unit_test(an_empty_message_is_invalid),
        cmocka_unit_test(json_that_is_no_object_is_answered_in_clear_words),
        cmocka_unit_test(too_many_levels_or_members_are_refused),
        cmocka_unit_test(since_and_epoch_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
