/* Calls under one idempotency key are one call. */
#include "scene.h"

static void call_keyed(struct scene *scene, enum call call, unsigned char id, const char *chat, const char *body,
                       unsigned char key, uint64_t fingerprint)
{
    struct request_frame frame = scene_call_frame(call, id, chat, body);
    frame.keyed = true;
    frame.key[0] = key;
    frame.key[15] = 0xEE; /* never the id of another call */
    frame.fingerprint = fingerprint;
    scene_request(scene, &frame);
}

static void a_second_execute_waits_for_the_first(void **state)
{
    struct scene *scene = *state;
    scene_chat_with_file(scene, "c1");
    scene_hello(scene, "w1", 1);
    call_keyed(scene, CALL_EXECUTE, 1, "c1", SCENE_TWO_STEPS, 9, 77);
    scene_clear(scene);
    call_keyed(scene, CALL_EXECUTE, 2, "c1", SCENE_TWO_STEPS, 9, 77);
    EXPECT_SAID(scene, "accepted #2");
    assert_string_equal(buf_text(&scene->written), "");
    scene_report(scene, WORK_STEP_FAILED, "{}", "{\"index\":0,\"message\":\"bad\",\"kind\":\"user\"}");
    EXPECT_SAID(scene, "answer #");
    assert_int_equal(count_said(scene, "answer #1 422"), 1);
    assert_int_equal(count_said(scene, "answer #2 422"), 1);
    call_keyed(scene, CALL_EXECUTE, 3, "c1", SCENE_TWO_STEPS, 9, 77); /* and after the end */
    EXPECT_SAID(scene, "answer #3 422 Workflow execution failed");
    assert_int_equal(count_said(scene, "< job"), 0);
}

static void another_request_under_the_key_is_refused(void **state)
{
    struct scene *scene = *state;
    scene_chat_with_file(scene, "c1");
    call_keyed(scene, CALL_EXECUTE, 1, "c1", SCENE_TWO_STEPS, 9, 77);
    scene_clear(scene);
    call_keyed(scene, CALL_EXECUTE, 2, "c1", SCENE_TWO_STEPS, 9, 78);
    EXPECT_SAID(scene, "answer #2 422 This Idempotency-Key was used before");
    call_keyed(scene, CALL_EXECUTE, 3, "c1", SCENE_TWO_STEPS, 10, 78);
    EXPECT_SAID(scene, "accepted #3");
}

static void what_was_refused_uses_no_key_up(void **state)
{
    struct scene *scene = *state;
    scene_call(scene, CALL_CREATE_CHAT, 1, "c1", "{}");
    call_keyed(scene, CALL_EXECUTE, 2, "c1", SCENE_TWO_STEPS, 9, 77);
    EXPECT_SAID(scene, "answer #2 422 No uploaded file");
    scene_call(scene, CALL_ADD_UPLOAD, 3, "c1", "{\"name\":\"a.csv\",\"key\":\"k/a\",\"bytes\":1}");
    call_keyed(scene, CALL_EXECUTE, 4, "c1", SCENE_TWO_STEPS, 9, 77);
    EXPECT_SAID(scene, "accepted #4");
}

static void a_conversation_is_made_once_for_as_long_as_it_exists(void **state)
{
    struct scene *scene = *state;
    call_keyed(scene, CALL_CREATE_CHAT, 1, "", "{}", 9, 7);
    EXPECT_WRITTEN(scene, "answer 201", "answer 201");
    const char *at = strstr(buf_text(&scene->said), "\"chat_id\":\"");
    assert_non_null(at);
    char id[ID_UUID_LEN + 1];
    snprintf(id, sizeof id, "%.36s", at + strlen("\"chat_id\":\""));
    scene_clear(scene);
    call_keyed(scene, CALL_CREATE_CHAT, 2, "", "{}", 9, 7);
    EXPECT_SAID(scene, "answer #2 201", id);
    assert_string_equal(buf_text(&scene->written), "");
    scene_call(scene, CALL_DELETE_CHAT, 3, id, "{}");
    scene_clear(scene);
    call_keyed(scene, CALL_CREATE_CHAT, 4, "", "{}", 9, 7);
    EXPECT_SAID(scene, "answer #4 201");
    expect_not_said(scene, id);
}

static void a_key_goes_with_the_record_that_a_restore_replaces(void **state)
{
    struct scene *scene = *state;
    static const char dump[] =
        "{\"status\":\"created\",\"files\":[{\"name\":\"a.csv\",\"type\":\"uploaded\",\"key\":\"k/a\",\"bytes\":1}]}";
    scene_chat_with_file(scene, "c1");
    scene_hello(scene, "w1", 1);
    call_keyed(scene, CALL_EXECUTE, 1, "c1", SCENE_TWO_STEPS, 9, 77);
    scene_report(scene, WORK_STEP_FAILED, "{}", "{\"index\":0,\"message\":\"bad\",\"kind\":\"user\"}");
    scene_call(scene, CALL_IMPORT_CHAT, 2, "c1", dump);
    scene_clear(scene);
    call_keyed(scene, CALL_EXECUTE, 3, "c1", SCENE_TWO_STEPS, 9, 77);
    EXPECT_SAID(scene, "accepted #3"); /* the run it stood for is not on record any more */
}

static void a_key_goes_in_the_very_turn_of_the_restore(void **state)
{
    struct scene *scene = *state;
    static const char dump[] =
        "{\"status\":\"created\",\"files\":[{\"name\":\"a.csv\",\"type\":\"uploaded\",\"key\":\"k/a\",\"bytes\":1}]}";
    struct answer_row kept = {/* as the record has it until the turn has ended */
                              .status = 202, .message = "",    .body = "", .job_id = "c1_workflow_1_0123abcd",
                              .keyed = true, .fingerprint = 77};
    scene_chat_with_file(scene, "c1");
    struct request_frame restore = scene_call_frame(CALL_IMPORT_CHAT, 2, "c1", dump);
    struct request_frame execute = scene_call_frame(CALL_EXECUTE, 3, "c1", SCENE_TWO_STEPS);
    execute.keyed = true;
    execute.fingerprint = 77;
    struct input turn[] = {{.kind = INPUT_REQUEST, .peer = scene_peer("gw"), .of.request = {.frame = &restore}},
                           {.kind = INPUT_REQUEST, .peer = scene_peer("gw"), .of.request = {.frame = &execute}}};
    turn[1].of.request.keyed = &kept;
    scene_clear(scene);
    scene_turn_of(scene, turn, 2);
    EXPECT_SAID(scene, "accepted #3");
}

static void the_record_remembers_keys(void **state)
{
    struct scene *scene = *state;
    struct answer_row kept = {
        .status = 201, .message = "kept", .body = "{\"a\":1}", .job_id = "", .keyed = true, .fingerprint = 7};
    struct request_frame frame = scene_call_frame(CALL_CREATE_CHAT, 5, "", "{}");
    frame.keyed = true;
    struct input input = {
        .kind = INPUT_REQUEST, .peer = scene_peer("gw"), .of.request = {.frame = &frame, .keyed = &kept}};
    frame.fingerprint = 7;
    scene_turn(scene, &input);
    EXPECT_SAID(scene, "answer #5 201 kept {\"a\":1}");
    frame.fingerprint = 8;
    frame.id[0] = 6;
    scene_turn(scene, &input);
    EXPECT_SAID(scene, "answer #6 422");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(a_second_execute_waits_for_the_first),
        SCENARIO(another_request_under_the_key_is_refused),
        SCENARIO(what_was_refused_uses_no_key_up),
        SCENARIO(a_conversation_is_made_once_for_as_long_as_it_exists),
        SCENARIO(a_key_goes_with_the_record_that_a_restore_replaces),
        SCENARIO(a_key_goes_in_the_very_turn_of_the_restore),
        SCENARIO(the_record_remembers_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
