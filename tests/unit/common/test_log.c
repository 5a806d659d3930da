#include "log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char path[] = "/tmp/sheetwire-log-XXXXXX";

/* Logs into a fresh file with standard error turned away, and returns what was written without the time. */
static const char *written(void)
{
    static char text[16384];
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t len = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[len] = '\0';
    assert_int_equal(truncate(path, 0), 0);
    char *after_time = strchr(text, ' ');
    return after_time ? after_time + 1 : text;
}

static void a_line_has_time_level_program_sentence_and_pairs(void **state)
{
    (void)state;
    log_info("job accepted", "chat", "c-1", "count", LOG_NUMBER(-42), NULL);
    assert_string_equal(written(), "info broker job accepted chat=c-1 count=-42\n");
}

static void odd_values_are_quoted(void **state)
{
    (void)state;
    log_warning("odd", "a", "two words", "b", "say \"hi\"\n", "c", "", "d", NULL, "e", "\x1b[31m", NULL);
    assert_string_equal(written(), "warning broker odd a=\"two words\" b=\"say \\\"hi\\\"\\n\" c=\"\" d=\"\" "
                                   "e=\"\\u001b[31m\"\n");
}

static void nobody_can_forge_a_second_line(void **state)
{
    (void)state;
    log_error("peer said x\n2026 error broker forged", "k", "v\nw", NULL);
    const char *text = written();
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
}

static void a_line_below_the_level_is_not_written(void **state)
{
    (void)state;
    log_debug("quiet", NULL);
    assert_string_equal(written(), "");
}

static void a_very_long_line_is_cut_and_still_one_line(void **state)
{
    (void)state;
    char *value = malloc(10000);
    memset(value, 'x', 9999);
    value[9999] = '\0';
    log_info("long", "v", value, "after", "1", NULL);
    const char *text = written();
    assert_true(strlen(text) < 4200);
    assert_int_equal(text[strlen(text) - 1], '\n');
    free(value);
}

static void levels_are_read_in_any_case(void **state)
{
    (void)state;
    enum log_level level;
    assert_true(log_level_parse("WARNING", &level));
    assert_int_equal(level, LOG_WARNING);
    assert_true(log_level_parse("debug", &level));
    assert_int_equal(level, LOG_DEBUG);
    assert_false(log_level_parse("loud", &level));
    assert_false(log_level_parse("", &level));
}

static void a_file_that_cannot_be_opened_is_named(void **state)
{
    (void)state;
    struct fault why;
    assert_int_equal(log_open("broker", LOG_INFO, "/nonexistent-folder/x.log", &why), ERR_NOT_FOUND);
    assert_non_null(strstr(why.text, "/nonexistent-folder/x.log"));
}

static void a_line_of_another_program_is_passed_on_by_its_level(void **state)
{
    (void)state;
    static const char info[] = "2026-11-22T17:39:22.721654Z info broker ready", odd[] = "assertion failed \x1b[2J";
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    int saved = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    log_stderr_level(LOG_WARNING);
    log_pass(info, sizeof info - 1);
    log_pass(odd, sizeof odd - 1);
    log_pass("", 0);
    log_stderr_level(LOG_DEBUG);
    dup2(saved, STDERR_FILENO);
    close(saved);
    char seen[256];
    ssize_t len = read(ends[0], seen, sizeof seen - 1);
    close(ends[0]);
    assert_true(len > 0);
    seen[len] = '\0';
    assert_string_equal(seen, "assertion failed \\u001b[2J\n\n");
    assert_string_equal(written(), "info broker ready\nassertion failed \\u001b[2J\n\n");
}

static int open_log(void **state)
{
    (void)state;
    struct fault why;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    int null = open("/dev/null", O_WRONLY);
    dup2(null, STDERR_FILENO);
    close(null);
    return log_open("broker", LOG_INFO, path, &why) == ERR_OK ? 0 : -1;
}

static int remove_log(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_time_level_program_sentence_and_pairs),
        cmocka_unit_test(odd_values_are_quoted),
        cmocka_unit_test(nobody_can_forge_a_second_line),
        cmocka_unit_test(a_line_below_the_level_is_not_written),
        cmocka_unit_test(a_very_long_line_is_cut_and_still_one_line),
        cmocka_unit_test(levels_are_read_in_any_case),
        cmocka_unit_test(a_file_that_cannot_be_opened_is_named),
        cmocka_unit_test(a_line_of_another_program_is_passed_on_by_its_level),
    };
    return cmocka_run_group_tests(tests, open_log, remove_log);
}
