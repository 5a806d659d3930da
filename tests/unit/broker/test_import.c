#include "scene.h"

#define JOB "c1_workflow_1700000000000_0123abcd"

static const char *const whole =
    "{\"participant_name\":\"Orca-1\",\"status\":\"completed\",\"partition_key\":\"2024/05\",\"metadata\":{\"a\":1},"
    "\"created_us\":1700000000000000,\"messages\":[{\"message_type\":\"user\",\"content\":\"hello\"}],"
    "\"files\":[{\"name\":\"in.csv\",\"type\":\"uploaded\",\"key\":\"k/new\",\"bytes\":3,\"job_id\":\"\"}],"
    "\"jobs\":[{\"job_id\":\"" JOB "\",\"status\":\"completed\",\"attempts\":1,\"input\":0,\"input_name\":\"in.csv\","
    "\"steps\":[{\"step_id\":\"old-step\",\"operation\":\"csv/search\",\"arguments\":\"{}\",\"result\":\"{}\","
    "\"status\":\"completed\",\"progress\":100}]}],"
    "\"events\":[{\"type\":\"step_result\",\"job_id\":\"" JOB "\",\"body\":\"{\\\"type\\\":\\\"step_result\\\","
    "\\\"seq\\\":77,\\\"epoch\\\":\\\"zz\\\",\\\"attempt\\\":1,\\\"step_id\\\":\\\"old-step\\\",\\\"result\\\":{}}\"},"
    "{\"type\":\"note\",\"job_id\":\"\",\"event_id\":\"e1\",\"body\":\"{\\\"source\\\":\\\"outside\\\",\\\"x\\\":1}\"},"
    "{\"type\":\"note\",\"job_id\":\"\",\"event_id\":\"e1\",\"body\":\"{\\\"source\\\":\\\"outside\\\",\\\"x\\\":2}\"}]"
    "}";

static void a_record_takes_the_place_of_another_in_one_turn(void **state)
{
    struct scene *scene = *state;
    scene_chat_with_file(scene, "c1");
    scene_attach(scene, 1, "c1", -1, NULL);
    scene_beat(scene);
    scene_clear(scene);
    scene_call(scene, CALL_IMPORT_CHAT, 1, "c1", whole);
    EXPECT_WRITTEN(scene, "delete c1", "chat c1 completed", "message user: hello", "file in.csv k/new",
                   "job completed attempts=1", "step 0 completed 100", "event 1 step_result", "event 2 note",
                   "event 3 note", "answer 200");
    EXPECT_SAID(scene, "reset head=3", JOB);
    EXPECT_SAID(scene, "answer #1 200 Conversation restored successfully {\"chat_id\":\"c1\",\"files\":1}");
    EXPECT_SAID(scene, "sweep");
}

static void events_are_stamped_anew(void **state)
{
    struct scene *scene = *state;
    scene_call(scene, CALL_IMPORT_CHAT, 1, "c1", whole);
    const char *result = scene->events[0].body, *note = scene->events[1].body;
    assert_non_null(strstr(result, "\"seq\":1,"));
    assert_null(strstr(result, "zz"));
    assert_null(strstr(result, "old-step")); /* the step has a new id, here too */
    assert_non_null(strstr(result, "\"step_id\":\""));
    assert_non_null(strstr(result, "\"job_id\":\"" JOB "\",\"attempt\":1"));
    assert_non_null(strstr(note, "\"source\":\"outside\""));
    assert_non_null(strstr(note, "\"x\":1"));
}

static void an_event_of_the_dump_that_is_sent_again_in_the_same_turn_has_its_number(void **state)
{
    struct scene *scene = *state;
    scene_call(scene, CALL_IMPORT_CHAT, 1, "c1", whole);
    scene_clear(scene);
    scene_publish(scene, "c1", "{\"type\":\"note\",\"event_id\":\"e1\"}");
    assert_string_equal(buf_text(&scene->written), "");
}

static struct input event_again(const char *event, uint64_t prior)
{
    struct input input = {.kind = INPUT_OUTSIDE, .peer = scene_peer("pub")};
    input.of.outside.chat = (struct bytes){"c1", 2};
    input.of.outside.json = (struct bytes){event, strlen(event)};
    input.of.outside.prior_seq = prior; /* as the record has it until the turn has ended */
    return input;
}

static struct input import_of(const struct request_frame *frame)
{
    return (struct input){.kind = INPUT_REQUEST, .peer = scene_peer("gw"), .of.request = {.frame = frame}};
}

static void an_event_of_a_dump_with_more_of_them_than_are_remembered_is_known_in_the_same_turn(void **state)
{
    enum { EVENTS = 100 };
    struct scene *scene = *state;
    struct buf dump = BUF_INIT(1 << 20);
    assert_true(scene->settings.remembered_max < EVENTS);
    assert_int_equal(buf_printf(&dump, "{\"status\":\"created\",\"events\":["), ERR_OK);
    for (int i = 0; i < EVENTS; i++)
        assert_int_equal(
            buf_printf(&dump, "%s{\"type\":\"note\",\"event_id\":\"e%d\",\"body\":\"{}\"}", i ? "," : "", i), ERR_OK);
    assert_int_equal(buf_printf(&dump, "]}"), ERR_OK);
    struct request_frame frame = scene_call_frame(CALL_IMPORT_CHAT, 1, "c1", buf_text(&dump));
    const struct input turn[] = {import_of(&frame), event_again("{\"type\":\"note\",\"event_id\":\"e0\"}", 0)};
    scene_turn_of(scene, turn, 2);
    EXPECT_SAID(scene, "published {\"ok\":true,\"seq\":1,\"event_id\":\"e0\"}");
    assert_int_equal(scene->event_count, EVENTS);
    buf_fini(&dump);
}

static void an_event_that_goes_with_the_old_record_is_new_to_the_one_that_takes_its_place(void **state)
{
    struct scene *scene = *state;
    const char *old = "{\"type\":\"note\",\"event_id\":\"old\"}";
    scene_publish(scene, "c1", old);
    struct request_frame frame = scene_call_frame(CALL_IMPORT_CHAT, 1, "c1", whole);
    const struct input turn[] = {import_of(&frame), event_again(old, 1)};
    scene_clear(scene);
    scene_turn_of(scene, turn, 2);
    EXPECT_SAID(scene, "published {\"ok\":true,\"seq\":4,\"event_id\":\"old\"}");
    EXPECT_WRITTEN(scene, "event 3 note", "event 4 note");
}

static void a_request_sent_again_imports_once(void **state)
{
    struct scene *scene = *state;
    scene_call(scene, CALL_IMPORT_CHAT, 1, "c1", whole);
    scene_clear(scene);
    scene_call(scene, CALL_IMPORT_CHAT, 1, "c1", whole);
    EXPECT_SAID(scene, "answer #1 200");
    assert_string_equal(buf_text(&scene->written), "");
}

static void a_chat_that_comes_back_goes_on(void **state)
{
    struct scene *scene = *state;
    scene_call(scene, CALL_IMPORT_CHAT, 1, "c1", whole);
    scene_hello(scene, "w1", 1);
    scene_clear(scene);
    scene_call(scene, CALL_EXECUTE, 2, "c1", SCENE_TWO_STEPS);
    EXPECT_SAID(scene, "\"input\":{\"name\":\"in.csv\",\"key\":\"k/new\"}");
    EXPECT_WRITTEN(scene, "event 4 workflow_started");
}

static void a_room_becomes_a_conversation(void **state)
{
    struct scene *scene = *state;
    scene_publish(scene, "c1", "{\"type\":\"note\"}");
    assert_int_equal(core_count(scene->core).rooms, 1);
    scene_clear(scene);
    scene_call(scene, CALL_IMPORT_CHAT, 1, "c1", whole);
    EXPECT_WRITTEN(scene, "delete c1", "chat c1 completed\n");
    assert_int_equal(core_count(scene->core).rooms, 0);
}

static void a_chat_at_work_is_left_alone(void **state)
{
    struct scene *scene = *state;
    scene_chat_with_file(scene, "c1");
    scene_call(scene, CALL_EXECUTE, 1, "c1", SCENE_TWO_STEPS);
    scene_clear(scene);
    scene_call(scene, CALL_IMPORT_CHAT, 2, "c1", whole);
    EXPECT_SAID(scene, "answer #2 409");
    assert_string_equal(buf_text(&scene->written), "");
}

static void a_run_without_end_gets_its_last_word(void **state)
{
    struct scene *scene = *state;
    scene_call(scene, CALL_IMPORT_CHAT, 1, "c1",
               "{\"status\":\"processing\",\"jobs\":[{\"job_id\":\"" JOB "\",\"status\":\"running\",\"submitted_us\":"
               "9000000000000000000}]}");
    EXPECT_WRITTEN(scene, "chat c1 failed", "job failed", "event 1 workflow_failed");
    assert_non_null(strstr(scene->events[0].body, JOB));
}

static void what_no_chat_can_have_is_refused_and_changes_nothing(void **state)
{
    static const char *const wrong[] = {
        "",
        "[]",
        "{}",
        "{\"status\":\"zz\"}",
        "{\"status\":\"created\",\"files\":{}}",
        "{\"status\":\"created\",\"files\":[{\"name\":\"../a\",\"type\":\"uploaded\",\"key\":\"k\"}]}",
        "{\"status\":\"created\",\"files\":[{\"name\":\"a\",\"type\":\"uploaded\",\"key\":\"\"}]}",
        "{\"status\":\"created\",\"messages\":[{}]}",
        "{\"status\":\"created\",\"jobs\":[{\"job_id\":\"c2_workflow_1_00000000\",\"status\":\"completed\"}]}",
        "{\"status\":\"created\",\"jobs\":[{\"job_id\":\"c1_workflow_1_0000000\",\"status\":\"completed\"}]}",
        "{\"status\":\"created\",\"jobs\":[{\"job_id\":\"c1_workflow_1_2_00000000\",\"status\":\"completed\"}]}",
        "{\"status\":\"created\",\"jobs\":[{\"job_id\":\"" JOB "\",\"status\":\"completed\",\"input\":0}]}",
        "{\"status\":\"created\",\"jobs\":[{\"job_id\":\"" JOB "\",\"status\":\"completed\"},{\"job_id\":\"" JOB
        "\",\"status\":\"completed\"}]}",
        "{\"status\":\"created\",\"events\":[{\"type\":\"note\",\"body\":\"1\"}]}",
        "{\"status\":\"created\",\"events\":[{\"body\":\"{}\"}]}",
    };
    struct scene *scene = *state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        scene_clear(scene);
        scene_call(scene, CALL_IMPORT_CHAT, (unsigned char)(i + 1), "c1", wrong[i]);
        if (!strstr(buf_text(&scene->said), " 422 ") || scene->written.len > 0)
            fail_msg("not refused: %s\n%s", wrong[i], buf_text(&scene->said));
    }
}

/* The 65th member and what follows are looked at, too: a worker gets these bytes as they are. */
static void arguments_with_many_members_are_checked_to_their_end(void **state)
{
    struct scene *scene = *state;
    static const char *const ends[] = {"}", "", "}}", ",}"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct buf dump = BUF_INIT(20000);
        assert_int_equal(buf_add_text(&dump, "{\"status\":\"completed\",\"jobs\":[{\"job_id\":\"" JOB
                                             "\",\"status\":\"completed\",\"steps\":[{\"step_id\":\"s\",\"operation\":"
                                             "\"o\",\"status\":\"completed\",\"arguments\":\"{\\\"first\\\":0"),
                         ERR_OK);
        for (int n = 0; n < 100; n++)
            assert_int_equal(buf_printf(&dump, ",\\\"m%d\\\":%d", n, n), ERR_OK);
        assert_int_equal(buf_printf(&dump, "%s\"}]}]}", ends[i]), ERR_OK);
        scene_clear(scene);
        scene_call(scene, CALL_IMPORT_CHAT, (unsigned char)(i + 1), "c1", buf_text(&dump));
        EXPECT_SAID(scene, i == 0 ? " 200 " : "422 The dump's record is not one of a conversation: job 1: a step's");
        buf_fini(&dump);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(a_record_takes_the_place_of_another_in_one_turn),
        SCENARIO(events_are_stamped_anew),
        SCENARIO(an_event_of_the_dump_that_is_sent_again_in_the_same_turn_has_its_number),
        SCENARIO(an_event_of_a_dump_with_more_of_them_than_are_remembered_is_known_in_the_same_turn),
        SCENARIO(an_event_that_goes_with_the_old_record_is_new_to_the_one_that_takes_its_place),
        SCENARIO(a_request_sent_again_imports_once),
        SCENARIO(a_chat_that_comes_back_goes_on),
        SCENARIO(a_room_becomes_a_conversation),
        SCENARIO(a_chat_at_work_is_left_alone),
        SCENARIO(a_run_without_end_gets_its_last_word),
        SCENARIO(what_no_chat_can_have_is_refused_and_changes_nothing),
        SCENARIO(arguments_with_many_members_are_checked_to_their_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
