/* change_codec - a list of changes as bytes and back: the payload of a journal record.
 *
 *   1 byte   CHANGE_CODEC_VERSION
 *   then, a change after the other: 1 byte kind, its fields in the order of the table in change_codec.c
 *
 * Numbers are little-endian; a text is its length with the final NUL (4 bytes), its bytes and the NUL, so that a
 * decoded row points into the payload and nothing is copied. The bytes come from a disk: whatever they are, decoding
 * ends. Any thread. */
#ifndef CHANGE_CODEC_H
#define CHANGE_CODEC_H

#include "core/change.h"
#include "wire/pack.h"

#define CHANGE_CODEC_VERSION 1

/* Appends to `out`. ERR_FULL: beyond out's limit. */
enum err changes_encode(const struct changes *batch, struct buf *out) MUST_CHECK;

struct change_reader {
    struct unpack from;
};

/* ERR_UNSUPPORTED: written by another version of the program. */
enum err change_reader_init(struct change_reader *self, struct bytes payload, struct fault *why) MUST_CHECK;
/* The next change, its texts borrowed from the payload; ERR_END: that was all; ERR_INVALID: no list of changes. */
enum err change_reader_next(struct change_reader *self, struct change *out, struct fault *why) MUST_CHECK;

#endif
