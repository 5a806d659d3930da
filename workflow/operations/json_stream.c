#include "operations/json_stream.h"

#include <stdio.h>

/* The letter after the backslash of a character that cannot stand as it is; 'u' for the long form. */
static char escape_of(unsigned char c)
{
    switch (c) {
    case '"': return '"';
    case '\\': return '\\';
    case '\b': return 'b';
    case '\f': return 'f';
    case '\n': return 'n';
    case '\r': return 'r';
    case '\t': return 't';
    }
    return 'u';
}

static enum err write_escaped(struct output *to, unsigned char c, struct fault *why)
{
    char escape = escape_of(c);
    char bytes[8] = {'\\', escape};
    if (escape == 'u')
        snprintf(bytes + 2, sizeof bytes - 2, "%04x", c);
    return output_write(to, bytes, escape == 'u' ? 6 : 2, why);
}

enum err json_stream_text(const struct json_stream *self, const char *text, size_t len, struct fault *why)
{
    enum err err = ERR_OK;
    size_t written = 0;
    for (size_t i = 0; i < len && err == ERR_OK; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        if (i > written)
            err = output_write(self->to, text + written, i - written, why);
        if (err == ERR_OK)
            err = write_escaped(self->to, c, why);
        written = i + 1;
    }
    return err == ERR_OK && len > written ? output_write(self->to, text + written, len - written, why) : err;
}

enum err json_stream_string(const struct json_stream *self, const char *text, size_t len, struct fault *why)
{
    enum err err = output_write(self->to, "\"", 1, why);
    if (err == ERR_OK)
        err = json_stream_text(self, text, len, why);
    return err == ERR_OK ? output_write(self->to, "\"", 1, why) : err;
}

enum err json_stream_cell(const struct json_stream *self, const struct cell *cell, struct fault *why)
{
    char space[CELL_NUMBER_MAX];
    size_t len;
    const char *text = cell_as_text(cell, space, &len);
    switch (cell->kind) {
    case CELL_EMPTY:
    case CELL_TEXT: return json_stream_string(self, text, len, why);
    case CELL_ERROR: return output_write(self->to, "null", 4, why);
    case CELL_INTEGER:
    case CELL_REAL: return output_write(self->to, text, len, why);
    case CELL_TRUTH: return output_write(self->to, cell->is.truth ? "true" : "false", cell->is.truth ? 4 : 5, why);
    }
    return ERR_INTERNAL;
}

static enum err new_line(const struct json_stream *self, unsigned depth, struct fault *why)
{
    enum err err = output_write(self->to, "\n", 1, why);
    while (depth-- > 0 && err == ERR_OK)
        err = output_write(self->to, "  ", 2, why);
    return err;
}

enum err json_stream_next(const struct json_stream *self, bool first, unsigned depth, struct fault *why)
{
    if (!self->pretty)
        return first ? ERR_OK : output_write(self->to, ", ", 2, why);
    enum err err = first ? ERR_OK : output_write(self->to, ",", 1, why);
    return err == ERR_OK ? new_line(self, depth, why) : err;
}

enum err json_stream_close(const struct json_stream *self, unsigned depth, const char *bracket, struct fault *why)
{
    enum err err = self->pretty ? new_line(self, depth, why) : ERR_OK;
    return err == ERR_OK ? output_write(self->to, bracket, 1, why) : err;
}
