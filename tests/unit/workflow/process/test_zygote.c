/* Steps that do what a step must not: each ends in an error that names the limit, its value and its key, and the next
 * one runs as if nothing had happened. The planted steps run in real processes inside the real sandbox. */
#include "process/zygote.h"

#include "clock.h"
#include "process/plan.h"
#include "process/report.h"
#include "process/verdict.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define WAIT_MS 20000
#define MIB     (1024u * 1024u)

static void assert_ok(enum err err, const struct fault *why)
{
    if (err != ERR_OK)
        fail_msg("%s: %s", err_name(err), why->text);
}

/* --- planted steps --- */

static enum err behave(const struct step_plan *plan, struct step_outcome *out, struct fault *why)
{
    char text[64];
    ssize_t len = pread(plan->input_fd, text, sizeof text, 0);
    if (len <= 0 || pwrite(plan->output_fd, text, (size_t)len, 0) != len)
        return fault_errno(why, "cannot copy");
    plan->progress(plan->context, 40, 12, "Row 12");
    out->result = json_pack("{s:s, s:s}", "name", plan->output_name(plan->context, ".csv"), "stem", plan->stem);
    out->suffix = ".csv";
    out->made_table = true;
    return ERR_OK;
}

/* The C library opens the time zone's file when a process first asks for a date, even for one in UTC. */
static enum err tell_time(const struct step_plan *plan, struct step_outcome *out, struct fault *why)
{
    (void)plan;
    (void)why;
    char now[CLOCK_TEXT_MAX];
    clock_rfc3339(clock_wall_us(), now);
    out->result = json_pack("{s:s}", "now", now);
    return ERR_OK;
}

static enum err refuse(const struct step_plan *plan, struct step_outcome *out, struct fault *why)
{
    (void)out;
    return fault_set(why, ERR_INVALID, "Column '%s' not found in data",
                     json_string_value(json_object_get(plan->arguments, "column")));
}

static enum err open_file(const struct step_plan *plan, struct step_outcome *out, struct fault *why)
{
    (void)plan, (void)out, (void)why;
    return open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0 ? ERR_IO : ERR_OK;
}

static enum err connect_out(const struct step_plan *plan, struct step_outcome *out, struct fault *why)
{
    (void)plan, (void)out, (void)why;
    return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) < 0 ? ERR_IO : ERR_OK;
}

static enum err fork_off(const struct step_plan *plan, struct step_outcome *out, struct fault *why)
{
    (void)plan, (void)out, (void)why;
    return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) < 0 ? ERR_IO : ERR_OK;
}

static enum err exec_shell(const struct step_plan *plan, struct step_outcome *out, struct fault *why)
{
    (void)plan, (void)out, (void)why;
    char name[] = "sh";
    char *const arguments[] = {name, NULL};
    execv("/bin/sh", arguments);
    return ERR_IO;
}

static enum err trace_parent(const struct step_plan *plan, struct step_outcome *out, struct fault *why)
{
    (void)plan, (void)out, (void)why;
    return ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 ? ERR_IO : ERR_OK;
}

static enum err kill_others(const struct step_plan *plan, struct step_outcome *out, struct fault *why)
{
    (void)plan, (void)out, (void)why;
    return kill(1, SIGTERM) < 0 ? ERR_IO : ERR_OK;
}

static enum err make_code(const struct step_plan *plan, struct step_outcome *out, struct fault *why)
{
    (void)plan, (void)out, (void)why;
    void *at = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return at == MAP_FAILED ? ERR_IO : ERR_OK;
}

static enum err share_memory(const struct step_plan *plan, struct step_outcome *out, struct fault *why)
{
    (void)plan, (void)out, (void)why;
    void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return at == MAP_FAILED ? ERR_IO : ERR_OK;
}

static enum err eat_memory(const struct step_plan *plan, struct step_outcome *out, struct fault *why)
{
    (void)plan, (void)out;
    for (;;) {
        char *more = malloc(MIB);
        if (!more)
            return fault_set(why, ERR_MEMORY, "no memory for another MiB");
        memset(more, 1, MIB);
    }
}

static enum err loop_for_ever(const struct step_plan *plan, struct step_outcome *out, struct fault *why)
{
    (void)plan, (void)out, (void)why;
    for (volatile unsigned i = 0; i < 2;)
        ;
    return ERR_OK;
}

static enum err loop_and_ignore(const struct step_plan *plan, struct step_outcome *out, struct fault *why)
{
    signal(SIGXCPU, SIG_IGN);
    return loop_for_ever(plan, out, why);
}

static enum err sleep_for_ever(const struct step_plan *plan, struct step_outcome *out, struct fault *why)
{
    (void)plan, (void)out, (void)why;
    return sleep(1000) > 0 ? ERR_OK : ERR_TIMEOUT;
}

static enum err write_for_ever(const struct step_plan *plan, struct step_outcome *out, struct fault *why)
{
    (void)out;
    static const char zeros[65536];
    while (write(plan->output_fd, zeros, sizeof zeros) > 0)
        ;
    return fault_errno(why, "cannot write");
}

static enum err crash(const struct step_plan *plan, struct step_outcome *out, struct fault *why)
{
    (void)plan, (void)out, (void)why;
    __builtin_trap();
}

static enum err give_up(const struct step_plan *plan, struct step_outcome *out, struct fault *why)
{
    (void)plan, (void)out, (void)why;
    abort();
}

static enum err leave(const struct step_plan *plan, struct step_outcome *out, struct fault *why)
{
    (void)plan, (void)out, (void)why;
    _exit(0);
}

static enum err babble(const struct step_plan *plan, struct step_outcome *out, struct fault *why)
{
    (void)plan, (void)out, (void)why;
    ssize_t ignored = write(STEP_FD_REPORT, "\377\377\377\377 what is this?", 19);
    (void)ignored;
    return ERR_OK;
}

static const struct {
    const char *name;
    step_function *run;
} planted[] = {
    {"behave", behave},
    {"tell_time", tell_time},
    {"refuse", refuse},
    {"open_file", open_file},
    {"connect_out", connect_out},
    {"fork_off", fork_off},
    {"exec_shell", exec_shell},
    {"trace_parent", trace_parent},
    {"kill_others", kill_others},
    {"make_code", make_code},
    {"share_memory", share_memory},
    {"eat_memory", eat_memory},
    {"loop_for_ever", loop_for_ever},
    {"loop_and_ignore", loop_and_ignore},
    {"sleep_for_ever", sleep_for_ever},
    {"write_for_ever", write_for_ever},
    {"crash", crash},
    {"give_up", give_up},
    {"leave", leave},
    {"babble", babble},
};

static enum err run_planted(const struct step_plan *plan, struct step_outcome *out, struct fault *why)
{
    for (size_t i = 0; i < sizeof planted / sizeof *planted; i++)
        if (strcmp(planted[i].name, plan->operation) == 0)
            return planted[i].run(plan, out, why);
    return fault_set(why, ERR_INTERNAL, "nothing is planted as %s", plan->operation);
}

/* --- running one --- */

struct run {
    struct zygote_exit end;
    struct report_reader reader;
    struct report word; /* the last word */
    bool spoke, broken;
    uint8_t percent; /* of the last progress */
    char output[64];
    enum verdict_kind kind;
    char text[FAULT_TEXT_MAX];
};

static const struct sandbox_limits limits = {.memory_bytes = 64 * MIB, .file_bytes = 1 * MIB, .cpu_seconds = 1};
static uint64_t last_id;

static uint64_t start(struct zygote *zygote, const char *operation, int output, int *report)
{
    json_t *arguments = json_pack("{s:s}", "column", "größe");
    struct plan plan = {.operation = operation,
                        .arguments = arguments,
                        .input_name = "in.csv",
                        .stem = "in",
                        .name_base = "in_x",
                        .taken = json_pack("[s]", "in_x.csv"),
                        .has_output = true};
    struct fault why;
    int fds[STEP_FD_SPOOL - STEP_FD_REPORT], pipe_fds[2];
    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
    fds[0] = pipe_fds[1];
    assert_ok(plan_write(&plan, &fds[1], &why), &why);
    fds[2] = memfd_create("input", MFD_CLOEXEC);
    assert_int_equal(write(fds[2], "a,b\n1,2\n", 8), 8);
    fds[3] = output;
    assert_ok(zygote_spawn(zygote, ++last_id, &limits, fds, 4, &why), &why);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    json_decref(plan.taken);
    json_decref(arguments);
    *report = pipe_fds[0];
    return last_id;
}

static void await_exit(struct zygote *zygote, uint64_t id, struct zygote_exit *out)
{
    int64_t deadline = clock_monotonic_ms() + WAIT_MS;
    for (;;) {
        enum err err = zygote_next(zygote, out);
        if (err == ERR_OK && out->id == id)
            return;
        assert_int_not_equal(err, ERR_UNAVAILABLE);
        struct pollfd wait = {.fd = zygote_fd(zygote), .events = POLLIN};
        int64_t left = deadline - clock_monotonic_ms();
        if (left <= 0 || poll(&wait, 1, (int)left) < 0)
            fail_msg("the step did not end in %d ms", WAIT_MS);
    }
}

static void listen_to(struct run *run, int report)
{
    while (report_reader_fill(&run->reader, report) == ERR_OK) {
        struct report word;
        enum err err;
        while ((err = report_reader_next(&run->reader, &word)) == ERR_OK) {
            if (word.kind == REPORT_PROGRESS) {
                run->percent = word.percent;
                continue;
            }
            run->word = word;
            run->spoke = true;
        }
        run->broken = err == ERR_PROTOCOL;
    }
}

static void judge(struct run *run, enum verdict_stop stop)
{
    struct verdict_facts facts = {.end = &run->end,
                                  .report = run->spoke ? &run->word : NULL,
                                  .report_broken = run->broken,
                                  .stop = stop,
                                  .limits = limits,
                                  .step_seconds = 7,
                                  .run_seconds = 9};
    run->kind = verdict(&facts, run->text);
}

static void run_step(struct zygote *zygote, const char *operation, struct run *run)
{
    int output = memfd_create("output", MFD_CLOEXEC), report;
    *run = (struct run){.reader = REPORT_READER_INIT};
    uint64_t id = start(zygote, operation, output, &report);
    await_exit(zygote, id, &run->end);
    listen_to(run, report);
    judge(run, STOP_NONE);
    assert_true(pread(output, run->output, sizeof run->output - 1, 0) >= 0);
    close(output);
    close(report);
}

static void check_behaves(struct zygote *zygote)
{
    struct run run;
    run_step(zygote, "behave", &run);
    assert_string_equal(run.text, "");
    assert_int_equal(run.kind, VERDICT_DONE);
    assert_string_equal(run.output, "a,b\n1,2\n");
    report_reader_fini(&run.reader);
}

/* Runs a planted step that must fail with this text, and a good one after it. */
static void check_fails(void **state, const char *operation, enum verdict_kind kind, const char *text)
{
    struct zygote *zygote = *state;
    struct run run;
    run_step(zygote, operation, &run);
    if (!strstr(run.text, text))
        fail_msg("%s ended with '%s'", operation, run.text);
    assert_int_equal(run.kind, kind);
    report_reader_fini(&run.reader);
    check_behaves(zygote);
}

/* --- tests --- */

static void a_good_step_reads_writes_and_reports(void **state)
{
    struct run run;
    run_step(*state, "behave", &run);
    assert_int_equal(run.kind, VERDICT_DONE);
    assert_int_equal(run.percent, 40);
    assert_string_equal(run.word.suffix, ".csv");
    assert_true(run.word.made_table);
    static const char expected[] = "{\"name\":\"in_x-2.csv\",\"stem\":\"in\"}";
    assert_int_equal(run.word.result.len, sizeof expected - 1);
    assert_memory_equal(run.word.result.at, expected, sizeof expected - 1);
    assert_string_equal(run.output, "a,b\n1,2\n");
    report_reader_fini(&run.reader);
}

static void a_step_may_ask_for_the_date(void **state)
{
    struct run run;
    run_step(*state, "tell_time", &run);
    assert_string_equal(run.text, "");
    assert_int_equal(run.kind, VERDICT_DONE);
    report_reader_fini(&run.reader);
}

static void an_error_of_the_data_is_the_users(void **state)
{
    check_fails(state, "refuse", VERDICT_USER, "Column 'größe' not found in data");
}

static void forbidden_calls_are_named(void **state)
{
    check_fails(state, "open_file", VERDICT_SERVER,
                "forbidden system call (openat) and was stopped (workflow.sandbox: full)");
    check_fails(state, "connect_out", VERDICT_SERVER, "forbidden system call (socket)");
    check_fails(state, "exec_shell", VERDICT_SERVER, "forbidden system call (execve)");
    check_fails(state, "trace_parent", VERDICT_SERVER, "forbidden system call (ptrace)");
    check_fails(state, "kill_others", VERDICT_SERVER, "forbidden system call (kill)");
    check_fails(state, "fork_off", VERDICT_SERVER, "forbidden system call (clone)");
    check_fails(state, "make_code", VERDICT_SERVER, "forbidden system call (mmap)");
    check_fails(state, "share_memory", VERDICT_SERVER, "forbidden system call (mmap)");
}

static void memory_is_limited(void **state)
{
#ifdef SHEETWIRE_SANITIZED
    (void)state;
    (void)eat_memory;
    skip(); /* a sanitizer's shadow memory counts against the limit, so it is off */
#else
    check_fails(state, "eat_memory", VERDICT_USER, "its limit of 64 MiB (workflow.step_memory_mb)");
#endif
}

static void processor_time_is_limited(void **state)
{
    check_fails(state, "loop_for_ever", VERDICT_USER, "its limit of 1 seconds of CPU time (workflow.cpu_seconds)");
    check_fails(state, "loop_and_ignore", VERDICT_USER, "its limit of 1 seconds of CPU time (workflow.cpu_seconds)");
}

static void output_is_limited(void **state)
{
    check_fails(state, "write_for_ever", VERDICT_USER, "its limit of 1 MiB (workflow.output_bytes_max_mb)");
}

static void a_crash_is_the_servers_fault(void **state)
{
    check_fails(state, "crash", VERDICT_SERVER, "The step crashed (SIG");
    check_fails(state, "give_up", VERDICT_SERVER, "The step crashed (SIG");
    check_fails(state, "leave", VERDICT_SERVER, "ended without a result (exit status 0)");
    check_fails(state, "babble", VERDICT_SERVER, "unreadable report");
}

static void check_killed(struct zygote *zygote, enum verdict_stop stop, enum verdict_kind kind, const char *text)
{
    struct run run = {.reader = REPORT_READER_INIT};
    int report, output = memfd_create("output", MFD_CLOEXEC);
    uint64_t id = start(zygote, "sleep_for_ever", output, &report);
    int64_t before = clock_monotonic_ms();
    zygote_kill(zygote, id);
    await_exit(zygote, id, &run.end);
    assert_true(clock_monotonic_ms() - before < 1000);
    judge(&run, stop);
    if (!strstr(run.text, text))
        fail_msg("it ended with '%s'", run.text);
    assert_int_equal(run.kind, kind);
    close(report);
    close(output);
}

static void a_killed_step_says_why(void **state)
{
    check_killed(*state, STOP_STEP_TIMEOUT, VERDICT_USER,
                 "its limit of 7 seconds (chat_workflows.execution.step_timeout_seconds)");
    check_killed(*state, STOP_RUN_TIMEOUT, VERDICT_USER,
                 "its limit of 9 seconds (chat_workflows.execution.run_timeout_seconds)");
    check_killed(*state, STOP_NONE, VERDICT_LOST, "killed from outside");
    zygote_kill(*state, 999999); /* unknown: nothing happens */
    check_behaves(*state);
}

static void many_steps_run_at_a_time(void **state)
{
    enum { STEPS = 20 };
    int reports[STEPS];
    uint64_t ids[STEPS];
    int output = memfd_create("output", MFD_CLOEXEC);
    for (int i = 0; i < STEPS; i++)
        ids[i] = start(*state, "sleep_for_ever", output, &reports[i]);
    check_behaves(*state);
    for (int i = 0; i < STEPS; i++) {
        struct zygote_exit end;
        zygote_kill(*state, ids[i]);
        await_exit(*state, ids[i], &end);
        assert_true(WIFSIGNALED(end.status) && WTERMSIG(end.status) == SIGKILL);
        close(reports[i]);
    }
    close(output);
}

/* A pipe whose writing ends are all with the helper's steps ends when they do. */
static void steps_die_with_the_helper(void **state)
{
    (void)state;
    struct fault why;
    struct zygote *zygote;
    const struct zygote_options options = {.run = run_planted, .filter = true};
    assert_ok(zygote_start(&zygote, &options, &why), &why);
    int report, output = memfd_create("output", MFD_CLOEXEC);
    start(zygote, "sleep_for_ever", output, &report);
    zygote_stop(&zygote);
    struct pollfd wait = {.fd = report, .events = POLLIN};
    assert_int_equal(poll(&wait, 1, WAIT_MS), 1);
    char byte;
    assert_int_equal(read(report, &byte, 1), 0);
    close(report);
    close(output);
}

static void limits_alone_still_limit(void **state)
{
    (void)state;
    struct fault why;
    struct zygote *zygote;
    const struct zygote_options options = {.run = run_planted, .filter = false};
    assert_ok(zygote_start(&zygote, &options, &why), &why);
    void *own = zygote;
    check_fails(&own, "write_for_ever", VERDICT_USER, "workflow.output_bytes_max_mb");
    check_fails(&own, "open_file", VERDICT_SERVER, ""); /* allowed to try; the table of descriptors is full */
    zygote_stop(&zygote);
}

static int start_zygote(void **state)
{
    struct fault why;
    struct zygote *zygote;
    const struct zygote_options options = {.run = run_planted, .filter = true};
    assert_ok(zygote_start(&zygote, &options, &why), &why);
    *state = zygote;
    return 0;
}

static int stop_zygote(void **state)
{
    struct zygote *zygote = *state;
    zygote_stop(&zygote);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_step_reads_writes_and_reports),
        cmocka_unit_test(a_step_may_ask_for_the_date),
        cmocka_unit_test(an_error_of_the_data_is_the_users),
        cmocka_unit_test(forbidden_calls_are_named),
        cmocka_unit_test(memory_is_limited),
        cmocka_unit_test(processor_time_is_limited),
        cmocka_unit_test(output_is_limited),
        cmocka_unit_test(a_crash_is_the_servers_fault),
        cmocka_unit_test(a_killed_step_says_why),
        cmocka_unit_test(many_steps_run_at_a_time),
        cmocka_unit_test(steps_die_with_the_helper),
        cmocka_unit_test(limits_alone_still_limit),
    };
    return cmocka_run_group_tests(tests, start_zygote, stop_zygote);
}
