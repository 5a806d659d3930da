#include "table/xlsx_memo.h"

#define NUMBER_BYTES_MAX 5

enum memo_kind { MEMO_TEXT, MEMO_ERROR, MEMO_SHARED, MEMO_ALIKE };

static enum memo_kind kind_of(const struct xlsx_cell *cell)
{
    if (cell->alike != XLSX_UNLIKE)
        return MEMO_ALIKE;
    return cell->value.kind == CELL_ERROR ? MEMO_ERROR : MEMO_TEXT;
}

void xlsx_memo_fini(struct xlsx_memo *self)
{
    buf_fini(&self->bytes);
}

static char *put_number(char *to, uint32_t value)
{
    for (; value >= 0x80; value >>= 7)
        *to++ = (char)(value | 0x80);
    *to++ = (char)value;
    return to;
}

static uint32_t get_number(const unsigned char **at)
{
    uint32_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
        unsigned char byte = *(*at)++;
        value |= (uint32_t)(byte & 0x7F) << shift;
        if (byte < 0x80)
            return value;
    }
}

static size_t bytes_needed(const struct xlsx_row *row)
{
    size_t bytes = (2 + 2 * (size_t)row->count) * NUMBER_BYTES_MAX;
    for (uint32_t i = 0; i < row->count; i++)
        bytes += row->cell[i].shared == XLSX_OWN_TEXT ? row->cell[i].value.len : 0;
    return bytes;
}

static char *put_cell(char *to, const struct xlsx_cell *cell)
{
    if (cell->shared != XLSX_OWN_TEXT) {
        to = put_number(to, cell->column * 4 + MEMO_SHARED);
        return put_number(to, cell->shared);
    }
    to = put_number(to, cell->column * 4 + kind_of(cell));
    to = put_number(to, cell->value.len);
    memcpy(to, cell->value.is.text, cell->value.len);
    return to + cell->value.len;
}

enum err xlsx_memo_add(struct xlsx_memo *self, const struct xlsx_row *row, struct fault *why)
{
    char *start;
    size_t needed = bytes_needed(row);
    if (buf_extend(&self->bytes, needed, &start) != ERR_OK)
        return fault_set(why, ERR_MEMORY, "Out of memory");
    char *to = put_number(put_number(start, row->number), row->count);
    for (uint32_t i = 0; i < row->count; i++)
        to = put_cell(to, &row->cell[i]);
    self->bytes.len -= needed - (size_t)(to - start);
    return ERR_OK;
}

static struct xlsx_cell get_cell(const struct xlsx_strings *strings, const unsigned char **at)
{
    uint32_t head = get_number(at), number = get_number(at);
    struct xlsx_cell cell = {.column = head / 4, .shared = XLSX_OWN_TEXT};
    switch ((enum memo_kind)(head % 4)) {
    case MEMO_SHARED:
        cell.shared = number;
        cell.value = xlsx_strings_cell(strings, number);
        break;
    case MEMO_ALIKE: cell.alike = **at == '1' || **at == 'T' ? XLSX_ONE : XLSX_ZERO; /* fall through */
    case MEMO_TEXT:
    case MEMO_ERROR:
        cell.value = cell_text((const char *)*at, number);
        cell.value.kind = head % 4 == MEMO_ERROR ? CELL_ERROR : CELL_TEXT;
        *at += number;
        break;
    }
    return cell;
}

enum err xlsx_memo_read(const struct xlsx_memo *self, const struct xlsx_strings *strings, size_t *at,
                        struct xlsx_row *row, struct fault *why)
{
    if (*at == self->bytes.len)
        return ERR_END;
    const unsigned char *start = (const unsigned char *)self->bytes.data, *from = start + *at;
    row->number = get_number(&from);
    row->count = row->width = 0;
    for (uint32_t left = get_number(&from); left > 0; left--) {
        enum err err = xlsx_row_add(row, get_cell(strings, &from), why);
        if (err != ERR_OK)
            return err;
    }
    *at = (size_t)(from - start);
    return ERR_OK;
}
