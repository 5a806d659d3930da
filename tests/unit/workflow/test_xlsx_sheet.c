#include "workbook_build.h"

#define P         "Failed to read Excel file: "
#define SHEET(x)  "<worksheet " MAIN_SPACE "><sheetData>" x "</sheetData></worksheet>"
#define INLINE(x) "<c t=\"inlineStr\"><is><t>" x "</t></is></c>"

static const char strings[] =
    "<sst " MAIN_SPACE "><si><t>zero</t></si><si><t xml:space=\"preserve\"> one </t></si>"
    "<si><r><rPr><b/></rPr><t>ri</t></r><r><t>ch</t></r><rPh sb=\"0\" eb=\"1\"><t>no</t></rPh>"
    "<phoneticPr fontId=\"1\"/></si><si><t/></si><si><t>a_x0007__x005F_x0041__x000D_</t></si>"
    "<extLst><ext><si><t>not one</t></si></ext></extLst></sst>";

static const char styles[] =
    "<styleSheet " MAIN_SPACE "><numFmts><numFmt numFmtId=\"164\" formatCode=\"yyyy\\-mm\\-dd\"/>"
    "<numFmt numFmtId=\"165\" formatCode=\"0.0&quot;day&quot;\"/><numFmt numFmtId=\"15\" formatCode=\"0\"/></numFmts>"
    "<cellStyleXfs><xf numFmtId=\"14\"/></cellStyleXfs><cellXfs><xf numFmtId=\"0\"/><xf numFmtId=\"14\"/>"
    "<xf numFmtId=\"164\"/><xf numFmtId=\"165\"/><xf numFmtId=\"46\"/><xf numFmtId=\"15\"/></cellXfs></styleSheet>";

static void check(const char *sheet, const char *expected)
{
    workbook_check(workbook_with(sheet, strings, styles), NULL, expected);
}

static void values_become_the_contracts_texts(void **state)
{
    (void)state;
    check(SHEET("<row><c><v>5</v></c><c t=\"b\"><v>1</v></c><c><v>1.5</v></c><c s=\"1\"><v>45306</v></c></row>"),
          "5|True|1.5|2024-01-15 00:00:00\n");
    check(SHEET("<row r=\"1\">" INLINE(
              "n") "</row><row r=\"2\"><c r=\"A2\"><v>2.0</v></c></row>"
                   "<row r=\"3\"><c r=\"A3\"><v> 1E-7 </v></c></row><row><c><v>12345678901234567890</v></c></row>"
                   "<row><c t=\"b\"><v>0</v></c></row><row><c t=\"str\"><f>A1&amp;\"x\"</f><v>nx</v></c></row>"
                   "<row><c><f>1+1</f><v>2</v></c></row><row><c t=\"e\"><v>#N/A</v></c></row>"),
          "n\n2\n1e-07\n12345678901234567890\nFalse\nnx\n2\n#\n");
    check(SHEET("<row>" INLINE(
              "d") "</row><row><c s=\"1\"><v>60</v></c></row><row><c s=\"2\"><v>0.5</v></c></row>"
                   "<row><c s=\"3\"><v>7</v></c></row><row><c s=\"4\"><v>1.5</v></c></row><row><c "
                   "s=\"5\"><v>9</v></c></row>"
                   "<row><c s=\"99\"><v>8</v></c></row><row><c s=\"1\"><v>1e9</v></c></row>"
                   "<row><c t=\"d\"><v>2024-01-15T10:20:30Z</v></c></row><row><c t=\"d\"><v>2024-01-15</v></c></row>"),
          "d\n1900-02-28 00:00:00\n12:00:00\n7\n1900-01-01 12:00:00\n9\n8\n#\n2024-01-15 10:20:30\n2024-01-15 "
          "00:00:00\n");
}

static void numbers_are_written_like_pythons(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"0", "0"},
        {"-0", "0"},
        {"007", "7"},
        {"-12", "-12"},
        {"12.50", "12.5"},
        {"-12.5", "-12.5"},
        {".5", "0.5"},
        {"5.", "5"},
        {"0.0001", "0.0001"},
        {"0.00012", "0.00012"},
        {"0.00001", "1e-05"},
        {"0.000012", "1.2e-05"},
        {"-0.5", "-0.5"},
        {"00.5", "0.5"},
        {"0.10000000000000001", "0.1"},
        {"1.5E3", "1500"},
        {"+5", "5"},
        {"123456789012345.5", "123456789012345.5"},
        {"99999999999999999999", "99999999999999999999"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char sheet[300], expected[100];
        snprintf(sheet, sizeof sheet,
                 "<worksheet><sheetData><row><c><v>%s</v></c><c t='str'><v>x</v></c></row></sheetData></worksheet>",
                 cases[i].in);
        snprintf(expected, sizeof expected, "%s|x\n", cases[i].out);
        check(sheet, expected);
    }
}

static void equal_values_of_a_column_read_like_the_first(void **state)
{
    (void)state;
    check(SHEET("<row><c t='b'><v>1</v></c><c><v>1</v></c><c><v>0</v></c></row>"
                "<row><c><v>1.0</v></c><c t='b'><v>1</v></c><c t='str'><v>0</v></c></row>"
                "<row><c t='b'><v>1</v></c><c><v>1</v></c><c t='b'><v>0</v></c></row>"
                "<row><c t='str'><v>True</v></c><c t='b'><v>0</v></c><c><v>0</v></c></row>"),
          "True|1|0\n1|True|0\n1|True|False\nTrue|False|False\n");
}

static void strings_are_joined_and_unescaped(void **state)
{
    (void)state;
    check(
        SHEET("<row><c t=\"s\"><v>0</v></c><c t=\"s\"><v>1</v></c><c t=\"s\"><v>2</v></c><c t=\"s\"><v>4</v></c></row>"
              "<row><c t=\"s\"><v>3</v></c>" INLINE(
                  "&lt;&#65;&#x1F600;&gt;") "<c t=\"inlineStr\"><is><r><t>a</t></r><rPh><t>b</t></rPh><r><t> "
                                            "c</t></r></is></c>"
                                            "<c t=\"inlineStr\"><is><t><![CDATA[<&]]>;</t></is></c></row>"),
        "zero| one |rich|a\a_x0041__x000D_\n|<A\xF0\x9F\x98\x80>|a c|<&;\n");
}

static void a_table_of_empty_strings_has_no_bytes(void **state)
{
    (void)state;
    workbook_check(workbook_with(SHEET("<row><c t=\"s\"><v>0</v></c><c><v>1</v></c></row>"),
                                 "<sst><si/><si><t/></si></sst>", NULL),
                   NULL, "Unnamed: 0|1\n");
}

static void the_width_is_that_of_the_widest_row(void **state)
{
    (void)state;
    check("<worksheet><dimension ref=\"A1:Z99\"/><sheetData><row r=\"1\"><c r=\"A1\"><v>1</v></c></row>"
          "<row r=\"3\"><c r=\"C3\"><v>3</v></c><c r=\"B3\"><v>2</v></c><c r=\"F3\" s=\"1\"/>"
          "<c r=\"G3\" t=\"s\"><v>3</v></c></row><row r=\"7\"><c r=\"A7\"/></row></sheetData></worksheet>",
          "1|Unnamed: 1|Unnamed: 2\n||\n|2|3\n");
    check("<worksheet><dimension ref=\"A1\"/><sheetData><row><c/>" INLINE("a")
              INLINE("a") "</row></sheetData></worksheet>",
          "Unnamed: 0|a|a.1\n");
}

static void empty_rows_before_and_between_stay(void **state)
{
    (void)state;
    check(SHEET("<row r=\"2\"><c r=\"B2\"><v>1</v></c></row><row r=\"4\"><c r=\"A4\"><v>2</v></c></row>"),
          "Unnamed: 0|Unnamed: 1\n|1\n|\n2|\n");
    check(SHEET(""), "\n");
    check("<worksheet><sheetData/></worksheet>", "\n");
    check("<worksheet/>", "\n");
    check(SHEET("<row><c t=\"e\"><v>#REF!</v></c><c><v>1</v></c></row>"), "Unnamed: 0|1\n");
}

static void the_farthest_cell_costs_nothing(void **state)
{
    (void)state;
    int fd = workbook_with(SHEET("<row r=\"1048576\"><c r=\"XFD1048576\"><v>1</v></c></row>"), NULL, NULL);
    struct fault why;
    struct source *source;
    struct row row = {.count = 0};
    assert_int_equal(xlsx_source.open(&source, fd, NULL, &why), ERR_OK);
    assert_int_equal(source->columns.count, 16384);
    enum err err;
    while ((err = source_next(source, &row, &why)) == ERR_OK)
        ;
    assert_int_equal(err, ERR_END);
    assert_int_equal(row.number, 1048575);
    source_destroy(&source);
    close(fd);
}

static void any_spelling_of_the_markup_is_read(void **state)
{
    (void)state;
    check(
        "\xEF\xBB\xBF<?xml version='1.0' encoding='UTF-8'?><!-- <c> --><x:worksheet xmlns:x='y'><x:sheetData >"
        "<x:row spans='1:2' r = '1' ><!-- - --><x:c t=\"inlineStr\" s='0' r='A1'><x:is><x:t >a\r\nb</x:t></x:is></x:c>"
        "<?pi ?><x:c r='B1' u='&gt;/>'><x:v>1</x:v></x:c ></x:row></x:sheetData><x:row><x:c><x:v>9</x:v></x:c></x:row>"
        "</x:worksheet>\n",
        "a\nb|1\n");
}

static void sheets_longer_than_every_buffer_are_read(void **state)
{
    (void)state;
    struct buf sheet = BUF_INIT(1u << 26), expected = BUF_INIT(1u << 26);
    table_must(buf_add_text(&sheet, "<worksheet><sheetData>") == ERR_OK);
    for (unsigned i = 0; i < 60000; i++) {
        char text[300];
        memset(text, 'a' + (int)(i % 26), sizeof text);
        int len = (int)(i * 7 % 290) + 1;
        table_must(buf_printf(&sheet,
                              "<row><c><v>%u</v></c><c t='inlineStr'><is><t>%.*s&amp;\xC3\xA9</t></is></c></row>", i,
                              len, text) == ERR_OK);
        table_must(buf_printf(&expected, "%u|%.*s&\xC3\xA9\n", i, len, text) == ERR_OK);
    }
    table_must(buf_add_text(&sheet, "</sheetData></worksheet>") == ERR_OK);
    assert_true(expected.len > (8u << 20));
    check(buf_text(&sheet), buf_text(&expected));
    buf_fini(&sheet);
    buf_fini(&expected);
}

static void a_text_longer_than_the_window_is_read(void **state)
{
    (void)state;
    struct buf sheet = BUF_INIT(1u << 26), expected = BUF_INIT(1u << 26);
    table_must(buf_add_text(&sheet, "<worksheet><sheetData><row><c t='inlineStr'><is><t>") == ERR_OK);
    for (unsigned i = 0; i < 50000; i++) {
        table_must(buf_add_text(&sheet, "\xE2\x82\xAC&amp;\r\n\xF0\x9F\x98\x80") == ERR_OK);
        table_must(buf_add_text(&expected, "\xE2\x82\xAC&\n\xF0\x9F\x98\x80") == ERR_OK);
    }
    table_must(buf_add_text(&sheet, "<![CDATA[") == ERR_OK);
    for (unsigned i = 0; i < 100000; i++) {
        table_must(buf_add_text(&sheet, "]]&") == ERR_OK);
        table_must(buf_add_text(&expected, "]]&") == ERR_OK);
    }
    table_must(buf_add_text(&sheet, "]]></t></is></c></row></sheetData></worksheet>") == ERR_OK);
    table_must(buf_add_text(&expected, "\n") == ERR_OK);
    check(buf_text(&sheet), buf_text(&expected));
    buf_fini(&sheet);
    buf_fini(&expected);
}

static void faults_say_where(void **state)
{
    (void)state;
    check(SHEET("<row r=\"2\"><c r=\"C2\"><v>abc</v></c></row>"),
          "!" P "sheet1.xml: row 2, cell C2: 'abc' is not a number");
    check(SHEET("<row><c/><c t=\"s\"><v>5</v></c></row>"),
          "!" P "sheet1.xml: row 1, cell B1: there is no shared string '5' (the workbook has 5)");
    check(SHEET("<row><c t=\"b\"><v>2</v></c></row>"), "!" P "sheet1.xml: row 1, cell A1: '2' is not a truth value");
    check(SHEET("<row><c r=\"XFE1\"/></row>"), "!" P "sheet1.xml: row 1, cell A1: 'XFE1' is no cell of a sheet");
    check(SHEET("<row r=\"5\"/><row r=\"3\"/>"), "!" P "sheet1.xml: row 3 stands behind row 5");
    check(SHEET("<row r=\"1048577\"/>"), "!" P "sheet1.xml: row 1048577 is no row of a sheet");
    check(SHEET("<row><c><v>1</c></row>"),
          "!" P "sheet1.xml: row 1, cell A1: not well-formed XML at byte 100: a wrong tag");
    check("<!DOCTYPE x [<!ENTITY a \"b\">]><worksheet/>",
          "!" P "sheet1.xml: a document type declaration (DTD) is not allowed");
    check(SHEET("<row>" INLINE("&nbsp;") "</row>"),
          "!" P "sheet1.xml: row 1, cell A1: not well-formed XML at byte 117: "
          "an unknown entity or a wrong character reference");
    check(SHEET("<row>" INLINE("\xFF") "</row>"),
          "!" P "sheet1.xml: row 1, cell A1: not well-formed XML at byte 117: it is not valid UTF-8");
    check("<worksheet><sheetData>", "!" P "sheet1.xml: not well-formed XML at byte 22: it ends too early");
    check("<chartsheet/>", "!" P "sheet1.xml: the part is no <worksheet> but a <chartsheet>");
    workbook_check(workbook_with("<worksheet/>", "<styleSheet/>", NULL), NULL,
                   "!" P "sharedStrings.xml: the part is no <sst> but a <styleSheet>");
    check("<?xml version=\"1.0\" encoding=\"UTF-16\"?><worksheet/>",
          "!" P "sheet1.xml: the part is not encoded in UTF-8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_become_the_contracts_texts),
        cmocka_unit_test(numbers_are_written_like_pythons),
        cmocka_unit_test(equal_values_of_a_column_read_like_the_first),
        cmocka_unit_test(strings_are_joined_and_unescaped),
        cmocka_unit_test(a_table_of_empty_strings_has_no_bytes),
        cmocka_unit_test(the_width_is_that_of_the_widest_row),
        cmocka_unit_test(empty_rows_before_and_between_stay),
        cmocka_unit_test(the_farthest_cell_costs_nothing),
        cmocka_unit_test(any_spelling_of_the_markup_is_read),
        cmocka_unit_test(sheets_longer_than_every_buffer_are_read),
        cmocka_unit_test(a_text_longer_than_the_window_is_read),
        cmocka_unit_test(faults_say_where),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
