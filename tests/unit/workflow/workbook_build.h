/* workbook_build - for tests of the Excel reader: workbooks made part by part. */
#ifndef WORKBOOK_BUILD_H
#define WORKBOOK_BUILD_H

#include "table_text.h"

#include "zip_build.h"

#define OFFICE_TYPE "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
#define MAIN_SPACE  "xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\""

#define ROOT_RELATIONSHIPS                                                                                             \
    "<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\"><Relationship Id=\"a\" "    \
    "Type=\"" OFFICE_TYPE "/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>"

#define WORKBOOK_RELATIONSHIPS                                                                                         \
    "<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\">"                           \
    "<Relationship Id=\"r1\" Type=\"" OFFICE_TYPE "/worksheet\" Target=\"worksheets/sheet1.xml\"/>"                    \
    "<Relationship Id=\"r2\" Type=\"" OFFICE_TYPE "/sharedStrings\" Target=\"sharedStrings.xml\"/>"                    \
    "<Relationship Id=\"r3\" Type=\"" OFFICE_TYPE "/styles\" Target=\"styles.xml\"/></Relationships>"

#define WORKBOOK_PART                                                                                                  \
    "<workbook " MAIN_SPACE " xmlns:r=\"" OFFICE_TYPE "\"><sheets>"                                                    \
    "<sheet name=\"One\" sheetId=\"1\" r:id=\"r1\"/></sheets></workbook>"

/* The parts every workbook has. */
static inline struct zip_build workbook_start(void)
{
    struct zip_build book = zip_build_new();
    zip_build_add(&book, (struct part){.name = "_rels/.rels", .content = ROOT_RELATIONSHIPS});
    zip_build_add(&book, (struct part){.name = "xl/workbook.xml", .content = WORKBOOK_PART});
    zip_build_add(&book, (struct part){.name = "xl/_rels/workbook.xml.rels", .content = WORKBOOK_RELATIONSHIPS});
    return book;
}

/* A workbook of one sheet. strings and styles are whole parts or NULL. */
static inline int workbook_with(const char *sheet, const char *strings, const char *styles)
{
    struct zip_build book = workbook_start();
    if (strings)
        zip_build_add(&book, (struct part){.name = "xl/sharedStrings.xml", .content = strings, .deflated = true});
    if (styles)
        zip_build_add(&book, (struct part){.name = "xl/styles.xml", .content = styles});
    zip_build_add(&book, (struct part){.name = "xl/worksheets/sheet1.xml", .content = sheet, .deflated = true});
    return zip_build_file(&book);
}

static inline void workbook_check(int fd, const struct read_options *how, const char *expected)
{
    char *got = table_show(&xlsx_source, fd, how);
    assert_string_equal(got, expected);
    free(got);
    close(fd);
}

#endif
