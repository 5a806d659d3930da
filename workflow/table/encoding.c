#include "table/encoding.h"

#include "utf8.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REPLACEMENT 0xFFFD
#define HIGH_BITS   0x8080808080808080u
#define GUESS_BYTES 4096 /* from the file's beginning, looked at when it has no mark */

static enum err read_at(int fd, void *into, size_t room, uint64_t offset, size_t *len, struct fault *why)
{
    ssize_t got;
    do
        got = pread(fd, into, room, (off_t)offset);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return fault_errno(why, "cannot read the file");
    *len = (size_t)got;
    return ERR_OK;
}

static size_t ascii_prefix(const unsigned char *bytes, size_t len)
{
    size_t at = 0;
    for (; at + 32 <= len; at += 32) {
        uint64_t word[4];
        memcpy(word, bytes + at, sizeof word);
        if ((word[0] | word[1] | word[2] | word[3]) & HIGH_BITS)
            break;
    }
    while (at < len && bytes[at] < 0x80)
        at++;
    return at;
}

/* Bytes of the character that begins with a byte >= 0x80: 2-4, 0 if it is invalid, -1 if `len` ends inside it. */
static int character_bytes(const unsigned char *at, size_t len)
{
    int need = at[0] >= 0xF0 ? 4 : at[0] >= 0xE0 ? 3 : 2;
    if (at[0] < 0xC2 || at[0] > 0xF4)
        return 0;
    for (int i = 1; i < need; i++) {
        if ((size_t)i >= len)
            return -1;
        if ((at[i] & 0xC0) != 0x80)
            return 0;
        if (i == 1 && ((at[0] == 0xE0 && at[1] < 0xA0) || (at[0] == 0xED && at[1] > 0x9F) ||
                       (at[0] == 0xF0 && at[1] < 0x90) || (at[0] == 0xF4 && at[1] > 0x8F)))
            return 0;
    }
    return need;
}

/* Whole valid characters from the start; *broken tells an invalid one from a merely unfinished one. */
static size_t valid_prefix(const unsigned char *bytes, size_t len, bool *broken)
{
    size_t at = 0;
    *broken = false;
    while (at < len) {
        if (bytes[at] < 0x80) {
            at += ascii_prefix(bytes + at, len - at);
            continue;
        }
        int size = character_bytes(bytes + at, len - at);
        if (size <= 0) {
            *broken = size == 0;
            break;
        }
        at += (size_t)size;
    }
    return at;
}

size_t encoding_valid_utf8(const char *text, size_t len)
{
    bool broken;
    return valid_prefix((const unsigned char *)text, len, &broken);
}

static uint32_t unit_of(const unsigned char *pair, enum encoding encoding)
{
    return encoding == ENCODING_UTF16LE ? pair[0] | (uint32_t)pair[1] << 8 : (uint32_t)pair[0] << 8 | pair[1];
}

/* Characters a text file may hold; `high` says whether the unit before was the first half of one. */
static bool is_text_unit(uint32_t unit, bool *high)
{
    bool low = unit >= 0xDC00 && unit <= 0xDFFF, wanted = *high;
    *high = unit >= 0xD800 && unit <= 0xDBFF;
    if (low != wanted || unit >= 0xFFFE)
        return false;
    return unit >= 0x20 || (unit >= '\t' && unit <= '\r');
}

bool encoding_guess_utf16(const unsigned char *bytes, size_t len, enum encoding *out)
{
    size_t nul[2] = {0, 0};
    for (size_t i = 0; i + 1 < len; i += 2) {
        nul[0] += bytes[i] == 0;
        nul[1] += bytes[i + 1] == 0;
    }
    *out = nul[0] > nul[1] ? ENCODING_UTF16BE : ENCODING_UTF16LE;
    size_t many = nul[*out == ENCODING_UTF16LE], few = nul[*out == ENCODING_UTF16BE];
    if (many == 0 || many <= 2 * few || 4 * many < len / 2)
        return false;
    bool high = false, line_ends = false;
    for (size_t i = 0; i + 1 < len; i += 2) {
        uint32_t unit = unit_of(bytes + i, *out);
        if (!is_text_unit(unit, &high))
            return false;
        line_ends = line_ends || unit == '\n' || unit == '\r';
    }
    return line_ends;
}

enum err encoding_open(struct encoding_reader *self, int fd, struct fault *why)
{
    static const struct {
        const char *bytes;
        size_t len;
        enum encoding encoding;
    } marks[] = {
        {"\xEF\xBB\xBF", 3, ENCODING_ASCII_SO_FAR}, /* what follows may still be anything */
        {"\xFF\xFE", 2, ENCODING_UTF16LE},
        {"\xFE\xFF", 2, ENCODING_UTF16BE},
    };
    struct stat info;
    if (fstat(fd, &info) != 0)
        return fault_errno(why, "cannot read the file");
    self->fd = fd;
    self->encoding = ENCODING_ASCII_SO_FAR;
    self->begin = 0;
    self->size = (uint64_t)info.st_size;
    const unsigned char *head = self->raw;
    size_t len;
    enum err err = read_at(fd, self->raw, GUESS_BYTES, 0, &len, why);
    enum encoding guess;
    if (err == ERR_OK && self->size % 2 == 0 && encoding_guess_utf16(head, len, &guess))
        self->encoding = guess;
    for (size_t i = 0; err == ERR_OK && i < sizeof marks / sizeof *marks; i++) {
        if (len < marks[i].len || memcmp(head, marks[i].bytes, marks[i].len) != 0)
            continue;
        self->encoding = marks[i].encoding;
        self->begin = marks[i].len;
        break;
    }
    encoding_rewind(self);
    return err;
}

void encoding_rewind(struct encoding_reader *self)
{
    self->offset = self->begin;
    self->raw_at = 0;
    self->raw_len = 0;
}

uint64_t encoding_consumed(const struct encoding_reader *self)
{
    uint64_t done = self->offset - (self->raw_len - self->raw_at);
    return done < self->size ? done : self->size;
}

/* Looks through the file from `offset` (a character's first byte) with `raw` as its buffer. */
static enum err is_utf8_from(struct encoding_reader *self, uint64_t offset, bool *out, struct fault *why)
{
    size_t kept = 0, len;
    for (;;) {
        enum err err = read_at(self->fd, self->raw + kept, sizeof self->raw - kept, offset + kept, &len, why);
        if (err != ERR_OK)
            return err;
        if (len == 0)
            break;
        bool broken;
        size_t valid = valid_prefix(self->raw, kept + len, &broken);
        *out = !broken;
        if (broken)
            return ERR_OK;
        offset += valid;
        kept = kept + len - valid;
        memmove(self->raw, self->raw + valid, kept);
    }
    *out = kept == 0;
    return ERR_OK;
}

static enum err is_cp1252_from(struct encoding_reader *self, uint64_t offset, bool *out, struct fault *why)
{
    size_t len;
    *out = true;
    do {
        enum err err = read_at(self->fd, self->raw, sizeof self->raw, offset, &len, why);
        if (err != ERR_OK)
            return err;
        for (size_t i = ascii_prefix(self->raw, len); i < len; i++)
            if (self->raw[i] >= 0x81 && self->raw[i] <= 0x9D && memchr("\x81\x8D\x8F\x90\x9D", self->raw[i], 5)) {
                *out = false;
                return ERR_OK;
            }
        offset += len;
    } while (len > 0);
    return ERR_OK;
}

static enum err decide(struct encoding_reader *self, uint64_t offset, struct fault *why)
{
    bool yes;
    enum err err = is_utf8_from(self, offset, &yes, why);
    if (err == ERR_OK && yes)
        self->encoding = ENCODING_UTF8;
    if (err != ERR_OK || yes)
        return err;
    err = is_cp1252_from(self, offset, &yes, why);
    self->encoding = yes ? ENCODING_CP1252 : ENCODING_LATIN1;
    return err;
}

/* The characters of the bytes 0x80-0x9F. */
static const uint16_t cp1252_codes[32] = {0x20AC, 0x0081, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021,
                                          0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0x008D, 0x017D, 0x008F,
                                          0x0090, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
                                          0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x009D, 0x017E, 0x0178};

static uint32_t unit_at(const struct encoding_reader *self, size_t at)
{
    return unit_of(self->raw + at, self->encoding);
}

/* The next character of `raw`, which holds at least 4 bytes unless the file ends. */
static uint32_t next_utf16(struct encoding_reader *self)
{
    size_t left = self->raw_len - self->raw_at;
    if (left < 2) {
        self->raw_at = self->raw_len;
        return REPLACEMENT;
    }
    uint32_t unit = unit_at(self, self->raw_at);
    self->raw_at += 2;
    if (unit < 0xD800 || unit > 0xDFFF)
        return unit;
    uint32_t low = left >= 4 ? unit_at(self, self->raw_at) : 0;
    if (unit > 0xDBFF || low < 0xDC00 || low > 0xDFFF)
        return REPLACEMENT;
    self->raw_at += 2;
    return 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
}

static uint32_t next_character(struct encoding_reader *self)
{
    if (self->encoding == ENCODING_UTF16LE || self->encoding == ENCODING_UTF16BE)
        return next_utf16(self);
    uint32_t byte = self->raw[self->raw_at++];
    if (self->encoding == ENCODING_CP1252 && byte >= 0x80 && byte <= 0x9F)
        return cp1252_codes[byte - 0x80];
    return byte;
}

static enum err refill_raw(struct encoding_reader *self, struct fault *why)
{
    size_t kept = self->raw_len - self->raw_at, len;
    memmove(self->raw, self->raw + self->raw_at, kept);
    self->raw_at = 0;
    self->raw_len = kept;
    enum err err = read_at(self->fd, self->raw + kept, sizeof self->raw - kept, self->offset, &len, why);
    if (err != ERR_OK)
        return err;
    self->raw_len += len;
    self->offset += len;
    return ERR_OK;
}

static enum err read_transcoded(struct encoding_reader *self, char *into, size_t room, size_t *len, struct fault *why)
{
    *len = 0;
    if (self->raw_len - self->raw_at < 4) {
        enum err err = refill_raw(self, why);
        if (err != ERR_OK)
            return err;
    }
    bool ended = self->raw_len < 4;
    while (room - *len >= 4 && self->raw_len - self->raw_at >= (ended ? 1 : 4))
        *len += utf8_put(next_character(self), into + *len);
    return ERR_OK;
}

enum err encoding_read(struct encoding_reader *self, char *into, size_t room, size_t *len, struct fault *why)
{
    *len = 0;
    if (self->encoding > ENCODING_UTF8)
        return read_transcoded(self, into, room, len, why);
    enum err err = read_at(self->fd, into, room, self->offset, len, why);
    if (err != ERR_OK)
        return err;
    if (self->encoding == ENCODING_ASCII_SO_FAR) {
        size_t plain = ascii_prefix((const unsigned char *)into, *len);
        if (plain < *len && (err = decide(self, self->offset + plain, why)) != ERR_OK)
            return err;
        if (self->encoding > ENCODING_UTF8) {
            if (plain == 0)
                return read_transcoded(self, into, room, len, why);
            *len = plain;
        }
    }
    self->offset += *len;
    return ERR_OK;
}
