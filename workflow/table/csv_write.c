#include "table/sink.h"

#include <stdlib.h>

#define FIRST_LINE_BYTES (64u << 10)
#define QUOTE_COST       2
#define LOW_BITS         0x0101010101010101u
#define HIGH_BITS        0x8080808080808080u

struct csv_sink {
    struct sink base;
    struct output *to;
    char *line; /* the record being made; grows to the longest */
    size_t room;
};

static enum err make_room(struct csv_sink *self, size_t need, struct fault *why)
{
    if (need <= self->room)
        return ERR_OK;
    size_t room = self->room ? self->room : FIRST_LINE_BYTES;
    while (room < need)
        room *= 2;
    char *line = realloc(self->line, room);
    if (!line)
        return fault_set(why, ERR_MEMORY, "%sno memory for a line of %zu bytes", csv_sink.write_prefix, need);
    self->line = line;
    self->room = room;
    return ERR_OK;
}

/* Nonzero if one of the eight bytes is `c` (a false alarm is not possible as long as only "any" is asked for). */
static uint64_t has_byte(uint64_t word, uint8_t c)
{
    uint64_t differs = word ^ (LOW_BITS * c);
    return (differs - LOW_BITS) & ~differs & HIGH_BITS;
}

static bool needs_quotes(const char *text, size_t len)
{
    for (; len >= sizeof(uint64_t); text += sizeof(uint64_t), len -= sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, text, sizeof word);
        if (has_byte(word, ',') | has_byte(word, '"') | has_byte(word, '\n') | has_byte(word, '\r'))
            return true;
    }
    for (; len > 0; text++, len--)
        if (*text == ',' || *text == '"' || *text == '\n' || *text == '\r')
            return true;
    return false;
}

static char *put_quoted(char *to, const char *text, size_t len)
{
    *to++ = '"';
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '"')
            *to++ = '"';
        *to++ = text[i];
    }
    *to++ = '"';
    return to;
}

/* The only cell of a line is quoted when readers would take it for something else: they skip a line of nothing but
 * blanks, and where no comma is, they take what each line has for the delimiter. */
static bool misleads_alone(const char *text, size_t len)
{
    bool blank = true;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == ';' || text[i] == '|' || (text[i] == '\t' && !blank))
            return true;
        blank = blank && (text[i] == ' ' || text[i] == '\t');
    }
    return blank;
}

/* A file must not begin with a byte order mark that is part of a name: it would be taken off again. */
static bool begins_with_mark(const char *text, size_t len)
{
    return len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0;
}

static enum err write_record(struct csv_sink *self, const struct cell *cells, uint32_t count, struct fault *why)
{
    char *to = self->line;
    for (uint32_t i = 0; i < count; i++) {
        char space[CELL_NUMBER_MAX];
        size_t len, used = (size_t)(to - self->line);
        const char *text = cell_as_text(&cells[i], space, &len);
        enum err err = make_room(self, used + 2 * len + QUOTE_COST + 2, why);
        if (err != ERR_OK)
            return err;
        to = self->line + used;
        if (i > 0)
            *to++ = ',';
        bool odd = (count == 1 && misleads_alone(text, len)) || (i == 0 && begins_with_mark(text, len));
        if (odd || needs_quotes(text, len)) {
            to = put_quoted(to, text, len);
        } else {
            memcpy(to, text, len);
            to += len;
        }
    }
    *to++ = '\n';
    enum err err = output_write(self->to, self->line, (size_t)(to - self->line), why);
    if (err != ERR_OK)
        fault_prefix(why, "%s", csv_sink.write_prefix);
    return err;
}

static void csv_destroy(struct sink *base)
{
    struct csv_sink *self = (struct csv_sink *)base;
    free(self->line);
    free(self);
}

static enum err csv_begin(struct sink **out, struct output *to, const struct columns *columns,
                          const struct layout *look, struct fault *why)
{
    (void)look;
    *out = NULL;
    struct csv_sink *self = calloc(1, sizeof *self);
    if (!self)
        return fault_set(why, ERR_MEMORY, "%sno memory", csv_sink.write_prefix);
    self->base.kind = &csv_sink;
    self->to = to;
    enum err err = make_room(self, FIRST_LINE_BYTES, why);
    if (err == ERR_OK)
        err = write_record(self, columns->name, columns->count, why);
    if (err != ERR_OK) {
        csv_destroy(&self->base);
        return err;
    }
    *out = &self->base;
    return ERR_OK;
}

static enum err csv_row(struct sink *base, const struct row *row, struct fault *why)
{
    return write_record((struct csv_sink *)base, row->cell, row->count, why);
}

static enum err csv_finish(struct sink *base, struct fault *why)
{
    (void)base;
    (void)why;
    return ERR_OK;
}

const struct sink_kind csv_sink = {
    .name = "csv",
    .suffix = ".csv",
    .content_type = "text/csv",
    .write_prefix = "Failed to write CSV file: ",
    .keeps_empty_end = true,
    .begin = csv_begin,
    .row = csv_row,
    .finish = csv_finish,
    .destroy = csv_destroy,
};
