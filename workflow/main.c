/* sheetwire-worker: takes jobs from the broker and runs their steps, each in a process of its own. */
#include "log.h"
#include "operations/step.h"
#include "program.h"
#include "worker.h"

#include <stdlib.h>
#include <string.h>

/* The helper process is forked first: it must inherit neither threads nor sockets. */
static enum err run(const struct program *program, struct fault *why)
{
    struct zygote *zygote = NULL;
    struct worker *worker = NULL;
    const struct zygote_options options = {
        .run = step_run,
        .filter = strcmp(program->settings->workflow.sandbox, "full") == 0,
    };
    enum err err = zygote_start(&zygote, &options, why);
    if (err == ERR_OK)
        err = worker_new(&worker, program->settings, zygote, program->signal_fd, why);
    if (err == ERR_OK)
        err = worker_run(worker, why);
    worker_destroy(&worker);
    zygote_stop(&zygote);
    return err;
}

int main(int argc, char **argv)
{
    struct program program = {
        .name = "sheetwire-worker",
        .log_name = "worker",
        .summary = "runs the steps of workflows on files",
    };
    int exit_code;
    if (!program_start(&program, argc, argv, &exit_code))
        return exit_code;
    struct fault why;
    enum err err = run(&program, &why);
    if (err != ERR_OK)
        log_error("worker ends", "why", why.text, NULL);
    program_end(&program);
    return err == ERR_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
