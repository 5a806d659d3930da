#include "scene.h"

#define DONE_1                                                                                                         \
    "{\"index\":0,\"spool\":{\"name\":\"s\",\"key\":\"k/s1\",\"bytes\":5},\"stem_of\":\"a.csv\",\"result\":{}}"
#define DONE_2 "{\"index\":1,\"spool\":null,\"result\":{}}"

static void start_job(struct scene *scene, const char *worker)
{
    scene_chat_with_file(scene, "c1");
    scene_attach(scene, 1, "c1", -1, NULL);
    scene_beat(scene);
    scene_hello(scene, worker, 1);
    scene_call(scene, CALL_EXECUTE, 1, "c1", SCENE_TWO_STEPS);
    scene_beat(scene);
}

/* Time in which only the named worker (NULL: none) and the gateway are heard. */
static void live_on(struct scene *scene, int seconds, const char *worker, struct token token)
{
    for (int i = 0; i < seconds; i++) {
        scene_wait(scene, 1000);
        scene_beat(scene);
        if (worker)
            scene_work_beat(scene, worker, 1, token);
    }
}

static const struct token no_token;

static void a_lost_workers_job_goes_on_after_the_last_kept_output(void **state)
{
    struct scene *scene = *state;
    start_job(scene, "w1");
    scene_report(scene, WORK_STEP_STARTED, "{}", "{\"index\":0}");
    scene_report(scene, WORK_STEP_DONE, "{}", DONE_1);
    scene_report(scene, WORK_STEP_STARTED, "{}", "{\"index\":1}");
    struct token old = scene->token;
    scene_hello(scene, "w2", 1);
    scene_clear(scene);
    live_on(scene, 15, "w2", no_token);
    EXPECT_SAID(scene, "w1< revoke 1", "w2< job 2", "\"attempt\":2", "\"first_step\":1", "\"key\":\"k/s1\"",
                "\"stem_of\":\"a.csv\"");
    assert_int_equal(count_said(scene, "workflow_started"), 0); /* told once a run */
    scene_clear(scene);
    scene_event(scene, "w1", old, 9, WORK_STEP_DONE, "{}", DONE_2); /* a stale token changes nothing */
    assert_string_equal(buf_text(&scene->written), "");
    EXPECT_SAID(scene, "w1< revoke 1");
    scene_clear(scene);
    scene_event(scene, "w2", scene->token, 1, WORK_STEP_STARTED, "{}", "{\"index\":1}");
    scene_event(scene, "w2", scene->token, 2, WORK_STEP_DONE, "{}", DONE_2);
    scene_event(scene, "w2", scene->token, 3, WORK_RUN_DONE, "{}", "{}");
    EXPECT_SAID(scene, "\"attempt\":2", "answer #1 200", "w2< ack 3");
}

static void a_worker_that_beats_keeps_its_job(void **state)
{
    struct scene *scene = *state;
    start_job(scene, "w1");
    scene_clear(scene);
    live_on(scene, 30, "w1", scene->token);
    expect_not_said(scene, "revoke");
    expect_not_said(scene, "job");
}

/* Its worker starts anew and does not know the token; how long until the job is handed out again. */
static int64_t rest_after_a_loss(struct scene *scene)
{
    scene_clear(scene);
    scene_hello(scene, "w1", 1);
    int64_t began_ms = scene->now.mono_ms;
    while (count_said(scene, "w1< job ") == 0) {
        assert_true(scene->now.mono_ms - began_ms < 120000);
        scene_wait(scene, 50);
        if (scene->now.mono_ms % 1000 < 50) {
            scene_work_beat(scene, "w1", 1, no_token);
            scene_beat(scene);
        }
    }
    return scene->now.mono_ms - began_ms;
}

/* Twice as long after each loss, up to 30 s, and of that at least half: jobs lost together do not come back together.
 */
static void rests_between_attempts_grow_within_their_bounds(void **state)
{
    struct scene *scene = *state;
    int64_t most_ms = 250, least_seen_ms = INT64_MAX, most_seen_ms = 0;
    core_destroy(&scene->core);
    scene->settings.attempts_max = 100;
    scene_start_core(scene);
    scene_link(scene);
    start_job(scene, "w1");
    for (int i = 0; i < 24; i++) {
        int64_t rest_ms = rest_after_a_loss(scene);
        assert_in_range(rest_ms, most_ms / 2, most_ms + 50);
        if (most_ms == 30000) {
            least_seen_ms = rest_ms < least_seen_ms ? rest_ms : least_seen_ms;
            most_seen_ms = rest_ms > most_seen_ms ? rest_ms : most_seen_ms;
        }
        most_ms = most_ms * 2 < 30000 ? most_ms * 2 : 30000;
    }
    assert_true(most_seen_ms - least_seen_ms > 7500); /* they are spread over the half that is drawn by lot */
}

static void a_run_whose_workers_are_always_lost_fails_with_the_cause(void **state)
{
    struct scene *scene = *state;
    start_job(scene, "w1");
    for (int i = 0; i < 3; i++) {
        scene_hello(scene, "w1", 1); /* starts anew and does not know the token: lost at once */
        live_on(scene, 3, NULL, no_token);
    }
    EXPECT_SAID(scene, "\"attempt\":3", "event {\"type\":\"error\"",
                "\"error\":\"Workflow failed at step 1/2: The worker was lost (attempt 3 of 3)\"",
                "answer #1 500 Workflow execution failed: Workflow failed at step 1/2: The worker was lost");
    assert_int_equal(count_said(scene, "terminal"), 1);
}

static void a_killed_step_counts_as_an_attempt(void **state)
{
    struct scene *scene = *state;
    start_job(scene, "w1");
    scene_clear(scene);
    scene_report(scene, WORK_STEP_FAILED, "{}", "{\"index\":0,\"message\":\"killed\",\"kind\":\"lost\"}");
    expect_not_said(scene, "event");
    live_on(scene, 2, "w1", no_token);
    EXPECT_SAID(scene, "w1< job 2", "\"attempt\":2");
}

static void the_same_event_twice_changes_nothing_twice(void **state)
{
    struct scene *scene = *state;
    start_job(scene, "w1");
    scene_report(scene, WORK_STEP_STARTED, "{}", "{\"index\":0}");
    scene_report(scene, WORK_STEP_DONE, "{}", DONE_1);
    scene_clear(scene);
    scene_event(scene, "w1", scene->token, 2, WORK_STEP_DONE, "{}", DONE_1);
    assert_string_equal(buf_text(&scene->written), "");
    assert_string_equal(buf_text(&scene->said), "w1< ack 2\n");
}

static void beyond_a_hole_nothing_is_taken_until_it_is_filled(void **state)
{
    struct scene *scene = *state;
    start_job(scene, "w1");
    scene_clear(scene);
    scene_event(scene, "w1", scene->token, 2, WORK_STEP_DONE, "{}", DONE_1);
    scene_event(scene, "w1", scene->token, 1, WORK_PROGRESS, "{\"progress\":10}", "{\"index\":0}");
    assert_string_equal(buf_text(&scene->said), "");
    assert_string_equal(buf_text(&scene->written), "");
    scene_event(scene, "w1", scene->token, 1, WORK_STEP_STARTED, "{}", "{\"index\":0}");
    scene_event(scene, "w1", scene->token, 2, WORK_STEP_DONE, "{}", DONE_1);
    EXPECT_SAID(scene, "w1< ack 1", "step_result", "w1< ack 2");
}

static void an_event_that_does_not_fit_costs_the_lease(void **state)
{
    struct scene *scene = *state;
    start_job(scene, "w1");
    static const struct {
        enum work_what what;
        const char *event, *detail;
    } odd[] = {{WORK_STEP_DONE, "{}", DONE_2}, {WORK_RUN_DONE, "{}", "{}"}};
    for (size_t i = 0; i < 2; i++) {
        scene_clear(scene);
        scene_event(scene, "w1", scene->token, 1, odd[i].what, odd[i].event, odd[i].detail);
        EXPECT_SAID(scene, "w1< revoke");
        expect_not_said(scene, "ack");
        expect_not_said(scene, "step_result");
        live_on(scene, 3, "w1", no_token);
    }
    scene_clear(scene);
    scene_event(scene, "w1", scene->token, 1, WORK_STEP_STARTED, "not json", "{}");
    EXPECT_SAID(scene, "workflow_failed", "w1< revoke");
}

static void a_draining_worker_gets_nothing_new_and_hands_back_for_free(void **state)
{
    struct scene *scene = *state;
    start_job(scene, "w1");
    scene_work(scene, "w1", &(struct work_frame){.kind = WORK_BYE});
    scene_hello(scene, "w2", 1);
    scene_clear(scene);
    scene_work_beat(scene, "w1", 1, scene->token); /* still at it */
    expect_not_said(scene, "job");
    scene_work_beat(scene, "w1", 1, no_token); /* dropped it */
    scene_wait(scene, 100);
    EXPECT_SAID(scene, "w2< job 2", "\"attempt\":1");
    scene_clear(scene);
    scene_call(scene, CALL_EXECUTE, 2, "c1", SCENE_TWO_STEPS);
    expect_not_said(scene, "w1< job");
}

static void progress_never_falls_when_a_job_was_handed_back(void **state)
{
    struct scene *scene = *state;
    start_job(scene, "w1");
    scene_report(scene, WORK_STEP_STARTED, "{}", "{\"index\":0}");
    scene_event(scene, "w1", scene->token, 1, WORK_PROGRESS, "{\"progress\":57}", "{\"index\":0}");
    scene_work(scene, "w1", &(struct work_frame){.kind = WORK_BYE});
    scene_hello(scene, "w2", 1);
    scene_work_beat(scene, "w1", 1, no_token);
    scene_wait(scene, 100);
    EXPECT_WRITTEN(scene, "step 0 running 57"); /* so that no restart forgets it */
    scene_clear(scene);
    scene_event(scene, "w2", scene->token, 1, WORK_STEP_STARTED, "{}", "{\"index\":0}");
    scene_event(scene, "w2", scene->token, 1, WORK_PROGRESS, "{\"progress\":12}", "{\"index\":0}");
    scene_event(scene, "w2", scene->token, 1, WORK_PROGRESS, "{\"progress\":60}", "{\"index\":0}");
    EXPECT_SAID(scene, "\"attempt\":1", "\"progress\":57", "\"progress\":60");
    expect_not_said(scene, "\"progress\":0,");
    expect_not_said(scene, "\"progress\":12");
}

static void chats_take_turns_and_one_job_of_a_chat_runs_at_a_time(void **state)
{
    struct scene *scene = *state;
    scene_chat_with_file(scene, "a");
    scene_chat_with_file(scene, "b");
    for (unsigned char i = 0; i < 3; i++)
        scene_call(scene, CALL_EXECUTE, (unsigned char)(10 + i), "a", SCENE_TWO_STEPS);
    scene_call(scene, CALL_EXECUTE, 20, "b", SCENE_TWO_STEPS);
    scene_clear(scene);
    scene_hello(scene, "w1", 4);
    assert_int_equal(count_said(scene, "< job"), 2); /* one of each chat, though there are four slots */
    EXPECT_SAID(scene, "\"chat_id\":\"a\"", "\"chat_id\":\"b\"");
    scene_clear(scene);
    scene_report(scene, WORK_STEP_FAILED, "{}", "{\"index\":0,\"message\":\"x\",\"kind\":\"user\"}"); /* b's */
    expect_not_said(scene, "< job");
}

static void one_slot_serves_the_chats_in_turn(void **state)
{
    struct scene *scene = *state;
    scene_chat_with_file(scene, "a");
    scene_chat_with_file(scene, "b");
    scene_hello(scene, "w1", 1);
    scene_clear(scene);
    for (unsigned char i = 0; i < 2; i++) {
        scene_call(scene, CALL_EXECUTE, (unsigned char)(10 + i), "a", SCENE_TWO_STEPS);
        scene_call(scene, CALL_EXECUTE, (unsigned char)(20 + i), "b", SCENE_TWO_STEPS);
    }
    for (int i = 0; i < 4; i++)
        scene_report(scene, WORK_STEP_FAILED, "{}", "{\"index\":0,\"message\":\"x\",\"kind\":\"user\"}");
    EXPECT_SAID(scene, "< job 1", "\"chat_id\":\"a\"", "< job 2", "\"chat_id\":\"b\"", "< job 3", "\"chat_id\":\"a\"",
                "< job 4", "\"chat_id\":\"b\"");
}

static void the_least_loaded_worker_comes_first(void **state)
{
    struct scene *scene = *state;
    scene_hello(scene, "w1", 1);
    scene_hello(scene, "w2", 3);
    scene_clear(scene);
    const char *chats[] = {"a", "b", "c", "d"};
    for (unsigned char i = 0; i < 4; i++) {
        scene_chat_with_file(scene, chats[i]);
        scene_call(scene, CALL_EXECUTE, (unsigned char)(10 + i), chats[i], SCENE_TWO_STEPS);
    }
    EXPECT_SAID(scene, "w2< job 1", "w2< job 2", "w1< job 3", "w2< job 4");
}

/* ---- after a restart ---- */

/* The record of a chat whose job was leased under token {1, 1} when the broker died; its first step is done. */
static void load_running(struct scene *scene)
{
    core_destroy(&scene->core);
    scene->newest = (struct token){2, 0};
    scene_start_core(scene);
    struct core *core = scene->core;
    assert_int_equal(core_load_begin(core, "c1", scene->now), ERR_OK);
    struct chat_row chat = {.chat_id = "c1",
                            .participant_name = "Otter-1000",
                            .status = CHAT_PROCESSING,
                            .partition_key = "2025/11",
                            .metadata = "{}",
                            .epoch = "0123456789abcdef0123456789abcdef",
                            .head = 1};
    struct job_row job = {.job_id = "j1",
                          .chat_id = "c1",
                          .status = JOB_RUNNING,
                          .attempts = 1,
                          .token = {1, 1},
                          .last_number = 2,
                          .input_name = "orders.csv",
                          .input_key = "k/orders",
                          .trace = "",
                          .error = "",
                          .total_steps = 2,
                          .submitted_us = scene->now.wall_us,
                          .started_us = scene->now.wall_us};
    assert_int_equal(core_load_chat(core, &chat), ERR_OK);
    assert_int_equal(core_load_job(core, &job), ERR_OK);
    for (uint32_t i = 0; i < 2; i++) {
        struct step_row step = {.step_id = i ? "s2" : "s1",
                                .chat_id = "c1",
                                .job_id = "j1",
                                .index = i,
                                .operation = "op",
                                .arguments = "{}",
                                .input_file = "orders.csv",
                                .output_file = "",
                                .spool_key = i ? "" : "k/s1",
                                .result = i ? "" : "{\"output_file_path\":null}",
                                .status = i ? STEP_PENDING : STEP_COMPLETED,
                                .error_message = ""};
        assert_int_equal(core_load_step(core, &step), ERR_OK);
    }
    struct event_row event = {
        .chat_id = "c1", .type = "workflow_started", .seq = 1, .body = "{\"seq\":1}", .body_len = 9};
    assert_int_equal(core_load_event(core, &event), ERR_OK);
    assert_int_equal(core_load_end(core), ERR_OK);
    scene_link(scene);
    scene_clear(scene);
    scene->token = (struct token){1, 1};
}

static void after_a_restart_the_worker_goes_on_under_its_token(void **state)
{
    struct scene *scene = *state;
    load_running(scene);
    scene_wait(scene, 5000);
    struct work_frame hello = {.kind = WORK_HELLO, .slots = 1, .token_count = 1, .tokens = {{1, 1}}};
    scene_work(scene, "w1", &hello);
    EXPECT_SAID(scene, "w1< welcome 2");
    live_on(scene, 8, "w1", scene->token);
    expect_not_said(scene, "revoke");
    scene_clear(scene);
    scene_event(scene, "w1", scene->token, 2, WORK_STEP_DONE, "{}", DONE_1); /* sent again: on disk already */
    assert_string_equal(buf_text(&scene->written), "");
    scene_event(scene, "w1", scene->token, 3, WORK_STEP_DONE, "{}", DONE_2);
    scene_event(scene, "w1", scene->token, 4, WORK_RUN_DONE, "{}", "{}");
    EXPECT_WRITTEN(scene, "event 2 step_result", "event 3 workflow_completed", "job completed");
}

static void a_failed_step_tells_how_far_it_came_though_the_broker_was_restarted(void **state)
{
    struct scene *scene = *state;
    load_running(scene);
    struct work_frame hello = {.kind = WORK_HELLO, .slots = 1, .token_count = 1, .tokens = {{1, 1}}};
    scene_work(scene, "w1", &hello);
    scene_link(scene);
    scene_attach(scene, 1, "c1", -1, NULL);
    scene_beat(scene);
    scene_event(scene, "w1", scene->token, 3, WORK_STEP_FAILED, "{\"progress\":71}",
                "{\"index\":1,\"message\":\"no\",\"kind\":\"user\"}");
    EXPECT_SAID(scene, "closing", "\"progress\":71,\"status\":\"failed\"", "\"type\":\"error\"");
}

static void a_lease_of_before_the_restart_that_is_handed_back_is_another_attempt_that_costs_nothing(void **state)
{
    struct scene *scene = *state;
    load_running(scene);
    struct work_frame hello = {.kind = WORK_HELLO, .slots = 1, .token_count = 1, .tokens = {{1, 1}}};
    scene_work(scene, "w1", &hello);
    scene_work(scene, "w1", &(struct work_frame){.kind = WORK_BYE});
    scene_hello(scene, "w2", 1);
    scene_work_beat(scene, "w1", 1, no_token);
    scene_wait(scene, 100);
    EXPECT_SAID(scene, "w2< job 1", "\"attempt\":2"); /* what clients saw of attempt 1 is not known any more */
}

static void after_a_restart_a_lease_nobody_claims_runs_out_once(void **state)
{
    struct scene *scene = *state;
    load_running(scene);
    scene_hello(scene, "w2", 1);
    live_on(scene, 9, "w2", no_token);
    expect_not_said(scene, "job");
    live_on(scene, 3, "w2", no_token);
    EXPECT_SAID(scene, "w2< job 1", "\"attempt\":2", "\"first_step\":1");
    assert_int_equal(scene->token.term, 2);
}

static void an_unknown_workers_beat_is_taken_at_its_word(void **state)
{
    struct scene *scene = *state;
    scene_work_beat(scene, "w9", 1, (struct token){1, 77});
    EXPECT_SAID(scene, "w9< welcome 1", "w9< revoke 77");
    scene_chat_with_file(scene, "c1");
    scene_work_beat(scene, "w9", 1, no_token);
    scene_call(scene, CALL_EXECUTE, 1, "c1", SCENE_TWO_STEPS);
    EXPECT_SAID(scene, "w9< job 1");
}

static void a_silent_worker_gets_no_job(void **state)
{
    struct scene *scene = *state;
    scene_hello(scene, "w1", 1);
    scene_chat_with_file(scene, "c1");
    live_on(scene, 4, NULL, no_token);
    scene_clear(scene);
    scene_call(scene, CALL_EXECUTE, 1, "c1", SCENE_TWO_STEPS);
    expect_not_said(scene, "job 1");
    scene_work_beat(scene, "w1", 1, no_token);
    EXPECT_SAID(scene, "w1< job 1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(a_lost_workers_job_goes_on_after_the_last_kept_output),
        SCENARIO(a_worker_that_beats_keeps_its_job),
        SCENARIO(rests_between_attempts_grow_within_their_bounds),
        SCENARIO(a_run_whose_workers_are_always_lost_fails_with_the_cause),
        SCENARIO(a_killed_step_counts_as_an_attempt),
        SCENARIO(the_same_event_twice_changes_nothing_twice),
        SCENARIO(beyond_a_hole_nothing_is_taken_until_it_is_filled),
        SCENARIO(an_event_that_does_not_fit_costs_the_lease),
        SCENARIO(a_draining_worker_gets_nothing_new_and_hands_back_for_free),
        SCENARIO(progress_never_falls_when_a_job_was_handed_back),
        SCENARIO(a_failed_step_tells_how_far_it_came_though_the_broker_was_restarted),
        SCENARIO(chats_take_turns_and_one_job_of_a_chat_runs_at_a_time),
        SCENARIO(one_slot_serves_the_chats_in_turn),
        SCENARIO(the_least_loaded_worker_comes_first),
        SCENARIO(after_a_restart_the_worker_goes_on_under_its_token),
        SCENARIO(a_lease_of_before_the_restart_that_is_handed_back_is_another_attempt_that_costs_nothing),
        SCENARIO(after_a_restart_a_lease_nobody_claims_runs_out_once),
        SCENARIO(an_unknown_workers_beat_is_taken_at_its_word),
        SCENARIO(a_silent_worker_gets_no_job),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
