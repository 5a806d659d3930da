#include "process/step_main.h"

#include "output_name.h"
#include "process/plan.h"
#include "process/report.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define HIGH_FD    64   /* above every place of a step's descriptor */
#define HIGHEST_FD 1024 /* far above every descriptor of the helper */

/* Old container runtimes refuse close_range(2). The helper never holds more than a few descriptors. */
static void close_from(int first)
{
    if (close_range((unsigned)first, ~0u, 0) == 0)
        return;
    for (int fd = first; fd < HIGHEST_FD; fd++)
        close(fd);
}

/* Two moves, because a descriptor may already stand where another is to go. */
bool step_place_fds(const int *fds, size_t count)
{
    int high[STEP_FDS_MAX];
    for (size_t i = 0; i < count; i++) {
        high[i] = fds[i] < 0 ? -1 : fcntl(fds[i], F_DUPFD_CLOEXEC, HIGH_FD);
        if (fds[i] >= 0 && high[i] < 0)
            return false;
    }
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    bool good = null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(null, STDOUT_FILENO) >= 0;
#ifndef SHEETWIRE_SANITIZED
    good = good && dup2(null, STDERR_FILENO) >= 0;
#endif
    for (size_t i = 0; i < count; i++) {
        int place = STEP_FD_REPORT + (int)i;
        if (high[i] >= 0)
            good = good && dup2(high[i], place) == place;
        else
            close(place);
    }
    close_from(STEP_FD_REPORT + (int)count);
    return good;
}

/* When memory runs out on the machine, the step is to go before the worker and everybody else. */
static void volunteer_for_oom(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return; /* no /proc: the kernel decides by size alone */
    ssize_t ignored = write(fd, "1000", 4);
    (void)ignored;
    close(fd);
}

static void restore_signals(void)
{
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL); /* a crash must end as the signal it is, whatever handlers the worker has */
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGTERM); /* stopping steps is the worker's */
    sigaddset(&mask, SIGINT);
    sigprocmask(SIG_SETMASK, &mask, NULL);
}

static enum err say(const struct report *report)
{
    struct buf bytes = BUF_INIT(REPORT_BYTES_MAX + 64);
    enum err err = report_write(report, &bytes);
    const char *at = bytes.data;
    for (size_t left = bytes.len; err == ERR_OK && left > 0;) {
        ssize_t done = write(STEP_FD_REPORT, at, left);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            _exit(STEP_EXIT_UNPREPARED);
        at += done;
        left -= (size_t)done;
    }
    buf_fini(&bytes);
    return err;
}

struct context {
    struct plan plan;
    char name[OUTPUT_NAME_MAX];
};

static const char *name_output(void *context, const char *suffix)
{
    struct context *self = context;
    output_name_pick(self->plan.name_base, suffix, self->plan.taken, self->name);
    return self->name;
}

static void say_progress(void *context, int percent, uint64_t rows, const char *message)
{
    (void)context;
    struct report report = {.kind = REPORT_PROGRESS, .rows = rows};
    report.percent = percent < 0 ? 0 : percent > 100 ? 100 : (uint8_t)percent;
    strncat(report.text, message ? message : "", REPORT_MESSAGE_MAX - 1);
    enum err ignored = say(&report); /* progress may be lost */
    (void)ignored;
}

static _Noreturn void fail(const struct fault *why)
{
    struct report report = {.kind = REPORT_FAILED, .code = why->code};
    memcpy(report.text, why->text, sizeof report.text);
    enum err ignored = say(&report); /* without memory for a report the worker sees the exit status */
    (void)ignored;
    _exit(EXIT_FAILURE);
}

/* Syncing here and not in the worker keeps its loop from waiting for a slow disk. */
static enum err sync_outputs(const struct plan *plan, struct fault *why)
{
    if ((plan->has_output && fdatasync(STEP_FD_OUTPUT) != 0) || (plan->has_spool && fdatasync(STEP_FD_SPOOL) != 0))
        return fault_errno(why, "cannot write the step's output to disk");
    return ERR_OK;
}

static enum err say_done(const struct step_outcome *outcome, struct fault *why)
{
    char *result = json_dumps(outcome->result ? outcome->result : json_null(), JSON_COMPACT | JSON_ENCODE_ANY);
    if (!result)
        return fault_set(why, ERR_MEMORY, "no memory for the step's result");
    struct report report = {.kind = REPORT_DONE,
                            .data_file = outcome->data_file,
                            .made_table = outcome->made_table,
                            .rows_read = outcome->rows_read,
                            .rows_written = outcome->rows_written,
                            .result = {.at = result, .len = strlen(result)}};
    strncat(report.suffix, outcome->suffix ? outcome->suffix : "", REPORT_SUFFIX_MAX - 1);
    enum err err = say(&report);
    if (err != ERR_OK)
        err = fault_set(why, err, "the step's result is larger than %u bytes", REPORT_BYTES_MAX);
    free(result);
    return err;
}

static enum err run_plan(step_function *run, struct context *self, struct fault *why)
{
    const struct plan *plan = &self->plan;
    struct step_side sides[STEP_SIDES_MAX];
    for (size_t i = 0; i < plan->side_count; i++)
        sides[i] = (struct step_side){.name = plan->side_names[i], .fd = STEP_FD_SIDES + (int)i};
    struct step_plan step = {.operation = plan->operation,
                             .arguments = plan->arguments,
                             .input_fd = STEP_FD_INPUT,
                             .input_name = plan->input_name,
                             .output_fd = plan->has_output ? STEP_FD_OUTPUT : -1,
                             .spool_fd = plan->has_spool ? STEP_FD_SPOOL : -1,
                             .stem = plan->stem,
                             .output_bytes_max = plan->output_bytes_max,
                             .memory_bytes_max = plan->memory_bytes_max,
                             .started_us = plan->started_us,
                             .excel_deflate_level = plan->excel_deflate_level,
                             .excel_sheet_name = plan->excel_sheet_name,
                             .excel_column_width_max = plan->excel_column_width_max,
                             .excel_info_sheet = plan->excel_info_sheet,
                             .backup_original = plan->backup_original,
                             .sides = sides,
                             .side_count = plan->side_count,
                             .output_name = name_output,
                             .progress = say_progress,
                             .context = self};
    struct step_outcome outcome = {.result = NULL};
    enum err err = run(&step, &outcome, why);
    if (err == ERR_OK)
        err = sync_outputs(plan, why);
    return err == ERR_OK ? say_done(&outcome, why) : err;
}

void step_main(step_function *run, const struct sandbox *sandbox, const struct sandbox_limits *limits, size_t fd_count)
{
    prctl(PR_SET_NAME, "step");
    restore_signals();
    volunteer_for_oom();
    tzset(); /* reads the time zone's file, which the C library would otherwise do at the first date it prints */
    struct sandbox_limits own = *limits;
    own.open_files = (uint32_t)(STEP_FD_REPORT + fd_count);
    static struct context context;
    struct fault why = {.code = ERR_OK};
    enum err err = sandbox_enter(sandbox, &own, STEP_FD_REPORT, &why);
    if (err == ERR_OK)
        err = plan_read(&context.plan, STEP_FD_PLAN, &why);
    if (err == ERR_OK)
        err = run_plan(run, &context, &why);
    if (err != ERR_OK)
        fail(&why);
    _exit(EXIT_SUCCESS);
}
