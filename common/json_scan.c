#include "json_scan.h"

#include "json_plain.h"
#include "utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of a number's digits so many decide whether it is beyond a double: DBL_MAX and the half step above it have 309. */
#define DIGITS_KEPT 400

struct scan {
    const char *start, *at, *end;
    uint32_t depth;
    enum err err;
    const char *reason; /* the first failure; its place is `at` */
};

/* A member list is wanted for the outermost object alone. */
static bool scan_value(struct scan *self, enum json_kind *kind);
static bool scan_members(struct scan *self, struct json_members *out);

static bool fail(struct scan *self, enum err err, const char *reason)
{
    if (self->err == ERR_OK) {
        self->err = err;
        self->reason = reason;
    }
    return false;
}

static bool invalid(struct scan *self, const char *reason)
{
    return fail(self, ERR_INVALID, reason);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static const char *behind_blanks(const char *at, const char *end)
{
    while (at < end && is_blank(*at))
        at++;
    return at;
}

static void skip_blanks(struct scan *self)
{
    self->at = behind_blanks(self->at, self->end);
}

static int peek(const struct scan *self)
{
    return self->at < self->end ? (unsigned char)*self->at : -1;
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static int hex_value(int c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The four digits behind \u; -1 when they are not there. */
static int scan_hex4(struct scan *self)
{
    int value = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex_value(peek(self));
        if (digit < 0)
            return -1;
        value = value << 4 | digit;
        self->at++;
    }
    return value;
}

static bool scan_unicode_escape(struct scan *self)
{
    int unit = scan_hex4(self);
    if (unit < 0)
        return invalid(self, "\\u needs four hexadecimal digits");
    if (unit == 0)
        return invalid(self, "\\u0000 is not allowed");
    if (unit < 0xD800 || unit > 0xDFFF)
        return true;
    bool low_follows = unit < 0xDC00 && self->end - self->at >= 6 && self->at[0] == '\\' && self->at[1] == 'u';
    if (!low_follows)
        return invalid(self, "half of a surrogate pair");
    self->at += 2;
    unit = scan_hex4(self);
    if (unit < 0xDC00 || unit > 0xDFFF)
        return invalid(self, "half of a surrogate pair");
    return true;
}

static bool scan_escape(struct scan *self)
{
    self->at++;
    int c = peek(self);
    if (c <= 0 || !strchr("\"\\/bfnrtu", c))
        return invalid(self, "unknown escape in a string");
    self->at++;
    return c != 'u' || scan_unicode_escape(self);
}

/* A byte that does not stand for itself, or the first one of a longer character. */
static bool scan_special(struct scan *self)
{
    unsigned char c = (unsigned char)*self->at;
    if (c == '\\')
        return scan_escape(self);
    if (c < 0x20)
        return invalid(self, "control character in a string");
    size_t step = utf8_sequence(self->at, (size_t)(self->end - self->at));
    self->at += step;
    return step > 0 || invalid(self, "not UTF-8");
}

static bool scan_string(struct scan *self)
{
    self->at = json_behind_plain(self->at + 1, self->end);
    while (self->at < self->end && *self->at != '"') {
        if (!scan_special(self))
            return false;
        self->at = json_behind_plain(self->at, self->end);
    }
    if (self->at == self->end)
        return invalid(self, "a string does not end");
    self->at++;
    return true;
}

static bool parse_int(const char *at, size_t len, int64_t *out)
{
    bool negative = len > 0 && *at == '-';
    uint64_t limit = (uint64_t)INT64_MAX + negative, value = 0;
    size_t i = negative;
    if (i == len)
        return false;
    for (; i < len; i++) {
        if (!is_digit(at[i]))
            return false;
        uint64_t digit = (uint64_t)(at[i] - '0');
        if (value > (limit - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *out = negative ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

/* The significant digits of a number. */
struct digits {
    char text[DIGITS_KEPT + 32]; /* with room for an exponent */
    size_t kept;
    long point; /* the number is 0.DDDD times ten to this power */
};

static void collect_digits(struct digits *out, const char *at, const char *end)
{
    bool behind_point = false;
    for (; at < end && *at != 'e' && *at != 'E'; at++) {
        if (*at == '.') {
            behind_point = true;
            continue;
        }
        if (out->kept == 0 && *at == '0') {
            out->point -= behind_point;
            continue;
        }
        out->point += !behind_point;
        if (out->kept < DIGITS_KEPT)
            out->text[out->kept++] = *at;
    }
}

/* Whether a real number is beyond what a double holds. Read without strtod() on the text itself, which is not
 * terminated, and without a decimal point, whose character depends on the locale. */
static bool overflows(const char *at, const char *end)
{
    struct digits digits = {.kept = 0};
    const char *exponent = at;
    while (exponent < end && *exponent != 'e' && *exponent != 'E')
        exponent++;
    collect_digits(&digits, at + (*at == '-'), exponent);
    if (digits.kept == 0)
        return false;
    int64_t power = 0;
    if (exponent < end) {
        const char *sign = exponent + 1;
        bool negative = *sign == '-';
        const char *first = sign + (*sign == '-' || *sign == '+');
        if (!parse_int(first, (size_t)(end - first), &power) || power > INT32_MAX)
            power = INT32_MAX;
        power = negative ? -power : power;
    }
    power += digits.point;
    if (power < 308 || power > 310)
        return power > 310;
    snprintf(digits.text + digits.kept, sizeof digits.text - digits.kept, "e%ld", (long)power - (long)digits.kept);
    return isinf(strtod(digits.text, NULL));
}

static bool scan_digits(struct scan *self)
{
    if (!is_digit(peek(self)))
        return invalid(self, "not a number");
    while (is_digit(peek(self)))
        self->at++;
    return true;
}

static bool scan_number(struct scan *self)
{
    const char *start = self->at;
    bool real = false;
    if (peek(self) == '-')
        self->at++;
    if (peek(self) == '0') {
        self->at++;
        if (is_digit(peek(self)))
            return invalid(self, "a number starts with 0");
    } else if (!scan_digits(self)) {
        return false;
    }
    if (peek(self) == '.') {
        real = true;
        self->at++;
        if (!scan_digits(self))
            return false;
    }
    if (peek(self) == 'e' || peek(self) == 'E') {
        real = true;
        self->at++;
        if (peek(self) == '+' || peek(self) == '-')
            self->at++;
        if (!scan_digits(self))
            return false;
    }
    int64_t ignored;
    bool fits = real ? !overflows(start, self->at) : parse_int(start, (size_t)(self->at - start), &ignored);
    return fits || invalid(self, "a number is out of range");
}

static bool scan_word(struct scan *self, const char *word)
{
    size_t len = strlen(word);
    if ((size_t)(self->end - self->at) < len || memcmp(self->at, word, len) != 0)
        return invalid(self, "not a JSON value");
    self->at += len;
    return true;
}

static bool deeper(struct scan *self)
{
    if (self->depth == JSON_SCAN_DEPTH_MAX)
        return fail(self, ERR_TOO_LARGE, "nested too deep");
    self->depth++;
    return true;
}

static bool scan_array(struct scan *self)
{
    if (!deeper(self))
        return false;
    self->at++;
    skip_blanks(self);
    bool more = peek(self) != ']';
    while (more) {
        enum json_kind ignored;
        skip_blanks(self);
        if (!scan_value(self, &ignored))
            return false;
        skip_blanks(self);
        more = peek(self) == ',';
        if (!more && peek(self) != ']')
            return invalid(self, "',' or ']' expected");
        self->at += more;
    }
    self->at++;
    self->depth--;
    return true;
}

static enum json_kind kind_of(int first)
{
    switch (first) {
    case '{': return JSON_KIND_OBJECT;
    case '[': return JSON_KIND_ARRAY;
    case '"': return JSON_KIND_STRING;
    case 't':
    case 'f': return JSON_KIND_TRUTH;
    case 'n': return JSON_KIND_NULL;
    default: return JSON_KIND_NUMBER;
    }
}

static bool scan_value(struct scan *self, enum json_kind *kind)
{
    *kind = kind_of(peek(self));
    switch (*kind) {
    case JSON_KIND_OBJECT: return scan_members(self, NULL);
    case JSON_KIND_ARRAY: return scan_array(self);
    case JSON_KIND_STRING: return scan_string(self);
    case JSON_KIND_TRUTH: return scan_word(self, *self->at == 't' ? "true" : "false");
    case JSON_KIND_NULL: return scan_word(self, "null");
    case JSON_KIND_NUMBER: return scan_number(self);
    }
    return false;
}

static bool scan_member(struct scan *self, struct json_member *out)
{
    if (peek(self) != '"')
        return invalid(self, "a member name expected");
    const char *start = self->at;
    if (!scan_string(self))
        return false;
    out->key = (struct json_span){start + 1, (size_t)(self->at - start) - 2};
    skip_blanks(self);
    if (peek(self) != ':')
        return invalid(self, "':' expected");
    self->at++;
    skip_blanks(self);
    start = self->at;
    if (!scan_value(self, &out->kind))
        return false;
    out->value = (struct json_span){start, (size_t)(self->at - start)};
    return true;
}

/* An object; its members are listed in out unless that is NULL. */
static bool scan_members(struct scan *self, struct json_members *out)
{
    if (!deeper(self))
        return false;
    self->at++;
    skip_blanks(self);
    bool more = peek(self) != '}';
    while (more) {
        struct json_member unlisted;
        if (out && out->count == JSON_SCAN_MEMBERS_MAX)
            return fail(self, ERR_TOO_LARGE, "too many members");
        skip_blanks(self);
        if (!scan_member(self, out ? &out->member[out->count] : &unlisted))
            return false;
        if (out)
            out->count++;
        skip_blanks(self);
        more = peek(self) == ',';
        if (!more && peek(self) != '}')
            return invalid(self, "',' or '}' expected");
        self->at += more;
    }
    self->at++;
    self->depth--;
    return true;
}

static enum err report(const struct scan *self, struct fault *why)
{
    size_t line = 1, column = 1;
    for (const char *at = self->start; at < self->at; at++) {
        column = *at == '\n' ? 1 : column + 1;
        line += *at == '\n';
    }
    return fault_set(why, self->err, "line %zu, column %zu: %s", line, column, self->reason);
}

enum err json_scan_object(const char *bytes, size_t len, struct json_members *out, struct fault *why)
{
    struct scan scan = {.start = bytes, .at = bytes, .end = bytes + len};
    if (out)
        out->count = 0;
    skip_blanks(&scan);
    if (peek(&scan) != '{')
        invalid(&scan, "an object expected");
    else if (scan_members(&scan, out)) {
        skip_blanks(&scan);
        if (scan.at < scan.end)
            invalid(&scan, "something follows the object");
    }
    return scan.err == ERR_OK ? ERR_OK : report(&scan, why);
}

const struct json_member *json_members_find(const struct json_members *self, const char *key)
{
    size_t len = strlen(key);
    for (uint32_t i = self->count; i > 0; i--) {
        const struct json_member *member = &self->member[i - 1];
        if (member->key.len == len && memcmp(member->key.at, key, len) == 0)
            return member;
    }
    return NULL;
}

bool json_member_plain_text(const struct json_member *member, char *out, size_t size)
{
    if (!member || member->kind != JSON_KIND_STRING)
        return false;
    size_t len = member->value.len - 2;
    const char *text = member->value.at + 1;
    if (len >= size || memchr(text, '\\', len))
        return false;
    memcpy(out, text, len);
    out[len] = '\0';
    return true;
}

bool json_member_int(const struct json_member *member, int64_t *out)
{
    return member && member->kind == JSON_KIND_NUMBER && parse_int(member->value.at, member->value.len, out);
}

/* ---- walking what has been checked ---- */

/* `at` is the opening quote. */
static const char *behind_string(const char *at, const char *end)
{
    at = json_behind_plain(at + 1, end);
    while (at < end && *at != '"')
        at = json_behind_plain(at + (*at == '\\' ? 2 : 1), end);
    return at + 1;
}

/* A word or a number. */
static const char *behind_scalar(const char *at, const char *end)
{
    while (at < end && *at != ',' && *at != ']' && *at != '}' && !is_blank(*at))
        at++;
    return at;
}

static const char *behind_container(const char *at, const char *end)
{
    static const signed char deeper_by[256] = {['{'] = 1, ['['] = 1, ['}'] = -1, [']'] = -1};
    int depth = 0;
    do {
        depth += deeper_by[(unsigned char)*at];
        at = *at == '"' ? behind_string(at, end) : at + 1;
    } while (depth > 0 && at < end);
    return at;
}

static const char *behind_value(const char *at, const char *end)
{
    switch (*at) {
    case '"': return behind_string(at, end);
    case '{':
    case '[': return behind_container(at, end);
    default: return behind_scalar(at, end);
    }
}

struct json_walk json_walk_begin(struct json_span container)
{
    const char *end = container.at + container.len, *at = behind_blanks(container.at, end);
    return (struct json_walk){.at = at + 1, .end = end, .keyed = *at == '{'};
}

bool json_walk_next(struct json_walk *self, struct json_member *out)
{
    const char *at = behind_blanks(self->at, self->end), *end = self->end;
    if (*at == ',')
        at = behind_blanks(at + 1, end);
    if (*at == ']' || *at == '}')
        return false;
    out->key = (struct json_span){at, 0};
    if (self->keyed) {
        const char *behind = behind_string(at, end);
        out->key = (struct json_span){at + 1, (size_t)(behind - at) - 2};
        at = behind_blanks(behind, end) + 1; /* the colon */
        at = behind_blanks(at, end);
    }
    out->kind = kind_of(*at);
    self->at = behind_value(at, end);
    out->value = (struct json_span){at, (size_t)(self->at - at)};
    return true;
}

static uint32_t take_hex4(const char **at)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++)
        value = value << 4 | (uint32_t)hex_value(*(*at)++);
    return value;
}

/* The character that the escape at *at stands for; *at moves behind it. */
static size_t resolve_escape(const char **at, char out[4])
{
    static const char names[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    char name = (*at)[1];
    *at += 2;
    if (name != 'u') {
        *out = meanings[strchr(names, name) - names];
        return 1;
    }
    uint32_t code = take_hex4(at);
    if (code >= 0xD800 && code <= 0xDBFF) {
        *at += 2; /* \u: the other half is there */
        code = 0x10000 + ((code - 0xD800) << 10) + (take_hex4(at) - 0xDC00);
    }
    return utf8_put(code, out);
}

/* Bytes up to an escape, or what the escape stands for; no bytes at the end. */
static struct json_span next_piece(const char **at, const char *end, char room[4])
{
    if (*at < end && **at == '\\')
        return (struct json_span){room, resolve_escape(at, room)};
    const char *from = *at, *escape = memchr(from, '\\', (size_t)(end - from));
    *at = escape ? escape : end;
    return (struct json_span){from, (size_t)(*at - from)};
}

bool json_key_is(const struct json_span *key, const char *name)
{
    size_t len = strlen(name);
    if (key->len <= len) /* escapes make a key longer than what they stand for */
        return key->len == len && memcmp(key->at, name, len) == 0;
    const char *at = key->at, *end = key->at + key->len;
    char room[4];
    while (at < end) {
        struct json_span piece = next_piece(&at, end, room);
        if (strncmp(name, piece.at, piece.len) != 0)
            return false;
        name += piece.len;
    }
    return *name == '\0';
}

size_t json_member_text(const struct json_member *member, char *out, size_t size)
{
    const char *at = member->value.at + 1, *end = member->value.at + member->value.len - 1;
    size_t len = 0, room = size - 1;
    char resolved[4];
    while (at < end) {
        struct json_span piece = next_piece(&at, end, resolved);
        if (len < room)
            memcpy(out + len, piece.at, piece.len < room - len ? piece.len : room - len);
        len += piece.len;
    }
    out[len < room ? len : room] = '\0';
    return len;
}

size_t json_compact(struct json_span value, char *out)
{
    const char *at = value.at, *end = value.at + value.len;
    char *to = out;
    while (at < end) {
        const char *from = at;
        if (*at == '"') {
            at = behind_string(at, end);
            memcpy(to, from, (size_t)(at - from));
            to += at - from;
        } else {
            *to = *at++;
            to += !is_blank(*to);
        }
    }
    return (size_t)(to - out);
}
