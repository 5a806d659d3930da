#include "scene.h"

static void a_conversation_is_created_with_name_and_epoch(void **state)
{
    struct scene *scene = *state;
    scene_call(scene, CALL_CREATE_CHAT, 1, "", "{}");
    EXPECT_SAID(scene, "answer #1 201 Conversation created successfully {\"chat_id\":\"", "\"participant_name\":\"",
                "\"status\":\"created\",\"messages\":[],\"workflow_steps\":[]",
                "\"created_at\":\"2025-11-22T08:26:40.000000\"", "\"partition_key\":\"2025/11\"}");
    EXPECT_WRITTEN(scene, "chat ", " created", "answer 201");
    scene_clear(scene);
    scene_call(scene, CALL_CREATE_CHAT, 2, "", "{\"chat_id\":\"mine\"}");
    EXPECT_SAID(scene, "201", "\"chat_id\":\"mine\"");
    scene_call(scene, CALL_CREATE_CHAT, 3, "", "{\"chat_id\":\"mine\"}");
    EXPECT_SAID(scene, "answer #3 409");
    scene_call(scene, CALL_CREATE_CHAT, 4, "", "{\"chat_id\":\"not/mine\"}");
    EXPECT_SAID(scene, "answer #4 422 Invalid chat id");
}

static void a_request_sent_again_gets_its_answer_and_changes_nothing(void **state)
{
    struct scene *scene = *state;
    scene_call(scene, CALL_CREATE_CHAT, 1, "", "{}");
    char first[2048];
    snprintf(first, sizeof first, "%s", buf_text(&scene->said));
    scene_clear(scene);
    scene_call(scene, CALL_CREATE_CHAT, 1, "", "{}");
    assert_string_equal(buf_text(&scene->said), first);
    assert_string_equal(buf_text(&scene->written), "");
}

static void an_answer_on_record_is_given_again(void **state)
{
    struct scene *scene = *state;
    struct request_frame frame = scene_call_frame(CALL_CREATE_CHAT, 9, "", "{}");
    struct answer_row prior = {.status = 201, .message = "kept", .body = "{\"a\":1}", .job_id = ""};
    struct input input = {
        .kind = INPUT_REQUEST, .peer = scene_peer("gw"), .of.request = {.frame = &frame, .prior = &prior}};
    scene_turn(scene, &input);
    assert_string_equal(buf_text(&scene->said), "answer #9 201 kept {\"a\":1}\n");
    assert_string_equal(buf_text(&scene->written), "");
}

static void an_execute_sent_again_waits_for_the_same_run(void **state)
{
    struct scene *scene = *state;
    scene_chat_with_file(scene, "c1");
    scene_hello(scene, "w1", 1);
    scene_call(scene, CALL_EXECUTE, 1, "c1", SCENE_TWO_STEPS);
    scene_clear(scene);
    scene_call(scene, CALL_EXECUTE, 1, "c1", SCENE_TWO_STEPS);
    assert_string_equal(buf_text(&scene->said), "accepted #1\n");
    assert_string_equal(buf_text(&scene->written), "");
    scene_clear(scene);
    scene_report(scene, WORK_STEP_FAILED, "{}", "{\"index\":0,\"message\":\"x\",\"kind\":\"user\"}");
    assert_int_equal(count_said(scene, "answer #1 422"), 1); /* one caller, one answer */
    scene_clear(scene);
    scene_call(scene, CALL_EXECUTE, 1, "c1", SCENE_TWO_STEPS);
    EXPECT_SAID(scene, "answer #1 422 Workflow execution failed");
    struct request_frame frame = scene_call_frame(CALL_EXECUTE, 77, "c1", SCENE_TWO_STEPS);
    struct answer_row prior = {.status = 202, .message = "", .body = "", .job_id = "c1_workflow_1_old"};
    struct input input = {
        .kind = INPUT_REQUEST, .peer = scene_peer("gw"), .of.request = {.frame = &frame, .prior = &prior}};
    scene_clear(scene);
    scene_turn(scene, &input);
    EXPECT_SAID(scene, "query 4"); /* of a run memory has forgotten */
}

static void execute_says_what_is_wrong_in_the_contracts_order(void **state)
{
    struct scene *scene = *state;
    scene_call(scene, CALL_EXECUTE, 1, "c1", "{}");
    EXPECT_SAID(scene, "answer #1 404 Conversation not found null");
    scene_call(scene, CALL_CREATE_CHAT, 2, "c1", "{}");
    const char *const wrong[][2] = {
        {"{}", "422 No steps provided"},
        {"{\"steps\":null}", "422 No steps provided"},
        {"{\"steps\":{}}", "422 No steps provided"},
        {"not json", "422 No steps provided"},
        {"{\"steps\":[{\"operation\":\"a\"}]}]", "422 No steps provided"},
        {"{\"steps\":[],\"steps\":1}", "422 No steps provided"},
        {"{\"steps\":[1]}", "422 Step 1 must be an object"},
        {"{\"steps\":[{\"operation\":\"a\"},{\"arguments\":{}}]}", "422 Step 2: 'operation' must be a text"},
        {"{\"steps\":[{\"operation\":\"\"}]}", "422 Step 1: 'operation' must be a text"},
        {"{\"steps\":[{\"operation\":\"a\",\"oper\\u0061tion\":1}]}", "422 Step 1: 'operation' must be a text"},
        {"{\"steps\":[{\"operation\":\"a\",\"arguments\":[]}]}", "422 Step 1: 'arguments' must be an object"},
        {"{\"steps\":[{},{},{},{},{},{}]}",
         "422 Too many steps: 6, at most 5 are allowed (chat_workflows.execution.max_steps)"},
        {"{\"steps\":[{\"operation\":\"a\"}]}", "422 No uploaded file found for processing"},
        {"{\"steps\":[]}", "422 No uploaded file found for processing"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        scene_clear(scene);
        scene_call(scene, CALL_EXECUTE, 3, "c1", wrong[i][0]);
        EXPECT_SAID(scene, wrong[i][1]);
        assert_string_equal(buf_text(&scene->written), "");
    }
}

/* Neither a worker nor a dump would take it. */
static void an_operation_that_is_too_long_is_refused_in_words(void **state)
{
    struct scene *scene = *state;
    char body[300];
    scene_chat_with_file(scene, "c1");
    for (int len = 200; len <= 201; len++) {
        scene_clear(scene);
        snprintf(body, sizeof body, "{\"steps\":[{\"operation\":\"%0*d\"}]}", len, 0);
        scene_call(scene, CALL_EXECUTE, (unsigned char)(len - 199), "c1", body);
        EXPECT_SAID(scene, len == 200 ? "accepted" : "422 Step 1: 'operation' has 201 bytes, at most 200 are allowed");
    }
}

/* A character that an escape stands for is one of the name's own. */
static void the_length_of_an_operation_is_that_of_what_its_escapes_stand_for(void **state)
{
    struct scene *scene = *state;
    struct buf body = BUF_INIT(4000);
    scene_chat_with_file(scene, "c1");
    scene_clear(scene);
    assert_int_equal(buf_add_text(&body, "{\"steps\":[{\"operation\":\""), ERR_OK);
    for (int i = 0; i < 200; i++)
        assert_int_equal(buf_add_text(&body, "\\u0061"), ERR_OK);
    assert_int_equal(buf_add_text(&body, "\"}]}"), ERR_OK);
    scene_call(scene, CALL_EXECUTE, 1, "c1", buf_text(&body));
    EXPECT_SAID(scene, "accepted");
    buf_fini(&body);
}

static void arguments_are_kept_as_they_came_without_their_blanks(void **state)
{
    struct scene *scene = *state;
    scene_chat_with_file(scene, "c1");
    scene_hello(scene, "w1", 1);
    scene_call(scene, CALL_EXECUTE, 1, "c1",
               " { \"steps\" : [ { \"arguments\" : { \"a b\" : [ 1.50 , -0, 1E3 ] ,\n\"\\u00e4\":\" x \\\" \"} ,"
               "\"operation\":\"o\"},{\"operation\":\"p\"},{\"operation\":\"q\",\"arguments\":null} ] } ");
    EXPECT_SAID(scene, "\"operation\":\"o\",\"arguments\":{\"a b\":[1.50,-0,1E3],\"\\u00e4\":\" x \\\" \"}}",
                "\"operation\":\"p\",\"arguments\":{}}", "\"operation\":\"q\",\"arguments\":{}}");
}

static void the_last_of_members_with_one_name_counts_however_it_is_written(void **state)
{
    struct scene *scene = *state;
    scene_chat_with_file(scene, "c1");
    scene_hello(scene, "w1", 1);
    scene_clear(scene);
    scene_call(scene, CALL_EXECUTE, 1, "c1",
               "{\"wait\":true,\"steps\":1,\"st\\u0065ps\":[{\"operation\":1,\"arguments\":2,\"arg\\u0075ments\":{},"
               "\"oper\\u0061tion\":\"csv\\/se\\u0061rch\"}],\"w\\u0061it\":false}");
    EXPECT_SAID(scene, "answer #1 202", "\"operation\":\"csv/search\",\"arguments\":{}");
    expect_not_said(scene, "accepted");
}

static void add_members(struct buf *to, int count)
{
    for (int i = 0; i < count; i++)
        assert_int_equal(buf_printf(to, ",\"m%d\":%d", i, i), ERR_OK);
}

static void a_step_and_its_arguments_may_have_many_members(void **state)
{
    struct scene *scene = *state;
    struct buf body = BUF_INIT(20000);
    scene_chat_with_file(scene, "c1");
    assert_int_equal(buf_add_text(&body, "{\"steps\":[{\"arguments\":{\"first\":0"), ERR_OK);
    add_members(&body, 100);
    assert_int_equal(buf_add_text(&body, "}"), ERR_OK);
    add_members(&body, 100);
    assert_int_equal(buf_add_text(&body, ",\"operation\":\"o\"}]"), ERR_OK);
    add_members(&body, 100);
    assert_int_equal(buf_add_text(&body, ",\"wait\":false}"), ERR_OK);
    scene_call(scene, CALL_EXECUTE, 1, "c1", buf_text(&body));
    EXPECT_SAID(scene, "answer #1 202");
    scene_hello(scene, "w1", 1);
    EXPECT_SAID(scene, "\"arguments\":{\"first\":0,", "\"m99\":99}}]");
    buf_fini(&body);
}

static void nested_steps(struct buf *out, int levels)
{
    buf_clear(out);
    assert_int_equal(buf_add_text(out, "{\"steps\":[{\"operation\":\"o\",\"arguments\":{\"a\":"), ERR_OK);
    for (int i = 0; i < levels - 4; i++)
        assert_int_equal(buf_add_byte(out, '['), ERR_OK);
    for (int i = 0; i < levels - 4; i++)
        assert_int_equal(buf_add_byte(out, ']'), ERR_OK);
    assert_int_equal(buf_add_text(out, "}}]}"), ERR_OK);
}

static void steps_that_are_nested_too_deep_are_refused_in_words(void **state)
{
    struct scene *scene = *state;
    struct buf body = BUF_INIT(1000);
    scene_chat_with_file(scene, "c1");
    scene_clear(scene);
    nested_steps(&body, 65);
    scene_call(scene, CALL_EXECUTE, 1, "c1", buf_text(&body));
    EXPECT_SAID(scene, "422 The steps are nested too deep: at most 64 levels are allowed");
    assert_string_equal(buf_text(&scene->written), "");
    nested_steps(&body, 64);
    scene_call(scene, CALL_EXECUTE, 2, "c1", buf_text(&body));
    EXPECT_SAID(scene, "accepted #2");
    buf_fini(&body);
}

static void the_last_uploaded_file_is_the_input(void **state)
{
    struct scene *scene = *state;
    scene_chat_with_file(scene, "c1");
    scene_call(scene, CALL_ADD_UPLOAD, 3, "c1", "{\"name\":\"second.csv\",\"key\":\"k/2\",\"bytes\":1}");
    scene_call(scene, CALL_EXECUTE, 1, "c1", SCENE_TWO_STEPS);
    scene_call(scene, CALL_ADD_UPLOAD, 4, "c1", "{\"name\":\"third.csv\",\"key\":\"k/3\",\"bytes\":1}");
    scene_hello(scene, "w1", 1);
    EXPECT_SAID(scene, "\"input\":{\"name\":\"second.csv\",\"key\":\"k/2\"}"); /* fixed when it was accepted */
}

static void whoever_does_not_wait_gets_202(void **state)
{
    struct scene *scene = *state;
    scene_chat_with_file(scene, "c1");
    scene_clear(scene);
    scene_call(scene, CALL_EXECUTE, 1, "c1", "{\"wait\":false,\"steps\":[{\"operation\":\"a\"}]}");
    EXPECT_SAID(scene, "answer #1 202", "{\"job_id\":\"c1_workflow_1763800000000_", "\"status\":\"submitted\"}");
    expect_not_said(scene, "accepted");
}

static void a_caller_who_left_cancels_nothing(void **state)
{
    struct scene *scene = *state;
    scene_chat_with_file(scene, "c1");
    scene_hello(scene, "w1", 1);
    scene_call(scene, CALL_EXECUTE, 1, "c1", SCENE_TWO_STEPS);
    scene_request(scene, &(struct request_frame){.kind = REQUEST_FORGET, .id = {1}});
    scene_clear(scene);
    scene_report(scene, WORK_STEP_FAILED, "{}", "{\"index\":0,\"message\":\"x\",\"kind\":\"user\"}");
    expect_not_said(scene, "answer");
    EXPECT_WRITTEN(scene, "job failed");
}

static void deleting_cancels_first_and_leaves_nothing(void **state)
{
    struct scene *scene = *state;
    scene_chat_with_file(scene, "c1");
    scene_attach(scene, 1, "c1", -1, NULL);
    scene_hello(scene, "w1", 1);
    scene_call(scene, CALL_EXECUTE, 1, "c1", SCENE_TWO_STEPS);
    scene_call(scene, CALL_EXECUTE, 2, "c1", SCENE_TWO_STEPS);
    scene_beat(scene);
    scene_clear(scene);
    scene_call(scene, CALL_DELETE_CHAT, 3, "c1", "{}");
    EXPECT_SAID(scene, "event terminal {\"type\":\"workflow_cancelled\"",
                "event terminal {\"type\":\"workflow_cancelled\"", "reset head=0 no-epoch {\"status\":null",
                "w1< revoke 1", "answer #1 409", "answer #2 409", "sweep",
                "answer #3 200 Conversation deleted successfully {\"chat_id\":\"c1\"}");
    EXPECT_WRITTEN(scene, "job cancelled", "job cancelled", "delete c1", "answer 200");
    scene_clear(scene);
    scene_event(scene, "w1", scene->token, 1, WORK_STEP_STARTED, "{}", "{\"index\":0}");
    assert_string_equal(buf_text(&scene->said), "w1< revoke 1\n");
    scene_call(scene, CALL_GET_CHAT, 4, "c1", "{}");
    EXPECT_SAID(scene, "answer #4 404 Conversation not found");
    scene_call(scene, CALL_DELETE_CHAT, 5, "c1", "{}");
    EXPECT_SAID(scene, "answer #5 404 Conversation not found");
    scene_call(scene, CALL_CREATE_CHAT, 6, "c1", "{}"); /* the name is free again */
    EXPECT_SAID(scene, "answer #6 201");
}

static void reads_go_to_the_reader(void **state)
{
    struct scene *scene = *state;
    scene_chat_with_file(scene, "c1");
    scene_clear(scene);
    scene_call(scene, CALL_LIST_CHATS, 1, "", "{\"limit\":5,\"offset\":2,\"status\":\"failed\"}");
    assert_int_equal(scene->queries[0]->limit, 5);
    assert_int_equal(scene->queries[0]->offset, 2);
    assert_string_equal(scene->queries[0]->text, "failed");
    scene_call(scene, CALL_GET_CHAT, 2, "c1", "{}");
    scene_call(scene, CALL_FIND_FILE, 3, "c1", "{\"name\":\"orders.csv\"}");
    scene_call(scene, CALL_GET_JOB, 4, "c1", "{\"job_id\":\"j\"}");
    scene_call(scene, CALL_GET_EVENTS, 5, "c1", "{\"since\":3}");
    assert_int_equal(scene->query_count, 5);
    expect_not_said(scene, "answer");
    scene_call(scene, CALL_FIND_FILE, 6, "c1", "{}");
    EXPECT_SAID(scene, "answer #6 404 File not found");
    scene_call(scene, CALL_GET_EVENTS, 7, "nobody", "{}");
    EXPECT_SAID(scene, "answer #7 404");
}

static void readiness_counts_workers(void **state)
{
    struct scene *scene = *state;
    scene_call(scene, CALL_READY, 1, "", "{}");
    EXPECT_SAID(scene, "{\"ready\":false,\"workers\":0,\"free_slots\":0,\"publish_lost\":0}");
    scene_hello(scene, "w1", 3);
    scene_call(scene, CALL_READY, 2, "", "{}");
    EXPECT_SAID(scene, "{\"ready\":true,\"workers\":1,\"free_slots\":3,\"publish_lost\":0}");
}

static void the_queue_is_bounded(void **state)
{
    struct scene *scene = *state;
    scene->settings.queue_jobs_max = 1;
    core_destroy(&scene->core);
    scene_start_core(scene);
    scene_link(scene);
    scene_chat_with_file(scene, "c1");
    scene_call(scene, CALL_EXECUTE, 1, "c1", SCENE_TWO_STEPS);
    scene_call(scene, CALL_EXECUTE, 2, "c1", SCENE_TWO_STEPS);
    EXPECT_SAID(scene, "accepted #1", "answer #2 503 Too many jobs are waiting: at most 1 (broker.queue_jobs_max)");
}

static void chats_nobody_needs_leave_memory(void **state)
{
    struct scene *scene = *state;
    scene_chat_with_file(scene, "c1");
    assert_int_equal(core_count(scene->core).chats, 1);
    scene_wait(scene, 70000);
    assert_int_equal(core_count(scene->core).chats, 0);
}

static void odd_uploads_are_refused(void **state)
{
    struct scene *scene = *state;
    scene_call(scene, CALL_CREATE_CHAT, 1, "c1", "{}");
    const char *const odd[] = {"", "{}", "{\"name\":\"a\"}", "{\"name\":\"a\",\"key\":\"k\",\"bytes\":-1}",
                               "{\"name\":\"\",\"key\":\"k\",\"bytes\":1}"};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        scene_clear(scene);
        scene_call(scene, CALL_ADD_UPLOAD, 2, "c1", odd[i]);
        EXPECT_SAID(scene, "answer #2 422 No file provided");
        assert_string_equal(buf_text(&scene->written), "");
    }
    scene_call(scene, CALL_ADD_UPLOAD, 3, "nobody", "{\"name\":\"a\",\"key\":\"k\",\"bytes\":1}");
    EXPECT_SAID(scene, "answer #3 404");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(a_conversation_is_created_with_name_and_epoch),
        SCENARIO(a_request_sent_again_gets_its_answer_and_changes_nothing),
        SCENARIO(an_answer_on_record_is_given_again),
        SCENARIO(an_execute_sent_again_waits_for_the_same_run),
        SCENARIO(execute_says_what_is_wrong_in_the_contracts_order),
        SCENARIO(an_operation_that_is_too_long_is_refused_in_words),
        SCENARIO(the_length_of_an_operation_is_that_of_what_its_escapes_stand_for),
        SCENARIO(arguments_are_kept_as_they_came_without_their_blanks),
        SCENARIO(the_last_of_members_with_one_name_counts_however_it_is_written),
        SCENARIO(a_step_and_its_arguments_may_have_many_members),
        SCENARIO(steps_that_are_nested_too_deep_are_refused_in_words),
        SCENARIO(the_last_uploaded_file_is_the_input),
        SCENARIO(whoever_does_not_wait_gets_202),
        SCENARIO(a_caller_who_left_cancels_nothing),
        SCENARIO(deleting_cancels_first_and_leaves_nothing),
        SCENARIO(reads_go_to_the_reader),
        SCENARIO(readiness_counts_workers),
        SCENARIO(the_queue_is_bounded),
        SCENARIO(chats_nobody_needs_leave_memory),
        SCENARIO(odd_uploads_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
