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

static enum err grow(struct buf *self, size_t need)
{
    size_t room = self->room ? self->room : FIRST_ROOM;
    while (room < need)
        room *= 2;
    char *data = realloc(self->data, room);
    if (!data)
        return ERR_MEMORY;
    self->data = data;
    self->room = room;
    return ERR_OK;
}

/* One byte more than asked for is always there, for buf_text(). */
static inline enum err make_room(struct buf *self, size_t more)
{
    if (more > self->limit - self->len)
        return ERR_FULL;
    size_t need = self->len + more + 1;
    return need <= self->room ? ERR_OK : grow(self, need);
}

enum err buf_extend(struct buf *self, size_t len, char **at)
{
    enum err err = make_room(self, len);
    if (err != ERR_OK)
        return err;
    *at = self->data + self->len;
    self->len += len;
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
    enum err err = make_room(self, 1);
    if (err == ERR_OK)
        self->data[self->len++] = (char)byte;
    return err;
}

enum err buf_add_decimal(struct buf *self, int64_t value)
{
    char digits[20]; /* a sign and 19 digits */
    char *at = digits + sizeof digits;
    uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do
        *--at = (char)('0' + left % 10);
    while ((left /= 10) > 0);
    if (value < 0)
        *--at = '-';
    return buf_add(self, at, (size_t)(digits + sizeof digits - at));
}

enum err buf_printf(struct buf *self, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    enum err err = len < 0 ? ERR_INTERNAL : make_room(self, (size_t)len);
    if (err == ERR_OK) {
        vsnprintf(self->data + self->len, (size_t)len + 1, format, again);
        self->len += (size_t)len;
    }
    va_end(again);
    return err;
}

const char *buf_text(struct buf *self)
{
    if (!self->data)
        return "";
    self->data[self->len] = '\0'; /* make_room() keeps this byte free */
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
