/* JSON as clients know it from pandas' to_json(orient="records", indent=2): pure ASCII, `/` escaped. */
#include "table/encoding.h"
#include "table/sink.h"

#include "buf.h"

#include <math.h>
#include <stdlib.h>

#define FLUSH_BYTES      (64u << 10)
#define PENDING_MAX      (512u << 20) /* FLUSH_BYTES and one cell of which every byte is escaped */
#define ESCAPE_BYTES_MAX 6            /* that one byte of text may become */

struct json_sink {
    struct sink base;
    struct output *to;
    uint32_t columns;
    struct buf keys;  /* all of `    "name":`, one behind the other ... */
    size_t *key_ends; /* ... and where each ends */
    struct buf pending;
    uint64_t rows;
};

/* Bytes of the character at text[0..len), which may be damaged: then it is U+FFFD and one byte is skipped. */
static size_t next_character(const unsigned char *text, size_t len, uint32_t *code)
{
    size_t size = text[0] < 0x80 ? 1 : text[0] < 0xE0 ? 2 : text[0] < 0xF0 ? 3 : 4;
    if (size > len || encoding_valid_utf8((const char *)text, size) != size) {
        *code = 0xFFFD;
        return 1;
    }
    *code = size == 1 ? text[0] : text[0] & (0x7Fu >> size);
    for (size_t i = 1; i < size; i++)
        *code = *code << 6 | (text[i] & 0x3F);
    return size;
}

static char *put_unit(char *to, uint32_t unit)
{
    static const char hex[] = "0123456789abcdef";
    *to++ = '\\';
    *to++ = 'u';
    for (int shift = 12; shift >= 0; shift -= 4)
        *to++ = hex[unit >> shift & 15];
    return to;
}

/* The letter behind the backslash, or 0 when the byte has no short form. */
static char short_escape(unsigned char byte)
{
    switch (byte) {
    case '\b': return 'b';
    case '\t': return 't';
    case '\n': return 'n';
    case '\f': return 'f';
    case '\r': return 'r';
    case '"':
    case '/':
    case '\\': return (char)byte;
    default: return 0;
    }
}

static char *put_escaped(char *to, const unsigned char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        char letter = short_escape(text[i]);
        if (letter) {
            *to++ = '\\';
            *to++ = letter;
            i++;
        } else if (text[i] >= 0x20 && text[i] < 0x80) {
            *to++ = (char)text[i++];
        } else {
            uint32_t code;
            i += next_character(text + i, len - i, &code);
            if (code >= 0x10000) {
                to = put_unit(to, 0xD800 + ((code - 0x10000) >> 10));
                code = 0xDC00 + ((code - 0x10000) & 0x3FF);
            }
            to = put_unit(to, code);
        }
    }
    return to;
}

static enum err add_string(struct buf *out, const char *text, size_t len)
{
    char *at;
    enum err err = buf_extend(out, len * ESCAPE_BYTES_MAX + 2, &at);
    if (err != ERR_OK)
        return err;
    *at++ = '"';
    at = put_escaped(at, (const unsigned char *)text, len);
    *at++ = '"';
    out->len = (size_t)(at - out->data);
    return ERR_OK;
}

static enum err add_value(struct buf *out, const struct cell *cell)
{
    char space[CELL_NUMBER_MAX];
    size_t len;
    const char *text = cell_as_text(cell, space, &len);
    switch (cell->kind) {
    case CELL_EMPTY:
    case CELL_TEXT: return add_string(out, text, len);
    case CELL_ERROR: return buf_add_text(out, "null");
    case CELL_INTEGER: return buf_add(out, text, len);
    case CELL_REAL: return isfinite(cell->is.real) ? buf_add(out, text, len) : buf_add_text(out, "null");
    case CELL_TRUTH: return buf_add_text(out, cell->is.truth ? "true" : "false");
    }
    return ERR_INTERNAL;
}

/* What a buffer answers, as a fault. */
static enum err explain(enum err err, struct fault *why)
{
    if (err == ERR_FULL)
        return fault_set(why, ERR_TOO_LARGE, "%sa cell is too long", json_sink.write_prefix);
    if (err == ERR_MEMORY)
        return fault_set(why, ERR_MEMORY, "%sno memory", json_sink.write_prefix);
    return err;
}

static enum err flush(struct json_sink *self, struct fault *why)
{
    enum err err = output_write(self->to, self->pending.data, self->pending.len, why);
    buf_clear(&self->pending);
    if (err != ERR_OK)
        fault_prefix(why, "%s", json_sink.write_prefix);
    return err;
}

static enum err add_member(struct json_sink *self, uint32_t column, const struct cell *cell)
{
    size_t begin = column > 0 ? self->key_ends[column - 1] : 0;
    enum err err = column > 0 ? buf_add_text(&self->pending, ",\n") : ERR_OK;
    if (err == ERR_OK)
        err = buf_add(&self->pending, self->keys.data + begin, self->key_ends[column] - begin);
    return err == ERR_OK ? add_value(&self->pending, cell) : err;
}

static enum err json_row(struct sink *base, const struct row *row, struct fault *why)
{
    struct json_sink *self = (struct json_sink *)base;
    enum err err = explain(buf_add_text(&self->pending, self->rows++ == 0 ? "[\n  {\n" : ",\n  {\n"), why);
    for (uint32_t i = 0; err == ERR_OK && i < self->columns; i++) {
        err = explain(add_member(self, i, &row->cell[i]), why);
        if (err == ERR_OK && self->pending.len > FLUSH_BYTES)
            err = flush(self, why);
    }
    return err == ERR_OK ? explain(buf_add_text(&self->pending, "\n  }"), why) : err;
}

static enum err json_finish(struct sink *base, struct fault *why)
{
    struct json_sink *self = (struct json_sink *)base;
    enum err err = explain(buf_add_text(&self->pending, self->rows == 0 ? "[\n\n]" : "\n]"), why);
    return err == ERR_OK ? flush(self, why) : err;
}

static void json_destroy(struct sink *base)
{
    struct json_sink *self = (struct json_sink *)base;
    buf_fini(&self->keys);
    buf_fini(&self->pending);
    free(self->key_ends);
    free(self);
}

static enum err make_keys(struct json_sink *self, const struct columns *columns)
{
    self->key_ends = calloc((size_t)columns->count + 1, sizeof *self->key_ends);
    enum err err = self->key_ends ? ERR_OK : ERR_MEMORY;
    for (uint32_t i = 0; err == ERR_OK && i < columns->count; i++) {
        err = buf_add_text(&self->keys, "    ");
        if (err == ERR_OK)
            err = add_string(&self->keys, columns->name[i].is.text, columns->name[i].len);
        if (err == ERR_OK)
            err = buf_add_text(&self->keys, ":");
        self->key_ends[i] = self->keys.len;
    }
    return err;
}

static enum err json_begin(struct sink **out, struct output *to, const struct columns *columns,
                           const struct layout *look, struct fault *why)
{
    (void)look;
    *out = NULL;
    struct json_sink *self = calloc(1, sizeof *self);
    if (!self)
        return explain(ERR_MEMORY, why);
    self->base.kind = &json_sink;
    self->to = to;
    self->columns = columns->count;
    self->keys = BUF_INIT(PENDING_MAX);
    self->pending = BUF_INIT(PENDING_MAX);
    enum err err = explain(make_keys(self, columns), why);
    if (err == ERR_OK)
        *out = &self->base;
    else
        json_destroy(&self->base);
    return err;
}

const struct sink_kind json_sink = {
    .name = "json",
    .suffix = ".json",
    .content_type = "application/json",
    .write_prefix = "Failed to write JSON file: ",
    .keeps_empty_end = true,
    .begin = json_begin,
    .row = json_row,
    .finish = json_finish,
    .destroy = json_destroy,
};
