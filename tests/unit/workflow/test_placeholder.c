#include "operations/placeholder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void parts_are_told_apart(void **state)
{
    (void)state;
    struct placeholder self;
    size_t used;
    static const char text[] = "{ a b : INT | 1:2|3 } rest}";
    assert_true(placeholder_parse(text, sizeof text - 1, &self, &used));
    assert_int_equal(used, 21);
    assert_int_equal(self.name_len, 3);
    assert_memory_equal(self.name, "a b", 3);
    assert_int_equal(self.type, PLACEHOLDER_INT);
    assert_true(self.has_default);
    assert_int_equal(self.standard_len, 5);
    assert_memory_equal(self.standard, "1:2|3", 5);
    assert_true(placeholder_parse("{x|}", 4, &self, &used));
    assert_true(self.has_default);
    assert_int_equal(self.standard_len, 0);
    assert_true(placeholder_parse("{x:zzz}", 7, &self, &used));
    assert_int_equal(self.type, PLACEHOLDER_PLAIN);
    assert_false(self.has_default);
}

static void what_is_not_closed_is_none(void **state)
{
    (void)state;
    struct placeholder self;
    size_t used;
    assert_false(placeholder_parse("{}", 2, &self, &used));
    assert_false(placeholder_parse("{x", 2, &self, &used));
    assert_false(placeholder_parse("{", 1, &self, &used));
    assert_false(placeholder_parse("{a{b}", 5, &self, &used));
}

static void an_empty_cell_takes_the_default(void **state)
{
    (void)state;
    struct placeholder self;
    struct placeholder_value value;
    size_t used;
    const struct cell empty = cell_empty(), text = cell_text("on", 2);
    assert_true(placeholder_parse("{x:float|2}", 11, &self, &used));
    placeholder_value(&self, &empty, &value);
    assert_int_equal(value.kind, VALUE_NUMBER);
    assert_int_equal(value.len, 3);
    assert_memory_equal(value.text, "2.0", 3);
    placeholder_value(&self, &text, &value);
    assert_int_equal(value.kind, VALUE_TEXT);
    assert_true(placeholder_parse("{x:int}", 7, &self, &used));
    placeholder_value(&self, &empty, &value);
    assert_int_equal(value.kind, VALUE_NULL);
    assert_true(placeholder_parse("{x:bool}", 8, &self, &used));
    placeholder_value(&self, &text, &value);
    assert_true(value.kind == VALUE_TRUTH && value.truth);
}

static void nothing_is_null_where_a_number_is_wanted_or_the_cell_is_an_error(void **state)
{
    (void)state;
    struct placeholder self;
    struct placeholder_value value;
    size_t used;
    const struct cell empty = cell_empty(), error = {.kind = CELL_ERROR};
    assert_true(placeholder_parse("{x}", 3, &self, &used));
    placeholder_value(&self, &empty, &value);
    assert_int_equal(value.kind, VALUE_TEXT);
    placeholder_value(&self, &error, &value);
    assert_int_equal(value.kind, VALUE_NULL);
    assert_int_equal(value.len, 0);
    assert_true(placeholder_parse("{x:int|}", 8, &self, &used));
    placeholder_value(&self, &empty, &value);
    assert_int_equal(value.kind, VALUE_NULL);
    assert_true(placeholder_parse("{x|}", 4, &self, &used));
    placeholder_value(&self, &error, &value);
    assert_int_equal(value.kind, VALUE_TEXT);
    assert_true(placeholder_parse("{x:bool}", 8, &self, &used));
    placeholder_value(&self, &empty, &value);
    assert_true(value.kind == VALUE_TRUTH && !value.truth);
    placeholder_value(&self, &error, &value);
    assert_int_equal(value.kind, VALUE_NULL);
}

static void wildcards_at_the_ends_make_a_pattern(void **state)
{
    (void)state;
    struct placeholder self;
    size_t used;
    static const char text[] = "{ %_a_b:int% | %x }";
    assert_true(placeholder_parse_pattern(text, sizeof text - 1, &self, &used));
    assert_int_equal(used, sizeof text - 1);
    assert_int_equal(self.name_len, 3);
    assert_memory_equal(self.name, "a_b", 3);
    assert_int_equal(self.type, PLACEHOLDER_INT);
    assert_int_equal(self.before_len, 2);
    assert_memory_equal(self.before, "%_", 2);
    assert_int_equal(self.behind_len, 1);
    assert_memory_equal(self.behind, "%", 1);
    assert_int_equal(self.standard_len, 2);
    assert_true(placeholder_parse_pattern("{%}", 3, &self, &used));
    assert_int_equal(self.name_len, 0);
    assert_int_equal(self.behind_len, 0);
    assert_false(placeholder_parse_pattern("{}", 2, &self, &used));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_told_apart),
        cmocka_unit_test(what_is_not_closed_is_none),
        cmocka_unit_test(an_empty_cell_takes_the_default),
        cmocka_unit_test(nothing_is_null_where_a_number_is_wanted_or_the_cell_is_an_error),
        cmocka_unit_test(wildcards_at_the_ends_make_a_pattern),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
