#include "scene.h"

static void an_outside_event_is_stamped_and_its_own_numbers_come_off(void **state)
{
    struct scene *scene = *state;
    scene_attach(scene, 1, "c1", -1, NULL);
    scene_clear(scene);
    scene_publish(scene, "c1",
                  "{\"type\":\"note\",\"seq\":99,\"epoch\":\"e\",\"job_id\":\"j\",\"attempt\":3,\"source\":\"me\","
                  "\"chat_id\":\"other\",\"\\u0073eq\":777777,\"a\\\"b\":1.50,\"text\":\"caf\\u00e9\"}");
    EXPECT_SAID(
        scene, "event {\"type\":\"note\",\"chat_id\":\"c1\",\"seq\":1,\"epoch\":\"",
        "\"timestamp\":\"2025-11-22T08:26:40.000000Z\",\"source\":\"outside\",\"a\\\"b\":1.50,\"text\":\"caf\\u00e9\"}",
        "published {\"ok\":true,\"seq\":1}");
    expect_not_said(scene, "777777");
    expect_not_said(scene, "job_id");
}

static void progress_is_state_and_writes_nothing(void **state)
{
    struct scene *scene = *state;
    scene_attach(scene, 1, "c1", -1, NULL);
    scene_clear(scene);
    scene_publish(scene, "c1", "{\"type\":\"progress\",\"step_id\":\"s\",\"progress\":45,\"status\":\"running\"}");
    EXPECT_SAID(scene, "progress {\"type\":\"progress\",\"chat_id\":\"c1\",\"timestamp\"", "\"progress\":45",
                "published {\"ok\":true,\"seq\":null}");
    assert_string_equal(buf_text(&scene->written), "");
    scene_beat(scene);
    scene_clear(scene);
    scene_attach(scene, 2, "c1", -1, NULL);
    EXPECT_SAID(scene, "live @2", "progress {");
    scene_publish(scene, "c1", "{\"type\":\"step_result\",\"step_id\":\"s\",\"result\":{}}");
    scene_beat(scene);
    scene_clear(scene);
    scene_attach(scene, 3, "c1", -1, NULL);
    expect_not_said(scene, "progress {"); /* the step is over */
}

static void an_event_id_makes_a_resend_harmless(void **state)
{
    struct scene *scene = *state;
    const char *event = "{\"type\":\"note\",\"event_id\":\"e1\"}";
    scene_publish(scene, "c1", event);
    scene_clear(scene);
    scene_publish(scene, "c1", event);
    assert_string_equal(buf_text(&scene->said), "published {\"ok\":true,\"seq\":1,\"event_id\":\"e1\"}\n");
    assert_string_equal(buf_text(&scene->written), "");
    struct input input = {.kind = INPUT_OUTSIDE, .peer = scene_peer("pub")};
    input.of.outside.chat = (struct bytes){"c1", 2};
    const char *old = "{\"type\":\"note\",\"event_id\":\"e0\"}"; /* of a time before this memory */
    input.of.outside.json = (struct bytes){old, strlen(old)};
    input.of.outside.prior_seq = 1;
    scene_turn(scene, &input);
    assert_string_equal(buf_text(&scene->written), "");
}

static void what_outsiders_may_not_say_is_refused(void **state)
{
    struct scene *scene = *state;
    char large[6000];
    snprintf(large, sizeof large, "{\"type\":\"note\",\"text\":\"%05000d\"}", 0);
    const char *const refused[][2] = {
        {"c1", "{\"type\":\"workflow_completed\"}"},
        {"c1", "{\"type\":\"workflow_started\"}"},
        {"c1", "{\"type\":\"connected\",\"resume\":\"reset\"}"},
        {"c1", "{\"type\":\"unsubscribed\"}"},
        {"c1", "{\"type\":\"pong\"}"},
        {"c1", "{\"type\":\"ack\"}"},
        {"c1", "{\"no\":\"type\"}"},
        {"c1", "{\"type\":5}"},
        {"c1", "{\"type\":\"\"}"},
        {"c1", "[]"},
        {"c1", "{\"type\":\"note\"} x"},
        {"c1", "{\"type\":\"note\",\"event_id\":7}"},
        {"c1", large},
        {"a/b", "{\"type\":\"note\"}"},
        {"", "{\"type\":\"note\"}"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        scene_clear(scene);
        scene_publish(scene, refused[i][0], refused[i][1]);
        EXPECT_SAID(scene, "published {\"error\":\"");
        assert_string_equal(buf_text(&scene->written), "");
    }
    assert_int_equal(core_count(scene->core).frames_refused, sizeof refused / sizeof *refused);
}

static void rooms_are_bounded(void **state)
{
    struct scene *scene = *state;
    const char *const rooms[] = {"r1", "r2", "r3", "r4"};
    for (size_t i = 0; i < 4; i++)
        scene_publish(scene, rooms[i], "{\"type\":\"note\"}");
    scene_clear(scene);
    scene_publish(scene, "r5", "{\"type\":\"note\"}");
    EXPECT_SAID(scene, "published {\"error\":\"Too many chats without a conversation: at most 4 (broker.rooms_max)\"}");
    scene_publish(scene, "r1", "{\"type\":\"note\"}");
    EXPECT_SAID(scene, "published {\"ok\":true,\"seq\":2}");
}

static void the_tap_costs_nothing_until_somebody_reads_it(void **state)
{
    struct scene *scene = *state;
    scene_publish(scene, "c1", "{\"type\":\"note\"}");
    expect_not_said(scene, "tap");
    scene_turn(scene, &(struct input){.kind = INPUT_TAP, .of.tapped = true});
    scene_publish(scene, "c1", "{\"type\":\"note\"}");
    EXPECT_SAID(scene, "tap chat/c1/note {\"type\":\"note\"");
}

static void a_flood_of_names_does_not_stay_in_memory(void **state)
{
    struct scene *scene = *state;
    for (int i = 0; i < 25000; i++) {
        char chat[32];
        snprintf(chat, sizeof chat, "nobody-%d", i);
        scene_publish(scene, chat, "{\"type\":\"progress\",\"progress\":1}");
        scene_clear(scene);
    }
    assert_true(core_count(scene->core).chats <= 10001);
    scene_wait(scene, 1100);
    assert_int_equal(core_count(scene->core).chats, 0);
}

static void gaps_of_a_counting_publisher_are_counted(void **state)
{
    struct scene *scene = *state;
    scene_publish(scene, "c1", "{\"type\":\"note\",\"publisher\":\"p\",\"pub_seq\":1}");
    scene_publish(scene, "c1", "{\"type\":\"note\",\"publisher\":\"p\",\"pub_seq\":2}");
    assert_int_equal(core_count(scene->core).publish_lost, 0);
    scene_publish(scene, "c1", "{\"type\":\"note\",\"publisher\":\"p\",\"pub_seq\":5}");
    assert_int_equal(core_count(scene->core).publish_lost, 2);
    scene_publish(scene, "c1", "{\"type\":\"note\",\"publisher\":\"p\",\"pub_seq\":4}"); /* sent again */
    scene_publish(scene, "c1", "{\"type\":\"note\",\"publisher\":\"p\",\"pub_seq\":6}");
    scene_publish(scene, "c1", "{\"type\":\"note\",\"publisher\":\"p\",\"pub_seq\":1}"); /* started anew */
    scene_publish(scene, "c1", "{\"type\":\"note\",\"publisher\":\"p\",\"pub_seq\":2}");
    assert_int_equal(core_count(scene->core).publish_lost, 2);
}

static void outside_events_never_touch_a_job(void **state)
{
    struct scene *scene = *state;
    scene_chat_with_file(scene, "c1");
    scene_hello(scene, "w1", 1);
    scene_call(scene, CALL_EXECUTE, 1, "c1", SCENE_TWO_STEPS);
    scene_clear(scene);
    scene_publish(scene, "c1", "{\"type\":\"error\",\"step_id\":\"s\",\"message\":\"boo\"}");
    EXPECT_WRITTEN(scene, "event 2 error");
    assert_null(strstr(buf_text(&scene->written), "job"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(an_outside_event_is_stamped_and_its_own_numbers_come_off),
        SCENARIO(progress_is_state_and_writes_nothing),
        SCENARIO(an_event_id_makes_a_resend_harmless),
        SCENARIO(what_outsiders_may_not_say_is_refused),
        SCENARIO(rooms_are_bounded),
        SCENARIO(the_tap_costs_nothing_until_somebody_reads_it),
        SCENARIO(a_flood_of_names_does_not_stay_in_memory),
        SCENARIO(gaps_of_a_counting_publisher_are_counted),
        SCENARIO(outside_events_never_touch_a_job),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
