/* Snapshots by a virtual clock, of a real record in a temporary folder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "snapshots.h"
#include "store/store.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define T0     INT64_C(1700000000000000) /* 2023-11-14T22:13:20Z */
#define MINUTE INT64_C(60000000)
#define DAY    (24 * 60 * MINUTE)

struct fixture {
    char folder[64], record[PATH_MAX], snapshots[PATH_MAX];
    struct store *store;
    uint64_t term;
    atomic_bool end;
    struct snapshots self;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    strcpy(f->folder, "/tmp/sheetwire-snap-XXXXXX");
    if (!mkdtemp(f->folder))
        return -1;
    snprintf(f->record, sizeof f->record, "%s/chat.db", f->folder);
    snprintf(f->snapshots, sizeof f->snapshots, "%s/snapshots", f->folder);
    if (store_open(&f->store, f->record, &f->term, NULL) != ERR_OK)
        return -1;
    f->self = (struct snapshots){.record = f->store,
                                 .folder = f->snapshots,
                                 .scheduled = true,
                                 .interval_us = 60 * MINUTE,
                                 .retention_us = 2 * DAY,
                                 .end = &f->end};
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    char command[128];
    store_close(&f->store);
    snprintf(command, sizeof command, "rm -rf %s", f->folder);
    int failed = system(command);
    free(f);
    return failed;
}

static bool there(const struct fixture *f, const char *name)
{
    char path[PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/%s", f->snapshots, name);
    return access(path, F_OK) == 0;
}

static void names_tell_their_time(void **state)
{
    static const char *const others[] = {"",
                                         "chat_backup_20231114_221320.db.txt",
                                         ".chat_backup.part",
                                         "chat_backup_20231314_221320.db",
                                         "chat_backup_20231131_221320.db",
                                         "chat_backup_2023114_221320.db",
                                         "mine.db"};
    int64_t wall_us = 0;
    (void)state;
    assert_true(snapshots_time("chat_backup_20231114_221320.db", &wall_us));
    assert_int_equal(wall_us, T0);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (snapshots_time(others[i], &wall_us))
            fail_msg("taken for a snapshot: %s", others[i]);
}

static void two_in_one_second_have_two_names(void **state)
{
    struct fixture *f = *state;
    char first[SNAPSHOT_NAME_MAX], second[SNAPSHOT_NAME_MAX];
    assert_int_equal(snapshots_take(&f->self, T0, first, NULL), ERR_OK);
    assert_int_equal(snapshots_take(&f->self, T0, second, NULL), ERR_OK);
    assert_string_equal(first, "chat_backup_20231114_221320.db");
    assert_string_equal(second, "chat_backup_20231114_221321.db");
    assert_true(there(f, first) && there(f, second));
    assert_false(there(f, ".chat_backup.part"));
}

static void the_clock_takes_one_an_interval_and_removes_the_old(void **state)
{
    struct fixture *f = *state;
    snapshots_tick(&f->self, T0);
    assert_true(there(f, "chat_backup_20231114_221320.db"));
    snapshots_tick(&f->self, T0 + 59 * MINUTE);
    assert_false(there(f, "chat_backup_20231114_231220.db"));
    snapshots_tick(&f->self, T0 + 61 * MINUTE);
    assert_true(there(f, "chat_backup_20231114_231420.db"));
    snapshots_tick(&f->self, T0 + 2 * DAY + MINUTE);
    assert_false(there(f, "chat_backup_20231114_221320.db"));
    assert_true(there(f, "chat_backup_20231114_231420.db"));
    assert_true(there(f, "chat_backup_20231116_221420.db"));
}

static void without_a_schedule_nothing_comes_and_nothing_goes(void **state)
{
    struct fixture *f = *state;
    char name[SNAPSHOT_NAME_MAX];
    f->self.scheduled = false;
    assert_int_equal(snapshots_take(&f->self, T0, name, NULL), ERR_OK);
    snapshots_tick(&f->self, T0 + 100 * DAY);
    assert_true(there(f, name));
}

static void a_copy_that_is_given_up_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    char name[SNAPSHOT_NAME_MAX];
    struct fault why;
    atomic_store(&f->end, true);
    assert_int_not_equal(snapshots_take(&f->self, T0, name, &why), ERR_OK);
    assert_true(why.text[0]);
    assert_false(there(f, ".chat_backup.part"));
    assert_false(there(f, "chat_backup_20231114_221320.db"));
}

static void a_copy_that_is_opened_goes_far_ahead_in_terms_once(void **state)
{
    struct fixture *f = *state;
    char name[SNAPSHOT_NAME_MAX], path[PATH_MAX + 80];
    struct store *copy = NULL;
    uint64_t term = 0, again = 0;
    assert_int_equal(snapshots_take(&f->self, T0, name, NULL), ERR_OK);
    snprintf(path, sizeof path, "%s/%s", f->snapshots, name);
    assert_int_equal(store_open(&copy, path, &term, NULL), ERR_OK);
    store_close(&copy);
    assert_true(term > f->term + 1000);
    assert_int_equal(store_open(&copy, path, &again, NULL), ERR_OK);
    store_close(&copy);
    assert_int_equal(again, term + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_tell_their_time),
        cmocka_unit_test_setup_teardown(two_in_one_second_have_two_names, setup, teardown),
        cmocka_unit_test_setup_teardown(the_clock_takes_one_an_interval_and_removes_the_old, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_schedule_nothing_comes_and_nothing_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(a_copy_that_is_given_up_leaves_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_copy_that_is_opened_goes_far_ahead_in_terms_once, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
