/* The reader of old Excel workbooks (.xls of Excel 97 to 2003): one worksheet as a table.
 *
 * Cells stand in the stream row by row. open() goes through the sheet once to learn how wide and long it is; later rows
 * are read as they come. Values read as those of .xlsx do. Source of the format: [MS-XLS] 2.4, 2.5. */
#include "table/date_text.h"
#include "table/header.h"
#include "table/number_text.h"
#include "table/source.h"
#include "table/xls_workbook.h"

#include <stdio.h>
#include <stdlib.h>

#define COLUMNS_MAX   256
#define ROW_BYTES_MAX (COLUMNS_MAX * (size_t)SOURCE_CELL_BYTES_MAX)
#define RK_BYTES      6  /* one cell of MULRK */
#define RK_HUNDREDTH  1u /* the number is a hundred times as large as meant */
#define RK_INTEGER    2u

struct xls_read {
    struct source source;
    struct compound_file *file;
    struct xls_records records;
    struct xls_workbook workbook;
    uint32_t sheet_offset;
    struct header header;
    uint32_t width;
    uint64_t row_count; /* with the header, up to the last row with a value */
    uint64_t end;       /* of the sheet in the stream */

    uint32_t row;   /* sheet row to be reported next */
    unsigned depth; /* of substreams within the sheet: charts */
    struct found {
        bool any;
        uint32_t row, column;
        struct cell cell; /* its text, if in the row's bytes, is at `from` */
        bool own;
        size_t from;
    } coming;           /* the next cell; not any: behind the last */
    uint16_t mul_at;    /* next cell within a MULRK, 0 = none */
    bool formula_waits; /* `coming`'s place is known, its text comes in a STRING */
    struct buf bytes;   /* of the row's texts that are not shared */
    struct cell cell[COLUMNS_MAX];
    struct found place[COLUMNS_MAX];
};

static const struct {
    unsigned char code;
    const char *name;
} error_names[] = {{0x00, "#NULL!"}, {0x07, "#DIV/0!"}, {0x0F, "#VALUE!"}, {0x17, "#REF!"},
                   {0x1D, "#NAME?"}, {0x24, "#NUM!"},   {0x2A, "#N/A"}};

static struct cell error_cell(unsigned char code)
{
    const char *name = "#N/A";
    for (size_t i = 0; i < sizeof error_names / sizeof *error_names; i++)
        if (error_names[i].code == code)
            name = error_names[i].name;
    return (struct cell){.kind = CELL_ERROR, .len = (uint32_t)strlen(name), .is.text = name};
}

static enum err damaged(const struct xls_read *self, struct fault *why)
{
    return fault_set(why, ERR_INVALID, "row %u: the workbook is damaged: a cell is cut off", self->row + 1);
}

/* --- values --- */

static enum err own_text(struct xls_read *self, const char *text, size_t len, struct fault *why)
{
    self->coming.own = true;
    self->coming.from = self->bytes.len;
    self->coming.cell = cell_text("", len);
    self->coming.cell.len = (uint32_t)len;
    self->coming.cell.kind = len > 0 ? CELL_TEXT : CELL_EMPTY;
    return buf_add(&self->bytes, text, len) == ERR_OK ? ERR_OK : fault_set(why, ERR_MEMORY, "no memory for a row");
}

static enum err set_number(struct xls_read *self, double number, uint16_t format, struct fault *why)
{
    char repr[CELL_NUMBER_MAX], text[NUMBER_DIGITS_MAX], date[DATE_TEXT_MAX];
    size_t len = 0;
    if (xls_workbook_is_date(&self->workbook, format)) {
        len = date_from_serial(number, self->workbook.date1904, date);
        if (len > 0)
            return own_text(self, date, len, why);
    }
    size_t repr_len = number_repr(number, repr);
    if (!number_from_sheet(repr, repr_len, text, &len))
        len = 0; /* not a number, or infinite: no spreadsheet shows that */
    return own_text(self, text, len, why);
}

static double get_double(const unsigned char *at)
{
    uint64_t bits = (uint64_t)xls_get32(at + 4) << 32 | xls_get32(at);
    double number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

/* [MS-XLS] 2.5.217: a whole number of 30 bits, or the upper 30 bits of a double. */
static double get_rk(const unsigned char *at)
{
    uint32_t rk = xls_get32(at);
    double number;
    if (rk & RK_INTEGER) {
        number = (double)((int32_t)rk >> 2);
    } else {
        uint64_t bits = (uint64_t)(rk & ~3u) << 32;
        memcpy(&number, &bits, sizeof number);
    }
    return rk & RK_HUNDREDTH ? number / 100 : number;
}

static void set_truth(struct xls_read *self, bool truth)
{
    self->coming.cell = truth ? cell_text("True", 4) : cell_text("False", 5);
}

static enum err set_shared(struct xls_read *self, uint32_t index, struct fault *why)
{
    const struct xls_workbook *book = &self->workbook;
    if (index >= book->text_count)
        return fault_set(why, ERR_INVALID, "row %u: the workbook is damaged: a cell's text does not exist",
                         self->coming.row + 1);
    const struct xls_text *text = &book->text[index];
    /* Where all texts are empty there are no bytes to point into. */
    self->coming.cell = text->len > 0 ? cell_text(book->bytes.data + text->from, text->len) : cell_empty();
    return ERR_OK;
}

/* The text of a LABEL or STRING: count, width, characters. */
static enum err read_text(struct xls_read *self, struct fault *why)
{
    unsigned char head[3];
    enum err err = xls_records_take(&self->records, head, sizeof head, why);
    size_t from = self->bytes.len;
    if (err == ERR_OK)
        err = xls_records_text(&self->records, xls_get16(head), head[2] & 1, &self->bytes, why);
    self->coming.own = true;
    self->coming.from = from;
    self->coming.cell = (struct cell){.kind = CELL_TEXT, .len = (uint32_t)(self->bytes.len - from), .is.text = ""};
    if (self->coming.cell.len == 0)
        self->coming.cell = cell_empty();
    return err;
}

/* [MS-XLS] 2.5.133: a number, or what the last two bytes 0xFFFF say is none. */
static enum err read_formula(struct xls_read *self, const unsigned char *value, uint16_t format, struct fault *why)
{
    if (xls_get16(value + 6) != 0xFFFF)
        return set_number(self, get_double(value), format, why);
    self->coming.cell = cell_empty();
    if (value[0] == 0)
        self->formula_waits = true;
    else if (value[0] == 1)
        set_truth(self, value[2]);
    else if (value[0] == 2)
        self->coming.cell = error_cell(value[2]);
    return ERR_OK;
}

/* --- cells --- */

static const struct {
    uint16_t type, len; /* least length of the record */
} cell_records[] = {{XLS_FORMULA, 14}, {XLS_MULRK, 12}, {XLS_RSTRING, 9}, {XLS_LABELSST, 10},
                    {XLS_NUMBER, 14},  {XLS_LABEL, 9},  {XLS_BOOLERR, 8}, {XLS_RK, 10}};

/* 0: not a cell. */
static uint16_t least_length(uint16_t type)
{
    for (size_t i = 0; i < sizeof cell_records / sizeof *cell_records; i++)
        if (cell_records[i].type == type)
            return cell_records[i].len;
    return 0;
}

static enum err read_mul(struct xls_read *self, struct fault *why)
{
    const unsigned char *at = self->records.data + self->mul_at;
    self->coming.any = true;
    self->coming.own = false;
    self->coming.column = xls_get16(self->records.data + 2) + (uint32_t)(self->mul_at - 4) / RK_BYTES;
    self->mul_at = (uint16_t)(self->mul_at + RK_BYTES);
    if (self->mul_at + RK_BYTES + 2 > self->records.len)
        self->mul_at = 0;
    return set_number(self, get_rk(at + 2), xls_get16(at), why);
}

static enum err read_cell(struct xls_read *self, struct fault *why)
{
    const unsigned char *data = self->records.data;
    uint16_t format = xls_get16(data + 4);
    self->coming = (struct found){.any = true, .row = xls_get16(data), .column = xls_get16(data + 2)};
    self->records.taken = 6;
    switch (self->records.type) {
    case XLS_FORMULA: return read_formula(self, data + 6, format, why);
    case XLS_LABELSST: return set_shared(self, xls_get32(data + 6), why);
    case XLS_NUMBER: return set_number(self, get_double(data + 6), format, why);
    case XLS_RK: return set_number(self, get_rk(data + 6), format, why);
    case XLS_LABEL:
    case XLS_RSTRING: return read_text(self, why);
    case XLS_BOOLERR:
        if (data[7])
            self->coming.cell = error_cell(data[6]);
        else
            set_truth(self, data[6]);
        return ERR_OK;
    case XLS_MULRK: self->mul_at = 4; return read_mul(self, why);
    }
    return ERR_OK;
}

/* Charts and the like stand within a sheet as streams of their own. */
static bool skips(struct xls_read *self, bool *ends)
{
    uint16_t type = self->records.type;
    if (type == XLS_BOF)
        self->depth++;
    else if (type == XLS_EOF && self->depth > 0)
        self->depth--;
    *ends = type == XLS_EOF && self->depth == 0;
    return self->depth != 1 || type == XLS_BOF || type == XLS_EOF;
}

/* `coming` is the next cell, also an empty one. */
static enum err next_cell(struct xls_read *self, struct fault *why)
{
    if (self->mul_at)
        return read_mul(self, why);
    self->coming.any = self->coming.own = false;
    bool waits = false, ends = false;
    while (!ends) {
        enum err err = xls_records_next(&self->records, why);
        if (err != ERR_OK)
            return err == ERR_END ? ERR_OK : err;
        uint16_t least = skips(self, &ends) ? 0 : least_length(self->records.type);
        if (!ends && self->depth == 1 && self->records.type == XLS_STRING && waits) {
            self->coming.any = true;
            return read_text(self, why);
        }
        if (least == 0)
            continue;
        if (self->records.len < least)
            return damaged(self, why);
        err = read_cell(self, why);
        waits = self->formula_waits;
        self->formula_waits = false;
        if (err != ERR_OK || !waits)
            return err;
        self->coming.any = false;
    }
    return ERR_OK;
}

static enum err start(struct xls_read *self, struct fault *why)
{
    xls_records_seek(&self->records, self->sheet_offset);
    self->row = 0;
    self->depth = 0;
    self->mul_at = 0;
    buf_clear(&self->bytes);
    return next_cell(self, why);
}

static enum err check_order(const struct xls_read *self, uint32_t row, struct fault *why)
{
    if (self->coming.column >= COLUMNS_MAX)
        return fault_set(why, ERR_INVALID, "row %u: the workbook is damaged: it has a column %u", self->coming.row + 1,
                         self->coming.column + 1);
    if (self->coming.row < row)
        return fault_set(why, ERR_UNSUPPORTED, "row %u comes after row %u; save the workbook anew",
                         self->coming.row + 1, row + 1);
    return ERR_OK;
}

static enum err survey(struct xls_read *self, struct fault *why)
{
    enum err err = start(self, why);
    uint32_t row = 0;
    while (err == ERR_OK && self->coming.any) {
        err = check_order(self, row, why);
        row = self->coming.row;
        if (err == ERR_OK && self->coming.cell.kind != CELL_EMPTY) {
            self->row_count = (uint64_t)row + 1;
            if (self->coming.column >= self->width)
                self->width = self->coming.column + 1;
        }
        buf_clear(&self->bytes);
        if (err == ERR_OK)
            err = next_cell(self, why);
    }
    self->end = self->records.next;
    return err;
}

/* --- rows --- */

/* Fills `cell` with the row `self->row` and goes on to the next one. The cell that comes after it stays the last thing
 * in `bytes`, so it is moved to the front when the next row is read. */
static enum err read_row(struct xls_read *self, struct fault *why)
{
    enum err err = ERR_OK;
    if (self->coming.own && self->coming.cell.len > 0) {
        memmove(self->bytes.data, self->bytes.data + self->coming.from, self->coming.cell.len);
        self->bytes.len = self->coming.cell.len;
        self->coming.from = 0;
    } else {
        buf_clear(&self->bytes);
    }
    for (uint32_t i = 0; i < self->width; i++)
        self->place[i] = (struct found){.cell = cell_empty()};
    while (err == ERR_OK && self->coming.any && self->coming.row == self->row) {
        if (self->coming.column < self->width)
            self->place[self->coming.column] = self->coming;
        err = next_cell(self, why);
    }
    for (uint32_t i = 0; i < self->width; i++) {
        self->cell[i] = self->place[i].cell;
        if (self->place[i].own && self->cell[i].len > 0)
            self->cell[i].is.text = self->bytes.data + self->place[i].from;
    }
    self->row++;
    return err;
}

/* A workbook with a password is a compound file too, with the encrypted package in it. */
static enum err open_file(struct xls_read *self, int fd, struct fault *why)
{
    static const char *const names[] = {"Workbook", "Book", NULL};
    static const char *const encrypted[] = {"EncryptedPackage", NULL};
    enum err err = compound_file_open(&self->file, fd, names, why);
    if (err != ERR_NOT_FOUND)
        return err;
    struct compound_file *package;
    if (compound_file_open(&package, fd, encrypted, NULL) == ERR_OK)
        err = fault_set(why, ERR_UNSUPPORTED, "the workbook is protected by a password; save it without one");
    compound_file_destroy(&package);
    return err;
}

static enum err load(struct xls_read *self, int fd, const char *sheet_name, struct fault *why)
{
    const struct xls_sheet *sheet = NULL;
    enum err err = open_file(self, fd, why);
    if (err == ERR_OK)
        err = xls_records_init(&self->records, self->file, why);
    if (err == ERR_OK)
        err = xls_workbook_load(&self->workbook, &self->records, why);
    if (err == ERR_OK)
        err = xls_workbook_sheet(&self->workbook, sheet_name, &sheet, why);
    if (err != ERR_OK)
        return err;
    self->sheet_offset = sheet->offset;
    err = survey(self, why);
    if (err == ERR_OK)
        err = start(self, why);
    if (err == ERR_OK && self->row_count > 0)
        err = read_row(self, why);
    for (uint32_t i = 0; err == ERR_OK && i < self->width; i++)
        if (self->cell[i].kind == CELL_ERROR)
            self->cell[i] = cell_empty(); /* no name */
    if (err == ERR_OK)
        err = header_make(&self->header, self->cell, self->width, why);
    self->source.columns = self->header.columns;
    return err;
}

static void xls_destroy(struct source *source)
{
    struct xls_read *self = (struct xls_read *)source;
    header_fini(&self->header);
    xls_workbook_fini(&self->workbook);
    xls_records_fini(&self->records);
    compound_file_destroy(&self->file);
    buf_fini(&self->bytes);
    free(self);
}

static enum err prefixed(enum err err, struct fault *why)
{
    if (err != ERR_OK && err != ERR_END)
        fault_prefix(why, "%s", xls_source.read_prefix);
    return err;
}

static enum err xls_open(struct source **out, int fd, const struct read_options *how, struct fault *why)
{
    struct xls_read *self = calloc(1, sizeof *self);
    *out = NULL;
    if (!self)
        return prefixed(fault_set(why, ERR_MEMORY, "Out of memory"), why);
    self->source.kind = &xls_source;
    self->bytes = BUF_INIT(ROW_BYTES_MAX);
    enum err err = load(self, fd, how ? how->sheet : NULL, why);
    if (err == ERR_OK)
        *out = &self->source;
    else
        xls_destroy(&self->source);
    return prefixed(err, why);
}

static enum err xls_next(struct source *source, struct row *row, struct fault *why)
{
    struct xls_read *self = (struct xls_read *)source;
    if (self->row >= self->row_count)
        return ERR_END;
    enum err err = read_row(self, why);
    *row = (struct row){.number = self->row - 1, .count = self->width, .cell = self->cell};
    return prefixed(err, why);
}

static enum err xls_rewind(struct source *source, struct fault *why)
{
    struct xls_read *self = (struct xls_read *)source;
    enum err err = start(self, why);
    if (err == ERR_OK && self->row_count > 0)
        err = read_row(self, why);
    return prefixed(err, why);
}

static void xls_consumed(const struct source *source, uint64_t *done, uint64_t *total)
{
    const struct xls_read *self = (const struct xls_read *)source;
    *total = self->end > self->sheet_offset ? self->end - self->sheet_offset : 0;
    uint64_t at = self->records.next > self->sheet_offset ? self->records.next - self->sheet_offset : 0;
    *done = at < *total ? at : *total;
}

const struct source_kind xls_source = {
    .name = "xls",
    .suffixes = "xls",
    .read_prefix = "Failed to read Excel file: ",
    .open = xls_open,
    .next = xls_next,
    .rewind = xls_rewind,
    .consumed = xls_consumed,
    .destroy = xls_destroy,
};
