#include "process/verdict.h"

#include "process/step_main.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define MIB        (1024u * 1024u)
#define MEMORY_KEY "workflow.step_memory_mb"

const char *verdict_kind_name(enum verdict_kind kind)
{
    switch (kind) {
    case VERDICT_DONE: return "done";
    case VERDICT_USER: return "user";
    case VERDICT_SERVER: return "server";
    case VERDICT_INPUT: return "input";
    case VERDICT_LOST: return "lost";
    }
    return "server";
}

enum verdict_kind verdict_of_error(enum err code)
{
    switch (code) {
    case ERR_INVALID:
    case ERR_NOT_FOUND:
    case ERR_EXISTS:
    case ERR_CONFLICT:
    case ERR_UNSUPPORTED:
    case ERR_TOO_LARGE:
    case ERR_DENIED:
    case ERR_FULL:
    case ERR_TIMEOUT:
    case ERR_MEMORY: return VERDICT_USER;    /* of the step's own, limited memory */
    case ERR_PROTOCOL: return VERDICT_INPUT; /* a spool that is not as it was written */
    case ERR_OK:
    case ERR_END:
    case ERR_UNAVAILABLE:
    case ERR_NO_SPACE:
    case ERR_IO:
    case ERR_CANCELLED:
    case ERR_INTERNAL: break;
    }
    return VERDICT_SERVER;
}

/* The allocation that failed says what it was for; which limit it met is known here, unless the operation kept count
 * itself. */
static enum verdict_kind memory_limit(const struct verdict_facts *facts, char *text)
{
    const char *what = facts->report->text;
    if (strstr(what, MEMORY_KEY))
        snprintf(text, FAULT_TEXT_MAX, "%s", what);
    else
        snprintf(text, FAULT_TEXT_MAX, "%.800s%sthe step needs more memory than its limit of %" PRIu64 " MiB (%s)",
                 what, what[0] ? ": " : "", facts->limits.memory_bytes / MIB, MEMORY_KEY);
    return VERDICT_USER;
}

static enum verdict_kind cpu_limit(const struct verdict_facts *facts, char *text)
{
    snprintf(text, FAULT_TEXT_MAX, "The step used up its limit of %u seconds of CPU time (workflow.cpu_seconds)",
             facts->limits.cpu_seconds);
    return VERDICT_USER;
}

static enum verdict_kind file_limit(const struct verdict_facts *facts, char *text)
{
    snprintf(text, FAULT_TEXT_MAX,
             "The step's output is larger than its limit of %" PRIu64 " MiB (workflow.output_bytes_max_mb)",
             facts->limits.file_bytes / MIB);
    return VERDICT_USER;
}

static enum verdict_kind timeout(const struct verdict_facts *facts, char *text)
{
    if (facts->stop == STOP_STEP_TIMEOUT)
        snprintf(text, FAULT_TEXT_MAX,
                 "The step took longer than its limit of %u seconds (chat_workflows.execution.step_timeout_seconds)",
                 facts->step_seconds);
    else
        snprintf(text, FAULT_TEXT_MAX,
                 "The workflow took longer than its limit of %u seconds (chat_workflows.execution.run_timeout_seconds)",
                 facts->run_seconds);
    return VERDICT_USER;
}

static enum verdict_kind forbidden(const char *call, char *text)
{
    snprintf(text, FAULT_TEXT_MAX,
             "The step tried a forbidden system call (%s) and was stopped (workflow.sandbox: full)", call);
    return VERDICT_SERVER;
}

static enum verdict_kind failed(const struct verdict_facts *facts, char *text)
{
    if (facts->report->code == ERR_MEMORY)
        return memory_limit(facts, text);
    snprintf(text, FAULT_TEXT_MAX, "%s", facts->report->text);
    return verdict_of_error(facts->report->code);
}

/* The kernel sends SIGKILL for the hard CPU limit too, if a step ignores SIGXCPU; the CPU time tells them apart. */
static enum verdict_kind killed(const struct verdict_facts *facts, char *text)
{
    if (facts->end->cpu_ms >= (uint64_t)facts->limits.cpu_seconds * 1000)
        return cpu_limit(facts, text);
    snprintf(text, FAULT_TEXT_MAX, "The step's process was killed from outside (is the machine out of memory?)");
    return VERDICT_LOST;
}

static enum verdict_kind signalled(const struct verdict_facts *facts, char *text)
{
    int number = WTERMSIG(facts->end->status);
    switch (number) {
    case SIGXCPU: return cpu_limit(facts, text);
    case SIGXFSZ: return file_limit(facts, text);
    case SIGSYS: return forbidden("its name was hidden", text);
    case SIGKILL:
    case SIGHUP:
    case SIGQUIT: return killed(facts, text);
    default: break;
    }
    const char *name = sigabbrev_np(number);
    snprintf(text, FAULT_TEXT_MAX, "The step crashed (SIG%s)", name ? name : "?");
    return VERDICT_SERVER;
}

static enum verdict_kind by_report(const struct verdict_facts *facts, char *text)
{
    char call[SANDBOX_CALL_NAME_MAX];
    switch (facts->report->kind) {
    case REPORT_FAILED: return failed(facts, text);
    case REPORT_FORBIDDEN: sandbox_call_name(facts->report->call, call); return forbidden(call, text);
    case REPORT_DONE:
        if (WIFEXITED(facts->end->status) && WEXITSTATUS(facts->end->status) == 0)
            return VERDICT_DONE;
        break;
    case REPORT_PROGRESS: break;
    }
    snprintf(text, FAULT_TEXT_MAX, "The step ended oddly after its result");
    return VERDICT_SERVER;
}

enum verdict_kind verdict(const struct verdict_facts *facts, char text[FAULT_TEXT_MAX])
{
    text[0] = '\0';
    if (facts->end->fork_error) {
        snprintf(text, FAULT_TEXT_MAX, "Cannot start a process for the step: %s", strerror(facts->end->fork_error));
        return VERDICT_LOST;
    }
    if (facts->stop != STOP_NONE && WIFSIGNALED(facts->end->status))
        return timeout(facts, text);
    if (facts->report_broken) {
        snprintf(text, FAULT_TEXT_MAX, "The step's process sent an unreadable report");
        return VERDICT_SERVER;
    }
    if (WIFSIGNALED(facts->end->status))
        return signalled(facts, text);
    if (facts->report)
        return by_report(facts, text);
    int status = WEXITSTATUS(facts->end->status);
    if (status == STEP_EXIT_UNPREPARED)
        snprintf(text, FAULT_TEXT_MAX, "The step's process could not be prepared");
    else
        snprintf(text, FAULT_TEXT_MAX, "The step ended without a result (exit status %d)", status);
    return VERDICT_SERVER;
}
