#include "step_case.h"

static const char csv[] = "id,name\n001,Zo\xC3\xAB\n2,\n";

static void every_cell_stays_text(void **state)
{
    (void)state;
    struct step_case self = {.operation = "csv/convert-to-excel", .arguments = "{}", .input = csv};
    char got[256];
    step_case_run(&self);
    assert_string_equal(self.why.text, "");
    assert_string_equal(self.outcome.suffix, ".xlsx");
    assert_int_equal(json_object_size(self.outcome.result), 0);
    step_case_read(self.plan.output_fd, "out.xlsx", got, sizeof got);
    assert_string_equal(got, "id|name\n001|Zo\xC3\xAB\n2|\n");
    step_case_fini(&self);
}

static void the_sheet_gets_its_name(void **state)
{
    (void)state;
    struct step_case self = {
        .operation = "csv/convert-to-excel", .arguments = "{\"sheet_name\": \"Mine\"}", .input = csv};
    step_case_run(&self);
    assert_string_equal(self.why.text, "");
    struct source *source;
    const struct read_options mine = {.sheet = "Mine"};
    assert_int_equal(source_open(&source, self.plan.output_fd, "out.xlsx", &mine, NULL), ERR_OK);
    assert_int_equal(source->columns.count, 2);
    source_destroy(&source);
    step_case_fini(&self);
    self = (struct step_case){.operation = "csv/convert-to-excel", .arguments = "{\"sheet_name\": \"\"}", .input = csv};
    step_case_run(&self);
    const struct read_options standard = {.sheet = "Sheet1"};
    assert_int_equal(source_open(&source, self.plan.output_fd, "out.xlsx", &standard, NULL), ERR_OK);
    source_destroy(&source);
    step_case_fini(&self);
}

/* The configuration's name, unless the step says another. */
static void a_sheet_without_a_name_gets_the_usual_one(void **state)
{
    (void)state;
    static const char *const wanted[][2] = {
        {"{}", "Daten"}, {"{\"sheet_name\": \"\"}", "Daten"}, {"{\"sheet_name\": \"Mine\"}", "Mine"}};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        struct step_case self = {.operation = "csv/convert-to-excel",
                                 .arguments = wanted[i][0],
                                 .input = csv,
                                 .plan = {.excel_sheet_name = "Daten"}};
        step_case_run(&self);
        assert_string_equal(self.why.text, "");
        struct source *source;
        const struct read_options named = {.sheet = wanted[i][1]};
        assert_int_equal(source_open(&source, self.plan.output_fd, "out.xlsx", &named, NULL), ERR_OK);
        source_destroy(&source);
        step_case_fini(&self);
    }
}

static void a_bad_sheet_name_is_named(void **state)
{
    (void)state;
    step_case_fails("csv/convert-to-excel", "{\"sheet_name\": \"a/b\"}", csv,
                    "CSV operation failed: Failed to write Excel file: Invalid character / found in sheet title");
    step_case_fails("csv/convert-to-excel", "{\"output_filename\": 5}", csv,
                    "CSV operation failed: Argument 'output_filename' must be a text");
    step_case_fails("csv/convert-to-excel", "{\"sheet_name\": 5}", csv,
                    "CSV operation failed: Argument 'sheet_name' must be a text");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cell_stays_text),
        cmocka_unit_test(the_sheet_gets_its_name),
        cmocka_unit_test(a_sheet_without_a_name_gets_the_usual_one),
        cmocka_unit_test(a_bad_sheet_name_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
