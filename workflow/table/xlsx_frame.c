#include "table/xlsx_frame.h"

#include "table/date_text.h"
#include "table/xlsx_column.h"
#include "table/xlsx_text.h"

#include "buf.h"

#include <inttypes.h>
#include <stdlib.h>
#include <strings.h>

#define PART_BYTES_MAX (1u << 20)
#define XML_START      "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n"
#define MAIN           "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
#define OFFICE         "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
#define PACKAGE        "http://schemas.openxmlformats.org/package/2006"
#define SHEET_TYPE     "application/vnd.openxmlformats-officedocument.spreadsheetml"

static const char content_types[] =
    XML_START "<Types xmlns=\"" PACKAGE "/content-types\">"
              "<Default Extension=\"rels\" ContentType=\"application/vnd.openxmlformats-package.relationships+xml\"/>"
              "<Default Extension=\"xml\" ContentType=\"application/xml\"/>"
              "<Override PartName=\"/xl/workbook.xml\" ContentType=\"" SHEET_TYPE ".sheet.main+xml\"/>"
              "<Override PartName=\"/xl/styles.xml\" ContentType=\"" SHEET_TYPE ".styles+xml\"/>"
              "<Override PartName=\"/" XLSX_SHEET_PART "\" ContentType=\"" SHEET_TYPE ".worksheet+xml\"/>";

static const char info_content_type[] =
    "<Override PartName=\"/" XLSX_INFO_PART "\" ContentType=\"" SHEET_TYPE ".worksheet+xml\"/>";

static const char root_relationships[] = XML_START "<Relationships xmlns=\"" PACKAGE "/relationships\">"
                                                   "<Relationship Id=\"rId1\" Type=\"" OFFICE
                                                   "/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>";

static const char workbook_relationships[] =
    XML_START "<Relationships xmlns=\"" PACKAGE "/relationships\">"
              "<Relationship Id=\"rId1\" Type=\"" OFFICE "/worksheet\" Target=\"worksheets/sheet1.xml\"/>"
              "<Relationship Id=\"rId3\" Type=\"" OFFICE "/styles\" Target=\"styles.xml\"/>";

static const char info_relationship[] =
    "<Relationship Id=\"rId2\" Type=\"" OFFICE "/worksheet\" Target=\"worksheets/sheet2.xml\"/>";

static const char workbook_start[] =
    XML_START "<workbook xmlns=\"" MAIN "\" xmlns:r=\"" OFFICE "\"><sheets><sheet name=\"";

static const char styles[] = XML_START
    "<styleSheet xmlns=\"" MAIN "\">"
    "<fonts count=\"2\"><font><sz val=\"11\"/><name val=\"Calibri\"/><family val=\"2\"/></font>"
    "<font><b/><sz val=\"11\"/><name val=\"Calibri\"/><family val=\"2\"/></font></fonts>"
    "<fills count=\"2\"><fill><patternFill patternType=\"none\"/></fill>"
    "<fill><patternFill patternType=\"gray125\"/></fill></fills>"
    "<borders count=\"2\"><border><left/><right/><top/><bottom/><diagonal/></border>"
    "<border><left style=\"thin\"/><right style=\"thin\"/><top style=\"thin\"/><bottom style=\"thin\"/>"
    "<diagonal/></border></borders>"
    "<cellStyleXfs count=\"1\"><xf numFmtId=\"0\" fontId=\"0\" fillId=\"0\" borderId=\"0\"/></cellStyleXfs>"
    "<cellXfs count=\"2\"><xf numFmtId=\"0\" fontId=\"0\" fillId=\"0\" borderId=\"0\" xfId=\"0\"/>"
    "<xf numFmtId=\"0\" fontId=\"1\" fillId=\"0\" borderId=\"1\" xfId=\"0\" applyFont=\"1\" applyBorder=\"1\" "
    "applyAlignment=\"1\"><alignment horizontal=\"center\" vertical=\"top\"/></xf></cellXfs>"
    "<cellStyles count=\"1\"><cellStyle name=\"Normal\" xfId=\"0\" builtinId=\"0\"/></cellStyles></styleSheet>";

enum err xlsx_frame_check_title(const char *title, struct fault *why)
{
    size_t len = strlen(title), units;
    if (len == 0)
        return fault_set(why, ERR_INVALID, "The sheet title is empty");
    const char *bad = strpbrk(title, "\\*?:/[]");
    if (bad)
        return fault_set(why, ERR_INVALID, "Invalid character %c found in sheet title", *bad);
    for (const char *at = title; *at; at++)
        if ((unsigned char)*at < 0x20)
            return fault_set(why, ERR_INVALID, "Invalid character U+%04X found in sheet title", *at);
    if (*title == '\'' || title[len - 1] == '\'')
        return fault_set(why, ERR_INVALID, "Invalid character ' found at an end of the sheet title");
    xlsx_text_characters(title, len, &units);
    if (units > XLSX_TITLE_CHARACTERS_MAX)
        return fault_set(why, ERR_INVALID, "The sheet title '%s' is longer than %d characters", title,
                         XLSX_TITLE_CHARACTERS_MAX);
    return ERR_OK;
}

static enum err write_text(struct zip_write *zip, const char *name, const char *start, const char *middle,
                           const char *end, struct fault *why)
{
    enum err err = zip_write_begin(zip, name, why);
    if (err == ERR_OK)
        err = zip_write_add(zip, start, strlen(start), why);
    if (err == ERR_OK)
        err = zip_write_add(zip, middle, strlen(middle), why);
    if (err == ERR_OK)
        err = zip_write_add(zip, end, strlen(end), why);
    return err == ERR_OK ? zip_write_end(zip, why) : err;
}

/* A sheet that the user calls Info keeps its name; Excel compares them without regard to case. */
static const char *info_title(const char *title)
{
    return strcasecmp(title, "Info") == 0 ? "Info1" : "Info";
}

static enum err write_workbook(struct zip_write *zip, const char *title, bool info_sheet, struct fault *why)
{
    struct buf xml = BUF_INIT(PART_BYTES_MAX);
    enum err err = buf_add_text(&xml, workbook_start);
    if (err == ERR_OK)
        err = xlsx_text_escape(&xml, title, strlen(title));
    if (err == ERR_OK)
        err = buf_add_text(&xml, "\" sheetId=\"1\" r:id=\"rId1\"/>");
    if (err == ERR_OK && info_sheet)
        err = buf_printf(&xml, "<sheet name=\"%s\" sheetId=\"2\" r:id=\"rId2\"/>", info_title(title));
    if (err == ERR_OK)
        err = buf_add_text(&xml, "</sheets></workbook>");
    if (err == ERR_OK)
        err = zip_write_member(zip, "xl/workbook.xml", xml.data, xml.len, why);
    else
        fault_set(why, err, "Out of memory");
    buf_fini(&xml);
    return err;
}

enum err xlsx_frame_write(struct zip_write *zip, const char *title, bool info_sheet, struct fault *why)
{
    enum err err =
        write_text(zip, "[Content_Types].xml", content_types, info_sheet ? info_content_type : "", "</Types>", why);
    if (err == ERR_OK)
        err = write_text(zip, "_rels/.rels", root_relationships, "", "", why);
    if (err == ERR_OK)
        err = write_workbook(zip, title, info_sheet, why);
    if (err == ERR_OK)
        err = write_text(zip, "xl/_rels/workbook.xml.rels", workbook_relationships, info_sheet ? info_relationship : "",
                         "</Relationships>", why);
    if (err == ERR_OK)
        err = write_text(zip, "xl/styles.xml", styles, "", "", why);
    return err;
}

enum err xlsx_frame_head(struct buf *out, uint32_t columns, uint64_t rows, const uint32_t *widths)
{
    char last[XLSX_COLUMN_NAME_MAX] = "A";
    if (columns > 0)
        xlsx_column_name(columns - 1, last);
    enum err err = buf_add_text(out, XLSX_SHEET_START);
    if (err == ERR_OK)
        err = columns > 0 ? buf_printf(out, "<dimension ref=\"A1:%s%" PRIu64 "\"/>", last, rows)
                          : buf_add_text(out, "<dimension ref=\"A1\"/>");
    if (!widths || columns == 0)
        return err;
    if (err == ERR_OK)
        err = buf_add_text(out, "<cols>");
    for (uint32_t i = 0; i < columns && err == ERR_OK; i++)
        err = buf_printf(out, "<col min=\"%" PRIu32 "\" max=\"%" PRIu32 "\" width=\"%" PRIu32 "\" customWidth=\"1\"/>",
                         i + 1, i + 1, widths[i]);
    return err == ERR_OK ? buf_add_text(out, "</cols>") : err;
}

static enum err add_text_cell(struct buf *xml, const char *text, size_t len)
{
    enum err err = buf_add_text(xml, "<c t=\"inlineStr\"><is><t xml:space=\"preserve\">");
    if (err == ERR_OK)
        err = xlsx_text_escape(xml, text, len);
    return err == ERR_OK ? buf_add_text(xml, "</t></is></c>") : err;
}

static enum err add_text_row(struct buf *xml, const char *property, const char *value, size_t len)
{
    enum err err = buf_add_text(xml, "<row>");
    if (err == ERR_OK)
        err = add_text_cell(xml, property, strlen(property));
    if (err == ERR_OK && len > 0)
        err = add_text_cell(xml, value, len);
    return err == ERR_OK ? buf_add_text(xml, "</row>") : err;
}

static enum err add_number_row(struct buf *xml, const char *property, uint64_t value)
{
    enum err err = buf_add_text(xml, "<row>");
    if (err == ERR_OK)
        err = add_text_cell(xml, property, strlen(property));
    return err == ERR_OK ? buf_printf(xml, "<c><v>%" PRIu64 "</v></c></row>", value) : err;
}

/* All names in one cell, as many as it can take. */
static enum err join_names(struct buf *out, const struct columns *columns)
{
    size_t units, total = 0;
    for (uint32_t i = 0; i < columns->count; i++) {
        const struct cell *name = &columns->name[i];
        xlsx_text_characters(name->is.text, name->len, &units);
        total += units + 2;
        if (total + sizeof ", ..." > XLSX_TEXT_CHARACTERS_MAX)
            return buf_add_text(out, ", ...");
        enum err err = i > 0 ? buf_add_text(out, ", ") : ERR_OK;
        if (err == ERR_OK)
            err = buf_add(out, name->is.text, name->len);
        if (err != ERR_OK)
            return err;
    }
    return ERR_OK;
}

static enum err make_info(struct buf *xml, struct buf *names, const struct layout *look, const struct columns *columns,
                          uint64_t rows)
{
    char created[DATE_TEXT_MAX];
    double days = (double)(look->created_us / 1000000) / 86400.0 + 25569.0;
    size_t created_len = date_from_serial(days, false, created);
    const char *file = look->file_name ? look->file_name : "";
    uint32_t widths[2] = {14, look->column_width_max ? look->column_width_max : 50};
    enum err err = join_names(names, columns);
    if (err == ERR_OK)
        err = xlsx_frame_head(xml, 2, 6, look->column_widths ? widths : NULL);
    if (err == ERR_OK)
        err = buf_add_text(xml, "<sheetData>");
    if (err == ERR_OK)
        err = add_text_row(xml, "Property", "Value", 5);
    if (err == ERR_OK)
        err = add_text_row(xml, "File", file, strlen(file));
    if (err == ERR_OK)
        err = add_text_row(xml, "Created", created, created_len);
    if (err == ERR_OK)
        err = add_number_row(xml, "Rows", rows);
    if (err == ERR_OK)
        err = add_number_row(xml, "Columns", columns->count);
    if (err == ERR_OK)
        err = add_text_row(xml, "Column Names", names->data, names->len);
    return err == ERR_OK ? buf_add_text(xml, "</sheetData></worksheet>") : err;
}

enum err xlsx_frame_info(struct zip_write *zip, const struct layout *look, const struct columns *columns, uint64_t rows,
                         struct fault *why)
{
    struct buf xml = BUF_INIT(PART_BYTES_MAX), names = BUF_INIT(PART_BYTES_MAX);
    enum err err = make_info(&xml, &names, look, columns, rows);
    if (err == ERR_OK)
        err = zip_write_member(zip, XLSX_INFO_PART, xml.data, xml.len, why);
    else
        fault_set(why, err, "Out of memory");
    buf_fini(&xml);
    buf_fini(&names);
    return err;
}
