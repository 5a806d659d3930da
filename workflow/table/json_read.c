/* Reads a table from JSON (RFC 8259): an array of objects whose members are the cells. The columns are the keys of all
 * objects in the order in which they first appear, so the file is read twice: once at open for the keys, which finds
 * every error too, and once for the rows.
 *
 * The parser takes one byte at a time from a block and keeps one row. Strings stay as they are, numbers follow the
 * number rules of number_text.h, truth values are True and False, null is an empty cell, and a nested object or array
 * is its own text without the blanks. The last of several members with one name counts. */
#include "table/encoding.h"
#include "table/header.h"
#include "table/number_text.h"
#include "table/source.h"

#include "buf.h"
#include "utf8.h"

#include <stdio.h>
#include <stdlib.h>

#define BLOCK_BYTES     (256u << 10)
#define BLOCK_BYTES_MIN 4
#define DEPTH_MAX       64
#define KEYS_BYTES_MAX  (16u << 20)
#define ROW_BYTES_MAX   (64u << 20)
#define END_OF_FILE     (-1)
#define SLOTS           (4 * SOURCE_COLUMNS_MAX) /* of the key table; a power of two */
#define HASH_START      2166136261u
#define HASH_STEP       16777619u

struct key {
    size_t at; /* in `key_bytes` */
    uint32_t len;
};

/* A cell of the row being read; its text is at `at` in `row_bytes`, which may move while the row grows. */
struct value {
    size_t at;
    uint32_t len;
};

struct json {
    struct source base;
    struct header header;
    struct encoding_reader text;
    char *block;
    size_t block_room;
    size_t at;
    size_t end;
    uint64_t line;        /* of the next byte, from 1 */
    uint64_t line_offset; /* characters of this line that came before the next byte */

    struct buf key_bytes;
    struct key *keys;
    uint32_t key_count;
    uint32_t *slots; /* index + 1 into keys; 0 = free */
    uint32_t likely; /* index of the key that followed the last one before: objects mostly look alike */
    bool collecting; /* first pass: values are checked, not kept */

    struct buf scratch; /* the key, or number, being read */
    struct buf row_bytes;
    struct value *values;
    struct cell *cells;
    uint64_t rows;
    bool began; /* the opening bracket was read */
    bool ended; /* the closing one too */
};

static enum err fail(const struct json *self, enum err code, const char *what, struct fault *why)
{
    return fault_set(why, code, "%sline %llu, column %llu: %s", json_source.read_prefix, (unsigned long long)self->line,
                     (unsigned long long)self->line_offset + 1, what);
}

static enum err expected(const struct json *self, const char *what, struct fault *why)
{
    return fault_set(why, ERR_INVALID, "%sline %llu, column %llu: expected %s", json_source.read_prefix,
                     (unsigned long long)self->line, (unsigned long long)self->line_offset + 1, what);
}

static enum err check_room(const struct json *self, enum err err, struct fault *why)
{
    if (err == ERR_FULL)
        return fail(self, ERR_TOO_LARGE, "the text is too long", why);
    if (err == ERR_MEMORY)
        return fail(self, ERR_MEMORY, "no memory", why);
    return err;
}

static __attribute__((noinline)) enum err refill(struct json *self, struct fault *why)
{
    enum err err = encoding_read(&self->text, self->block, self->block_room, &self->end, why);
    self->at = 0;
    if (err != ERR_OK) {
        self->end = 0;
        fault_prefix(why, "%s", json_source.read_prefix);
    } else if (self->text.encoding == ENCODING_CP1252 || self->text.encoding == ENCODING_LATIN1) {
        err = fault_set(why, ERR_INVALID, "%sthe file is not valid UTF-8", json_source.read_prefix);
    }
    return err;
}

/* The next byte without taking it, or END_OF_FILE. */
static inline enum err peek(struct json *self, int *byte, struct fault *why)
{
    enum err err = self->at < self->end ? ERR_OK : refill(self, why);
    *byte = self->at < self->end ? (unsigned char)self->block[self->at] : END_OF_FILE;
    return err;
}

/* Takes the byte that peek() showed. */
static inline void take(struct json *self)
{
    unsigned char byte = (unsigned char)self->block[self->at++];
    if (byte == '\n') {
        self->line++;
        self->line_offset = 0;
    } else {
        self->line_offset += (byte & 0xC0) != 0x80;
    }
}

static enum err peek_token(struct json *self, int *byte, struct fault *why)
{
    for (;;) {
        enum err err = peek(self, byte, why);
        if (err != ERR_OK || (*byte != ' ' && *byte != '\t' && *byte != '\n' && *byte != '\r'))
            return err;
        take(self);
    }
}

static enum err take_token(struct json *self, int wanted, const char *name, struct fault *why)
{
    int byte;
    enum err err = peek_token(self, &byte, why);
    if (err == ERR_OK && byte != wanted)
        return expected(self, name, why);
    if (err == ERR_OK)
        take(self);
    return err;
}

static enum err add(const struct json *self, struct buf *out, const char *bytes, size_t len, struct fault *why)
{
    return out ? check_room(self, buf_add(out, bytes, len), why) : ERR_OK;
}

static int hex_digit(int byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    if (byte >= 'a' && byte <= 'f')
        return byte - 'a' + 10;
    return byte >= 'A' && byte <= 'F' ? byte - 'A' + 10 : -1;
}

static enum err read_hex(struct json *self, uint32_t *unit, struct fault *why)
{
    *unit = 0;
    for (int i = 0; i < 4; i++) {
        int byte;
        enum err err = peek(self, &byte, why);
        if (err != ERR_OK)
            return err;
        int digit = hex_digit(byte);
        if (digit < 0)
            return expected(self, "four hexadecimal digits", why);
        take(self);
        *unit = *unit << 4 | (uint32_t)digit;
    }
    return ERR_OK;
}

/* Where a string goes: nowhere (`to` NULL), decoded, or (`raw`) as it is written. `high` is a high surrogate that was
 * read last and waits for its low one; a half without the other becomes U+FFFD. */
struct string {
    struct buf *to;
    bool raw;
    uint32_t high;
};

static enum err put_code(struct json *self, struct string *string, uint32_t code, struct fault *why)
{
    char bytes[4];
    if (code == 0)
        return fail(self, ERR_INVALID, "a NUL character is not allowed", why);
    return string->raw ? ERR_OK : add(self, string->to, bytes, utf8_put(code, bytes), why);
}

static enum err drop_half(struct json *self, struct string *string, struct fault *why)
{
    if (string->high == 0)
        return ERR_OK;
    string->high = 0;
    return put_code(self, string, 0xFFFD, why);
}

static enum err put_unit(struct json *self, struct string *string, uint32_t unit, struct fault *why)
{
    if (string->high != 0 && unit >= 0xDC00 && unit <= 0xDFFF) {
        uint32_t code = 0x10000 + ((string->high - 0xD800) << 10) + (unit - 0xDC00);
        string->high = 0;
        return put_code(self, string, code, why);
    }
    enum err err = drop_half(self, string, why);
    if (err != ERR_OK)
        return err;
    if (unit >= 0xD800 && unit <= 0xDBFF) {
        string->high = unit;
        return ERR_OK;
    }
    return put_code(self, string, unit >= 0xDC00 && unit <= 0xDFFF ? 0xFFFD : unit, why);
}

/* Behind the backslash. */
static enum err read_escape(struct json *self, struct string *string, struct fault *why)
{
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    int byte;
    enum err err = peek(self, &byte, why);
    if (err != ERR_OK)
        return err;
    if (byte == 'u') {
        take(self);
        uint32_t unit;
        err = read_hex(self, &unit, why);
        char written[8];
        snprintf(written, sizeof written, "\\u%04x", err == ERR_OK ? unit : 0);
        if (err == ERR_OK && string->raw)
            err = add(self, string->to, written, 6, why);
        return err == ERR_OK ? put_unit(self, string, unit, why) : err;
    }
    const char *letter = byte > 0 ? strchr(letters, byte) : NULL;
    if (!letter)
        return expected(self, "one of \"\\/bfnrtu", why);
    take(self);
    err = drop_half(self, string, why);
    if (err != ERR_OK)
        return err;
    if (string->raw)
        return add(self, string->to, (const char[]){'\\', *letter}, 2, why);
    return add(self, string->to, &meanings[letter - letters], 1, why);
}

/* The bytes up to the next quote, backslash or control character, as many as the block holds. */
static enum err read_plain(struct json *self, struct string *string, struct fault *why)
{
    enum err err = drop_half(self, string, why);
    const char *begin = self->block + self->at, *end = self->block + self->end, *at = begin;
    for (; at < end && *at != '"' && *at != '\\' && (unsigned char)*at >= 0x20; at++)
        self->line_offset += (*at & 0xC0) != 0x80;
    self->at += (size_t)(at - begin);
    return err == ERR_OK ? add(self, string->to, begin, (size_t)(at - begin), why) : err;
}

static enum err read_string(struct json *self, struct buf *to, bool raw, struct fault *why)
{
    struct string string = {.to = to, .raw = raw};
    enum err err = take_token(self, '"', "a string", why);
    if (err == ERR_OK && raw)
        err = add(self, to, "\"", 1, why);
    while (err == ERR_OK) {
        int byte;
        err = peek(self, &byte, why);
        if (err != ERR_OK)
            return err;
        if (byte == END_OF_FILE)
            return expected(self, "the end of the string", why);
        if (byte < 0x20)
            return fail(self, ERR_INVALID, "a control character must be escaped", why);
        if (byte == '"') {
            take(self);
            err = drop_half(self, &string, why);
            return err == ERR_OK && raw ? add(self, to, "\"", 1, why) : err;
        }
        if (byte == '\\') {
            take(self);
            err = read_escape(self, &string, why);
        } else {
            err = read_plain(self, &string, why);
        }
    }
    return err;
}

static const char *skip_digits(const char *at, const char *end)
{
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    return at;
}

/* RFC 8259, section 6 */
static bool is_number(const char *at, const char *end)
{
    at += at < end && *at == '-';
    const char *digits = at;
    at = skip_digits(at, end);
    if (at == digits || (*digits == '0' && at - digits > 1))
        return false;
    if (at < end && *at == '.') {
        digits = at + 1;
        at = skip_digits(digits, end);
        if (at == digits)
            return false;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        at += at < end && (*at == '+' || *at == '-');
        digits = at;
        at = skip_digits(at, end);
        if (at == digits)
            return false;
    }
    return at == end;
}

static enum err read_number(struct json *self, struct buf *to, bool raw, struct fault *why)
{
    buf_clear(&self->scratch);
    for (;;) {
        int byte;
        enum err err = peek(self, &byte, why);
        if (err != ERR_OK)
            return err;
        if (byte <= 0 || !strchr("0123456789+-.eE", byte))
            break;
        err = check_room(self, buf_add_byte(&self->scratch, (uint8_t)byte), why);
        if (err != ERR_OK)
            return err;
        take(self);
    }
    const char *text = self->scratch.data;
    size_t len = self->scratch.len;
    if (len == 0 || !is_number(text, text + len))
        return expected(self, len == 0 ? "a value" : "a number as JSON writes them", why);
    char digits[NUMBER_DIGITS_MAX];
    size_t count;
    if (!raw && number_from_sheet(text, len, digits, &count))
        return add(self, to, digits, count, why);
    return add(self, to, text, len, why);
}

static enum err read_word(struct json *self, const char *word, struct fault *why)
{
    for (; *word; word++) {
        int byte;
        enum err err = peek(self, &byte, why);
        if (err != ERR_OK)
            return err;
        if (byte != *word)
            return expected(self, "a value", why);
        take(self);
    }
    return ERR_OK;
}

static enum err read_constant(struct json *self, int first, struct buf *to, bool raw, struct fault *why)
{
    const char *word = first == 't' ? "true" : first == 'f' ? "false" : "null";
    const char *text = first == 't' ? "True" : first == 'f' ? "False" : "";
    enum err err = read_word(self, word, why);
    return err == ERR_OK ? add(self, to, raw ? word : text, strlen(raw ? word : text), why) : err;
}

static enum err read_value(struct json *self, struct buf *to, uint32_t depth, struct fault *why);

/* An object or array inside a cell: its own text, without the blanks. */
static enum err read_nested(struct json *self, int open, struct buf *to, uint32_t depth, struct fault *why)
{
    int close = open == '{' ? '}' : ']', byte;
    if (depth >= DEPTH_MAX)
        return fail(self, ERR_TOO_LARGE, "more than 64 objects and arrays in one another", why);
    take(self);
    enum err err = add(self, to, open == '{' ? "{" : "[", 1, why);
    if (err == ERR_OK)
        err = peek_token(self, &byte, why);
    for (bool first = true; err == ERR_OK && (!first || byte != close); first = false) {
        if (open == '{')
            err = read_string(self, to, true, why);
        if (err == ERR_OK && open == '{' && (err = take_token(self, ':', "a colon", why)) == ERR_OK)
            err = add(self, to, ":", 1, why);
        if (err == ERR_OK)
            err = read_value(self, to, depth + 1, why);
        if (err == ERR_OK)
            err = peek_token(self, &byte, why);
        if (err != ERR_OK || byte == close)
            break;
        err = take_token(self, ',', open == '{' ? "a comma or }" : "a comma or ]", why);
        if (err == ERR_OK)
            err = add(self, to, ",", 1, why);
    }
    if (err != ERR_OK)
        return err;
    take(self);
    return add(self, to, close == '}' ? "}" : "]", 1, why);
}

/* depth 0: the cell's own value; deeper: part of its text, as written. */
static enum err read_value(struct json *self, struct buf *to, uint32_t depth, struct fault *why)
{
    int byte;
    enum err err = peek_token(self, &byte, why);
    if (err != ERR_OK)
        return err;
    switch (byte) {
    case '"': return read_string(self, to, depth > 0, why);
    case '{':
    case '[': return read_nested(self, byte, to, depth, why);
    case 't':
    case 'f':
    case 'n': return read_constant(self, byte, to, depth > 0, why);
    default: return read_number(self, to, depth > 0, why);
    }
}

static bool is_key(const struct json *self, uint32_t index)
{
    const struct key *key = &self->keys[index];
    const struct buf *name = &self->scratch;
    return key->len == name->len &&
           (key->len == 0 || memcmp(self->key_bytes.data + key->at, name->data, key->len) == 0);
}

/* The slot of the key in scratch, or the free slot where it belongs. */
static uint32_t *find_slot(struct json *self)
{
    uint32_t hash = HASH_START;
    for (size_t i = 0; i < self->scratch.len; i++)
        hash = (hash ^ (uint8_t)self->scratch.data[i]) * HASH_STEP;
    uint32_t i = (hash ^ hash >> 15) % SLOTS;
    while (self->slots[i] != 0 && !is_key(self, self->slots[i] - 1))
        i = (i + 1) % SLOTS;
    return &self->slots[i];
}

static enum err learn_key(struct json *self, struct fault *why)
{
    uint32_t *slot = find_slot(self);
    if (self->key_count == SOURCE_COLUMNS_MAX)
        return fail(self, ERR_TOO_LARGE, "the objects have more than 16384 different keys", why);
    self->keys[self->key_count] = (struct key){.at = self->key_bytes.len, .len = (uint32_t)self->scratch.len};
    *slot = ++self->key_count;
    self->likely = *slot;
    return add(self, &self->key_bytes, self->scratch.data, self->scratch.len, why);
}

/* The column of the key in scratch, plus 1; 0 when it is unknown. */
static uint32_t find_key(struct json *self)
{
    if (self->likely >= self->key_count || !is_key(self, self->likely)) {
        uint32_t found = *find_slot(self);
        self->likely = found == 0 ? 0 : found - 1;
        if (found == 0)
            return 0;
    }
    return ++self->likely;
}

static enum err keep_value(struct json *self, struct fault *why)
{
    uint32_t column = find_key(self);
    if (column == 0)
        return fail(self, ERR_IO, "the file changed while it was read", why);
    size_t at = self->row_bytes.len;
    enum err err = read_value(self, &self->row_bytes, 0, why);
    size_t len = self->row_bytes.len - at;
    if (err == ERR_OK && len > SOURCE_CELL_BYTES_MAX)
        err = fail(self, ERR_TOO_LARGE, "a cell of more than 8388608 bytes", why);
    self->values[column - 1] = (struct value){.at = at, .len = (uint32_t)len};
    return err;
}

static enum err read_member(struct json *self, struct fault *why)
{
    buf_clear(&self->scratch);
    enum err err = read_string(self, &self->scratch, false, why);
    if (err == ERR_OK && self->collecting && find_key(self) == 0)
        err = learn_key(self, why);
    if (err == ERR_OK)
        err = take_token(self, ':', "a colon", why);
    if (err != ERR_OK)
        return err;
    return self->collecting ? read_value(self, NULL, 0, why) : keep_value(self, why);
}

static enum err read_object(struct json *self, struct fault *why)
{
    int byte;
    self->likely = 0;
    enum err err = take_token(self, '{', "an object", why);
    if (err == ERR_OK)
        err = peek_token(self, &byte, why);
    if (err == ERR_OK && byte != '}')
        err = read_member(self, why);
    while (err == ERR_OK && (err = peek_token(self, &byte, why)) == ERR_OK && byte != '}') {
        err = take_token(self, ',', "a comma or }", why);
        if (err == ERR_OK)
            err = read_member(self, why);
    }
    if (err == ERR_OK)
        take(self);
    return err;
}

/* Up to the next object; ERR_END behind the last, when the file ends there. */
static enum err find_object(struct json *self, struct fault *why)
{
    int byte;
    if (self->ended)
        return ERR_END;
    bool first = !self->began;
    enum err err = first ? take_token(self, '[', "an array of objects", why) : ERR_OK;
    self->began = true;
    if (err == ERR_OK)
        err = peek_token(self, &byte, why);
    if (err != ERR_OK)
        return err;
    if (byte != ']')
        return first ? ERR_OK : take_token(self, ',', "a comma or ]", why);
    take(self);
    err = peek_token(self, &byte, why);
    if (err == ERR_OK && byte != END_OF_FILE)
        return expected(self, "the end of the file", why);
    self->ended = err == ERR_OK;
    return err == ERR_OK ? ERR_END : err;
}

static enum err json_next(struct source *base, struct row *row, struct fault *why)
{
    struct json *self = (struct json *)base;
    enum err err = find_object(self, why);
    if (err != ERR_OK)
        return err;
    buf_clear(&self->row_bytes);
    memset(self->values, 0, self->key_count * sizeof *self->values);
    err = read_object(self, why);
    if (err != ERR_OK)
        return err;
    for (uint32_t i = 0; i < self->key_count; i++) {
        const struct value *value = &self->values[i];
        self->cells[i] = value->len > 0 ? cell_text(self->row_bytes.data + value->at, value->len) : cell_empty();
    }
    *row = (struct row){.number = ++self->rows, .count = self->key_count, .cell = self->cells};
    return ERR_OK;
}

static void start_over(struct json *self)
{
    encoding_rewind(&self->text);
    self->at = self->end = 0;
    self->line = 1;
    self->line_offset = 0;
    self->rows = 0;
    self->began = self->ended = false;
}

static enum err json_rewind(struct source *base, struct fault *why)
{
    (void)why;
    start_over((struct json *)base);
    return ERR_OK;
}

static void json_consumed(const struct source *base, uint64_t *done, uint64_t *total)
{
    const struct json *self = (const struct json *)base;
    uint64_t waiting = self->text.encoding <= ENCODING_UTF8 ? self->end - self->at : 0;
    *total = self->text.size;
    *done = encoding_consumed(&self->text);
    *done = *done > waiting ? *done - waiting : 0;
}

static void json_destroy(struct source *base)
{
    struct json *self = (struct json *)base;
    header_fini(&self->header);
    buf_fini(&self->key_bytes);
    buf_fini(&self->scratch);
    buf_fini(&self->row_bytes);
    free(self->keys);
    free(self->slots);
    free(self->values);
    free(self->cells);
    free(self->block);
    free(self);
}

static enum err collect_keys(struct json *self, struct fault *why)
{
    self->collecting = true;
    enum err err;
    while ((err = find_object(self, why)) == ERR_OK)
        if ((err = read_object(self, why)) != ERR_OK)
            break;
    self->collecting = false;
    return err == ERR_END ? ERR_OK : err;
}

static enum err make_header(struct json *self, struct fault *why)
{
    self->values = calloc((size_t)self->key_count + 1, sizeof *self->values);
    self->cells = calloc((size_t)self->key_count + 1, sizeof *self->cells);
    if (!self->values || !self->cells)
        return fault_set(why, ERR_MEMORY, "%sno memory for the columns", json_source.read_prefix);
    for (uint32_t i = 0; i < self->key_count; i++) {
        const struct key *key = &self->keys[i];
        self->cells[i] = key->len > 0 ? cell_text(self->key_bytes.data + key->at, key->len) : cell_empty();
    }
    enum err err = header_make(&self->header, self->cells, self->key_count, why);
    if (err != ERR_OK)
        fault_prefix(why, "%s", json_source.read_prefix);
    self->base.columns = self->header.columns;
    return err;
}

static enum err start(struct json *self, int fd, const struct read_options *how, struct fault *why)
{
    uint32_t wanted = how ? how->block_bytes : 0;
    self->block_room = wanted == 0 ? BLOCK_BYTES : wanted < BLOCK_BYTES_MIN ? BLOCK_BYTES_MIN : wanted;
    self->block = malloc(self->block_room);
    self->keys = calloc(SOURCE_COLUMNS_MAX, sizeof *self->keys);
    self->slots = calloc(SLOTS, sizeof *self->slots);
    self->key_bytes = BUF_INIT(KEYS_BYTES_MAX);
    self->scratch = BUF_INIT(SOURCE_CELL_BYTES_MAX);
    self->row_bytes = BUF_INIT(ROW_BYTES_MAX);
    if (!self->block || !self->keys || !self->slots)
        return fault_set(why, ERR_MEMORY, "%sno memory", json_source.read_prefix);
    enum err err = encoding_open(&self->text, fd, why);
    if (err != ERR_OK) {
        fault_prefix(why, "%s", json_source.read_prefix);
        return err;
    }
    start_over(self);
    err = collect_keys(self, why);
    start_over(self);
    return err == ERR_OK ? make_header(self, why) : err;
}

static enum err json_open(struct source **out, int fd, const struct read_options *how, struct fault *why)
{
    *out = NULL;
    struct json *self = calloc(1, sizeof *self);
    if (!self)
        return fault_set(why, ERR_MEMORY, "%sno memory", json_source.read_prefix);
    self->base.kind = &json_source;
    enum err err = start(self, fd, how, why);
    if (err == ERR_OK)
        *out = &self->base;
    else
        json_destroy(&self->base);
    return err;
}

const struct source_kind json_source = {
    .name = "json",
    .suffixes = "json",
    .read_prefix = "Failed to read JSON file: ",
    .open = json_open,
    .next = json_next,
    .rewind = json_rewind,
    .consumed = json_consumed,
    .destroy = json_destroy,
};
