/* Dumps by their age, in a real folder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "old_dumps.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW_S INT64_C(1700000000)
#define HOUR  3600
#define DAY   (24 * HOUR)

static char folder[] = "/tmp/sheetwire-dumps-XXXXXX";

static void make(const char *name, int64_t age_s)
{
    char path[512];
    struct timespec times[2] = {{.tv_sec = NOW_S - age_s}, {.tv_sec = NOW_S - age_s}};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static bool there(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return access(path, F_OK) == 0;
}

static int setup(void **state)
{
    (void)state;
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static void names_of_dumps_are_known(void **state)
{
    (void)state;
    assert_true(old_dumps_name("c_20231114_221320.tar.gz"));
    assert_true(old_dumps_name("a_b:c-1_20231114_221320.tar.gz"));
    assert_false(old_dumps_name("_20231114_221320.tar.gz"));
    assert_false(old_dumps_name("c_2023111_221320.tar.gz"));
    assert_false(old_dumps_name("c-20231114_221320.tar.gz"));
    assert_false(old_dumps_name("c_20231114_22132x.tar.gz"));
    assert_false(old_dumps_name("c_20231114_221320.tar.gz.bak"));
    assert_false(old_dumps_name("holiday.tar.gz"));
    assert_false(old_dumps_name(""));
}

static void old_dumps_and_dead_parts_go(void **state)
{
    (void)state;
    make("c_20231001_000000.tar.gz", 31 * DAY);
    make("c_20231114_000000.tar.gz", 29 * DAY);
    make("photos.tar.gz", 400 * DAY);
    make(".dump-abcdef", 2 * HOUR);
    make(".dump-ghijkl", HOUR / 2);
    make(".scratch-abcdef", 2 * HOUR);
    make(".hidden", 400 * DAY);
    old_dumps_remove(folder, INT64_C(30) * DAY * 1000000, NOW_S * 1000000);
    assert_false(there("c_20231001_000000.tar.gz"));
    assert_true(there("c_20231114_000000.tar.gz"));
    assert_true(there("photos.tar.gz"));
    assert_false(there(".dump-abcdef"));
    assert_true(there(".dump-ghijkl"));
    assert_false(there(".scratch-abcdef"));
    assert_true(there(".hidden"));
}

static void without_an_age_only_parts_go(void **state)
{
    (void)state;
    make("c_20001001_000000.tar.gz", 8000 * DAY);
    make(".dump-abcdef", 2 * HOUR);
    old_dumps_remove(folder, 0, NOW_S * 1000000);
    assert_true(there("c_20001001_000000.tar.gz"));
    assert_false(there(".dump-abcdef"));
}

static void what_is_no_file_is_let_be(void **state)
{
    char path[512];
    (void)state;
    snprintf(path, sizeof path, "%s/c_20001001_000000.tar.gz", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    old_dumps_remove(folder, 1, NOW_S * 1000000);
    assert_true(there("c_20001001_000000.tar.gz"));
    old_dumps_remove("/tmp/sheetwire-no-such-folder", 1, NOW_S * 1000000);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(names_of_dumps_are_known),
        CASE(old_dumps_and_dead_parts_go),
        CASE(without_an_age_only_parts_go),
        CASE(what_is_no_file_is_let_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
