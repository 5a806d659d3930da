#include "json_text.h"

#include "json_plain.h"
#include "utf8.h"

#include <string.h>

static const char *short_escape(unsigned char c)
{
    switch (c) {
    case '"': return "\\\"";
    case '\\': return "\\\\";
    case '\b': return "\\b";
    case '\f': return "\\f";
    case '\n': return "\\n";
    case '\r': return "\\r";
    case '\t': return "\\t";
    default: return NULL;
    }
}

static enum err add_special(struct buf *out, unsigned char c)
{
    const char *escape = short_escape(c);
    if (escape)
        return buf_add_text(out, escape);
    return c < 0x20 ? buf_printf(out, "\\u%04x", c) : buf_add_text(out, "\xEF\xBF\xBD");
}

/* Behind the characters from `at` on that need no escape. */
static const char *behind_unescaped(const char *at, const char *end)
{
    size_t step = 1;
    while (step > 0) {
        at = json_behind_plain(at, end);
        bool longer = at < end && (unsigned char)*at >= 0x80;
        step = longer ? utf8_sequence(at, (size_t)(end - at)) : 0;
        at += step;
    }
    return at;
}

static enum err add_content(struct buf *out, const char *at, const char *end)
{
    enum err err = ERR_OK;
    while (at < end && err == ERR_OK) {
        const char *start = at;
        at = behind_unescaped(at, end);
        err = buf_add(out, start, (size_t)(at - start));
        if (err == ERR_OK && at < end)
            err = add_special(out, (unsigned char)*at++);
    }
    return err;
}

/* A piece is added whole or not at all. */
static enum err settle(struct buf *out, size_t before, enum err err)
{
    if (err != ERR_OK)
        out->len = before;
    return err;
}

enum err json_text_string(struct buf *out, const char *text, size_t len)
{
    size_t before = out->len;
    enum err err = buf_add_byte(out, '"');
    if (err == ERR_OK)
        err = add_content(out, text, text + len);
    if (err == ERR_OK)
        err = buf_add_byte(out, '"');
    return settle(out, before, err);
}

/* Comma, key and colon, and room for `more` bytes behind them at *at. */
static enum err begin_member(struct buf *out, const char *key, size_t more, char **at)
{
    bool first = out->len == 0 || out->data[out->len - 1] == '{' || out->data[out->len - 1] == '[';
    size_t len = strlen(key);
    enum err err = buf_extend(out, !first + 1 + len + 2 + more, at);
    if (err != ERR_OK)
        return err;
    char *to = *at;
    if (!first)
        *to++ = ',';
    *to++ = '"';
    memcpy(to, key, len);
    to += len;
    *to++ = '"';
    *to++ = ':';
    *at = to;
    return ERR_OK;
}

static enum err add_plain_member(struct buf *out, const char *key, const char *value, size_t len)
{
    char *at;
    enum err err = begin_member(out, key, len + 2, &at);
    if (err != ERR_OK)
        return err;
    at[0] = '"';
    memcpy(at + 1, value, len);
    at[len + 1] = '"';
    return ERR_OK;
}

enum err json_text_member(struct buf *out, const char *key, const char *value)
{
    size_t before = out->len, len = strlen(value);
    if (behind_unescaped(value, value + len) == value + len)
        return add_plain_member(out, key, value, len);
    char *at;
    enum err err = begin_member(out, key, 0, &at);
    if (err == ERR_OK)
        err = json_text_string(out, value, len);
    return settle(out, before, err);
}

enum err json_text_member_int(struct buf *out, const char *key, int64_t value)
{
    size_t before = out->len;
    char *at;
    enum err err = begin_member(out, key, 0, &at);
    if (err == ERR_OK)
        err = buf_add_decimal(out, value);
    return settle(out, before, err);
}

enum err json_text_member_raw(struct buf *out, const char *key, const char *json, size_t len)
{
    char *at;
    enum err err = begin_member(out, key, len, &at);
    if (err == ERR_OK && len > 0)
        memcpy(at, json, len);
    return err;
}
