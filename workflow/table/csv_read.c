/* Reads CSV (RFC 4180 as pandas reads it). Cells point into the block that was read from the file; only quoted cells
 * that hold quotes are rewritten, in place. The places where cells and lines end are found 64 bytes at a time as a bit
 * mask.
 *
 * A record that is cut off by the end of the block is moved to the block's front, the block is filled up, and the
 * record is parsed again from its start: so the parser never stops in mid-record. Needs no stable file: nothing is
 * mapped. */
#include "table/encoding.h"
#include "table/header.h"
#include "table/source.h"

#include <stdlib.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define BLOCK_BYTES      (1u << 20)
#define RECORD_BYTES_MAX (64u << 20) /* one record, all its cells and quotes */
#define STRIDE           64          /* bytes per mask; the block has room for as many behind its end */
#define SNIFF_BYTES      (64u << 10)
#define SNIFF_RECORDS    50
#define CHARACTER_BYTES  4

struct csv {
    struct source base;
    struct header header;
    struct cell *cells;
    uint32_t *escaped; /* indices of this record's cells whose quotes must be taken out */
    uint32_t room;     /* of cells and escaped */
    char delimiter;

    char *block;
    size_t block_room;
    char *at;   /* start of the next record */
    char *end;  /* of what was read; *end is '\0' */
    bool ended; /* the file has no more */

    const char *mask_base; /* the marks at or after the parser's place within mask_base[0..63] */
    uint64_t mask;
    const char *open_cell; /* where the cell begins that the end of the block cut off */

    uint64_t line; /* physical line on which the next record begins, from 1 */
    uint64_t rows;
    struct encoding_reader text;
};

enum parsed {
    PARSED_RECORD,
    PARSED_BLANK,
    PARSED_CUT_OFF,   /* the record goes on behind the end of the block */
    PARSED_OPEN_QUOTE /* the file ends inside quotes */
};

struct record {
    uint32_t count;   /* cells, those beyond the room included */
    uint32_t escapes; /* entries of `escaped` */
    uint64_t lines;   /* physical lines it takes */
    bool quoted;      /* at least one cell was */
    const char *next; /* where the next record begins */
};

#ifdef __SSE2__
static uint64_t equal_bytes(const __m128i part[4], char c)
{
    __m128i wanted = _mm_set1_epi8(c);
    uint64_t mask = 0;
    for (int i = 0; i < 4; i++)
        mask |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(part[i], wanted)) << 16 * i;
    return mask;
}

static uint64_t find_marks(const char *at, char delimiter)
{
    __m128i part[4];
    for (int i = 0; i < 4; i++)
        part[i] = _mm_loadu_si128((const __m128i *)(const void *)(at + 16 * i));
    return equal_bytes(part, delimiter) | equal_bytes(part, '\n') | equal_bytes(part, '\r');
}
#else
static uint64_t find_marks(const char *at, char delimiter)
{
    uint64_t mask = 0;
    for (int i = 0; i < STRIDE; i++)
        mask |= (uint64_t)(at[i] == delimiter || at[i] == '\n' || at[i] == '\r') << i;
    return mask;
}
#endif

/* Marks behind the end of what was read are cut off. */
static void load_marks(struct csv *self, const char *base)
{
    self->mask_base = base;
    self->mask = find_marks(base, self->delimiter);
    if (self->end - base < STRIDE)
        self->mask &= (UINT64_C(1) << (self->end - base)) - 1;
}

/* Lets the marks before `at` be forgotten. */
static void skip_marks(struct csv *self, const char *at)
{
    if (at - self->mask_base < STRIDE)
        self->mask &= ~UINT64_C(0) << (at - self->mask_base);
    else
        load_marks(self, at);
}

/* The next delimiter or line end, or NULL at the end of the block. */
static inline const char *next_mark(struct csv *self)
{
    while (self->mask == 0) {
        if (self->end - self->mask_base <= STRIDE)
            return NULL;
        load_marks(self, self->mask_base + STRIDE);
    }
    const char *mark = self->mask_base + __builtin_ctzll(self->mask);
    self->mask &= self->mask - 1;
    return mark;
}

/* From behind the opening quote to behind the closing one; NULL when it is not in the block. */
static const char *skip_quoted(const struct csv *self, const char *at, bool *doubled)
{
    for (;;) {
        at = memchr(at, '"', (size_t)(self->end - at));
        if (!at || (at + 1 == self->end && !self->ended))
            return NULL;
        if (at[1] != '"')
            return at + 1;
        *doubled = true;
        at += 2;
    }
}

static uint64_t count_lines(const char *at, const char *end)
{
    uint64_t lines = 0;
    for (; at < end; at++)
        lines += *at == '\n' || (*at == '\r' && at[1] != '\n');
    return lines;
}

/* A cell that begins with a quote: its text is what stands between the quotes; what follows the closing quote up to the
 * next mark belongs to it too. Returns that mark (the end of the block if there is none), or NULL when cut off. */
static const char *parse_quoted(struct csv *self, struct record *record, const char *start, struct cell *cell)
{
    bool escaped = false;
    const char *behind = skip_quoted(self, start + 1, &escaped);
    if (!behind)
        return NULL;
    skip_marks(self, behind);
    const char *mark = next_mark(self);
    if (!mark && !self->ended)
        return NULL;
    if (!mark)
        mark = self->end;
    escaped = escaped || mark != behind;
    *cell = cell_text(start + 1, (size_t)((escaped ? mark : behind - 1) - (start + 1)));
    if (escaped && record->count < self->room)
        self->escaped[record->escapes++] = record->count;
    record->lines += count_lines(start, behind);
    record->quoted = true;
    return mark;
}

static bool is_blank(const struct cell *cell)
{
    for (uint32_t i = 0; i < cell->len; i++)
        if (cell->is.text[i] != ' ' && cell->is.text[i] != '\t')
            return false;
    return true;
}

/* Steps over the line end at `mark`; false when it may go on behind the block. */
static bool end_line(struct csv *self, struct record *record, const char *mark)
{
    record->lines++;
    record->next = mark + 1;
    if (mark == self->end) {
        record->next = mark;
        return true;
    }
    if (*mark == '\n')
        return true;
    if (mark + 1 == self->end)
        return self->ended;
    if (mark[1] == '\n')
        record->next = next_mark(self) + 1;
    return true;
}

static enum parsed parse_record(struct csv *self, struct record *record)
{
    *record = (struct record){.count = 0};
    const char *start = self->at;
    for (;;) {
        struct cell cell;
        const char *mark;
        self->open_cell = start;
        if (*start == '"' && start < self->end) {
            mark = parse_quoted(self, record, start, &cell);
            if (!mark)
                return self->ended ? PARSED_OPEN_QUOTE : PARSED_CUT_OFF;
        } else {
            mark = next_mark(self);
            if (!mark && !self->ended)
                return PARSED_CUT_OFF;
            if (!mark)
                mark = self->end;
            cell = cell_text(start, (size_t)(mark - start));
        }
        if (record->count < self->room)
            self->cells[record->count] = cell;
        record->count++;
        if (mark < self->end && *mark == self->delimiter) {
            start = mark + 1;
            continue;
        }
        if (!end_line(self, record, mark))
            return PARSED_CUT_OFF;
        return record->count == 1 && !record->quoted && is_blank(&cell) ? PARSED_BLANK : PARSED_RECORD;
    }
}

/* Takes the quotes out of a cell that begins behind its opening quote. Doubled quotes become one; what stands behind
 * the closing quote stays as it is. */
static size_t unescape(char *text, size_t len)
{
    char *to = text;
    size_t i = 0;
    while (i < len) {
        if (text[i] == '"' && (i + 1 == len || text[i + 1] != '"'))
            break;
        i += text[i] == '"';
        *to++ = text[i++];
    }
    size_t tail = i < len ? len - i - 1 : 0;
    memmove(to, text + len - tail, tail);
    return (size_t)(to - text) + tail;
}

static void unescape_cells(struct csv *self, const struct record *record)
{
    for (uint32_t i = 0; i < record->escapes; i++) {
        struct cell *cell = &self->cells[self->escaped[i]];
        if (cell->kind == CELL_EMPTY)
            continue;
        char *text = self->block + (cell->is.text - self->block);
        *cell = cell_text(text, unescape(text, cell->len));
    }
}

static enum err too_long(const struct csv *self, const char *what, size_t limit, struct fault *why)
{
    return fault_set(why, ERR_TOO_LARGE, "%sline %llu holds %s of more than %zu bytes", csv_source.read_prefix,
                     (unsigned long long)self->line, what, limit);
}

/* Makes the block's rest its beginning, with enough room behind it that parsing it again and again stays cheap. */
static enum err make_room(struct csv *self, struct fault *why)
{
    size_t rest = (size_t)(self->end - self->at);
    if (rest >= RECORD_BYTES_MAX)
        return too_long(self, "a record", RECORD_BYTES_MAX, why);
    memmove(self->block, self->at, rest);
    if (rest > self->block_room / 2 || self->block_room - rest < CHARACTER_BYTES) {
        size_t room = self->block_room * 2 + CHARACTER_BYTES;
        char *block = realloc(self->block, room + STRIDE);
        if (!block)
            return fault_set(why, ERR_MEMORY, "%sno memory for line %llu", csv_source.read_prefix,
                             (unsigned long long)self->line);
        self->block = block;
        self->block_room = room;
    }
    self->at = self->block;
    self->end = self->block + rest;
    return ERR_OK;
}

static enum err read_more(struct csv *self, struct fault *why)
{
    enum err err = make_room(self, why);
    if (err != ERR_OK)
        return err;
    size_t rest = (size_t)(self->end - self->at), len;
    err = encoding_read(&self->text, self->end, self->block_room - rest, &len, why);
    const char *zero = memchr(self->end, '\0', len);
    self->end += len;
    memset(self->end, 0, STRIDE);
    load_marks(self, self->at);
    if (err != ERR_OK) {
        fault_prefix(why, "%s", csv_source.read_prefix);
        return err;
    }
    self->ended = len == 0;
    if (zero)
        return fault_set(why, ERR_INVALID, "%sline %llu holds a NUL byte", csv_source.read_prefix,
                         (unsigned long long)(self->line + count_lines(self->at, zero)));
    return ERR_OK;
}

static enum err check_sizes(const struct csv *self, const struct record *record, struct fault *why)
{
    if (record->next - self->at <= (ptrdiff_t)SOURCE_CELL_BYTES_MAX)
        return ERR_OK;
    if (record->next - self->at > (ptrdiff_t)RECORD_BYTES_MAX)
        return too_long(self, "a record", RECORD_BYTES_MAX, why);
    for (uint32_t i = 0; i < record->count && i < self->room; i++)
        if (self->cells[i].len > SOURCE_CELL_BYTES_MAX)
            return too_long(self, "a cell", SOURCE_CELL_BYTES_MAX, why);
    return ERR_OK;
}

/* The next record that is not blank, its cells as they stand in the file; `self->at` still is its start. */
static enum err find_record(struct csv *self, struct record *record, struct fault *why)
{
    for (;;) {
        if (self->at == self->end && self->ended)
            return ERR_END;
        enum err err = ERR_OK;
        switch (parse_record(self, record)) {
        case PARSED_RECORD: return check_sizes(self, record, why);
        case PARSED_BLANK:
            self->at = self->block + (record->next - self->block);
            self->line += record->lines;
            break;
        case PARSED_CUT_OFF:
            if (self->end - self->open_cell > (ptrdiff_t)SOURCE_CELL_BYTES_MAX + 2)
                return too_long(self, "a cell", SOURCE_CELL_BYTES_MAX, why);
            err = read_more(self, why);
            break;
        case PARSED_OPEN_QUOTE:
            return fault_set(why, ERR_INVALID,
                             "%sError tokenizing data. C error: EOF inside string starting at row %llu",
                             csv_source.read_prefix, (unsigned long long)self->line - 1);
        }
        if (err != ERR_OK)
            return err;
    }
}

static void take_record(struct csv *self, const struct record *record)
{
    unescape_cells(self, record);
    self->at = self->block + (record->next - self->block);
    self->line += record->lines;
}

static enum err csv_next(struct source *base, struct row *row, struct fault *why)
{
    struct csv *self = (struct csv *)base;
    struct record record;
    enum err err = find_record(self, &record, why);
    if (err != ERR_OK)
        return err;
    uint32_t count = self->base.columns.count;
    if (record.count > count)
        return fault_set(why, ERR_INVALID, "%sError tokenizing data. C error: Expected %u fields in line %llu, saw %u",
                         csv_source.read_prefix, count, (unsigned long long)self->line, record.count);
    take_record(self, &record);
    for (uint32_t i = record.count; i < count; i++)
        self->cells[i] = cell_empty();
    *row = (struct row){.number = ++self->rows, .count = count, .cell = self->cells};
    return ERR_OK;
}

static void start_over(struct csv *self)
{
    encoding_rewind(&self->text);
    self->at = self->end = self->block;
    memset(self->block, 0, STRIDE);
    self->ended = false;
    self->mask = 0;
    self->mask_base = self->block;
    self->line = 1;
    self->rows = 0;
}

static enum err csv_rewind(struct source *base, struct fault *why)
{
    struct csv *self = (struct csv *)base;
    start_over(self);
    struct record record;
    enum err err = find_record(self, &record, why);
    if (err == ERR_OK)
        take_record(self, &record);
    return err == ERR_END ? fault_set(why, ERR_IO, "%sthe file changed while it was read", csv_source.read_prefix)
                          : err;
}

static void csv_consumed(const struct source *base, uint64_t *done, uint64_t *total)
{
    const struct csv *self = (const struct csv *)base;
    uint64_t waiting = self->text.encoding <= ENCODING_UTF8 ? (uint64_t)(self->end - self->at) : 0;
    *total = self->text.size;
    *done = encoding_consumed(&self->text);
    *done = *done > waiting ? *done - waiting : 0;
}

static void csv_destroy(struct source *base)
{
    struct csv *self = (struct csv *)base;
    header_fini(&self->header);
    free(self->cells);
    free(self->escaped);
    free(self->block);
    free(self);
}

/* How well a delimiter fits the sample's records. */
struct fit {
    uint32_t columns; /* of the first record */
    bool same;        /* every record has as many */
};

static void count_record(struct fit *fit, uint32_t number, uint32_t columns)
{
    if (number == 0)
        *fit = (struct fit){.columns = columns, .same = true};
    fit->same = fit->same && columns == fit->columns;
}

/* Counts the columns of the whole records of a sample. */
static struct fit fit_delimiter(const char *at, const char *end, bool ended, char delimiter)
{
    struct fit fit = {.columns = 0};
    uint32_t number = 0, columns = 1;
    bool cell_begins = true, quoted = false, line_begins = true;
    for (; at < end && number < SNIFF_RECORDS; at++) {
        bool opens = *at == '"' && cell_begins;
        if (*at == '"' && (quoted || opens))
            quoted = !quoted;
        cell_begins = false;
        if (quoted || *at == '"') {
            line_begins = false;
        } else if (*at == '\n' || *at == '\r') {
            if (!line_begins)
                count_record(&fit, number++, columns);
            columns = 1;
            cell_begins = line_begins = true;
        } else if (*at == delimiter) {
            columns++;
            cell_begins = true;
            line_begins = false;
        } else {
            line_begins = line_begins && (*at == ' ' || *at == '\t');
        }
    }
    if (number == 0 || (ended && !line_begins && at == end))
        count_record(&fit, number, columns);
    return fit;
}

/* Comma, unless another delimiter splits every record alike and comma does not. */
static char sniff(const char *at, const char *end, bool ended)
{
    static const char candidates[] = {',', ';', '\t', '|'};
    char best = ',';
    struct fit found = {.columns = 0};
    for (size_t i = 0; i < sizeof candidates; i++) {
        struct fit fit = fit_delimiter(at, end, ended, candidates[i]);
        if (fit.columns < 2)
            continue;
        bool better = fit.same && (!found.same || (best != ',' && fit.columns > found.columns));
        if (found.columns == 0 || better) {
            best = candidates[i];
            found = fit;
        }
    }
    return best;
}

/* The sample is read apart from the blocks, so that their size has no influence. */
static enum err find_delimiter(struct csv *self, struct fault *why)
{
    char *sample = malloc(SNIFF_BYTES);
    if (!sample)
        return fault_set(why, ERR_MEMORY, "%sno memory", csv_source.read_prefix);
    size_t used = 0, len = 1;
    enum err err = ERR_OK;
    while (err == ERR_OK && len > 0 && SNIFF_BYTES - used >= CHARACTER_BYTES) {
        err = encoding_read(&self->text, sample + used, SNIFF_BYTES - used, &len, why);
        used += len;
    }
    if (err == ERR_OK)
        self->delimiter = sniff(sample, sample + used, len == 0);
    else
        fault_prefix(why, "%s", csv_source.read_prefix);
    free(sample);
    return err;
}

static enum err make_cells(struct csv *self, uint32_t room, struct fault *why)
{
    free(self->cells);
    free(self->escaped);
    self->room = room;
    self->cells = calloc(room, sizeof *self->cells);
    self->escaped = calloc(room, sizeof *self->escaped);
    if (self->cells && self->escaped)
        return ERR_OK;
    return fault_set(why, ERR_MEMORY, "%sno memory for %u columns", csv_source.read_prefix, room);
}

static enum err read_header(struct csv *self, struct fault *why)
{
    struct record record;
    enum err err = make_cells(self, SOURCE_COLUMNS_MAX, why);
    if (err == ERR_OK)
        err = find_record(self, &record, why);
    if (err == ERR_END)
        return fault_set(why, ERR_INVALID, "%sNo columns to parse from file", csv_source.read_prefix);
    if (err != ERR_OK)
        return err;
    if (record.count > SOURCE_COLUMNS_MAX)
        return fault_set(why, ERR_TOO_LARGE, "%sline %llu has %u columns; the limit is %d", csv_source.read_prefix,
                         (unsigned long long)self->line, record.count, SOURCE_COLUMNS_MAX);
    take_record(self, &record);
    err = header_make(&self->header, self->cells, record.count, why);
    if (err != ERR_OK) {
        fault_prefix(why, "%s", csv_source.read_prefix);
        return err;
    }
    self->base.columns = self->header.columns;
    return make_cells(self, record.count, why);
}

static enum err start(struct csv *self, int fd, const struct read_options *how, struct fault *why)
{
    enum err err = encoding_open(&self->text, fd, why);
    if (err != ERR_OK) {
        fault_prefix(why, "%s", csv_source.read_prefix);
        return err;
    }
    self->block_room = how && how->block_bytes ? how->block_bytes : BLOCK_BYTES;
    self->block = malloc(self->block_room + STRIDE);
    if (!self->block)
        return fault_set(why, ERR_MEMORY, "%sno memory for a block", csv_source.read_prefix);
    self->delimiter = how ? how->delimiter : '\0';
    if (self->delimiter == '\0')
        err = find_delimiter(self, why);
    start_over(self);
    return err == ERR_OK ? read_header(self, why) : err;
}

static enum err csv_open(struct source **out, int fd, const struct read_options *how, struct fault *why)
{
    *out = NULL;
    struct csv *self = calloc(1, sizeof *self);
    if (!self)
        return fault_set(why, ERR_MEMORY, "%sno memory", csv_source.read_prefix);
    self->base.kind = &csv_source;
    enum err err = start(self, fd, how, why);
    if (err == ERR_OK)
        *out = &self->base;
    else
        csv_destroy(&self->base);
    return err;
}

const struct source_kind csv_source = {
    .name = "csv",
    .suffixes = "csv,tsv,txt",
    .read_prefix = "Failed to read CSV file: ",
    .open = csv_open,
    .next = csv_next,
    .rewind = csv_rewind,
    .consumed = csv_consumed,
    .destroy = csv_destroy,
};
