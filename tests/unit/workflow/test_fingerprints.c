#include "operations/fingerprints.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void equal_cells_count_once(void **state)
{
    (void)state;
    struct allowance allowance = {.max = 0};
    struct fingerprints self;
    fingerprints_init(&self, &allowance);
    const struct cell cells[] = {
        cell_text("1", 1),
        cell_text("1", 1),
        cell_empty(),
        cell_empty(),
        {.kind = CELL_INTEGER, .is.integer = 1},
        {.kind = CELL_REAL, .is.real = 1.0},
        {.kind = CELL_REAL, .is.real = 1.5},
        {.kind = CELL_TRUTH, .is.truth = true},
        {.kind = CELL_TRUTH, .is.truth = false},
        {.kind = CELL_INTEGER, .is.integer = 9007199254740993},
        {.kind = CELL_INTEGER, .is.integer = 9007199254740992},
    };
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++)
        fingerprints_add(&self, &cells[i]);
    assert_int_equal(fingerprints_count(&self), 8);
    fingerprints_fini(&self);
    assert_int_equal(allowance.used, 0);
}

static void add_numbers(struct fingerprints *self, int count)
{
    for (int i = 0; i < count; i++) {
        char text[16];
        int len = snprintf(text, sizeof text, "%d", i);
        struct cell cell = cell_text(text, (size_t)len);
        fingerprints_add(self, &cell);
    }
}

static void many_are_counted_exactly(void **state)
{
    (void)state;
    struct allowance allowance = {.max = 0};
    struct fingerprints self;
    fingerprints_init(&self, &allowance);
    add_numbers(&self, 100000);
    add_numbers(&self, 100000);
    assert_int_equal(fingerprints_count(&self), 100000);
    fingerprints_fini(&self);
}

static void beyond_the_allowance_the_count_is_unknown(void **state)
{
    (void)state;
    struct allowance allowance = {.max = 4096};
    struct fingerprints self;
    fingerprints_init(&self, &allowance);
    add_numbers(&self, 100);
    assert_int_equal(fingerprints_count(&self), 100);
    add_numbers(&self, 1000);
    assert_int_equal(fingerprints_count(&self), -1);
    assert_int_equal(allowance.used, 0);
    fingerprints_fini(&self);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_cells_count_once),
        cmocka_unit_test(many_are_counted_exactly),
        cmocka_unit_test(beyond_the_allowance_the_count_is_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
