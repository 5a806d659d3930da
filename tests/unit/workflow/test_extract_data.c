#include "step_case.h"

static const char table[] = "k,v,w\na,1,x\n,1,y\nA,,x\na,2,\"q\"\"\\\"\n";

static struct step_case run(const char *arguments, const char *csv)
{
    struct step_case self = {.operation = "excel/extract-columns", .arguments = arguments, .input = csv};
    step_case_run(&self);
    if (self.err != ERR_OK)
        fail_msg("%s", self.why.text);
    assert_false(self.outcome.made_table);
    return self;
}

static void expect_columns(const char *arguments, const char *csv, const char *columns)
{
    struct step_case self = run(arguments, csv);
    assert_false(self.outcome.data_file);
    assert_null(self.outcome.suffix);
    json_t *expected = json_loads(columns, 0, NULL);
    assert_non_null(expected);
    json_t *got = json_object_get(json_object_get(self.outcome.result, "data"), "columns");
    if (!json_equal(got, expected))
        fail_msg("got %s", json_dumps(got, 0));
    json_decref(expected);
    step_case_fini(&self);
}

static void values_come_with_their_counts(void **state)
{
    (void)state;
    expect_columns("{\"columns\": [\"w\", \"k\", \"nope\", \"w\"]}", table,
                   "{\"w\": {\"values\": [\"x\", \"y\", \"x\", \"q\\\"\\\\\"], \"value_count\": 4, \"total_count\": 4, "
                   "\"non_null_count\": 4, \"null_count\": 0, \"unique_count\": 3, \"data_type\": \"object\"}, "
                   "\"k\": {\"values\": [\"a\", \"\", \"A\", \"a\"], \"value_count\": 4, \"total_count\": 4, "
                   "\"non_null_count\": 4, \"null_count\": 0, \"unique_count\": 3, \"data_type\": \"object\"}}");
    expect_columns("{}", table, "{}");
}

static void duplicates_go_and_the_first_stays(void **state)
{
    (void)state;
    expect_columns("{\"columns\": \"[\\\"v\\\", \\\"k\\\"]\", \"remove_duplicates\": \"true\"}", table,
                   "{\"v\": {\"values\": [\"1\", \"\", \"2\"], \"value_count\": 3, \"total_count\": 4, "
                   "\"non_null_count\": 4, \"null_count\": 0, \"unique_count\": 3, \"data_type\": \"object\"}, "
                   "\"k\": {\"values\": [\"a\", \"\", \"A\"], \"value_count\": 3, \"total_count\": 4, "
                   "\"non_null_count\": 4, \"null_count\": 0, \"unique_count\": 3, \"data_type\": \"object\"}}");
}

static void statistics_can_be_left_out(void **state)
{
    (void)state;
    expect_columns("{\"columns\": [\"v\"], \"include_statistics\": false}", table,
                   "{\"v\": {\"values\": [\"1\", \"1\", \"\", \"2\"], \"value_count\": 4}}");
    expect_columns("{\"columns\": [\"v\"], \"include_statistics\": false}", "v\n",
                   "{\"v\": {\"values\": [], \"value_count\": 0}}");
}

static void the_info_says_what_was_asked_for(void **state)
{
    (void)state;
    struct step_case self = run("{\"columns\": [\"v\", \"nope\"]}", table);
    json_t *info = json_object_get(json_object_get(self.outcome.result, "data"), "extraction_info");
    json_t *expected = json_pack("{s:i, s:[s, s], s:b, s:O}", "total_rows", 4, "extracted_columns", "v", "nope",
                                 "remove_duplicates", 0, "timestamp", json_object_get(info, "timestamp"));
    assert_true(json_equal(info, expected));
    json_decref(expected);
    step_case_fini(&self);
}

/* `rows` rows of five columns of different widths. */
static char *long_table(size_t rows)
{
    size_t room = 32 + rows * 128, used = 0;
    char *text = malloc(room);
    assert_non_null(text);
    used += (size_t)snprintf(text, room, "a,b,c,d,e\n");
    for (size_t i = 0; i < rows; i++)
        used += (size_t)snprintf(text + used, room - used, "%zu,value %zu of b,%zu,ccccccccccccccccccccccccc%zu,%s\n",
                                 i, i % 1000, i % 7, i * 3, i % 2 ? "é" : "");
    return text;
}

static json_t *read_file(const struct step_case *self)
{
    char *text = step_case_text(self);
    json_t *data = json_loads(text, 0, NULL);
    assert_non_null(data);
    free(text);
    return data;
}

static void check_long(const json_t *data, size_t rows)
{
    static const char *const names[] = {"a", "b", "c", "d", "e"};
    static const json_int_t unique[] = {0, 1000, 7, 0, 2};
    json_t *columns = json_object_get(data, "columns");
    assert_int_equal(json_object_size(columns), 5);
    for (size_t i = 0; i < 5; i++) {
        json_t *column = json_object_get(columns, names[i]), *values = json_object_get(column, "values");
        assert_int_equal(json_array_size(values), rows);
        assert_int_equal(json_integer_value(json_object_get(column, "value_count")), rows);
        assert_int_equal(json_integer_value(json_object_get(column, "total_count")), rows);
        assert_int_equal(json_integer_value(json_object_get(column, "unique_count")),
                         unique[i] ? unique[i] : (json_int_t)rows);
    }
    json_t *b = json_object_get(json_object_get(columns, "b"), "values");
    assert_string_equal(json_string_value(json_array_get(b, 1002)), "value 2 of b");
    json_t *e = json_object_get(json_object_get(columns, "e"), "values");
    assert_string_equal(json_string_value(json_array_get(e, rows - 1)), "é");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(data, "extraction_info"), "total_rows")), rows);
}

static const char all_five[] = "{\"columns\": [\"a\", \"b\", \"c\", \"d\", \"e\"]}";

static void large_data_is_a_file_and_a_summary(void **state)
{
    (void)state;
    char *csv = long_table(2000);
    struct step_case self = run(all_five, csv);
    assert_true(self.outcome.data_file);
    assert_string_equal(self.outcome.suffix, ".json");
    json_t *expected = json_pack("{s:{s:i, s:i, s:i, s:b}}", "summary", "total_rows", 2000, "column_count", 5,
                                 "value_count", 10000, "remove_duplicates", 0);
    assert_true(json_equal(self.outcome.result, expected));
    json_t *data = read_file(&self);
    check_long(data, 2000);
    json_decref(data);
    json_decref(expected);
    step_case_fini(&self);
    free(csv);
}

/* With little memory only the column being written is kept out of memory, and every other one costs a pass. */
static void what_does_not_fit_into_memory_is_read_again(void **state)
{
    (void)state;
    enum { ROWS = 20000 };
    char *csv = long_table(ROWS);
    struct step_case self = {
        .operation = "excel/extract-columns", .arguments = all_five, .input = csv, .memory_bytes_max = 1u << 20};
    step_case_run(&self);
    assert_string_equal(self.why.text, "");
    json_t *data = read_file(&self);
    check_long(data, ROWS);
    json_decref(data);
    step_case_fini(&self);
    free(csv);
}

static void a_count_beyond_memory_is_null(void **state)
{
    (void)state;
    char *csv = long_table(20000);
    struct step_case self = {.operation = "excel/extract-columns",
                             .arguments = "{\"columns\": [\"a\"]}",
                             .input = csv,
                             .memory_bytes_max = 64u << 10};
    step_case_run(&self);
    assert_string_equal(self.why.text, "");
    json_t *data = read_file(&self);
    json_t *column = json_object_get(json_object_get(data, "columns"), "a");
    assert_true(json_is_null(json_object_get(column, "unique_count")));
    assert_int_equal(json_array_size(json_object_get(column, "values")), 20000);
    json_decref(data);
    step_case_fini(&self);
    free(csv);
}

static void large_data_needs_a_file(void **state)
{
    (void)state;
    char *csv = long_table(2000);
    struct step_case self = {
        .operation = "excel/extract-columns", .arguments = all_five, .input = csv, .no_file = true};
    step_case_run(&self);
    assert_int_equal(self.err, ERR_INTERNAL);
    step_case_fini(&self);
    free(csv);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_come_with_their_counts),
        cmocka_unit_test(duplicates_go_and_the_first_stays),
        cmocka_unit_test(statistics_can_be_left_out),
        cmocka_unit_test(the_info_says_what_was_asked_for),
        cmocka_unit_test(large_data_is_a_file_and_a_summary),
        cmocka_unit_test(what_does_not_fit_into_memory_is_read_again),
        cmocka_unit_test(a_count_beyond_memory_is_null),
        cmocka_unit_test(large_data_needs_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
