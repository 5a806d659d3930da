#include "nearest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void one_change_counts_one(void **state)
{
    (void)state;
    assert_int_equal(nearest_distance("serve", "serve"), 0);
    assert_int_equal(nearest_distance("serve", "srve"), 1);
    assert_int_equal(nearest_distance("serve", "servee"), 1);
    assert_int_equal(nearest_distance("serve", "sarve"), 1);
    assert_int_equal(nearest_distance("serve", "sevre"), 1);
    assert_int_equal(nearest_distance("", "tail"), 4);
    assert_int_equal(nearest_distance("tail", ""), 4);
    assert_int_equal(nearest_distance("kitten", "sitting"), 3);
}

static void the_first_of_equals_stays(void **state)
{
    (void)state;
    struct nearest self = NEAREST_INIT("taik");
    nearest_offer(&self, "run");
    nearest_offer(&self, "tail");
    nearest_offer(&self, "tai");
    assert_string_equal(self.best, "tail");
    assert_int_equal(self.distance, 1);
}

static void words_of_any_length_are_compared(void **state)
{
    (void)state;
    char word[1000];
    memset(word, 'x', sizeof word - 1);
    word[sizeof word - 1] = '\0';
    assert_int_equal(nearest_distance(word, "x"), NEAREST_WORD_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_change_counts_one),
        cmocka_unit_test(the_first_of_equals_stays),
        cmocka_unit_test(words_of_any_length_are_compared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
