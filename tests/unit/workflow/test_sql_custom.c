#include "sql_text.h"

static const char csv[] = "id,name\n1,O'Hara\n2,\n";

static void customs(const char *arguments, const char *body)
{
    sql_writes("sql/generate-custom-to-text", arguments, csv, body);
}

static void the_statement_is_filled_in_for_postgresql(void **state)
{
    (void)state;
    customs("{\"template\": \"UPDATE u SET n={n|none} WHERE i={i:int};\","
            " \"column_mapping\": {\"n\": \"name\", \"i\": \"id\"}}",
            "BEGIN;\nUPDATE u SET n='O''Hara' WHERE i=1;\nUPDATE u SET n='none' WHERE i=2;\nCOMMIT;\n");
}

static void without_mapping_columns_are_placeholders(void **state)
{
    (void)state;
    customs("{\"template\": \"({id}, '%{name}%', {other})\"}",
            "BEGIN;\n('1', '%O''Hara%', {other})\n('2', '%%', {other})\nCOMMIT;\n");
    customs("{\"template\": \"{id} {name} {auto_id}\", \"columns\": [\"id\"],"
            " \"auto_increment\": {\"enabled\": true, \"increment_type\": \"manual_sequence\"}}",
            "BEGIN;\n'1' {name} nextval('seq_id')\n'2' {name} nextval('seq_id')\nCOMMIT;\n");
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{}", "Template cannot be empty"},
        {"{\"template\": \" \\n\"}", "Template cannot be empty"},
        {"{\"template\": \"{x}\", \"column_mapping\": {\"x\": \"zz\"}}", "Columns not found in data: zz"},
        {"{\"template\": \"{x}\", \"columns\": [\"zz\"]}", "\"['zz'] not in index\""},
        {"{\"template\": \"-- {id}\"}",
         "The placeholder {id} stands in a comment; its value could not be kept in its place"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        sql_fails("sql/generate-custom-to-text", cases[i][0], csv, cases[i][1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_statement_is_filled_in_for_postgresql),
        cmocka_unit_test(without_mapping_columns_are_placeholders),
        cmocka_unit_test(what_is_wrong_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
