/* Cancelling, retrying and going back a step, in virtual time. */
#include "scene.h"

#define DONE_1                                                                                                         \
    "{\"index\":0,\"spool\":{\"name\":\"s\",\"key\":\"k/s1\",\"bytes\":5},"                                            \
    "\"file\":{\"name\":\"one.csv\",\"key\":\"k/one\",\"bytes\":5},\"stem_of\":\"a.csv\",\"result\":{}}"
#define DONE_2 "{\"index\":1,\"spool\":null,\"result\":{}}"
#define FAILED "{\"index\":1,\"message\":\"bad\",\"kind\":\"user\"}"
#define LOST   "{\"index\":1,\"message\":\"What the step reads is missing\",\"kind\":\"input\"}"

static void start_job(struct scene *scene)
{
    scene_chat_with_file(scene, "c1");
    scene_attach(scene, 1, "c1", -1, NULL);
    scene_beat(scene);
    scene_hello(scene, "w1", 1);
    scene_call(scene, CALL_EXECUTE, 1, "c1", SCENE_TWO_STEPS);
    scene_beat(scene);
}

static void do_first_step(struct scene *scene)
{
    scene_report(scene, WORK_STEP_STARTED, "{}", "{\"index\":0}");
    scene_report(scene, WORK_STEP_DONE, "{}", DONE_1);
    scene_report(scene, WORK_STEP_STARTED, "{}", "{\"index\":1}");
    scene_beat(scene);
}

static void call_job(struct scene *scene, enum call call, unsigned char id, const char *job_id, const char *more)
{
    char body[JOB_ID_MAX + 100];
    snprintf(body, sizeof body, "{\"job_id\":\"%s\"%s}", job_id, more);
    scene_call(scene, call, id, "c1", body);
    scene_beat(scene);
}

static const char *const retry_failed = ",\"from\":\"failed\",\"wait\":false";
static const char *const retry_start = ",\"from\":\"start\",\"wait\":false";

static void a_cancelled_run_is_over_at_once(void **state)
{
    struct scene *scene = *state;
    start_job(scene);
    do_first_step(scene);
    scene_clear(scene);
    call_job(scene, CALL_CANCEL_JOB, 2, scene->job_id, "");
    EXPECT_SAID(scene, "event terminal {\"type\":\"workflow_cancelled\"", "\"message\":\"Workflow cancelled\"",
                "w1< revoke 1", "answer #1 409 Workflow cancelled", "answer #2 200", "\"status\":\"cancelled\"");
    EXPECT_WRITTEN(scene, "workflow_cancelled", "job cancelled", "chat c1 failed");
    scene_clear(scene);
    scene_event(scene, "w1", scene->token, 4, WORK_STEP_DONE, "{}", DONE_2); /* the end that came second */
    assert_string_equal(buf_text(&scene->written), "");
    EXPECT_SAID(scene, "w1< revoke 1");
}

static void a_run_that_ended_first_cannot_be_cancelled(void **state)
{
    struct scene *scene = *state;
    start_job(scene);
    do_first_step(scene);
    scene_report(scene, WORK_STEP_DONE, "{}", DONE_2);
    scene_report(scene, WORK_RUN_DONE, "{}", "{}");
    scene_clear(scene);
    call_job(scene, CALL_CANCEL_JOB, 2, scene->job_id, "");
    EXPECT_SAID(scene, "answer #2 409 The job has already ended: it is completed");
    assert_string_equal(buf_text(&scene->written), "");
}

static void a_waiting_job_is_cancelled_where_it_stands(void **state)
{
    struct scene *scene = *state;
    start_job(scene);
    scene_call(scene, CALL_EXECUTE, 2, "c1", SCENE_TWO_STEPS);
    char waiting[JOB_ID_MAX + 1];
    memcpy(waiting, scene->job_id, sizeof waiting);
    scene_clear(scene);
    call_job(scene, CALL_CANCEL_JOB, 3, waiting, "");
    EXPECT_SAID(scene, "workflow_cancelled", "answer #2 409", "answer #3 200");
    expect_not_said(scene, "revoke");
    EXPECT_WRITTEN(scene, "chat c1 processing");
    scene_clear(scene);
    do_first_step(scene); /* the other one goes on */
    scene_report(scene, WORK_STEP_DONE, "{}", DONE_2);
    scene_report(scene, WORK_RUN_DONE, "{}", "{}");
    EXPECT_SAID(scene, "workflow_completed", "answer #1 200");
    expect_not_said(scene, "w1< job");
}

static void unknown_jobs_are_not_found(void **state)
{
    struct scene *scene = *state;
    start_job(scene);
    scene_clear(scene);
    call_job(scene, CALL_CANCEL_JOB, 2, "c1_workflow_1_0", "");
    call_job(scene, CALL_RETRY_JOB, 3, "c1_workflow_1_0", retry_failed);
    scene_call(scene, CALL_CANCEL_JOB, 4, "c1", "{}");
    scene_call(scene, CALL_CANCEL_JOB, 5, "c2", "{\"job_id\":\"x\"}");
    EXPECT_SAID(scene, "answer #2 404 Job", "answer #3 404 Job", "answer #4 404 Job", "answer #5 404 Conversation");
}

static void cancelling_twice_under_one_id_answers_twice_the_same(void **state)
{
    struct scene *scene = *state;
    start_job(scene);
    call_job(scene, CALL_CANCEL_JOB, 2, scene->job_id, "");
    scene_clear(scene);
    call_job(scene, CALL_CANCEL_JOB, 2, scene->job_id, "");
    EXPECT_SAID(scene, "answer #2 200");
    call_job(scene, CALL_CANCEL_JOB, 3, scene->job_id, "");
    EXPECT_SAID(scene, "answer #3 409 The job has already ended: it is cancelled");
}

/* ---- retry ---- */

static void a_retry_goes_on_after_the_finished_steps(void **state)
{
    struct scene *scene = *state;
    start_job(scene);
    do_first_step(scene);
    char old[JOB_ID_MAX + 1];
    memcpy(old, scene->job_id, sizeof old);
    scene_report(scene, WORK_STEP_FAILED, "{}", FAILED);
    scene_beat(scene);
    scene_clear(scene);
    call_job(scene, CALL_RETRY_JOB, 2, old, retry_failed);
    EXPECT_SAID(scene, "workflow_started", "\"retry_of\":\"", "\"first_step\":1", "answer #2 202", "w1< job 2",
                "\"first_step\":1", "\"key\":\"k/s1\"", "\"stem_of\":\"a.csv\"");
    assert_int_equal(count_said(scene, "step_result"), 0); /* told once, by the run that made it */
}

static void a_retry_from_the_start_repeats_all(void **state)
{
    struct scene *scene = *state;
    start_job(scene);
    do_first_step(scene);
    scene_report(scene, WORK_STEP_FAILED, "{}", FAILED);
    scene_clear(scene);
    call_job(scene, CALL_RETRY_JOB, 2, scene->job_id, retry_start);
    EXPECT_SAID(scene, "answer #2 202", "w1< job 2", "\"first_step\":0", "\"key\":\"k/orders\"");
    EXPECT_WRITTEN(scene, "garbage k/s1");
}

static void a_retried_run_has_all_results_and_gives_up_its_spools(void **state)
{
    struct scene *scene = *state;
    start_job(scene);
    do_first_step(scene);
    call_job(scene, CALL_CANCEL_JOB, 2, scene->job_id, "");
    call_job(scene, CALL_RETRY_JOB, 3, scene->job_id, retry_failed);
    scene_work_beat(scene, "w1", 1, scene->token);
    scene_clear(scene);
    scene_report(scene, WORK_STEP_STARTED, "{}", "{\"index\":1}");
    scene_report(scene, WORK_STEP_DONE, "{}", DONE_2);
    scene_report(scene, WORK_RUN_DONE, "{}", "{}");
    EXPECT_SAID(scene, "workflow_completed", "\"output_files_count\":1");
    EXPECT_WRITTEN(scene, "garbage k/s1", "job completed");
}

static void only_failed_and_cancelled_runs_are_retried(void **state)
{
    struct scene *scene = *state;
    start_job(scene);
    scene_clear(scene);
    call_job(scene, CALL_RETRY_JOB, 2, scene->job_id, retry_failed);
    EXPECT_SAID(scene, "answer #2 409 Only a failed or cancelled job can be retried: this one is running");
    call_job(scene, CALL_RETRY_JOB, 3, scene->job_id, ",\"from\":\"middle\"");
    EXPECT_SAID(scene, "answer #3 422");
}

static void another_run_ends_the_chance_to_go_on(void **state)
{
    struct scene *scene = *state;
    start_job(scene);
    do_first_step(scene);
    char old[JOB_ID_MAX + 1];
    memcpy(old, scene->job_id, sizeof old);
    scene_report(scene, WORK_STEP_FAILED, "{}", FAILED);
    scene_clear(scene);
    scene_call(scene, CALL_EXECUTE, 2, "c1", SCENE_TWO_STEPS);
    EXPECT_WRITTEN(scene, "garbage k/s1");
    scene_report(scene, WORK_STEP_FAILED, "{}", "{\"index\":0,\"message\":\"bad\",\"kind\":\"user\"}");
    scene_clear(scene);
    call_job(scene, CALL_RETRY_JOB, 3, old, retry_failed); /* not in memory any more, and this scene has no record */
    EXPECT_SAID(scene, "answer #3 404");
}

static enum err load_past(struct scene *scene, const char *job_id, enum job_status status)
{
    struct job_row job = {.job_id = job_id,
                          .chat_id = "c1",
                          .status = status,
                          .attempts = 1,
                          .input_name = "orders.csv",
                          .input_key = "k/orders",
                          .error = "bad",
                          .total_steps = 1,
                          .spools_gone = true};
    struct step_row step = {.step_id = "s1",
                            .chat_id = "c1",
                            .job_id = job_id,
                            .operation = "csv/search",
                            .arguments = "{}",
                            .input_file = "orders.csv",
                            .status = STEP_FAILED};
    core_load_past(scene->core, "c1", scene->now);
    enum err err = core_load_job(scene->core, &job);
    return err == ERR_OK ? core_load_step(scene->core, &step) : err;
}

static void a_run_of_long_ago_is_looked_up(void **state)
{
    struct scene *scene = *state;
    start_job(scene);
    scene_clear(scene);
    const char *body = "{\"job_id\":\"old\",\"from\":\"failed\",\"wait\":false}";
    struct request_frame frame = scene_call_frame(CALL_RETRY_JOB, 2, "c1", body);
    struct input input = {.kind = INPUT_REQUEST, .peer = scene_peer("gw"), .of.request = {.frame = &frame}};
    char wanted[JOB_ID_MAX + 1];
    assert_true(core_wants_job(scene->core, &input, wanted));
    assert_string_equal(wanted, "old");
    assert_int_equal(load_past(scene, wanted, JOB_FAILED), ERR_OK);
    scene_request(scene, &frame);
    EXPECT_SAID(scene, "answer #2 202");
    EXPECT_WRITTEN(scene, "job pending");
    scene_clear(scene);
    call_job(scene, CALL_CANCEL_JOB, 3, "old", ""); /* forgotten after the decision */
    EXPECT_SAID(scene, "answer #3 404");
}

/* It ended earlier in the same turn, and another one after it: the record still shows it open. */
static void a_run_that_ended_in_this_turn_does_not_end_again(void **state)
{
    struct scene *scene = *state;
    start_job(scene);
    scene_clear(scene);
    assert_int_equal(load_past(scene, "just", JOB_RUNNING), ERR_OK);
    call_job(scene, CALL_CANCEL_JOB, 2, "just", "");
    EXPECT_SAID(scene, "answer #2 409 The job has just ended");
    assert_string_equal(buf_text(&scene->written), "");
}

static void the_queue_bounds_retries_too(void **state)
{
    struct scene *scene = *state;
    core_destroy(&scene->core);
    scene->settings.queue_jobs_max = 1;
    scene_start_core(scene);
    scene_link(scene);
    start_job(scene);
    scene_clear(scene);
    scene_call(scene, CALL_EXECUTE, 2, "c1", SCENE_TWO_STEPS);
    EXPECT_SAID(scene, "answer #2 503 Too many jobs are waiting: at most 1 (broker.queue_jobs_max)");
    char old[JOB_ID_MAX + 1];
    memcpy(old, scene->job_id, sizeof old);
    call_job(scene, CALL_CANCEL_JOB, 3, old, "");
    scene_call(scene, CALL_EXECUTE, 4, "c1", SCENE_TWO_STEPS);
    call_job(scene, CALL_RETRY_JOB, 5, old, retry_failed);
    EXPECT_SAID(scene, "accepted #4", "answer #5 503");
}

/* ---- one step back ---- */

static void a_lost_spool_means_one_step_back_and_no_failure(void **state)
{
    struct scene *scene = *state;
    start_job(scene);
    do_first_step(scene);
    for (int i = 0; i < 5; i++) { /* more often than a run may lose its worker */
        scene_clear(scene);
        scene_report(scene, WORK_STEP_FAILED, "{}", LOST);
        EXPECT_WRITTEN(scene, "garbage k/s1", "step 0 pending", "step 1 pending");
        for (int wait = 0; wait < 20 && !strstr(buf_text(&scene->said), "w1< job"); wait++) {
            scene_wait(scene, 1000);
            scene_beat(scene);
            scene_work_beat(scene, "w1", 1, (struct token){0});
        }
        EXPECT_SAID(scene, "w1< job", "\"first_step\":0", "\"key\":\"k/orders\"");
        expect_not_said(scene, "event {\"type\":\"error\"");
        do_first_step(scene);
    }
    scene_report(scene, WORK_STEP_DONE, "{}", DONE_2);
    scene_report(scene, WORK_RUN_DONE, "{}", "{}");
    EXPECT_SAID(scene, "workflow_completed", "answer #1 200");
}

/* People saw it done under the first number. */
static void a_step_that_went_back_and_is_never_taken_again_fails_as_another_attempt(void **state)
{
    struct scene *scene = *state;
    start_job(scene);
    scene_attach(scene, 1, "c1", -1, NULL);
    scene_beat(scene);
    do_first_step(scene);
    scene_work(scene, "w1", &(struct work_frame){.kind = WORK_BYE}); /* nobody is left to take it */
    scene_report(scene, WORK_STEP_FAILED, "{}", LOST);
    scene_clear(scene);
    int64_t limit_s = scene->settings.run_timeout_ms / 1000;
    for (int64_t s = 0; s <= limit_s && !strstr(buf_text(&scene->said), "workflow_failed"); s++) {
        scene_wait(scene, 1000);
        scene_beat(scene);
    }
    EXPECT_SAID(scene, "closing", "\"attempt\":2", "\"status\":\"failed\"", "workflow_failed");
}

static void a_lost_upload_fails_the_run(void **state)
{
    struct scene *scene = *state;
    start_job(scene);
    scene_report(scene, WORK_STEP_STARTED, "{}", "{\"index\":0}");
    scene_report(scene, WORK_STEP_FAILED, "{}", "{\"index\":0,\"message\":\"missing\",\"kind\":\"input\"}");
    EXPECT_SAID(scene, "workflow_failed", "answer #1 500");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(a_cancelled_run_is_over_at_once),
        SCENARIO(a_run_that_ended_first_cannot_be_cancelled),
        SCENARIO(a_run_that_ended_in_this_turn_does_not_end_again),
        SCENARIO(a_waiting_job_is_cancelled_where_it_stands),
        SCENARIO(unknown_jobs_are_not_found),
        SCENARIO(cancelling_twice_under_one_id_answers_twice_the_same),
        SCENARIO(a_retry_goes_on_after_the_finished_steps),
        SCENARIO(a_retry_from_the_start_repeats_all),
        SCENARIO(a_retried_run_has_all_results_and_gives_up_its_spools),
        SCENARIO(only_failed_and_cancelled_runs_are_retried),
        SCENARIO(another_run_ends_the_chance_to_go_on),
        SCENARIO(a_run_of_long_ago_is_looked_up),
        SCENARIO(the_queue_bounds_retries_too),
        SCENARIO(a_lost_spool_means_one_step_back_and_no_failure),
        SCENARIO(a_step_that_went_back_and_is_never_taken_again_fails_as_another_attempt),
        SCENARIO(a_lost_upload_fails_the_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
