#include "table_text.h"

#define P "Failed to read JSON file: "

static void check_bytes(const char *bytes, size_t len, const char *expected)
{
    int fd = table_file(bytes, len);
    for (uint32_t block = 0; block <= len + 1 && block < 120; block++) {
        char *got = table_show(&json_source, fd, &(struct read_options){.block_bytes = block});
        if (strcmp(got, expected) != 0)
            fail_msg("blocks of %u bytes: '%s' was read as '%s', not '%s'", block, bytes, got, expected);
        free(got);
    }
    close(fd);
}

static void check(const char *text, const char *expected)
{
    check_bytes(text, strlen(text), expected);
}

static void objects_are_rows(void **state)
{
    (void)state;
    check("[{\"a\":\"1\",\"b\":\"x\"},{\"a\":\"2\",\"b\":\"y\"}]", "a|b\n1|x\n2|y\n");
    check(" [ {\n \"a\" : \"1\" }\t,\r\n{ } , {\"b\":\"2\"} ] \n", "a|b\n1|\n|\n|2\n");
    check("[]", "\n");
    check("[{}]", "\n\n");
    check("\xEF\xBB\xBF[{\"a\":\"\xC3\xA9\"}]", "a\n\xC3\xA9\n");
}

static void columns_are_the_union_of_the_keys(void **state)
{
    (void)state;
    check("[{\"b\":\"1\"},{\"a\":\"2\",\"b\":\"3\"},{\"c\":\"4\"}]", "b|a|c\n1||\n3|2|\n||4\n");
    check("[{\"\":\"1\",\"a\":\"2\"}]", "Unnamed: 0|a\n1|2\n");
    check("[{\"a\":\"1\",\"b\":\"2\",\"a\":\"3\"}]", "a|b\n3|2\n");
    check("[{\"a\":\"1\",\"a\":null}]", "a\n\n");
    check("[{\"\\u0061\":\"1\"},{\"a\":\"2\"}]", "a\n1\n2\n");
}

static void values_become_text(void **state)
{
    (void)state;
    check("[{\"a\":2.0,\"b\":1e3,\"c\":0.10,\"d\":-5,\"e\":12345678901234567890,\"f\":1e-7}]",
          "a|b|c|d|e|f\n2|1000|0.1|-5|12345678901234567890|1e-07\n");
    check("[{\"a\":true,\"b\":false,\"c\":null,\"d\":\"\",\"e\":1e999}]", "a|b|c|d|e\nTrue|False|||1e999\n");
    check("[{\"a\":\"x\\n\\t\\\"\\\\\\/\\u20ac\\ud83d\\ude00y\"}]", "a\nx\n\t\"\\/\xE2\x82\xAC\xF0\x9F\x98\x80y\n");
    check("[{\"a\":\"\\ud83dx\\ude00\\ud83d\"}]", "a\n\xEF\xBF\xBDx\xEF\xBF\xBD\xEF\xBF\xBD\n");
    check("[{\"a\":\"\\ud83d\\ud83d\\ude00\"}]", "a\n\xEF\xBF\xBD\xF0\x9F\x98\x80\n");
    check("[{\"a\":\" 007 \"}]", "a\n 007 \n");
}

static void nested_values_keep_their_text(void **state)
{
    (void)state;
    check("[{\"a\":{ \"x\" : [ 1.0 , true , null , \"q\\n\\u00e9 r\" ] , \"y\" : { } },\"b\":[ ]}]",
          "a|b\n{\"x\":[1.0,true,null,\"q\\n\\u00e9 r\"],\"y\":{}}|[]\n");
    char text[300] = "[{\"a\":", *at = text + strlen(text);
    memset(at, '[', 65);
    memset(at + 65, ']', 65);
    strcpy(at + 130, "}]");
    int fd = table_file(text, strlen(text));
    char *got = table_show(&json_source, fd, NULL);
    assert_string_equal(got, "!" P "line 1, column 71: more than 64 objects and arrays in one another");
    free(got);
    close(fd);
}

static void errors_name_line_and_column(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", "line 1, column 1: expected an array of objects"},
        {"{\"a\":1}", "line 1, column 1: expected an array of objects"},
        {"[1]", "line 1, column 2: expected an object"},
        {"[\n  {\"a\":1},\n  x]", "line 3, column 3: expected an object"},
        {"[{\"a\":1}", "line 1, column 9: expected a comma or ]"},
        {"[{\"a\":1}]x", "line 1, column 10: expected the end of the file"},
        {"[{\"a\":1},]", "line 1, column 10: expected an object"},
        {"[{\"a\":1,}]", "line 1, column 9: expected a string"},
        {"[{\"a\" 1}]", "line 1, column 7: expected a colon"},
        {"[{a:1}]", "line 1, column 3: expected a string"},
        {"[{\"a\":1 2}]", "line 1, column 9: expected a comma or }"},
        {"[{\"a\":01}]", "line 1, column 9: expected a number as JSON writes them"},
        {"[{\"a\":1.}]", "line 1, column 9: expected a number as JSON writes them"},
        {"[{\"a\":-}]", "line 1, column 8: expected a number as JSON writes them"},
        {"[{\"a\":tru}]", "line 1, column 10: expected a value"},
        {"[{\"a\":}]", "line 1, column 7: expected a value"},
        {"[{\"a\":NaN}]", "line 1, column 7: expected a value"},
        {"[{\"a\":[1 2]}]", "line 1, column 10: expected a comma or ]"},
        {"[{\"a\":[1,]}]", "line 1, column 10: expected a value"},
        {"[{\"a\":{1:2}}]", "line 1, column 8: expected a string"},
        {"[{\"\xC3\xA9\xC3\xA9\":x}]", "line 1, column 8: expected a value"},
        {"[{\"a\":\"x", "line 1, column 9: expected the end of the string"},
        {"[{\"a\":\"x\ny\"}]", "line 1, column 9: a control character must be escaped"},
        {"[{\"a\":\"\\x\"}]", "line 1, column 9: expected one of \"\\/bfnrtu"},
        {"[{\"a\":\"\\u12g4\"}]", "line 1, column 12: expected four hexadecimal digits"},
        {"[{\"a\":\"\\u0000\"}]", "line 1, column 14: a NUL character is not allowed"},
        {"[{\"a\":\"\xE9\"}]", "the file is not valid UTF-8"},
        {"\xEF\xBB\xBF[{\"a\":\"\xE9\"}]", "the file is not valid UTF-8"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char expected[200];
        snprintf(expected, sizeof expected, "!" P "%s", cases[i][1]);
        check(cases[i][0], expected);
    }
}

static void too_many_keys_are_refused(void **state)
{
    (void)state;
    struct buf text = BUF_INIT(4u << 20);
    table_must(buf_add_text(&text, "[{\"x\":1") == ERR_OK);
    for (int i = 0; i < 16383; i++)
        table_must(buf_printf(&text, ",\"k%d\":%d", i, i) == ERR_OK);
    size_t len = text.len;
    table_must(buf_add_text(&text, "}]") == ERR_OK);
    int fd = table_file(text.data, text.len);
    char *got = table_show(&json_source, fd, NULL);
    assert_memory_equal(got, "x|k0|k1|", 8);
    free(got);
    close(fd);
    text.len = len;
    table_must(buf_add_text(&text, ",\"y\":1}]") == ERR_OK);
    fd = table_file(text.data, text.len);
    got = table_show(&json_source, fd, NULL);
    assert_non_null(strstr(got, "the objects have more than 16384 different keys"));
    free(got);
    close(fd);
    buf_fini(&text);
}

static void an_endless_string_is_refused(void **state)
{
    (void)state;
    size_t len = 20u << 20;
    char *text = malloc(len);
    table_must(text != NULL);
    memset(text, 'x', len);
    memcpy(text, "[{\"a\":\"", 7);
    memcpy(text + len - 3, "\"}]", 3);
    int fd = table_file(text, len);
    char *got = table_show(&json_source, fd, NULL);
    assert_non_null(strstr(got, "a cell of more than 8388608 bytes"));
    free(got);
    free(text);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_are_rows),
        cmocka_unit_test(columns_are_the_union_of_the_keys),
        cmocka_unit_test(values_become_text),
        cmocka_unit_test(nested_values_keep_their_text),
        cmocka_unit_test(errors_name_line_and_column),
        cmocka_unit_test(too_many_keys_are_refused),
        cmocka_unit_test(an_endless_string_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
