#include "table/xlsx_text.h"

#include <string.h>
#include <unistr.h>

#define ESCAPE_BYTES 7 /* "_x0041_" */
#define KEPT_ESCAPE  0x0D

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* true: an escape begins at text; *unit is its UTF-16 unit. */
static bool escape_at(const char *text, size_t len, uint32_t *unit)
{
    if (len < ESCAPE_BYTES || text[0] != '_' || text[1] != 'x' || text[6] != '_')
        return false;
    *unit = 0;
    for (size_t i = 2; i < 6; i++) {
        int digit = hex_digit(text[i]);
        if (digit < 0)
            return false;
        *unit = *unit * 16 + (uint32_t)digit;
    }
    return true;
}

/* The character that the escapes at text stand for (two of them for a surrogate pair) and their length, or 0: none that
 * is to be replaced. U+0000 stays escaped: a text with it could not be handed to anybody. */
static size_t decode_escape(const char *text, size_t len, uint32_t *character)
{
    uint32_t low;
    if (!escape_at(text, len, character) || *character == KEPT_ESCAPE || *character == 0)
        return 0;
    if (*character < 0xD800 || *character > 0xDFFF)
        return ESCAPE_BYTES;
    if (*character > 0xDBFF || !escape_at(text + ESCAPE_BYTES, len - ESCAPE_BYTES, &low) || low < 0xDC00 ||
        low > 0xDFFF)
        return 0;
    *character = 0x10000 + ((*character - 0xD800) << 10) + (low - 0xDC00);
    return 2 * (size_t)ESCAPE_BYTES;
}

size_t xlsx_text_unescape(char *text, size_t len)
{
    char *found = len >= ESCAPE_BYTES ? memchr(text, '_', len) : NULL;
    if (!found)
        return len;
    const char *at = found, *stop = text + len;
    char *to = found;
    while (at < stop) {
        uint32_t character;
        size_t used = *at == '_' ? decode_escape(at, (size_t)(stop - at), &character) : 0;
        if (used == 0) {
            *to++ = *at++;
            continue;
        }
        to += u8_uctomb((uint8_t *)to, character, 4); /* at most 4 bytes for 7 */
        at += used;
    }
    return (size_t)(to - text);
}

/* What stands for an ASCII character in XML, or NULL: itself. */
static const char *entity_of(unsigned char c)
{
    switch (c) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '"': return "&quot;";
    case '\r': return "&#13;";
    default: return NULL;
    }
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7F && c != '&' && c != '<' && c != '>' && c != '"' && c != '_';
}

bool xlsx_text_is_plain(const char *text, size_t len)
{
    bool blanks = false;
    for (size_t i = 0; i < len; i++) {
        if (!is_plain((unsigned char)text[i]))
            return false;
        blanks |= text[i] == ' ';
    }
    return !blanks || !xlsx_text_needs_preserve(text, len);
}

/* One character that is not plain, at text. *used: its bytes. */
static enum err escape_one(struct buf *to, const char *text, size_t len, size_t *used)
{
    uint32_t unit;
    unsigned char c = (unsigned char)*text;
    const char *entity = entity_of(c);
    *used = 1;
    if (entity)
        return buf_add_text(to, entity);
    if (c == '_')
        return buf_add_text(to, escape_at(text, len, &unit) && unit != KEPT_ESCAPE ? "_x005F_" : "_");
    if (c == '\t' || c == '\n' || c == 0x7F)
        return buf_add_byte(to, c);
    if (c < 0x20)
        return buf_printf(to, "_x%04X_", c);
    ucs4_t character;
    int bytes = u8_mbtoucr(&character, (const uint8_t *)text, len);
    if (bytes <= 0)
        return buf_add_text(to, "\xEF\xBF\xBD");
    *used = (size_t)bytes;
    return character == 0xFFFE || character == 0xFFFF ? buf_printf(to, "_x%04X_", character)
                                                      : buf_add(to, text, (size_t)bytes);
}

enum err xlsx_text_escape(struct buf *to, const char *text, size_t len)
{
    enum err err = ERR_OK;
    for (size_t at = 0; at < len && err == ERR_OK;) {
        size_t plain = at;
        while (plain < len && is_plain((unsigned char)text[plain]))
            plain++;
        if (plain > at)
            err = buf_add(to, text + at, plain - at);
        at = plain;
        size_t used = 0;
        if (err == ERR_OK && at < len)
            err = escape_one(to, text + at, len - at, &used);
        at += used;
    }
    return err;
}

size_t xlsx_text_characters(const char *text, size_t len, size_t *units)
{
    size_t characters = 0, beyond = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        characters += (c & 0xC0) != 0x80;
        beyond += c >= 0xF0;
    }
    *units = characters + beyond;
    return characters;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool xlsx_text_needs_preserve(const char *text, size_t len)
{
    return len > 0 && (is_space(text[0]) || is_space(text[len - 1]) || memchr(text, '\n', len) != NULL ||
                       memmem(text, len, "  ", 2) != NULL || memchr(text, '\t', len) != NULL);
}
