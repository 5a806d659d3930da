/* The spool: a table on its way from one step to the next, in our own format. Integers are little-endian.
 *
 *     "SWSPOOL1"                           magic and version
 *     u32 columns
 *     record                               the column names
 *     record or gap ...                    the rows
 *     u32 0xFFFFFFFF                       no more rows
 *     u64 rows, u64 sum                    trailer
 *
 *     record = u32 bytes, then `columns` cells in so many bytes
 *     gap    = u32 0xFFFFFFFE, u32 rows without anything in them, 1 to 1024
 *     cell   = varint (7 bits a byte, lowest first) of length, then the text
 *     sum    = add_sum() over head, records, gaps, and end mark with rows, each one piece
 *
 * It holds what a reader would have read back from the step's visible file, whether or not that is written: numbers and
 * truth values as text, nothing where an error value was (no format of ours writes one), and in a workbook no all-empty
 * rows at the end (they wait in `empty_rows` until another row follows). It holds more in one case: a JSON file without
 * rows tells no columns. A damaged or unfinished spool is ERR_PROTOCOL: at open when the trailer is missing, at the end
 * when the checksum differs. */
#include "table/header.h"
#include "table/number_text.h"
#include "table/sink.h"
#include "table/source.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC_BYTES      (sizeof SPOOL_MAGIC - 1)
#define COUNT_BYTES      4 /* of columns, of a record's length, of the end mark */
#define END_MARK         0xFFFFFFFFu
#define GAP_MARK         0xFFFFFFFEu
#define GAP_BYTES        8
#define GAP_ROWS_MAX     1024 /* a small file must not hold an endless table */
#define TRAILER_BYTES    20   /* end mark, rows, sum */
#define SUM_BYTES        8
#define SUM_FACTOR       0x9E3779B97F4A7C15u /* odd, so that multiplying loses nothing; its bits look random */
#define RECORD_BYTES_MAX (256u << 20)
#define VARINT_BYTES_MAX 5
#define BLOCK_BYTES      (256u << 10)

#define NUL_SPELLED       "_x0000_" /* how the Excel reader shows the character U+0000 */
#define NUL_SPELLED_BYTES 7

static void put_u32(unsigned char *to, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        to[i] = (unsigned char)(value >> 8 * i);
}

static uint32_t get_u32(const unsigned char *from)
{
    return from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

static void put_u64(unsigned char *to, uint64_t value)
{
    put_u32(to, (uint32_t)value);
    put_u32(to + 4, (uint32_t)(value >> 32));
}

static uint64_t get_u64(const unsigned char *from)
{
    return get_u32(from) | (uint64_t)get_u32(from + 4) << 32;
}

/* A checksum against disks and unfinished writes, not against people. Each step is a bijection of the sum and of the
 * word, so one changed word always shows. (crc32 took a third of a step's time.) */
static uint64_t add_word(uint64_t sum, uint64_t word)
{
    sum = (sum ^ word) * SUM_FACTOR;
    return sum ^ sum >> 32;
}

static uint64_t add_sum(uint64_t sum, const unsigned char *bytes, size_t len)
{
    sum = add_word(sum, len);
    for (; len >= 8; bytes += 8, len -= 8)
        sum = add_word(sum, get_u64(bytes));
    unsigned char rest[8] = {0};
    memcpy(rest, bytes, len);
    return add_word(sum, get_u64(rest));
}

static unsigned char *put_varint(unsigned char *to, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *to++ = (unsigned char)(value | 0x80);
    *to++ = (unsigned char)value;
    return to;
}

struct spool_sink {
    struct sink base;
    struct output *to;
    uint32_t columns;
    uint64_t rows;                    /* written */
    uint64_t empty_rows;              /* waiting for a row that is not */
    bool keeps_empty_end, spells_nul; /* as the visible file's format does */
    uint64_t sum;
    unsigned char *record;
    size_t room;
};

static enum err write_bytes(struct spool_sink *self, const unsigned char *bytes, size_t len, struct fault *why)
{
    self->sum = add_sum(self->sum, bytes, len);
    enum err err = output_write(self->to, bytes, len, why);
    if (err != ERR_OK)
        fault_prefix(why, "%s", spool_sink.write_prefix);
    return err;
}

static enum err make_room(struct spool_sink *self, size_t need, struct fault *why)
{
    if (need <= self->room)
        return ERR_OK;
    if (need > RECORD_BYTES_MAX)
        return fault_set(why, ERR_TOO_LARGE, "%sa row of more than %u bytes", spool_sink.write_prefix,
                         RECORD_BYTES_MAX);
    size_t room = self->room ? self->room : 4096;
    while (room < need)
        room *= 2;
    unsigned char *record = realloc(self->record, room);
    if (!record)
        return fault_set(why, ERR_MEMORY, "%sno memory for a row", spool_sink.write_prefix);
    self->record = record;
    self->room = room;
    return ERR_OK;
}

/* What the cell would read back as. (Only workbooks are made with numbers and truth values in them.) */
static const char *read_back(const struct cell *cell, char space[NUMBER_DIGITS_MAX], size_t *len)
{
    char number[CELL_NUMBER_MAX];
    if (cell->kind != CELL_REAL)
        return cell_as_text(cell, space, len);
    size_t digits = number_repr(cell->is.real, number);
    if (!number_from_sheet(number, digits, space, len))
        *len = 0;
    return space;
}

static size_t count_nul(const char *text, size_t len)
{
    size_t count = 0;
    for (const char *at = text; (at = memchr(at, '\0', len - (size_t)(at - text))) != NULL; at++)
        count++;
    return count;
}

static void spell_nul(unsigned char *to, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\0')
            to = (unsigned char *)memcpy(to, NUL_SPELLED, NUL_SPELLED_BYTES) + NUL_SPELLED_BYTES;
        else
            *to++ = (unsigned char)text[i];
    }
}

static enum err write_record(struct spool_sink *self, const struct cell *cells, struct fault *why)
{
    size_t used = COUNT_BYTES;
    enum err err = make_room(self, used, why);
    for (uint32_t i = 0; err == ERR_OK && i < self->columns; i++) {
        char space[NUMBER_DIGITS_MAX];
        size_t len;
        const char *text = read_back(&cells[i], space, &len);
        size_t nul = self->spells_nul && len > 0 ? count_nul(text, len) : 0;
        size_t whole = len + nul * (NUL_SPELLED_BYTES - 1);
        err = make_room(self, used + VARINT_BYTES_MAX + whole, why);
        if (err != ERR_OK)
            break;
        unsigned char *to = put_varint(self->record + used, whole);
        if (nul > 0)
            spell_nul(to, text, len);
        else
            memcpy(to, text, len);
        used = (size_t)(to - self->record) + whole;
    }
    if (err != ERR_OK)
        return err;
    put_u32(self->record, (uint32_t)(used - COUNT_BYTES));
    return write_bytes(self, self->record, used, why);
}

static enum err write_empty_rows(struct spool_sink *self, struct fault *why)
{
    enum err err = ERR_OK;
    while (err == ERR_OK && self->empty_rows > 0) {
        uint32_t rows = self->empty_rows < GAP_ROWS_MAX ? (uint32_t)self->empty_rows : GAP_ROWS_MAX;
        unsigned char gap[GAP_BYTES];
        put_u32(gap, GAP_MARK);
        put_u32(gap + COUNT_BYTES, rows);
        err = write_bytes(self, gap, sizeof gap, why);
        self->rows += rows;
        self->empty_rows -= rows;
    }
    return err;
}

static void spool_sink_destroy(struct sink *base)
{
    struct spool_sink *self = (struct spool_sink *)base;
    free(self->record);
    free(self);
}

static enum err spool_begin(struct sink **out, struct output *to, const struct columns *columns,
                            const struct layout *look, struct fault *why)
{
    *out = NULL;
    struct spool_sink *self = calloc(1, sizeof *self);
    if (!self)
        return fault_set(why, ERR_MEMORY, "%sno memory", spool_sink.write_prefix);
    const struct sink_kind *visible = look->visible ? look->visible : &xlsx_sink;
    self->base.kind = &spool_sink;
    self->keeps_empty_end = visible->keeps_empty_end;
    self->spells_nul = visible->spells_nul;
    self->to = to;
    self->columns = columns->count;
    unsigned char head[MAGIC_BYTES + COUNT_BYTES];
    memcpy(head, SPOOL_MAGIC, MAGIC_BYTES);
    put_u32(head + MAGIC_BYTES, columns->count);
    enum err err = write_bytes(self, head, sizeof head, why);
    if (err == ERR_OK)
        err = write_record(self, columns->name, why);
    if (err == ERR_OK)
        *out = &self->base;
    else
        spool_sink_destroy(&self->base);
    return err;
}

static bool is_empty(const struct row *row)
{
    for (uint32_t i = 0; i < row->count; i++)
        if (row->cell[i].kind != CELL_EMPTY && row->cell[i].kind != CELL_ERROR)
            return false;
    return true;
}

static enum err spool_row(struct sink *base, const struct row *row, struct fault *why)
{
    struct spool_sink *self = (struct spool_sink *)base;
    if (row->blank || is_empty(row)) {
        self->empty_rows++;
        return ERR_OK;
    }
    enum err err = self->empty_rows > 0 ? write_empty_rows(self, why) : ERR_OK;
    if (err == ERR_OK)
        err = write_record(self, row->cell, why);
    self->rows += err == ERR_OK;
    return err;
}

static enum err spool_finish(struct sink *base, struct fault *why)
{
    struct spool_sink *self = (struct spool_sink *)base;
    unsigned char trailer[TRAILER_BYTES];
    enum err err = self->keeps_empty_end ? write_empty_rows(self, why) : ERR_OK;
    if (err != ERR_OK)
        return err;
    put_u32(trailer, END_MARK);
    put_u64(trailer + COUNT_BYTES, self->rows);
    err = write_bytes(self, trailer, TRAILER_BYTES - SUM_BYTES, why);
    put_u64(trailer, self->sum);
    return err == ERR_OK ? write_bytes(self, trailer, SUM_BYTES, why) : err;
}

const struct sink_kind spool_sink = {
    .name = "spool",
    .suffix = ".spool",
    .content_type = "application/octet-stream",
    .write_prefix = "Failed to write the table for the next step: ",
    .begin = spool_begin,
    .row = spool_row,
    .finish = spool_finish,
    .destroy = spool_sink_destroy,
};

struct spool_source {
    struct source base;
    struct header header;
    struct cell *cells;
    int fd;
    uint64_t size;
    uint64_t rows; /* what the trailer promises */
    uint64_t sum_promised;

    uint64_t offset;   /* in the file, of the end of the block */
    uint64_t row;      /* number of the row read last */
    uint64_t sum;      /* of the pieces taken from the block so far */
    bool ended;        /* the trailer has been reached and is right */
    uint32_t gap_rows; /* of a gap: still to be given; their cells are empty already */
    uint32_t columns;
    unsigned char *block;
    size_t room;
    size_t at;
    size_t end;
};

static enum err damaged(const char *what, struct fault *why)
{
    return fault_set(why, ERR_PROTOCOL, "%sit is damaged (%s)", spool_source.read_prefix, what);
}

static enum err read_at(const struct spool_source *self, void *into, size_t len, uint64_t offset, size_t *got,
                        struct fault *why)
{
    *got = 0;
    while (*got < len) {
        ssize_t part = pread(self->fd, (char *)into + *got, len - *got, (off_t)(offset + *got));
        if (part < 0 && errno == EINTR)
            continue;
        if (part < 0)
            return fault_errno(why, "%scannot read", spool_source.read_prefix);
        if (part == 0)
            break;
        *got += (size_t)part;
    }
    return ERR_OK;
}

/* Lets `need` bytes stand at block[at]; a file that ends before is damaged. */
static enum err want(struct spool_source *self, size_t need, struct fault *why)
{
    size_t rest = self->end - self->at;
    if (rest >= need)
        return ERR_OK;
    if (need > rest + (self->size > self->offset ? self->size - self->offset : 0))
        return damaged("it ends too early", why);
    memmove(self->block, self->block + self->at, rest);
    self->at = 0;
    self->end = rest;
    if (need > self->room) {
        unsigned char *block = realloc(self->block, need);
        if (!block)
            return fault_set(why, ERR_MEMORY, "%sno memory for a row", spool_source.read_prefix);
        self->block = block;
        self->room = need;
    }
    size_t got;
    enum err err = read_at(self, self->block + rest, self->room - rest, self->offset, &got, why);
    self->offset += got;
    self->end += got;
    if (err == ERR_OK && self->end < need)
        err = damaged("it ends too early", why);
    return err;
}

static const unsigned char *take(struct spool_source *self, size_t len)
{
    const unsigned char *bytes = self->block + self->at;
    self->sum = add_sum(self->sum, bytes, len);
    self->at += len;
    return bytes;
}

static const unsigned char *get_varint(const unsigned char *at, const unsigned char *end, uint64_t *out)
{
    *out = 0;
    for (int i = 0; i < VARINT_BYTES_MAX && at < end; i++) {
        unsigned char byte = *at++;
        *out |= (uint64_t)(byte & 0x7F) << 7 * i;
        if (byte < 0x80)
            return at;
    }
    return NULL;
}

static bool parse_cells(struct spool_source *self, const unsigned char *at, size_t len)
{
    const unsigned char *end = at + len;
    for (uint32_t i = 0; i < self->columns; i++) {
        uint64_t cell_len;
        at = get_varint(at, end, &cell_len);
        if (!at || cell_len > (uint64_t)(end - at))
            return false;
        self->cells[i] = cell_text((const char *)at, cell_len);
        at += cell_len;
    }
    return at == end;
}

/* The record whose length has been looked at, but not taken. */
static enum err read_record(struct spool_source *self, uint32_t len, struct fault *why)
{
    if (len > RECORD_BYTES_MAX)
        return damaged("a row is too long", why);
    enum err err = want(self, COUNT_BYTES + (size_t)len, why);
    if (err != ERR_OK)
        return err;
    const unsigned char *bytes = take(self, COUNT_BYTES + (size_t)len) + COUNT_BYTES;
    return parse_cells(self, bytes, len) ? ERR_OK : damaged("a row is wrong", why);
}

static enum err read_length(struct spool_source *self, uint32_t *len, struct fault *why)
{
    enum err err = want(self, COUNT_BYTES, why);
    if (err == ERR_OK)
        *len = get_u32(self->block + self->at);
    return err;
}

static enum err check_end(struct spool_source *self, struct fault *why)
{
    enum err err = want(self, TRAILER_BYTES, why);
    if (err != ERR_OK)
        return err;
    take(self, TRAILER_BYTES - SUM_BYTES);
    uint64_t behind = self->offset - (self->end - self->at) + SUM_BYTES;
    if (self->row != self->rows || self->sum != self->sum_promised || behind != self->size)
        return damaged("its checksum is wrong", why);
    self->ended = true;
    return ERR_END;
}

static enum err read_gap(struct spool_source *self, struct fault *why)
{
    enum err err = want(self, GAP_BYTES, why);
    if (err != ERR_OK)
        return err;
    self->gap_rows = get_u32(take(self, GAP_BYTES) + COUNT_BYTES);
    if (self->gap_rows == 0 || self->gap_rows > GAP_ROWS_MAX)
        return damaged("a gap is wrong", why);
    for (uint32_t i = 0; i < self->columns; i++)
        self->cells[i] = cell_empty();
    return ERR_OK;
}

static enum err spool_next(struct source *base, struct row *row, struct fault *why)
{
    struct spool_source *self = (struct spool_source *)base;
    uint32_t len = GAP_MARK;
    enum err err = self->ended ? ERR_END : self->gap_rows > 0 ? ERR_OK : read_length(self, &len, why);
    if (err != ERR_OK)
        return err;
    if (len == END_MARK)
        return check_end(self, why);
    if (len != GAP_MARK)
        err = read_record(self, len, why);
    else if (self->gap_rows == 0)
        err = read_gap(self, why);
    if (err == ERR_OK && self->row == self->rows)
        err = damaged("it has too many rows", why);
    if (err != ERR_OK)
        return err;
    self->gap_rows -= len == GAP_MARK;
    *row = (struct row){.number = ++self->row, .count = self->columns, .cell = self->cells, .blank = len == GAP_MARK};
    return ERR_OK;
}

/* Reads up to the first row; the names stay in the cells until then. */
static enum err read_head(struct spool_source *self, struct fault *why)
{
    self->offset = 0;
    self->row = 0;
    self->gap_rows = 0;
    self->ended = false;
    self->at = self->end = 0;
    self->sum = 0;
    enum err err = want(self, MAGIC_BYTES + COUNT_BYTES, why);
    if (err != ERR_OK)
        return err;
    const unsigned char *head = take(self, MAGIC_BYTES + COUNT_BYTES);
    if (memcmp(head, SPOOL_MAGIC, MAGIC_BYTES) != 0)
        return damaged("it begins wrong", why);
    uint32_t columns = get_u32(head + MAGIC_BYTES);
    if (columns > SOURCE_COLUMNS_MAX || (self->cells && columns != self->columns))
        return damaged("its number of columns is wrong", why);
    self->columns = columns;
    if (!self->cells)
        self->cells = calloc((size_t)columns + 1, sizeof *self->cells);
    if (!self->cells)
        return fault_set(why, ERR_MEMORY, "%sno memory for %u columns", spool_source.read_prefix, columns);
    uint32_t len;
    err = read_length(self, &len, why);
    return err == ERR_OK ? read_record(self, len, why) : err;
}

static enum err spool_rewind(struct source *base, struct fault *why)
{
    return read_head((struct spool_source *)base, why);
}

static enum err read_trailer(struct spool_source *self, struct fault *why)
{
    unsigned char trailer[TRAILER_BYTES];
    struct stat info;
    if (fstat(self->fd, &info) != 0)
        return fault_errno(why, "%scannot read", spool_source.read_prefix);
    self->size = (uint64_t)info.st_size;
    if (self->size < MAGIC_BYTES + COUNT_BYTES + COUNT_BYTES + TRAILER_BYTES)
        return damaged("it ends too early", why);
    size_t got;
    enum err err = read_at(self, trailer, sizeof trailer, self->size - sizeof trailer, &got, why);
    if (err != ERR_OK)
        return err;
    if (got != sizeof trailer || get_u32(trailer) != END_MARK)
        return damaged("its end is missing", why);
    self->rows = get_u64(trailer + COUNT_BYTES);
    self->sum_promised = get_u64(trailer + TRAILER_BYTES - SUM_BYTES);
    return ERR_OK;
}

static void spool_consumed(const struct source *base, uint64_t *done, uint64_t *total)
{
    const struct spool_source *self = (const struct spool_source *)base;
    *total = self->size;
    *done = self->offset - (self->end - self->at);
    if (*done > *total)
        *done = *total;
}

static void spool_destroy(struct source *base)
{
    struct spool_source *self = (struct spool_source *)base;
    header_fini(&self->header);
    free(self->cells);
    free(self->block);
    free(self);
}

static enum err start(struct spool_source *self, const struct read_options *how, struct fault *why)
{
    enum err err = read_trailer(self, why);
    if (err != ERR_OK)
        return err;
    self->room = how && how->block_bytes ? how->block_bytes : BLOCK_BYTES;
    self->block = malloc(self->room);
    if (!self->block)
        return fault_set(why, ERR_MEMORY, "%sno memory for a block", spool_source.read_prefix);
    err = read_head(self, why);
    if (err != ERR_OK)
        return err;
    err = header_make(&self->header, self->cells, self->columns, why);
    if (err != ERR_OK)
        fault_prefix(why, "%s", spool_source.read_prefix);
    self->base.columns = self->header.columns;
    return err;
}

static enum err spool_open(struct source **out, int fd, const struct read_options *how, struct fault *why)
{
    *out = NULL;
    struct spool_source *self = calloc(1, sizeof *self);
    if (!self)
        return fault_set(why, ERR_MEMORY, "%sno memory", spool_source.read_prefix);
    self->base.kind = &spool_source;
    self->fd = fd;
    enum err err = start(self, how, why);
    if (err == ERR_OK)
        *out = &self->base;
    else
        spool_destroy(&self->base);
    return err;
}

const struct source_kind spool_source = {
    .name = "spool",
    .suffixes = "",
    .read_prefix = "Failed to read the table of the step before: ",
    .open = spool_open,
    .next = spool_next,
    .rewind = spool_rewind,
    .consumed = spool_consumed,
    .destroy = spool_destroy,
};
