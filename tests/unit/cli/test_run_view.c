#include "run_view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct run_view view;

static json_t *parsed(const char *text)
{
    json_error_t error;
    json_t *value = json_loads(text, 0, &error);
    if (!value)
        fail_msg("%s: %s", text, error.text);
    return value;
}

static bool event(const char *text)
{
    json_t *value = parsed(text);
    bool changed = run_view_event(&view, value);
    json_decref(value);
    return changed;
}

static void job(const char *text)
{
    json_t *value = parsed(text);
    run_view_job(&view, value);
    json_decref(value);
}

static int fresh(void **state)
{
    (void)state;
    json_t *steps = parsed("[{\"operation\":\"csv/search\"},{\"operation\":\"json/generate\"}]");
    enum err err = run_view_init(&view, steps);
    json_decref(steps);
    strcpy(view.job, "j1");
    return err == ERR_OK ? 0 : -1;
}

static int finish(void **state)
{
    (void)state;
    run_view_fini(&view);
    return 0;
}

#define PROGRESS(step, attempt, percent, status)                                                                       \
    "{\"type\":\"progress\",\"job_id\":\"j1\",\"step_id\":\"" step "\",\"attempt\":" #attempt                          \
    ",\"progress\":" #percent ",\"status\":\"" status "\",\"message\":\"m\"}"

static void a_run_goes_from_pending_to_completed(void **state)
{
    (void)state;
    assert_true(event(PROGRESS("a", 1, 0, "running")));
    assert_true(event(PROGRESS("a", 1, 50, "running")));
    assert_int_equal(view.steps[0].progress, 50);
    assert_true(event(PROGRESS("a", 1, 100, "completed")));
    assert_false(event("{\"type\":\"step_result\",\"job_id\":\"j1\",\"step_id\":\"a\",\"result\":{}}"));
    assert_true(event(PROGRESS("b", 1, 10, "running")));
    assert_int_equal(view.steps[0].state, STEP_COMPLETED);
    assert_int_equal(view.state, RUN_GOING);
    assert_false(event("{\"type\":\"workflow_completed\",\"job_id\":\"j1\"}"));
    assert_int_equal(view.state, RUN_COMPLETED);
    assert_int_equal(view.steps[1].progress, 100);
}

static void progress_never_goes_back_within_an_attempt(void **state)
{
    (void)state;
    event(PROGRESS("a", 1, 50, "running"));
    event(PROGRESS("a", 1, 20, "running"));
    assert_int_equal(view.steps[0].progress, 50);
    event(PROGRESS("a", 2, 10, "running"));
    assert_int_equal(view.steps[0].progress, 10);
    assert_false(event(PROGRESS("a", 1, 90, "running")));
    assert_int_equal(view.steps[0].progress, 10);
}

static void progress_after_the_end_of_a_step_says_nothing(void **state)
{
    (void)state;
    event(PROGRESS("a", 1, 100, "completed"));
    assert_false(event(PROGRESS("a", 1, 70, "running")));
    assert_int_equal(view.steps[0].progress, 100);
    assert_int_equal(view.steps[0].state, STEP_COMPLETED);
}

static void other_runs_and_outside_events_are_not_shown(void **state)
{
    (void)state;
    assert_false(event("{\"type\":\"progress\",\"job_id\":\"j2\",\"step_id\":\"x\",\"progress\":9}"));
    assert_false(event("{\"type\":\"progress\",\"step_id\":\"x\",\"progress\":9}"));
    assert_false(event("{\"type\":\"workflow_failed\",\"job_id\":\"j2\",\"error\":\"e\"}"));
    assert_int_equal(view.state, RUN_GOING);
    assert_string_equal(view.steps[0].id, "");
}

static void a_failed_run_keeps_its_reason(void **state)
{
    (void)state;
    assert_true(event("{\"type\":\"error\",\"job_id\":\"j1\",\"step_id\":\"a\",\"message\":\"Column 'x' not found\"}"));
    event("{\"type\":\"workflow_failed\",\"job_id\":\"j1\",\"error\":\"Workflow failed at step 1/2: no\"}");
    assert_int_equal(view.steps[0].state, STEP_FAILED);
    assert_int_equal(view.state, RUN_FAILED);
    assert_string_equal(view.error, "Workflow failed at step 1/2: no");
}

static void rest_tells_the_same_without_events(void **state)
{
    (void)state;
    job("{\"job_id\":\"j1\",\"status\":\"running\",\"steps\":[{\"step_id\":\"a\",\"status\":\"completed\",\"progress\":"
        "100},"
        "{\"step_id\":\"b\",\"status\":\"running\",\"progress\":30}]}");
    assert_int_equal(view.steps[0].state, STEP_COMPLETED);
    assert_int_equal(view.steps[1].progress, 30);
    assert_true(event(PROGRESS("b", 0, 40, "running")));
    job("{\"job_id\":\"j2\",\"status\":\"failed\"}");
    assert_int_equal(view.state, RUN_GOING);
    job("{\"job_id\":\"j1\",\"status\":\"failed\",\"error\":\"e\"}");
    assert_int_equal(view.state, RUN_FAILED);
}

static void hostile_texts_cannot_steer_the_terminal(void **state)
{
    (void)state;
    event("{\"type\":\"progress\",\"job_id\":\"j1\",\"step_id\":\"a\",\"progress\":1e300,"
          "\"message\":\"\\u001b[2Jx\\r\\n\\u009by\\u00e9\"}");
    assert_string_equal(view.steps[0].message, " [2Jx  ??y\xc3\xa9");
    assert_in_range(view.steps[0].progress, 0, 100);
    event("{\"type\":5,\"job_id\":\"j1\",\"step_id\":[]}");
    event("[]");
    event("{\"type\":\"progress\",\"job_id\":\"j1\",\"step_id\":\"zzz\"}");
    event("{\"type\":\"progress\",\"job_id\":\"j1\",\"step_id\":\"more-than-there-are\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_run_goes_from_pending_to_completed, fresh, finish),
        cmocka_unit_test_setup_teardown(progress_never_goes_back_within_an_attempt, fresh, finish),
        cmocka_unit_test_setup_teardown(progress_after_the_end_of_a_step_says_nothing, fresh, finish),
        cmocka_unit_test_setup_teardown(other_runs_and_outside_events_are_not_shown, fresh, finish),
        cmocka_unit_test_setup_teardown(a_failed_run_keeps_its_reason, fresh, finish),
        cmocka_unit_test_setup_teardown(rest_tells_the_same_without_events, fresh, finish),
        cmocka_unit_test_setup_teardown(hostile_texts_cannot_steer_the_terminal, fresh, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
