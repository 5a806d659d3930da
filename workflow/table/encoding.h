/* encoding - reads a text file of any encoding as UTF-8, block by block, in constant memory.
 *
 * The encoding is told by a byte order mark (UTF-8, UTF-16LE, UTF-16BE; the mark itself is not given out). Without one
 * it is UTF-16 if the file's beginning looks like it (encoding_guess_utf16()), UTF-8 if the whole file is valid UTF-8,
 * otherwise Windows-1252, otherwise (when the five bytes that Windows-1252 leaves undefined occur) ISO 8859-1. The
 * question is put off until the first byte that is not ASCII, because up to there the answer makes no difference; then
 * the rest of the file is looked through once. Half characters and lone surrogates of UTF-16 become U+FFFD. Used by one
 * thread. */
#ifndef ENCODING_H
#define ENCODING_H

#include "err.h"

#include <stdbool.h>
#include <stdint.h>

enum encoding {
    ENCODING_ASCII_SO_FAR,
    ENCODING_UTF8,
    ENCODING_UTF16LE,
    ENCODING_UTF16BE,
    ENCODING_CP1252,
    ENCODING_LATIN1,
};

#define ENCODING_RAW_BYTES 65536

struct encoding_reader {
    int fd; /* borrowed; read with pread from offset 0 */
    enum encoding encoding;
    uint64_t begin;  /* after the byte order mark */
    uint64_t offset; /* bytes of the file that have been given out, or are in `raw` */
    uint64_t size;   /* of the file when it was opened */
    size_t raw_at;   /* only for the encodings that are transcoded */
    size_t raw_len;
    unsigned char raw[ENCODING_RAW_BYTES];
};

enum err encoding_open(struct encoding_reader *self, int fd, struct fault *why) MUST_CHECK;
/* Fills `into` with up to `room` (at least 4) bytes of UTF-8; 0 bytes = end of the file. A character is never split
 * by transcoding, but may be split between two calls when the file itself is UTF-8. */
enum err encoding_read(struct encoding_reader *self, char *into, size_t room, size_t *len,
                       struct fault *why) MUST_CHECK;
/* Back to the first character; what was learnt about the encoding stays. */
void encoding_rewind(struct encoding_reader *self);
/* Bytes of the file consumed so far. */
uint64_t encoding_consumed(const struct encoding_reader *self);

/* Whether bytes from a file's beginning are UTF-16 without a byte order mark, and of which order: NUL bytes on one side
 * of at least every fourth pair (line ends, digits and delimiters have one in any language), fewer than half as many on
 * the other, and read as characters a line end and neither control characters nor half ones. */
bool encoding_guess_utf16(const unsigned char *bytes, size_t len, enum encoding *out);

/* Bytes from the start of `text` that are whole, valid UTF-8 characters (RFC 3629: no surrogates, shortest form). */
size_t encoding_valid_utf8(const char *text, size_t len);

#endif
