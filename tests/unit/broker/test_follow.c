#include "scene.h"

#define NOTE "{\"type\":\"note\",\"text\":\"x\"}"

/* The epoch in the newest line that names one. */
static void read_epoch(struct scene *scene, char out[EPOCH_MAX])
{
    const char *at = NULL;
    for (const char *found = buf_text(&scene->said); (found = strstr(found, "\"epoch\":\"")); found++)
        at = found + 9;
    assert_non_null(at);
    memcpy(out, at, EPOCH_MAX - 1);
    out[EPOCH_MAX - 1] = '\0';
}

/* A chat with `count` events, nobody attached; gives its epoch. */
static void chat_with_notes(struct scene *scene, int count, char epoch[EPOCH_MAX])
{
    scene_attach(scene, 99, "c1", -1, NULL);
    for (int i = 0; i < count; i++) {
        scene_publish(scene, "c1", NOTE);
        scene_beat(scene);
    }
    read_epoch(scene, epoch);
    scene_request(scene, &(struct request_frame){.kind = REQUEST_DETACH, .link = SCENE_LINK, .attach = 99});
    scene_beat(scene);
    scene_clear(scene);
}

static void connecting_writes_nothing(void **state)
{
    struct scene *scene = *state;
    scene_attach(scene, 1, "nobody", -1, NULL);
    EXPECT_SAID(scene, "attached @1 snapshot seq=0 head=0 no-epoch {\"status\":null,\"job\":null,\"steps\":[]}",
                "live @1");
    assert_string_equal(buf_text(&scene->written), "");
}

static void the_first_event_of_a_room_brings_an_epoch_and_a_reset(void **state)
{
    struct scene *scene = *state;
    scene_attach(scene, 1, "room", -1, NULL);
    scene_beat(scene);
    scene_clear(scene);
    scene_publish(scene, "room", NOTE);
    EXPECT_SAID(scene, "reset head=0 {\"status\":null",
                "event {\"type\":\"note\",\"chat_id\":\"room\",\"seq\":1,\"epoch\":\"");
    EXPECT_WRITTEN(scene, "chat room created room", "event 1 note");
}

static void whoever_resumes_gets_every_later_event_once_in_order(void **state)
{
    struct scene *scene = *state;
    char epoch[EPOCH_MAX];
    chat_with_notes(scene, 5, epoch);
    scene_attach(scene, 1, "c1", 2, epoch);
    EXPECT_SAID(scene, "attached @1 resumed seq=2 head=5", "replay @1 seq=3", "replay @1 seq=4", "replay @1 seq=5",
                "live @1");
    assert_int_equal(count_said(scene, "replay"), 3);
    scene_beat(scene);
    scene_clear(scene);
    scene_publish(scene, "c1", NOTE);
    EXPECT_SAID(scene, "event {\"type\":\"note\"", "\"seq\":6");
}

static void what_memory_forgot_is_read_from_the_record(void **state)
{
    struct scene *scene = *state;
    char epoch[EPOCH_MAX];
    chat_with_notes(scene, 20, epoch); /* 8 are kept */
    scene_attach(scene, 1, "c1", 3, epoch);
    EXPECT_SAID(scene, "query 6 since=3");
    expect_not_said(scene, "attached");
    scene_publish(scene, "c1", NOTE); /* comes while the record is read */
    expect_not_said(scene, "event");
    scene_clear(scene);
    scene_answer_range(scene);
    EXPECT_SAID(scene, "attached @1 resumed seq=3 head=21", "replay @1 seq=4", "replay @1 seq=20", "replay @1 seq=21",
                "live @1");
    assert_int_equal(count_said(scene, "replay"), 18);
}

static void a_read_that_failed_is_asked_for_again(void **state)
{
    struct scene *scene = *state;
    char epoch[EPOCH_MAX];
    chat_with_notes(scene, 20, epoch);
    scene_attach(scene, 1, "c1", 3, epoch);
    struct query *query = scene->queries[0];
    struct range range = {.link = query->link, .generation = query->generation, .since = query->since, .failed = true};
    memcpy(range.chat, query->chat, sizeof range.chat);
    scene_clear(scene);
    scene_turn(scene, &(struct input){.kind = INPUT_RANGE, .of.range = &range});
    expect_not_said(scene, "query");
    scene_wait(scene, 600);
    EXPECT_SAID(scene, "query 6 since=3");
}

static void odd_resumes_get_a_snapshot_that_says_why(void **state)
{
    struct scene *scene = *state;
    char epoch[EPOCH_MAX];
    chat_with_notes(scene, 2, epoch);
    scene_attach(scene, 1, "c1", 9, epoch);                              /* more than there is */
    scene_attach(scene, 2, "c1", 1, NULL);                               /* of an unknown epoch */
    scene_attach(scene, 3, "c1", 1, "ffffffffffffffffffffffffffffffff"); /* of another one */
    EXPECT_SAID(scene, "attached @1 snapshot seq=2", "attached @2 snapshot seq=2", "attached @3 reset seq=2");
}

static void events_the_record_no_longer_has_are_a_gap(void **state)
{
    struct scene *scene = *state;
    char epoch[EPOCH_MAX];
    chat_with_notes(scene, 20, epoch);
    scene_attach(scene, 1, "c1", 3, epoch);
    while (scene->event_count > 0) /* retention was here */
        free(scene->events[--scene->event_count].body);
    scene_answer_range(scene);
    EXPECT_SAID(scene, "attached @1 gap seq=20 head=20", "live @1");
}

static void who_was_told_of_no_record_gets_all_of_it(void **state)
{
    struct scene *scene = *state;
    char epoch[EPOCH_MAX];
    chat_with_notes(scene, 20, epoch); /* 8 are kept in memory */
    scene_attach(scene, 1, "c1", 0, NULL);
    scene_answer_range(scene);
    EXPECT_SAID(scene, "attached @1 snapshot seq=0 head=20", "replay @1 seq=1", "replay @1 seq=20", "live @1");
    assert_int_equal(count_said(scene, "replay"), 20);
}

static void who_was_told_of_no_record_is_told_of_a_gap(void **state)
{
    struct scene *scene = *state;
    char epoch[EPOCH_MAX];
    chat_with_notes(scene, 20, epoch);
    scene_attach(scene, 1, "c1", 0, NULL);
    while (scene->event_count > 0) /* retention was here */
        free(scene->events[--scene->event_count].body);
    scene_answer_range(scene);
    EXPECT_SAID(scene, "attached @1 gap seq=20 head=20", "live @1");
}

static void a_first_record_behind_a_full_window_comes_from_event_1(void **state)
{
    struct scene *scene = *state;
    scene_attach(scene, 1, "c1", -1, NULL);
    scene_attach(scene, 2, "c2", -1, NULL);
    scene_beat(scene);
    for (int i = 0; i < 8; i++)
        scene_publish(scene, "c2", NOTE); /* the window is 4 batches */
    scene_clear(scene);
    for (int i = 0; i < 20; i++)
        scene_publish(scene, "c1", NOTE); /* 8 are kept in memory */
    expect_not_said(scene, "reset");
    for (int i = 0; i < 12; i++) {
        scene_beat(scene);
        if (scene->query_count > 0)
            scene_answer_range(scene);
    }
    EXPECT_SAID(scene, "reset head=20", "query 6 since=0", "\"seq\":1,", "\"seq\":20,");
    assert_int_equal(count_said(scene, "reset"), 1);
    assert_int_equal(count_said(scene, "event {"), 20 + 4);
}

/* Forgets what the record has up to that number. */
static void forget(struct scene *scene, uint64_t upto)
{
    size_t left = 0;
    for (size_t i = 0; i < scene->event_count; i++) {
        if (scene->events[i].seq <= upto)
            free(scene->events[i].body);
        else
            scene->events[left++] = scene->events[i];
    }
    scene->event_count = left;
}

static void retention_in_the_middle_of_a_replay_is_a_gap(void **state)
{
    struct scene *scene = *state;
    char epoch[EPOCH_MAX];
    chat_with_notes(scene, 300, epoch); /* one read gives 256 of them */
    scene_attach(scene, 1, "c1", 3, epoch);
    scene_answer_range(scene);
    EXPECT_SAID(scene, "attached @1 resumed seq=3", "replay @1 seq=4", "replay @1 seq=259", "query 6 since=259");
    scene_beat(scene);
    scene_clear(scene);
    forget(scene, 270);
    scene_answer_range(scene);
    EXPECT_SAID(scene, "attached @1 gap seq=300 head=300", "live @1");
    expect_not_said(scene, "replay");
}

static void retention_behind_a_full_window_is_told_as_a_reset(void **state)
{
    struct scene *scene = *state;
    scene_attach(scene, 1, "c1", -1, NULL);
    scene_beat(scene);
    for (int i = 0; i < 20; i++)
        scene_publish(scene, "c1", NOTE); /* the window is 4 batches */
    scene_beat(scene);
    scene_clear(scene);
    forget(scene, 10);
    scene_answer_range(scene);
    EXPECT_SAID(scene, "reset head=20");
    scene_beat(scene);
    scene_clear(scene);
    scene_publish(scene, "c1", NOTE);
    EXPECT_SAID(scene, "event {\"type\":\"note\"", "\"seq\":21");
}

static void a_full_window_stops_the_link_and_later_nothing_is_missing(void **state)
{
    struct scene *scene = *state;
    scene_attach(scene, 1, "c1", -1, NULL);
    scene_beat(scene);
    scene_publish(scene, "c1", NOTE);
    scene_beat(scene);
    scene_clear(scene);
    for (int i = 0; i < 20; i++)
        scene_publish(scene, "c1", NOTE); /* the window is 4 batches */
    assert_int_equal(count_said(scene, "event {"), 4);
    scene_publish(scene, "c1", "{\"type\":\"progress\",\"step_id\":\"s\",\"progress\":10}");
    scene_publish(scene, "c1", "{\"type\":\"progress\",\"step_id\":\"s\",\"progress\":20}");
    assert_int_equal(count_said(scene, "event {"), 4);
    scene_clear(scene);
    scene_beat(scene); /* the gateway has them now */
    EXPECT_SAID(scene, "query 6 since=5");
    scene_answer_range(scene);
    for (int i = 0; i < 8; i++)
        scene_beat(scene);
    EXPECT_SAID(scene, "\"seq\":6,", "\"seq\":7,", "\"seq\":20,", "\"seq\":21,", "\"progress\":20");
    assert_int_equal(count_said(scene, "event {"), 16);
    assert_int_equal(count_said(scene, "progress {"), 1); /* only the newest */
}

/* Starts again with batches of one record, of which `window` may be on their way. */
static void narrow_link(struct scene *scene, uint32_t window)
{
    core_destroy(&scene->core);
    scene->settings.link_window = window;
    scene->settings.link_batch_bytes = 1;
    scene_start_core(scene);
    scene_link(scene);
}

static void progress_of_more_steps_than_the_window_holds_gets_through(void **state)
{
    struct scene *scene = *state;
    narrow_link(scene, 1);
    scene_attach(scene, 1, "c1", -1, NULL);
    scene_beat(scene);
    scene_beat(scene);
    EXPECT_SAID(scene, "live @1");
    for (char step = 'a'; step <= 'e'; step++) {
        char progress[100];
        snprintf(progress, sizeof progress, "{\"type\":\"progress\",\"step_id\":\"%c\",\"progress\":10}", step);
        scene_publish(scene, "c1", progress);
    }
    scene_clear(scene);
    scene_attach(scene, 2, "c2", -1, NULL);
    for (int i = 0; i < 12; i++)
        scene_beat(scene);
    EXPECT_SAID(scene, "\"step_id\":\"b\"", "\"step_id\":\"c\"", "\"step_id\":\"d\"", "\"step_id\":\"e\"");
    assert_int_equal(count_said(scene, "progress {"), 4); /* the first one found room */
    EXPECT_SAID(scene, "live @2");                        /* and what else is on the link gets its turn */
    scene_clear(scene);
    scene_publish(scene, "c1", "{\"type\":\"progress\",\"step_id\":\"c\",\"progress\":20}");
    assert_int_equal(count_said(scene, "progress {"), 1);
}

static void a_result_and_its_closing_progress_get_through_a_window_of_one(void **state)
{
    struct scene *scene = *state;
    narrow_link(scene, 1);
    scene_chat_with_file(scene, "c1");
    scene_hello(scene, "w1", 1);
    scene_attach(scene, 1, "c1", -1, NULL);
    scene_beat(scene);
    scene_beat(scene);
    EXPECT_SAID(scene, "live @1");
    scene_call(scene, CALL_EXECUTE, 1, "c1", SCENE_TWO_STEPS);
    scene_beat(scene);
    scene_report(scene, WORK_STEP_STARTED, "{}", "{\"index\":0}");
    scene_clear(scene);
    scene_report(scene, WORK_STEP_DONE, "{}",
                 "{\"index\":0,\"spool\":{\"name\":\"spool\",\"key\":\"k/s1\",\"bytes\":5},\"result\":{}}");
    for (int i = 0; i < 8; i++)
        scene_beat(scene);
    EXPECT_SAID(scene, "\"progress\":100", "event {\"type\":\"step_result\"");
    assert_int_equal(count_said(scene, "\"status\":\"completed\""), 1);
}

static void progress_between_a_snapshot_and_its_going_live_is_not_missed(void **state)
{
    struct scene *scene = *state;
    narrow_link(scene, 1);
    scene_chat_with_file(scene, "c1");
    scene_hello(scene, "w1", 1);
    scene_call(scene, CALL_EXECUTE, 1, "c1", SCENE_TWO_STEPS);
    scene_report(scene, WORK_STEP_STARTED, "{}", "{\"index\":0}");
    scene_report(scene, WORK_PROGRESS, "{\"progress\":10}", "{\"index\":0}");
    scene_clear(scene);
    scene_attach(scene, 1, "c1", -1, NULL);
    EXPECT_SAID(scene, "attached @1 snapshot", "\"progress\":10");
    expect_not_said(scene, "live @1"); /* the window is full */
    scene_report(scene, WORK_PROGRESS, "{\"progress\":20}", "{\"index\":0}");
    for (int i = 0; i < 3; i++)
        scene_beat(scene);
    EXPECT_SAID(scene, "live @1", "progress {", "\"progress\":20");
}

static void progress_of_an_unfinished_step_follows_a_resume(void **state)
{
    struct scene *scene = *state;
    scene_chat_with_file(scene, "c1");
    scene_hello(scene, "w1", 1);
    scene_attach(scene, 1, "c1", -1, NULL);
    scene_call(scene, CALL_EXECUTE, 1, "c1", SCENE_TWO_STEPS);
    scene_beat(scene);
    scene_report(scene, WORK_STEP_STARTED, "{}", "{\"index\":0}");
    scene_report(scene, WORK_PROGRESS, "{\"progress\":33}", "{\"index\":0}");
    char epoch[EPOCH_MAX];
    read_epoch(scene, epoch);
    scene_beat(scene);
    scene_clear(scene);
    scene_attach(scene, 2, "c1", 0, epoch);
    EXPECT_SAID(scene, "attached @2 resumed seq=0 head=1", "replay @2 seq=1", "live @2", "\"progress\":33");
    scene_beat(scene);
    scene_clear(scene);
    scene_attach(scene, 3, "c1", -1, NULL);
    EXPECT_SAID(scene,
                "attached @3 snapshot seq=1 head=1 {\"status\":\"processing\",\"job\":{\"job_id\":\"c1_workflow_",
                "\"status\":\"running\",\"attempt\":1,\"total_steps\":2",
                "\"status\":\"running\",\"attempt\":1,\"progress\":33", "\"status\":\"pending\"", "live @3");
    expect_not_said(scene, "progress {"); /* the snapshot has said it */
}

static void a_detached_client_gets_nothing_more(void **state)
{
    struct scene *scene = *state;
    char epoch[EPOCH_MAX];
    chat_with_notes(scene, 1, epoch);
    scene_publish(scene, "c1", NOTE);
    expect_not_said(scene, "event");
}

static void subscribing_to_another_chat_replaces_the_attach(void **state)
{
    struct scene *scene = *state;
    scene_attach(scene, 1, "a", -1, NULL);
    scene_attach(scene, 1, "b", -1, NULL);
    scene_beat(scene);
    scene_clear(scene);
    scene_publish(scene, "a", NOTE);
    expect_not_said(scene, "event {");
    scene_publish(scene, "b", NOTE);
    EXPECT_SAID(scene, "event {");
}

static void links_beat_and_a_silent_one_dies(void **state)
{
    struct scene *scene = *state;
    scene_attach(scene, 1, "c1", -1, NULL);
    scene_clear(scene);
    scene_wait(scene, 2500);
    assert_int_equal(count_said(scene, "beat 1"), 2);
    scene_wait(scene, 5000); /* it never said a word */
    scene_clear(scene);
    scene_beat(scene);
    assert_string_equal(buf_text(&scene->said), "hello\n");
    scene_call(scene, CALL_CREATE_CHAT, 5, "x", "{}");
    assert_string_equal(buf_text(&scene->written), ""); /* nothing is accepted without a link */
}

static void an_unsubscription_ends_the_link(void **state)
{
    struct scene *scene = *state;
    scene_turn(scene, &(struct input){.kind = INPUT_LINK_CLOSED, .of.link = SCENE_LINK});
    scene_clear(scene);
    scene_attach(scene, 1, "c1", -1, NULL);
    assert_string_equal(buf_text(&scene->said), "hello\n");
}

static void a_large_backlog_comes_in_bounded_batches(void **state)
{
    struct scene *scene = *state;
    scene->settings.chat_events_kept = 256;
    core_destroy(&scene->core);
    scene_start_core(scene);
    scene_link(scene);
    char note[3100], epoch[EPOCH_MAX];
    snprintf(note, sizeof note, "{\"type\":\"note\",\"text\":\"%03000d\"}", 0);
    scene_attach(scene, 9, "c1", -1, NULL);
    for (int i = 0; i < 60; i++) {
        scene_publish(scene, "c1", note);
        scene_beat(scene);
    }
    read_epoch(scene, epoch);
    uint64_t before = scene->batch;
    scene_attach(scene, 1, "c1", 0, epoch);
    assert_int_equal(scene->batch, before + 4); /* 180 KB in batches of 60 KB */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(connecting_writes_nothing),
        SCENARIO(the_first_event_of_a_room_brings_an_epoch_and_a_reset),
        SCENARIO(whoever_resumes_gets_every_later_event_once_in_order),
        SCENARIO(what_memory_forgot_is_read_from_the_record),
        SCENARIO(a_read_that_failed_is_asked_for_again),
        SCENARIO(odd_resumes_get_a_snapshot_that_says_why),
        SCENARIO(events_the_record_no_longer_has_are_a_gap),
        SCENARIO(who_was_told_of_no_record_gets_all_of_it),
        SCENARIO(who_was_told_of_no_record_is_told_of_a_gap),
        SCENARIO(a_first_record_behind_a_full_window_comes_from_event_1),
        SCENARIO(retention_in_the_middle_of_a_replay_is_a_gap),
        SCENARIO(retention_behind_a_full_window_is_told_as_a_reset),
        SCENARIO(a_full_window_stops_the_link_and_later_nothing_is_missing),
        SCENARIO(progress_of_more_steps_than_the_window_holds_gets_through),
        SCENARIO(a_result_and_its_closing_progress_get_through_a_window_of_one),
        SCENARIO(progress_between_a_snapshot_and_its_going_live_is_not_missed),
        SCENARIO(progress_of_an_unfinished_step_follows_a_resume),
        SCENARIO(a_detached_client_gets_nothing_more),
        SCENARIO(subscribing_to_another_chat_replaces_the_attach),
        SCENARIO(links_beat_and_a_silent_one_dies),
        SCENARIO(an_unsubscription_ends_the_link),
        SCENARIO(a_large_backlog_comes_in_bounded_batches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
