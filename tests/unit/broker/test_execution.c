#include "scene.h"

#define STEP_1_DONE                                                                                                    \
    "{\"index\":0,\"file\":{\"name\":\"orders_search.csv\",\"key\":\"k/o1\",\"bytes\":5},"                             \
    "\"spool\":{\"name\":\"spool\",\"key\":\"k/s1\",\"bytes\":5},\"stem_of\":\"orders_search.csv\","                   \
    "\"result\":{\"statistics\":{\"rows\":3}}}"
#define STEP_2_DONE                                                                                                    \
    "{\"index\":1,\"file\":{\"name\":\"out.json\",\"key\":\"k/o2\",\"bytes\":5},\"spool\":null,\"result\":{}}"

static void start_two_steps(struct scene *scene)
{
    scene_chat_with_file(scene, "c1");
    scene_attach(scene, 1, "c1", -1, NULL);
    scene_beat(scene);
    scene_hello(scene, "w1", 2);
    scene_call(scene, CALL_EXECUTE, 1, "c1", SCENE_TWO_STEPS);
}

static void the_main_job_tells_everything_in_order(void **state)
{
    struct scene *scene = *state;
    start_two_steps(scene);
    EXPECT_SAID(scene, "answer #200 201 Conversation created successfully", "answer #201 200",
                "\"file_path\":\"./automation/workflows/2025/11/c1/uploads/orders.csv\"", "attached @1 snapshot seq=0",
                "live @1", "event {\"type\":\"workflow_started\"", "\"seq\":1", "\"attempt\":1", "\"total_steps\":2",
                "accepted #1", "w1< job 1", "\"first_step\":0", "\"key\":\"k/orders\"", "\"stem_of\":\"orders.csv\"");
    EXPECT_WRITTEN(scene, "job pending", "step 0 pending", "step 1 pending", "chat c1 processing", "answer 202",
                   "event 1 workflow_started", "job running attempts=1");
    scene_clear(scene);
    scene_beat(scene);
    scene_report(scene, WORK_STEP_STARTED, "{\"progress\":0}", "{\"index\":0}");
    scene_report(scene, WORK_PROGRESS, "{\"progress\":40,\"message\":\"half way\",\"rows\":7}", "{\"index\":0}");
    scene_report(scene, WORK_STEP_DONE, "{}", STEP_1_DONE);
    EXPECT_SAID(scene, "\"progress\":0,\"status\":\"running\",\"message\":\"Starting step execution\"", "w1< ack 1",
                "\"progress\":40,\"status\":\"running\",\"message\":\"half way\",\"rows\":7",
                "progress closing {\"type\":\"progress\"",
                "\"progress\":100,\"status\":\"completed\",\"message\":\"Step completed successfully\"",
                "event {\"type\":\"step_result\"", "\"seq\":2", "\"operation\":\"csv/search\"",
                "\"result\":{\"output_file_path\":\"./automation/workflows/2025/11/c1/intermediate/orders_search.csv\"",
                "\"statistics\":{\"rows\":3}", "w1< ack 2");
    assert_int_equal(count_said(scene, "ack"), 2); /* progress is state */
    scene_beat(scene);
    scene_clear(scene);
    scene_report(scene, WORK_STEP_STARTED, "{}", "{\"index\":1}");
    scene_report(scene, WORK_STEP_DONE, "{}", STEP_2_DONE);
    scene_beat(scene);
    scene_report(scene, WORK_RUN_DONE, "{}", "{}");
    EXPECT_SAID(scene, "event {\"type\":\"step_result\"", "outputs/out.json",
                "event terminal {\"type\":\"workflow_completed\"", "\"output_files_count\":2",
                "answer #1 200 Workflow executed", "\"status\":\"completed\",\"results\":[{\"output_file_path\"",
                "\"output_files\":[", "intermediate/orders", "outputs/out.json");
    EXPECT_WRITTEN(scene, "file out.json k/o2", "event 3 step_result", "step 1 completed 100",
                   "event 4 workflow_completed", "garbage k/s1", "job completed", "chat c1 completed");
}

static void progress_never_goes_back_and_100_belongs_to_the_result(void **state)
{
    struct scene *scene = *state;
    start_two_steps(scene);
    scene_report(scene, WORK_STEP_STARTED, "{}", "{\"index\":0}");
    scene_beat(scene);
    scene_report(scene, WORK_PROGRESS, "{\"progress\":60}", "{\"index\":0}");
    scene_beat(scene);
    scene_clear(scene);
    scene_report(scene, WORK_PROGRESS, "{\"progress\":50}", "{\"index\":0}");
    scene_report(scene, WORK_PROGRESS, "{\"progress\":100}", "{\"index\":0}");
    scene_report(scene, WORK_PROGRESS, "{\"progress\":\"x\"}", "{\"index\":0}");
    assert_string_equal(buf_text(&scene->said), "");
}

static void a_failing_step_ends_the_run_and_answers_422(void **state)
{
    struct scene *scene = *state;
    start_two_steps(scene);
    scene_report(scene, WORK_STEP_STARTED, "{}", "{\"index\":0}");
    scene_beat(scene);
    scene_clear(scene);
    scene_report(scene, WORK_STEP_FAILED, "{}",
                 "{\"index\":0,\"message\":\"Column \\\"x\\\" not found\",\"kind\":\"user\"}");
    EXPECT_SAID(scene, "progress closing", "\"status\":\"failed\"", "Step failed: Column \\\"x\\\" not found",
                "event {\"type\":\"error\"", "\"operation\":\"csv/search\"",
                "\"message\":\"Column \\\"x\\\" not found\"", "event terminal {\"type\":\"workflow_failed\"",
                "Workflow failed at step 1/2", "\"message\":\"Workflow execution failed\"",
                "answer #1 422 Workflow execution failed: Workflow failed at step 1/2: Column \"x\" not found",
                "\"status\":\"failed\"");
    EXPECT_WRITTEN(scene, "event 2 error", "step 0 failed", "message error: Column", "event 3 workflow_failed",
                   "job failed", "chat c1 failed");
    scene_clear(scene);
    scene_call(scene, CALL_EXECUTE, 2, "c1", SCENE_TWO_STEPS); /* the next one runs as if nothing had happened */
    EXPECT_SAID(scene, "accepted #2", "w1< job 2");
}

static void a_fault_of_ours_is_500(void **state)
{
    struct scene *scene = *state;
    start_two_steps(scene);
    scene_report(scene, WORK_STEP_FAILED, "{}", "{\"index\":0,\"message\":\"disk full\",\"kind\":\"server\"}");
    EXPECT_SAID(scene, "answer #1 500 Workflow execution failed: Workflow failed at step 1/2: disk full");
}

static void no_steps_complete_without_a_worker(void **state)
{
    struct scene *scene = *state;
    scene_chat_with_file(scene, "c1");
    scene_call(scene, CALL_EXECUTE, 1, "c1", "{\"steps\":[]}");
    EXPECT_SAID(scene, "accepted #1", "answer #1 200", "\"results\":[],\"output_files\":[]");
    EXPECT_WRITTEN(scene, "event 1 workflow_started", "event 2 workflow_completed", "chat c1 completed");
}

/* The event has a link, the answer the key: the gateway puts the file's content in its place. */
static void a_large_result_is_a_link_in_events_and_a_key_in_answers(void **state)
{
    struct scene *scene = *state;
    start_two_steps(scene);
    scene_clear(scene);
    scene_report(scene, WORK_STEP_DONE, "{}",
                 "{\"index\":0,\"file\":null,\"spool\":null,\"result\":{\"summary\":{\"n\":7}},"
                 "\"result_file\":{\"member\":\"data\",\"key\":\"k/big\",\"bytes\":70000}}");
    EXPECT_SAID(scene, "event {\"type\":\"step_result\"", "\"output_file_path\":null", "\"summary\":{\"n\":7}",
                "\"result_url\":\"/api/v1/chat/workflows/c1/files/", ".json\"", "\"result_bytes\":70000",
                "\"result_member\":\"data\"");
    assert_int_equal(count_said(scene, "k/big"), 0);
    EXPECT_WRITTEN(scene, "file ", ".json k/big", "step 0 completed");
    scene_clear(scene);
    scene_report(scene, WORK_STEP_DONE, "{}", STEP_2_DONE);
    scene_report(scene, WORK_RUN_DONE, "{}", "{}");
    EXPECT_SAID(scene, "\"output_files_count\":1", "answer #1 200", "\"result_member\":\"data\",\"result_file\"",
                "\"result_key\":\"k/big\"}", "\"output_files\":[");
}

static void a_taken_name_gets_a_number(void **state)
{
    struct scene *scene = *state;
    start_two_steps(scene);
    scene_report(scene, WORK_STEP_DONE, "{}",
                 "{\"index\":0,\"file\":{\"name\":\"orders.csv\",\"key\":\"k/a\",\"bytes\":1},\"result\":{}}");
    scene_report(scene, WORK_STEP_DONE, "{}",
                 "{\"index\":1,\"file\":{\"name\":\"orders.csv\",\"key\":\"k/b\",\"bytes\":1},\"result\":{}}");
    EXPECT_WRITTEN(scene, "file orders-2.csv k/a", "file orders-3.csv k/b");
}

static void a_run_knows_the_files_there_were_when_it_was_accepted(void **state)
{
    struct scene *scene = *state;
    scene_call(scene, CALL_CREATE_CHAT, 10, "c1", "{}");
    scene_call(scene, CALL_ADD_UPLOAD, 11, "c1", "{\"name\":\"towns.csv\",\"key\":\"k/towns\",\"bytes\":10}");
    scene_call(scene, CALL_ADD_UPLOAD, 12, "c1", "{\"name\":\"orders.csv\",\"key\":\"k/orders\",\"bytes\":10}");
    scene_call(scene, CALL_EXECUTE, 1, "c1", SCENE_TWO_STEPS);
    scene_call(scene, CALL_ADD_UPLOAD, 13, "c1", "{\"name\":\"towns.csv\",\"key\":\"k/later\",\"bytes\":10}");
    scene_beat(scene);
    scene_clear(scene);
    scene_hello(scene, "w1", 2);
    EXPECT_SAID(scene, "w1< job 1", "\"taken\":[\"towns.csv\",\"orders.csv\",\"towns.csv\"]",
                "\"files\":[{\"name\":\"towns.csv\",\"key\":\"k/towns\",\"beside_input\":true},"
                "{\"name\":\"orders.csv\",\"key\":\"k/orders\"}]");
}

static void a_result_larger_than_an_event_is_told_by_its_file(void **state)
{
    struct scene *scene = *state;
    start_two_steps(scene);
    char detail[8000];
    snprintf(detail, sizeof detail,
             "{\"index\":0,\"file\":{\"name\":\"a.csv\",\"key\":\"k/a\"},\"result\":{\"data\":\"%06000d\"}}", 0);
    scene_report(scene, WORK_STEP_DONE, "{}", detail);
    EXPECT_SAID(scene, "event {\"type\":\"step_result\"", "intermediate/a.csv", "\"truncated\":true");
}

static void a_run_that_takes_too_long_fails(void **state)
{
    struct scene *scene = *state;
    scene->settings.run_timeout_ms = 5000;
    core_destroy(&scene->core);
    scene_start_core(scene);
    scene_link(scene);
    start_two_steps(scene);
    for (int i = 0; i < 6; i++) {
        scene_wait(scene, 1000);
        scene_beat(scene);
        scene_work_beat(scene, "w1", 2, scene->token);
    }
    EXPECT_SAID(scene, "w1< revoke 1", "answer #1 422",
                "The workflow took longer than its limit of 5 seconds (chat_workflows.execution.run_timeout_seconds)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(the_main_job_tells_everything_in_order),
        SCENARIO(progress_never_goes_back_and_100_belongs_to_the_result),
        SCENARIO(a_failing_step_ends_the_run_and_answers_422),
        SCENARIO(a_fault_of_ours_is_500),
        SCENARIO(no_steps_complete_without_a_worker),
        SCENARIO(a_large_result_is_a_link_in_events_and_a_key_in_answers),
        SCENARIO(a_taken_name_gets_a_number),
        SCENARIO(a_run_knows_the_files_there_were_when_it_was_accepted),
        SCENARIO(a_result_larger_than_an_event_is_told_by_its_file),
        SCENARIO(a_run_that_takes_too_long_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
