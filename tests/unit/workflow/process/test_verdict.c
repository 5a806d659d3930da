#include "process/verdict.h"

#include "process/step_main.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define EXITED(code) ((code) << 8) /* as waitpid(2) packs it */

static const struct sandbox_limits limits = {.memory_bytes = 512u << 20, .file_bytes = 5u << 20, .cpu_seconds = 3};

static void check(struct zygote_exit end, const struct report *report, enum verdict_kind kind, const char *expected)
{
    struct verdict_facts facts = {.end = &end, .report = report, .limits = limits, .step_seconds = 7, .run_seconds = 9};
    char text[FAULT_TEXT_MAX];
    assert_int_equal(verdict(&facts, text), kind);
    assert_string_equal(text, expected);
}

static void check_signal(int number, uint64_t cpu_ms, enum verdict_kind kind, const char *expected)
{
    check((struct zygote_exit){.status = number, .cpu_ms = cpu_ms}, NULL, kind, expected);
}

static void each_signal_has_its_words(void **state)
{
    (void)state;
    check_signal(SIGXCPU, 0, VERDICT_USER,
                 "The step used up its limit of 3 seconds of CPU time (workflow.cpu_seconds)");
    check_signal(SIGKILL, 3000, VERDICT_USER,
                 "The step used up its limit of 3 seconds of CPU time (workflow.cpu_seconds)");
    check_signal(SIGKILL, 2999, VERDICT_LOST,
                 "The step's process was killed from outside (is the machine out of memory?)");
    check_signal(SIGXFSZ, 0, VERDICT_USER,
                 "The step's output is larger than its limit of 5 MiB (workflow.output_bytes_max_mb)");
    check_signal(SIGSEGV, 0, VERDICT_SERVER, "The step crashed (SIGSEGV)");
    check_signal(
        SIGSYS, 0, VERDICT_SERVER,
        "The step tried a forbidden system call (its name was hidden) and was stopped (workflow.sandbox: full)");
}

static void a_report_speaks_for_the_step(void **state)
{
    (void)state;
    struct zygote_exit failed = {.status = EXITED(1)}, good = {.status = EXITED(0)};
    struct report done = {.kind = REPORT_DONE};
    check(good, &done, VERDICT_DONE, "");
    check(failed, &done, VERDICT_SERVER, "The step ended oddly after its result");
    check((struct zygote_exit){.status = SIGSEGV}, &done, VERDICT_SERVER, "The step crashed (SIGSEGV)");
    struct report user = {.kind = REPORT_FAILED, .code = ERR_INVALID, .text = "Column 'a' not found in data"};
    check(failed, &user, VERDICT_USER, "Column 'a' not found in data");
    struct report disk = {.kind = REPORT_FAILED, .code = ERR_NO_SPACE, .text = "cannot write"};
    check(failed, &disk, VERDICT_SERVER, "cannot write");
    struct report memory = {.kind = REPORT_FAILED, .code = ERR_MEMORY, .text = "no memory for keys"};
    check(failed, &memory, VERDICT_USER,
          "no memory for keys: the step needs more memory than its limit of 512 MiB (workflow.step_memory_mb)");
    struct report counted = {
        .kind = REPORT_FAILED, .code = ERR_MEMORY, .text = "too many keys (workflow.step_memory_mb)"};
    check(failed, &counted, VERDICT_USER, "too many keys (workflow.step_memory_mb)");
    struct report unknown = {.kind = REPORT_FORBIDDEN, .call = 4000000000u};
    check(failed, &unknown, VERDICT_SERVER,
          "The step tried a forbidden system call (number 4000000000) and was stopped (workflow.sandbox: full)");
}

static void a_process_that_never_ran_is_nobodys_data(void **state)
{
    (void)state;
    check((struct zygote_exit){.fork_error = EAGAIN}, NULL, VERDICT_LOST,
          "Cannot start a process for the step: Resource temporarily unavailable");
    check((struct zygote_exit){.status = EXITED(STEP_EXIT_UNPREPARED)}, NULL, VERDICT_SERVER,
          "The step's process could not be prepared");
    check((struct zygote_exit){.status = EXITED(3)}, NULL, VERDICT_SERVER,
          "The step ended without a result (exit status 3)");
}

static void a_step_that_ended_in_time_was_not_too_late(void **state)
{
    (void)state;
    struct zygote_exit good = {.status = EXITED(0)}, killed = {.status = SIGKILL};
    struct report done = {.kind = REPORT_DONE};
    struct verdict_facts facts = {
        .end = &good, .report = &done, .stop = STOP_STEP_TIMEOUT, .limits = limits, .step_seconds = 7};
    char text[FAULT_TEXT_MAX];
    assert_int_equal(verdict(&facts, text), VERDICT_DONE);
    facts.end = &killed;
    assert_int_equal(verdict(&facts, text), VERDICT_USER);
    assert_string_equal(text, "The step took longer than its limit of 7 seconds "
                              "(chat_workflows.execution.step_timeout_seconds)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_signal_has_its_words),
        cmocka_unit_test(a_report_speaks_for_the_step),
        cmocka_unit_test(a_process_that_never_ran_is_nobodys_data),
        cmocka_unit_test(a_step_that_ended_in_time_was_not_too_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
