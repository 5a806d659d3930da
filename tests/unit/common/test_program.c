#include "program.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define RAN 77 /* exit code of a child whose program_start() said: go on */

struct outcome {
    int exit_code;
    char text[65536]; /* standard output and standard error */
};

static void body(char **argv, int argc)
{
    struct program program = {.name = "sheetwire-test", .log_name = "test", .summary = "A program for tests."};
    int exit_code = 0;
    if (!program_start(&program, argc, argv, &exit_code)) {
        fflush(stdout);
        _exit(exit_code);
    }
    raise(SIGTERM);
    struct pollfd waiting = {.fd = program.signal_fd, .events = POLLIN};
    bool seen = poll(&waiting, 1, 5000) == 1;
    program_end(&program);
    _exit(seen ? RAN : 1);
}

/* Runs program_start() with these arguments in a child. */
static struct outcome *run(const char *first, const char *second, const char *third)
{
    static struct outcome outcome;
    char *argv[] = {(char[]){"sheetwire-test"}, first ? strdup(first) : NULL, second ? strdup(second) : NULL,
                    third ? strdup(third) : NULL, NULL};
    int argc = 0;
    while (argv[argc])
        argc++;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        dup2(ends[1], STDERR_FILENO);
        body(argv, argc);
    }
    close(ends[1]);
    size_t len = 0;
    ssize_t got;
    while ((got = read(ends[0], outcome.text + len, sizeof outcome.text - 1 - len)) > 0)
        len += (size_t)got;
    outcome.text[len] = '\0';
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    outcome.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    for (int i = 1; i < argc; i++)
        free(argv[i]);
    return &outcome;
}

static void check(const struct outcome *outcome, int exit_code, const char *text)
{
    if (outcome->exit_code != exit_code || !strstr(outcome->text, text))
        fail_msg("exit %d: %s", outcome->exit_code, outcome->text);
}

static void without_arguments_it_starts_and_sees_sigterm_on_its_descriptor(void **state)
{
    (void)state;
    check(run(NULL, NULL, NULL), RAN, "");
}

static void help_version_and_check_end_with_zero(void **state)
{
    (void)state;
    check(run("--help", NULL, NULL), 0, "A program for tests.");
    check(run("--version", NULL, NULL), 0, "sheetwire-test " SHEETWIRE_VERSION);
    check(run("--check-config", NULL, NULL), 0, "app.port: 5050  # default");
}

static void wrong_usage_ends_with_two(void **state)
{
    (void)state;
    check(run("--colour", NULL, NULL), 2, "unrecognized option '--colour'");
    check(run("--config", NULL, NULL), 2, "requires an argument");
    check(run("start", NULL, NULL), 2, "'start' is not an option");
    check(run("--config", "/nonexistent/a.yml", NULL), 2, "/nonexistent/a.yml: No such file or directory");
}

static void a_bad_configuration_ends_with_two_and_its_line(void **state)
{
    (void)state;
    char path[] = "/tmp/sheetwire-program-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "app:\n  port: 70000\n", 19), 19);
    close(fd);
    char expected[128];
    snprintf(expected, sizeof expected, "%s:2: app.port: 70000 is not in 1..65535\n", path);
    struct outcome *outcome = run("--config", path, NULL);
    unlink(path);
    assert_string_equal(outcome->text, expected);
    assert_int_equal(outcome->exit_code, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_arguments_it_starts_and_sees_sigterm_on_its_descriptor),
        cmocka_unit_test(help_version_and_check_end_with_zero),
        cmocka_unit_test(wrong_usage_ends_with_two),
        cmocka_unit_test(a_bad_configuration_ends_with_two_and_its_line),
    };
    char folder[] = "/tmp/sheetwire-program-XXXXXX"; /* no configs/application.yml here */
    if (!mkdtemp(folder) || chdir(folder) != 0)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return rmdir(folder) == 0 ? failed : 1;
}
