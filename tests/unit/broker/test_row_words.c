/* The words of the record: each is found again, and no other one is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/row_words.h"

static void every_word_is_found_again(void **state)
{
    (void)state;
    for (int i = CHAT_CREATED; i <= CHAT_FAILED; i++)
        assert_int_equal(chat_status_of(chat_status_name((enum chat_status)i)), i);
    for (int i = JOB_PENDING; i <= JOB_CANCELLED; i++)
        assert_int_equal(job_status_of(job_status_name((enum job_status)i)), i);
    for (int i = STEP_PENDING; i <= STEP_FAILED; i++)
        assert_int_equal(step_status_of(step_status_name((enum step_status)i)), i);
    for (int i = FILE_UPLOADED; i <= FILE_RESULT; i++)
        assert_int_equal(file_type_of(file_type_name((enum file_type)i)), i);
}

static void another_word_is_none(void **state)
{
    (void)state;
    assert_int_equal(chat_status_of("Created"), -1);
    assert_int_equal(job_status_of(""), -1);
    assert_int_equal(step_status_of("cancelled"), -1); /* a job's word */
    assert_int_equal(file_type_of("outputs"), -1);     /* a folder's */
}

static void folders_are_those_of_the_contract(void **state)
{
    (void)state;
    assert_string_equal(file_type_folder(FILE_UPLOADED), "uploads");
    assert_string_equal(file_type_folder(FILE_OUTPUT), "outputs");
    assert_string_equal(file_type_folder(FILE_INTERMEDIATE), "intermediate");
    assert_string_equal(file_type_folder(FILE_RESULT), "results");
}

static void a_job_ends_in_three_ways(void **state)
{
    (void)state;
    for (int i = JOB_PENDING; i <= JOB_CANCELLED; i++)
        assert_int_equal(job_status_final((enum job_status)i), i != JOB_PENDING && i != JOB_RUNNING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_word_is_found_again),
        cmocka_unit_test(another_word_is_none),
        cmocka_unit_test(folders_are_those_of_the_contract),
        cmocka_unit_test(a_job_ends_in_three_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
