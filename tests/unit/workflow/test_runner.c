/* One job after another on real files and real step processes; what the steps do is planted. */
#include "runner.h"

#include "clock.h"
#include "config.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define WAIT_MS    20000
#define EVENTS_MAX 64
#define PLACE      "2026/11/chat"

/* --- planted steps --- */

#define MAGIC "SWSPOOL1" /* how every spool begins */

/* Copies its input, with its own name before it, to the file and to the spool. */
static enum err copy(const struct step_plan *plan, struct step_outcome *out, struct fault *why)
{
    char text[512], magic[sizeof MAGIC] = "";
    int head = snprintf(text, sizeof text, "%s<", plan->input_name);
    bool spool = pread(plan->input_fd, magic, strlen(MAGIC), 0) > 0 && strcmp(magic, MAGIC) == 0;
    ssize_t len = pread(plan->input_fd, text + head, sizeof text - (size_t)head, spool ? (off_t)strlen(MAGIC) : 0);
    if (len < 0)
        return fault_errno(why, "cannot read");
    size_t all = (size_t)head + (size_t)len;
    if (plan->output_fd >= 0 && pwrite(plan->output_fd, text, all, 0) != (ssize_t)all)
        return fault_errno(why, "cannot write");
    if (plan->spool_fd >= 0 && (pwrite(plan->spool_fd, MAGIC, strlen(MAGIC), 0) != (ssize_t)strlen(MAGIC) ||
                                pwrite(plan->spool_fd, text, all, (off_t)strlen(MAGIC)) != (ssize_t)all))
        return fault_errno(why, "cannot write");
    out->made_table = true;
    out->suffix = plan->output_fd >= 0 ? ".csv" : NULL;
    out->result = json_pack("{s:i}", "sides", (int)plan->side_count);
    return ERR_OK;
}

/* Writes a text file that is no table. */
static enum err describe(const struct step_plan *plan, struct step_outcome *out, struct fault *why)
{
    enum err err = copy(plan, out, why);
    out->made_table = false;
    return err;
}

static enum err say_much(const struct step_plan *plan, struct step_outcome *out, struct fault *why)
{
    (void)out, (void)why;
    plan->progress(plan->context, 10, 1, "ten");
    plan->progress(plan->context, 5, 1, "back");
    plan->progress(plan->context, 100, 1, "half a character: \xE2\x82");
    return (enum err)(sleep(1000) * 0);
}

static enum err sleep_long(const struct step_plan *plan, struct step_outcome *out, struct fault *why)
{
    (void)plan, (void)out, (void)why;
    return (enum err)(sleep(1000) * 0);
}

static enum err fail_step(const struct step_plan *plan, struct step_outcome *out, struct fault *why)
{
    (void)plan, (void)out;
    return fault_set(why, ERR_INVALID, "Column 'x' not found in data");
}

static enum err return_much(const struct step_plan *plan, struct step_outcome *out, struct fault *why)
{
    (void)plan, (void)why;
    char *large = calloc(1, 70001);
    memset(large, 'a', 70000);
    out->result = json_pack("{s:s}", "data", large);
    free(large);
    return ERR_OK;
}

/* Data in the output file instead of in the result. */
static enum err write_data(const struct step_plan *plan, struct step_outcome *out, struct fault *why)
{
    if (plan->output_fd < 0 || pwrite(plan->output_fd, "{\"values\":[]}", 13, 0) != 13)
        return fault_errno(why, "cannot write");
    out->data_file = true;
    out->suffix = ".json";
    out->result = json_pack("{s:{s:i}}", "summary", "n", 7);
    return ERR_OK;
}

static enum err return_list(const struct step_plan *plan, struct step_outcome *out, struct fault *why)
{
    enum err err = copy(plan, out, why);
    json_t *list = json_array();
    for (int i = 0; i < 20000; i++)
        json_array_append_new(list, json_integer(i));
    json_decref(out->result);
    out->result = json_pack("{s:s, s:{s:i, s:o}}", "small", "stays", "report", "total", 7, "rows", list);
    return err;
}

static const struct {
    const char *name;
    step_function *run;
} planted[] = {
    {"copy", copy},
    {"describe", describe},
    {"say_much", say_much},
    {"sleep_long", sleep_long},
    {"fail_step", fail_step},
    {"return_much", return_much},
    {"return_list", return_list},
    {"excel/extract-columns", write_data},
    {"excel/bind-single-key", copy},
};

static enum err run_planted(const struct step_plan *plan, struct step_outcome *out, struct fault *why)
{
    for (size_t i = 0; i < sizeof planted / sizeof *planted; i++)
        if (strcmp(planted[i].name, plan->operation) == 0)
            return planted[i].run(plan, out, why);
    return fault_set(why, ERR_INVALID, "No handler found for operation: %s", plan->operation);
}

/* --- the bench --- */

struct event {
    enum work_what what;
    json_t *event, *detail;
};

struct bench {
    char folder[64];
    struct config *config;
    struct zygote *zygote;
    struct files *files;
    uint64_t processes;
    struct runner_tools tools;
    struct runner *runner;
    struct event events[EVENTS_MAX];
    size_t count;
    enum err answer; /* what record() says */
};

static enum err keep(void *context, struct token token, enum work_what what, struct bytes event, struct bytes detail)
{
    struct bench *self = context;
    assert_int_equal(token.counter, 5);
    assert_true(self->count < EVENTS_MAX);
    struct event *kept = &self->events[self->count++];
    kept->what = what;
    kept->event = json_loadb(event.at, event.len, 0, NULL);
    kept->detail = json_loadb(detail.at, detail.len, 0, NULL);
    assert_true(json_is_object(kept->event) && json_is_object(kept->detail));
    return self->answer;
}

static void forget_events(struct bench *self)
{
    for (size_t i = 0; i < self->count; i++) {
        json_decref(self->events[i].event);
        json_decref(self->events[i].detail);
    }
    self->count = 0;
}

static void put_file(struct bench *self, const char *text, char key[FILES_KEY_MAX])
{
    struct fault why;
    struct files_new_object object;
    assert_int_equal(files_create(self->files, PLACE "/uploads", &object, &why), ERR_OK);
    assert_int_equal(write(object.fd, text, strlen(text)), strlen(text));
    memcpy(key, object.key, FILES_KEY_MAX);
    assert_int_equal(files_commit(self->files, &object, NULL, &why), ERR_OK);
}

static void start(struct bench *self, const char *steps, const char *more)
{
    char key[FILES_KEY_MAX];
    put_file(self, "data", key);
    struct buf job = BUF_INIT(65536);
    assert_int_equal(buf_printf(&job,
                                "{\"job_id\":\"j\",\"chat_id\":\"c\",\"attempt\":1,\"place\":\"" PLACE "\","
                                "\"first_step\":0,\"input\":{\"name\":\"in.csv\",\"key\":\"%s\"},"
                                "\"stem_of\":\"in.csv\",\"steps\":%s%s}",
                                key, steps, more),
                     ERR_OK);
    forget_events(self);
    struct bytes body = {.at = job.data, .len = job.len};
    assert_int_equal(
        runner_new(&self->runner, &self->tools, (struct token){.term = 1, .counter = 5}, body, clock_monotonic_ms()),
        ERR_OK);
    buf_fini(&job);
}

static void turn(struct bench *self, int64_t deadline)
{
    int64_t now = clock_monotonic_ms();
    if (now >= deadline)
        fail_msg("nothing happened for %d ms", WAIT_MS);
    int wait = runner_wait_ms(self->runner, now);
    struct pollfd fds[] = {{.fd = zygote_fd(self->zygote), .events = POLLIN},
                           {.fd = runner_report_fd(self->runner), .events = POLLIN}};
    assert_true(poll(fds, 2, wait < 100 ? wait : 100) >= 0);
    now = clock_monotonic_ms();
    if (fds[1].revents)
        runner_readable(self->runner, now);
    struct zygote_exit end;
    while (zygote_next(self->zygote, &end) == ERR_OK)
        runner_exited(self->runner, &end, now);
    runner_tick(self->runner, now);
}

static void finish(struct bench *self)
{
    int64_t deadline = clock_monotonic_ms() + WAIT_MS;
    while (!runner_ended(self->runner))
        turn(self, deadline);
    runner_destroy(&self->runner);
}

static void await_event(struct bench *self, enum work_what what)
{
    int64_t deadline = clock_monotonic_ms() + WAIT_MS;
    while (self->count == 0 || self->events[self->count - 1].what != what)
        turn(self, deadline);
}

static const char *detail_text(const struct event *event, const char *object, const char *key)
{
    const json_t *from = object ? json_object_get(event->detail, object) : event->detail;
    const char *text = json_string_value(json_object_get(from, key));
    return text ? text : "(none)";
}

static void check_whats(const struct bench *self, const enum work_what *whats, size_t count)
{
    for (size_t i = 0; i < count && i < self->count; i++)
        if (self->events[i].what != whats[i])
            fail_msg("event %zu is of kind %d", i, self->events[i].what);
    assert_int_equal(self->count, count);
}
#define CHECK_WHATS(bench, ...)                                                                                        \
    check_whats(bench, (const enum work_what[]){__VA_ARGS__},                                                          \
                sizeof((const enum work_what[]){__VA_ARGS__}) / sizeof(enum work_what))

static void check_file(struct bench *self, const char *key, const char *expected)
{
    struct fault why;
    int fd;
    char text[256] = "";
    assert_int_equal(files_open(self->files, key, &fd, NULL, &why), ERR_OK);
    assert_true(read(fd, text, sizeof text - 1) >= 0);
    close(fd);
    assert_string_equal(text, expected);
}

static size_t count_files(const struct bench *self, const char *kind)
{
    char command[256], text[32] = "";
    snprintf(command, sizeof command, "find %s/" PLACE "/%s -type f 2>/dev/null | wc -l", self->folder, kind);
    FILE *found = popen(command, "r");
    assert_non_null(found);
    assert_non_null(fgets(text, sizeof text, found));
    pclose(found);
    return (size_t)atoi(text);
}

#define STEP(name) "{\"step_id\":\"s-" name "\",\"operation\":\"" name "\",\"arguments\":{}}"

static const char *failure(struct bench *self, const char *kind)
{
    const struct event *last = &self->events[self->count - 1];
    assert_int_equal(last->what, WORK_STEP_FAILED);
    assert_string_equal(detail_text(last, NULL, "kind"), kind);
    assert_string_equal(detail_text(last, NULL, "message"), json_string_value(json_object_get(last->event, "message")));
    return detail_text(last, NULL, "message");
}

/* --- tests --- */

static void steps_follow_each_other_over_the_spool(void **state)
{
    struct bench *self = *state;
    start(self, "[" STEP("copy") "," STEP("copy") "]", ",\"save_intermediate\":true");
    finish(self);
    CHECK_WHATS(self, WORK_STEP_STARTED, WORK_STEP_DONE, WORK_STEP_STARTED, WORK_STEP_DONE, WORK_RUN_DONE);
    const struct event *started = &self->events[0], *one = &self->events[1], *two = &self->events[3];
    assert_string_equal(json_string_value(json_object_get(started->event, "step_id")), "s-copy");
    assert_string_equal(json_string_value(json_object_get(started->event, "status")), "running");
    assert_int_equal(json_integer_value(json_object_get(two->detail, "index")), 1);
    check_file(self, detail_text(one, "file", "key"), "in.csv<data");
    check_file(self, detail_text(one, "spool", "key"), MAGIC "in.csv<data");
    check_file(self, detail_text(two, "file", "key"), "spool<in.csv<data");
    assert_true(json_is_null(json_object_get(two->detail, "spool")));
    assert_memory_equal(detail_text(one, "file", "key"), PLACE "/intermediate/", strlen(PLACE "/intermediate/"));
    assert_memory_equal(detail_text(two, "file", "key"), PLACE "/outputs/", strlen(PLACE "/outputs/"));
    assert_int_equal(json_integer_value(json_object_get(json_object_get(one->detail, "file"), "bytes")), 11);
    assert_string_equal(detail_text(one, NULL, "stem_of"), "in.csv");
    assert_string_equal(detail_text(one, "file", "name"), "in.csv");
    assert_string_equal(detail_text(two, "file", "name"), "in-2.csv"); /* the first step took the name */
}

static void a_step_names_its_file_as_it_was_asked_to(void **state)
{
    struct bench *self = *state;
    start(self,
          "[{\"step_id\":\"s\",\"operation\":\"copy\",\"arguments\":{\"output_filename\":\"../my report.csv\"}},"
          "{\"step_id\":\"t\",\"operation\":\"copy\",\"arguments\":{\"output_filename\":\"my report\"}},"
          "{\"step_id\":\"u\",\"operation\":\"copy\",\"arguments\":{\"output_filename\":\"\"}}]",
          ",\"save_intermediate\":true");
    finish(self);
    assert_string_equal(detail_text(&self->events[1], "file", "name"), "my report.csv");
    assert_string_equal(detail_text(&self->events[3], "file", "name"), "my report-2.csv");
    assert_non_null(strstr(detail_text(&self->events[5], "file", "name"), "my report-2"));
}

static void without_intermediate_files_only_the_spool_is_written(void **state)
{
    struct bench *self = *state;
    size_t before = count_files(self, "intermediate");
    start(self, "[" STEP("copy") "," STEP("copy") "]", ",\"save_intermediate\":false");
    finish(self);
    CHECK_WHATS(self, WORK_STEP_STARTED, WORK_STEP_DONE, WORK_STEP_STARTED, WORK_STEP_DONE, WORK_RUN_DONE);
    assert_true(json_is_null(json_object_get(self->events[1].detail, "file")));
    check_file(self, detail_text(&self->events[3], "file", "key"), "spool<in.csv<data");
    assert_int_equal(count_files(self, "intermediate"), before);
}

static void a_step_that_makes_no_table_passes_its_input_on(void **state)
{
    struct bench *self = *state;
    size_t spools = count_files(self, "spool");
    start(self, "[" STEP("describe") "," STEP("copy") "]", ",\"save_intermediate\":true");
    finish(self);
    assert_true(json_is_null(json_object_get(self->events[1].detail, "spool")));
    check_file(self, detail_text(&self->events[3], "file", "key"), "in.csv<data");
    assert_int_equal(count_files(self, "spool"), spools); /* the unused one is gone */
}

static void a_run_goes_on_from_a_later_step(void **state)
{
    struct bench *self = *state;
    start(self, "[" STEP("fail_step") "," STEP("copy") "]",
          ",\"first_step\":1,\"stem_of\":\"in_search_1.csv\",\"taken\":[\"in_search_1.csv\"]");
    finish(self);
    CHECK_WHATS(self, WORK_STEP_STARTED, WORK_STEP_DONE, WORK_RUN_DONE);
    assert_int_equal(json_integer_value(json_object_get(self->events[0].detail, "index")), 1);
    assert_string_equal(detail_text(&self->events[1], "file", "name"), "in_search_1-2.csv");
}

static int sides_of(struct bench *self, const char *arguments, const char *more)
{
    char steps[512];
    snprintf(steps, sizeof steps, "[{\"step_id\":\"s\",\"operation\":\"excel/bind-single-key\",\"arguments\":%s}]",
             arguments);
    start(self, steps, more);
    finish(self);
    CHECK_WHATS(self, WORK_STEP_STARTED, WORK_STEP_DONE, WORK_RUN_DONE);
    const json_t *result = json_object_get(self->events[1].detail, "result");
    return (int)json_integer_value(json_object_get(result, "sides"));
}

static void the_file_an_argument_names_is_handed_to_the_step(void **state)
{
    struct bench *self = *state;
    char key[FILES_KEY_MAX], more[1024];
    put_file(self, "other", key);
    snprintf(more, sizeof more,
             ",\"files\":[{\"name\":\"b.csv\",\"key\":\"nowhere\"},{\"name\":\"b.csv\",\"key\":\"%s\"},"
             "{\"name\":\"c.csv\",\"key\":\"nowhere\"}]",
             key);
    assert_int_equal(sides_of(self, "{\"bind_file\":\"./uploads/b.csv\",\"comparison_column\":\"c.csv\"}", more), 1);
    assert_int_equal(sides_of(self, "{\"bind_file\":\"/etc/\"}", more), 0);
    assert_int_equal(sides_of(self, "{\"bind_file\":7}", more), 0);
    assert_int_equal(sides_of(self, "{}", more), 0);
}

static void without_a_name_the_newest_upload_beside_the_input_is_handed_on(void **state)
{
    struct bench *self = *state;
    char key[FILES_KEY_MAX], more[1024];
    put_file(self, "other", key);
    snprintf(more, sizeof more,
             ",\"files\":[{\"name\":\"a.csv\",\"key\":\"nowhere\",\"beside_input\":true},"
             "{\"name\":\"b.csv\",\"key\":\"%s\",\"beside_input\":true},{\"name\":\"in.csv\",\"key\":\"nowhere\"}]",
             key);
    assert_int_equal(sides_of(self, "{\"bind_file\":\"\"}", more), 1);
    assert_int_equal(sides_of(self, "{\"bind_file\":null}", more), 1);
}

static void a_failing_step_ends_the_job_and_leaves_no_file(void **state)
{
    struct bench *self = *state;
    size_t outputs = count_files(self, "outputs"), spools = count_files(self, "spool");
    start(self, "[" STEP("fail_step") "," STEP("copy") "]", "");
    finish(self);
    CHECK_WHATS(self, WORK_STEP_STARTED, WORK_STEP_FAILED);
    assert_string_equal(failure(self, "user"), "Column 'x' not found in data");
    start(self, "[" STEP("unheard_of") "]", "");
    finish(self);
    assert_string_equal(failure(self, "user"), "No handler found for operation: unheard_of");
    assert_int_equal(count_files(self, "outputs"), outputs);
    assert_int_equal(count_files(self, "spool"), spools);
}

static void jobs_that_cannot_be_read_fail_in_words(void **state)
{
    struct bench *self = *state;
    start(self, "[]", "");
    finish(self);
    CHECK_WHATS(self, WORK_STEP_FAILED);
    assert_string_equal(failure(self, "server"), "a job of 0 steps cannot start at step 0");
    start(self, "[{}]", "");
    finish(self);
    assert_string_equal(failure(self, "server"), "step 0 of a job is incomplete");
    start(self, "[" STEP("copy") "]", ",\"place\":\"../../etc\"");
    finish(self);
    failure(self, "server");
    start(self, "[" STEP("copy") "]", ",\"input\":{\"name\":\"x\",\"key\":\"2026/11/chat/uploads/none\"}");
    finish(self);
    assert_string_equal(failure(self, "input"), "What the step reads is missing");
    start(self, "[", "");
    finish(self);
    failure(self, "server");
}

/* Writes an object as the record might name it; its key. */
static const char *plant(struct bench *self, const char *kind, const char *bytes)
{
    static struct files_new_object object;
    char prefix[100];
    struct fault why;
    snprintf(prefix, sizeof prefix, PLACE "/%s", kind);
    assert_int_equal(files_create(self->files, prefix, &object, &why), ERR_OK);
    assert_int_equal(write(object.fd, bytes, strlen(bytes)), (ssize_t)strlen(bytes));
    assert_int_equal(files_commit(self->files, &object, NULL, &why), ERR_OK);
    return object.key;
}

static void start_with_input(struct bench *self, const char *key)
{
    char more[FILES_KEY_MAX + 64];
    snprintf(more, sizeof more, ",\"input\":{\"name\":\"x.csv\",\"key\":\"%s\"}", key);
    start(self, "[" STEP("copy") "]", more);
    finish(self);
}

static void what_is_left_of_a_damaged_spool_is_not_taken_for_text(void **state)
{
    struct bench *self = *state;
    start_with_input(self, plant(self, "spool", "XXSPOOL1 a,b"));
    assert_string_equal(failure(self, "input"), "What an earlier step kept is damaged (it begins wrong)");
    start_with_input(self, plant(self, "spool", ""));
    failure(self, "input");
}

static void nobody_but_us_makes_spools(void **state)
{
    struct bench *self = *state;
    start_with_input(self, plant(self, "uploads", MAGIC "nonsense"));
    assert_string_equal(failure(self, "user"), "'x.csv' is not a spreadsheet");
}

static void progress_grows_and_is_spaced(void **state)
{
    struct bench *self = *state;
    start(self, "[" STEP("say_much") "]", "");
    await_event(self, WORK_PROGRESS);
    CHECK_WHATS(self, WORK_STEP_STARTED, WORK_PROGRESS); /* three were said within one interval */
    const json_t *event = self->events[1].event;
    assert_int_equal(json_integer_value(json_object_get(event, "progress")), 99);
    assert_string_equal(json_string_value(json_object_get(event, "message")), "half a character: ??");
    runner_stop(self->runner);
    finish(self);
    assert_int_equal(self->count, 2);
}

static void a_stopped_job_is_dead_within_a_second_and_says_nothing(void **state)
{
    struct bench *self = *state;
    size_t outputs = count_files(self, "outputs");
    start(self, "[" STEP("sleep_long") "]", "");
    int64_t before = clock_monotonic_ms();
    runner_stop(self->runner);
    finish(self);
    assert_true(clock_monotonic_ms() - before < 1000);
    CHECK_WHATS(self, WORK_STEP_STARTED);
    assert_int_equal(count_files(self, "outputs"), outputs);
}

static void a_lost_lease_stops_the_job(void **state)
{
    struct bench *self = *state;
    self->answer = ERR_NOT_FOUND;
    start(self, "[" STEP("sleep_long") "]", "");
    finish(self);
    self->answer = ERR_OK;
    CHECK_WHATS(self, WORK_STEP_STARTED);
}

static void a_step_that_takes_too_long_is_killed(void **state)
{
    struct bench *self = *state;
    start(self, "[" STEP("sleep_long") "]", "");
    finish(self); /* the limit of this bench is one second */
    assert_string_equal(failure(self, "user"), "The step took longer than its limit of 1 seconds "
                                               "(chat_workflows.execution.step_timeout_seconds)");
}

static void data_in_a_file_is_the_result_and_no_output(void **state)
{
    struct bench *self = *state;
    start(self, "[" STEP("copy") "," STEP("excel/extract-columns") "," STEP("copy") "]",
          ",\"save_intermediate\":false");
    finish(self);
    CHECK_WHATS(self, WORK_STEP_STARTED, WORK_STEP_DONE, WORK_STEP_STARTED, WORK_STEP_DONE, WORK_STEP_STARTED,
                WORK_STEP_DONE, WORK_RUN_DONE);
    const struct event *done = &self->events[3];
    assert_true(json_is_null(json_object_get(done->detail, "file")));
    assert_string_equal(detail_text(done, "result_file", "member"), "data");
    check_file(self, detail_text(done, "result_file", "key"), "{\"values\":[]}");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(done->detail, "result_file"), "bytes")), 13);
    const json_t *summary = json_object_get(json_object_get(done->detail, "result"), "summary");
    assert_int_equal(json_integer_value(json_object_get(summary, "n")), 7);
    check_file(self, detail_text(&self->events[5], "file", "key"), "spool<in.csv<data");
    assert_null(json_object_get(self->events[5].detail, "result_file"));
}

static void the_largest_member_of_a_large_result_becomes_a_file(void **state)
{
    struct bench *self = *state;
    start(self, "[" STEP("return_list") "]", "");
    finish(self);
    CHECK_WHATS(self, WORK_STEP_STARTED, WORK_STEP_DONE, WORK_RUN_DONE);
    const struct event *done = &self->events[1];
    const json_t *result = json_object_get(done->detail, "result"), *summary = json_object_get(result, "summary");
    check_file(self, detail_text(done, "file", "key"), "in.csv<data");
    assert_string_equal(detail_text(done, "result_file", "member"), "report");
    assert_string_equal(detail_text(done, "result", "small"), "stays");
    assert_null(json_object_get(result, "report"));
    assert_int_equal(json_integer_value(json_object_get(summary, "total")), 7);
    assert_int_equal(json_integer_value(json_object_get(summary, "rows_count")), 20000);
}

static void a_large_text_becomes_a_file_too(void **state)
{
    struct bench *self = *state;
    start(self, "[" STEP("return_much") "]", "");
    finish(self);
    const json_t *file = json_object_get(self->events[1].detail, "result_file");
    assert_int_equal(json_integer_value(json_object_get(file, "bytes")), 70002);
}

static int set_up(void **state)
{
    static struct bench bench = {.folder = "/tmp/runner.XXXXXX"};
    struct fault why;
    assert_non_null(mkdtemp(bench.folder));
    char step_seconds[] = "SHEETWIRE_CHAT_WORKFLOWS__EXECUTION__STEP_TIMEOUT_SECONDS=1";
    char interval[] = "SHEETWIRE_WORKFLOW__PROGRESS_INTERVAL_MS=100";
    char *environment[] = {step_seconds, interval, NULL};
    const struct zygote_options options = {.run = run_planted, .filter = true};
    if (zygote_start(&bench.zygote, &options, &why) != ERR_OK ||
        config_load(&bench.config, NULL, environment, &why) != ERR_OK ||
        files_open_folder(&bench.files, bench.folder, &why) != ERR_OK)
        fail_msg("%s", why.text);
    bench.tools = (struct runner_tools){.settings = config_settings(bench.config),
                                        .files = bench.files,
                                        .zygote = bench.zygote,
                                        .processes = &bench.processes,
                                        .record = keep,
                                        .context = &bench};
    *state = &bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *self = *state;
    char command[128];
    forget_events(self);
    zygote_stop(&self->zygote);
    files_close(&self->files);
    config_destroy(&self->config);
    snprintf(command, sizeof command, "rm -rf %s", self->folder);
    return system(command);
}

/* The last test: the bench's helper is gone afterwards. */
static void a_helper_that_is_gone_costs_an_attempt_and_not_the_run(void **state)
{
    struct bench *self = *state;
    assert_int_equal(shutdown(zygote_fd(self->zygote), SHUT_RDWR), 0);
    start(self, "[" STEP("copy") "]", "");
    finish(self);
    CHECK_WHATS(self, WORK_STEP_STARTED, WORK_STEP_FAILED);
    assert_string_equal(failure(self, "lost"), "the worker's helper process is gone");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_follow_each_other_over_the_spool),
        cmocka_unit_test(a_step_names_its_file_as_it_was_asked_to),
        cmocka_unit_test(without_intermediate_files_only_the_spool_is_written),
        cmocka_unit_test(a_step_that_makes_no_table_passes_its_input_on),
        cmocka_unit_test(a_run_goes_on_from_a_later_step),
        cmocka_unit_test(the_file_an_argument_names_is_handed_to_the_step),
        cmocka_unit_test(without_a_name_the_newest_upload_beside_the_input_is_handed_on),
        cmocka_unit_test(a_failing_step_ends_the_job_and_leaves_no_file),
        cmocka_unit_test(jobs_that_cannot_be_read_fail_in_words),
        cmocka_unit_test(what_is_left_of_a_damaged_spool_is_not_taken_for_text),
        cmocka_unit_test(nobody_but_us_makes_spools),
        cmocka_unit_test(progress_grows_and_is_spaced),
        cmocka_unit_test(a_stopped_job_is_dead_within_a_second_and_says_nothing),
        cmocka_unit_test(a_lost_lease_stops_the_job),
        cmocka_unit_test(a_step_that_takes_too_long_is_killed),
        cmocka_unit_test(data_in_a_file_is_the_result_and_no_output),
        cmocka_unit_test(the_largest_member_of_a_large_result_becomes_a_file),
        cmocka_unit_test(a_large_text_becomes_a_file_too),
        cmocka_unit_test(a_helper_that_is_gone_costs_an_attempt_and_not_the_run),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
