#include "step_case.h"

static const char orders[] = "id,cust,qty\n1,c1,3\n2,c2,1\n3,C1,10\n4,,5\n";

#define ONE(operator_and_value) "[{\"column\": \"cust\", " operator_and_value "}]"

static void rows_that_match_go_on_in_order(void **state)
{
    (void)state;
    step_case_makes("csv/search",
                    "{\"conditions\": [{\"column\": \"qty\", \"operator\": \"greater_than\", \"value\": 2}]}", orders,
                    "id|cust|qty\n1|c1|3\n3|C1|10\n4||5\n");
    step_case_makes("excel/search",
                    "{\"conditions\": [{\"column\": \"cust\", \"operator\": \"contains\", \"value\": \"C1\"}]}", orders,
                    "id|cust|qty\n1|c1|3\n3|C1|10\n");
}

static void a_delimiter_that_is_given_is_taken(void **state)
{
    (void)state;
#define WITH(delimiter) "{\"delimiter\": " delimiter ", \"conditions\": " ALL "}"
#define ALL             "[{\"column\": \"a\", \"operator\": \"not_equals\", \"value\": \"\"}]"
    step_case_makes("csv/search", WITH("\"^\""), "a^b;c\n1;2^3\n", "a|b;c\n1;2|3\n");
    step_case_makes("csv/search", WITH("\"tab\""), "a\tb;c\n1\t2;3\n", "a|b;c\n1|2;3\n");
    step_case_makes("csv/search", WITH("\"\""), "a;b\n1;2\n", "a|b\n1|2\n");
    static const char sign[] =
        "CSV operation failed: Argument 'delimiter' must be a single sign such as ',' or ';', or 'tab'";
    static const char *const bad[] = {WITH("\"x\""), WITH("\",,\""), WITH("\"\\n\""), WITH("\"\\\"\""),
                                      WITH("\"\u00e9\"")};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        step_case_fails("csv/search", bad[i], orders, sign);
    step_case_fails("csv/search", WITH("7"), orders, "CSV operation failed: Argument 'delimiter' must be a text");
}

static void nothing_found_leaves_the_header(void **state)
{
    (void)state;
    step_case_writes("csv/search",
                     "{\"conditions\": [{\"column\": \"id\", \"operator\": \"equals\", \"value\": \"zz\"}]}", orders,
                     "id,cust,qty\n");
}

static void logic_in_any_case_and_as_the_front_end_says_it(void **state)
{
    (void)state;
    static const char conditions[] = "\"conditions\": [{\"column\": \"cust\", \"operator\": \"equals\", \"value\": "
                                     "\"c2\"}, {\"column\": \"qty\", \"operator\": \"gt\", \"value\": 4}]";
    static const struct {
        const char *logic, *table;
    } cases[] = {
        {"", "id|cust|qty\n"},
        {", \"logic\": \"and\"", "id|cust|qty\n"},
        {", \"logic\": \"or\"", "id|cust|qty\n2|c2|1\n3|C1|10\n4||5\n"},
        {", \"match_all\": false", "id|cust|qty\n2|c2|1\n3|C1|10\n4||5\n"},
        {", \"match_all\": true", "id|cust|qty\n"},
        {", \"match_all\": false, \"logic\": \"AND\"", "id|cust|qty\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char arguments[512];
        snprintf(arguments, sizeof arguments, "{%s%s}", conditions, cases[i].logic);
        step_case_makes("csv/search", arguments, orders, cases[i].table);
    }
}

static void check_format(const char *operation, const char *format, const char *suffix)
{
    char arguments[256];
    snprintf(arguments, sizeof arguments,
             "{%s%s%s \"conditions\": [{\"column\": \"id\", \"operator\": \"lte\", \"value\": 2}]}",
             format ? "\"output_format\": \"" : "", format ? format : "", format ? "\"," : "");
    struct step_case self = {.operation = operation, .arguments = arguments, .input = orders};
    char got[256];
    step_case_run(&self);
    assert_string_equal(self.why.text, "");
    assert_string_equal(self.outcome.suffix, suffix);
    step_case_read(self.plan.output_fd, suffix, got, sizeof got);
    assert_string_equal(got, "id|cust|qty\n1|c1|3\n2|c2|1\n");
    step_case_fini(&self);
}

static void every_output_format(void **state)
{
    (void)state;
    check_format("csv/search", NULL, ".csv");
    check_format("excel/search", NULL, ".xlsx");
    check_format("excel/search", "excel", ".xlsx");
    check_format("excel/search", "XLSX", ".xlsx");
    check_format("csv/search", "Excel", ".xlsx");
    check_format("csv/search", "CSV", ".csv");
    check_format("excel/search", "json", ".json");
}

static void statistics_count_rows_read_and_kept(void **state)
{
    (void)state;
    struct step_case self = {
        .operation = "csv/search",
        .arguments = "{\"conditions\": [{\"column\": \"qty\", \"operator\": \"between\", \"value\": [3, \"5\"]}]}",
        .input = orders,
    };
    step_case_run(&self);
    assert_int_equal(self.err, ERR_OK);
    json_t *expected = json_pack("{s:{s:i, s:i}}", "statistics", "total_rows", 4, "filtered_rows", 2);
    assert_true(json_equal(self.outcome.result, expected));
    assert_int_equal(self.outcome.rows_read, 4);
    assert_int_equal(self.outcome.rows_written, 2);
    json_decref(expected);
    step_case_fini(&self);
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *arguments, *text;
    } cases[] = {
        {"{}", "At least one search condition is required"},
        {"{\"conditions\": []}", "At least one search condition is required"},
        {"{\"logic\": \"XOR\", \"conditions\": " ONE("\"operator\": \"is_empty\"") "}",
         "Logic must be either 'AND' or 'OR'"},
        {"{\"output_format\": \"xls\", \"conditions\": " ONE("\"operator\": \"is_empty\"") "}",
         "Failed to save search results: Unsupported output format: xls. Supported formats: xlsx, csv, json"},
        {"{\"output_format\": \"spool\", \"conditions\": " ONE("\"operator\": \"is_empty\"") "}",
         "Failed to save search results: Unsupported output format: spool. Supported formats: xlsx, csv, json"},
        {"{\"conditions\": " ONE("\"operator\": \"sounds_like\", \"value\": 1") "}",
         "Unsupported operator: sounds_like"},
        {"{\"conditions\": " ONE("\"operator\": \"between\", \"value\": 3") "}",
         "For 'between' operator, value must be a list with [min, max]"},
        {"{\"conditions\": [{\"column\": \"zz\", \"operator\": \"is_empty\"}]}", "Column 'zz' not found in data"},
        {"{\"conditions\": 5}", "Argument 'conditions' must be a list"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        snprintf(text, sizeof text, "CSV operation failed: %s", cases[i].text);
        step_case_fails("csv/search", cases[i].arguments, orders, text);
        snprintf(text, sizeof text, "Excel operation failed: %s", cases[i].text);
        step_case_fails("excel/search", cases[i].arguments, orders, text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_that_match_go_on_in_order),
        cmocka_unit_test(a_delimiter_that_is_given_is_taken),
        cmocka_unit_test(nothing_found_leaves_the_header),
        cmocka_unit_test(logic_in_any_case_and_as_the_front_end_says_it),
        cmocka_unit_test(every_output_format),
        cmocka_unit_test(statistics_count_rows_read_and_kept),
        cmocka_unit_test(what_is_wrong_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
