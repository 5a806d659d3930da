#include "step_case.h"

static const char csv[] = "id,name,note\n1,Zo\xC3\xAB,\"q\"\"u\\o\n2/3\"\n2,,\n";
static const char one[] = "id,name\n1,\n";
static const char none[] = "id,name\n";

static void generates(const char *arguments, const char *input, const char *text)
{
    step_case_writes("json/generate", arguments, input, text);
}

static void rows_become_objects_indented_by_two(void **state)
{
    (void)state;
    generates("{\"column_mapping\": {\"name\": \"Name\", \"id\": \"ID\"}}", csv,
              "[\n  {\n    \"Name\": \"Zo\xC3\xAB\",\n    \"ID\": \"1\"\n  },\n"
              "  {\n    \"Name\": \"\",\n    \"ID\": \"2\"\n  }\n]");
}

static void one_line_has_blanks_as_pythons(void **state)
{
    (void)state;
    generates("{\"column_mapping\": {\"id\": \"i\", \"note\": \"n\"}, \"pretty_print\": false}", csv,
              "[{\"i\": \"1\", \"n\": \"q\\\"u\\\\o\\n2/3\"}, {\"i\": \"2\", \"n\": \"\"}]");
}

static void a_mapping_may_be_written_either_way(void **state)
{
    (void)state;
    static const char table[] = "a,b\n1,2\n";
    generates("{\"pretty_print\": false, \"column_mapping\": {\"x\": \"b\", \"y\": \"b\"}}", table,
              "[{\"x\": \"2\", \"y\": \"2\"}]");
    generates("{\"pretty_print\": false, \"column_mapping\": {\"a\": \"b\", \"b\": \"a\"}}", table,
              "[{\"b\": \"1\", \"a\": \"2\"}]");
}

static void without_mapping_columns_keep_their_names(void **state)
{
    (void)state;
    generates("{\"pretty_print\": false, \"columns\": [\"note\", \"id\", \"id\"], \"null_handling\": \"exclude\"}", csv,
              "[{\"note\": \"q\\\"u\\\\o\\n2/3\", \"id\": \"1\"}, {\"id\": \"2\"}]");
    generates("{\"pretty_print\": false}", one, "[{\"id\": \"1\", \"name\": \"\"}]");
}

static void empty_cells_as_asked(void **state)
{
    (void)state;
    static const char form[] = "{\"pretty_print\": false, \"column_mapping\": {\"name\": \"n\"},"
                               " \"null_handling\": \"%s\"}";
    static const char *const cases[][2] = {
        {"include", "[{\"n\": \"\"}]"}, {"exclude", "[{}]"}, {"default", "[{\"n\": \"\"}]"}};
    for (size_t i = 0; i < 3; i++) {
        char arguments[256];
        snprintf(arguments, sizeof arguments, form, cases[i][0]);
        generates(arguments, one, cases[i][1]);
    }
    generates("{\"null_handling\": \"exclude\", \"column_mapping\": {\"name\": \"n\"}}", one, "[\n  {}\n]");
}

static void a_single_row_may_stand_alone(void **state)
{
    (void)state;
    generates("{\"array_wrapper\": false}", one, "{\n  \"id\": \"1\",\n  \"name\": \"\"\n}");
    generates("{\"array_format\": false, \"pretty_print\": false}", one, "{\"id\": \"1\", \"name\": \"\"}");
    generates("{\"array_wrapper\": false, \"pretty_print\": false, \"column_mapping\": {\"name\": \"n\"}}", csv,
              "[{\"n\": \"Zo\xC3\xAB\"}, {\"n\": \"\"}]");
    generates("{\"array_wrapper\": false, \"column_mapping\": {\"id\": \"i\"}}", "id\n1\n2\n3\n",
              "[\n  {\n    \"i\": \"1\"\n  },\n  {\n    \"i\": \"2\"\n  },\n  {\n    \"i\": \"3\"\n  }\n]");
}

static void no_rows(void **state)
{
    (void)state;
    generates("{}", none, "[]");
    generates("{\"array_wrapper\": false}", none, "{}");
    generates("{\"pretty_print\": false, \"column_mapping\": {\"id\": \"x\"}}", none, "[]");
}

static void a_key_mapped_twice_takes_the_last_column(void **state)
{
    (void)state;
    generates("{\"pretty_print\": false, \"column_mapping\": {\"id\": \"k\", \"note\": \"z\", \"name\": \"k\"}}", csv,
              "[{\"k\": \"Zo\xC3\xAB\", \"z\": \"q\\\"u\\\\o\\n2/3\"}, {\"k\": \"\", \"z\": \"\"}]");
}

static void the_next_step_gets_the_same_table(void **state)
{
    (void)state;
    struct step_case self = {.operation = "json/generate", .arguments = "{}", .input = csv};
    step_case_run(&self);
    assert_int_equal(self.err, ERR_OK);
    assert_string_equal(self.outcome.suffix, ".json");
    assert_false(self.outcome.made_table);
    assert_int_equal(lseek(self.plan.spool_fd, 0, SEEK_END), 0);
    step_case_fini(&self);
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *arguments, *text;
    } cases[] = {
        {"{\"column_mapping\": {\"ZZ\": \"z\"}}", "Columns not found in data: ZZ"},
        {"{\"column_mapping\": {\"ZZ\": \"z\", \"id\": \"i\", \"YY\": \"y\"}}", "Columns not found in data: ZZ, YY"},
        {"{\"columns\": [\"id\"], \"column_mapping\": {\"name\": \"n\"}}", "Columns not found in data: name"},
        {"{\"columns\": [\"id\", \"nope\"], \"column_mapping\": {\"id\": \"i\"}}", "\"['nope'] not in index\""},
        {"{\"columns\": [\"a\", \"b\"]}", "\"['a', 'b'] not in index\""},
        {"{\"column_mapping\": {\"id\": 5}}", "The key of column 'id' in 'column_mapping' must be a text"},
        {"{\"null_handling\": \"zap\"}", "Invalid null_handling: zap. Must be 'include', 'exclude', or 'default'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        snprintf(text, sizeof text, "JSON generation operation failed: %s", cases[i].text);
        step_case_fails("json/generate", cases[i].arguments, csv, text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_become_objects_indented_by_two),
        cmocka_unit_test(one_line_has_blanks_as_pythons),
        cmocka_unit_test(a_mapping_may_be_written_either_way),
        cmocka_unit_test(without_mapping_columns_keep_their_names),
        cmocka_unit_test(empty_cells_as_asked),
        cmocka_unit_test(a_single_row_may_stand_alone),
        cmocka_unit_test(no_rows),
        cmocka_unit_test(a_key_mapped_twice_takes_the_last_column),
        cmocka_unit_test(the_next_step_gets_the_same_table),
        cmocka_unit_test(what_is_wrong_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
