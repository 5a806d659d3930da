#include "operations/row_set.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static bool add(struct row_set *self, struct cell a, struct cell b)
{
    const struct cell cells[] = {a, b};
    bool added;
    assert_int_equal(row_set_add(self, cells, 2, &added, NULL), ERR_OK);
    return added;
}

static struct cell text(const char *bytes)
{
    return cell_text(bytes, strlen(bytes));
}

static void rows_are_told_apart_by_every_cell(void **state)
{
    (void)state;
    struct row_set *self;
    assert_int_equal(row_set_new(&self, 0, NULL), ERR_OK);
    assert_true(add(self, text("a"), text("b")));
    assert_false(add(self, text("a"), text("b")));
    assert_true(add(self, text("b"), text("a")));
    assert_true(add(self, text("ab"), cell_empty()));
    assert_true(add(self, cell_empty(), text("ab")));
    assert_true(add(self, cell_empty(), cell_empty()));
    assert_true(add(self, text("A"), text("b")));
    row_set_destroy(&self);
}

static void an_error_value_is_nothing_and_numbers_are_their_text(void **state)
{
    (void)state;
    struct row_set *self;
    const struct cell error = {.kind = CELL_ERROR, .len = 4, .is.text = "#N/A"};
    const struct cell seven = {.kind = CELL_INTEGER, .is.integer = 7};
    assert_int_equal(row_set_new(&self, 0, NULL), ERR_OK);
    assert_true(add(self, error, seven));
    assert_false(add(self, cell_empty(), text("7")));
    row_set_destroy(&self);
}

static void many_rows_are_each_found_again(void **state)
{
    (void)state;
    struct row_set *self;
    assert_int_equal(row_set_new(&self, 64 << 20, NULL), ERR_OK);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 100000; i++) {
            char number[16];
            snprintf(number, sizeof number, "%d", i);
            if (add(self, text("x"), text(number)) != (round == 0))
                fail_msg("round %d, row %d", round, i);
        }
    }
    row_set_destroy(&self);
}

static void a_long_row_gets_room(void **state)
{
    (void)state;
    struct row_set *self;
    size_t len = 1 << 20;
    char *bytes = malloc(len);
    assert_non_null(bytes);
    memset(bytes, 'x', len);
    assert_int_equal(row_set_new(&self, 4 << 20, NULL), ERR_OK);
    assert_true(add(self, cell_text(bytes, len), cell_empty()));
    assert_true(add(self, cell_text(bytes, len - 1), text("x")));
    assert_false(add(self, cell_text(bytes, len), cell_empty()));
    free(bytes);
    row_set_destroy(&self);
}

static void the_limit_is_kept_and_named(void **state)
{
    (void)state;
    struct row_set *self;
    struct fault why = {.code = ERR_OK};
    bool added;
    assert_int_equal(row_set_new(&self, 1 << 20, NULL), ERR_OK);
    int rows = 0;
    for (enum err err = ERR_OK; err == ERR_OK; rows++) {
        char number[16];
        struct cell cell = cell_text(number, (size_t)snprintf(number, sizeof number, "%d", rows));
        err = row_set_add(self, &cell, 1, &added, &why);
    }
    assert_int_equal(why.code, ERR_MEMORY);
    assert_non_null(strstr(why.text, "(workflow.step_memory_mb: 1)"));
    assert_in_range(rows, 1000, 100000);
    row_set_destroy(&self);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_told_apart_by_every_cell),
        cmocka_unit_test(an_error_value_is_nothing_and_numbers_are_their_text),
        cmocka_unit_test(many_rows_are_each_found_again),
        cmocka_unit_test(a_long_row_gets_room),
        cmocka_unit_test(the_limit_is_kept_and_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
