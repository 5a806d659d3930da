#include "table/xls_record.h"

#include "utf8.h"

#include <stdlib.h>
#include <string.h>

#define HEADER_BYTES    4
#define WINDOW_BYTES    (XLS_RECORD_BYTES_MAX + HEADER_BYTES + 1)
#define RECORD_CONTINUE 0x3C

static enum err cut_off(struct fault *why)
{
    return fault_set(why, ERR_INVALID, "the workbook is damaged: a record is cut off");
}

enum err xls_records_init(struct xls_records *self, const struct compound_file *file, struct fault *why)
{
    *self = (struct xls_records){.file = file};
    self->window = malloc(WINDOW_BYTES);
    return self->window ? ERR_OK : fault_set(why, ERR_MEMORY, "no memory for reading a workbook");
}

void xls_records_fini(struct xls_records *self)
{
    free(self->window);
    self->window = NULL;
}

void xls_records_seek(struct xls_records *self, uint64_t offset)
{
    self->next = offset;
}

/* Makes len bytes at the offset stand in the window. */
static enum err fill(struct xls_records *self, uint64_t offset, size_t len, struct fault *why)
{
    uint64_t end = self->window_from + self->window_len;
    if (offset >= self->window_from && offset <= end && end - offset >= len)
        return ERR_OK;
    uint64_t size = compound_file_size(self->file);
    if (offset > size || size - offset < len)
        return cut_off(why);
    self->window_from = offset;
    self->window_len = size - offset < WINDOW_BYTES ? (size_t)(size - offset) : WINDOW_BYTES;
    enum err err = compound_file_read(self->file, offset, self->window, self->window_len, why);
    if (err != ERR_OK)
        self->window_len = 0;
    return err;
}

enum err xls_records_next(struct xls_records *self, struct fault *why)
{
    if (self->next + HEADER_BYTES > compound_file_size(self->file))
        return ERR_END;
    enum err err = fill(self, self->next, HEADER_BYTES, why);
    if (err != ERR_OK)
        return err;
    self->len = xls_get16(self->window + (self->next - self->window_from) + 2);
    err = fill(self, self->next, HEADER_BYTES + (size_t)self->len, why);
    if (err != ERR_OK)
        return err;
    const unsigned char *record = self->window + (self->next - self->window_from);
    self->type = xls_get16(record);
    self->data = record + HEADER_BYTES;
    self->taken = 0;
    self->next += HEADER_BYTES + (uint64_t)self->len;
    return ERR_OK;
}

static enum err go_on(struct xls_records *self, struct fault *why)
{
    enum err err = xls_records_next(self, why);
    if (err == ERR_END || (err == ERR_OK && self->type != RECORD_CONTINUE))
        return cut_off(why);
    return err;
}

enum err xls_records_take(struct xls_records *self, void *to, size_t len, struct fault *why)
{
    char *at = to;
    while (len > 0) {
        if (self->taken == self->len) {
            enum err err = go_on(self, why);
            if (err != ERR_OK)
                return err;
            continue;
        }
        size_t part = (size_t)self->len - self->taken < len ? (size_t)self->len - self->taken : len;
        if (at) {
            memcpy(at, self->data + self->taken, part);
            at += part;
        }
        self->taken += part;
        len -= part;
    }
    return ERR_OK;
}

/* *high is the first half of a pair that waits for the second one. */
static enum err add_unit(struct buf *to, uint32_t unit, uint32_t *high)
{
    char bytes[8];
    size_t len = 0;
    bool low = unit >= 0xDC00 && unit <= 0xDFFF;
    if (*high && low) {
        len = utf8_put(0x10000 + ((*high - 0xD800) << 10) + (unit - 0xDC00), bytes);
        *high = 0;
        return buf_add(to, bytes, len);
    }
    if (*high)
        len = utf8_put(0xFFFD, bytes);
    *high = unit >= 0xD800 && unit <= 0xDBFF ? unit : 0;
    if (!*high)
        len += utf8_put(low ? 0xFFFD : unit, bytes + len);
    return buf_add(to, bytes, len);
}

/* Where a text goes on in a CONTINUE record, its width is said anew; a character of two bytes is never cut. */
enum err xls_records_text(struct xls_records *self, size_t characters, bool wide, struct buf *to, struct fault *why)
{
    uint32_t high = 0;
    enum err err = ERR_OK;
    while (characters > 0 && err == ERR_OK) {
        size_t size = wide ? 2 : 1, left = ((size_t)self->len - self->taken) / size;
        if (left == 0) {
            unsigned char flags;
            err = self->taken == self->len ? go_on(self, why) : cut_off(why);
            if (err == ERR_OK)
                err = xls_records_take(self, &flags, 1, why);
            if (err != ERR_OK)
                return err;
            wide = flags & 1;
            continue;
        }
        for (; left > 0 && characters > 0 && err == ERR_OK; left--, characters--) {
            const unsigned char *at = self->data + self->taken;
            err = add_unit(to, wide ? xls_get16(at) : at[0], &high);
            self->taken += size;
        }
    }
    if (err == ERR_OK && high)
        err = buf_add(to, "\xEF\xBF\xBD", 3);
    return err == ERR_OK ? ERR_OK : fault_set(why, ERR_TOO_LARGE, "the workbook's texts are too large");
}
