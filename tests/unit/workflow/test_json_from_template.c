#include "step_case.h"

static const char csv[] =
    "id,f,l,age,vip\n1,John,\"O\"\"H\",30,True\n2,Jane,,,no\nx3,Zo\xC3\xAB,\xE6\x9D\x8E,2.7,YES\n";
static const char one[] = "id,f,l,age,vip\n007,a,b,-0,1\n";
static const char none[] = "id,f,l,age,vip\n";

#define MAPPING "\"column_mapping\": {\"id\": \"id\", \"f\": \"f\", \"l\": \"l\", \"age\": \"age\", \"v\": \"vip\"}"
#define COMPACT "\"pretty_print\": false, " MAPPING

static void fills(const char *arguments, const char *input, const char *text)
{
    step_case_writes("json/generate-with-template", arguments, input, text);
}

static void texts_are_filled_in_and_the_rest_stays(void **state)
{
    (void)state;
    fills("{\"template\": {\"u\": {\"n\": \"{f} {l}\"}, \"t\": [\"{v}\", 5, true, null, 1.5, [\"{}\"], {}, []], "
          "\"{f}\": \"\\\"\"},"
          " " COMPACT "}",
          one, "[{\"u\": {\"n\": \"a b\"}, \"t\": [\"1\", 5, true, null, 1.5, [\"{}\"], {}, []], \"{f}\": \"\\\"\"}]");
    fills("{\"template\": {\"n\": \"{ f }{l|none}{nope|d}{nope}\"}, " COMPACT "}", csv,
          "[{\"n\": \"JohnO\\\"Hd\"}, {\"n\": \"Janenoned\"}, {\"n\": \"Zo\xC3\xAB\xE6\x9D\x8E"
          "d\"}]");
}

static void without_a_mapping_placeholders_are_columns(void **state)
{
    (void)state;
    fills("{\"template\": {\"x\": \"{first name}\", \"y\": \"{b|none}\"}, \"pretty_print\": false}",
          "first name,a\nAnn,1\n", "[{\"x\": \"Ann\", \"y\": \"none\"}]");
}

static void a_placeholder_alone_has_its_type(void **state)
{
    (void)state;
    fills("{\"template\": {\"i\": \"{id:int}\", \"a\": \"{age:int}\", \"f\": \"{age:float}\", \"d\": \"{age:int|0}\","
          " \"v\": \"{v:bool}\", \"s\": \"{age:string|-}\", \"z\": \"{id:zzz}\"}, " COMPACT "}",
          csv,
          "[{\"i\": 1, \"a\": 30, \"f\": 30.0, \"d\": 30, \"v\": true, \"s\": \"30\", \"z\": \"1\"}, "
          "{\"i\": 2, \"a\": null, \"f\": null, \"d\": 0, \"v\": false, \"s\": \"-\", \"z\": \"2\"}, "
          "{\"i\": \"x3\", \"a\": 2, \"f\": 2.7, \"d\": 2, \"v\": true, \"s\": \"2.7\", \"z\": \"x3\"}]");
    fills("{\"template\": {\"i\": \"{id:int}\", \"a\": \"{age:int}\", \"t\": \"{id:int}/{v:bool}\"}, " COMPACT "}", one,
          "[{\"i\": 7, \"a\": 0, \"t\": \"7/True\"}]");
}

static void nothing_is_null_or_empty(void **state)
{
    (void)state;
    fills("{\"template\": {\"a\": \"{l}\", \"b\": \"{nope}\", \"c\": \"{nope:bool}\", \"d\": \"{l:bool}\", \"e\": "
          "\"{nope|x}\","
          " \"f\": \"{l:int|q}\", \"g\": \"{l:float|}\", \"h\": \"{l|}{l:bool}{nope:bool}\"}, " COMPACT "}",
          "id,f,l,age,vip\n1,,,,\n",
          "[{\"a\": \"\", \"b\": null, \"c\": null, \"d\": false, \"e\": \"x\", \"f\": \"q\", \"g\": null, "
          "\"h\": \"False\"}]");
}

static void numbers_are_those_of_json(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"12345678901234567890123", "12345678901234567890123"},
        {"+5", "5"},
        {" 8 ", "8"},
        {"-0.5", "0"},
        {"1e3", "1000"},
        {"inf", "\"inf\""},
        {"nan", "\"nan\""},
        {"-007", "-7"},
        {"0x10", "\"0x10\""},
        {"-", "\"-\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char input[128], text[128];
        snprintf(input, sizeof input, "a,b\n%s,\n", cases[i][0]);
        snprintf(text, sizeof text, "[{\"a\": %s}]", cases[i][1]);
        fills("{\"template\": {\"a\": \"{a:int}\"}, \"pretty_print\": false, \"column_mapping\": {\"a\": \"a\"}}",
              input, text);
    }
}

static void rows_are_gathered_as_asked(void **state)
{
    (void)state;
#define TEMPLATE "\"template\": \"{\\\"a\\\": [\\\"{id}\\\"]}\", " MAPPING
    fills("{" TEMPLATE "}", one, "[\n  {\n    \"a\": [\n      \"007\"\n    ]\n  }\n]");
    fills("{\"aggregation_mode\": \"single\", " TEMPLATE "}", one, "{\n  \"a\": [\n    \"007\"\n  ]\n}");
    fills("{\"aggregation_mode\": \"single\", \"template\": {\"a\": \"{id}\"}, " COMPACT "}", csv,
          "[{\"a\": \"1\"}, {\"a\": \"2\"}, {\"a\": \"x3\"}]");
    fills("{\"aggregation_mode\": \"nested\", \"template\": {\"a\": \"{id}\"}, " MAPPING "}", one,
          "{\n  \"items\": [\n    {\n      \"a\": \"007\"\n    }\n  ],\n  \"count\": 1\n}");
    fills("{\"aggregation_mode\": \"nested\", \"template\": {\"a\": \"{id}\"}, " COMPACT "}", csv,
          "{\"items\": [{\"a\": \"1\"}, {\"a\": \"2\"}, {\"a\": \"x3\"}], \"count\": 3}");
}

static void no_rows(void **state)
{
    (void)state;
    fills("{" TEMPLATE "}", none, "[]");
    fills("{\"aggregation_mode\": \"single\", " TEMPLATE "}", none, "[]");
    fills("{\"aggregation_mode\": \"nested\", " TEMPLATE "}", none, "{\n  \"items\": [],\n  \"count\": 0\n}");
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{}", "Template cannot be empty"},
        {"{\"template\": {}}", "Template cannot be empty"},
        {"{\"template\": \"\"}", "Template cannot be empty"},
        {"{\"template\": [1]}", "Template must be a JSON string or dictionary"},
        {"{\"template\": \"[1]\"}", "Template must be a JSON string or dictionary"},
        {"{\"template\": 5}", "Template must be a JSON string or dictionary"},
        {"{\"template\": {\"a\": 1}, \"aggregation_mode\": \"zz\"}",
         "Invalid aggregation_mode: zz. Must be 'array', 'single', or 'nested'"},
        {"{\"template\": {\"a\": 1}, \"column_mapping\": {\"x\": \"zz\"}}", "Columns not found in data: zz"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        snprintf(text, sizeof text, "JSON generation operation failed: %s", cases[i][1]);
        step_case_fails("json/generate-with-template", cases[i][0], csv, text);
    }
    struct step_case self = {
        .operation = "json/generate-with-template", .arguments = "{\"template\": \"{\\\"id\\\": \"}", .input = csv};
    step_case_run(&self);
    assert_non_null(strstr(self.why.text, "Invalid JSON template: "));
    step_case_fini(&self);
}

static void a_first_row_beyond_the_memory_is_said(void **state)
{
    (void)state;
    struct step_case self = {.operation = "json/generate-with-template",
                             .arguments = "{\"aggregation_mode\": \"single\", \"template\": {\"a\": 1}}",
                             .input = csv,
                             .memory_bytes_max = 4};
    step_case_run(&self);
    assert_int_equal(self.err, ERR_MEMORY);
    assert_non_null(strstr(self.why.text, "workflow.step_memory_mb"));
    step_case_fini(&self);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_filled_in_and_the_rest_stays),
        cmocka_unit_test(without_a_mapping_placeholders_are_columns),
        cmocka_unit_test(a_placeholder_alone_has_its_type),
        cmocka_unit_test(nothing_is_null_or_empty),
        cmocka_unit_test(numbers_are_those_of_json),
        cmocka_unit_test(rows_are_gathered_as_asked),
        cmocka_unit_test(no_rows),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(a_first_row_beyond_the_memory_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
