#include "table/xlsx_text.h"

#include "table/xlsx_column.h"
#include "table_text.h"

static void check_unescape(const char *text, const char *expected)
{
    char space[100];
    memcpy(space, text, strlen(text));
    space[xlsx_text_unescape(space, strlen(text))] = '\0';
    assert_string_equal(space, expected);
}

static void check_escape(const char *text, const char *expected)
{
    struct buf out = BUF_INIT(1000);
    assert_int_equal(xlsx_text_escape(&out, text, strlen(text)), ERR_OK);
    assert_string_equal(buf_text(&out), expected);
    buf_fini(&out);
}

static void escapes_are_decoded(void **state)
{
    (void)state;
    check_unescape("", "");
    check_unescape("a_b_x", "a_b_x");
    check_unescape("_x0041_", "A");
    check_unescape("x_x0007_y_x20AC__x000a_", "x\x07y\xE2\x82\xAC\n");
    check_unescape("_x005F_x0041_", "_x0041_");
    check_unescape("_xD83D__xDE00_", "\xF0\x9F\x98\x80");
    check_unescape("_xD83D_x", "_xD83D_x");
    check_unescape("_xDE00_", "_xDE00_");
    check_unescape("_x0000_", "_x0000_");
    check_unescape("_x000D_\n", "_x000D_\n");
    check_unescape("_x004_", "_x004_");
    check_unescape("_xGGGG_", "_xGGGG_");
    check_unescape("__x0041__", "_A_");
}

static void texts_are_escaped(void **state)
{
    (void)state;
    check_escape("<&>\"'=\t\n", "&lt;&amp;&gt;&quot;'=\t\n");
    check_escape("\r\x01\x1F", "&#13;_x0001__x001F_");
    check_escape("_x0041_ _x000D_ _x_", "_x005F_x0041_ _x000D_ _x_");
    check_escape("\xEF\xBF\xBF\xC3\xA9\xF0\x9F\x98\x80", "_xFFFF_\xC3\xA9\xF0\x9F\x98\x80");
    check_escape("a\xC3"
                 "b\xFF",
                 "a\xEF\xBF\xBD"
                 "b\xEF\xBF\xBD");
}

static void characters_are_counted(void **state)
{
    (void)state;
    size_t units;
    assert_int_equal(xlsx_text_characters("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", 10, &units), 4);
    assert_int_equal(units, 5);
    assert_true(xlsx_text_needs_preserve(" a", 2));
    assert_true(xlsx_text_needs_preserve("a  b", 4));
    assert_true(xlsx_text_needs_preserve("a\nb", 3));
    assert_false(xlsx_text_needs_preserve("a b", 3));
    assert_true(xlsx_text_is_plain("a b", 3));
    assert_true(xlsx_text_is_plain("", 0));
    static const char *const others[] = {" a",  "a ",  "a  b", "a\tb",    "a\nb", "a&b",
                                         "a<b", "a>b", "\"",   "_x0007_", "\x7F", "é"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(xlsx_text_is_plain(others[i], strlen(others[i])));
}

static void columns_have_names(void **state)
{
    (void)state;
    static const struct {
        uint32_t column;
        const char *name;
    } cases[] = {{0, "A"}, {25, "Z"}, {26, "AA"}, {701, "ZZ"}, {702, "AAA"}, {16383, "XFD"}};
    char name[XLSX_COLUMN_NAME_MAX];
    uint32_t column = 7;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(xlsx_column_name(cases[i].column, name), strlen(cases[i].name));
        assert_string_equal(name, cases[i].name);
        assert_true(xlsx_column_parse(name, strlen(name), &column));
        assert_int_equal(column, cases[i].column);
    }
    assert_true(xlsx_column_parse("xfd12", 5, &column));
    assert_int_equal(column, 16383);
    assert_false(xlsx_column_parse("XFE", 3, &column));
    assert_false(xlsx_column_parse("12", 2, &column));
    assert_false(xlsx_column_parse("AAAAAAAAAAAAAAA", 15, &column));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(escapes_are_decoded),
        cmocka_unit_test(texts_are_escaped),
        cmocka_unit_test(characters_are_counted),
        cmocka_unit_test(columns_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
