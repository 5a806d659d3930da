#include "table/xlsx_rows.h"

#include "table/date_text.h"
#include "table/number_text.h"
#include "table/xlsx_cell_head.h"
#include "table/xlsx_column.h"
#include "table/xlsx_part.h"
#include "table/xlsx_text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FIRST_ROOM 64

/* A cell while it is read. Its text stands in self->text from `start` on. */
struct reading {
    struct xlsx_cell_head head;
    size_t start;
};

enum err xlsx_rows_init(struct xlsx_rows *self, struct zip_archive *archive, struct zip_entry *part,
                        const struct xlsx_strings *strings, const struct xlsx_styles *styles, bool date1904,
                        struct fault *why)
{
    memset(self, 0, sizeof *self);
    self->strings = strings;
    self->styles = styles;
    self->date1904 = date1904;
    self->part = xlsx_part_short_name(part->name);
    self->text = BUF_INIT(XLSX_ROW_BYTES_MAX);
    enum err err = zip_member_new(&self->member, archive, part, why);
    if (err == ERR_OK)
        err = xml_scan_init(&self->scan, zip_member_read, self->member, XML_WINDOW_BYTES, why);
    if (err != ERR_OK)
        fault_prefix(why, "%s: ", self->part);
    return err;
}

enum err xlsx_rows_clone(struct xlsx_rows *out, struct xlsx_rows *from, struct fault *why)
{
    *out = *from;
    out->member = NULL;
    out->scan.window = NULL;
    out->row = (struct xlsx_row){.cell = NULL};
    out->text = BUF_INIT(XLSX_ROW_BYTES_MAX);
    enum err err = zip_member_clone(&out->member, from->member, why);
    return err == ERR_OK ? xml_scan_clone(&out->scan, &from->scan, out->member, why) : err;
}

void xlsx_rows_fini(struct xlsx_rows *self)
{
    xml_scan_fini(&self->scan);
    zip_member_destroy(&self->member);
    free(self->row.cell);
    self->row.cell = NULL;
    buf_fini(&self->text);
}

enum err xlsx_row_add(struct xlsx_row *self, struct xlsx_cell cell, struct fault *why)
{
    if (self->count == self->room) {
        if (self->room == XLSX_COLUMNS_MAX)
            return fault_set(why, ERR_INVALID, "the row has more than %d cells", XLSX_COLUMNS_MAX);
        uint32_t room = self->room ? 2 * self->room : FIRST_ROOM;
        struct xlsx_cell *cells = realloc(self->cell, room * sizeof *cells);
        if (!cells)
            return fault_set(why, ERR_MEMORY, "Out of memory");
        self->cell = cells;
        self->room = room;
    }
    self->cell[self->count++] = cell;
    if (cell.column >= self->width)
        self->width = cell.column + 1;
    return ERR_OK;
}

/* Replaces the cell's text in self->text. */
static enum err put_text(struct xlsx_rows *self, const struct reading *cell, const char *text, size_t len,
                         struct fault *why)
{
    self->text.len = cell->start;
    return buf_add(&self->text, text, len) == ERR_OK ? ERR_OK : fault_set(why, ERR_MEMORY, "Out of memory");
}

static enum err not_a(struct fault *why, const char *text, size_t len, const char *what)
{
    return fault_set(why, ERR_INVALID, "'%.*s' is not %s", len < 40 ? (int)len : 40, text, what);
}

static const char *skip_digits(const char *at, const char *end)
{
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    return at;
}

/* Most numbers are written as they are to be read: an integer, or a decimal of at most 15 digits that neither ends in a
 * zero nor is so small that it would get an exponent. No other decimal of 15 digits is the same double, so it is the
 * shortest. */
static bool is_own_text(const char *text, size_t len)
{
    const char *end = text + len, *whole = text + (len > 0 && *text == '-'), *at = skip_digits(whole, end);
    if (at == whole || len > 16 || (*whole == '0' && at - whole > 1))
        return false;
    if (at == end)
        return *whole != '0' || whole == text;
    const char *fraction = at + 1;
    if (*at != '.' || fraction == end || skip_digits(fraction, end) != end || end[-1] == '0')
        return false;
    return *whole != '0' || end - fraction < 4 || memcmp(fraction, "0000", 4) != 0;
}

/* A serial outside the calendar is an error value, as it is for Excel. */
static enum err take_serial(struct xlsx_rows *self, struct reading *cell, enum cell_kind *kind, struct fault *why)
{
    const char *text = self->text.data + cell->start;
    size_t len = self->text.len - cell->start;
    double serial;
    char date[DATE_TEXT_MAX];
    if (!number_parse(text, len, &serial))
        return not_a(why, text, len, "a number");
    size_t date_len = date_from_serial(serial, self->date1904, date);
    if (date_len > 0)
        return put_text(self, cell, date, date_len, why);
    *kind = CELL_ERROR;
    return put_text(self, cell, "#VALUE!", 7, why);
}

static enum err take_number(struct xlsx_rows *self, struct reading *cell, enum cell_kind *kind, struct fault *why)
{
    const char *text = self->text.data + cell->start;
    size_t len = self->text.len - cell->start;
    if (xlsx_styles_date(self->styles, cell->head.format))
        return take_serial(self, cell, kind, why);
    if (is_own_text(text, len))
        return ERR_OK;
    char number[NUMBER_DIGITS_MAX];
    size_t number_len;
    if (!number_from_sheet(text, len, number, &number_len))
        return not_a(why, text, len, "a number");
    return put_text(self, cell, number, number_len, why);
}

static enum err take_truth(struct xlsx_rows *self, struct reading *cell, struct fault *why)
{
    const char *text = self->text.data + cell->start;
    size_t len = self->text.len - cell->start;
    bool yes = (len == 1 && *text == '1') || (len == 4 && strncasecmp(text, "true", 4) == 0);
    bool no = (len == 1 && *text == '0') || (len == 5 && strncasecmp(text, "false", 5) == 0);
    if (!yes && !no)
        return not_a(why, text, len, "a truth value");
    return put_text(self, cell, yes ? "True" : "False", yes ? 4 : 5, why);
}

/* ISO 8601 as strict workbooks may have it (18.17.4.1): `2024-01-15T10:20:30Z` -> `2024-01-15 10:20:30`, a date alone
 * gets its midnight, a time alone stays. */
static enum err take_iso_date(struct xlsx_rows *self, struct reading *cell, struct fault *why)
{
    static const char midnight[] = " 00:00:00";
    char *text = self->text.data + cell->start;
    size_t len = self->text.len - cell->start;
    if (len > DATE_TEXT_MAX)
        return not_a(why, text, len, "a date");
    if (len > 0 && text[len - 1] == 'Z')
        self->text.len--, len--;
    char *separator = memchr(text, 'T', len);
    if (separator)
        *separator = ' ';
    else if (memchr(text, '-', len) && buf_add(&self->text, midnight, sizeof midnight - 1) != ERR_OK)
        return fault_set(why, ERR_MEMORY, "Out of memory");
    return ERR_OK;
}

static enum err take_shared(struct xlsx_rows *self, const struct reading *cell, struct fault *why)
{
    const char *text = self->text.data + cell->start;
    size_t len = self->text.len - cell->start;
    uint32_t index;
    if (!xlsx_cell_digits(text, len, &index) || index >= self->strings->count)
        return fault_set(why, ERR_INVALID, "there is no shared string '%.*s' (the workbook has %" PRIu32 ")",
                         len < 20 ? (int)len : 20, text, self->strings->count);
    self->text.len = cell->start;
    struct cell value = xlsx_strings_cell(self->strings, index);
    if (value.kind == CELL_EMPTY)
        return ERR_OK;
    return xlsx_row_add(&self->row, (struct xlsx_cell){.column = cell->head.column, .shared = index, .value = value},
                        why);
}

static enum xlsx_alike alike_of(enum xlsx_value_type type, const char *text, size_t len)
{
    if (type == XLSX_VALUE_TRUTH)
        return *text == 'T' ? XLSX_ONE : XLSX_ZERO;
    if (type != XLSX_VALUE_NUMBER || len != 1)
        return XLSX_UNLIKE;
    return *text == '1' ? XLSX_ONE : *text == '0' ? XLSX_ZERO : XLSX_UNLIKE;
}

/* Text in self->text moves while the row grows: until end_row() the cell holds its offset. */
static enum err add_own_text(struct xlsx_rows *self, const struct reading *cell, enum cell_kind kind, struct fault *why)
{
    struct cell value = {.kind = kind, .len = (uint32_t)(self->text.len - cell->start)};
    if (value.len == 0)
        return ERR_OK;
    enum xlsx_alike alike = alike_of(cell->head.type, self->text.data + cell->start, value.len);
    value.is.integer = (int64_t)cell->start;
    return xlsx_row_add(
        &self->row,
        (struct xlsx_cell){.column = cell->head.column, .shared = XLSX_OWN_TEXT, .value = value, .alike = alike}, why);
}

static void trim(struct xlsx_rows *self, size_t start)
{
    char *text = self->text.data;
    size_t begin = start;
    while (begin < self->text.len && (unsigned char)text[begin] <= ' ')
        begin++;
    while (self->text.len > begin && (unsigned char)text[self->text.len - 1] <= ' ')
        self->text.len--;
    if (begin > start)
        memmove(text + start, text + begin, self->text.len - begin);
    self->text.len -= begin - start;
}

static void unescape(struct xlsx_rows *self, const struct reading *cell)
{
    self->text.len = cell->start + xlsx_text_unescape(self->text.data + cell->start, self->text.len - cell->start);
}

/* Turns the text of <v> or <is> into the cell's value. */
static enum err end_cell(struct xlsx_rows *self, struct reading *cell, struct fault *why)
{
    bool is_text = cell->head.type == XLSX_VALUE_TEXT || cell->head.type == XLSX_VALUE_INLINE;
    if (!is_text)
        trim(self, cell->start);
    if (self->text.len == cell->start)
        return ERR_OK;
    enum cell_kind kind = CELL_TEXT;
    enum err err = ERR_OK;
    switch (cell->head.type) {
    case XLSX_VALUE_SHARED: return take_shared(self, cell, why);
    case XLSX_VALUE_NUMBER: err = take_number(self, cell, &kind, why); break;
    case XLSX_VALUE_TRUTH: err = take_truth(self, cell, why); break;
    case XLSX_VALUE_DATE: err = take_iso_date(self, cell, why); break;
    case XLSX_VALUE_ERROR: kind = CELL_ERROR; break;
    case XLSX_VALUE_TEXT: unescape(self, cell); break;
    case XLSX_VALUE_INLINE: break; /* is unescaped already */
    }
    return err == ERR_OK ? add_own_text(self, cell, kind, why) : err;
}

static enum err read_child(struct xlsx_rows *self, const struct reading *cell, struct fault *why)
{
    struct xml_scan *scan = &self->scan;
    bool is_inline = cell->head.type == XLSX_VALUE_INLINE;
    if (!is_inline && XML_IS(scan, "v"))
        return xlsx_strings_element(scan, &self->text, why);
    if (is_inline && XML_IS(scan, "is"))
        return xlsx_strings_item(scan, &self->text, why);
    return xml_scan_skip(scan, why);
}

/* The scanner stands behind the start tag of a <c>. */
static enum err read_cell(struct xlsx_rows *self, struct reading *cell, struct fault *why)
{
    struct xml_scan *scan = &self->scan;
    uint32_t outside = scan->depth - 1;
    enum err err = xlsx_cell_head_read(scan, &cell->head, why);
    if (err == ERR_OK && cell->head.type != XLSX_VALUE_INLINE && XML_LEAF(scan, "v"))
        err = xlsx_strings_text(scan, &self->text, why);
    while (err == ERR_OK && scan->depth > outside) {
        enum xml_token token;
        err = xml_scan_next(scan, &token, why);
        if (err == ERR_OK && token == XML_OPEN)
            err = read_child(self, cell, why);
    }
    return err == ERR_OK ? end_cell(self, cell, why) : err;
}

/* The scanner has taken a whole cell; its text is the present token. */
static enum err read_taken_cell(struct xlsx_rows *self, struct reading *cell, struct fault *why)
{
    enum err err = xlsx_strings_text(&self->scan, &self->text, why);
    if (err != ERR_OK)
        return err;
    if (cell->head.type == XLSX_VALUE_INLINE)
        unescape(self, cell);
    return end_cell(self, cell, why);
}

static void say_where(const struct xlsx_rows *self, const struct reading *cell, struct fault *why)
{
    char name[XLSX_COLUMN_NAME_MAX];
    xlsx_column_name(cell->head.column, name);
    fault_prefix(why, "cell %s%" PRIu32 ": ", name, self->row.number);
}

/* What comes next inside of a row. A cell without r="..." stands right of the one before it. */
static enum err read_next(struct xlsx_rows *self, uint32_t *next_column, struct fault *why)
{
    struct xml_scan *scan = &self->scan;
    struct reading cell = {.head = {.column = *next_column}, .start = self->text.len};
    enum err err;
    if (xlsx_cell_head_take(scan, &cell.head)) {
        err = read_taken_cell(self, &cell, why);
    } else {
        enum xml_token token;
        err = xml_scan_next(scan, &token, why);
        if (err != ERR_OK || token != XML_OPEN)
            return err;
        if (!XML_IS(scan, "c"))
            return xml_scan_skip(scan, why);
        err = read_cell(self, &cell, why);
    }
    *next_column = cell.head.column + 1;
    if (err != ERR_OK && why)
        say_where(self, &cell, why);
    return err;
}

static void end_row(struct xlsx_rows *self)
{
    for (uint32_t i = 0; i < self->row.count; i++) {
        struct xlsx_cell *cell = &self->row.cell[i];
        if (cell->shared == XLSX_OWN_TEXT)
            cell->value.is.text = self->text.data + cell->value.is.integer;
    }
}

static enum err start_row(struct xlsx_rows *self, struct fault *why)
{
    uint32_t number = self->last_number + 1;
    for (uint32_t i = 0; i < self->scan.attribute_count; i++) {
        const struct xml_attribute *attribute = &self->scan.attribute[i];
        if (attribute->name_len == 1 && attribute->name[0] == 'r' &&
            !xlsx_cell_digits(attribute->value, attribute->value_len, &number))
            return fault_set(why, ERR_INVALID, "row '%.*s' is no row of a sheet",
                             attribute->value_len < 20 ? (int)attribute->value_len : 20, attribute->value);
    }
    if (number == 0 || number > XLSX_ROWS_MAX)
        return fault_set(why, ERR_INVALID, "row %" PRIu32 " is no row of a sheet", number);
    if (number <= self->last_number)
        return fault_set(why, ERR_INVALID, "row %" PRIu32 " stands behind row %" PRIu32, number, self->last_number);
    self->row.number = self->last_number = number;
    self->row.count = self->row.width = 0;
    buf_clear(&self->text);
    return ERR_OK;
}

static enum err read_row(struct xlsx_rows *self, struct fault *why)
{
    const struct xml_scan *scan = &self->scan;
    uint32_t outside = scan->depth - 1, next_column = 0;
    enum err err = start_row(self, why);
    if (err != ERR_OK)
        return err;
    while (err == ERR_OK && scan->depth > outside)
        err = read_next(self, &next_column, why);
    if (err != ERR_OK)
        fault_prefix(why, "row %" PRIu32 ", ", self->row.number);
    else
        end_row(self);
    return err;
}

/* One step outside of rows. */
static enum err step(struct xlsx_rows *self, bool *got_row, struct fault *why)
{
    struct xml_scan *scan = &self->scan;
    enum xml_token token;
    enum err err = xml_scan_next(scan, &token, why);
    if (err != ERR_OK)
        return err;
    switch (token) {
    case XML_TEXT: break;
    case XML_END: self->ended = true; break;
    case XML_CLOSE: self->in_data = self->in_data && scan->depth >= 2; break;
    case XML_OPEN:
        if (scan->depth == 1)
            return xml_scan_want_root(scan, "worksheet", why);
        if (scan->depth == 2 && XML_IS(scan, "sheetData")) {
            self->in_data = true;
            break;
        }
        if (!self->in_data || !XML_IS(scan, "row"))
            return xml_scan_skip(scan, why);
        err = read_row(self, why);
        *got_row = err == ERR_OK && self->row.count > 0;
        break;
    }
    return err;
}

enum err xlsx_rows_next(struct xlsx_rows *self, struct fault *why)
{
    bool got_row = false;
    while (!got_row && !self->ended) {
        enum err err = step(self, &got_row, why);
        if (err != ERR_OK) {
            fault_prefix(why, "%s: ", self->part);
            return err;
        }
    }
    return got_row ? ERR_OK : ERR_END;
}
