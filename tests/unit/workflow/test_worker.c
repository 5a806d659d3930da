/* The whole worker against a broker played by the test: frames in, frames out, over a real socket and real processes.
 */
#include "worker.h"

#include "clock.h"
#include "config.h"
#include "endpoint.h"
#include "files/files.h"
#include "wire/work_frame.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zmq.h>

#include <cmocka.h>

#define WAIT_MS    20000
#define PLACE      "2026/11/chat"
#define STEP(name) "{\"step_id\":\"s\",\"operation\":\"" name "\",\"arguments\":{}}"

/* --- planted steps --- */

/* Seen by the test and by every step's process. */
static struct {
    atomic_bool away;    /* the broker is gone: "wait" may end */
    atomic_uint started; /* steps */
} * shared;

static enum err wait_for_outage(void)
{
    while (!atomic_load(&shared->away))
        usleep(1000);
    return ERR_OK;
}

static enum err run_planted(const struct step_plan *plan, struct step_outcome *out, struct fault *why)
{
    static const char magic[] = "SWSPOOL1"; /* how every spool begins */
    if (plan->spool_fd >= 0 && write(plan->spool_fd, magic, strlen(magic)) < 0)
        return fault_errno(why, "cannot write");
    out->made_table = true;
    atomic_fetch_add(&shared->started, 1);
    if (strcmp(plan->operation, "sleep") == 0)
        return (enum err)(sleep(1000) * 0);
    return strcmp(plan->operation, "wait") == 0 ? wait_for_outage() : ERR_OK;
}

/* --- the bench: a worker in a thread, the broker's end of its socket here --- */

struct bench {
    char folder[64];
    struct config *config;
    struct zygote *zygote;
    struct files *files;
    char input[FILES_KEY_MAX];
    void *context;
    void *router;
    char peer[64];
    size_t peer_len;
    int stop_fd;
    pthread_t thread;
    enum err outcome;
    char bytes[65536];
    struct work_frame frame;
};

static void *run_worker(void *arg)
{
    struct bench *self = arg;
    struct fault why;
    struct worker *worker;
    self->outcome = worker_new(&worker, config_settings(self->config), self->zygote, self->stop_fd, &why);
    if (self->outcome == ERR_OK)
        self->outcome = worker_run(worker, &why);
    worker_destroy(&worker);
    return NULL;
}

static void bind_router(struct bench *self)
{
    struct fault why;
    if (endpoint_bind(&self->router, self->context, config_settings(self->config), ENDPOINT_WORK, &why) != ERR_OK)
        fail_msg("%s", why.text);
}

static void receive(struct bench *self, int64_t deadline)
{
    zmq_pollitem_t item = {.socket = self->router, .events = ZMQ_POLLIN};
    int64_t left = deadline - clock_monotonic_ms();
    if (left <= 0 || zmq_poll(&item, 1, left) != 1)
        fail_msg("the worker said nothing for %d ms", WAIT_MS);
    int len = zmq_recv(self->router, self->peer, sizeof self->peer, 0);
    assert_true(len > 0);
    self->peer_len = (size_t)len;
    len = zmq_recv(self->router, self->bytes, sizeof self->bytes, 0);
    assert_true(len > 0 && len < (int)sizeof self->bytes);
    assert_int_equal(work_frame_read(&self->frame, self->bytes, (size_t)len), ERR_OK);
}

/* The next frame of that kind; others (beats) are passed over. */
static struct work_frame *await(struct bench *self, enum work_kind kind)
{
    int64_t deadline = clock_monotonic_ms() + WAIT_MS;
    do
        receive(self, deadline);
    while (self->frame.kind != kind);
    return &self->frame;
}

static void say(struct bench *self, const struct work_frame *frame)
{
    struct buf out = BUF_INIT(65536);
    assert_int_equal(work_frame_write(frame, &out), ERR_OK);
    assert_int_equal(zmq_send(self->router, self->peer, self->peer_len, ZMQ_SNDMORE), self->peer_len);
    assert_int_equal(zmq_send(self->router, out.data, out.len, 0), out.len);
    buf_fini(&out);
}

static void welcome(struct bench *self, uint64_t term)
{
    await(self, WORK_HELLO);
    say(self, &(struct work_frame){.kind = WORK_WELCOME, .term = term, .lease_ms = 1000, .beat_ms = 50});
}

static struct token lease(struct bench *self, uint64_t counter, const char *steps)
{
    struct buf job = BUF_INIT(65536);
    struct token token = {.term = 1, .counter = counter};
    assert_int_equal(buf_printf(&job,
                                "{\"job_id\":\"j\",\"chat_id\":\"c\",\"attempt\":1,\"place\":\"" PLACE "\","
                                "\"first_step\":0,\"input\":{\"name\":\"in.csv\",\"key\":\"%s\"},"
                                "\"stem_of\":\"in.csv\",\"steps\":%s}",
                                self->input, steps),
                     ERR_OK);
    say(self, &(struct work_frame){.kind = WORK_JOB, .token = token, .body = {.at = job.data, .len = job.len}});
    buf_fini(&job);
    return token;
}

static struct work_frame *await_event(struct bench *self, struct token token, enum work_what what, uint64_t number)
{
    struct work_frame *frame = await(self, WORK_EVENT);
    assert_int_equal(frame->token.counter, token.counter);
    assert_int_equal(frame->what, what);
    assert_int_equal(frame->number, number);
    return frame;
}

static void acknowledge(struct bench *self, struct token token, uint64_t number)
{
    say(self, &(struct work_frame){.kind = WORK_ACK, .token = token, .number = number});
}

static void tell_to_stop(struct bench *self)
{
    uint64_t one = 1;
    assert_int_equal(write(self->stop_fd, &one, sizeof one), sizeof one);
}

static bool joined_after(struct bench *self, int wait_ms)
{
    struct timespec deadline;
    int64_t at_us = clock_wall_us() + (int64_t)wait_ms * 1000;
    deadline.tv_sec = at_us / 1000000;
    deadline.tv_nsec = at_us % 1000000 * 1000;
    if (pthread_timedjoin_np(self->thread, NULL, &deadline) != 0)
        return false;
    self->thread = 0;
    return true;
}

static void join(struct bench *self)
{
    assert_true(joined_after(self, WAIT_MS));
    assert_int_equal(self->outcome, ERR_OK);
}

/* --- tests --- */

static void a_job_is_run_and_told_until_acknowledged(void **state)
{
    struct bench *self = *state;
    struct work_frame *hello = await(self, WORK_HELLO);
    assert_int_equal(hello->slots, 2);
    assert_int_equal(hello->token_count, 0);
    say(self, &(struct work_frame){.kind = WORK_WELCOME, .term = 1, .lease_ms = 1000, .beat_ms = 50});
    struct token token = lease(self, 1, "[" STEP("quick") "," STEP("quick") "]");
    await_event(self, token, WORK_STEP_STARTED, 1);
    acknowledge(self, token, 1);
    await_event(self, token, WORK_STEP_DONE, 2);
    acknowledge(self, token, 2);
    await_event(self, token, WORK_STEP_STARTED, 3);
    acknowledge(self, token, 3);
    await_event(self, token, WORK_STEP_DONE, 4);
    acknowledge(self, token, 4);
    await_event(self, token, WORK_RUN_DONE, 5);
    struct work_frame *beat = await(self, WORK_BEAT);
    assert_int_equal(beat->token_count, 1); /* held until the last word is on disk ... */
    assert_int_equal(beat->free_slots, 2);  /* ... but no work any more */
    await_event(self, token, WORK_RUN_DONE, 5);
    acknowledge(self, token, 5);
    do
        beat = await(self, WORK_BEAT);
    while (beat->token_count != 0); /* one may have been on its way */
    tell_to_stop(self);
    await(self, WORK_BYE);
    join(self);
}

static void two_jobs_run_at_a_time(void **state)
{
    struct bench *self = *state;
    welcome(self, 1);
    struct token one = lease(self, 1, "[" STEP("sleep") "]"), two = lease(self, 2, "[" STEP("quick") "]");
    await_event(self, one, WORK_STEP_STARTED, 1);
    acknowledge(self, one, 1);
    await_event(self, two, WORK_STEP_STARTED, 1);
    acknowledge(self, two, 1);
    await_event(self, two, WORK_STEP_DONE, 2);
    acknowledge(self, two, 2);
    await_event(self, two, WORK_RUN_DONE, 3);
    acknowledge(self, two, 3);
    struct work_frame *beat;
    do
        beat = await(self, WORK_BEAT);
    while (beat->token_count != 1);
    assert_int_equal(beat->tokens[0].counter, 1);
    assert_int_equal(beat->free_slots, 1);
}

static void a_revoked_job_is_dead_within_a_second(void **state)
{
    struct bench *self = *state;
    welcome(self, 1);
    struct token token = lease(self, 1, "[" STEP("sleep") "]");
    await_event(self, token, WORK_STEP_STARTED, 1);
    acknowledge(self, token, 1);
    int64_t before = clock_monotonic_ms();
    say(self, &(struct work_frame){.kind = WORK_REVOKE, .token = token});
    while (await(self, WORK_BEAT)->token_count != 0)
        ;
    token = lease(self, 2, "[" STEP("quick") "]");
    await_event(self, token, WORK_STEP_STARTED, 1); /* and no word of the first */
    tell_to_stop(self);
    acknowledge(self, token, 1);
    await_event(self, token, WORK_STEP_DONE, 2);
    acknowledge(self, token, 2);
    await_event(self, token, WORK_RUN_DONE, 3);
    acknowledge(self, token, 3);
    join(self); /* it waits for every process */
    assert_true(clock_monotonic_ms() - before < 1000);
}

static void work_goes_on_while_the_broker_is_away(void **state)
{
    struct bench *self = *state;
    welcome(self, 1);
    struct token token = lease(self, 1, "[" STEP("wait") "," STEP("quick") "]");
    await_event(self, token, WORK_STEP_STARTED, 1);
    zmq_close(self->router); /* before it could acknowledge */
    atomic_store(&shared->away, true);
    for (int64_t deadline = clock_monotonic_ms() + WAIT_MS; atomic_load(&shared->started) < 2; usleep(1000))
        assert_true(clock_monotonic_ms() < deadline); /* the second step starts although nobody hears of the first */
    bind_router(self);
    struct work_frame *hello = await(self, WORK_HELLO);
    assert_int_equal(hello->token_count, 1);
    assert_int_equal(hello->tokens[0].counter, 1);
    say(self, &(struct work_frame){.kind = WORK_WELCOME, .term = 2, .lease_ms = 1000, .beat_ms = 5000});
    await_event(self, token, WORK_STEP_STARTED, 1);
    await_event(self, token, WORK_STEP_DONE, 2);
    await_event(self, token, WORK_STEP_STARTED, 3);
    await_event(self, token, WORK_STEP_DONE, 4);
    await_event(self, token, WORK_RUN_DONE, 5);
}

static void a_broker_of_another_term_is_greeted_with_the_tokens(void **state)
{
    struct bench *self = *state;
    welcome(self, 1);
    struct token token = lease(self, 1, "[" STEP("sleep") "]");
    await_event(self, token, WORK_STEP_STARTED, 1);
    acknowledge(self, token, 1);
    await(self, WORK_BEAT);
    say(self, &(struct work_frame){.kind = WORK_WELCOME, .term = 2, .lease_ms = 1000, .beat_ms = 50});
    struct work_frame *hello = await(self, WORK_HELLO);
    assert_int_equal(hello->token_count, 1);
    assert_int_equal(hello->tokens[0].counter, token.counter);
}

static void a_drain_that_takes_too_long_hands_the_job_back(void **state)
{
    struct bench *self = *state;
    welcome(self, 1);
    struct token token = lease(self, 1, "[" STEP("sleep") "]");
    await_event(self, token, WORK_STEP_STARTED, 1);
    acknowledge(self, token, 1);
    tell_to_stop(self);
    await(self, WORK_BYE);
    lease(self, 2, "[" STEP("quick") "]"); /* crossed the BYE: not taken */
    while (await(self, WORK_BEAT)->token_count != 0)
        ; /* the limit of this bench is one second */
    await(self, WORK_BYE);
    join(self);
}

static void kill_helper(void)
{
    char path[64];
    int pid = 0;
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    FILE *children = fopen(path, "re");
    assert_non_null(children);
    assert_int_equal(fscanf(children, "%d", &pid), 1);
    fclose(children);
    assert_int_equal(kill(pid, SIGKILL), 0);
}

static void without_its_helper_a_worker_hands_back_and_ends(void **state)
{
    struct bench *self = *state;
    welcome(self, 1);
    struct token token = lease(self, 1, "[" STEP("sleep") "]");
    await_event(self, token, WORK_STEP_STARTED, 1);
    acknowledge(self, token, 1);
    kill_helper();
    await(self, WORK_BYE);
    await(self, WORK_BYE);
    assert_true(joined_after(self, WAIT_MS));
    assert_int_equal(self->outcome, ERR_INTERNAL);
}

static void nonsense_from_the_broker_is_passed_over(void **state)
{
    struct bench *self = *state;
    welcome(self, 1);
    assert_int_equal(zmq_send(self->router, self->peer, self->peer_len, ZMQ_SNDMORE), self->peer_len);
    assert_int_equal(zmq_send(self->router, "what?", 5, ZMQ_SNDMORE), 5);
    assert_int_equal(zmq_send(self->router, "", 0, 0), 0);
    say(self, &(struct work_frame){.kind = WORK_BYE});
    struct token unheard_of = {.term = 9, .counter = 9};
    say(self, &(struct work_frame){.kind = WORK_REVOKE, .token = unheard_of});
    acknowledge(self, unheard_of, 9);
    struct token token = lease(self, 1, "[{}]");
    await_event(self, token, WORK_STEP_FAILED, 1);
    acknowledge(self, token, 1);
    token = lease(self, 2, "[" STEP("quick") "]");
    await_event(self, token, WORK_STEP_STARTED, 1);
}

/* --- set-up --- */

static void put_input(struct bench *self)
{
    struct fault why;
    struct files_new_object object;
    assert_int_equal(files_open_folder(&self->files, self->folder, &why), ERR_OK);
    assert_int_equal(files_create(self->files, PLACE "/uploads", &object, &why), ERR_OK);
    memcpy(self->input, object.key, sizeof self->input);
    assert_int_equal(files_commit(self->files, &object, NULL, &why), ERR_OK);
}

static void load_settings(struct bench *self)
{
    char run[128], files[128], beat[] = "SHEETWIRE_WIRE__BEAT_MS=50", drain[] = "SHEETWIRE_WORKFLOW__DRAIN_SECONDS=1";
    struct fault why;
    snprintf(run, sizeof run, "SHEETWIRE_WIRE__RUN_DIR=%s/run", self->folder);
    snprintf(files, sizeof files, "SHEETWIRE_CHAT_WORKFLOWS__STORAGE__WORKFLOWS_PATH=%s", self->folder);
    char *environment[] = {run, files, beat, drain, NULL};
    if (config_load(&self->config, NULL, environment, &why) != ERR_OK)
        fail_msg("%s", why.text);
}

static int set_up(void **state)
{
    struct bench *self = calloc(1, sizeof *self);
    struct fault why;
    const struct zygote_options options = {.run = run_planted, .filter = true};
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(shared, MAP_FAILED);
    if (zygote_start(&self->zygote, &options, &why) != ERR_OK)
        fail_msg("%s", why.text);
    strcpy(self->folder, "/tmp/worker.XXXXXX");
    assert_non_null(mkdtemp(self->folder));
    load_settings(self);
    put_input(self);
    self->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    self->context = zmq_ctx_new();
    bind_router(self);
    assert_int_equal(pthread_create(&self->thread, NULL, run_worker, self), 0);
    *state = self;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *self = *state;
    char command[128];
    if (self->thread) {
        zmq_close(self->router);
        self->router = NULL;
        do
            tell_to_stop(self); /* told twice, it does not wait for its jobs */
        while (!joined_after(self, 20));
    }
    if (self->router)
        zmq_close(self->router);
    zmq_ctx_term(self->context);
    close(self->stop_fd);
    files_close(&self->files);
    config_destroy(&self->config);
    zygote_stop(&self->zygote);
    munmap(shared, sizeof *shared);
    snprintf(command, sizeof command, "rm -rf %s", self->folder);
    free(self);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_job_is_run_and_told_until_acknowledged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(two_jobs_run_at_a_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_revoked_job_is_dead_within_a_second, set_up, tear_down),
        cmocka_unit_test_setup_teardown(work_goes_on_while_the_broker_is_away, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_broker_of_another_term_is_greeted_with_the_tokens, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_drain_that_takes_too_long_hands_the_job_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_its_helper_a_worker_hands_back_and_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nonsense_from_the_broker_is_passed_over, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
