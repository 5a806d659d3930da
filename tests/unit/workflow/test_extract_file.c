#include "step_case.h"

static const char csv[] = "id,name,age\n1,Ann,5\n2,Bob,5\n1,Ann,7\n1,Ann,5\n,,5\n,,6\n";

static void extracts(const char *arguments, const char *table)
{
    step_case_makes("excel/extract-columns-to-file", arguments, csv, table);
}

static void columns_come_in_the_order_asked_for(void **state)
{
    (void)state;
    extracts("{\"columns\": [\"age\", \"id\"]}", "age|id\n5|1\n5|2\n7|1\n5|1\n5|\n6|\n");
    extracts("{\"columns\": \"age\"}", "age\n5\n5\n7\n5\n5\n6\n");
}

static void duplicates_are_whole_extracted_rows_and_the_first_stays(void **state)
{
    (void)state;
    extracts("{\"columns\": [\"age\", \"name\", \"id\"], \"remove_duplicates\": true}",
             "age|name|id\n5|Ann|1\n5|Bob|2\n7|Ann|1\n5||\n6||\n");
    extracts("{\"columns\": [\"age\"], \"remove_duplicates\": \"true\"}", "age\n5\n7\n6\n");
}

static void a_column_asked_for_twice_comes_twice(void **state)
{
    (void)state;
    extracts("{\"columns\": [\"age\", \"age\"], \"remove_duplicates\": true}", "age|age.1\n5|5\n7|7\n6|6\n");
}

static void the_file_has_the_names_asked_for(void **state)
{
    (void)state;
    struct step_case self = {.operation = "excel/extract-columns-to-file",
                             .arguments = "{\"columns\": [\"age\", \"id\", \"age\"]}",
                             .input = csv,
                             .plan = {.excel_info_sheet = true}};
    step_case_run(&self);
    assert_string_equal(self.why.text, "");
    struct source *source;
    const struct read_options info_sheet = {.sheet = "Info"};
    struct row row;
    assert_int_equal(source_open(&source, self.plan.output_fd, "out.xlsx", &info_sheet, NULL), ERR_OK);
    for (int i = 0; i < 5; i++)
        assert_int_equal(source_next(source, &row, NULL), ERR_OK);
    assert_int_equal(row.cell[1].len, strlen("age, id, age"));
    assert_memory_equal(row.cell[1].is.text, "age, id, age", row.cell[1].len);
    source_destroy(&source);
    step_case_fini(&self);
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    static const char operation[] = "excel/extract-columns-to-file";
    step_case_fails(operation, "{}", csv, "Excel operation failed: At least one column is required");
    step_case_fails(operation, "{\"columns\": []}", csv, "Excel operation failed: At least one column is required");
    step_case_fails(operation, "{\"columns\": [\"id\", \"nope\", \"nada\"]}", csv,
                    "Excel operation failed: Columns not found in data: nope, nada");
    step_case_fails(operation, "{\"columns\": [\"ID\"]}", csv, "Excel operation failed: Columns not found in data: ID");
}

static void what_it_remembers_is_bounded(void **state)
{
    (void)state;
    size_t room = 1 << 20, used = strlen("id\n");
    char *many = malloc(room);
    assert_non_null(many);
    memcpy(many, "id\n", used);
    for (int i = 0; i < 50000; i++)
        used += (size_t)snprintf(many + used, room - used, "%d\n", i);
    struct step_case self = {
        .operation = "excel/extract-columns-to-file",
        .arguments = "{\"columns\": [\"id\"], \"remove_duplicates\": true}",
        .input = many,
        .memory_bytes_max = 1 << 20,
    };
    step_case_run(&self);
    assert_int_equal(self.err, ERR_MEMORY);
    assert_non_null(strstr(self.why.text, "workflow.step_memory_mb"));
    step_case_fini(&self);
    free(many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_come_in_the_order_asked_for),
        cmocka_unit_test(duplicates_are_whole_extracted_rows_and_the_first_stays),
        cmocka_unit_test(a_column_asked_for_twice_comes_twice),
        cmocka_unit_test(the_file_has_the_names_asked_for),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(what_it_remembers_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
