#include "wire/pack.h"

#include <string.h>

static void add(struct pack *self, const void *at, size_t len)
{
    if (self->err == ERR_OK)
        self->err = buf_add(self->out, at, len);
}

static void add_number(struct pack *self, uint64_t value, size_t width)
{
    unsigned char bytes[8];
    for (size_t i = 0; i < width; i++)
        bytes[i] = (unsigned char)(value >> (8 * i));
    add(self, bytes, width);
}

void pack_u8(struct pack *self, uint8_t value)
{
    add_number(self, value, 1);
}

void pack_u16(struct pack *self, uint16_t value)
{
    add_number(self, value, 2);
}

void pack_u32(struct pack *self, uint32_t value)
{
    add_number(self, value, 4);
}

void pack_u64(struct pack *self, uint64_t value)
{
    add_number(self, value, 8);
}

void pack_bytes(struct pack *self, const void *at, size_t len)
{
    if (len > UINT32_MAX) {
        if (self->err == ERR_OK)
            self->err = ERR_TOO_LARGE;
        return;
    }
    pack_u32(self, (uint32_t)len);
    add(self, at, len);
}

void pack_text(struct pack *self, const char *text)
{
    pack_bytes(self, text, text ? strlen(text) : 0);
}

/* The next len bytes, or NULL; after the first failure nothing is left, so that every later read fails too. */
static const char *take(struct unpack *self, size_t len)
{
    if (self->bad || len > self->left) {
        self->bad = true;
        self->left = 0;
        return NULL;
    }
    const char *at = self->at;
    self->at += len;
    self->left -= len;
    return at;
}

static uint64_t take_number(struct unpack *self, size_t width)
{
    const char *at = take(self, width);
    uint64_t value = 0;
    for (size_t i = 0; at && i < width; i++)
        value |= (uint64_t)(unsigned char)at[i] << (8 * i);
    return value;
}

uint8_t unpack_u8(struct unpack *self)
{
    return (uint8_t)take_number(self, 1);
}

uint16_t unpack_u16(struct unpack *self)
{
    return (uint16_t)take_number(self, 2);
}

uint32_t unpack_u32(struct unpack *self)
{
    return (uint32_t)take_number(self, 4);
}

uint64_t unpack_u64(struct unpack *self)
{
    return take_number(self, 8);
}

struct bytes unpack_bytes(struct unpack *self)
{
    uint32_t len = unpack_u32(self);
    const char *at = take(self, len);
    return at ? (struct bytes){at, len} : (struct bytes){"", 0};
}

void unpack_text(struct unpack *self, char *out, size_t size)
{
    struct bytes text = unpack_bytes(self);
    out[0] = '\0';
    if (self->bad)
        return;
    if (text.len >= size || memchr(text.at, '\0', text.len)) {
        self->bad = true;
        self->left = 0;
        return;
    }
    memcpy(out, text.at, text.len);
    out[text.len] = '\0';
}

bool unpack_done(const struct unpack *self)
{
    return !self->bad && self->left == 0;
}
