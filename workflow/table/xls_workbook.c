#include "table/xls_workbook.h"

#include "table/date_text.h"

#include <stdlib.h>
#include <string.h>

#define BIFF8            0x0600
#define SHEET_NAME_BYTES 512
#define FORMAT_BYTES     4096
#define LIST_BYTES       512
#define TEXT_HAS_WIDE    0x01
#define TEXT_HAS_EXTRA   0x04
#define TEXT_HAS_RUNS    0x08
#define RUN_BYTES        4

static enum err no_memory(struct fault *why)
{
    return fault_set(why, ERR_MEMORY, "no memory for the workbook's texts and formats");
}

static enum err read_start(struct xls_records *records, struct fault *why)
{
    enum err err = xls_records_next(records, why);
    if (err == ERR_END || (err == ERR_OK && (records->type & 0xFF) != (XLS_BOF & 0xFF)))
        return fault_set(why, ERR_INVALID, "the workbook is damaged: it has no beginning");
    if (err == ERR_OK && (records->type != XLS_BOF || records->len < 4 || xls_get16(records->data) != BIFF8))
        return fault_set(why, ERR_UNSUPPORTED,
                         "the workbook is of Excel 95 or older; save it as .xlsx, or as .xls of Excel 97 or later");
    return err;
}

/* [MS-XLS] 2.4.28: offset, visibility, kind (0 = worksheet), a short text. */
static enum err read_sheet(struct xls_workbook *self, struct xls_records *records, struct fault *why)
{
    unsigned char head[8];
    enum err err = xls_records_take(records, head, sizeof head, why);
    if (err != ERR_OK || head[5] != 0)
        return err;
    if (self->sheet_count == XLS_SHEETS_MAX)
        return fault_set(why, ERR_TOO_LARGE, "more than %d sheets", XLS_SHEETS_MAX);
    struct xls_sheet *grown = reallocarray(self->sheet, self->sheet_count + 1, sizeof *grown);
    if (!grown)
        return no_memory(why);
    self->sheet = grown;
    struct xls_sheet *sheet = &self->sheet[self->sheet_count++];
    *sheet = (struct xls_sheet){.name = BUF_INIT(SHEET_NAME_BYTES * 4), .offset = xls_get32(head)};
    return xls_records_text(records, head[6], head[7] & TEXT_HAS_WIDE, &sheet->name, why);
}

static enum err read_format(struct xls_workbook *self, struct xls_records *records, struct fault *why)
{
    unsigned char head[5];
    struct buf code = BUF_INIT(FORMAT_BYTES);
    enum err err = xls_records_take(records, head, sizeof head, why);
    if (err == ERR_OK)
        err = xls_records_text(records, xls_get16(head + 2), head[4] & TEXT_HAS_WIDE, &code, why);
    const char *text = err == ERR_OK ? buf_text(&code) : NULL;
    if (err == ERR_OK && !text)
        err = no_memory(why);
    if (err == ERR_OK)
        self->format_is_date[xls_get16(head)] = date_format_code(text);
    buf_fini(&code);
    return err;
}

static enum err read_cell_format(struct xls_workbook *self, struct xls_records *records, struct fault *why)
{
    unsigned char head[4];
    enum err err = xls_records_take(records, head, sizeof head, why);
    if (err != ERR_OK || self->format_count == XLS_FORMATS_MAX)
        return err;
    if (self->format_count % 64 == 0) {
        uint16_t *grown = reallocarray(self->format, self->format_count + 64, sizeof *grown);
        if (!grown)
            return no_memory(why);
        self->format = grown;
    }
    self->format[self->format_count++] = xls_get16(head + 2);
    return ERR_OK;
}

/* [MS-XLS] 2.5.293: the text, then what its formatting and phonetics need, which is skipped. */
static enum err read_text(struct xls_workbook *self, struct xls_records *records, struct fault *why)
{
    unsigned char head[3], count[4];
    size_t runs = 0, extra = 0, from = self->bytes.len;
    enum err err = xls_records_take(records, head, sizeof head, why);
    if (err == ERR_OK && (head[2] & TEXT_HAS_RUNS)) {
        err = xls_records_take(records, count, 2, why);
        runs = xls_get16(count);
    }
    if (err == ERR_OK && (head[2] & TEXT_HAS_EXTRA)) {
        err = xls_records_take(records, count, 4, why);
        extra = xls_get32(count);
    }
    if (err == ERR_OK)
        err = xls_records_text(records, xls_get16(head), head[2] & TEXT_HAS_WIDE, &self->bytes, why);
    if (err == ERR_OK)
        err = xls_records_take(records, NULL, runs * RUN_BYTES + extra, why);
    if (err == ERR_OK)
        self->text[self->text_count++] =
            (struct xls_text){.from = (uint32_t)from, .len = (uint32_t)(self->bytes.len - from)};
    return err;
}

static enum err read_texts(struct xls_workbook *self, struct xls_records *records, struct fault *why)
{
    unsigned char head[8];
    enum err err = xls_records_take(records, head, sizeof head, why);
    uint32_t count = err == ERR_OK ? xls_get32(head + 4) : 0;
    for (uint32_t i = 0; i < count && err == ERR_OK; i++) {
        if (self->text_count == 0 || (self->text_count & (self->text_count - 1)) == 0) { /* at every power of two */
            size_t room = self->text_count ? (size_t)self->text_count * 2 : 1;
            struct xls_text *grown = reallocarray(self->text, room, sizeof *grown);
            if (!grown)
                return no_memory(why);
            self->text = grown;
        }
        err = read_text(self, records, why);
    }
    return err;
}

static enum err read_global(struct xls_workbook *self, struct xls_records *records, struct fault *why)
{
    switch (records->type) {
    case XLS_BOUNDSHEET: return read_sheet(self, records, why);
    case XLS_FORMAT: return read_format(self, records, why);
    case XLS_XF: return read_cell_format(self, records, why);
    case XLS_SST: return self->text ? ERR_OK : read_texts(self, records, why);
    case XLS_DATE1904: self->date1904 = records->len >= 2 && xls_get16(records->data) == 1; return ERR_OK;
    case XLS_FILEPASS:
        return fault_set(why, ERR_UNSUPPORTED, "the workbook is protected by a password; save it without one");
    }
    return ERR_OK;
}

enum err xls_workbook_load(struct xls_workbook *self, struct xls_records *records, struct fault *why)
{
    self->bytes = BUF_INIT(XLS_TEXTS_BYTES);
    for (uint32_t i = 0; i < XLS_FORMATS_MAX; i++)
        self->format_is_date[i] = date_format_id(i);
    enum err err = read_start(records, why);
    while (err == ERR_OK) {
        err = xls_records_next(records, why);
        if (err != ERR_OK || records->type == XLS_EOF)
            break;
        err = read_global(self, records, why);
    }
    if (err != ERR_OK && err != ERR_END)
        return err;
    return self->sheet_count > 0 ? ERR_OK : fault_set(why, ERR_INVALID, "The workbook has no worksheet");
}

void xls_workbook_fini(struct xls_workbook *self)
{
    for (uint32_t i = 0; i < self->sheet_count; i++)
        buf_fini(&self->sheet[i].name);
    free(self->sheet);
    free(self->text);
    free(self->format);
    buf_fini(&self->bytes);
}

static bool has_name(const struct xls_sheet *sheet, const char *name)
{
    return sheet->name.len == strlen(name) && memcmp(sheet->name.data, name, sheet->name.len) == 0;
}

static enum err not_found(const struct xls_workbook *self, const char *name, struct fault *why)
{
    struct buf list = BUF_INIT(LIST_BYTES);
    enum err err = ERR_OK;
    for (uint32_t i = 0; i < self->sheet_count && err == ERR_OK; i++) {
        const struct buf *other = &self->sheet[i].name;
        err = buf_printf(&list, "%s%.*s", i ? ", " : "", (int)other->len, other->data ? other->data : "");
    }
    err = fault_set(why, ERR_NOT_FOUND, "Worksheet '%s' not found. Available sheets: %s%s", name, buf_text(&list),
                    err == ERR_OK ? "" : ", ...");
    buf_fini(&list);
    return err;
}

enum err xls_workbook_sheet(const struct xls_workbook *self, const char *name, const struct xls_sheet **out,
                            struct fault *why)
{
    *out = &self->sheet[0];
    for (uint32_t i = 0; name && i < self->sheet_count; i++) {
        if (has_name(&self->sheet[i], name)) {
            *out = &self->sheet[i];
            return ERR_OK;
        }
    }
    if (!name)
        return ERR_OK;
    char *end;
    unsigned long index = strtoul(name, &end, 10);
    if (name[0] < '0' || name[0] > '9' || *end || index >= self->sheet_count)
        return not_found(self, name, why);
    *out = &self->sheet[index];
    return ERR_OK;
}
