/* The Excel reader: one worksheet of a workbook as a table.
 *
 * open() goes through the whole sheet once: the table is as wide as its widest row, and a file's own <dimension> is not
 * to be believed. Rows up to the memo's size are kept from that pass; for the others the state of parser and inflater
 * at the memo's end is kept, and reading goes on from there.
 *
 * Existing clients know columns in which 1 and True (or 0 and False) meet: there all of them read as the first one
 * does, because the two are equal values to Python. That pass also finds which it is. */
#include "table/header.h"
#include "table/source.h"
#include "table/xlsx_memo.h"
#include "table/xlsx_package.h"

#include <stdlib.h>

struct xlsx_sheet {
    struct source source;
    struct xlsx_package *package;
    const struct xlsx_worksheet *worksheet;
    struct xlsx_strings strings;
    struct xlsx_styles styles;
    struct header header;
    uint32_t width;
    char first[2]
              [SOURCE_COLUMNS_MAX]; /* of zeros and ones in a column: the first text's first byte, 0 = there is none */

    struct xlsx_memo memo;
    uint64_t memo_packed; /* packed bytes of the part that the memo stands for */
    size_t memo_at;
    struct xlsx_row memo_row;
    struct xlsx_rows behind_memo; /* where the rows go on that are not in the memo */
    struct xlsx_rows live;        /* its clone that reads them */
    bool has_behind_memo, has_live;

    const struct xlsx_row *coming; /* the next row with values; NULL behind the last */
    uint32_t row_number;           /* sheet row that was reported last */
    bool placed;                   /* the cells of `coming` stand in `cell` and were reported */
    struct cell *cell;             /* width cells, all EMPTY but for the placed ones */
};

static void close_live(struct xlsx_sheet *self)
{
    if (self->has_live)
        xlsx_rows_fini(&self->live);
    self->has_live = false;
}

static enum err fetch_live(struct xlsx_sheet *self, struct fault *why)
{
    enum err err = ERR_OK;
    if (!self->has_behind_memo)
        return ERR_END;
    if (!self->has_live) {
        self->has_live = true;
        err = xlsx_rows_clone(&self->live, &self->behind_memo, why);
    }
    if (err == ERR_OK)
        err = xlsx_rows_next(&self->live, why);
    self->coming = &self->live.row;
    return err;
}

/* Sets `coming`. The end is no error. */
static enum err fetch(struct xlsx_sheet *self, struct fault *why)
{
    self->coming = &self->memo_row;
    enum err err = xlsx_memo_read(&self->memo, &self->strings, &self->memo_at, &self->memo_row, why);
    if (err == ERR_END)
        err = fetch_live(self, why);
    if (err != ERR_OK)
        self->coming = NULL;
    return err == ERR_END ? ERR_OK : err;
}

static char *first_of(struct xlsx_sheet *self, const struct xlsx_cell *cell)
{
    return &self->first[cell->alike == XLSX_ONE][cell->column];
}

static void note_first(struct xlsx_sheet *self, const struct xlsx_row *row)
{
    for (uint32_t i = 0; i < row->count && row->number > 1; i++) {
        const struct xlsx_cell *cell = &row->cell[i];
        if (cell->alike != XLSX_UNLIKE && *first_of(self, cell) == 0)
            *first_of(self, cell) = cell->value.is.text[0];
    }
}

static struct cell value_of(struct xlsx_sheet *self, const struct xlsx_cell *cell)
{
    if (cell->alike == XLSX_UNLIKE || self->coming->number == 1)
        return cell->value;
    switch (*first_of(self, cell)) {
    case '0': return cell_text("0", 1);
    case '1': return cell_text("1", 1);
    case 'F': return cell_text("False", 5);
    case 'T': return cell_text("True", 4);
    default: return cell->value;
    }
}

/* Puts the cells of the coming row into the table's row; of two for one column the later one stays. */
static void place(struct xlsx_sheet *self)
{
    for (uint32_t i = 0; i < self->coming->count; i++)
        self->cell[self->coming->cell[i].column] = value_of(self, &self->coming->cell[i]);
    self->placed = true;
}

static void clear_placed(struct xlsx_sheet *self)
{
    if (!self->placed)
        return;
    for (uint32_t i = 0; i < self->coming->count; i++)
        self->cell[self->coming->cell[i].column] = cell_empty();
    self->placed = false;
}

/* Back before the first data row: behind row 1, whatever stands there. */
static enum err go_to_start(struct xlsx_sheet *self, struct fault *why)
{
    clear_placed(self);
    close_live(self);
    self->memo_at = 0;
    self->row_number = 1;
    enum err err = fetch(self, why);
    if (err == ERR_OK && self->coming && self->coming->number == 1)
        err = fetch(self, why);
    return err;
}

static enum err make_header(struct xlsx_sheet *self, struct fault *why)
{
    enum err err = fetch(self, why);
    if (err != ERR_OK)
        return err;
    if (self->coming && self->coming->number == 1)
        place(self);
    for (uint32_t i = 0; i < self->width; i++)
        if (self->cell[i].kind == CELL_ERROR)
            self->cell[i] = cell_empty();
    err = header_make(&self->header, self->cell, self->width, why);
    if (err == ERR_OK)
        self->source.columns = self->header.columns;
    return err;
}

/* The pass over the whole sheet: width, memo, and the place where the memo ends. */
static enum err survey(struct xlsx_sheet *self, struct fault *why)
{
    struct xlsx_rows rows;
    enum err err = xlsx_rows_init(&rows, self->package->archive, self->worksheet->part, &self->strings, &self->styles,
                                  self->package->date1904, why);
    while (err == ERR_OK) {
        err = xlsx_rows_next(&rows, why);
        if (err != ERR_OK)
            break;
        if (rows.row.width > self->width)
            self->width = rows.row.width;
        note_first(self, &rows.row);
        if (self->has_behind_memo)
            continue;
        err = xlsx_memo_add(&self->memo, &rows.row, why);
        self->memo_packed = zip_member_consumed(rows.member);
        if (err == ERR_OK && xlsx_memo_full(&self->memo)) {
            self->has_behind_memo = true;
            err = xlsx_rows_clone(&self->behind_memo, &rows, why);
        }
    }
    xlsx_rows_fini(&rows);
    return err == ERR_END ? ERR_OK : err;
}

static enum err load(struct xlsx_sheet *self, int fd, const struct read_options *how, struct fault *why)
{
    uint64_t inflated_bytes_max = how->inflated_bytes_max ? how->inflated_bytes_max : SOURCE_INFLATED_BYTES_MAX;
    enum err err = xlsx_package_new(&self->package, fd, inflated_bytes_max, why);
    if (err == ERR_OK)
        err = xlsx_package_worksheet(self->package, how->sheet, &self->worksheet, why);
    if (err == ERR_OK)
        err = xlsx_strings_load(&self->strings, self->package->archive, self->package->strings, why);
    if (err == ERR_OK)
        err = xlsx_styles_load(&self->styles, self->package->archive, self->package->styles, why);
    if (err == ERR_OK)
        err = survey(self, why);
    if (err != ERR_OK)
        return err;
    self->cell = malloc((self->width + 1) * sizeof *self->cell);
    if (!self->cell)
        return fault_set(why, ERR_MEMORY, "Out of memory");
    for (uint32_t i = 0; i < self->width; i++)
        self->cell[i] = cell_empty();
    err = make_header(self, why);
    return err == ERR_OK ? go_to_start(self, why) : err;
}

static void sheet_destroy(struct source *source)
{
    struct xlsx_sheet *self = (struct xlsx_sheet *)source;
    close_live(self);
    if (self->has_behind_memo)
        xlsx_rows_fini(&self->behind_memo);
    free(self->memo_row.cell);
    xlsx_memo_fini(&self->memo);
    header_fini(&self->header);
    free(self->cell);
    xlsx_styles_fini(&self->styles);
    xlsx_strings_fini(&self->strings);
    xlsx_package_destroy(&self->package);
    free(self);
}

static enum err sheet_open(struct source **out, int fd, const struct read_options *how, struct fault *why)
{
    static const struct read_options standard = {.sheet = NULL};
    *out = NULL;
    struct xlsx_sheet *self = calloc(1, sizeof *self);
    if (!self)
        return fault_set(why, ERR_MEMORY, "%sOut of memory", xlsx_source.read_prefix);
    self->source.kind = &xlsx_source;
    self->memo = XLSX_MEMO_INIT;
    enum err err = load(self, fd, how ? how : &standard, why);
    if (err != ERR_OK) {
        fault_prefix(why, "%s", xlsx_source.read_prefix);
        sheet_destroy(&self->source);
        return err;
    }
    *out = &self->source;
    return ERR_OK;
}

static enum err sheet_next(struct source *source, struct row *row, struct fault *why)
{
    struct xlsx_sheet *self = (struct xlsx_sheet *)source;
    if (self->placed) {
        clear_placed(self);
        enum err err = fetch(self, why);
        if (err != ERR_OK) {
            fault_prefix(why, "%s", xlsx_source.read_prefix);
            return err;
        }
    }
    if (!self->coming)
        return ERR_END;
    self->row_number++;
    if (self->coming->number == self->row_number)
        place(self);
    *row =
        (struct row){.number = self->row_number - 1, .count = self->width, .cell = self->cell, .blank = !self->placed};
    return ERR_OK;
}

static enum err sheet_rewind(struct source *source, struct fault *why)
{
    enum err err = go_to_start((struct xlsx_sheet *)source, why);
    if (err != ERR_OK)
        fault_prefix(why, "%s", xlsx_source.read_prefix);
    return err;
}

static void sheet_consumed(const struct source *source, uint64_t *done, uint64_t *total)
{
    const struct xlsx_sheet *self = (const struct xlsx_sheet *)source;
    *total = self->worksheet->part->packed_bytes;
    if (self->has_live)
        *done = zip_member_consumed(self->live.member);
    else if (self->memo.bytes.len > 0)
        *done = (uint64_t)((double)self->memo_at / (double)self->memo.bytes.len * (double)self->memo_packed);
    else
        *done = *total;
}

const struct source_kind xlsx_source = {
    .name = "xlsx",
    .suffixes = "xlsx,xlsm,xltx,xltm",
    .read_prefix = "Failed to read Excel file: ",
    .open = sheet_open,
    .next = sheet_next,
    .rewind = sheet_rewind,
    .consumed = sheet_consumed,
    .destroy = sheet_destroy,
};
