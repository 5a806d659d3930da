/* What readers of the record are given: the list of a chat's runs, a chat's whole record, and answers kept under keys.
 */
#include "record_on_disk.h"

#include <jansson.h>
#include <time.h>

static void put_job(struct record *self, const char *chat, const char *id, enum job_status status, int64_t submitted_us,
                    uint32_t steps)
{
    record_add(self, &(struct change){.kind = CHANGE_JOB_PUT,
                                      .of.job = {.job_id = id,
                                                 .chat_id = chat,
                                                 .status = status,
                                                 .attempts = 2,
                                                 .input_name = "in.csv",
                                                 .input_key = "k",
                                                 .trace = "",
                                                 .error = status == JOB_FAILED ? "broken" : "",
                                                 .retry_of = status == JOB_PENDING ? "j1" : "",
                                                 .total_steps = steps,
                                                 .submitted_us = submitted_us,
                                                 .started_us = status == JOB_PENDING ? 0 : submitted_us + SECOND}});
}

static void put_step(struct record *self, const char *chat, const char *job, uint32_t index, enum step_status status)
{
    record_add(self, &(struct change){.kind = CHANGE_STEP_PUT,
                                      .of.step = {.step_id = "s",
                                                  .chat_id = chat,
                                                  .job_id = job,
                                                  .index = index,
                                                  .operation = "csv/search",
                                                  .arguments = "{}",
                                                  .input_file = "",
                                                  .output_file = "",
                                                  .spool_key = "",
                                                  .result = "",
                                                  .status = status,
                                                  .progress = 40,
                                                  .error_message = ""}});
}

static json_t *read_jobs(struct record *self, const char *chat, int64_t limit, int64_t offset)
{
    struct buf json = BUF_INIT(1 << 20);
    if (store_read_jobs(self->reader, chat, limit, offset, &json, &self->why) != ERR_OK)
        fail_msg("%s", self->why.text);
    json_t *tree = json_loadb(json.data, json.len, 0, NULL);
    buf_fini(&json);
    assert_non_null(tree);
    json_t *jobs = json_object_get(tree, "jobs");
    assert_int_equal(json_integer_value(json_object_get(tree, "count")), json_array_size(jobs));
    json_incref(jobs);
    json_decref(tree);
    return jobs;
}

static const char *text(const json_t *jobs, size_t i, const char *name)
{
    const char *value = json_string_value(json_object_get(json_array_get(jobs, i), name));
    return value ? value : "null";
}

static int64_t number(const json_t *jobs, size_t i, const char *name)
{
    const json_t *value = json_object_get(json_array_get(jobs, i), name);
    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

/* Four runs of one chat, and one of another. */
static void add_runs(struct record *self)
{
    record_add_chat(self, "c", false, T0);
    record_add_chat(self, "other", false, T0);
    put_job(self, "c", "j1", JOB_FAILED, T0, 3);
    put_step(self, "c", "j1", 0, STEP_COMPLETED);
    put_step(self, "c", "j1", 1, STEP_FAILED);
    put_step(self, "c", "j1", 2, STEP_PENDING);
    put_job(self, "c", "j0", JOB_COMPLETED, T0 + 1, 1);
    put_step(self, "c", "j0", 0, STEP_COMPLETED);
    put_job(self, "c", "j3", JOB_RUNNING, T0 + 2, 2);
    put_step(self, "c", "j3", 0, STEP_COMPLETED);
    put_step(self, "c", "j3", 1, STEP_RUNNING);
    put_job(self, "c", "j2", JOB_PENDING, T0 + 3, 2);
    put_job(self, "other", "j9", JOB_COMPLETED, T0 + 9, 1);
    record_commit(self);
}

static void runs_are_listed_newest_first_with_how_far_they_came(void **state)
{
    static const struct {
        const char *id, *status, *error, *retry_of;
        int64_t progress, steps;
    } wanted[] = {
        {"j2", "pending", "null", "j1", 0, 2},
        {"j3", "running", "null", "null", 50, 2},
        {"j0", "completed", "null", "null", 100, 1},
        {"j1", "failed", "broken", "null", 33, 3},
    };
    struct record *self = *state;
    add_runs(self);
    json_t *jobs = read_jobs(self, "c", 10, 0);
    assert_int_equal(json_array_size(jobs), 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(text(jobs, i, "job_id"), wanted[i].id);
        assert_string_equal(text(jobs, i, "status"), wanted[i].status);
        assert_string_equal(text(jobs, i, "error"), wanted[i].error);
        assert_string_equal(text(jobs, i, "retry_of"), wanted[i].retry_of);
        assert_int_equal(number(jobs, i, "progress"), wanted[i].progress);
        assert_int_equal(number(jobs, i, "total_steps"), wanted[i].steps);
        assert_int_equal(number(jobs, i, "attempts"), 2);
        assert_null(json_object_get(json_array_get(jobs, i), "steps"));
    }
    assert_string_equal(text(jobs, 3, "submitted_at"), "2023-11-14T22:13:20.000000");
    assert_string_equal(text(jobs, 3, "started_at"), "2023-11-14T22:13:21.000000");
    assert_string_equal(text(jobs, 0, "started_at"), "null");
    json_decref(jobs);
}

static void a_list_of_runs_comes_in_pages(void **state)
{
    struct record *self = *state;
    add_runs(self);
    json_t *jobs = read_jobs(self, "c", 2, 1);
    assert_int_equal(json_array_size(jobs), 2);
    assert_string_equal(text(jobs, 0, "job_id"), "j3");
    assert_string_equal(text(jobs, 1, "job_id"), "j0");
    json_decref(jobs);
    jobs = read_jobs(self, "c", 10, 4);
    assert_int_equal(json_array_size(jobs), 0);
    json_decref(jobs);
    jobs = read_jobs(self, "nobody", 10, 0);
    assert_int_equal(json_array_size(jobs), 0);
    json_decref(jobs);
}

static void a_list_that_is_too_large_is_an_error_and_the_next_is_read(void **state)
{
    struct record *self = *state;
    struct buf small = BUF_INIT(64);
    add_runs(self);
    assert_int_not_equal(store_read_jobs(self->reader, "c", 10, 0, &small, &self->why), ERR_OK);
    buf_fini(&small);
    json_t *jobs = read_jobs(self, "other", 10, 0);
    assert_string_equal(text(jobs, 0, "job_id"), "j9");
    json_decref(jobs);
}

/* ---- a chat's whole record ---- */

static json_t *read_export_jobs(struct record *self, const char *chat)
{
    struct store_paths paths = {.workflows_path = "/w"};
    struct buf json = BUF_INIT(64 << 20);
    if (store_read_export(self->reader, chat, &paths, &json, &self->why) != ERR_OK)
        fail_msg("%s", self->why.text);
    json_t *tree = json_loadb(json.data, json.len, 0, NULL);
    buf_fini(&json);
    json_t *jobs = json_incref(json_object_get(json_object_get(tree, "record"), "jobs"));
    json_decref(tree);
    assert_non_null(jobs);
    return jobs;
}

static void a_run_names_the_place_of_its_input_among_the_files(void **state)
{
    struct record *self = *state;
    record_add_chat(self, "c", false, T0);
    record_add_chat(self, "other", false, T0);
    record_add_file(self, "other", "in.csv", "k/none");
    record_add_file(self, "c", "in.csv", "k/first");
    record_add_file(self, "c", "in.csv", "k/second");
    record_put_job(self, "c", "j1", JOB_COMPLETED, "k/second");
    record_put_job(self, "c", "j2", JOB_FAILED, "k/first");
    record_put_job(self, "c", "j3", JOB_FAILED, "k/none");
    record_put_spool(self, "c", "j2", "");
    record_commit(self);
    json_t *jobs = read_export_jobs(self, "c");
    assert_int_equal(json_array_size(jobs), 3);
    assert_int_equal(number(jobs, 0, "input"), 1);
    assert_int_equal(number(jobs, 1, "input"), 0);
    assert_true(json_is_null(json_object_get(json_array_get(jobs, 2), "input")));
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(text(jobs, i, "input_name"), "in.csv");
        assert_null(json_object_get(json_array_get(jobs, i), "input_key"));
        assert_int_equal(json_array_size(json_object_get(json_array_get(jobs, i), "steps")), i == 1);
    }
    json_decref(jobs);
}

/* The reader answers everybody: a chat with many runs and many files must not hold it for long. */
static void many_runs_of_many_files_are_read_in_one_pass(void **state)
{
    enum { MANY = 3000, SECONDS_MAX = 5 };
    struct record *self = *state;
    char key[32];
    record_add_chat(self, "c", false, T0);
    for (int i = 0; i < MANY; i++) {
        snprintf(key, sizeof key, "k/%d", i);
        record_add_file(self, "c", "in.csv", key);
        record_put_job(self, "c", key, JOB_COMPLETED, key);
    }
    record_commit(self);
    clock_t before = clock();
    json_t *jobs = read_export_jobs(self, "c");
    assert_true(clock() - before < SECONDS_MAX * CLOCKS_PER_SEC);
    assert_int_equal(json_array_size(jobs), MANY);
    json_decref(jobs);
}

/* ---- answers under a key ---- */

static void put_answer(struct record *self, unsigned char id, const char *chat, uint64_t fingerprint, const char *job)
{
    record_add(self, &(struct change){.kind = CHANGE_ANSWER_PUT,
                                      .of.answer = {.request_id = {id},
                                                    .status = job[0] ? 202 : 201,
                                                    .message = "made",
                                                    .body = job[0] ? "" : "{\"chat_id\":\"c\"}",
                                                    .job_id = job,
                                                    .created_us = T0,
                                                    .keyed = true,
                                                    .fingerprint = fingerprint,
                                                    .chat_id = chat}});
}

static enum err find(struct record *self, unsigned char id, struct answer_row *row, struct buf *space)
{
    unsigned char request_id[REQUEST_ID_LEN] = {id};
    return store_find_answer(self->store, request_id, row, space, &self->why);
}

static void keyed_answers_read_back_and_go_with_their_chat_alone(void **state)
{
    struct record *self = *state;
    struct answer_row row;
    struct buf space = BUF_INIT(65536);
    record_add_chat(self, "c", false, T0);
    record_add_chat(self, "other", false, T0);
    put_answer(self, 1, "c", UINT64_MAX, "");
    put_answer(self, 2, "c", 5, "j1");
    put_answer(self, 3, "other", 6, "");
    record_commit(self);
    assert_int_equal(find(self, 1, &row, &space), ERR_OK);
    assert_true(row.keyed && row.fingerprint == UINT64_MAX && row.status == 201 && row.created_us == T0);
    assert_string_equal(row.body, "{\"chat_id\":\"c\"}");
    assert_int_equal(find(self, 2, &row, &space), ERR_OK);
    assert_true(row.keyed && row.fingerprint == 5 && row.status == 202);
    assert_string_equal(row.job_id, "j1");
    record_add(self, &(struct change){.kind = CHANGE_CHAT_DELETE, .of.chat = {.chat_id = "c", .updated_us = T0}});
    record_commit(self);
    assert_int_equal(find(self, 1, &row, &space), ERR_NOT_FOUND);
    assert_int_equal(find(self, 2, &row, &space), ERR_NOT_FOUND);
    assert_int_equal(find(self, 3, &row, &space), ERR_OK);
    buf_fini(&space);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_DISK(runs_are_listed_newest_first_with_how_far_they_came),
        ON_DISK(a_list_of_runs_comes_in_pages),
        ON_DISK(a_list_that_is_too_large_is_an_error_and_the_next_is_read),
        ON_DISK(a_run_names_the_place_of_its_input_among_the_files),
        ON_DISK(many_runs_of_many_files_are_read_in_one_pass),
        ON_DISK(keyed_answers_read_back_and_go_with_their_chat_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
