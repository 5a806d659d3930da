#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/turns.h"

static void who_joins_first_is_first_and_nobody_queues_twice(void **state)
{
    (void)state;
    struct turns turns = {0};
    struct turn a = {0}, b = {0}, c = {0};
    turns_join(&turns, &a);
    turns_join(&turns, &b);
    turns_join(&turns, &a);
    turns_join(&turns, &c);
    assert_ptr_equal(turns.first, &a);
    assert_ptr_equal(a.next, &b);
    assert_ptr_equal(turns.last, &c);
}

static void anybody_may_leave(void **state)
{
    (void)state;
    struct turns turns = {0};
    struct turn a = {0}, b = {0}, c = {0};
    turns_join(&turns, &a);
    turns_join(&turns, &b);
    turns_join(&turns, &c);
    turns_leave(&turns, &b);
    turns_leave(&turns, &b);
    assert_ptr_equal(a.next, &c);
    turns_leave(&turns, &a);
    assert_ptr_equal(turns.first, &c);
    turns_leave(&turns, &c);
    assert_null(turns.first);
    assert_null(turns.last);
    turns_join(&turns, &b);
    assert_ptr_equal(turns.first, &b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_joins_first_is_first_and_nobody_queues_twice),
        cmocka_unit_test(anybody_may_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
