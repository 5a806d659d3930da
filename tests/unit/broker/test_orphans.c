/* Which files are removed, and above all which are not. */
#include "record_on_disk.h"

#include "orphans.h"

#define AGE   (2 * HOUR)
#define BORN  (T0 - 30 * DAY)
#define OLD   (T0 - AGE - HOUR)
#define YOUNG (T0 - AGE + 60 * SECOND)

static int setup(void **state)
{
    if (record_setup(state) != 0)
        return -1;
    struct record *self = *state;
    char sql[128];
    snprintf(sql, sizeof sql, "UPDATE meta SET value = %lld WHERE key = 'born_us'", (long long)BORN);
    record_rewrite(self, sql);
    record_open(self);
    return 0;
}

/* A whole pass, three files at a time. */
static void look(struct record *self)
{
    struct orphans orphans;
    orphans_init(&orphans, self->reader, self->files, AGE);
    while (!orphans_look(&orphans, T0, 3))
        continue;
    orphans_fini(&orphans);
}

static void files_nobody_names_go_when_they_are_old(void **state)
{
    struct record *self = *state;
    char named[FILES_KEY_MAX], input[FILES_KEY_MAX], spool[FILES_KEY_MAX], orphan[2][FILES_KEY_MAX],
        young[FILES_KEY_MAX], lost[FILES_KEY_MAX];
    record_make_file(self, "2023/11/c/uploads", OLD, named);
    record_make_file(self, "2023/11/c/uploads", OLD, input);
    record_make_file(self, "2023/11/c/uploads", OLD, orphan[0]);
    record_make_file(self, "2023/11/c/outputs", OLD, orphan[1]);
    record_make_file(self, "2023/11/c/uploads", YOUNG, young);
    record_make_file(self, "2023/11/c/spool", OLD, spool);
    record_make_file(self, "2023/10/gone/outputs", OLD, lost);
    record_add_chat(self, "c", false, T0);
    record_add_file(self, "c", "a.csv", named);
    record_put_job(self, "c", "j", JOB_COMPLETED, input);
    record_put_spool(self, "c", "j", spool);
    record_commit(self);
    look(self);
    assert_true(record_has_file(self, named));
    assert_true(record_has_file(self, input));
    assert_true(record_has_file(self, spool));
    assert_true(record_has_file(self, young));
    assert_false(record_has_file(self, orphan[0]));
    assert_false(record_has_file(self, orphan[1]));
    assert_false(record_has_file(self, lost));
    assert_false(record_has_file(self, "2023/10")); /* empty folders go with them */
}

static void a_chat_with_an_unfinished_job_is_let_be(void **state)
{
    struct record *self = *state;
    char held[FILES_KEY_MAX];
    record_make_file(self, "2023/11/c/outputs", OLD, held);
    record_add_chat(self, "c", false, T0);
    record_put_job(self, "c", "j", JOB_RUNNING, "k-in");
    record_commit(self);
    look(self);
    assert_true(record_has_file(self, held));
    record_put_job(self, "c", "j", JOB_FAILED, "k-in");
    record_commit(self);
    look(self);
    assert_false(record_has_file(self, held));
}

/* A wrong path in the configuration, or an older copy of the record in its place, must not cost a single file. */
static void files_from_before_the_record_are_let_be(void **state)
{
    struct record *self = *state;
    char before[FILES_KEY_MAX], since[FILES_KEY_MAX];
    record_make_file(self, "2023/11/c/uploads", BORN - DAY, before);
    record_make_file(self, "2023/11/c/uploads", BORN + DAY, since);
    look(self);
    assert_true(record_has_file(self, before));
    assert_false(record_has_file(self, since));
}

static void an_adopted_copy_begins_a_new_time(void **state)
{
    struct record *self = *state;
    char copy[128];
    int64_t born_us = 0;
    atomic_bool end = false;
    assert_int_equal(store_read_born(self->reader, &born_us, &self->why), ERR_OK);
    assert_int_equal(born_us, BORN);
    snprintf(copy, sizeof copy, "%s/copy.db", self->folder);
    assert_int_equal(store_copy(self->store, copy, &end, &self->why), ERR_OK);
    store_reader_close(&self->reader);
    store_close(&self->store);
    strcpy(self->path, copy);
    record_open(self);
    assert_int_equal(store_read_born(self->reader, &born_us, &self->why), ERR_OK);
    assert_true(born_us > T0); /* now, of the real clock */
    store_reader_close(&self->reader);
    store_close(&self->store);
    int64_t first_us = born_us;
    record_open(self);
    assert_int_equal(store_read_born(self->reader, &born_us, &self->why), ERR_OK);
    assert_int_equal(born_us, first_us); /* opened again it is no copy any more */
}

static void files_that_are_no_chats_are_let_be(void **state)
{
    struct record *self = *state;
    char flat[FILES_KEY_MAX], shallow[FILES_KEY_MAX];
    record_make_file(self, "readme", OLD, flat);
    record_make_file(self, "2023/11", OLD, shallow);
    look(self);
    assert_true(record_has_file(self, flat));
    assert_true(record_has_file(self, shallow));
}

#undef ON_DISK
#define ON_DISK(name) cmocka_unit_test_setup_teardown(name, setup, record_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_DISK(files_nobody_names_go_when_they_are_old), ON_DISK(a_chat_with_an_unfinished_job_is_let_be),
        ON_DISK(files_from_before_the_record_are_let_be), ON_DISK(an_adopted_copy_begins_a_new_time),
        ON_DISK(files_that_are_no_chats_are_let_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
