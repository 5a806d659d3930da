/* bench_process OPERATION ARGUMENTS_JSON INPUT FOLDER RUNS: runs one step again and again as the worker does - a
 * process forked by the helper, inside its sandbox, with an output and a spool in FOLDER that it syncs, and a report
 * through its pipe - and prints `SECONDS PEAK_KIB` for each run: from opening the files to the end of the process, and
 * the largest resident size of that process. What the worker does around it (the lease, moving the files to their
 * names) is not in it. */
#include "clock.h"
#include "process/plan.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define FDS (STEP_FD_SIDES - STEP_FD_REPORT)

struct bench {
    struct zygote *zygote;
    struct plan plan;
    const char *input, *folder;
};

static void die(const char *what, const struct fault *why)
{
    fprintf(stderr, "bench_process: %s: %s\n", what, why->text);
    exit(1);
}

static int open_or_die(const char *folder, const char *name, int flags)
{
    char path[4096];
    snprintf(path, sizeof path, "%s%s%s", folder ? folder : "", folder ? "/" : "", name);
    int fd = open(path, flags | O_CLOEXEC, 0600);
    if (fd >= 0)
        return fd;
    perror(path);
    exit(2);
}

static struct zygote_exit wait_for_end(struct zygote *zygote)
{
    struct zygote_exit end;
    enum err err;
    while ((err = zygote_next(zygote, &end)) == ERR_END)
        poll(&(struct pollfd){.fd = zygote_fd(zygote), .events = POLLIN}, 1, -1);
    if (err != ERR_OK || !WIFEXITED(end.status) || WEXITSTATUS(end.status) != 0) {
        fprintf(stderr, "bench_process: the step did not end well\n");
        exit(1);
    }
    return end;
}

static struct zygote_exit run(const struct bench *self, uint64_t id)
{
    static const struct sandbox_limits limits = {
        .memory_bytes = 1ull << 30, .file_bytes = 1ull << 40, .cpu_seconds = 60};
    struct fault why = {.text = ""};
    int report[2], fds[FDS];
    if (pipe2(report, O_CLOEXEC) != 0)
        exit(2);
    fds[STEP_FD_REPORT - STEP_FD_REPORT] = report[1];
    if (plan_write(&self->plan, &fds[STEP_FD_PLAN - STEP_FD_REPORT], &why) != ERR_OK)
        die("the plan", &why);
    fds[STEP_FD_INPUT - STEP_FD_REPORT] = open_or_die(NULL, self->input, O_RDONLY);
    fds[STEP_FD_OUTPUT - STEP_FD_REPORT] = open_or_die(self->folder, "output", O_RDWR | O_CREAT | O_TRUNC);
    fds[STEP_FD_SPOOL - STEP_FD_REPORT] = open_or_die(self->folder, "spool", O_RDWR | O_CREAT | O_TRUNC);
    if (zygote_spawn(self->zygote, id, &limits, fds, FDS, &why) != ERR_OK)
        die("the process", &why);
    for (size_t i = 0; i < FDS; i++)
        close(fds[i]);
    char bytes[4096];
    while (read(report[0], bytes, sizeof bytes) > 0)
        ;
    close(report[0]);
    return wait_for_end(self->zygote);
}

int main(int argc, char **argv)
{
    struct fault why = {.text = ""};
    json_t *arguments = argc == 6 ? json_loads(argv[2], 0, NULL) : NULL;
    if (!arguments) {
        fprintf(stderr, "usage: bench_process OPERATION ARGUMENTS_JSON INPUT FOLDER RUNS\n");
        return 2;
    }
    struct bench self = {
        .plan = {.operation = argv[1],
                 .arguments = arguments,
                 .input_name = "input.csv",
                 .stem = "bench",
                 .name_base = "bench",
                 .taken = json_array(),
                 .has_output = true,
                 .has_spool = true,
                 .output_bytes_max = INT64_MAX,
                 .memory_bytes_max = 1ull << 30,
                 .started_us = clock_wall_us(),
                 .excel_deflate_level = 6,
                 .excel_sheet_name = "Sheet1",
                 .excel_column_width_max = 50,
                 .excel_info_sheet = true},
        .input = argv[3],
        .folder = argv[4],
    };
    if (zygote_start(&self.zygote, &(struct zygote_options){.run = step_run, .filter = true}, &why) != ERR_OK)
        die("the helper", &why);
    long runs = strtol(argv[5], NULL, 10);
    for (long i = 0; i < runs; i++) {
        int64_t start = clock_monotonic_us();
        struct zygote_exit end = run(&self, (uint64_t)i);
        printf("%.6f %llu\n", (double)(clock_monotonic_us() - start) / 1e6, (unsigned long long)end.memory_kb);
    }
    zygote_stop(&self.zygote);
    json_decref(arguments);
    json_decref(self.plan.taken);
    return 0;
}
