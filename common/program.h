/* program - what every main() does alike: command line, configuration, log, signals.
 *
 * Options: --config FILE, --check-config, --help, --version. A bad option or configuration: message on standard error,
 * exit 2. SIGTERM and SIGINT become readable on a descriptor (signalfd), blocked in every thread started later;
 * SIGPIPE is ignored. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include "config.h"

struct program {
    const char *name;     /* "sheetwire-broker" */
    const char *log_name; /* "broker" */
    const char *summary;  /* one sentence for --help */
    struct config *config;
    const struct settings *settings;
    int signal_fd; /* readable after SIGTERM or SIGINT */
};

/* Returns false when main() should return *exit_code at once (--help, --check-config, an error). */
bool program_start(struct program *self, int argc, char **argv, int *exit_code);
void program_end(struct program *self);

/* For programs whose connections are descriptors: the usual soft limit (1024) is below what the settings allow. */
void program_raise_descriptors(void);

#endif
