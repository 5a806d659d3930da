#define PCRE2_CODE_UNIT_WIDTH 8

#include "operations/normalize/python_pattern.h"

#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#define NO_GROUP        UINT32_MAX
#define GROUP_NAME_MAX  128
#define PARENS_NEST_MAX 200
#define PYTHON_ESCAPES  "AbBdDsSwWZafnrtvxuUpP" /* letters Python knows after a backslash, and our p and P */
#define OPTIONS         (PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C)

/* A stretch of the replacement: literal bytes, or what a group matched. */
struct piece {
    uint32_t group; /* NO_GROUP: literal */
    size_t at, len; /* in `literals` */
};

struct python_pattern {
    pcre2_code *code;
    pcre2_match_data *match;
    pcre2_match_context *limits;
    struct buf literals;
    struct piece *piece;
    size_t piece_count, piece_room;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_octal(char c)
{
    return c >= '0' && c <= '7';
}

static bool is_letter(char c)
{
    return (unsigned char)((c | 0x20) - 'a') < 26;
}

static bool is_hex(char c)
{
    return is_digit(c) || (unsigned char)((c | 0x20) - 'a') < 6;
}

/* --- the pattern --- */

/* A pattern on its way from Python to PCRE2. */
struct translation {
    const char *begin, *at, *end;
    bool in_class;
    struct buf out;
};

static enum err refuse(const struct translation *self, const char *what, struct fault *why)
{
    return fault_set(why, ERR_INVALID, "Invalid regular expression: %s at position %td", what, self->at - self->begin);
}

/* \uXXXX and \UXXXXXXXX: `digits` of them. */
static enum err take_code_point(struct translation *self, int digits, struct fault *why)
{
    const char *hex = self->at + 2;
    for (int i = 0; i < digits; i++)
        if (hex + i >= self->end || !is_hex(hex[i]))
            return refuse(self, "incomplete escape", why);
    self->at = hex + digits;
    return buf_printf(&self->out, "\\x{%.*s}", digits, hex);
}

static enum err take_escape(struct translation *self, struct fault *why)
{
    if (self->end - self->at < 2)
        return refuse(self, "bad escape (end of pattern)", why);
    char c = self->at[1];
    if (is_letter(c) && !strchr(PYTHON_ESCAPES, c))
        return refuse(self, "bad escape", why);
    if (c == 'u' || c == 'U')
        return take_code_point(self, c == 'u' ? 4 : 8, why);
    self->at += 2;
    if (c == 'Z' && !self->in_class)
        return buf_add_text(&self->out, "\\z");
    if (c == 'v')
        return buf_add_text(&self->out, "\\x0b");
    return buf_add(&self->out, self->at - 2, 2);
}

/* `[`, `[^`, and a `]` that comes first and is none of the brackets. */
static enum err open_class(struct translation *self)
{
    const char *start = self->at++;
    self->in_class = true;
    if (self->at < self->end && *self->at == '^')
        self->at++;
    enum err err = buf_add(&self->out, start, (size_t)(self->at - start));
    if (err == ERR_OK && self->at < self->end && *self->at == ']') {
        self->at++;
        err = buf_add_text(&self->out, "\\]");
    }
    return err;
}

static enum err take_in_class(struct translation *self)
{
    char c = *self->at++;
    if (c == ']')
        self->in_class = false;
    return c == '[' ? buf_add_text(&self->out, "\\[") : buf_add(&self->out, &c, 1);
}

/* {,n} is {0,n} in Python. */
static bool is_open_repeat(const struct translation *self)
{
    const char *at = self->at + 1;
    if (at >= self->end || *at++ != ',')
        return false;
    while (at < self->end && is_digit(*at))
        at++;
    return at < self->end && *at == '}';
}

static enum err take_plain(struct translation *self, struct fault *why)
{
    char c = *self->at;
    if (c == '[')
        return open_class(self);
    if (c == '(' && self->end - self->at > 1 && self->at[1] == '*') {
        self->at++;
        return refuse(self, "nothing to repeat", why);
    }
    bool open_repeat = c == '{' && is_open_repeat(self);
    self->at++;
    return open_repeat ? buf_add_text(&self->out, "{0") : buf_add(&self->out, &c, 1);
}

static enum err translate(struct translation *self, struct fault *why)
{
    enum err err = ERR_OK;
    while (self->at < self->end && err == ERR_OK) {
        if (*self->at == '\\')
            err = take_escape(self, why);
        else
            err = self->in_class ? take_in_class(self) : take_plain(self, why);
    }
    return err;
}

static enum err no_memory(struct fault *why)
{
    return fault_set(why, ERR_MEMORY, "Out of memory for a regular expression");
}

static enum err compile(struct python_pattern *self, const struct translation *from, struct fault *why)
{
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    if (!context)
        return no_memory(why);
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    pcre2_set_parens_nest_limit(context, PARENS_NEST_MAX);
    int number = 0;
    PCRE2_SIZE offset = 0;
    const char *text = from->out.data ? from->out.data : "";
    /* PCRE2 10.42 looks for the first character behind the place where a lookahead has already seen it, and then misses
     * what `(?=b)(a)?b` matches, unless it does not look for characters beforehand. */
    bool ahead = from->out.len > 0 && memmem(text, from->out.len, "(?=", 3);
    uint32_t options = OPTIONS | (ahead ? PCRE2_NO_START_OPTIMIZE : 0);
    self->code = pcre2_compile((PCRE2_SPTR)text, from->out.len, options, &number, &offset, context);
    pcre2_compile_context_free(context);
    if (self->code)
        return ERR_OK;
    PCRE2_UCHAR message[256] = "";
    pcre2_get_error_message(number, message, sizeof message);
    return fault_set(why, ERR_INVALID, "Invalid regular expression: %s at position %zu", (const char *)message, offset);
}

static enum err set_limits(struct python_pattern *self, struct fault *why)
{
    self->match = pcre2_match_data_create_from_pattern(self->code, NULL);
    self->limits = pcre2_match_context_create(NULL);
    if (!self->match || !self->limits)
        return no_memory(why);
    pcre2_set_match_limit(self->limits, PATTERN_MATCH_STEPS_MAX);
    pcre2_set_depth_limit(self->limits, PATTERN_DEPTH_MAX);
    pcre2_set_heap_limit(self->limits, PATTERN_HEAP_KIB_MAX);
    return ERR_OK;
}

/* --- the replacement --- */

static enum err add_piece(struct python_pattern *self, struct piece piece)
{
    if (self->piece_count == self->piece_room) {
        size_t room = self->piece_room ? self->piece_room * 2 : 8;
        struct piece *grown = realloc(self->piece, room * sizeof *grown);
        if (!grown)
            return ERR_MEMORY;
        self->piece = grown;
        self->piece_room = room;
    }
    self->piece[self->piece_count++] = piece;
    return ERR_OK;
}

/* Joins the last literal piece, if there is one. */
static enum err add_literal(struct python_pattern *self, const char *bytes, size_t len)
{
    struct piece *last = self->piece_count > 0 ? &self->piece[self->piece_count - 1] : NULL;
    size_t at = self->literals.len;
    enum err err = buf_add(&self->literals, bytes, len);
    if (err != ERR_OK)
        return err;
    if (last && last->group == NO_GROUP) {
        last->len += len;
        return ERR_OK;
    }
    return add_piece(self, (struct piece){.group = NO_GROUP, .at = at, .len = len});
}

static uint32_t group_count(const struct python_pattern *self)
{
    uint32_t count = 0;
    pcre2_pattern_info(self->code, PCRE2_INFO_CAPTURECOUNT, &count);
    return count;
}

static enum err add_group(struct python_pattern *self, uint32_t group, struct fault *why)
{
    if (group > group_count(self))
        return fault_set(why, ERR_INVALID, "Invalid replacement: invalid group reference %u", group);
    return add_piece(self, (struct piece){.group = group});
}

/* Octal escapes stand for characters U+0000 to U+00FF. */
static enum err add_character(struct python_pattern *self, unsigned code, struct fault *why)
{
    if (code > 0xff)
        return fault_set(why, ERR_INVALID, "Invalid replacement: octal escape value outside of range 0-0o377");
    char bytes[2] = {(char)code, 0};
    if (code < 0x80)
        return add_literal(self, bytes, 1);
    bytes[0] = (char)(0xc0 | code >> 6);
    bytes[1] = (char)(0x80 | (code & 0x3f));
    return add_literal(self, bytes, 2);
}

/* A replacement being read; `at` is behind the backslash. */
struct template
{
    const char *at, *end;
};

static unsigned take_octal(struct template *from, int digits_max)
{
    unsigned code = 0;
    for (int i = 0; i < digits_max && from->at < from->end && is_octal(*from->at); i++)
        code = code * 8 + (unsigned)(*from->at++ - '0');
    return code;
}

/* \0 and up to two octal digits, three octal digits, or a group of one or two digits. */
static enum err take_number(struct python_pattern *self, struct template *from, struct fault *why)
{
    size_t left = (size_t)(from->end - from->at);
    const char *at = from->at;
    if (*at == '0' || (left >= 3 && is_octal(at[0]) && is_octal(at[1]) && is_octal(at[2])))
        return add_character(self, take_octal(from, 3), why);
    uint32_t group = (uint32_t)(*from->at++ - '0');
    if (from->at < from->end && is_digit(*from->at))
        group = group * 10 + (uint32_t)(*from->at++ - '0');
    return add_group(self, group, why);
}

static bool is_number(const char *name)
{
    return name[0] != '\0' && name[strspn(name, "0123456789")] == '\0' && strlen(name) < 9;
}

static enum err take_named(struct python_pattern *self, struct template *from, struct fault *why)
{
    char name[GROUP_NAME_MAX];
    const char *start = from->at + 2,
               *close = start < from->end ? memchr(start, '>', (size_t)(from->end - start)) : NULL;
    if (from->end - from->at < 2 || from->at[1] != '<' || !close)
        return fault_set(why, ERR_INVALID, "Invalid replacement: \\g must be followed by <group>");
    size_t len = (size_t)(close - start);
    if (len == 0 || len >= sizeof name || memchr(start, '\0', len))
        return fault_set(why, ERR_INVALID, "Invalid replacement: bad group name");
    memcpy(name, start, len);
    name[len] = '\0';
    from->at = close + 1;
    if (is_number(name))
        return add_group(self, (uint32_t)strtoul(name, NULL, 10), why);
    int group = pcre2_substring_number_from_name(self->code, (PCRE2_SPTR)name);
    if (group < 0)
        return fault_set(why, ERR_INVALID, "Invalid replacement: unknown group name '%s'", name);
    return add_group(self, (uint32_t)group, why);
}

static enum err take_replacement_escape(struct python_pattern *self, struct template *from, struct fault *why)
{
    static const char letters[] = "abfnrtv\\", meanings[] = "\a\b\f\n\r\t\v\\";
    if (from->at == from->end)
        return fault_set(why, ERR_INVALID, "Invalid replacement: bad escape (end of pattern)");
    char c = *from->at;
    if (is_digit(c))
        return take_number(self, from, why);
    if (c == 'g')
        return take_named(self, from, why);
    const char *letter = c ? strchr(letters, c) : NULL;
    if (is_letter(c) && !letter)
        return fault_set(why, ERR_INVALID, "Invalid replacement: bad escape \\%c", c);
    from->at++;
    if (letter)
        return add_literal(self, &meanings[letter - letters], 1);
    return add_literal(self, from->at - 2, 2);
}

static enum err read_replacement(struct python_pattern *self, const char *text, size_t len, struct fault *why)
{
    struct template from = {.at = text, .end = text + len};
    enum err err = ERR_OK;
    while (from.at < from.end && err == ERR_OK) {
        const char *escape = memchr(from.at, '\\', (size_t)(from.end - from.at));
        const char *stop = escape ? escape : from.end;
        if (stop > from.at)
            err = add_literal(self, from.at, (size_t)(stop - from.at));
        from.at = stop;
        if (err == ERR_OK && escape) {
            from.at++;
            err = take_replacement_escape(self, &from, why);
        }
    }
    return err;
}

enum err python_pattern_new(struct python_pattern **out, const char *pattern, size_t pattern_len,
                            const char *replacement, size_t replacement_len, struct fault *why)
{
    *out = NULL;
    if (pattern_len > PATTERN_BYTES_MAX || replacement_len > PATTERN_BYTES_MAX)
        return fault_set(why, ERR_TOO_LARGE, "A regular expression or its replacement is longer than %d bytes",
                         PATTERN_BYTES_MAX);
    struct python_pattern *self = calloc(1, sizeof *self);
    if (!self)
        return no_memory(why);
    self->literals = BUF_INIT(PATTERN_BYTES_MAX * 2);
    struct translation from = {.begin = pattern, .at = pattern, .end = pattern + pattern_len};
    from.out = BUF_INIT(PATTERN_BYTES_MAX * 4);
    struct fault own = {.code = ERR_OK};
    enum err err = translate(&from, &own);
    if (err == ERR_OK)
        err = compile(self, &from, &own);
    if (err == ERR_OK)
        err = set_limits(self, &own);
    if (err == ERR_OK)
        err = read_replacement(self, replacement, replacement_len, &own);
    buf_fini(&from.out);
    if (err != ERR_OK) {
        python_pattern_destroy(&self);
        return own.code == err ? fault_set(why, err, "%s", own.text) : no_memory(why);
    }
    *out = self;
    return ERR_OK;
}

void python_pattern_destroy(struct python_pattern **self_p)
{
    struct python_pattern *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    pcre2_match_context_free(self->limits);
    pcre2_match_data_free(self->match);
    pcre2_code_free(self->code);
    buf_fini(&self->literals);
    free(self->piece);
    free(self);
}

/* --- matching --- */

static enum err explain(int number, struct fault *why)
{
    switch (number) {
    case PCRE2_ERROR_MATCHLIMIT:
        return fault_set(why, ERR_TOO_LARGE, "the regular expression needs more than %d steps for this cell",
                         PATTERN_MATCH_STEPS_MAX);
    case PCRE2_ERROR_DEPTHLIMIT:
        return fault_set(why, ERR_TOO_LARGE, "the regular expression nests deeper than %d choices in this cell",
                         PATTERN_DEPTH_MAX);
    case PCRE2_ERROR_HEAPLIMIT:
        return fault_set(why, ERR_TOO_LARGE, "the regular expression needs more than %d KiB for this cell",
                         PATTERN_HEAP_KIB_MAX);
    case PCRE2_ERROR_NOMEMORY: return fault_set(why, ERR_MEMORY, "out of memory for the regular expression");
    }
    PCRE2_UCHAR message[256] = "";
    pcre2_get_error_message(number, message, sizeof message);
    return fault_set(why, ERR_INVALID, "the regular expression fails: %s", (const char *)message);
}

static enum err add_replacement(const struct python_pattern *self, const char *text, struct buf *to)
{
    const PCRE2_SIZE *bounds = pcre2_get_ovector_pointer(self->match);
    enum err err = ERR_OK;
    for (size_t i = 0; i < self->piece_count && err == ERR_OK; i++) {
        const struct piece *piece = &self->piece[i];
        if (piece->group == NO_GROUP) {
            err = buf_add(to, self->literals.data + piece->at, piece->len);
            continue;
        }
        PCRE2_SIZE start = bounds[2 * piece->group], end = bounds[2 * piece->group + 1];
        if (start != PCRE2_UNSET && end > start)
            err = buf_add(to, text + start, end - start);
    }
    return err;
}

/* The text's encoding is checked by the first match; those after it need not look again. */
enum err python_pattern_replace(struct python_pattern *self, const char *text, size_t len, struct buf *to,
                                struct fault *why)
{
    const PCRE2_SIZE *bounds = pcre2_get_ovector_pointer(self->match);
    size_t copied = 0;
    uint32_t options = 0;
    enum err err = ERR_OK;
    for (;;) {
        int found = pcre2_match(self->code, (PCRE2_SPTR)text, len, copied, options, self->match, self->limits);
        if (found == PCRE2_ERROR_NOMATCH)
            break;
        if (found < 0)
            return explain(found, why);
        if (bounds[0] < copied || bounds[1] < bounds[0])
            return fault_set(why, ERR_INVALID, "the regular expression matches backwards");
        err = buf_add(to, text + copied, bounds[0] - copied);
        if (err == ERR_OK)
            err = add_replacement(self, text, to);
        if (err != ERR_OK)
            return err;
        copied = bounds[1];
        options = PCRE2_NO_UTF_CHECK | (bounds[0] == bounds[1] ? PCRE2_NOTEMPTY_ATSTART : 0);
    }
    return buf_add(to, text + copied, len - copied);
}
