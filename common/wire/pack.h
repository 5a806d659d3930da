/* pack - fixed-width little-endian numbers and length-prefixed bytes: the alphabet of the internal frames.
 *
 * Writing appends to a buf and remembers the first failure, so that a frame is written without a check a field and
 * asked once at its end. Reading is from bytes that came by socket: nothing is trusted, every read is bounds-checked,
 * the first failure sticks and later reads give zeros. Text fields are borrowed from the bytes read. */
#ifndef PACK_H
#define PACK_H

#include "buf.h"

#include <stdint.h>

struct bytes {
    const char *at;
    size_t len;
};

struct pack {
    struct buf *out;
    enum err err; /* the first failure */
};

void pack_u8(struct pack *self, uint8_t value);
void pack_u16(struct pack *self, uint16_t value);
void pack_u32(struct pack *self, uint32_t value);
void pack_u64(struct pack *self, uint64_t value);
void pack_bytes(struct pack *self, const void *at, size_t len); /* u32 length, then the bytes */
void pack_text(struct pack *self, const char *text);            /* NULL counts as "" */

struct unpack {
    const char *at;
    size_t left;
    bool bad; /* a field did not fit */
};

uint8_t unpack_u8(struct unpack *self);
uint16_t unpack_u16(struct unpack *self);
uint32_t unpack_u32(struct unpack *self);
uint64_t unpack_u64(struct unpack *self);
struct bytes unpack_bytes(struct unpack *self);
/* Copies a text field into out with a NUL; longer than size - 1, or with a NUL inside, makes the frame bad. */
void unpack_text(struct unpack *self, char *out, size_t size);
bool unpack_done(const struct unpack *self); /* nothing bad and nothing left */

#endif
