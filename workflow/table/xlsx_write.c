/* The Excel writer: one pass, constant memory. Texts are inline strings, so that no table of them must be kept and text
 * is text whatever it begins with. The sheet's head holds the column widths and is filled in at the end. */
#include "table/sink.h"

#include "table/number_text.h"
#include "table/xlsx_column.h"
#include "table/xlsx_frame.h"
#include "table/xlsx_text.h"
#include "table/zip_write.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define SHEET_ROWS_MAX     1048576
#define WIDTH_MAX_STANDARD 50
#define WIDTH_MAX          255 /* Excel's own limit */
#define LEVEL_STANDARD     6
#define FLUSH_BYTES        (48u << 10)
#define ROW_XML_BYTES_MAX                                                                                              \
    (256u << 20) /* flushed after each cell: one cell of 32,767 characters at most is far below                        \
                  */

struct xlsx_write {
    struct sink sink;
    struct zip_write zip;
    struct layout look;
    const struct columns *columns;
    uint32_t *longest; /* characters of the longest text, by column */
    uint64_t rows;     /* sheet rows so far, the header included */
    struct buf xml;    /* of the sheet, not yet packed */
    char row_digits[24];
    size_t row_digits_len;
    char (*column_name)[XLSX_COLUMN_NAME_MAX];
    unsigned char *column_name_len;
};

static const char *sheet_title(const struct layout *look)
{
    return look->sheet_name ? look->sheet_name : "Sheet1";
}

static enum err flush_xml(struct xlsx_write *self, size_t above, struct fault *why)
{
    if (self->xml.len <= above)
        return ERR_OK;
    enum err err = zip_write_add(&self->zip, self->xml.data, self->xml.len, why);
    buf_clear(&self->xml);
    return err;
}

static char *put(char *to, const char *text, size_t len)
{
    memcpy(to, text, len);
    return to + len;
}

#define PUT(to, literal) put((to), (literal), sizeof(literal) - 1)

/* `<c r="C1042"` and what of its attributes is the same for the whole row. */
static char *put_cell_start(const struct xlsx_write *self, char *to, uint32_t column, bool is_header)
{
    to = PUT(to, "<c r=\"");
    to = put(to, self->column_name[column], self->column_name_len[column]);
    to = put(to, self->row_digits, self->row_digits_len);
    return is_header && self->look.styled_header ? PUT(to, "\" s=\"" XLSX_HEADER_STYLE "\"") : PUT(to, "\"");
}

static enum err text_too_long(const struct xlsx_write *self, uint32_t column, size_t characters, struct fault *why)
{
    return fault_set(why, ERR_TOO_LARGE, "%s: cell %s%.*s: a text of %zu characters is longer than Excel's %d",
                     sheet_title(&self->look), self->column_name[column], (int)self->row_digits_len, self->row_digits,
                     characters, XLSX_TEXT_CHARACTERS_MAX);
}

/* Bytes are never fewer than characters, so most texts need no counting. */
static enum err measure(struct xlsx_write *self, uint32_t column, const char *text, size_t len, struct fault *why)
{
    if (len <= self->longest[column])
        return ERR_OK;
    size_t units, characters = xlsx_text_characters(text, len, &units);
    if (units > XLSX_TEXT_CHARACTERS_MAX)
        return text_too_long(self, column, units, why);
    if (characters > self->longest[column])
        self->longest[column] = (uint32_t)characters;
    return ERR_OK;
}

#define CELL_MARKUP_MAX 128 /* bytes around a value */

#define INLINE_START   " t=\"inlineStr\"><is><t>"
#define PRESERVE_START " t=\"inlineStr\"><is><t xml:space=\"preserve\">"
#define INLINE_END     "</t></is></c>"

/* A text with characters that XML spells in another way. */
static enum err add_escaped(struct xlsx_write *self, uint32_t column, bool is_header, const struct cell *cell)
{
    const char *text = cell->is.text;
    char *start;
    enum err err = buf_extend(&self->xml, CELL_MARKUP_MAX, &start);
    if (err != ERR_OK)
        return err;
    char *to = put_cell_start(self, start, column, is_header);
    to = xlsx_text_needs_preserve(text, cell->len) ? PUT(to, PRESERVE_START) : PUT(to, INLINE_START);
    self->xml.len -= CELL_MARKUP_MAX - (size_t)(to - start);
    err = xlsx_text_escape(&self->xml, text, cell->len);
    return err == ERR_OK ? buf_add_text(&self->xml, INLINE_END) : err;
}

static enum err add_text(struct xlsx_write *self, uint32_t column, bool is_header, const struct cell *cell)
{
    if (!xlsx_text_is_plain(cell->is.text, cell->len))
        return add_escaped(self, column, is_header, cell);
    char *start;
    size_t room = CELL_MARKUP_MAX + cell->len;
    enum err err = buf_extend(&self->xml, room, &start);
    if (err != ERR_OK)
        return err;
    char *to = PUT(put_cell_start(self, start, column, is_header), INLINE_START);
    to = PUT(put(to, cell->is.text, cell->len), INLINE_END);
    self->xml.len -= room - (size_t)(to - start);
    return ERR_OK;
}

static enum err add_number(struct xlsx_write *self, uint32_t column, const char *text, size_t len, bool truth)
{
    char *start;
    enum err err = buf_extend(&self->xml, CELL_MARKUP_MAX + len, &start);
    if (err != ERR_OK)
        return err;
    char *to = put_cell_start(self, start, column, false);
    to = truth ? PUT(to, " t=\"b\"><v>") : PUT(to, "><v>");
    to = PUT(put(to, text, len), "</v></c>");
    self->xml.len -= CELL_MARKUP_MAX + len - (size_t)(to - start);
    return ERR_OK;
}

static enum err add_cell(struct xlsx_write *self, uint32_t column, bool is_header, const struct cell *cell,
                         struct fault *why)
{
    char space[CELL_NUMBER_MAX];
    size_t len;
    const char *text = cell_as_text(cell, space, &len);
    enum err err = len > 0 ? measure(self, column, text, len, why) : ERR_OK;
    if (err != ERR_OK)
        return err;
    switch (cell->kind) {
    case CELL_EMPTY:
    case CELL_ERROR: return ERR_OK;
    case CELL_TEXT: err = add_text(self, column, is_header, cell); break;
    case CELL_INTEGER:
    case CELL_REAL: err = add_number(self, column, text, len, false); break;
    case CELL_TRUTH: err = add_number(self, column, cell->is.truth ? "1" : "0", 1, true); break;
    }
    if (err != ERR_OK)
        return fault_set(why, err, "Out of memory");
    return flush_xml(self, FLUSH_BYTES, why);
}

/* The digits go up with the rows: nothing is divided or printed for each. */
static void count_row(struct xlsx_write *self)
{
    self->rows++;
    size_t at = self->row_digits_len;
    while (at > 0 && self->row_digits[at - 1] == '9')
        self->row_digits[--at] = '0';
    if (at > 0) {
        self->row_digits[at - 1]++;
        return;
    }
    self->row_digits[0] = '1'; /* 1, or 10 after 9: the zeros behind it are one more */
    if (self->row_digits_len > 0)
        self->row_digits[self->row_digits_len] = '0';
    self->row_digits_len++;
}

static enum err start_row(struct xlsx_write *self, struct fault *why)
{
    char *start;
    enum err err = buf_extend(&self->xml, CELL_MARKUP_MAX, &start);
    if (err != ERR_OK)
        return fault_set(why, err, "Out of memory");
    char *to = PUT(put(PUT(start, "<row r=\""), self->row_digits, self->row_digits_len), "\">");
    self->xml.len -= CELL_MARKUP_MAX - (size_t)(to - start);
    return ERR_OK;
}

static bool is_nothing(const struct cell *cell)
{
    return cell->kind == CELL_EMPTY || cell->kind == CELL_ERROR;
}

/* A row without a value is left out: rows say their number. */
static enum err add_row(struct xlsx_write *self, const struct row *row, bool is_header, struct fault *why)
{
    if (self->rows == SHEET_ROWS_MAX)
        return fault_set(why, ERR_TOO_LARGE, "%s: more rows than the %d of an Excel sheet", sheet_title(&self->look),
                         SHEET_ROWS_MAX);
    count_row(self);
    const struct cell *cells = row->cell;
    uint32_t first = row->blank ? row->count : 0, count = row->count;
    while (first < count && is_nothing(&cells[first]))
        first++;
    if (first == count)
        return ERR_OK;
    enum err err = start_row(self, why);
    for (uint32_t i = first; i < count && err == ERR_OK; i++)
        if (!is_nothing(&cells[i]))
            err = add_cell(self, i, is_header, &cells[i], why);
    if (err == ERR_OK && buf_add(&self->xml, "</row>", 6) != ERR_OK)
        err = fault_set(why, ERR_MEMORY, "Out of memory");
    return err;
}

static enum err make_room(struct xlsx_write *self, struct fault *why)
{
    size_t count = self->columns->count;
    self->longest = calloc(count + 1, sizeof *self->longest);
    self->column_name = calloc(count + 1, sizeof *self->column_name);
    self->column_name_len = calloc(count + 1, 1);
    if (!self->longest || !self->column_name || !self->column_name_len)
        return fault_set(why, ERR_MEMORY, "Out of memory");
    for (uint32_t i = 0; i < count; i++)
        self->column_name_len[i] = (unsigned char)xlsx_column_name(i, self->column_name[i]);
    return ERR_OK;
}

static enum err start_sheet(struct xlsx_write *self, struct fault *why)
{
    size_t head = XLSX_HEAD_BYTES + (self->look.column_widths ? XLSX_COLUMN_BYTES * (size_t)self->columns->count : 0);
    enum err err = zip_write_begin(&self->zip, XLSX_SHEET_PART, why);
    if (err == ERR_OK)
        err = zip_write_reserve(&self->zip, head, why);
    if (err == ERR_OK)
        err = zip_write_add(&self->zip, "<sheetData>", 11, why);
    if (err == ERR_OK)
        err = add_row(self, &(struct row){.count = self->columns->count, .cell = self->columns->name}, true, why);
    return err;
}

static enum err start(struct xlsx_write *self, struct output *to, struct fault *why)
{
    const struct layout *look = &self->look;
    const char *title = sheet_title(look);
    enum err err = xlsx_frame_check_title(title, why);
    if (err == ERR_OK && self->columns->count > XLSX_COLUMNS_MAX)
        err = fault_set(why, ERR_TOO_LARGE, "%s: %" PRIu32 " columns are more than the %d of an Excel sheet", title,
                        self->columns->count, XLSX_COLUMNS_MAX);
    if (err == ERR_OK)
        err = make_room(self, why);
    if (err == ERR_OK)
        err = zip_write_init(&self->zip, to, look->deflate_level ? look->deflate_level : LEVEL_STANDARD,
                             look->created_us / 1000000, why);
    if (err == ERR_OK)
        err = xlsx_frame_write(&self->zip, title, look->info_sheet, why);
    return err == ERR_OK ? start_sheet(self, why) : err;
}

static void write_destroy(struct sink *sink)
{
    struct xlsx_write *self = (struct xlsx_write *)sink;
    zip_write_fini(&self->zip);
    buf_fini(&self->xml);
    free(self->longest);
    free(self->column_name);
    free(self->column_name_len);
    free(self);
}

static enum err write_begin(struct sink **out, struct output *to, const struct columns *columns,
                            const struct layout *look, struct fault *why)
{
    *out = NULL;
    struct xlsx_write *self = calloc(1, sizeof *self);
    if (!self)
        return fault_set(why, ERR_MEMORY, "%sOut of memory", xlsx_sink.write_prefix);
    self->sink.kind = &xlsx_sink;
    self->look = look ? *look : (struct layout){.sheet_name = NULL};
    self->columns = columns;
    self->xml = BUF_INIT(ROW_XML_BYTES_MAX);
    enum err err = start(self, to, why);
    if (err != ERR_OK) {
        fault_prefix(why, "%s", xlsx_sink.write_prefix);
        write_destroy(&self->sink);
        return err;
    }
    *out = &self->sink;
    return ERR_OK;
}

static enum err write_row(struct sink *sink, const struct row *row, struct fault *why)
{
    enum err err = add_row((struct xlsx_write *)sink, row, false, why);
    if (err != ERR_OK)
        fault_prefix(why, "%s", xlsx_sink.write_prefix);
    return err;
}

/* The longest text of a column becomes its width. */
static void make_widths(struct xlsx_write *self)
{
    uint32_t max = self->look.column_width_max ? self->look.column_width_max : WIDTH_MAX_STANDARD;
    if (max > WIDTH_MAX)
        max = WIDTH_MAX;
    for (uint32_t i = 0; i < self->columns->count; i++)
        self->longest[i] = self->longest[i] + 2 < max ? self->longest[i] + 2 : max;
}

static enum err fill_head(struct xlsx_write *self, struct fault *why)
{
    make_widths(self);
    buf_clear(&self->xml);
    enum err err =
        xlsx_frame_head(&self->xml, self->columns->count, self->rows, self->look.column_widths ? self->longest : NULL);
    if (err != ERR_OK)
        return fault_set(why, err, "Out of memory");
    return zip_write_fill(&self->zip, self->xml.data, self->xml.len, why);
}

static enum err finish(struct xlsx_write *self, struct fault *why)
{
    static const char end[] = "</sheetData></worksheet>";
    enum err err = flush_xml(self, 0, why);
    if (err == ERR_OK)
        err = zip_write_add(&self->zip, end, sizeof end - 1, why);
    if (err == ERR_OK)
        err = fill_head(self, why);
    if (err == ERR_OK)
        err = zip_write_end(&self->zip, why);
    if (err == ERR_OK && self->look.info_sheet)
        err = xlsx_frame_info(&self->zip, &self->look, self->columns, self->rows - 1, why);
    return err == ERR_OK ? zip_write_finish(&self->zip, why) : err;
}

static enum err write_finish(struct sink *sink, struct fault *why)
{
    enum err err = finish((struct xlsx_write *)sink, why);
    if (err != ERR_OK)
        fault_prefix(why, "%s", xlsx_sink.write_prefix);
    return err;
}

const struct sink_kind xlsx_sink = {
    .name = "xlsx",
    .suffix = ".xlsx",
    .content_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    .write_prefix = "Failed to write Excel file: ",
    .spells_nul = true,
    .begin = write_begin,
    .row = write_row,
    .finish = write_finish,
    .destroy = write_destroy,
};
