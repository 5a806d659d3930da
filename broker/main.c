#include "broker.h"
#include "log.h"
#include "program.h"

#include <stdlib.h>

static int serve(const struct program *program)
{
    struct broker broker;
    struct fault why = {.text = ""};
    program_raise_descriptors();
    enum err err = broker_open(&broker, program->settings, &why);
    if (err == ERR_OK)
        err = broker_run(&broker, program->signal_fd, &why);
    if (err != ERR_OK)
        log_error("broker stopped", "error", why.text, NULL);
    else
        log_info("broker stopped", NULL);
    broker_close(&broker);
    return err == ERR_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct program program = {.name = "sheetwire-broker",
                              .log_name = "broker",
                              .summary = "keeps the record, queues the jobs and feeds the gateways"};
    int exit_code = EXIT_SUCCESS;
    if (!program_start(&program, argc, argv, &exit_code))
        return exit_code;
    exit_code = serve(&program);
    program_end(&program);
    return exit_code;
}
