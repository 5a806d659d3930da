#include "sql_text.h"

static const char csv[] = "id,name,order\n1,O'Hara,a\\\n2,,b\n1,O'Hara,c\n";

static void generates(const char *arguments, const char *body)
{
    sql_writes("sql/generate", arguments, csv, body);
}

static void a_row_is_an_insert(void **state)
{
    (void)state;
    generates(
        "{\"table_name\": \"users\", \"column_mapping\": {\"n\": \"name\", \"Id\": \"id\"}}",
        "BEGIN;\nINSERT INTO users (n, Id) VALUES ('O''Hara', '1');\n"
        "INSERT INTO users (n, Id) VALUES ('', '2');\nINSERT INTO users (n, Id) VALUES ('O''Hara', '1');\nCOMMIT;\n");
}

static void without_mapping_columns_keep_their_names(void **state)
{
    (void)state;
    generates(
        "{\"columns\": [\"order\", \"id\"], \"include_transaction\": false, \"batch_size\": 1}",
        "INSERT INTO data (\"order\", id) VALUES ('a\\', '1');\nINSERT INTO data (\"order\", id) VALUES ('b', '2');\n"
        "INSERT INTO data (\"order\", id) VALUES ('c', '1');\n");
    sql_writes("sql/generate", "{\"database_type\": \"mysql\"}", "a,key\nx,y\\\n",
               "START TRANSACTION;\nINSERT INTO data (a, `key`) VALUES ('x', 'y\\\\');\nCOMMIT;\n");
}

static void no_rows_are_an_empty_transaction(void **state)
{
    (void)state;
    sql_writes("sql/generate", "{\"database_type\": \"sqlite\"}", "a\n", "BEGIN TRANSACTION;\nCOMMIT;\n");
}

static void the_head_counts(void **state)
{
    (void)state;
    struct step_case self = {
        .operation = "sql/generate", .arguments = "{\"table_name\": \"x\\n; DROP TABLE y\"}", .input = csv};
    step_case_run(&self);
    assert_int_equal(self.err, ERR_OK);
    assert_string_equal(self.outcome.suffix, ".sql");
    char *got = step_case_text(&self);
    assert_non_null(strstr(got, "\n-- Total statements: 11 "));
    assert_non_null(strstr(got, "\n-- Database: postgresql\n-- Table: x ; DROP TABLE y\n-- Generated at: 20"));
    assert_non_null(strstr(got, "\n-- Total rows: 3 "));
    assert_non_null(strstr(got, "INSERT INTO \"x\n; DROP TABLE y\" (id, name, \"order\") VALUES "));
    free(got);
    step_case_fini(&self);
}

static void rows_share_an_insert_when_asked(void **state)
{
    (void)state;
    generates("{\"column_mapping\": {\"i\": \"id\"}, \"batch_size\": 2}",
              "BEGIN;\nINSERT INTO data (i) VALUES ('1'),\n    ('2');\nINSERT INTO data (i) VALUES ('1');\nCOMMIT;\n");
    generates("{\"column_mapping\": {\"i\": \"id\"}, \"batch_size\": \"3\"}",
              "BEGIN;\nINSERT INTO data (i) VALUES ('1'),\n    ('2'),\n    ('1');\nCOMMIT;\n");
}

static void duplicates_go_when_columns_are_given(void **state)
{
    (void)state;
    sql_writes("sql/generate-to-text",
               "{\"columns\": [\"id\", \"name\"], \"remove_duplicates\": true, \"include_transaction\": false,"
               " \"column_mapping\": {\"i\": \"id\"}}",
               csv, "INSERT INTO data (i) VALUES ('1');\nINSERT INTO data (i) VALUES ('2');\n");
    sql_writes("sql/generate-to-text",
               "{\"remove_duplicates\": true, \"include_transaction\": false, \"column_mapping\": {\"i\": \"id\"}}",
               csv,
               "INSERT INTO data (i) VALUES ('1');\nINSERT INTO data (i) VALUES ('2');\n"
               "INSERT INTO data (i) VALUES ('1');\n");
}

static void numbers(const char *increment, const char *dialect, const char *first)
{
    char arguments[512], body[512];
    snprintf(arguments, sizeof arguments,
             "{\"column_mapping\": {\"o\": \"a\"}, \"include_transaction\": false, \"database_type\": \"%s\","
             " \"auto_increment\": {%s}}",
             dialect, increment);
    snprintf(body, sizeof body, "INSERT INTO data (%s'x');\n", first);
    sql_writes("sql/generate", arguments, "a\nx\n", body);
}

static void ids_come_from_where_it_is_said(void **state)
{
    (void)state;
    numbers("\"enabled\": false, \"increment_type\": \"uuid_generate\"", "mysql", "o) VALUES (");
    numbers("\"enabled\": true", "mysql", "o) VALUES (");
    numbers("\"enabled\": true, \"increment_type\": \"none\"", "sqlite", "o) VALUES (");
    numbers("\"enabled\": true, \"increment_type\": \"mysql_auto_increment\"", "mysql", "o) VALUES (");
    numbers("\"enabled\": true, \"increment_type\": \"manual_sequence\", \"start_value\": -7", "mysql",
            "id, o) VALUES (-7, ");
    numbers("\"enabled\": \"true\", \"incrementType\": \"manual_sequence\", \"columnName\": \"nr\", \"startValue\": 3",
            "sqlite", "nr, o) VALUES (3, ");
    numbers("\"enabled\": true, \"increment_type\": \"manual_sequence\"", "postgresql",
            "id, o) VALUES (nextval('seq_id'), ");
    numbers("\"enabled\": true, \"increment_type\": \"manual_sequence\", \"sequenceName\": \"s.my'seq\"", "postgresql",
            "id, o) VALUES (nextval('s.\"my''seq\"'), ");
    numbers("\"enabled\": true, \"increment_type\": \"uuid_generate\"", "postgresql",
            "id, o) VALUES (uuid_generate_v4(), ");
    numbers("\"enabled\": true, \"increment_type\": \"uuid_generate\"", "mysql", "id, o) VALUES (UUID(), ");
    numbers("\"enabled\": true, \"increment_type\": \"uuid_generate\"", "sqlite",
            "id, o) VALUES (lower(hex(randomblob(16))), ");
}

static void a_template_takes_the_inserts_place(void **state)
{
    (void)state;
    generates("{\"table_name\": \"t\", \"column_mapping\": {\"n\": \"name\"}, \"include_transaction\": false,"
              " \"template\": \"CALL f({n}, {auto_id}, {current_date}, {x});\","
              " \"auto_increment\": {\"enabled\": true, \"start_value\": 5}}",
              "CALL f('O''Hara', 5, CURRENT_DATE, {x});\nCALL f('', 6, CURRENT_DATE, {x});\n"
              "CALL f('O''Hara', 7, CURRENT_DATE, {x});\n");
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{\"column_mapping\": {\"a\": \"zz\", \"b\": \"id\", \"c\": \"yy\"}}", "Columns not found in data: zz, yy"},
        {"{\"columns\": [\"id\"], \"column_mapping\": {\"a\": \"name\"}}", "Columns not found in data: name"},
        {"{\"columns\": [\"zz\"]}", "\"['zz'] not in index\""},
        {"{\"column_mapping\": {\"a\": [1]}}", "The column of 'a' in 'column_mapping' must be a text"},
        {"{\"column_mapping\": {\"\": \"id\"}}", "'' cannot be the name of a column"},
        {"{\"table_name\": \"\"}", "'' cannot be the name of a table"},
        {"{\"database_type\": \"mssql\"}",
         "Unsupported database type: mssql. Supported types: postgresql, mysql, sqlite"},
        {"{\"batch_size\": 0}", "'batch_size' must be a whole number above 0"},
        {"{\"auto_increment\": {\"enabled\": true, \"increment_type\": \"x\"}}",
         "Unsupported increment_type: x. Supported: postgresql_serial, mysql_auto_increment, sqlite_autoincrement, "
         "manual_sequence, uuid_generate, none"},
        {"{\"auto_increment\": {\"enabled\": true, \"start_value\": 1.5}}",
         "'start_value' of 'auto_increment' must be a whole number of at most 2^53"},
        {"{\"auto_increment\": {\"enabled\": true, \"column_name\": 5}}",
         "'column_name' of 'auto_increment' must be a text"},
        {"{\"auto_increment\": {\"enabled\": true, \"increment_type\": \"uuid_generate\"}}",
         "Column 'id' is mapped and made by auto_increment at the same time"},
        {"{\"template\": \"SELECT '{id}\"}", "The template ends inside a quoted text"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        sql_fails("sql/generate", cases[i][0], csv, cases[i][1]);
}

static void a_table_without_columns_is_refused(void **state)
{
    (void)state;
    struct step_case self = {.operation = "sql/generate", .arguments = "{}", .input = "[]", .name = "in.json"};
    step_case_run(&self);
    assert_int_equal(self.err, ERR_INVALID);
    assert_string_equal(self.why.text, "SQL generation operation failed: The table has no columns to insert");
    step_case_fini(&self);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_is_an_insert),
        cmocka_unit_test(without_mapping_columns_keep_their_names),
        cmocka_unit_test(no_rows_are_an_empty_transaction),
        cmocka_unit_test(the_head_counts),
        cmocka_unit_test(rows_share_an_insert_when_asked),
        cmocka_unit_test(duplicates_go_when_columns_are_given),
        cmocka_unit_test(ids_come_from_where_it_is_said),
        cmocka_unit_test(a_template_takes_the_inserts_place),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(a_table_without_columns_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
