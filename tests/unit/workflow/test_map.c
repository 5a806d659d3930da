#include "step_case.h"

static const char csv[] = "id,name,Year\n1,Ann,2024\n2,,2025\n";

static void maps(const char *arguments, const char *table)
{
    step_case_makes("excel/map-columns", arguments, csv, table);
}

static void columns_come_in_the_order_of_the_mapping(void **state)
{
    (void)state;
    maps("{\"mapping\": {\"Full Name\": \"name\", \"Ident\": \"id\", \"Again\": \"id\"}}",
         "Full Name|Ident|Again\nAnn|1|1\n|2|2\n");
}

static void a_missing_source_is_an_empty_column(void **state)
{
    (void)state;
    maps("{\"mapping\": {\"a\": \"id\", \"b\": \"nope\", \"c\": 5, \"d\": null, \"e\": {}, \"f\": []}}",
         "a|b|c|d|e|f\n1|||||\n2|||||\n");
}

static void a_default_fills_what_is_empty(void **state)
{
    (void)state;
    maps("{\"mapping\": {\"a\": {\"source\": \"name\", \"default\": \"nobody\"}, \"b\": {\"default\": \"x\"},"
         " \"c\": {\"source\": \"nope\", \"default\": 7}, \"d\": {\"source\": \"id\"}}}",
         "a|b|c|d\nAnn|x|7|1\nnobody|x|7|2\n");
    maps("{\"mapping\": {\"a\": {\"default\": true}, \"b\": {\"default\": 2.5}, \"c\": {\"default\": null},"
         " \"d\": \"id\"}}",
         "a|b|c|d\nTrue|2.5||1\nTrue|2.5||2\n");
}

static void a_column_without_name_gets_one(void **state)
{
    (void)state;
    maps("{\"mapping\": {\"x\": \"id\", \"\": \"name\"}}", "x|Unnamed: 1\n1|Ann\n2|\n");
}

/* The front end's form asks for {"old": "new"}; the operation's own order is {"new": "old"}. */
static void other_columns_may_stay(void **state)
{
    (void)state;
    static const char three[] = "a,b,c\n1,2,3\n";
    step_case_makes("excel/map-columns", "{\"column_mapping\": {\"b\": \"B\"}, \"keep_unmapped\": true}", three,
                    "a|B|c\n1|2|3\n");
    step_case_makes(
        "excel/map-columns",
        "{\"mapping\": {\"c\": \"a\", \"x\": {\"default\": \"7\"}, \"d\": \"a\"}, \"keep_unmapped\": \"true\"}", three,
        "c|d|b|c.1|x\n1|1|2|3|7\n");
}

static void column_mapping_may_name_old_to_new(void **state)
{
    (void)state;
    maps("{\"column_mapping\": {\"name\": \"Full Name\", \"id\": \"Ident\"}}", "Full Name|Ident\nAnn|1\n|2\n");
    maps("{\"column_mapping\": {\"Full Name\": \"name\"}}", "Full Name\nAnn\n");
    maps("{\"mapping\": {}, \"column_mapping\": {\"id\": \"name\", \"name\": \"id\"}}", "id|name\nAnn|1\n|2\n");
    maps("{\"mapping\": {\"x\": \"id\"}, \"column_mapping\": {\"y\": \"id\"}}", "x\n1\n2\n");
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *arguments, *text;
    } cases[] = {
        {"{}", "Excel operation failed: At least one column mapping is required"},
        {"{\"mapping\": [\"id\"]}", "Excel operation failed: Argument 'mapping' must be an object"},
        {"{\"mapping\": {\"a\": {\"default\": [1]}}}",
         "Excel operation failed: The default of 'a' must be a text, a number, true or false"},
        {"{\"column_mapping\": {\"name\": \"x\", \"id\": \"x\"}}",
         "Excel operation failed: Two columns are mapped to 'x'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        step_case_fails("excel/map-columns", cases[i].arguments, csv, cases[i].text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_come_in_the_order_of_the_mapping),
        cmocka_unit_test(a_missing_source_is_an_empty_column),
        cmocka_unit_test(a_default_fills_what_is_empty),
        cmocka_unit_test(a_column_without_name_gets_one),
        cmocka_unit_test(other_columns_may_stay),
        cmocka_unit_test(column_mapping_may_name_old_to_new),
        cmocka_unit_test(what_is_wrong_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
