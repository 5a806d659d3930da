#include "wire/pack.h"

#include <endian.h>
#include <string.h>

/* Room for so many bytes, or NULL. */
static char *extend(struct pack *self, size_t len)
{
    char *at = NULL;
    if (self->err == ERR_OK)
        self->err = buf_extend(self->out, len, &at);
    return at;
}

static inline void add(struct pack *self, const void *bytes, size_t len)
{
    char *at = extend(self, len);
    if (at)
        memcpy(at, bytes, len);
}

void pack_u8(struct pack *self, uint8_t value)
{
    add(self, &value, sizeof value);
}

void pack_u16(struct pack *self, uint16_t value)
{
    uint16_t little = htole16(value);
    add(self, &little, sizeof little);
}

void pack_u32(struct pack *self, uint32_t value)
{
    uint32_t little = htole32(value);
    add(self, &little, sizeof little);
}

void pack_u64(struct pack *self, uint64_t value)
{
    uint64_t little = htole64(value);
    add(self, &little, sizeof little);
}

void pack_bytes(struct pack *self, const void *at, size_t len)
{
    uint32_t little = htole32((uint32_t)len);
    if (self->err == ERR_OK && len > UINT32_MAX)
        self->err = ERR_TOO_LARGE;
    char *to = extend(self, sizeof little + len);
    if (!to)
        return;
    memcpy(to, &little, sizeof little);
    if (len > 0)
        memcpy(to + sizeof little, at, len);
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

uint8_t unpack_u8(struct unpack *self)
{
    const char *at = take(self, 1);
    return at ? (uint8_t)*at : 0;
}

uint16_t unpack_u16(struct unpack *self)
{
    uint16_t little = 0;
    const char *at = take(self, sizeof little);
    if (at)
        memcpy(&little, at, sizeof little);
    return le16toh(little);
}

uint32_t unpack_u32(struct unpack *self)
{
    uint32_t little = 0;
    const char *at = take(self, sizeof little);
    if (at)
        memcpy(&little, at, sizeof little);
    return le32toh(little);
}

uint64_t unpack_u64(struct unpack *self)
{
    uint64_t little = 0;
    const char *at = take(self, sizeof little);
    if (at)
        memcpy(&little, at, sizeof little);
    return le64toh(little);
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
