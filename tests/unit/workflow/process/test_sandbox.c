/* The trial of the seccomp filter when a worker starts. What steps may do under it is tested with real ones
 * (test_zygote.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "process/sandbox.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS 100
#define LOOKS  20000 /* of a killer that finds nobody */

/* Another child of the same parent; 0: there is none. */
static pid_t find_sibling(pid_t parent)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)parent, (int)parent);
    FILE *children = fopen(path, "re");
    char line[256] = "";
    if (children && !fgets(line, sizeof line, children))
        line[0] = '\0';
    if (children)
        fclose(children);
    for (char *at = line, *end; *at; at = end) {
        long pid = strtol(at, &end, 10);
        if (end == at)
            break;
        if (pid > 0 && pid != getpid())
            return (pid_t)pid;
    }
    return 0;
}

/* In a process of its own: kills the first sibling that appears. */
static void kill_a_sibling(pid_t parent)
{
    for (int i = 0; i < LOOKS; i++) {
        pid_t sibling = find_sibling(parent);
        if (sibling > 0 && kill(sibling, SIGKILL) == 0)
            _exit(EXIT_SUCCESS);
    }
    _exit(EXIT_FAILURE);
}

static void a_trial_that_somebody_kills_is_made_again(void **state)
{
    (void)state;
    int killed = 0;
    for (int round = 0; round < ROUNDS; round++) {
        struct sandbox *sandbox;
        struct fault why = {.text = ""};
        pid_t parent = getpid(), killer = fork();
        int status;
        assert_true(killer >= 0);
        if (killer == 0)
            kill_a_sibling(parent);
        for (int i = 0; i < 20; i++) {
            if (sandbox_new(&sandbox, &why) != ERR_OK)
                fail_msg("%s", why.text);
            sandbox_destroy(&sandbox);
        }
        kill(killer, SIGKILL);
        assert_int_equal(waitpid(killer, &status, 0), killer);
        killed += WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS;
    }
    assert_true(killed > 0);
    print_message("%d of %d killers met a trial\n", killed, ROUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trial_that_somebody_kills_is_made_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
