/* bench_step OPERATION ARGUMENTS_JSON INPUT OUTPUT [spool|side=FILE]: runs one step in this process, as the worker's
 * step process does but without its sandbox, and prints `SECONDS ROWS_READ ROWS_WRITTEN PEAK_KIB`. With `spool`, the
 * rows for a next step are written too (to OUTPUT.spool); `side` is a second file, for the operations that bind one. */
#include "clock.h"
#include "operations/step.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const char *output_name(void *context, const char *suffix)
{
    static char name[64];
    (void)context;
    snprintf(name, sizeof name, "bench%s", suffix);
    return name;
}

static void no_progress(void *context, int percent, uint64_t rows, const char *message)
{
    (void)context;
    (void)percent;
    (void)rows;
    (void)message;
}

static int open_or_die(const char *path, int flags)
{
    int fd = open(path, flags, 0600);
    if (fd >= 0)
        return fd;
    perror(path);
    exit(2);
}

/* VmHWM and not ru_maxrss: the latter is inherited over exec from a larger parent. */
static long peak_kib(void)
{
    char line[256];
    long kib = 0;
    FILE *status = fopen("/proc/self/status", "re");
    while (status && fgets(line, sizeof line, status))
        if (strncmp(line, "VmHWM:", 6) == 0)
            kib = strtol(line + 6, NULL, 10);
    if (status)
        fclose(status);
    return kib;
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "usage: bench_step OPERATION ARGUMENTS_JSON INPUT OUTPUT [spool|side=FILE]\n");
        return 2;
    }
    char spool[4096];
    snprintf(spool, sizeof spool, "%s.spool", argv[4]);
    json_t *arguments = json_loads(argv[2], 0, NULL);
    if (!arguments) {
        fprintf(stderr, "bench_step: the arguments are not JSON\n");
        return 2;
    }
    const char *side_path = argc > 5 && strncmp(argv[5], "side=", 5) == 0 ? argv[5] + 5 : NULL;
    struct step_side side = {.name = side_path ? basename(side_path) : NULL,
                             .fd = side_path ? open_or_die(side_path, O_RDONLY | O_CLOEXEC) : -1};
    struct step_plan plan = {
        .operation = argv[1],
        .arguments = arguments,
        .input_fd = open_or_die(argv[3], O_RDONLY | O_CLOEXEC),
        .input_name = argv[3],
        .output_fd = open_or_die(argv[4], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC),
        .spool_fd = argc > 5 && !side_path ? open_or_die(spool, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC) : -1,
        .stem = "bench",
        .output_bytes_max = UINT64_MAX,
        .started_us = clock_wall_us(),
        .excel_deflate_level = getenv("LEVEL") ? atoi(getenv("LEVEL")) : 6,
        .excel_column_width_max = 50,
        .excel_info_sheet = true,
        .output_name = output_name,
        .progress = no_progress,
        .sides = &side,
        .side_count = side_path != NULL,
    };
    struct step_outcome outcome = {.result = NULL};
    struct fault why = {.code = ERR_OK};
    int64_t start = clock_monotonic_us();
    enum err err = step_run(&plan, &outcome, &why);
    double seconds = (double)(clock_monotonic_us() - start) / 1e6;
    json_decref(arguments);
    json_decref(outcome.result);
    if (err != ERR_OK) {
        fprintf(stderr, "bench_step: %s\n", why.text);
        return 1;
    }
    printf("%.4f %llu %llu %ld\n", seconds, (unsigned long long)outcome.rows_read,
           (unsigned long long)outcome.rows_written, peak_kib());
    return 0;
}
