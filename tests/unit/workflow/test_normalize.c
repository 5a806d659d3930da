#include "operations/normalize/normalizer.h"
#include "step_case.h"

#include <string.h>

/* One normalization of column `a`, whose cells stand one below the other. */
static void check(const char *type, const char *parameters, const char *cells, const char *expected)
{
    char arguments[2048], csv[2048], table[2048];
    snprintf(arguments, sizeof arguments,
             "{\"normalizations\": [{\"column_name\": \"a\", \"normalization_type\": \"%s\", \"parameters\": %s}]}",
             type, parameters);
    snprintf(csv, sizeof csv, "a,n\n%s", cells);
    snprintf(table, sizeof table, "a|n\n%s", expected);
    step_case_makes("normalization/apply", arguments, csv, table);
}

/* Every row of the table below is one cell, `|` and what becomes of it. */
static void check_cells(const char *type, const char *parameters, const char *const (*pairs)[2], size_t count)
{
    char cells[2048] = "", expected[2048] = "";
    for (size_t i = 0; i < count; i++) {
        snprintf(cells + strlen(cells), sizeof cells - strlen(cells), "\"%s\",x\n", pairs[i][0]);
        snprintf(expected + strlen(expected), sizeof expected - strlen(expected), "%s|x\n", pairs[i][1]);
    }
    check(type, parameters, cells, expected);
}

#define CHECK(type, parameters, ...)                                                                                   \
    do {                                                                                                               \
        static const char *const pairs[][2] = {__VA_ARGS__};                                                           \
        check_cells(type, parameters, pairs, sizeof pairs / sizeof *pairs);                                            \
    } while (0)

static void letters_change_their_case(void **state)
{
    (void)state;
    CHECK("uppercase", "{}", {"ann o'neil", "ANN O'NEIL"}, {"straße ǆ ﬁ", "STRASSE Ǆ FI"}, {"", ""}, {"李雷", "李雷"});
    CHECK("LowerCase", "{}", {"ZOË Müller", "zoë müller"}, {"ΟΔΟΣ", "οδος"}, {"ΣΑΣ ΣΑ", "σας σα"}, {"İ", "i̇"});
    CHECK("title_case", "{}", {"o'neil", "O'Neil"}, {"  mc donald-smith ", "  Mc Donald-Smith "},
          {"straße ǆ ﬁ", "Straße ǅ Fi"}, {"a1b2 3rd", "A1B2 3Rd"}, {"ΟΔΟΣ ΟΔΟΣ", "Οδος Οδος"}, {"éCOLE", "École"});
    CHECK("Trim", "{}", {" x ", "x"});
    CHECK("trim_whitespace", "{}", {"  x y\t", "x y"}, {"\u00a0\u2003x\u3000", "x"}, {"   ", ""}, {"é ", "é"});
    CHECK("email_format", "{}", {" ANN@Example.com ", "ann@example.com"}, {"Ü@X.de\u00a0", "ü@x.de"});
    CHECK("name_format", "{}", {"  mc donald-smith ", "Mc Donald-Smith"}, {"ZOË", "Zoë"});
}

static void phones_of_ten_or_eleven_digits_get_a_form(void **state)
{
    (void)state;
    CHECK("phone_format", "{}", {"555-123-4567", "(555) 123-4567"}, {"1 (555) 987-6543", "+1 (555) 987-6543"},
          {"12345", "12345"}, {"+44 20 7946 0958", "+44 20 7946 0958"}, {"", ""}, {"25559876543", "25559876543"},
          {"٥٥٥١٢٣٤٥٦٧", "(٥٥٥) ١٢٣-٤٥٦٧"});
}

static void numbers_are_scaled(void **state)
{
    (void)state;
    CHECK("min_max_scale", "{}", {"34", "0.4444444444444444"}, {"28", "0"}, {"", ""}, {"abc", ""}, {"41.5", "1"},
          {"inf", ""}, {"1,000", ""});
    CHECK("min_max_scale", "{}", {"5", "5"}, {"x", ""}, {" 5 ", "5"});
    CHECK("min_max_scale", "{}", {"x", ""}, {"", ""});
    CHECK("z_score", "{}", {"1", "-1"}, {"2", "0"}, {"3", "1"}, {"no", ""});
    CHECK("z_score", "{}", {"7", "0"}, {"7", "0"});
    CHECK("z_score", "{}", {"7", ""}, {"", ""});
}

static void numbers_are_rounded_and_converted(void **state)
{
    (void)state;
    CHECK("round_decimal", "{}", {"40.555", "40.56"}, {"-15.005", "-15"}, {"2.5e1", "25"}, {"x", ""}, {"7", "7"},
          {"9007199254740993", "9007199254740993"}, {"-0.001", "0"});
    CHECK("round_decimal", "{\"decimals\": 0}", {"0.5", "0"}, {"1.5", "2"}, {"2.5", "2"}, {"-1.5", "-2"});
    CHECK("round_decimal", "{\"decimals\": \"-2\"}", {"1250", "1200"}, {"1350", "1400"}, {"49.9", "0"});
    CHECK("integer_convert", "{}", {"2.9", "2"}, {"-2.9", "-2"}, {"x", "0"}, {"", "0"}, {" 12 ", "12"},
          {"9007199254740993", "9007199254740993"}, {"1e3", "1000"}, {"1e30", "1000000000000000000000000000000"});
    CHECK("currency_format", "{}", {"$2,500.75", "2500.75"}, {"€ -30.10", "-30.1"}, {"(100)", "100"}, {"", ""},
          {"1.2.3", ""}, {"free", ""}, {"1.234,50", "1.2345"});
}

static void dates_are_printed_and_taken_apart(void **state)
{
    (void)state;
    CHECK("date_format", "{}", {"2024-01-15 10:20:30", "2024-01-15"}, {"not a date", ""}, {"13/02/2024", "2024-02-13"},
          {"", ""}, {"2024-01-15T00:30:00+02:00", "2024-01-15"}, {"Jan 5, 2024", "2024-01-05"});
    CHECK("datetime_format", "{}", {"20240115", "2024-01-15 00:00:00"}, {"2024-01-15 7:05 pm", "2024-01-15 19:05:00"});
    CHECK("date_format", "{\"format\": \"%d. %B %y\"}", {"2024-02-29", "29. February 24"});
    CHECK("date_extract_year", "{}", {"2024-02-29", "2024"}, {"x", ""});
    CHECK("date_extract_month", "{}", {"2024-02-29", "2"}, {"", ""});
    CHECK("date_extract_day", "{}", {"2024-02-29", "29"}, {"2024-01-15T00:30:00+02:00", "15"});
}

static void words_become_truth(void **state)
{
    (void)state;
    CHECK("boolean_convert", "{}", {"TRUE", "True"}, {"on", "True"}, {"1", "True"}, {"no", "False"}, {"", "False"});
    CHECK("yes_no_convert", "{}", {"TRUE", "Yes"}, {"on", "No"}, {"", "No"}, {"y", "Yes"});
    CHECK("yes_no_convert", "{\"true_values\": [\"JÄ\", 2, true]}", {"jä", "Yes"}, {"2", "Yes"}, {"true", "Yes"},
          {"y", "No"});
}

static void patterns_are_replaced(void **state)
{
    (void)state;
    CHECK("remove_spaces", "{}", {" a b\t\nc ", "abc"}, {"x\u00a0y", "xy"}, {" ", ""});
    CHECK("remove_special_chars", "{}", {"ann o'neil", "ann oneil"}, {"ZOË müller", "ZO mller"}, {"李雷", ""},
          {"a\u00a0b_c", "a\u00a0bc"});
    CHECK("remove_special_chars", "{\"pattern\": \"[^\\\\w ]\", \"replacement\": \"-\"}", {"zoë: 1", "zoë- 1"});
    CHECK("regex_replace", "{\"pattern\": \"(\\\\d+)-(\\\\d+)\", \"replacement\": \"\\\\2/\\\\g<1>\"}",
          {"12-34", "34/12"}, {"x", "x"}, {"", ""});
    CHECK("regex_replace", "{}", {"abc", "abc"});
    CHECK("regex_replace", "{\"replacement\": \"-\"}", {"ab", "-a-b-"}, {"", "-"});
}

static void empty_cells_are_filled(void **state)
{
    (void)state;
    CHECK("fill_null_values", "{\"value\": \"none\"}", {"", "none"}, {"x", "x"});
    CHECK("fill_null_values", "{\"value\": 7}", {"", "7"}, {" ", " "});
    CHECK("fill_null_values", "{}", {"", ""}, {"x", "x"});
    CHECK("fill_null_values", "{\"method\": \"mean\"}", {"1", "1"}, {"", "2.5"}, {"4", "4"}, {"x", "x"});
    CHECK("fill_null_values", "{\"method\": \"median\"}", {"1", "1"}, {"", "4"}, {"4", "4"}, {"100", "100"});
    CHECK("fill_null_values", "{\"method\": \"mode\"}", {"b", "b"}, {"", "a"}, {"a", "a"}, {"a", "a"}, {"b", "b"});
    CHECK("fill_null_values", "{\"method\": \"mean\", \"value\": \"?\"}", {"x", "x"}, {"", "?"});
    CHECK("fill_null_values", "{\"method\": \"mode\", \"value\": \"?\"}", {"", "?"}, {"", "?"});
}

static void outliers_become_empty(void **state)
{
    (void)state;
    CHECK("outlier_removal", "{}", {"1", "1"}, {"2", "2"}, {"3", "3"}, {"4", "4"}, {"100", ""}, {"x", "x"}, {"", ""});
    CHECK("outlier_removal", "{\"multiplier\": 100}", {"1", "1"}, {"2", "2"}, {"3", "3"}, {"100", "100"});
    CHECK("outlier_removal", "{}", {"x", "x"}, {"y", "y"});
}

static void cells_are_mapped(void **state)
{
    (void)state;
    CHECK("categorical_mapping", "{\"mapping\": {\"m\": \"male\", \"f\": 2, \"n\": true}}", {"m", "male"}, {"f", "2"},
          {"M", "M"}, {"n", "True"}, {"", ""});
    CHECK("categorical_mapping", "{\"mapping\": {\"m\": null, \"\": \"gap\"}, \"default\": \"?\"}", {"m", ""},
          {"x", "?"}, {"", "gap"});
    CHECK("categorical_mapping", "{\"mapping\": {\"m\": \"1\"}, \"default\": \"?\"}", {"", ""}, {"x", "?"});
}

static void rows_with_a_value_seen_before_go(void **state)
{
    (void)state;
    check("remove_duplicates", "{}", "a,1\nb,2\na,3\n,4\n,5\nA,6\n", "a|1\nb|2\n|4\nA|6\n");
}

/* --- chains --- */

#define STEP(column, type) "{\"column_name\": \"" column "\", \"normalization_type\": \"" type "\"}"

static void a_chain_sees_what_the_one_before_made(void **state)
{
    (void)state;
    step_case_makes("normalization/apply",
                    "{\"normalizations\": [" STEP("a", "currency_format") ", " STEP("a", "outlier_removal") ", " STEP(
                        "a", "min_max_scale") ", " STEP("a", "z_score") ", " STEP("a", "round_decimal") "]}",
                    "a,b\n$10,x\n$20,x\n$30,x\n$40,x\n$9999,x\n", "a|b\n-1.16|x\n-0.39|x\n0.39|x\n1.16|x\n|x\n");
    step_case_makes("normalization/apply",
                    "{\"normalizations\": [" STEP("a", "trim_whitespace") ", " STEP("a", "remove_duplicates") ", " STEP(
                        "b", "min_max_scale") "]}",
                    "a,b\nx,1\n x,100\ny,3\n", "a|b\nx|0\ny|1\n");
    step_case_makes("normalization/apply",
                    "{\"normalizations\": [" STEP("b", "min_max_scale") ", " STEP("a", "remove_duplicates") "]}",
                    "a,b\nx,1\nx,101\ny,51\n", "a|b\nx|0\ny|0.5\n");
}

static void truth_is_no_outlier(void **state)
{
    (void)state;
    step_case_makes("normalization/apply",
                    "{\"normalizations\": [" STEP("a", "boolean_convert") ", " STEP("a", "outlier_removal") "]}",
                    "a,b\nyes,1\nno,2\nno,3\nno,4\nno,5\n", "a|b\nTrue|1\nFalse|2\nFalse|3\nFalse|4\nFalse|5\n");
}

static void the_report(const char *arguments, const char *csv, const char *member, const char *expected)
{
    struct step_case self = {.operation = "normalization/apply", .arguments = arguments, .input = csv};
    step_case_run(&self);
    if (self.err != ERR_OK)
        fail_msg("%s", self.why.text);
    json_t *got = json_object_get(json_object_get(self.outcome.result, "report"), member);
    json_t *wanted = json_loads(expected, JSON_DECODE_ANY, NULL);
    assert_non_null(wanted);
    size_t i;
    json_t *entry;
    json_array_foreach(got, i, entry)
    {
        if (json_object_get(entry, "timestamp"))
            assert_int_equal(json_object_del(entry, "timestamp"), 0);
    }
    if (!json_equal(got, wanted)) {
        char *text = json_dumps(got, JSON_ENCODE_ANY);
        print_error("%s\n", text);
        free(text);
        fail_msg("instead of %s", expected);
    }
    json_decref(wanted);
    step_case_fini(&self);
}

#define STATS(total, nulls, unique, type)                                                                              \
    "{\"total_values\": " #total ", \"null_count\": " #nulls ", \"unique_count\": " #unique ", \"data_type\": \"" type \
    "\"}"
#define DONE(column, type, before, after)                                                                              \
    "{\"column_name\": \"" column "\", \"normalization_type\": \"" type                                                \
    "\", \"parameters\": {}, \"before_stats\": " before ", \"after_stats\": " after ", \"success\": true}"

static void the_report_counts_before_and_after(void **state)
{
    (void)state;
    the_report("{\"normalizations\": [" STEP("a", "round_decimal") ", " STEP("a", "integer_convert") "]}",
               "a,b\n1.25,\nx,\n1.25,\n", "columns_processed",
               "[" DONE("a", "round_decimal", STATS(3, 0, 2, "object"), STATS(3, 1, 1, "float64")) ", " DONE(
                   "a", "integer_convert", STATS(3, 1, 1, "float64"), STATS(3, 0, 2, "int64")) "]");
    the_report("{\"normalizations\": [" STEP("a", "boolean_convert") "]}", "a,b\n1,\n0,\n,\n", "columns_processed",
               "[" DONE("a", "boolean_convert", STATS(3, 0, 3, "object"), STATS(3, 0, 2, "bool")) "]");
    the_report("{\"normalizations\": [" STEP("a", "round_decimal") "]}", "a\n1\n2\n", "columns_processed",
               "[" DONE("a", "round_decimal", STATS(2, 0, 2, "object"), STATS(2, 0, 2, "int64")) "]");
    the_report("{\"normalizations\": [" STEP("a", "remove_duplicates") ", " STEP("b", "uppercase") "]}",
               "a,b\n1,x\n1,y\n2,z\n", "columns_processed",
               "[" DONE("a", "remove_duplicates", STATS(3, 0, 2, "object"), STATS(2, 0, 2, "object")) ", " DONE(
                   "b", "uppercase", STATS(2, 0, 2, "object"), STATS(2, 0, 2, "object")) "]");
    the_report("{\"normalizations\": [" STEP("a", "z_score") "]}", "a\n", "columns_processed",
               "[" DONE("a", "z_score", STATS(0, 0, 0, "object"), STATS(0, 0, 0, "float64")) "]");
    the_report("{\"normalizations\": [" STEP("a", "remove_duplicates") "]}", "a\n1\n1\n", "total_rows", "2");
}

static void what_goes_wrong_is_in_the_report(void **state)
{
    (void)state;
    static const char arguments[] = "{\"normalizations\": [" STEP("zz", "uppercase") ", " STEP(
        "a",
        "custom_function") ", "
                           "{\"column\": \"a\", \"type\": \"regex_replace\", \"parameters\": {\"pattern\": \"(\"}}, "
                           "{\"column\": \"a\", \"type\": \"round_decimal\", \"parameters\": {\"decimals\": 1.5}}, "
                           "{\"column\": \"a\", \"type\": \"round_decimal\", \"parameters\": {\"decimals\": \"x\"}}, "
                           "{\"column\": \"a\", \"type\": \"fill_null_values\", \"parameters\": {\"value\": []}}, "
                           "{\"column\": \"a\", \"type\": \"fill_null_values\", \"parameters\": {\"method\": "
                           "\"guess\"}}, "
                           "{\"column\": \"a\", \"type\": \"categorical_mapping\"}, "
                           "{\"column\": \"a\", \"type\": \"uppercase\", \"parameters\": 5}, " STEP("a",
                                                                                                    "lowercase") "]}";
    the_report(arguments, "a\nX\n", "warnings", "[{\"message\": \"Column 'zz' not found\"}]");
    the_report(arguments, "a\nX\n", "success", "false");
    the_report(arguments, "a\nX\n", "errors",
               "[{\"message\": \"Error normalizing 'a': Unsupported normalization type: custom_function. A workflow "
               "cannot run code of its own; regex_replace and categorical_mapping do what most such functions do\"}, "
               "{\"message\": \"Error normalizing 'a': Invalid regular expression: missing closing parenthesis at "
               "position 1\"}, "
               "{\"message\": \"Error normalizing 'a': 'decimals' must be a whole number from -300 to 300\"}, "
               "{\"message\": \"Error normalizing 'a': Argument 'decimals' must be a number\"}, "
               "{\"message\": \"Error normalizing 'a': 'value' must be a text, a number, true or false\"}, "
               "{\"message\": \"Error normalizing 'a': Invalid method: guess. Must be 'value', 'mean', 'median' or "
               "'mode'\"}, "
               "{\"message\": \"Error normalizing 'a': 'mapping' must map at least one value\"}, "
               "{\"message\": \"Error normalizing 'a': 'parameters' must be an object\"}]");
    step_case_makes("normalization/apply", arguments, "a\nX\n", "a\nx\n");
}

static void an_unknown_type_is_answered_with_all_types(void **state)
{
    (void)state;
    struct step_case self = {.operation = "normalization/apply",
                             .arguments = "{\"normalizations\": [" STEP("a", "shout") "]}",
                             .input = "a\nx\n"};
    step_case_run(&self);
    json_t *errors = json_object_get(json_object_get(self.outcome.result, "report"), "errors");
    const char *message = json_string_value(json_object_get(json_array_get(errors, 0), "message"));
    static const char start[] = "Error normalizing 'a': Invalid normalization type: 'shout'. Valid types are: "
                                "['uppercase', 'lowercase', 'title_case', ";
    assert_non_null(message);
    assert_int_equal(strncmp(message, start, strlen(start)), 0);
    for (size_t i = 0; normalizers[i]; i++)
        assert_non_null(strstr(message, normalizers[i]->name));
    step_case_fini(&self);
}

static void wrong_arguments_fail_the_step(void **state)
{
    (void)state;
    step_case_fails("normalization/apply", "{\"normalizations\": [5]}", "a\n",
                    "Normalization operation failed: Normalization 1 must be an object");
    step_case_fails("normalization/apply", "{\"normalizations\": 5}", "a\n",
                    "Normalization operation failed: Argument 'normalizations' must be a list");
}

static void without_a_report_there_is_null(void **state)
{
    (void)state;
    struct step_case self = {.operation = "normalization/apply",
                             .arguments =
                                 "{\"return_report\": false, \"normalizations\": [" STEP("a", "uppercase") "]}",
                             .input = "a\nx\n"};
    step_case_run(&self);
    assert_int_equal(self.err, ERR_OK);
    assert_true(json_is_null(json_object_get(self.outcome.result, "report")));
    assert_int_equal(json_object_size(self.outcome.result), 1);
    step_case_fini(&self);
}

static void columns_are_kept_as_the_input_had_them(void **state)
{
    (void)state;
    struct step_case self = {.operation = "normalization/apply",
                             .arguments = "{\"normalizations\": [" STEP("b", "uppercase") ", " STEP(
                                 "b", "integer_convert") ", " STEP("a", "nope") "]}",
                             .input = "a,b,b_original\nx,y,z\n",
                             .plan = {.backup_original = true}};
    char got[256];
    step_case_run(&self);
    assert_int_equal(self.err, ERR_OK);
    step_case_read(self.plan.spool_fd, "spool", got, sizeof got);
    assert_string_equal(got, "a|b|b_original|b_original.1|a_original\nx|0|z|y|x\n");
    step_case_fini(&self);
    step_case_makes("normalization/apply",
                    "{\"normalizations\": [{\"column_name\": \"a\", \"normalization_type\": \"uppercase\", "
                    "\"backup_original\": true}, " STEP("b", "uppercase") "]}",
                    "a,b\nx,y\n", "a|b|a_original\nX|Y|x\n");
}

static void limits_are_named(void **state)
{
    (void)state;
    step_case_fails("normalization/apply",
                    "{\"normalizations\": [{\"column_name\": \"a\", \"normalization_type\": \"regex_replace\", "
                    "\"parameters\": {\"pattern\": \"(a|aa)+$\"}}]}",
                    "a\nok\naaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\n",
                    "Normalization operation failed: Error normalizing 'a', row 2: the regular expression needs more "
                    "than 1000000 steps for this cell");
    step_case_fails("normalization/apply",
                    "{\"normalizations\": [{\"column_name\": \"a\", \"normalization_type\": \"date_format\", "
                    "\"parameters\": {\"format\": \"%Y\"}}], \"return_report\": 3}",
                    "a\n", "Normalization operation failed: Argument 'return_report' must be true or false");
}

static char *numbers(size_t rows)
{
    char *csv = malloc(rows * 12 + 16);
    assert_non_null(csv);
    size_t used = (size_t)sprintf(csv, "a\n");
    for (size_t i = 0; i < rows; i++)
        used += (size_t)sprintf(csv + used, "%zu\n", i);
    return csv;
}

static void counting_beyond_memory_is_a_warning_and_remembering_a_fault(void **state)
{
    (void)state;
    char *csv = numbers(40000);
    struct step_case self = {.operation = "normalization/apply",
                             .arguments = "{\"normalizations\": [" STEP("a", "uppercase") "]}",
                             .input = csv,
                             .memory_bytes_max = 1u << 18};
    step_case_run(&self);
    assert_string_equal(self.why.text, "");
    json_t *report = json_object_get(self.outcome.result, "report");
    assert_int_equal(json_array_size(json_object_get(report, "warnings")), 1);
    json_t *done = json_array_get(json_object_get(report, "columns_processed"), 0);
    assert_true(json_is_null(json_object_get(json_object_get(done, "after_stats"), "unique_count")));
    step_case_fini(&self);
    static const char *const needy[] = {
        "outlier_removal\"", "fill_null_values\", \"parameters\": {\"method\": \"mode\"}", "remove_duplicates\""};
    for (size_t i = 0; i < sizeof needy / sizeof *needy; i++) {
        char arguments[256];
        snprintf(arguments, sizeof arguments,
                 "{\"normalizations\": [{\"column_name\": \"a\", \"normalization_type\": \"%s}]}", needy[i]);
        struct step_case other = {
            .operation = "normalization/apply", .arguments = arguments, .input = csv, .memory_bytes_max = 1u << 18};
        step_case_run(&other);
        assert_int_equal(other.err, ERR_MEMORY);
        assert_non_null(strstr(other.why.text, "workflow.step_memory_mb"));
        step_case_fini(&other);
    }
    free(csv);
}

/* What a step's process says is bounded. */
static void a_large_report_is_cut(void **state)
{
    (void)state;
    json_t *list = json_array(), *arguments = json_pack("{s:o}", "normalizations", list);
    char much[2000];
    memset(much, 'y', sizeof much - 1);
    much[sizeof much - 1] = '\0';
    for (int i = 0; i < 500; i++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:{s:s}}", "column_name", "a", "normalization_type",
                                              i % 2 ? "uppercase" : "nope", "parameters", "x", much));
    char *text = json_dumps(arguments, 0);
    struct step_case self = {.operation = "normalization/apply", .arguments = text, .input = "a\nx\n"};
    step_case_run(&self);
    assert_string_equal(self.why.text, "");
    json_t *report = json_object_get(self.outcome.result, "report");
    assert_true(json_dumpb(report, NULL, 0, 0) < 600u << 10);
    assert_int_equal(json_array_size(json_object_get(report, "errors")), 250);
    const json_t *first = json_array_get(json_object_get(report, "columns_processed"), 0);
    assert_null(json_object_get(json_object_get(first, "parameters"), "x"));
    step_case_fini(&self);
    free(text);
    json_decref(arguments);
}

static void every_type_is_documented(void **state)
{
    (void)state;
    FILE *file = fopen(SOURCE_DIR "/docs/operations.md", "r");
    assert_non_null(file);
    char *document = calloc(1, 1 << 20);
    assert_non_null(document);
    assert_true(fread(document, 1, (1 << 20) - 1, file) > 0);
    fclose(file);
    for (size_t i = 0; normalizers[i]; i++) {
        char line[512];
        snprintf(line, sizeof line, "| `%s` | %s |", normalizers[i]->name, normalizers[i]->help);
        if (!strstr(document, line))
            fail_msg("docs/operations.md lacks the line:\n%s", line);
        for (const struct argument *at = normalizers[i]->parameters; at && at->name; at++) {
            snprintf(line, sizeof line, "| `%s` | `%s` | %s | %s%s%s | %s |", normalizers[i]->name, at->name,
                     argument_type_name(at->type), at->standard ? "`" : "", at->standard ? at->standard : "-",
                     at->standard ? "`" : "", at->help);
            if (!strstr(document, line))
                fail_msg("docs/operations.md lacks the line:\n%s", line);
        }
    }
    free(document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_change_their_case),
        cmocka_unit_test(phones_of_ten_or_eleven_digits_get_a_form),
        cmocka_unit_test(numbers_are_scaled),
        cmocka_unit_test(numbers_are_rounded_and_converted),
        cmocka_unit_test(dates_are_printed_and_taken_apart),
        cmocka_unit_test(words_become_truth),
        cmocka_unit_test(patterns_are_replaced),
        cmocka_unit_test(empty_cells_are_filled),
        cmocka_unit_test(outliers_become_empty),
        cmocka_unit_test(cells_are_mapped),
        cmocka_unit_test(rows_with_a_value_seen_before_go),
        cmocka_unit_test(truth_is_no_outlier),
        cmocka_unit_test(a_chain_sees_what_the_one_before_made),
        cmocka_unit_test(the_report_counts_before_and_after),
        cmocka_unit_test(what_goes_wrong_is_in_the_report),
        cmocka_unit_test(an_unknown_type_is_answered_with_all_types),
        cmocka_unit_test(wrong_arguments_fail_the_step),
        cmocka_unit_test(without_a_report_there_is_null),
        cmocka_unit_test(columns_are_kept_as_the_input_had_them),
        cmocka_unit_test(limits_are_named),
        cmocka_unit_test(counting_beyond_memory_is_a_warning_and_remembering_a_fault),
        cmocka_unit_test(a_large_report_is_cut),
        cmocka_unit_test(every_type_is_documented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
