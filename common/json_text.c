#include "json_text.h"

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

static enum err add_content(struct buf *out, const char *text, size_t len)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t start = 0, i = 0;
    enum err err = ERR_OK;
    while (i < len && err == ERR_OK) {
        size_t step = at[i] < 0x80 ? 1 : utf8_sequence(at + i, len - i);
        if (step > 0 && at[i] >= 0x20 && at[i] != '"' && at[i] != '\\') {
            i += step;
            continue;
        }
        err = buf_add(out, text + start, i - start);
        if (err == ERR_OK)
            err = add_special(out, at[i]);
        start = ++i;
    }
    return err == ERR_OK && start < len ? buf_add(out, text + start, len - start) : err;
}

enum err json_text_string(struct buf *out, const char *text, size_t len)
{
    size_t before = out->len;
    enum err err = buf_add_byte(out, '"');
    if (err == ERR_OK)
        err = add_content(out, text, len);
    if (err == ERR_OK)
        err = buf_add_byte(out, '"');
    if (err != ERR_OK)
        out->len = before;
    return err;
}

static enum err add_key(struct buf *out, const char *key)
{
    enum err err = ERR_OK;
    if (out->len > 0 && out->data[out->len - 1] != '{' && out->data[out->len - 1] != '[')
        err = buf_add_byte(out, ',');
    if (err == ERR_OK)
        err = json_text_string(out, key, strlen(key));
    return err == ERR_OK ? buf_add_byte(out, ':') : err;
}

/* A member is added whole or not at all. */
static enum err settle(struct buf *out, size_t before, enum err err)
{
    if (err != ERR_OK)
        out->len = before;
    return err;
}

enum err json_text_member(struct buf *out, const char *key, const char *value)
{
    size_t before = out->len;
    enum err err = add_key(out, key);
    if (err == ERR_OK)
        err = json_text_string(out, value, strlen(value));
    return settle(out, before, err);
}

enum err json_text_member_int(struct buf *out, const char *key, int64_t value)
{
    size_t before = out->len;
    enum err err = add_key(out, key);
    if (err == ERR_OK)
        err = buf_add_decimal(out, value);
    return settle(out, before, err);
}

enum err json_text_member_raw(struct buf *out, const char *key, const char *json, size_t len)
{
    size_t before = out->len;
    enum err err = add_key(out, key);
    if (err == ERR_OK)
        err = buf_add(out, json, len);
    return settle(out, before, err);
}
