#include "step_case.h"

#include "buf.h"

static const char orders[] = "o,cust,item\n1,c1,apple\n2,c2,pear\n3,c9,fig\n4,,kiwi\n5,c1,plum\n6,C1,lime\n";
static const char customers[] = "town,cust,name\nRome,c1,Ann\nOslo,c2,\nBonn,c1,Twice\nVoid,,Nobody\n";

static void run(struct step_case *self, const char *side)
{
    static struct step_side sides[1];
    sides[0] = (struct step_side){.name = "customers.csv", .fd = step_case_file_of(side, strlen(side))};
    self->plan.sides = sides;
    self->plan.side_count = 1;
    step_case_run(self);
    close(sides[0].fd);
}

static void binds(const char *operation, const char *arguments, const char *input, const char *side, const char *table)
{
    struct step_case self = {.operation = operation, .arguments = arguments, .input = input};
    char got[8192];
    run(&self, side);
    if (self.err != ERR_OK)
        fail_msg("%s", self.why.text);
    step_case_read(self.plan.spool_fd, "spool", got, sizeof got);
    assert_string_equal(got, table);
    step_case_fini(&self);
}

static void refuses(const char *operation, const char *arguments, const char *reason)
{
    struct step_case self = {.operation = operation, .arguments = arguments, .input = orders};
    char text[512];
    snprintf(text, sizeof text, "Excel operation failed: %s", reason);
    run(&self, customers);
    assert_string_equal(self.why.text, text);
    step_case_fini(&self);
}

static void every_row_stays_and_the_first_match_counts(void **state)
{
    (void)state;
    static const char table[] = "o|cust|item|name|town\n1|c1|apple|Ann|Rome\n2|c2|pear||Oslo\n3|c9|fig||\n"
                                "4||kiwi|Nobody|Void\n5|c1|plum|Ann|Rome\n6|C1|lime||\n";
    binds("excel/bind-single-key",
          "{\"bind_file\": \"customers.csv\", \"comparison_column\": \"cust\", \"bind_columns\": [\"name\", \"town\"]}",
          orders, customers, table);
    binds("excel/bind-single-key",
          "{\"bind_file\": \"./a/b/customers.csv\", \"key_column\": \"cust\", \"source_columns\": \"[\\\"name\\\", "
          "\\\"town\\\"]\"}",
          orders, customers, table);
    binds("excel/bind-multi-key",
          "{\"bind_file\": \"customers.csv\", \"comparison_columns\": [\"cust\"], \"bind_columns\": [\"name\", "
          "\"town\"]}",
          orders, customers, table);
}

static void without_a_name_the_chosen_file_is_bound(void **state)
{
    (void)state;
    binds("excel/bind-single-key", "{\"key_column\": \"cust\", \"source_columns\": [\"town\"]}", "cust\nc2\n",
          customers, "cust|town\nc2|Oslo\n");
    struct step_case self = {
        .operation = "excel/bind-single-key", .arguments = "{\"comparison_column\": \"cust\"}", .input = orders};
    step_case_run(&self);
    assert_string_equal(self.why.text, "Excel operation failed: There is no other uploaded file in this conversation");
    step_case_fini(&self);
}

static void several_keys_are_not_glued_together(void **state)
{
    (void)state;
    binds("excel/bind-multi-key",
          "{\"bind_file\": \"customers.csv\", \"key_columns\": [\"a\", \"b\"], \"bind_columns\": [\"v\"]}",
          "b,a\nbc,a\nc,ab\n,abc\nabc,\n", "a,b,v\nab,c,1\na,bc,2\nabc,,3\n,abc,4\n",
          "b|a|v\nbc|a|2\nc|ab|1\n|abc|3\nabc||4\n");
}

static void without_bind_columns_the_table_stays(void **state)
{
    (void)state;
    binds("excel/bind-single-key", "{\"bind_file\": \"customers.csv\", \"comparison_column\": \"cust\"}", "cust\nc1\n",
          customers, "cust\nc1\n");
}

static void the_format_can_be_chosen(void **state)
{
    (void)state;
    struct step_case self = {.operation = "excel/bind-single-key",
                             .arguments = "{\"bind_file\": \"customers.csv\", \"comparison_column\": \"cust\","
                                          " \"bind_columns\": [\"town\"], \"output_format\": \"CSV\"}",
                             .input = "cust\nc2\n"};
    run(&self, customers);
    assert_int_equal(self.err, ERR_OK);
    char *text = step_case_text(&self);
    assert_string_equal(text, "cust,town\nc2,Oslo\n");
    free(text);
    step_case_fini(&self);
}

#define SINGLE "excel/bind-single-key"
#define MULTI  "excel/bind-multi-key"
#define FILE   "\"bind_file\": \"customers.csv\""

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *operation, *arguments, *reason;
    } cases[] = {
        {SINGLE, "{" FILE ", \"comparison_column\": \"name\"}", "Comparison column 'name' not found in source file"},
        {SINGLE, "{" FILE ", \"comparison_column\": \"item\"}", "Comparison column 'item' not found in bind file"},
        {SINGLE, "{" FILE "}", "Comparison column '' not found in source file"},
        {SINGLE, "{" FILE ", \"comparison_column\": \"cust\", \"bind_columns\": [\"x\", \"town\", \"y\"]}",
         "Bind columns not found in bind file: ['x', 'y']"},
        {SINGLE, "{" FILE ", \"comparison_column\": \"cust\", \"bind_columns\": [\"cust\"]}",
         "Bind column 'cust' is a comparison column: it is in the source file already"},
        {SINGLE, "{" FILE ", \"comparison_column\": \"cust\", \"bind_columns\": [\"town\", \"town\"]}",
         "Bind column 'town' is listed twice"},
        {SINGLE, "{\"bind_file\": \"/etc/\", \"comparison_column\": \"cust\"}",
         "Argument 'bind_file' must name a file of this conversation"},
        {SINGLE, "{" FILE ", \"bind_sheet\": {}, \"comparison_column\": \"cust\"}",
         "Argument 'bind_sheet' must be the name or the number of a sheet"},
        {SINGLE, "{\"bind_file\": \"/etc/passwd\", \"comparison_column\": \"cust\"}",
         "File 'passwd' not found in this conversation"},
        {SINGLE, "{" FILE ", \"comparison_column\": \"cust\", \"output_format\": \"xml\"}",
         "Unsupported output format: xml. Supported formats: xlsx, csv, json"},
        {MULTI, "{" FILE "}", "At least one comparison column must be specified"},
        {MULTI, "{" FILE ", \"comparison_columns\": [\"zzz\", \"cust\", \"yy\"]}",
         "Comparison columns not found in source file: ['zzz', 'yy']"},
        {MULTI, "{" FILE ", \"comparison_columns\": [\"item\"]}",
         "Comparison columns not found in bind file: ['item']"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refuses(cases[i].operation, cases[i].arguments, cases[i].reason);
}

static void a_column_of_the_source_is_not_overwritten(void **state)
{
    (void)state;
    struct step_case self = {.operation = SINGLE,
                             .arguments = "{" FILE ", \"comparison_column\": \"cust\", \"bind_columns\": [\"town\"]}",
                             .input = "cust,town\nc1,x\n"};
    run(&self, customers);
    assert_string_equal(self.why.text, "Excel operation failed: Bind columns already exist in source file: ['town']. "
                                       "This would overwrite existing data.");
    step_case_fini(&self);
}

static void keys_beyond_the_memory_are_said(void **state)
{
    (void)state;
    struct step_case self = {.operation = SINGLE,
                             .arguments = "{" FILE ", \"comparison_column\": \"cust\", \"bind_columns\": [\"town\"]}",
                             .input = orders,
                             .memory_bytes_max = 1 << 20};
    size_t room = 4u << 20, used = 0;
    char *side = malloc(room);
    assert_non_null(side);
    used += (size_t)snprintf(side, room, "cust,town\n");
    for (int i = 0; i < 100000; i++)
        used += (size_t)snprintf(side + used, room - used, "c%d,Rome and Oslo\n", i);
    run(&self, side);
    assert_int_equal(self.err, ERR_MEMORY);
    assert_non_null(strstr(self.why.text, "keys of the bind file need more memory than a step may have "
                                          "(workflow.step_memory_mb: 1)"));
    step_case_fini(&self);
    free(side);
}

/* Rows are looked up several at a time; some of these are larger than all that wait may be. */
static void many_rows_and_long_ones_keep_their_order_and_texts(void **state)
{
    (void)state;
    enum { ROWS = 200, LONG = 70000 };
    struct buf in = BUF_INIT(64u << 20), out = BUF_INIT(64u << 20);
    char *padding = malloc(LONG);
    assert_non_null(padding);
    memset(padding, 'x', LONG);
    assert_int_equal(buf_add_text(&in, "cust,note\n"), ERR_OK);
    assert_int_equal(buf_add_text(&out, "cust,note,town\n"), ERR_OK);
    static const char *const town[] = {"", "Rome", "Oslo"};
    for (int i = 0; i < ROWS; i++) {
        int len = i % 23 == 7 ? LONG : i % 40 == 39 ? LONG / 3 : i % 5;
        assert_int_equal(buf_printf(&in, "c%d,%d%.*s\n", i % 3, i, len, padding), ERR_OK);
        assert_int_equal(buf_printf(&out, "c%d,%d%.*s,%s\n", i % 3, i, len, padding, town[i % 3]), ERR_OK);
    }
    struct step_case self = {.operation = "excel/bind-single-key",
                             .arguments = "{\"bind_file\": \"customers.csv\", \"comparison_column\": \"cust\", "
                                          "\"bind_columns\": [\"town\"], \"output_format\": \"csv\"}",
                             .input = buf_text(&in)};
    run(&self, customers);
    assert_int_equal(self.err, ERR_OK);
    char *text = step_case_text(&self);
    assert_true(strcmp(text, buf_text(&out)) == 0);
    free(text);
    free(padding);
    buf_fini(&in);
    buf_fini(&out);
    step_case_fini(&self);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_stays_and_the_first_match_counts),
        cmocka_unit_test(without_a_name_the_chosen_file_is_bound),
        cmocka_unit_test(several_keys_are_not_glued_together),
        cmocka_unit_test(without_bind_columns_the_table_stays),
        cmocka_unit_test(the_format_can_be_chosen),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(a_column_of_the_source_is_not_overwritten),
        cmocka_unit_test(keys_beyond_the_memory_are_said),
        cmocka_unit_test(many_rows_and_long_ones_keep_their_order_and_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
