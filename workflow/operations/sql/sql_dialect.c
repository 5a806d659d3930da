#include "operations/sql/sql_dialect.h"

#include "operations/sql/sql_words.h"

#include <string.h>
#include <strings.h>

static const struct sql_dialect dialects[] = {
    {
        .name = "postgresql",
        .aliases = "postgres",
        .begin = "BEGIN;",
        .name_quote = '"',
        .sequences = true,
        .escape_strings = true,
        .dollar_quotes = true,
        .nested_comments = true,
        .now = "NOW()",
        .today = "CURRENT_DATE",
        .uuid = "uuid_generate_v4()",
        .truth = {"FALSE", "TRUE"},
        .reserved_in = SQL_RESERVED_POSTGRESQL,
    },
    {
        .name = "mysql",
        .aliases = "mariadb",
        .begin = "START TRANSACTION;",
        .name_quote = '`',
        .backslash = true,
        .backtick_names = true,
        .hash_comments = true,
        .now = "NOW()",
        .today = "CURDATE()",
        .uuid = "UUID()",
        .truth = {"FALSE", "TRUE"},
        .reserved_in = SQL_RESERVED_MYSQL,
    },
    {
        .name = "sqlite",
        .aliases = "sqlite3",
        .begin = "BEGIN TRANSACTION;",
        .name_quote = '"',
        .backtick_names = true,
        .bracket_names = true,
        .now = "datetime('now')",
        .today = "date('now')",
        .uuid = "lower(hex(randomblob(16)))", /* there is no UUID() */
        .truth = {"0", "1"},                  /* TRUE is younger than many installations */
        .reserved_in = SQL_RESERVED_SQLITE,
    },
};

const struct sql_dialect *const sql_dialect_postgresql = &dialects[0];

const struct sql_dialect *sql_dialect_find(const char *name)
{
    for (size_t i = 0; i < sizeof dialects / sizeof *dialects; i++) {
        if (strcasecmp(dialects[i].name, name) == 0 || strcasecmp(dialects[i].aliases, name) == 0)
            return &dialects[i];
    }
    return NULL;
}

/* What a byte becomes: itself twice, itself behind a backslash, a letter behind a backslash, or an error. */
enum escape { ESCAPE_NONE, ESCAPE_DOUBLE, ESCAPE_BACKSLASH, ESCAPE_ZERO, ESCAPE_REFUSE };

static enum escape escape_of(const struct sql_dialect *self, enum sql_place place, char c)
{
    bool backslash = place == SQL_ESCAPE_STRING || (self->backslash && place != SQL_BACKTICK);
    if (c == '\0')
        return self->backslash && place != SQL_BACKTICK ? ESCAPE_ZERO : ESCAPE_REFUSE;
    if (c == '\\')
        return backslash ? ESCAPE_BACKSLASH : ESCAPE_NONE;
    if (place == SQL_BACKTICK)
        return c == '`' ? ESCAPE_DOUBLE : ESCAPE_NONE;
    if (place == SQL_NAME)
        return c == '"' ? ESCAPE_DOUBLE : ESCAPE_NONE;
    if (self->backslash)
        return c == '\'' || c == '"' ? ESCAPE_BACKSLASH : ESCAPE_NONE;
    return c == '\'' ? ESCAPE_DOUBLE : ESCAPE_NONE;
}

/* Bytes that may need an escape somewhere. */
static const bool special[256] = {['\''] = true, ['"'] = true, ['`'] = true, ['\\'] = true, ['\0'] = true};

/* Room for the worst case is the caller's: two bytes for one. Returns the end, or NULL for a byte that is refused. */
static char *put_escaped(const struct sql_dialect *self, enum sql_place place, const char *text, size_t len, char *to)
{
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (!special[(unsigned char)c]) {
            *to++ = c;
            continue;
        }
        switch (escape_of(self, place, c)) {
        case ESCAPE_NONE: break;
        case ESCAPE_DOUBLE: *to++ = c; break;
        case ESCAPE_BACKSLASH: *to++ = '\\'; break;
        case ESCAPE_ZERO:
            *to++ = '\\';
            c = '0';
            break;
        case ESCAPE_REFUSE: return NULL;
        }
        *to++ = c;
    }
    return to;
}

enum err sql_escape(const struct sql_dialect *self, enum sql_place place, const char *text, size_t len, struct buf *to)
{
    char *at;
    enum err err = buf_extend(to, 2 * len, &at);
    if (err != ERR_OK)
        return err;
    const char *end = put_escaped(self, place, text, len, at);
    to->len = (size_t)((end ? end : at) - to->data);
    return end ? ERR_OK : ERR_INVALID;
}

enum err sql_literal(const struct sql_dialect *self, const char *text, size_t len, struct buf *to)
{
    char *at;
    enum err err = buf_extend(to, 2 * len + 2, &at);
    if (err != ERR_OK)
        return err;
    *at = '\'';
    char *end = put_escaped(self, SQL_LITERAL, text, len, at + 1);
    if (end)
        *end++ = '\'';
    to->len = (size_t)((end ? end : at) - to->data);
    return end ? ERR_OK : ERR_INVALID;
}

static bool plain_word(const char *name, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && (i == 0 || !((c >= '0' && c <= '9') || c == '$')))
            return false;
    }
    return len > 0;
}

/* The length of the quoted identifier that the text starts with, or 0. */
static size_t quoted_length(char quote, const char *text, size_t len)
{
    if (len < 3 || text[0] != quote || text[1] == quote)
        return 0;
    for (size_t i = 1; i < len; i++) {
        if (text[i] == '\0')
            return 0;
        if (text[i] != quote)
            continue;
        if (i + 1 == len || text[i + 1] != quote)
            return i + 1;
        i++;
    }
    return 0;
}

enum err sql_identifier(const struct sql_dialect *self, const char *name, size_t len, struct buf *to)
{
    if (len == 0 || memchr(name, '\0', len))
        return ERR_INVALID;
    if ((plain_word(name, len) && !sql_reserved(name, len, self->reserved_in)) ||
        quoted_length(self->name_quote, name, len) == len)
        return buf_add(to, name, len);
    enum err err = buf_add_byte(to, (uint8_t)self->name_quote);
    for (size_t i = 0; i < len && err == ERR_OK; i++) {
        if (name[i] == self->name_quote)
            err = buf_add_byte(to, (uint8_t)name[i]);
        if (err == ERR_OK)
            err = buf_add_byte(to, (uint8_t)name[i]);
    }
    return err == ERR_OK ? buf_add_byte(to, (uint8_t)self->name_quote) : err;
}

enum err sql_qualified(const struct sql_dialect *self, const char *name, size_t len, struct buf *to)
{
    enum err err = len > 0 ? ERR_OK : ERR_INVALID;
    for (size_t at = 0; at <= len && err == ERR_OK;) {
        size_t part = quoted_length(self->name_quote, name + at, len - at);
        if (part == 0 || (at + part < len && name[at + part] != '.')) {
            const char *dot = memchr(name + at, '.', len - at);
            part = dot ? (size_t)(dot - (name + at)) : len - at;
        }
        err = sql_identifier(self, name + at, part, to);
        at += part;
        if (at == len)
            break;
        if (err == ERR_OK)
            err = buf_add_byte(to, '.');
        at++;
    }
    return err;
}
