#include "wire/publish_frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void topics_end_with_the_type(void **state)
{
    (void)state;
    char topic[TAP_TOPIC_MAX];
    assert_int_equal(tap_topic("chat-1", "step_result", topic), 23);
    assert_string_equal(topic, "chat/chat-1/step_result");
}

static void the_longest_topic_fits_and_a_longer_type_is_cut(void **state)
{
    (void)state;
    char chat[ID_CHAT_MAX + 1], type[100], topic[TAP_TOPIC_MAX];
    memset(chat, 'c', sizeof chat - 1);
    chat[sizeof chat - 1] = '\0';
    memset(type, 't', sizeof type - 1);
    type[sizeof type - 1] = '\0';
    size_t len = tap_topic(chat, type, topic);
    assert_int_equal(len, 5 + ID_CHAT_MAX + 1 + 64);
    assert_int_equal(strlen(topic), len);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(topics_end_with_the_type),
        cmocka_unit_test(the_longest_topic_fits_and_a_longer_type_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
