#include "buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 256

void buf_fini(struct buf *self)
{
    free(self->data);
    *self = BUF_INIT(self->limit);
}

void buf_clear(struct buf *self)
{
    self->len = 0;
}

enum err buf_grow(struct buf *self, size_t len)
{
    if (len > self->limit - self->len)
        return ERR_FULL;
    size_t need = self->len + len + 1, room = self->room ? self->room : FIRST_ROOM;
    while (room < need)
        room *= 2;
    char *data = realloc(self->data, room);
    if (!data)
        return ERR_MEMORY;
    self->data = data;
    self->room = room;
    return ERR_OK;
}

enum err buf_add(struct buf *self, const void *bytes, size_t len)
{
    char *at;
    enum err err = buf_extend(self, len, &at);
    if (err == ERR_OK && len > 0)
        memcpy(at, bytes, len);
    return err;
}

enum err buf_add_text(struct buf *self, const char *text)
{
    return buf_add(self, text, strlen(text));
}

enum err buf_add_byte(struct buf *self, uint8_t byte)
{
    char *at;
    enum err err = buf_extend(self, 1, &at);
    if (err == ERR_OK)
        *at = (char)byte;
    return err;
}

size_t buf_decimal(int64_t value, char out[BUF_DECIMAL_MAX])
{
    char digits[BUF_DECIMAL_MAX];
    char *at = digits + sizeof digits;
    uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do
        *--at = (char)('0' + left % 10);
    while ((left /= 10) > 0);
    if (value < 0)
        *--at = '-';
    size_t len = (size_t)(digits + sizeof digits - at);
    memcpy(out, at, len);
    return len;
}

enum err buf_add_decimal(struct buf *self, int64_t value)
{
    char digits[BUF_DECIMAL_MAX];
    return buf_add(self, digits, buf_decimal(value, digits));
}

enum err buf_printf(struct buf *self, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *at;
    enum err err = len < 0 ? ERR_INTERNAL : buf_extend(self, (size_t)len, &at);
    if (err == ERR_OK)
        vsnprintf(at, (size_t)len + 1, format, again);
    va_end(again);
    return err;
}

const char *buf_text(struct buf *self)
{
    if (!self->data)
        return "";
    self->data[self->len] = '\0'; /* buf_extend() keeps this byte free */
    return self->data;
}

char *buf_steal(struct buf *self, size_t *len)
{
    char *data = self->data;
    if (len)
        *len = self->len;
    *self = BUF_INIT(self->limit);
    return data;
}
