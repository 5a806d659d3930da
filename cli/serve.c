/* serve - broker, gateway and workers as child processes of one command: starts them, prints the banner once they are
 * ready, starts again what dies, stops everything in order. One thread, one poll(); knows nothing of what they do. */
#include "banner.h"
#include "child.h"
#include "clock.h"
#include "config.h"
#include "log.h"
#include "make_folder.h"
#include "readiness.h"
#include "verb.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORKERS_MAX     64 /* as its row in verb.c says */
#define CHILDREN_MAX    (WORKERS_MAX + 2)
#define LOOK_EVERY_MS   50 /* at readiness while starting */
#define SLOW_START_MS   30000
#define TAKEN_WAIT_MS   5000 /* for the programs of a serve that was killed a moment ago, which are still ending */
#define BROKER_STOP_MS  3500 /* after the order to stop: workers and gateway have had time to speak to it */
#define KILL_MS         4400
#define DRAIN_SECONDS   3 /* of a worker under serve, so that it is done before the broker stops */
#define FIRST_TRIES_MAX 6 /* failures of one child before the stack was ever ready; then serve gives up */

enum phase { PHASE_STARTING, PHASE_RUNNING, PHASE_STOPPING };

struct serve {
    const char *config_path;
    long workers;
    bool verbose;
    struct config *config;
    const struct settings *settings;
    struct readiness *readiness;
    int signals;
    enum phase phase;
    int64_t since_ms; /* when the phase began */
    int64_t look_ms;  /* next look at readiness */
    bool warned_slow, broker_told, killed;
    int exit_code;
    size_t count;
    struct child children[CHILDREN_MAX]; /* [0] is the broker */
};

static bool parse_options(int argc, char **argv, struct serve *self)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"workers", required_argument, NULL, 'w'},
        {"verbose", no_argument, NULL, 'v'},
        {NULL, 0, NULL, 0},
    };
    int option;
    char *end = NULL;
    optind = 1;
    self->workers = 1;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'c': self->config_path = optarg; break;
        case 'w': self->workers = strtol(optarg, &end, 10); break;
        case 'v': self->verbose = true; break;
        default: return verb_usage("serve"), false;
        }
    }
    bool fits = optind == argc && (!end || !*end) && self->workers >= 1 && self->workers <= WORKERS_MAX;
    if (!fits)
        verb_usage("serve");
    return fits;
}

static enum err open_log_file(const struct serve *self, struct fault *why)
{
    enum log_level level = LOG_INFO;
    const char *file = self->settings->logging.file;
    (void)log_level_parse(self->settings->logging.level, &level);
    enum err err = make_folder_of(file, 0750, why);
    if (err == ERR_OK)
        err = log_open("serve", level, file, why);
    log_stderr_level(self->verbose ? LOG_DEBUG : LOG_WARNING);
    return err;
}

static enum err open_signals(struct serve *self, struct fault *why)
{
    static const int wanted[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD};
    sigset_t signals;
    sigemptyset(&signals);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        sigaddset(&signals, wanted[i]);
    signal(SIGPIPE, SIG_IGN);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    self->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    return self->signals >= 0 ? ERR_OK : fault_errno(why, "cannot open a signal descriptor");
}

static void add_children(struct serve *self)
{
    child_init(&self->children[self->count++], "broker", "sheetwire-broker", self->config_path);
    child_init(&self->children[self->count++], "gateway", "sheetwire-gateway", self->config_path);
    for (long i = 1; i <= self->workers; i++) {
        char name[32] = "worker";
        if (self->workers > 1)
            snprintf(name, sizeof name, "worker-%ld", i);
        child_init(&self->children[self->count++], name, "sheetwire-worker", self->config_path);
    }
}

static void enter(struct serve *self, enum phase phase)
{
    self->phase = phase;
    self->since_ms = clock_monotonic_ms();
}

static void stop(struct serve *self, int exit_code)
{
    if (self->phase == PHASE_STOPPING)
        return;
    self->exit_code = exit_code;
    enter(self, PHASE_STOPPING);
    for (size_t i = 1; i < self->count; i++)
        child_signal(&self->children[i], SIGTERM);
}

static void start_due(struct serve *self, int64_t now)
{
    for (size_t i = 0; i < self->count && self->phase != PHASE_STOPPING; i++) {
        struct child *child = &self->children[i];
        struct fault why;
        if (child->pid != 0 || child->restart_ms > now)
            continue;
        if (child_start(child, now, &why) != ERR_OK) {
            log_error("cannot start a program", "program", child->name, "reason", why.text, NULL);
            child->restart_ms = now + CHILD_PAUSE_MAX_MS;
        }
    }
}

/* A program that refuses its configuration will refuse it again; one that never came up needs a person too. */
static void judge_first_start(struct serve *self, const struct child *child, int status)
{
    if (self->phase != PHASE_STARTING)
        return;
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_USAGE) {
        fprintf(stderr, "sheetwire serve: %s refused to start; its reason stands above\n", child->name);
        stop(self, EXIT_USAGE);
    } else if (WIFEXITED(status) && WEXITSTATUS(status) == CHILD_NO_PROGRAM) {
        fprintf(stderr, "sheetwire serve: %s is neither beside this program nor in PATH\n", child->program);
        stop(self, EXIT_FAILED);
    } else if (child->failures >= FIRST_TRIES_MAX) {
        fprintf(stderr, "sheetwire serve: %s ended %u times before everything was ready; giving up\n", child->name,
                child->failures);
        stop(self, EXIT_FAILED);
    }
}

static void on_child_end(struct serve *self, struct child *child, int status, int64_t now)
{
    child_ended(child, status, now);
    if (self->phase == PHASE_STOPPING)
        return;
    bool killed = WIFSIGNALED(status);
    log_warning(killed ? "program was killed, it is started again" : "program ended, it is started again", "program",
                child->name, killed ? "signal" : "exit", LOG_NUMBER(killed ? WTERMSIG(status) : WEXITSTATUS(status)),
                "pause_ms", LOG_NUMBER(child->restart_ms - now), NULL);
    judge_first_start(self, child, status);
}

static void reap(struct serve *self)
{
    int status;
    for (pid_t pid = waitpid(-1, &status, WNOHANG); pid > 0; pid = waitpid(-1, &status, WNOHANG))
        for (size_t i = 0; i < self->count; i++)
            if (self->children[i].pid == pid)
                on_child_end(self, &self->children[i], status, clock_monotonic_ms());
}

static size_t running(const struct serve *self)
{
    size_t n = 0;
    for (size_t i = 0; i < self->count; i++)
        n += self->children[i].pid != 0;
    return n;
}

static void kill_all(struct serve *self)
{
    self->killed = true;
    for (size_t i = 0; i < self->count; i++)
        child_kill_group(&self->children[i]);
}

/* The broker goes last: what workers and gateways say while they drain is still written down. */
static void stop_further(struct serve *self, int64_t now)
{
    const struct child *broker = &self->children[0];
    bool alone = running(self) == (broker->pid != 0);
    if (!self->broker_told && (alone || now - self->since_ms >= BROKER_STOP_MS)) {
        self->broker_told = true;
        child_signal(broker, SIGTERM);
    }
    if (!self->killed && now - self->since_ms >= KILL_MS) {
        log_warning("not everything stopped in time, the rest is killed", "running", LOG_NUMBER(running(self)), NULL);
        kill_all(self);
    }
}

static void print_banner(const struct serve *self)
{
    struct buf text = BUF_INIT(65536);
    if (banner_text(&text, self->settings) == ERR_OK)
        fwrite(text.data, 1, text.len, stdout);
    fflush(stdout);
    buf_fini(&text);
}

static void look_whether_ready(struct serve *self, int64_t now)
{
    if (now < self->look_ms)
        return;
    if (readiness_look(self->readiness)) {
        enter(self, PHASE_RUNNING);
        log_info("everything is ready", "children", LOG_NUMBER(self->count), NULL);
        print_banner(self);
        return;
    }
    if (!self->warned_slow && now - self->since_ms >= SLOW_START_MS) {
        self->warned_slow = true;
        log_warning("not ready yet, still waiting", "seconds", LOG_NUMBER((now - self->since_ms) / 1000), NULL);
    }
    self->look_ms = clock_monotonic_ms() + LOOK_EVERY_MS;
}

static void take_signals(struct serve *self)
{
    struct signalfd_siginfo info;
    while (read(self->signals, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo == SIGCHLD)
            continue;
        if (self->phase == PHASE_STOPPING && !self->killed)
            kill_all(self); /* asked twice */
        else
            stop(self, EXIT_DONE);
    }
    reap(self);
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int wait_ms(const struct serve *self, int64_t now)
{
    int64_t next = now + 1000;
    if (self->phase == PHASE_STARTING)
        next = sooner(next, self->look_ms);
    if (self->phase == PHASE_STOPPING)
        next = sooner(next, self->since_ms + (self->broker_told ? KILL_MS : BROKER_STOP_MS));
    for (size_t i = 0; i < self->count && self->phase != PHASE_STOPPING; i++)
        if (self->children[i].pid == 0)
            next = sooner(next, self->children[i].restart_ms);
    return next > now ? (int)(next - now) : 0;
}

static void wait_for_something(struct serve *self)
{
    struct pollfd fds[CHILDREN_MAX + 1];
    fds[0] = (struct pollfd){.fd = self->signals, .events = POLLIN};
    for (size_t i = 0; i < self->count; i++)
        fds[i + 1] = (struct pollfd){.fd = self->children[i].output, .events = POLLIN};
    if (poll(fds, self->count + 1, wait_ms(self, clock_monotonic_ms())) <= 0)
        return;
    for (size_t i = 0; i < self->count; i++)
        if (fds[i + 1].revents)
            child_read(&self->children[i]);
    if (fds[0].revents)
        take_signals(self);
}

static void keep_running(struct serve *self)
{
    while (self->phase != PHASE_STOPPING || running(self) > 0) {
        int64_t now = clock_monotonic_ms();
        start_due(self, now);
        if (self->phase == PHASE_STARTING)
            look_whether_ready(self, now);
        if (self->phase == PHASE_STOPPING)
            stop_further(self, now);
        wait_for_something(self);
    }
}

static enum err prepare(struct serve *self, struct fault *why)
{
    enum err err = config_load(&self->config, self->config_path, environ, why);
    if (err != ERR_OK)
        return err;
    self->settings = config_settings(self->config);
    char drain[16];
    snprintf(drain, sizeof drain, "%d", DRAIN_SECONDS);
    if (self->settings->workflow.drain_seconds > DRAIN_SECONDS)
        setenv("SHEETWIRE_WORKFLOW__DRAIN_SECONDS", drain, 1);
    err = open_log_file(self, why);
    if (err == ERR_OK)
        err = open_signals(self, why);
    return err == ERR_OK ? readiness_new(&self->readiness, self->settings, why) : err;
}

/* false: serve ends, because it was asked to or because somebody else stays at our addresses. */
static bool addresses_are_free(struct serve *self)
{
    struct fault why;
    struct pollfd asked_to_stop = {.fd = self->signals, .events = POLLIN};
    for (int64_t until = clock_monotonic_ms() + TAKEN_WAIT_MS; readiness_taken(self->settings, &why);) {
        if (poll(&asked_to_stop, 1, LOOK_EVERY_MS) > 0)
            return false;
        if (clock_monotonic_ms() < until)
            continue;
        fprintf(stderr, "sheetwire serve: %s\n", why.text);
        self->exit_code = EXIT_FAILED;
        return false;
    }
    return true;
}

int serve_verb(int argc, char **argv)
{
    static struct serve self = {.signals = -1};
    struct fault why;
    if (!parse_options(argc, argv, &self))
        return EXIT_USAGE;
    if (prepare(&self, &why) != ERR_OK) {
        fprintf(stderr, "%s\n", why.text);
        self.exit_code = EXIT_USAGE;
    } else if (addresses_are_free(&self)) {
        add_children(&self);
        enter(&self, PHASE_STARTING);
        keep_running(&self);
        log_info("everything has stopped", NULL);
    }
    for (size_t i = 0; i < self.count; i++)
        child_fini(&self.children[i]);
    readiness_destroy(&self.readiness);
    config_destroy(&self.config);
    return self.exit_code;
}
