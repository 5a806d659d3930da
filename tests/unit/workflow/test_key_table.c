#include "operations/key_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void the_first_value_of_a_key_stays(void **state)
{
    (void)state;
    struct key_table *self;
    bool added;
    assert_int_equal(key_table_new(&self, 0), ERR_OK);
    assert_null(key_table_find(self, "a", 1));
    assert_int_equal(key_table_add(self, "a", 1, "one", 4, &added), ERR_OK);
    assert_true(added);
    assert_int_equal(key_table_add(self, "a", 1, "two", 4, &added), ERR_OK);
    assert_false(added);
    assert_int_equal(key_table_add(self, "", 0, NULL, 0, &added), ERR_OK);
    assert_true(added);
    assert_string_equal(key_table_find(self, "a", 1), "one");
    assert_non_null(key_table_find(self, "", 0));
    assert_null(key_table_find(self, "ab", 2));
    assert_int_equal(key_table_count(self), 2);
    key_table_destroy(&self);
}

static void many_keys_are_all_found_again(void **state)
{
    (void)state;
    struct key_table *self;
    char key[32], value[32];
    bool added;
    assert_int_equal(key_table_new(&self, 0), ERR_OK);
    for (int i = 0; i < 20000; i++) {
        size_t len = (size_t)snprintf(key, sizeof key, "%d", i);
        size_t value_len = (size_t)snprintf(value, sizeof value, "v%d", i) + 1;
        assert_int_equal(key_table_add(self, key, len, value, value_len, &added), ERR_OK);
    }
    for (int i = 0; i < 20000; i++) {
        size_t len = (size_t)snprintf(key, sizeof key, "%d", i);
        snprintf(value, sizeof value, "v%d", i);
        assert_string_equal(key_table_find(self, key, len), value);
    }
    assert_true(key_table_bytes(self) > 20000 * 24);
    key_table_destroy(&self);
}

static void memory_is_bounded(void **state)
{
    (void)state;
    struct key_table *self;
    bool added;
    assert_int_equal(key_table_new(&self, 100), ERR_MEMORY);
    assert_null(self);
    assert_int_equal(key_table_new(&self, 400 << 10), ERR_OK);
    enum err err = ERR_OK;
    uint32_t i = 0;
    for (; err == ERR_OK && i < 1000000; i++)
        err = key_table_add(self, (const char *)&i, sizeof i, NULL, 0, &added);
    assert_int_equal(err, ERR_MEMORY);
    assert_true(key_table_bytes(self) <= 400 << 10);
    i = 0;
    assert_non_null(key_table_find(self, (const char *)&i, sizeof i));
    key_table_destroy(&self);
}

static void keys_of_several_cells_keep_their_borders(void **state)
{
    (void)state;
    struct buf one = BUF_INIT(1024), other = BUF_INIT(1024);
    const struct cell first[] = {cell_text("a", 1), cell_text("bc", 2)};
    const struct cell second[] = {cell_text("ab", 2), cell_text("c", 1)};
    const struct cell error[] = {{.kind = CELL_ERROR, .len = 4, .is.text = "#N/A"}}, empty[] = {cell_empty()};
    assert_int_equal(key_table_encode(first, 2, &one), ERR_OK);
    assert_int_equal(key_table_encode(second, 2, &other), ERR_OK);
    assert_int_equal(one.len, other.len);
    assert_memory_not_equal(one.data, other.data, one.len);
    assert_int_equal(key_table_encode(error, 1, &one), ERR_OK);
    assert_int_equal(key_table_encode(empty, 1, &other), ERR_OK);
    assert_int_equal(one.len, other.len);
    assert_memory_equal(one.data, other.data, one.len);
    buf_fini(&one);
    buf_fini(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_value_of_a_key_stays),
        cmocka_unit_test(many_keys_are_all_found_again),
        cmocka_unit_test(memory_is_bounded),
        cmocka_unit_test(keys_of_several_cells_keep_their_borders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
