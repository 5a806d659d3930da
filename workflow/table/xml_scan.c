#include "table/xml_scan.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistr.h>

#define REFERENCE_BYTES_MAX 12 /* "&#x10FFFF;" and some zeros: a text is never cut inside of one */

static enum err malformed(const struct xml_scan *self, struct fault *why, const char *what)
{
    return fault_set(why, ERR_INVALID, "not well-formed XML at byte %llu: %s",
                     (unsigned long long)(self->offset + self->pos), what);
}

static enum err malformed_text(const struct xml_scan *self, const char *at, struct fault *why, const char *what)
{
    return fault_set(why, ERR_INVALID, "not well-formed XML at byte %llu: %s",
                     (unsigned long long)(self->offset + (uint64_t)(at - self->window)), what);
}

enum err xml_scan_init(struct xml_scan *self,
                       enum err (*read)(void *from, void *to, size_t room, size_t *len, struct fault *why), void *from,
                       size_t window_bytes, struct fault *why)
{
    memset(self, 0, sizeof *self);
    self->read = read;
    self->from = from;
    self->room = window_bytes > XML_WINDOW_BYTES_MIN ? window_bytes : XML_WINDOW_BYTES_MIN;
    self->window = malloc(self->room + 2); /* a tag cut off at the end is looked at that far */
    return self->window ? ERR_OK : fault_set(why, ERR_MEMORY, "Out of memory");
}

enum err xml_scan_clone(struct xml_scan *out, const struct xml_scan *self, void *from_copy, struct fault *why)
{
    *out = *self;
    out->from = from_copy;
    out->window = malloc(self->room + 2);
    if (!out->window)
        return fault_set(why, ERR_MEMORY, "Out of memory");
    memcpy(out->window, self->window, self->end);
    return ERR_OK;
}

void xml_scan_fini(struct xml_scan *self)
{
    free(self->window);
    self->window = NULL;
}

/* More bytes behind what is not scanned yet, which moves to the window's start. *grew is false when there are none or
 * no room for them. */
static enum err fill(struct xml_scan *self, bool *grew, struct fault *why)
{
    *grew = false;
    if (self->at_end)
        return ERR_OK;
    if (self->pos > 0) {
        memmove(self->window, self->window + self->pos, self->end - self->pos);
        self->offset += self->pos;
        self->end -= self->pos;
        self->pos = 0;
    }
    while (self->end < self->room) {
        size_t len;
        enum err err = self->read(self->from, self->window + self->end, self->room - self->end, &len, why);
        if (err != ERR_OK)
            return err;
        self->at_end = len == 0;
        if (self->at_end)
            break;
        self->end += len;
        *grew = true;
    }
    return ERR_OK;
}

enum { IS_SPACE = 1, ENDS_NAME = 2 };

static const unsigned char classes[256] = {
    [' '] = IS_SPACE | ENDS_NAME,
    ['\n'] = IS_SPACE | ENDS_NAME,
    ['\t'] = IS_SPACE | ENDS_NAME,
    ['\r'] = IS_SPACE | ENDS_NAME,
    ['/'] = ENDS_NAME,
    ['>'] = ENDS_NAME,
    ['='] = ENDS_NAME,
};

static bool is_space(char c)
{
    return classes[(unsigned char)c] & IS_SPACE;
}

/* A name from `start` on: sets it without its prefix, and the hash of all of it. Returns its end, `stop` if there is
 * none. */
static const char *scan_name(struct xml_scan *self, const char *start, const char *stop, uint32_t *hash)
{
    const char *at = start;
    self->name = start;
    *hash = 2166136261u;
    for (; at < stop && !(classes[(unsigned char)*at] & ENDS_NAME); at++) {
        *hash = (*hash ^ (unsigned char)*at) * 16777619u;
        if (*at == ':')
            self->name = at + 1;
    }
    self->name_len = (uint32_t)(at - self->name);
    return at;
}

enum scanned { SCANNED, NEEDS_MORE, IS_BAD, IS_TOO_DEEP };

/* One attribute at *at, which stands at its name. */
static enum scanned scan_attribute(struct xml_scan *self, const char **at, const char *stop)
{
    const char *p = *at, *name = p;
    while (p < stop && !(classes[(unsigned char)*p] & ENDS_NAME)) {
        if (*p == ':')
            name = p + 1;
        p++;
    }
    size_t name_len = (size_t)(p - name);
    if (p == *at && p < stop)
        return IS_BAD;
    while (p < stop && is_space(*p))
        p++;
    if (p < stop && *p != '=')
        return IS_BAD;
    p++;
    while (p < stop && is_space(*p))
        p++;
    if (p >= stop)
        return NEEDS_MORE;
    char quote = *p++;
    if (quote != '"' && quote != '\'')
        return IS_BAD;
    const char *value = p;
    while (p < stop && *p != quote)
        p++;
    if (p >= stop)
        return NEEDS_MORE;
    if (self->attribute_count == XML_ATTRIBUTES_MAX)
        return IS_BAD;
    self->attribute[self->attribute_count++] = (struct xml_attribute){
        .name = name, .name_len = (uint32_t)name_len, .value = value, .value_len = (uint32_t)(p - value)};
    *at = p + 1;
    return SCANNED;
}

/* A start tag at window[pos]. */
static enum scanned scan_open(struct xml_scan *self)
{
    const char *name = self->window + self->pos + 1, *stop = self->window + self->end;
    uint32_t hash;
    const char *p = scan_name(self, name, stop, &hash);
    if (p >= stop)
        return NEEDS_MORE;
    if (p == name || *p == '=' || (self->depth == 0 && self->root_seen))
        return IS_BAD;
    if (self->depth == XML_DEPTH_MAX)
        return IS_TOO_DEEP;
    self->attribute_count = 0;
    for (;;) {
        while (p < stop && is_space(*p))
            p++;
        if (p >= stop || (*p == '/' && p + 1 >= stop))
            return NEEDS_MORE;
        if (*p == '>' || *p == '/')
            break;
        enum scanned scanned = scan_attribute(self, &p, stop);
        if (scanned != SCANNED)
            return scanned;
    }
    self->close_next = *p == '/';
    if (self->close_next && p[1] != '>')
        return IS_BAD;
    self->open[self->depth++] = hash;
    self->root_seen = true;
    self->pos = (size_t)(p - self->window) + 1 + self->close_next;
    return SCANNED;
}

static enum scanned scan_close(struct xml_scan *self)
{
    const char *name = self->window + self->pos + 2, *stop = self->window + self->end;
    uint32_t hash;
    const char *p = scan_name(self, name, stop, &hash);
    while (p < stop && is_space(*p))
        p++;
    if (p >= stop)
        return NEEDS_MORE;
    if (*p != '>' || self->depth == 0 || hash != self->open[self->depth - 1])
        return IS_BAD;
    self->depth--;
    self->pos = (size_t)(p - self->window) + 1;
    return SCANNED;
}

static bool starts_with(const struct xml_scan *self, const char *text, size_t len)
{
    return self->end - self->pos >= len && memcmp(self->window + self->pos, text, len) == 0;
}

/* Skips to behind `mark`, over any number of blocks. */
static enum err skip_to(struct xml_scan *self, const char *mark, struct fault *why)
{
    size_t len = strlen(mark);
    for (;;) {
        const char *found = memmem(self->window + self->pos, self->end - self->pos, mark, len);
        if (found) {
            self->pos = (size_t)(found - self->window) + len;
            return ERR_OK;
        }
        if (self->end - self->pos >= len)
            self->pos = self->end - len + 1;
        bool grew;
        enum err err = fill(self, &grew, why);
        if (err != ERR_OK)
            return err;
        if (!grew)
            return malformed(self, why, "a comment or instruction has no end");
    }
}

/* <?xml ... encoding="..."?>: anything but UTF-8 (or its subset ASCII) would be read wrong. */
static enum err check_declaration(struct xml_scan *self, struct fault *why)
{
    const char *start = self->window + self->pos, *stop = memchr(start, '>', self->end - self->pos);
    const char *encoding = stop ? memmem(start, (size_t)(stop - start), "encoding", 8) : NULL;
    if (!encoding)
        return ERR_OK;
    const char *p = encoding + 8;
    while (p < stop && (is_space(*p) || *p == '=' || *p == '"' || *p == '\''))
        p++;
    size_t left = (size_t)(stop - p);
    if ((left >= 5 && strncasecmp(p, "utf-8", 5) == 0) || (left >= 8 && strncasecmp(p, "us-ascii", 8) == 0))
        return ERR_OK;
    return fault_set(why, ERR_UNSUPPORTED, "the part is not encoded in UTF-8");
}

/* What begins with "<!" or "<?". *is_text: it was the start of a CDATA section, of which pos stands at the content. */
static enum err scan_special(struct xml_scan *self, bool *is_text, struct fault *why)
{
    *is_text = false;
    if (starts_with(self, "<?", 2)) {
        bool declares = self->offset + self->pos <= 3 && starts_with(self, "<?xml", 5) && self->end - self->pos > 5 &&
                        is_space(self->window[self->pos + 5]);
        enum err err = declares ? check_declaration(self, why) : ERR_OK;
        return err == ERR_OK ? skip_to(self, "?>", why) : err;
    }
    if (starts_with(self, "<!--", 4)) {
        self->pos += 4;
        return skip_to(self, "-->", why);
    }
    if (starts_with(self, "<![CDATA[", 9) && self->depth > 0) {
        self->pos += 9;
        self->in_cdata = *is_text = true;
        return ERR_OK;
    }
    if (starts_with(self, "<!DOCTYPE", 9))
        return fault_set(why, ERR_INVALID, "a document type declaration (DTD) is not allowed");
    return malformed(self, why, "unknown markup");
}

/* Where a text may be cut that goes on beyond the window: not inside a character, a reference, a CR LF pair or "]]>".
 */
static size_t safe_cut(const char *text, size_t len)
{
    size_t cut = len;
    for (size_t back = 1; back <= REFERENCE_BYTES_MAX && back < len; back++)
        if (text[len - back] == '&')
            cut = len - back;
    if (cut == len) {
        while (cut > 1 && len - cut < 3 && ((unsigned char)text[cut - 1] & 0xC0) == 0x80)
            cut--;
        cut -= cut > 1 && (unsigned char)text[cut - 1] >= 0xC0;
    }
    while (cut > 1 && (text[cut - 1] == '\r' || text[cut - 1] == ']'))
        cut--;
    return cut;
}

/* Text up to `mark` or, when it is longer than the window, a piece of it. *ended: the mark was reached. */
static enum err take_text(struct xml_scan *self, const char *mark, bool *ended, struct fault *why)
{
    size_t mark_len = strlen(mark);
    for (;;) {
        const char *start = self->window + self->pos;
        size_t left = self->end - self->pos;
        const char *found = mark_len == 1 ? memchr(start, *mark, left) : memmem(start, left, mark, mark_len);
        bool grew = false;
        if (!found) {
            enum err err = fill(self, &grew, why);
            if (err != ERR_OK)
                return err;
        }
        if (grew)
            continue;
        start = self->window + self->pos;
        *ended = found || self->at_end;
        self->text = start;
        self->text_len = found ? (size_t)(found - start) : self->end - self->pos;
        if (!*ended)
            self->text_len = safe_cut(start, self->text_len);
        self->pos += self->text_len;
        return ERR_OK;
    }
}

static enum err next_text(struct xml_scan *self, struct fault *why)
{
    bool ended;
    self->cdata = self->in_cdata;
    enum err err = take_text(self, self->cdata ? "]]>" : "<", &ended, why);
    if (err != ERR_OK || !self->cdata || !ended)
        return err;
    if (!starts_with(self, "]]>", 3))
        return malformed(self, why, "a CDATA section has no end");
    self->pos += 3;
    self->in_cdata = false;
    return ERR_OK;
}

/* Between the elements outside the root there may only be blanks. */
static enum err check_outside(struct xml_scan *self, struct fault *why)
{
    for (size_t i = 0; i < self->text_len; i++)
        if (!is_space(self->text[i]))
            return malformed(self, why, "text outside the root element");
    return ERR_OK;
}

static enum err scan_tag(struct xml_scan *self, enum xml_token *token, struct fault *why)
{
    for (;;) {
        bool closes = self->end - self->pos >= 2 && self->window[self->pos + 1] == '/';
        enum scanned scanned = self->end - self->pos < 2 ? NEEDS_MORE : closes ? scan_close(self) : scan_open(self);
        bool grew = false;
        if (scanned == SCANNED) {
            *token = closes ? XML_CLOSE : XML_OPEN;
            return ERR_OK;
        }
        if (scanned == NEEDS_MORE) {
            enum err err = fill(self, &grew, why);
            if (err != ERR_OK)
                return err;
        }
        if (scanned == IS_TOO_DEEP)
            return fault_set(why, ERR_INVALID, "elements are nested too deeply");
        if (!grew)
            return malformed(self, why, scanned == IS_BAD ? "a wrong tag" : "a tag has no end or is too long");
    }
}

/* Makes sure that at least the longest fixed mark ("<![CDATA[") is in the window. */
static enum err look_ahead(struct xml_scan *self, struct fault *why)
{
    bool grew;
    return self->end - self->pos >= 9 ? ERR_OK : fill(self, &grew, why);
}

static enum err skip_byte_order_mark(struct xml_scan *self, struct fault *why)
{
    if (starts_with(self, "\xFF\xFE", 2) || starts_with(self, "\xFE\xFF", 2))
        return fault_set(why, ERR_UNSUPPORTED, "the part is not encoded in UTF-8");
    if (starts_with(self, "\xEF\xBB\xBF", 3))
        self->pos += 3;
    return ERR_OK;
}

enum err xml_scan_next(struct xml_scan *self, enum xml_token *token, struct fault *why)
{
    if (self->close_next) { /* name still is the empty element's */
        self->close_next = false;
        self->depth--;
        *token = XML_CLOSE;
        return ERR_OK;
    }
    for (;;) {
        enum err err = look_ahead(self, why);
        if (err == ERR_OK && self->offset + self->pos == 0)
            err = skip_byte_order_mark(self, why);
        if (err != ERR_OK)
            return err;
        if (self->pos == self->end) {
            *token = XML_END;
            return self->depth == 0 && self->root_seen ? ERR_OK : malformed(self, why, "it ends too early");
        }
        bool is_text = self->in_cdata || self->window[self->pos] != '<';
        if (!is_text) {
            char second = self->end - self->pos > 1 ? self->window[self->pos + 1] : '\0';
            if (second != '!' && second != '?')
                return scan_tag(self, token, why);
            err = scan_special(self, &is_text, why);
            if (err != ERR_OK)
                return err;
        }
        if (!is_text)
            continue;
        err = next_text(self, why);
        if (err != ERR_OK)
            return err;
        if (self->depth > 0) {
            *token = XML_TEXT;
            return ERR_OK;
        }
        err = check_outside(self, why);
        if (err != ERR_OK)
            return err;
    }
}

const char *xml_scan_ahead(const struct xml_scan *self, size_t *len)
{
    *len = self->close_next || self->in_cdata ? 0 : self->end - self->pos;
    return self->window + self->pos;
}

void xml_scan_take(struct xml_scan *self, const char *text, size_t len, const char *next)
{
    self->text = text;
    self->text_len = len;
    self->cdata = false;
    self->pos = (size_t)(next - self->window);
}

bool xml_scan_leaf(struct xml_scan *self, const char *name, size_t len)
{
    size_t left;
    const char *at = xml_scan_ahead(self, &left), *stop = at + left;
    if (left < 2 * len + 5 || at[0] != '<' || at[len + 1] != '>' || !xml_scan_same(at + 1, name, len))
        return false;
    const char *text = at + len + 2;
    const char *end = memchr(text, '<', (size_t)(stop - text));
    if (!end || (size_t)(stop - end) < len + 3 || end[1] != '/' || end[len + 2] != '>' ||
        !xml_scan_same(end + 2, name, len))
        return false;
    xml_scan_take(self, text, (size_t)(end - text), end + len + 3);
    return true;
}

enum err xml_scan_want_root(const struct xml_scan *self, const char *name, struct fault *why)
{
    if (xml_scan_is(self, name, strlen(name)))
        return ERR_OK;
    return fault_set(why, ERR_INVALID, "the part is no <%s> but a <%.*s>", name,
                     self->name_len < 40 ? (int)self->name_len : 40, self->name);
}

enum err xml_scan_skip(struct xml_scan *self, struct fault *why)
{
    uint32_t outside = self->depth - 1;
    enum err err = ERR_OK;
    while (err == ERR_OK && self->depth > outside) {
        enum xml_token token;
        err = xml_scan_next(self, &token, why);
    }
    return err;
}

static bool is_xml_character(uint32_t c)
{
    return c == '\t' || c == '\n' || c == '\r' || (c >= 0x20 && c <= 0xD7FF) || (c >= 0xE000 && c <= 0xFFFD) ||
           (c >= 0x10000 && c <= 0x10FFFF);
}

/* "#38" or "#x26": the number's character, or 0. */
static uint32_t character_of(const char *digits, size_t len)
{
    uint32_t base = 10, value = 0;
    if (len > 1 && *digits == 'x') {
        base = 16;
        digits++;
        len--;
    }
    for (size_t i = 0; i < len; i++) {
        char c = digits[i];
        uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a') + 10
                         : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A') + 10
                                                : 99;
        if (digit >= base || value > 0x10FFFF)
            return 0;
        value = value * base + digit;
    }
    return is_xml_character(value) ? value : 0;
}

static uint32_t reference_of(const char *name, size_t len)
{
    static const struct {
        const char *name;
        char means;
    } known[] = {{"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}};
    if (len > 1 && *name == '#')
        return character_of(name + 1, len - 1);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strlen(known[i].name) == len && memcmp(known[i].name, name, len) == 0)
            return (uint32_t)known[i].means;
    return 0;
}

/* The bytes from `at` on that stay as they are: printable ASCII but '&', eight at a time. Copies them. */
static size_t copy_plain(const char *at, size_t len, char *out)
{
    const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
    size_t done = 0;
    while (len - done >= 8) {
        uint64_t word, ampersand;
        memcpy(&word, at + done, 8);
        ampersand = word ^ (ones * '&');
        if ((word | (word - ones * 0x20) | ((ampersand - ones) & ~ampersand)) & tops)
            break;
        memcpy(out + done, &word, 8);
        done += 8;
    }
    return done;
}

enum err xml_scan_text(const struct xml_scan *self, char *out, size_t *len, struct fault *why)
{
    const char *at = self->text, *stop = at + self->text_len;
    char *to = out;
    bool ascii = true;
    while (at < stop) {
        if (stop - at >= 8) {
            size_t plain = copy_plain(at, (size_t)(stop - at), to);
            at += plain;
            to += plain;
            if (at == stop)
                break;
        }
        unsigned char c = (unsigned char)*at++;
        if (c >= 0x20 && c < 0x80 && c != '&') {
            *to++ = (char)c;
            continue;
        }
        if (c == '&' && !self->cdata) {
            const char *semicolon = memchr(at, ';', (size_t)(stop - at));
            uint32_t character = semicolon ? reference_of(at, (size_t)(semicolon - at)) : 0;
            if (character == 0)
                return malformed_text(self, at - 1, why, "an unknown entity or a wrong character reference");
            int bytes = u8_uctomb((uint8_t *)to, character, 4); /* a reference is never shorter than its character */
            to += bytes;
            at = semicolon + 1;
            continue;
        }
        if (c < 0x20 && !is_xml_character(c))
            return malformed_text(self, at - 1, why, "a control character");
        if (c == '\r') {
            at += at < stop && *at == '\n';
            c = '\n';
        }
        ascii = ascii && c < 0x80;
        *to++ = (char)c;
    }
    *len = (size_t)(to - out);
    if (!ascii && u8_check((const uint8_t *)out, *len))
        return malformed_text(self, self->text, why, "it is not valid UTF-8");
    return ERR_OK;
}
