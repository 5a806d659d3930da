#include "program.h"

#include "log.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define EXIT_USAGE 2

enum { OPTION_CONFIG = 1, OPTION_CHECK, OPTION_HELP, OPTION_VERSION };

static const struct option options[] = {
    {"config", required_argument, NULL, OPTION_CONFIG},
    {"check-config", no_argument, NULL, OPTION_CHECK},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
    {NULL, 0, NULL, 0},
};

struct command_line {
    const char *config_path;
    bool check;
};

static void print_help(const struct program *self)
{
    printf("%s - %s\n\n"
           "  --config FILE   read this file (default: %s when it is there)\n"
           "  --check-config  print every setting and where it comes from, then exit\n"
           "  --help, --version\n\n"
           "Every setting can be given in the environment: SHEETWIRE_APP__PORT=6050 for app.port.\n",
           self->name, self->summary, CONFIG_DEFAULT_PATH);
}

/* Returns false when the program ends here. */
static bool read_command_line(const struct program *self, int argc, char **argv, struct command_line *out,
                              int *exit_code)
{
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case OPTION_CONFIG: out->config_path = optarg; break;
        case OPTION_CHECK: out->check = true; break;
        case OPTION_HELP: print_help(self); return false;
        case OPTION_VERSION: printf("%s %s\n", self->name, SHEETWIRE_VERSION); return false;
        default: *exit_code = EXIT_USAGE; return false; /* getopt_long() has said why */
        }
    }
    if (optind < argc) {
        fprintf(stderr, "%s: '%s' is not an option; see --help\n", self->name, argv[optind]);
        *exit_code = EXIT_USAGE;
        return false;
    }
    return true;
}

/* The signals are blocked before any thread exists, so that every thread inherits it and the descriptor alone sees
 * them. */
static enum err open_signals(struct program *self, struct fault *why)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    signal(SIGPIPE, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &signals, NULL) != 0)
        return fault_errno(why, "cannot block signals");
    self->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    return self->signal_fd >= 0 ? ERR_OK : fault_errno(why, "cannot open a signal descriptor");
}

static enum err open_program_log(struct program *self, struct fault *why)
{
    enum log_level level = LOG_INFO;
    (void)log_level_parse(self->settings->logging.level, &level); /* the table of settings has checked the word */
    return log_open(self->log_name, level, NULL, why);
}

bool program_start(struct program *self, int argc, char **argv, int *exit_code)
{
    struct command_line line = {.config_path = NULL, .check = false};
    struct fault why = {.text = ""};
    self->config = NULL;
    self->signal_fd = -1;
    *exit_code = 0;
    if (!read_command_line(self, argc, argv, &line, exit_code))
        return false;
    enum err err = config_load(&self->config, line.config_path, environ, &why);
    if (err == ERR_OK) {
        self->settings = config_settings(self->config);
        if (line.check) {
            config_print(self->config, stdout);
            program_end(self);
            return false;
        }
        err = open_program_log(self, &why);
    }
    if (err == ERR_OK)
        err = open_signals(self, &why);
    if (err != ERR_OK) {
        fprintf(stderr, "%s\n", why.text); /* begins with FILE:LINE, as editors and people like it */
        program_end(self);
        *exit_code = EXIT_USAGE;
        return false;
    }
    return true;
}

void program_end(struct program *self)
{
    if (self->signal_fd >= 0)
        close(self->signal_fd);
    self->signal_fd = -1;
    self->settings = NULL;
    config_destroy(&self->config);
    fflush(stdout);
}

void program_raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        log_warning("the limit of open files stays low", NULL);
}
