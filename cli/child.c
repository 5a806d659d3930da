#include "child.h"

#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

void child_init(struct child *self, const char *name, const char *program, const char *config)
{
    *self = (struct child){.program = program, .config = config, .output = -1, .pause_ms = CHILD_PAUSE_MS};
    snprintf(self->name, sizeof self->name, "%s", name);
}

void child_fini(struct child *self)
{
    if (self->output >= 0)
        close(self->output);
    self->output = -1;
}

/* The program beside our own, as in a build folder; otherwise its bare name, which is looked up in PATH. */
static void find_program(const char *program, char out[PATH_MAX])
{
    ssize_t len = readlink("/proc/self/exe", out, PATH_MAX - 1);
    out[len > 0 ? len : 0] = '\0';
    char *slash = strrchr(out, '/');
    size_t room = slash ? (size_t)(PATH_MAX - (slash + 1 - out)) : 0;
    if (slash && (size_t)snprintf(slash + 1, room, "%s", program) < room && access(out, X_OK) == 0)
        return;
    snprintf(out, PATH_MAX, "%s", program);
}

/* In the new process. Only async-signal-safe calls, though serve has one thread. */
static void become(const char *path, char *const argv[], int output, pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(CHILD_NO_PROGRAM); /* serve died before the line above could take effect */
    setpgid(0, 0);               /* Ctrl-C at the terminal is for serve alone, which then stops us in order */
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int null = open("/dev/null", O_RDONLY);
    if (null >= 0)
        dup2(null, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    execvp(path, argv);
    const char *const words[] = {path, ": cannot be executed\n"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        (void)!write(STDERR_FILENO, words[i], strlen(words[i]));
    _exit(CHILD_NO_PROGRAM);
}

enum err child_start(struct child *self, int64_t now_ms, struct fault *why)
{
    char path[PATH_MAX], program[64], option[] = "--config", config[PATH_MAX];
    int ends[2];
    find_program(self->program, path);
    snprintf(program, sizeof program, "%s", self->program);
    snprintf(config, sizeof config, "%s", self->config ? self->config : "");
    char *const argv[] = {program, self->config ? option : NULL, config, NULL};
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
        return fault_errno(why, "cannot make a pipe");
    fcntl(ends[1], F_SETFL, 0); /* the child's end waits when we are slow */
    pid_t parent = getpid(), pid = fork();
    if (pid == 0)
        become(path, argv, ends[1], parent);
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return fault_errno(why, "cannot start %s", self->program);
    }
    setpgid(pid, pid); /* in both processes: whoever comes first */
    child_fini(self);
    self->output = ends[0];
    self->len = 0;
    self->pid = pid;
    self->started_ms = now_ms;
    return ERR_OK;
}

static void pass_lines(struct child *self)
{
    size_t start = 0;
    for (size_t i = 0; i < self->len; i++) {
        if (self->line[i] != '\n')
            continue;
        log_pass(self->line + start, i - start);
        start = i + 1;
    }
    memmove(self->line, self->line + start, self->len - start);
    self->len -= start;
    if (self->len == sizeof self->line) { /* a line without end is passed on in pieces */
        log_pass(self->line, self->len);
        self->len = 0;
    }
}

void child_read(struct child *self)
{
    while (self->output >= 0) {
        ssize_t got = read(self->output, self->line + self->len, sizeof self->line - self->len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN)
            return;
        if (got <= 0) {
            if (self->len > 0)
                log_pass(self->line, self->len);
            self->len = 0;
            child_fini(self);
            return;
        }
        self->len += (size_t)got;
        pass_lines(self);
    }
}

void child_kill_group(const struct child *self)
{
    if (self->pid > 0)
        kill(-self->pid, SIGKILL);
}

void child_signal(const struct child *self, int signal_number)
{
    if (self->pid > 0)
        kill(self->pid, signal_number);
}

void child_ended(struct child *self, int status, int64_t now_ms)
{
    child_kill_group(self);
    child_read(self);
    self->pid = 0;
    if (now_ms - self->started_ms >= CHILD_STEADY_MS) {
        self->pause_ms = CHILD_PAUSE_MS;
        self->failures = 0;
    }
    self->failures += WIFEXITED(status) && WEXITSTATUS(status) != 0;
    self->restart_ms = now_ms + self->pause_ms;
    self->pause_ms = self->pause_ms * 2 < CHILD_PAUSE_MAX_MS ? self->pause_ms * 2 : CHILD_PAUSE_MAX_MS;
}
