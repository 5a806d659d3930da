#include "operations/normalize/column_facts.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct allowance unlimited = {.max = 0};

/* Facts of a column of texts; "" is an empty cell. The finder is the caller's: the mode borrows from it. */
static struct fact_finder *gather(enum fact_need need, const char *const *texts, size_t count, struct column_facts *out)
{
    struct fact_finder *self;
    assert_int_equal(fact_finder_new(&self, need, &unlimited, NULL), ERR_OK);
    for (size_t i = 0; i < count; i++) {
        struct cell cell = cell_text(texts[i], strlen(texts[i]));
        assert_int_equal(fact_finder_add(self, &cell, NULL), ERR_OK);
    }
    fact_finder_finish(self, out);
    return self;
}

#define GATHER(need, out, ...)                                                                                         \
    gather(need, (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), out)

static void range_and_moments_are_of_the_numbers(void **state)
{
    (void)state;
    struct column_facts facts;
    struct fact_finder *self = GATHER(NEED_RANGE, &facts, "3", "", "-2.5", "x", "inf", " 7 ");
    assert_int_equal(facts.numbers, 3);
    assert_true(facts.min == -2.5 && facts.max == 7);
    fact_finder_destroy(&self);
    self = GATHER(NEED_MOMENTS, &facts, "2", "4", "4", "4", "5", "5", "7", "9", "no");
    assert_int_equal(facts.numbers, 8);
    assert_true(facts.mean == 5);
    assert_true(fabs(facts.deviation - sqrt(32.0 / 7)) < 1e-12);
    fact_finder_destroy(&self);
    self = GATHER(NEED_MOMENTS, &facts, "7", "");
    assert_true(isnan(facts.deviation));
    fact_finder_destroy(&self);
}

/* Far from zero, sums of squares would have no digits left. */
static void the_deviation_keeps_its_digits(void **state)
{
    (void)state;
    struct column_facts facts;
    struct fact_finder *self = GATHER(NEED_MOMENTS, &facts, "1000000000001", "1000000000002", "1000000000003");
    assert_true(fabs(facts.deviation - 1) < 1e-9);
    fact_finder_destroy(&self);
}

static void quartiles_lie_between_numbers(void **state)
{
    (void)state;
    struct column_facts facts;
    struct fact_finder *self = GATHER(NEED_QUANTILES, &facts, "4", "1", "x", "3", "2");
    assert_true(facts.q1 == 1.75 && facts.median == 2.5 && facts.q3 == 3.25);
    fact_finder_destroy(&self);
    self = GATHER(NEED_QUANTILES, &facts, "5");
    assert_true(facts.q1 == 5 && facts.median == 5 && facts.q3 == 5);
    fact_finder_destroy(&self);
    self = GATHER(NEED_QUANTILES, &facts, "x");
    assert_int_equal(facts.numbers, 0);
    fact_finder_destroy(&self);
}

static void the_mode_is_the_smallest_of_the_most_frequent(void **state)
{
    (void)state;
    struct column_facts facts;
    struct fact_finder *self = GATHER(NEED_MODE, &facts, "b", "", "", "", "ab", "b", "ab", "c");
    assert_int_equal(facts.mode.len, 2);
    assert_memory_equal(facts.mode.is.text, "ab", 2);
    fact_finder_destroy(&self);
    self = GATHER(NEED_MODE, &facts, "", "");
    assert_int_equal(facts.mode.kind, CELL_ERROR);
    fact_finder_destroy(&self);
}

static void numbers_order_by_value(void **state)
{
    (void)state;
    struct fact_finder *self;
    struct column_facts facts;
    const struct cell cells[] = {{.kind = CELL_INTEGER, .is.integer = 10}, {.kind = CELL_REAL, .is.real = 9.5}};
    assert_int_equal(fact_finder_new(&self, NEED_MODE, &unlimited, NULL), ERR_OK);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(fact_finder_add(self, &cells[i % 2], NULL), ERR_OK);
    fact_finder_finish(self, &facts);
    assert_int_equal(facts.mode.kind, CELL_REAL);
    assert_true(facts.mode.is.real == 9.5);
    fact_finder_destroy(&self);
}

static void what_is_remembered_is_limited_and_given_back(void **state)
{
    (void)state;
    static const enum fact_need needs[] = {NEED_QUANTILES, NEED_MODE};
    for (size_t n = 0; n < 2; n++) {
        struct allowance allowance = {.max = 1u << 16};
        struct fact_finder *self;
        struct fault why;
        enum err err = fact_finder_new(&self, needs[n], &allowance, &why);
        for (int i = 0; i < 100000 && err == ERR_OK; i++) {
            const struct cell cell = {.kind = CELL_INTEGER, .is.integer = i};
            err = fact_finder_add(self, &cell, &why);
        }
        assert_int_equal(err, ERR_MEMORY);
        assert_non_null(strstr(why.text, "workflow.step_memory_mb"));
        fact_finder_destroy(&self);
        assert_int_equal(allowance.used, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(range_and_moments_are_of_the_numbers),
        cmocka_unit_test(the_deviation_keeps_its_digits),
        cmocka_unit_test(quartiles_lie_between_numbers),
        cmocka_unit_test(the_mode_is_the_smallest_of_the_most_frequent),
        cmocka_unit_test(numbers_order_by_value),
        cmocka_unit_test(what_is_remembered_is_limited_and_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
