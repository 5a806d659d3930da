#include "workbook_build.h"

#define P     "Failed to read Excel file: "
#define SHEET "<worksheet><sheetData><row><c><v>1</v></c></row></sheetData></worksheet>"

static const char relationships_start[] = "<Relationships>";

static void sheet_part_is(struct part part, const char *expected)
{
    struct zip_build book = workbook_start();
    part.name = "xl/worksheets/sheet1.xml";
    if (!part.content)
        part.content = SHEET;
    zip_build_add(&book, part);
    workbook_check(zip_build_file(&book), NULL, expected);
}

static void every_honest_kind_of_member_is_read(void **state)
{
    (void)state;
    sheet_part_is((struct part){.deflated = false}, "1\n");
    sheet_part_is((struct part){.deflated = true}, "1\n");
    sheet_part_is((struct part){.deflated = true, .descriptor = true}, "1\n");
    sheet_part_is((struct part){.deflated = true, .zip64 = true}, "1\n");
    sheet_part_is((struct part){.descriptor = true, .zip64 = true}, "1\n");
}

static void dishonest_members_are_refused(void **state)
{
    (void)state;
    sheet_part_is((struct part){.deflated = true, .crc_error = 1},
                  "!" P "sheet1.xml: its checksum (CRC-32) is wrong: the file is damaged");
    sheet_part_is((struct part){.deflated = true, .size_error = 1},
                  "!" P "sheet1.xml: it unpacks to fewer bytes than the archive's directory says");
    sheet_part_is((struct part){.deflated = true, .size_error = -1},
                  "!" P "sheet1.xml: it unpacks to more bytes than the archive's directory says");
    sheet_part_is((struct part){.size_error = -1},
                  "!" P "sheet1.xml: the zip archive is damaged: a stored member of two sizes");
    sheet_part_is((struct part){.flags = 1}, "!" P "sheet1.xml: the zip archive is encrypted");
    sheet_part_is((struct part){.method = 12},
                  "!" P "sheet1.xml: it is packed by method 12; only stored and deflated are supported");
    sheet_part_is((struct part){.content = "\xFF\xFF", .method = 8},
                  "!" P "sheet1.xml: its packed data is damaged or cut off");
}

static void packages_that_unpack_to_too_much_are_refused(void **state)
{
    (void)state;
    struct buf sheet = BUF_INIT(1u << 26);
    table_must(buf_add_text(&sheet, "<worksheet>") == ERR_OK);
    for (unsigned i = 0; i < 100000; i++)
        table_must(buf_add_text(&sheet, "          ") == ERR_OK);
    table_must(buf_add_text(&sheet, "</worksheet>") == ERR_OK);
    struct read_options how = {.inflated_bytes_max = 900000};
    workbook_check(workbook_with(buf_text(&sheet), NULL, NULL), &how,
                   "!" P "sheet1.xml: the file unpacks to more than 900000 bytes");
    how.inflated_bytes_max = 1100000;
    workbook_check(workbook_with(buf_text(&sheet), NULL, NULL), &how, "\n");
    buf_fini(&sheet);
}

/* Every cut of a good file is refused with a text, and never read as something else. */
static void truncated_packages_are_refused(void **state)
{
    (void)state;
    int fd = workbook_with(SHEET, NULL, NULL);
    size_t len;
    char *bytes = table_bytes(fd, &len);
    for (size_t cut = 0; cut < len; cut++) {
        int part = table_file(bytes, cut);
        char *got = table_show(&xlsx_source, part, NULL);
        assert_memory_equal(got, "!" P, sizeof("!" P) - 1);
        assert_true(strlen(got) > sizeof("!" P));
        free(got);
        close(part);
    }
    free(bytes);
    close(fd);
}

static void overlapping_members_are_refused(void **state)
{
    (void)state;
    struct zip_build book = workbook_start();
    zip_build_add(&book, (struct part){.name = "xl/worksheets/sheet1.xml", .content = SHEET});
    /* A second record of the directory points into the first member. */
    struct buf copy = BUF_INIT(1u << 20);
    table_must(buf_add(&copy, book.directory.data, book.directory.len) == ERR_OK);
    copy.data[46] = 'X';
    table_must(buf_add(&book.directory, copy.data, copy.len) == ERR_OK);
    book.count *= 2;
    buf_fini(&copy);
    char *got = table_show(&xlsx_source, zip_build_file(&book), NULL);
    assert_memory_equal(got, "!" P "The zip archive is damaged", sizeof("!" P "The zip archive is damaged") - 1);
    free(got);
}

static void what_is_no_workbook_says_so(void **state)
{
    (void)state;
    struct zip_build book = zip_build_new();
    zip_build_add(&book, (struct part){.name = "a.txt", .content = "hello"});
    workbook_check(zip_build_file(&book), NULL, "!" P "The file is a zip archive but holds no Excel workbook");
    workbook_check(table_file("a,b\n1,2\n", 8), NULL, "!" P "File is not a zip file");
    workbook_check(table_file("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1........", 16), NULL,
                   "!" P
                   "The file is protected by a password or an old .xls workbook; save it as .xlsx without a password");
    book = zip_build_new();
    zip_build_add(&book,
                  (struct part){.name = "[Content_Types].xml",
                                .content = "<Types><Override PartName=\"/xl/workbook.bin\" ContentType=\"application/"
                                           "vnd.ms-excel.sheet.binary.macroEnabled.main\"/></Types>"});
    workbook_check(zip_build_file(&book), NULL, "!" P "The file is a binary workbook (.xlsb); save it as .xlsx");
}

static void parts_are_found_by_relationships(void **state)
{
    (void)state;
    char relationships[2000];
    snprintf(relationships, sizeof relationships,
             "%s<Relationship Id='s' Type='http://purl.oclc.org/ooxml/officeDocument/relationships/worksheet' "
             "Target='/odd/My%%20Data.XML'/>"
             "<Relationship Id='t' Type='x/sharedStrings' Target='../texts/./t.xml'/>"
             "<Relationship Id='c' Type='x/chartsheet' Target='c.xml'/></Relationships>",
             relationships_start);
    struct zip_build book = zip_build_new();
    zip_build_add(&book, (struct part){.name = "_rels/.rels",
                                       .content = "<Relationships><Relationship Id='1' Type='x/officeDocument' "
                                                  "Target='deep/book.part'/></Relationships>"});
    zip_build_add(&book, (struct part){.name = "deep/book.part",
                                       .content = "<w:workbook><w:workbookPr date1904='1'/><w:sheets>"
                                                  "<w:sheet name='Chart' r:id='c'/><w:sheet name='A&amp;B' q:id='s'/>"
                                                  "</w:sheets></w:workbook>"});
    zip_build_add(&book, (struct part){.name = "deep\\_rels\\book.part.rels", .content = relationships});
    zip_build_add(&book, (struct part){.name = "c.xml", .content = "<chartsheet/>"});
    zip_build_add(&book, (struct part){.name = "texts/t.xml", .content = "<sst><si><t>text</t></si></sst>"});
    zip_build_add(
        &book,
        (struct part){.name = "odd/my data.xml",
                      .content = "<worksheet><sheetData><row><c t='s'><v>0</v></c></row></sheetData></worksheet>"});
    workbook_check(zip_build_file(&book), &(struct read_options){.sheet = "A&B"}, "text\n");
}

static void parts_are_found_by_content_type(void **state)
{
    (void)state;
    struct zip_build book = workbook_start();
    zip_build_add(&book,
                  (struct part){.name = "[Content_Types].xml",
                                .content = "<Types><Override PartName='/xl/s.xml' ContentType='application/vnd."
                                           "openxmlformats-officedocument.spreadsheetml.sharedStrings+xml'/></Types>"});
    zip_build_add(&book, (struct part){.name = "xl/s.xml", .content = "<sst><si><t>text</t></si></sst>"});
    zip_build_add(
        &book,
        (struct part){.name = "xl/worksheets/sheet1.xml",
                      .content = "<worksheet><sheetData><row><c t='s'><v>0</v></c></row></sheetData></worksheet>"});
    workbook_check(zip_build_file(&book), NULL, "text\n");
}

static int two_sheets(void)
{
    struct zip_build book = zip_build_new();
    zip_build_add(&book, (struct part){.name = "_rels/.rels", .content = ROOT_RELATIONSHIPS});
    zip_build_add(&book,
                  (struct part){.name = "xl/workbook.xml",
                                .content = "<workbook><sheets><sheet name='One' id='r1'/><sheet name='7' id='r2'/>"
                                           "<sheet name='None' id='r9'/></sheets></workbook>"});
    zip_build_add(
        &book, (struct part){.name = "xl/_rels/workbook.xml.rels",
                             .content = "<Relationships><Relationship Id='r1' Type='x/worksheet' Target='1.xml'/>"
                                        "<Relationship Id='r2' Type='x/worksheet' Target='2.xml'/></Relationships>"});
    zip_build_add(&book, (struct part){.name = "xl/1.xml", .content = SHEET});
    zip_build_add(&book,
                  (struct part){.name = "xl/2.xml",
                                .content = "<worksheet><sheetData><row><c><v>2</v></c></row></sheetData></worksheet>"});
    return zip_build_file(&book);
}

static void a_sheet_is_chosen_by_name_or_index(void **state)
{
    (void)state;
    workbook_check(two_sheets(), NULL, "1\n");
    workbook_check(two_sheets(), &(struct read_options){.sheet = "One"}, "1\n");
    workbook_check(two_sheets(), &(struct read_options){.sheet = "7"}, "2\n");
    workbook_check(two_sheets(), &(struct read_options){.sheet = "0"}, "1\n");
    workbook_check(two_sheets(), &(struct read_options){.sheet = "1"}, "2\n");
    workbook_check(two_sheets(), &(struct read_options){.sheet = "2"},
                   "!" P "Worksheet '2' not found. Available sheets: 'One', '7'");
    workbook_check(two_sheets(), &(struct read_options){.sheet = "one"},
                   "!" P "Worksheet 'one' not found. Available sheets: 'One', '7'");
}

static void hostile_small_parts_are_refused(void **state)
{
    (void)state;
    struct zip_build book = zip_build_new();
    zip_build_add(&book,
                  (struct part){.name = "_rels/.rels",
                                .content = "<!DOCTYPE a [<!ENTITY b \"c\">]><Relationships>&b;</Relationships>"});
    workbook_check(zip_build_file(&book), NULL, "!" P ".rels: a document type declaration (DTD) is not allowed");
    book = zip_build_new();
    char deep[400 * 3 + 1] = "";
    for (unsigned i = 0; i < 400; i++)
        memcpy(deep + i * 3, "<a>", 4);
    zip_build_add(&book, (struct part){.name = "_rels/.rels", .content = deep});
    workbook_check(zip_build_file(&book), NULL, "!" P ".rels: elements are nested too deeply");
    book = workbook_start();
    workbook_check(zip_build_file(&book), NULL, "!" P "workbook.xml.rels: the part of sheet 'One' is missing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_honest_kind_of_member_is_read),
        cmocka_unit_test(dishonest_members_are_refused),
        cmocka_unit_test(packages_that_unpack_to_too_much_are_refused),
        cmocka_unit_test(truncated_packages_are_refused),
        cmocka_unit_test(overlapping_members_are_refused),
        cmocka_unit_test(what_is_no_workbook_says_so),
        cmocka_unit_test(parts_are_found_by_relationships),
        cmocka_unit_test(parts_are_found_by_content_type),
        cmocka_unit_test(a_sheet_is_chosen_by_name_or_index),
        cmocka_unit_test(hostile_small_parts_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
